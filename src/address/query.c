/* Options by name: a table of them, a parser for each kind of value, and the query of an address, which is cut into
 * them. An error names the option and says what may be written instead. */
#include "address/query.h"

#include <stdio.h>
#include <string.h>

#include "address/form.h"
#include "address/users.h"
#include "base/error.h"
#include "base/near_word.h"
#include "base/text.h"

#define DAY_MS          ((uint64_t)86400 * 1000)
#define NAMES           "name, timeout, linger, idle, max, perm, mode, impersonation, eof, absent, owner and peer-uid"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define DURATION        "a number of seconds above 0 and up to 86400, or a time such as 500ms, 90s, 5m or 2h, or off"

enum { MAX_MAX = 1000000, PERM_MAX = 0777, NAME_SIZE = 32, VALUE_SIZE = UVRELAY_USERS_SIZE };

typedef enum option_id {
  OPTION_TIMEOUT,
  OPTION_LINGER,
  OPTION_IDLE,
  OPTION_MAX,
  OPTION_PERM,
  OPTION_MODE,
  OPTION_IMPERSONATION,
  OPTION_EOF,
  OPTION_ABSENT,
  OPTION_OWNER,
  OPTION_PEER_UID,
  OPTION_NAME,
  OPTION_COUNT
} option_id;

static const struct {
  const char *name;
  uvrelay_side_t side;     /* in whose query it may appear; UVRELAY_SIDE_NONE: in both */
  uvr_address_trait trait; /* what the address must have; 0: nothing */
  bool each;               /* each side may have its own */
  const char *values;      /* what the value may be, for the message */
  const char *where;       /* where it may appear, for the message */
} table[OPTION_COUNT] = {
    [OPTION_TIMEOUT] = {"timeout", UVRELAY_SIDE_NONE, 0, false, DURATION, NULL},
    [OPTION_LINGER] = {"linger", UVRELAY_SIDE_NONE, 0, false, DURATION, NULL},
    [OPTION_IDLE] = {"idle", UVRELAY_SIDE_NONE, 0, false, DURATION, NULL},
    [OPTION_MAX] = {"max", UVRELAY_SIDE_NONE, 0, false, "a number from 1 to 1000000", NULL},
    [OPTION_PERM] = {"perm", UVRELAY_LEFT, UVR_ADDRESS_HAS_PERMISSIONS, false,
                     "an octal number up to 0777, such as 0600", "for listeners on Unix sockets"},
    [OPTION_MODE] = {"mode", UVRELAY_LEFT, UVR_ADDRESS_HAS_MODE, false, "byte or message",
                     "for listeners on named pipes, because the server of a target decides its mode"},
    [OPTION_IMPERSONATION] = {"impersonation", UVRELAY_RIGHT, UVR_ADDRESS_HAS_IMPERSONATION, false,
                              UVR_IMPERSONATION_LEVELS, "for targets that are named pipes"},
    [OPTION_EOF] = {"eof", UVRELAY_SIDE_NONE, 0, true, "auto, marker or none", NULL},
    [OPTION_ABSENT] = {"absent", UVRELAY_RIGHT, 0, false, "wait or fail", "for targets"},
    [OPTION_OWNER] = {"owner", UVRELAY_RIGHT, UVR_ADDRESS_HAS_OWNER, false, UVR_USERS_FORM,
                      "for targets that are named pipes, Unix sockets or socket files"},
    [OPTION_PEER_UID] = {"peer-uid", UVRELAY_LEFT, UVR_ADDRESS_HAS_PEER_UIDS, false, UVR_USERS_PEERS_FORM,
                         "for listeners on Unix sockets"},
    [OPTION_NAME] = {"name", UVRELAY_SIDE_NONE, 0, false,
                     "up to 63 letters, digits, hyphens, underscores and dots, beginning with a letter or digit", NULL},
};

static const char *const level_names[] = {"anonymous", "identification", "impersonation", "delegation"};

const char *uvr_impersonation_name(uvrelay_impersonation_t level)
{
  return level_names[level];
}

bool uvr_impersonation_parse(const char *text, uvrelay_impersonation_t *level)
{
  for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
    if (strcmp(text, level_names[i]) == 0) {
      *level = (uvrelay_impersonation_t)i;
      return true;
    }
  }
  return false;
}

static bool parse_duration(const char *text, uint64_t off, uint64_t *milliseconds)
{
  if (strcmp(text, "off") == 0) {
    *milliseconds = off;
    return true;
  }
  return uvr_time_parse(text, milliseconds) && *milliseconds > 0 && *milliseconds <= DAY_MS;
}

