/* Pipes and socket files of presets: see offer_unix.h. */
#include "cli/setup/offer_unix.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { PLACE_MAX = 512 };

/* Puts the value of a variable that Windows has into the place of its name. */
static void put_variable(char place[PLACE_MAX], const char *variable, const char *value)
{
  char *found = strstr(place, variable);
  char whole[2 * PLACE_MAX];
  if (found != NULL) {
    (void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(found - place), place, value == NULL ? "" : value,
                   found + strlen(variable));
    (void)snprintf(place, PLACE_MAX, "%.*s", PLACE_MAX - 1, whole);
  }
}

/* Where a preset leads to, as Windows writes it. *is_pipe: it is a pipe, and else a socket file. */
static void place_of(const uvr_facts *facts, const char *target, char place[PLACE_MAX], bool *is_pipe)
{
  static const char assuan[] = "assuan:";
  *is_pipe = strncmp(target, assuan, sizeof(assuan) - 1) != 0;
  target += *is_pipe ? 0 : sizeof(assuan) - 1;
  (void)snprintf(place, PLACE_MAX, "%.*s", (int)strcspn(target, "?"), target);
  put_variable(place, "%USERNAME%", uvr_facts_get(facts, "user", NULL));
  put_variable(place, "%LOCALAPPDATA%", uvr_facts_get(facts, "localappdata", NULL));
  put_variable(place, "%APPDATA%", uvr_facts_get(facts, "appdata", NULL));
  put_variable(place, "%USERPROFILE%", uvr_facts_get(facts, "userprofile", NULL));
}

static char plain(char c)
{
  return c == '/' ? '\\' : (char)tolower((unsigned char)c);
}

/* Whether the text is the place, in which a * at the end stands for anything. */
static bool is_at(const char *place, const char *text, size_t length)
{
  for (; length > 0 && *place != '\0' && *place != '*'; place++, text++, length--) {
    if (plain(*place) != plain(*text)) {
      return false;
    }
  }
  return *place == '*' || (*place == '\0' && length == 0);
}

/* The next part of a line, up to a tab. */
static const char *part(const char **rest, size_t *length)
{
  const char *start = *rest;
  *length = strcspn(start, "\t");
  *rest = start + *length + (start[*length] == '\t' ? 1 : 0);
  return start;
}

static bool is_sid(const uvr_offer *offer, const char *sid)
{
  return sid != NULL && *sid != '\0' && strlen(sid) == offer->owner_length &&
         memcmp(sid, offer->owner, offer->owner_length) == 0;
}

const char *uvr_offer_owner(const uvr_facts *facts, const uvr_offer *offer, bool *fits)
{
  *fits = true;
  if (offer->owner_length == 0) {
    return "of an unknown owner";
  }
  if (is_sid(offer, uvr_facts_get(facts, "sid", NULL))) {
    return "yours";
  }
  if (is_sid(offer, "S-1-5-18")) {
    return "the system's";
  }
  if (is_sid(offer, "S-1-5-32-544")) {
    return "the administrators'";
  }
  *fits = false;
  return "another user's";
}

const char *uvr_offer_program(const uvr_offer *offer, char *name, size_t size)
{
  static const struct {
    const char *file;
    const char *name;
  } known[] = {{"ssh-agent.exe", "the Windows OpenSSH agent"},
               {"1password.exe", "1Password"},
               {"bitwarden.exe", "Bitwarden"},
               {"keepass.exe", "KeePass with KeeAgent"},
               {"pageant.exe", "Pageant"},
               {"gpg-agent.exe", "the GnuPG agent"},
               {"com.docker.backend.exe", "Docker Desktop"},
               {"dockerd.exe", "the Docker engine"}};
  const char *file = offer->program;
  size_t length = offer->program_length;
  for (size_t i = 0; i < offer->program_length; i++) {
    if (offer->program[i] == '\\' || offer->program[i] == '/') {
      file = offer->program + i + 1;
      length = offer->program_length - i - 1;
    }
  }
  (void)snprintf(name, size, "%.*s", (int)length, file == NULL ? "" : file);
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (uvr_is_same_word(name, known[i].file)) {
      (void)snprintf(name, size, "%s", known[i].name);
      break;
    }
  }
  return name;
}

uvr_offer uvr_offer_find(const uvr_facts *facts, const uvr_preset *preset)
{
  char place[PLACE_MAX];
  bool is_pipe = false;
  uvr_offer offer = {.place = NULL};
  place_of(facts, preset->target, place, &is_pipe);
  const char *name = is_pipe ? "pipe" : "socket";
  for (const char *line = NULL; (line = uvr_facts_get(facts, name, line)) != NULL;) {
    const char *rest = line;
    uvr_offer found;
    found.place = part(&rest, &found.place_length);
    found.owner = part(&rest, &found.owner_length);
    found.program = part(&rest, &found.program_length);
    bool fits = false;
    (void)uvr_offer_owner(facts, &found, &fits);
    if (is_at(place, found.place, found.place_length) && (offer.place == NULL || fits)) {
      offer = found; /* of several pipes whose names begin like this, one that the preset takes */
      if (fits) {
        break;
      }
    }
  }
  return offer;
}
