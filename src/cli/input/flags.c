/* Flags: see flags.h. They are parsed as by Go's flag package, down to its corner cases: "-" is not a flag, "--" ends
 * the flags, a value may begin with a hyphen. The error of an unknown flag suggests what was probably meant. */
#include "cli/input/flags.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/meant_route.h"
#include "base/near_word.h"
#include "base/text.h"

#define REFUSE_FLAG(self, ...)                                                                                         \
  (uvr_error_set((self)->error, UVRELAY_PHASE_NONE, UV_EINVAL, __VA_ARGS__), UVR_FLAGS_WRONG)

/* The name of a flag as it was given, without a NUL at its end. */
typedef struct word {
  const char *text;
  size_t length;
} word;

static const uvr_flag *find_flag(const uvr_flags *self, word name)
{
  for (size_t i = 0; i < self->count; i++) {
    const uvr_flag *flag = &self->table[i];
    if (strlen(flag->name) == name.length && memcmp(flag->name, name.text, name.length) == 0) {
      return flag;
    }
  }
  return NULL;
}

/* With how many letters of the name a flag begins. */
static size_t count_alike(word name, const char *flag)
{
  size_t alike = 0;
  while (alike < name.length && name.text[alike] == flag[alike]) {
    alike++;
  }
  return alike;
}

/* The flag that was probably meant, or NULL. Of those that are equally near, the one that begins most alike. */
static const char *near_flag(const uvr_flags *self, word name)
{
  const char *found = NULL;
  unsigned least = UVR_NEAR_NOT;
  for (size_t i = 0; i < self->count; i++) {
    const char *flag = self->table[i].name;
    unsigned changes = uvr_near_word(name.text, name.length, flag);
    if (changes < least || (changes == least && found != NULL && count_alike(name, flag) > count_alike(name, found))) {
      least = changes;
      found = flag;
    }
  }
  return found;
}

/* Whether `name` is several flags of one letter joined, as in -sv. */
static bool is_joined(const uvr_flags *self, word name)
{
  for (size_t i = 0; i < name.length; i++) {
    if (find_flag(self, (word){name.text + i, 1}) == NULL) {
      return false;
    }
  }
  return name.length > 1;
}

/* Flags of socat, ssh, nc and npiperelay's relatives, and what they are here. */
static const struct {
  const char *name;
  const char *here;
} foreign_flags[] = {
    {"d", "-v logs events"},
    {"dd", "-v logs events"},
    {"lf", "write uvrelay serve --log-file=FILE"},
    {"t", "for what socat -t does, use uvrelay serve --linger=SECONDS"},
    {"T", "for what socat -T does, use uvrelay serve --idle=SECONDS"},
    {"u", "it always relays both ways; use </dev/null to give it no input"},
    {"U", "write the Unix socket as unix:///PATH"},
    {"w", "write --timeout=SECONDS"},
    {"L", "for what ssh -L 8080:HOST:80 does, use uvrelay serve tcp://127.0.0.1:8080=tcp://HOST:80"},
    {"R", "it does not listen on the other side; run uvrelay serve there"},
    {"D", "it is not a SOCKS proxy; write each target in a route of uvrelay serve"},
    {"f", "write uvrelay serve --background"},
    {"N", "remove it"},
    {"q", "remove it; without -v, uvrelay is quiet"},
    {"l", "to listen, write uvrelay serve LISTEN=TARGET"},
    {"listen", "to listen, write uvrelay serve LISTEN=TARGET"},
    {"c", "write uvrelay serve --config=FILE"},
};

static const char *what_is_here(word name)
{
  for (size_t i = 0; i < sizeof(foreign_flags) / sizeof(foreign_flags[0]); i++) {
    if (strlen(foreign_flags[i].name) == name.length && memcmp(foreign_flags[i].name, name.text, name.length) == 0) {
      return foreign_flags[i].here;
    }
  }
  return NULL;
}

/* ssh's -L 8080:HOST:80, written as a route; NULL if it is not one. */
static const char *forwarded_route(const uvr_flags *self, word name, char meant[UVR_MEANT_ROUTE_SIZE])
{
  char text[256];
  if (name.text[0] != 'L') {
    return NULL;
  }
  (void)snprintf(text, sizeof(text), "-L%s %s", name.text + 1, name.length == 1 ? "" : "-");
  if (name.length == 1 && self->next < self->argc) {
    (void)snprintf(text, sizeof(text), "-L %s", self->argv[self->next]);
  }
  return uvr_meant_route(text, meant);
}