static bool parse_eof(const char *text, uvrelay_side_t side, uvrelay_route_options_t *options)
{
  static const char *const names[] = {"auto", "marker", "none"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (strcmp(text, names[i]) == 0) {
      if (side != UVRELAY_RIGHT) {
        options->eof_to_client = (uvrelay_eof_t)i;
      }
      if (side != UVRELAY_LEFT) {
        options->eof_to_target = (uvrelay_eof_t)i;
      }
      return true;
    }
  }
  return false;
}

static bool parse_mode(const char *text, int *message_mode)
{
  *message_mode = strcmp(text, "message") == 0;
  return *message_mode || strcmp(text, "byte") == 0;
}

static bool parse_absent(const char *text, int *wait)
{
  *wait = strcmp(text, "wait") == 0;
  return *wait || strcmp(text, "fail") == 0;
}

/* Only users of Unix can be clients whose users are known. */
static bool parse_peers(const char *value, char list[UVRELAY_USERS_SIZE])
{
  char parsed[UVRELAY_USERS_SIZE];
  if (!uvr_users_parse(value, parsed) || (*parsed != '\0' && (uvr_users_check(parsed) & UVR_USERS_OF_UNIX) == 0)) {
    return false;
  }
  memcpy(list, parsed, strlen(parsed) + 1);
  return true;
}

bool uvr_route_name_check(const char *text)
{
  size_t length = 0;
  while (length < UVRELAY_NAME_SIZE && text[length] != '\0' && strchr(NAME_CHARACTERS, text[length]) != NULL) {
    length++;
  }
  return length > 0 && length < UVRELAY_NAME_SIZE && text[length] == '\0' && strchr("-_.", text[0]) == NULL;
}

static bool parse_name(const char *value, char name[UVRELAY_NAME_SIZE])
{
  if (!uvr_route_name_check(value)) {
    return false;
  }
  memcpy(name, value, strlen(value) + 1);
  return true;
}

static bool parse_value(option_id id, uvrelay_side_t side, const char *value, uvrelay_route_options_t *options)
{
  switch (id) {
  case OPTION_TIMEOUT:
    return parse_duration(value, UINT64_MAX, &options->timeout_ms);
  case OPTION_LINGER:
    return parse_duration(value, UINT64_MAX, &options->linger_ms);
  case OPTION_IDLE:
    return parse_duration(value, 0, &options->idle_ms);
  case OPTION_MAX:
    return uvr_number_parse(value, 10, MAX_MAX, &options->max) && options->max > 0;
  case OPTION_PERM:
    return uvr_number_parse(value, 8, PERM_MAX, &options->permissions) && options->permissions > 0;
  case OPTION_MODE:
    return parse_mode(value, &options->message_mode);
  case OPTION_IMPERSONATION:
    return uvr_impersonation_parse(value, &options->impersonation);
  case OPTION_EOF:
    return parse_eof(value, side, options);
  case OPTION_ABSENT:
    return parse_absent(value, &options->wait_for_absent);
  case OPTION_OWNER:
    return uvr_users_parse(value, options->owner);
  case OPTION_PEER_UID:
    return parse_peers(value, options->peer_uid);
  case OPTION_NAME:
    return parse_name(value, options->name);
  case OPTION_COUNT:
    break;
  }
  return false;
}

static option_id find(const char *name)
{
  option_id id = OPTION_TIMEOUT;
  while (id < OPTION_COUNT && strcmp(table[id].name, name) != 0) {
    id++;
  }
  return id;
}

const char *uvr_route_option_name(size_t i)
{
  return i < OPTION_COUNT ? table[i].name : NULL;
}

uvrelay_side_t uvr_route_option_side(const char *name, size_t length)
{
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) {
      return table[i].side;
    }
  }
  return UVRELAY_SIDE_NONE;
}

static int refuse_name(const char *name, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *meant = NULL;
  unsigned least = UVR_NEAR_NOT;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    unsigned changes = uvr_near_word(name, strlen(name), table[i].name);
    meant = changes < least ? table[i].name : meant;
    least = changes < least ? changes : least;
  }
  return meant != NULL ? uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                                       "there is no option %s: did you mean %s?", uvr_quote(quoted, name), meant)
                       : uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                                       "there is no option %s: route options are " NAMES, uvr_quote(quoted, name));
}

static int refuse_size(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the options of the route have an invalid size");
}

