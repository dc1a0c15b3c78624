/* Routes as text: see route_line.h. LISTEN=TARGET is split at the first "=" that is followed by the beginning of a
 * target or by a preset, as the options of LISTEN contain "=" as well. */
#include "cli/input/route_line.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/query.h"
#include "base/text.h"

#define BLANKS  " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PLAIN   LETTERS "0123456789-_./:=@,+%?&" /* what a suggestion may have */

static bool is_preset(const char *text)
{
  return text[0] == '@' && text[1] != '\0' && strchr(LETTERS, text[1]) != NULL;
}

/* Whether `text` begins like a target: with SCHEME:, //, \\ or @PRESET. */
static bool is_target(const char *text)
{
  size_t scheme = strspn(text, LETTERS) == 0 ? 0 : strspn(text, LETTERS "0123456789+.-");
  return (scheme > 0 && text[scheme] == ':') || strncmp(text, "//", 2) == 0 || strncmp(text, "\\\\", 2) == 0 ||
         is_preset(text);
}

/* Removes the blanks before `end`, where the text ends. */
static void cut_blanks(const char *text, char *end)
{
  while (end > text && strchr(BLANKS, end[-1]) != NULL) {
    end--;
  }
  *end = '\0';
}

/* The first "=" that is followed by a target, or NULL. */
static char *splitting_sign(char *text)
{
  char *sign = strchr(text, '=');
  while (sign != NULL && !is_target(sign + 1 + strspn(sign + 1, BLANKS))) {
    sign = strchr(sign + 1, '=');
  }
  return sign;
}

/* Whether another route follows the word that a text begins with. */
static bool is_followed(char *text)
{
  char *rest = text + strcspn(text, BLANKS);
  rest += strspn(rest, BLANKS);
  return splitting_sign(rest) != NULL || (is_preset(text) && is_preset(rest));
}

bool uvr_route_line_split(char *text, uvr_route_line *out)
{
  char *first = text + strspn(text, BLANKS);
  char *sign = splitting_sign(text);
  char *word_end = text + strcspn(text, BLANKS);
  if (is_preset(first) && (sign == NULL || (sign > word_end && word_end[strspn(word_end, BLANKS)] != '='))) {
    *out = (uvr_route_line){.listen = NULL, .target = first, .more = is_followed(first)};
    return true;
  }
  if (sign == NULL) {
    return false;
  }
  char *target = sign + 1 + strspn(sign + 1, BLANKS);
  *out = (uvr_route_line){.listen = text, .target = target, .more = is_followed(target)};
  cut_blanks(text, sign);
  return true;
}

/* Presets. */

/* The first option after an address, or NULL. */
static const char *options_of(const char *address)
{
  const char *mark = strchr(address, '?');
  return mark == NULL ? NULL : mark + 1;
}

/* The option that follows this one, which may be the end; or NULL. */
static const char *next_option(const char *option)
{
  const char *end = option + strcspn(option, "&");
  return *end == '&' ? end + 1 : NULL;
}

static bool same_name(const char *one, const char *other)
{
  size_t length = strcspn(one, "=&");
  return strcspn(other, "=&") == length && memcmp(one, other, length) == 0;
}

/* Whether one of these options, which may be NULL, has the name of that one. */
static bool has_option(const char *options, const char *option)
{
  while (options != NULL && !same_name(options, option)) {
    options = next_option(options);
  }
  return options != NULL;
}

/* Adds text to an address. */
static int add(char out[UVR_EXPANDED_SIZE], const char *text, size_t length, uvrelay_error_t *error)
{
  size_t used = strlen(out);
  if (length >= UVR_EXPANDED_SIZE - used) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the options after the preset are too long");
  }
  memcpy(out + used, text, length);
  out[used + length] = '\0';
  return 0;
}

static int add_option(char out[UVR_EXPANDED_SIZE], const char *option, uvrelay_error_t *error)
{
  int code = add(out, strchr(out, '?') == NULL ? "?" : "&", 1, error);
  return code == 0 ? add(out, option, strcspn(option, "&"), error) : code;
}

/* Adds the preset's address to an empty text, without the options that were given in its place. */
static int add_address(char out[UVR_EXPANDED_SIZE], const char *address, const char *given, const char *given_before,
                       uvrelay_error_t *error)
{
  int code = add(out, address, strcspn(address, "?"), error);
  for (const char *option = options_of(address); code == 0 && option != NULL; option = next_option(option)) {
    if (!has_option(given, option) && !has_option(given_before, option)) {
      code = add_option(out, option, error);
    }
  }
  return code;
}

/* Makes the route of a preset, and of what was given with it, which is expanded: a listener, or an empty text, and
 * options, or NULL. */
