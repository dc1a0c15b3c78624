/* Expanding the text of an address: see expand.h. What is inserted is not expanded again. */
#include "address/expand.h"

#include <string.h>

#include <uv.h>

#include "address/form.h"
#include "base/text.h"

#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_SIZE 128

typedef struct expansion {
  const uvr_expander *expander;
  const char *text; /* the whole text, for messages */
  char *out;
  size_t used;
  uvrelay_error_t *error;
} expansion;

static int add(expansion *self, const char *bytes, size_t length)
{
  if (length >= UVR_EXPANDED_SIZE - self->used) {
    return uvr_address_refuse(self->text, self->error, "is too long: at most %d bytes are taken",
                              UVR_ADDRESS_PATH_SIZE - 1);
  }
  memcpy(self->out + self->used, bytes, length);
  self->used += length;
  self->out[self->used] = '\0';
  return 0;
}

/* Where the path begins in which a ~/ is expanded; NULL: nowhere. */
static const char *find_path(const uvr_expander *expander, const char *text, bool *via)
{
  const char *plain = text;
  *via = uvr_begins(text, "via:");
  plain += *via ? strlen("via:") : 0;
  if (uvr_begins(plain, "unix:")) {
    return uvr_path_of(plain + strlen("unix:"));
  }
  if (uvr_begins(plain, "assuan:")) {
    return uvr_path_of(plain + strlen("assuan:"));
  }
  return expander->bare_path ? text : NULL;
}

/* Adds the home directory for the ~ at `path`. */
static int add_home(expansion *self, bool via)
{
  char home[UVR_EXPANDED_SIZE];
  size_t size = sizeof(home);
  if (via) {
    return uvr_address_refuse(self->text, self->error,
                              "has a ~ in a path that the far end opens, whose home directory is not known here: "
                              "write the whole path");
  }
  int code = self->expander->home(home, &size);
  if (code != 0) {
    return uvr_address_refuse(self->text, self->error,
                              "has a ~, but the home directory cannot be found (%s): write the whole path",
                              uv_err_name(code));
  }
  if (!uvr_is_slash(home[0]) && !uvr_is_drive(home)) { /* empty, perhaps: the path would begin at the root */
    return uvr_address_refuse(self->text, self->error,
                              "has a ~, but the home directory is not absolute: write the whole path");
  }
  while (size > 0 && uvr_is_slash(home[size - 1])) {
    size--;
  }
  return add(self, home, size);
}

/* Adds what a $ stands for, and moves *next behind its name. */
static int add_variable(expansion *self, const char **next)
{
  char name[NAME_SIZE];
  char value[UVR_EXPANDED_SIZE];
  size_t size = sizeof(value);
  const char *begin = *next + 1;
  if (*begin == '$') {
    *next = begin + 1;
    return add(self, "$", 1);
  }
  bool braces = *begin == '{';
  begin += braces ? 1 : 0;
  size_t length = braces ? strcspn(begin, "}") : strspn(begin, LETTERS) == 0 ? 0 : strspn(begin, LETTERS "0123456789");
  if (length == 0 || length >= sizeof(name) || (braces && begin[length] == '\0')) {
    return uvr_address_refuse(self->text, self->error,
                              "has a $ without the name of a variable: write $NAME or ${NAME}, or $$ for the $ itself");
  }
  memcpy(name, begin, length);
  name[length] = '\0';
  *next = begin + length + (braces ? 1 : 0);
  int code = self->expander->variable(name, value, &size);
  if (code != 0 || size == 0) {
    const char *why = code == UV_ENOENT ? "is not set" : code == 0 ? "is empty" : "is too long";
    char quoted[UVR_QUOTED_SIZE];
    return uvr_address_refuse(self->text, self->error,
                              "has the variable %s, which %s: set it, or write $$ for the $ itself",
                              uvr_quote(quoted, name), why);
  }
  return add(self, value, size);
}

int uvr_expand(const uvr_expander *self, const char *text, char out[UVR_EXPANDED_SIZE], size_t *wrong,
               uvrelay_error_t *error)
{
  expansion state = {.expander = self, .text = text, .out = out, .error = error};
  bool via = false;
  const char *path = find_path(self, text, &via);
  const char *next = text;
  int code = 0;
  out[0] = '\0';
  while (code == 0 && *next != '\0') {
    *wrong = (size_t)(next - text);
    if (next == path && next[0] == '~' && uvr_is_slash(next[1])) {
      code = add_home(&state, via);
      next++;
    } else if (next == path && next[0] == '~' && path != text) {
      code = uvr_address_refuse(text, error,
                                "has a ~ without a slash behind it: only ~/ stands for a home directory, "
                                "which is yours: write the whole path of another one");
    } else if (*next == '$' && self->variable != NULL) {
      code = add_variable(&state, &next);
    } else {
      code = add(&state, next, 1);
      next++;
    }
  }
  return code;
}
