/* Routes as text: see route_line.h. LISTEN=TARGET is split at the first "=" that is followed by the beginning of a
 * target, as the options of LISTEN contain "=" as well. */
#include "cli/input/route_line.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#define BLANKS  " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Whether `text` begins like a target: with SCHEME:, // or \\. */
static bool is_target(const char *text)
{
  size_t scheme = strspn(text, LETTERS) == 0 ? 0 : strspn(text, LETTERS "0123456789+.-");
  return (scheme > 0 && text[scheme] == ':') || strncmp(text, "//", 2) == 0 || strncmp(text, "\\\\", 2) == 0;
}

/* Cuts the blanks off that stand before `end`, where the text ends. */
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

bool uvr_route_line_split(char *text, uvr_route_line *out)
{
  char *sign = splitting_sign(text);
  if (sign == NULL) {
    return false;
  }
  char *target = sign + 1 + strspn(sign + 1, BLANKS);
  *out = (uvr_route_line){
      .listen = text, .target = target, .more = splitting_sign(target + strcspn(target, BLANKS)) != NULL};
  cut_blanks(text, sign);
  return true;
}

int uvr_route_line_expand(const uvr_route_line *self, bool variables, uvr_route_text *out, const char **wrong,
                          uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir, .variable = variables ? uv_os_getenv : NULL};
  size_t at = 0;
  int code = uvr_expand(&expander, self->listen, out->listen, &at, error);
  *wrong = self->listen + at;
  if (code == 0) {
    code = uvr_expand(&expander, self->target, out->target, &at, error);
    *wrong = self->target + at;
  }
  return code;
}

const char *uvr_route_line_meant(const char *text, bool shell, char meant[UVR_ROUTE_MEANT_SIZE])
{
  char plain[UVR_MEANT_ROUTE_SIZE];
  if (uvr_meant_route(text, plain) == NULL) {
    return UVR_ROUTE_EXAMPLE;
  }
  bool quotes = shell && strpbrk(plain, "?&~ ") != NULL;
  (void)snprintf(meant, UVR_ROUTE_MEANT_SIZE, quotes ? "\"%s\"" : "%s", plain);
  return meant;
}