static int make_of_preset(uvr_route_text *out, const char *given, uvrelay_error_t *error)
{
  const char *before = options_of(out->listen);
  bool whole = out->listen[0] == '\0';
  int code = 0;
  out->target[0] = '\0';
  if (whole) {
    char listen[UVR_EXPANDED_SIZE];
    code = uvr_preset_listen(out->preset, listen, error);
    code = code == 0 ? add_address(out->listen, listen, given, NULL, error) : code;
  }
  code = code == 0 ? add_address(out->target, out->preset->target, given, before, error) : code;
  for (; code == 0 && given != NULL; given = next_option(given)) {
    bool left = whole && uvr_route_option_side(given, strcspn(given, "=&")) == UVRELAY_LEFT;
    code = add_option(left ? out->listen : out->target, given, error);
  }
  return code;
}

static int expand_preset(const uvr_route_line *self, const uvr_expander *expander, uvr_route_text *out,
                         const char **wrong, uvrelay_error_t *error)
{
  char options[UVR_EXPANDED_SIZE];
  const char *name = self->target + 1;
  size_t length = strcspn(name, "?");
  size_t at = 0;
  int code = 0;
  *wrong = self->target;
  out->preset = uvr_presets_find(name, length);
  if (out->preset == NULL) {
    return uvr_presets_refuse(name, length, error);
  }
  if (name[length] == '?') {
    code = uvr_expand(expander, name + length + 1, options, &at, error);
    *wrong = code == 0 ? self->target : name + length + 1 + at;
  }
  return code == 0 ? make_of_preset(out, name[length] == '?' ? options : NULL, error) : code;
}

/* A preset where LISTEN should be. */
static int refuse_listener(const char *listen, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                       "the preset %s is before a =, but it already has a target: write it alone, or LISTEN=@PRESET "
                       "for another listener",
                       uvr_quote(quoted, listen));
}

int uvr_route_line_expand(const uvr_route_line *self, bool variables, uvr_route_text *out, const char **wrong,
                          uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir, .variable = variables ? uv_os_getenv : NULL};
  size_t at = 0;
  int code = 0;
  out->listen[0] = '\0';
  out->preset = NULL;
  if (self->listen != NULL) {
    *wrong = self->listen;
    if (is_preset(self->listen)) {
      return refuse_listener(self->listen, error);
    }
    code = uvr_expand(&expander, self->listen, out->listen, &at, error);
    *wrong = self->listen + at;
  }
  if (code != 0) {
    return code;
  }
  if (is_preset(self->target)) {
    if (self->listen != NULL && out->listen[0] == '\0') {
      *wrong = self->listen;
      return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "there is no LISTEN before the =: remove the =");
    }
    return expand_preset(self, &expander, out, wrong, error);
  }
  code = uvr_expand(&expander, self->target, out->target, &at, error);
  *wrong = self->target + at;
  return code;
}

/* The preset that was meant by a name without its @, with or without options after it, or NULL. */
static const char *find_preset(const char *name)
{
  size_t length = strspn(name, LETTERS "-");
  return length == 0 || (name[length] != '\0' && name[length] != '?') ? NULL : uvr_presets_near(name, length);
}

/* Whether a preset was meant whose @ is missing: alone, or as the target of another listener. */
static bool is_preset_meant(const char *text, char meant[UVR_ROUTE_MEANT_SIZE])
{
  const char *sign = strrchr(text, '=');
  const char *name = find_preset(text) != NULL || sign == NULL || !is_target(text) ? text : sign + 1;
  const char *preset = find_preset(name);
  if (preset == NULL) {
    return false;
  }
  int needed = snprintf(meant, UVR_ROUTE_MEANT_SIZE, "%.*s@%s%s", (int)(name - text), text, preset,
                        name + strspn(name, LETTERS "-"));
  return needed > 0 && needed < UVR_ROUTE_MEANT_SIZE && meant[strspn(meant, PLAIN)] == '\0';
}

const char *uvr_route_line_meant(const char *text, bool shell, char meant[UVR_ROUTE_MEANT_SIZE])
{
  char plain[UVR_MEANT_ROUTE_SIZE];
  if (is_preset_meant(text, meant)) {
    (void)snprintf(plain, sizeof(plain), "%s", meant);
  } else if (uvr_meant_route(text, plain) == NULL) {
    return UVR_ROUTE_EXAMPLE;
  }
  bool quotes = shell && strpbrk(plain, "?&~ ") != NULL;
  (void)snprintf(meant, UVR_ROUTE_MEANT_SIZE, quotes ? "\"%s\"" : "%s", plain);
  return meant;
}