int uvrelay_route_option(uvrelay_route_options_t *options, uvrelay_side_t side, const char *name, const char *value,
                         uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uvrelay_route_options_t changed = {.size = options->size}; /* on an error, *options stays as it is */
  size_t known = options->size < sizeof(changed) ? options->size : sizeof(changed);
  if (known < sizeof(known)) {
    return refuse_size(error);
  }
  memcpy(&changed, options, known);
  option_id id = find(name);
  if (id == OPTION_COUNT) {
    return refuse_name(name, error);
  }
  if (side != UVRELAY_SIDE_NONE && table[id].side != UVRELAY_SIDE_NONE && side != table[id].side) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the option %s is allowed only %s", name,
                         table[id].where);
  }
  if (!parse_value(id, side, value, &changed)) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the option %s has the bad value %s: write %s", name,
                         uvr_quote(quoted, value), table[id].values);
  }
  for (size_t i = known; i < sizeof(changed); i++) { /* members that the caller's struct does not have */
    if (((const unsigned char *)&changed)[i] != 0) {
      return refuse_size(error);
    }
  }
  memcpy(options, &changed, known);
  return 0;
}

/* Checks that the option, whose value is good, suits this address and is given for the first time. */
static int check_option(option_id id, uvrelay_side_t side, const char *value, const uvrelay_route_options_t *options,
                        const uvr_address *address, unsigned *given, uvrelay_error_t *error)
{
  /* any: what holds for other routes */
  bool lifts = (id == OPTION_OWNER && *options->owner == '\0') || (id == OPTION_PEER_UID && *options->peer_uid == '\0');
  if (table[id].trait != 0 && !uvr_address_has(address, table[id].trait) && !lifts) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "%s cannot have the option %s, which is allowed only %s", address->canonical, table[id].name,
                         table[id].where);
  }
  if (id == OPTION_EOF && strcmp(value, "marker") == 0 && !uvr_address_has(address, UVR_ADDRESS_HAS_END_MARKER)) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "%s cannot have the option eof=marker, which is for named pipes", address->canonical);
  }
  unsigned bit = 1U << ((unsigned)id + (table[id].each && side == UVRELAY_RIGHT ? (unsigned)OPTION_COUNT : 0U));
  if ((*given & bit) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the option %s of %s is given twice", table[id].name,
                         address->canonical);
  }
  *given |= bit;
  return 0;
}

/* Parses NAME=VALUE, of `length` bytes, and sets the option. */
static int parse_option(const char *text, size_t length, uvrelay_side_t side, uvrelay_route_options_t *options,
                        unsigned *given, const uvr_address *address, uvrelay_error_t *error)
{
  char copy[NAME_SIZE + VALUE_SIZE];
  if (length >= sizeof(copy)) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "%s has an option that is too long: route options are " NAMES, address->canonical);
  }
  memcpy(copy, text, length);
  copy[length] = '\0';
  char *value = strchr(copy, '=');
  if (value == NULL) {
    return find(copy) == OPTION_COUNT
               ? refuse_name(copy, error)
               : uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                               "the option %s of %s has no value: write %s=VALUE", copy, address->canonical, copy);
  }
  *value++ = '\0';
  uvrelay_error_t reason;
  if (uvrelay_route_option(options, side, copy, value, &reason) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, reason.code, "the address %s: %s", address->canonical,
                         reason.text);
  }
  return check_option(find(copy), side, value, options, address, given, error);
}

/* How many bytes at the beginning have a question mark that begins no options: \\?\pipe\NAME, also after npipe:. */
static size_t device_length(const char *text)
{
  size_t start = uvr_begins(text, "npipe:") ? strlen("npipe:") : 0;
  size_t slashes = strspn(text + start, "/\\");
  bool is_device = (slashes == 2 || (slashes == 4 && start > 0)) && text[start + slashes] == '?';
  return is_device ? start + slashes + 1 : 0;
}

int uvr_route_address(const char *text, uvrelay_side_t side, uvrelay_route_options_t *options, unsigned *given,
                      uvr_address *out, uvrelay_error_t *error)
{
  char address[sizeof("via:") + UVR_ADDRESS_PATH_SIZE];
  bool is_via = text != NULL && side == UVRELAY_RIGHT && uvr_begins(text, "via:");
  const char *plain = is_via ? text + strlen("via:") : text;
  size_t device = text == NULL ? 0 : device_length(plain);
  device += device > 0 ? (size_t)(plain - text) : 0;
  size_t length = text == NULL ? 0 : device + strcspn(text + device, "?");
  bool too_long = length >= sizeof(address); /* the parser refuses it with its own message */
  if (length > 0 && !too_long) {
    memcpy(address, text, length);
  }
  address[too_long ? 0 : length] = '\0';
  unsigned flags = side == UVRELAY_LEFT ? UVR_ADDRESS_LISTEN : UVR_ADDRESS_VIA;
  int code = uvr_address_parse(too_long ? text : address, flags, out, error);
  const char *next = text == NULL || text[length] == '\0' ? NULL : text + length + 1;
  while (code == 0 && next != NULL) {
    size_t option = strcspn(next, "&");
    code = parse_option(next, option, side, options, given, out, error);
    next = next[option] == '&' ? next + option + 1 : NULL;
  }
  return code;
}
