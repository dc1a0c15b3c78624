/* Lists of users: see users.h. */
#include "address/users.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "address/form.h"
#include "base/text.h"

#define UID_MAX_VALUE 4294967294U /* the one above it stands for "none" */
#define AUTHORITY_MAX ((UINT64_C(1) << 48) - 1)

enum { WORD_SIZE = UVR_SID_SIZE, SYSTEM_PART = 18, ADMINS_FIRST_PART = 32, ADMINS_SECOND_PART = 544 };

/* SIDs. */

const char *uvr_sid_text(char text[UVR_SID_SIZE], const uvr_sid *sid)
{
  /* Windows writes an authority of more than 32 bits in hexadecimal. */
  int length = sid->authority > UINT32_MAX ? snprintf(text, UVR_SID_SIZE, "S-1-0x%012" PRIX64, sid->authority)
                                           : snprintf(text, UVR_SID_SIZE, "S-1-%" PRIu64, sid->authority);
  for (unsigned i = 0; i < sid->count; i++) {
    length += snprintf(text + length, UVR_SID_SIZE - (size_t)length, "-%" PRIu32, sid->parts[i]);
  }
  return text;
}

bool uvr_sid_is_same(const uvr_sid *one, const uvr_sid *other)
{
  return one->authority == other->authority && one->count == other->count &&
         memcmp(one->parts, other->parts, one->count * sizeof(one->parts[0])) == 0;
}

static int digit_of(char c)
{
  char lower = (char)(c | 0x20);
  return uvr_is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

/* Parses the digits at *text, of which there must be some, and moves *text after them. */
static bool parse_digits(const char **text, int base, uint64_t most, uint64_t *value)
{
  const char *next = *text;
  *value = 0;
  for (; digit_of(*next) < base; next++) {
    *value = *value * (uint64_t)base + (uint64_t)digit_of(*next);
    if (*value > most) {
      return false;
    }
  }
  bool some = next > *text;
  *text = next;
  return some;
}

static bool begins_like_sid(const char *word)
{
  return (word[0] | 0x20) == 's' && word[1] == '-';
}

/* Parses S-1-AUTHORITY-PART-PART..., as Windows writes it. */
static bool parse_sid(const char *word, uvr_sid *out)
{
  uint64_t number;
  if (!begins_like_sid(word) || strncmp(word + 2, "1-", 2) != 0) {
    return false;
  }
  const char *next = word + 4;
  bool hexadecimal = uvr_begins(next, "0x");
  next += hexadecimal ? 2 : 0;
  if (!parse_digits(&next, hexadecimal ? 16 : 10, AUTHORITY_MAX, &out->authority)) {
    return false;
  }
  for (out->count = 0; *next == '-' && out->count < UVR_SID_PARTS; out->count++) {
    next++;
    if (!parse_digits(&next, 10, UINT32_MAX, &number)) {
      return false;
    }
    out->parts[out->count] = (uint32_t)number;
  }
  return *next == '\0' && out->count > 0;
}

/* Words. */

/* What Linux' tools accept as the name of an account. */
static bool is_name(const char *word)
{
  size_t length = strlen(word);
  size_t dollar = length > 1 && word[length - 1] == '$' ? 1 : 0;
  for (size_t i = 0; i < length - dollar; i++) {
    bool inside = i > 0 && (uvr_is_digit(word[i]) || word[i] == '-' || word[i] == '.');
    if (!uvr_is_letter(word[i]) && word[i] != '_' && !inside) {
      return false;
    }
  }
  return length > 0 && length < UVR_USER_NAME_SIZE;
}

static bool parse_word(const char *word, uvr_user *out)
{
  unsigned uid = 0;
  *out = (uvr_user){.kind = UVR_USER_SELF};
  if (uvr_is_same_word(word, "user")) {
    return true;
  }
  if (uvr_is_same_word(word, "system")) {
    out->kind = UVR_USER_SID;
    out->sid = (uvr_sid){.authority = 5, .count = 1, .parts = {SYSTEM_PART}};
    return true;
  }
  if (uvr_is_same_word(word, "admins")) {
    out->kind = UVR_USER_SID;
    out->sid = (uvr_sid){.authority = 5, .count = 2, .parts = {ADMINS_FIRST_PART, ADMINS_SECOND_PART}};
    return true;
  }
  if (begins_like_sid(word)) {
    out->kind = UVR_USER_SID;
    return parse_sid(word, &out->sid);
  }
  if (uvr_is_same_word(word, "root") || uvr_number_parse(word, 10, UID_MAX_VALUE, &uid)) {
    out->kind = UVR_USER_UID;
    out->uid = uid;
    return true;
  }
  out->kind = UVR_USER_NAME;
  if (!is_name(word) || uvr_is_same_word(word, "any")) {
    return false;
  }
  memcpy(out->name, word, strlen(word) + 1);
  return true;
}

/* Lists. */

bool uvr_users_next(const char **list, uvr_user *out)
{
  char word[WORD_SIZE];
  size_t length = strcspn(*list, ",");
  if (length >= sizeof(word)) {
    return false;
  }
  memcpy(word, *list, length);
  word[length] = '\0';
  *list = (*list)[length] == ',' ? *list + length + 1 : NULL;
  return parse_word(word, out);
}

unsigned uvr_users_check(const char *list)
{
  unsigned systems = 0;
  if (memchr(list, '\0', UVRELAY_USERS_SIZE) == NULL) {
    return 0;
  }
  for (const char *next = list; next != NULL;) {
    uvr_user user;
    if (!uvr_users_next(&next, &user)) {
      return 0;
    }
    systems |= user.kind == UVR_USER_SELF  ? UVR_USERS_OF_WINDOWS | UVR_USERS_OF_UNIX
               : user.kind == UVR_USER_SID ? UVR_USERS_OF_WINDOWS
                                           : UVR_USERS_OF_UNIX;
  }
  return systems;
}

bool uvr_users_parse(const char *value, char list[UVRELAY_USERS_SIZE])
{
  bool any = uvr_is_same_word(value, "any");
  size_t size = any ? 1 : strlen(value) + 1;
  if (size > UVRELAY_USERS_SIZE || (!any && uvr_users_check(value) == 0)) {
    return false;
  }
  memcpy(list, any ? "" : value, size);
  return true;
}