static uvr_flags_step refuse_unknown(uvr_flags *self, const char *argument, word name)
{
  char quoted[UVR_QUOTED_SIZE];
  uvr_quote(quoted, argument);
  const char *meant = near_flag(self, name);
  char route[UVR_MEANT_ROUTE_SIZE];
  if (strspn(argument, "-") < strlen(argument) && argument[strspn(argument, "-")] == '>') {
    char text[512];
    bool between = self->next > 2 && self->next < self->argc;
    (void)snprintf(text, sizeof(text), "%s %s", between ? self->argv[self->next - 2] : "",
                   between ? self->argv[self->next] : "");
    return REFUSE_FLAG(self, "expected a flag or a route, not %s: write LISTEN=TARGET in one word%s%s", quoted,
                       uvr_meant_route(text, route) != NULL ? ", " : "",
                       uvr_meant_route(text, route) != NULL ? route : "");
  }
  if (forwarded_route(self, name, route) != NULL) {
    return REFUSE_FLAG(self, "unknown flag %s: write uvrelay serve --via=\"ssh HOST uvrelay mux\" %s", quoted, route);
  }
  if (is_joined(self, name)) {
    return REFUSE_FLAG(self, "unknown flag %s: flags cannot be combined, write -%c -%c", quoted, name.text[0],
                       name.text[1]);
  }
  if (meant != NULL) {
    return REFUSE_FLAG(self, "unknown flag %s: did you mean %s%s?", quoted, strlen(meant) > 2 ? "--" : "-", meant);
  }
  return REFUSE_FLAG(self, "unknown flag %s: %s", quoted, what_is_here(name) != NULL ? what_is_here(name) : self->all);
}

bool uvr_flag_truth(const char *text, bool *value)
{
  static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",  "on",
                                      "0", "f", "F", "false", "FALSE", "False", "off"};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (strcmp(text, words[i]) == 0) {
      *value = i < 7;
      return true;
    }
  }
  return false;
}

/* Parses the value of a known flag. `value` is the text after "=", or NULL. */
static uvr_flags_step parse_value(uvr_flags *self, const uvr_flag *flag, const char *value, uvr_parsed_flag *out)
{
  out->id = flag->id;
  out->on = true;
  out->value = value;
  if (flag->kind == UVR_FLAG_VALUE && value == NULL) {
    if (self->next >= self->argc) {
      return REFUSE_FLAG(self, "--%s needs a value: write %s", flag->name, flag->form);
    }
    out->value = self->argv[self->next++];
  }
  if (flag->kind == UVR_FLAG_SWITCH && value != NULL && !uvr_flag_truth(value, &out->on)) {
    char quoted[UVR_QUOTED_SIZE];
    return REFUSE_FLAG(self, "bad value in %s: write true or false, or the flag alone",
                       uvr_quote(quoted, self->argv[self->next - 1]));
  }
  return UVR_FLAGS_FOUND;
}

uvr_flags_step uvr_flags_next(uvr_flags *self, uvr_parsed_flag *out)
{
  if (self->next >= self->argc || !uvr_looks_like_flag(self->argv[self->next])) {
    return UVR_FLAGS_LAST;
  }
  const char *argument = self->argv[self->next++];
  if (strcmp(argument, "--") == 0) {
    self->ended = true;
    return UVR_FLAGS_LAST;
  }
  const char *text = argument + (argument[1] == '-' ? 2 : 1);
  if (*text == '-' || *text == '=') {
    char quoted[UVR_QUOTED_SIZE];
    return REFUSE_FLAG(self, "bad flag syntax %s: a flag is one or two hyphens and a name, such as -v or --timeout=5",
                       uvr_quote(quoted, argument));
  }
  word name = {text, strcspn(text, "=")};
  const uvr_flag *flag = find_flag(self, name);
  if (flag == NULL) {
    return refuse_unknown(self, argument, name);
  }
  return parse_value(self, flag, text[name.length] == '=' ? text + name.length + 1 : NULL, out);
}

bool uvr_looks_like_flag(const char *argument)
{
  return argument[0] == '-' && argument[1] != '\0';
}
