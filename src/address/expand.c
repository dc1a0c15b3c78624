/* Expanding text: see expand.h. What is inserted is not expanded again. */
#include "address/expand.h"

#include <string.h>

#include <uv.h>

#include "address/form.h"
#include "base/text.h"

#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define BLANKS    " \t\r\n\v\f"
#define NAME_SIZE 128

typedef struct expansion {
  const uvr_expander *expander;
  const char *text; /* the whole text, for messages */
  char *out;
  size_t used;
  uvrelay_error_t *error;
} expansion;

/* The same as uvr_address_refuse() for whatever the text is. */
#define REFUSE(self, ...)                                                                                              \
  uvr_text_refuse((self)->expander->noun == NULL ? "address" : (self)->expander->noun, (self)->text, (self)->error,    \
                  __VA_ARGS__)

static int add(expansion *self, const char *bytes, size_t length)
{
  if (length >= UVR_EXPANDED_SIZE - self->used) {
    return REFUSE(self, "is too long: the limit is %d bytes",
                  self->expander->noun == NULL ? UVR_ADDRESS_PATH_SIZE - 1 : UVR_EXPANDED_SIZE - 1);
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

/* Finds the home directory for a ~, without a slash at its end. */
static int find_home(expansion *self, char home[UVR_EXPANDED_SIZE])
{
  size_t size = UVR_EXPANDED_SIZE;
  int code = self->expander->home(home, &size);
  if (code != 0) {
    return REFUSE(self, "has a ~, but the home directory cannot be found (%s): write the whole path",
                  uv_err_name(code));
  }
  if (!uvr_is_slash(home[0]) && !uvr_is_drive(home)) { /* empty, perhaps: the path would begin at the root */
    return REFUSE(self, "has a ~, but the home directory is not absolute: write the whole path");
  }
  while (size > 0 && uvr_is_slash(home[size - 1])) {
    size--;
  }
  home[size] = '\0';
  return 0;
}

/* Adds the home directory for the ~ at the beginning of a path. */
static int add_home(expansion *self, bool via)
{
  char home[UVR_EXPANDED_SIZE];
  if (via) {
    return REFUSE(self, "has a ~ in a path that the far end opens, but the home directory there is not known here: "
                        "write the whole path");
  }
  int code = find_home(self, home);
  return code == 0 ? add(self, home, strlen(home)) : code;
}

/* Finds what a $ stands for, and moves *next after its name. */
static int find_variable(expansion *self, const char **next, char value[UVR_EXPANDED_SIZE])
{
  char name[NAME_SIZE];
  size_t size = UVR_EXPANDED_SIZE;
  const char *begin = *next + 1;
  if (*begin == '$') {
    *next = begin + 1;
    memcpy(value, "$", sizeof("$"));
    return 0;
  }
  bool braces = *begin == '{';
  begin += braces ? 1 : 0;
  size_t length = braces ? strcspn(begin, "}") : strspn(begin, LETTERS) == 0 ? 0 : strspn(begin, LETTERS "0123456789");
  if (length == 0 || length >= sizeof(name) || (braces && begin[length] == '\0')) {
    return REFUSE(self, "has a $ without the name of a variable: write $NAME or ${NAME}, or $$ for the $ itself");
  }
  memcpy(name, begin, length);
  name[length] = '\0';
  *next = begin + length + (braces ? 1 : 0);
  int code = self->expander->variable(name, value, &size);
  if (code != 0 || size == 0) {
    const char *why = code == UV_ENOENT ? "is not set" : code == 0 ? "is empty" : "is too long";
    char quoted[UVR_QUOTED_SIZE];
    return REFUSE(self, "has the variable %s, which %s: set it, or write $$ for the $ itself", uvr_quote(quoted, name),
                  why);
  }
  return 0;
}

static int add_variable(expansion *self, const char **next)
{
  char value[UVR_EXPANDED_SIZE];
  int code = find_variable(self, next, value);
  return code == 0 ? add(self, value, strlen(value)) : code;
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
      code = REFUSE(&state, "has a ~ that is not followed by a slash, but only ~/, your own home directory, is "
                            "expanded: write the whole path");
    } else if (*next == '$' && self->variable != NULL) {
      code = add_variable(&state, &next);
    } else {
      code = add(&state, next, 1);
      next++;
    }
  }
  return code;
}

/* Adds text to a command, of which it is to be a part of one word, unchanged. `quote` is the one that is open, a double
 * quote, or 0. */
static int add_literal(expansion *self, char quote, bool backslash, const char *text)
{
  if (text[strcspn(text, backslash ? BLANKS "\"'\\" : BLANKS "\"'")] == '\0') {
    return add(self, text, strlen(text));
  }
  int code = quote != 0 ? add(self, &quote, 1) : 0;
  while (code == 0 && *text != '\0') {
    const char *mark = *text == '\'' ? "\"" : "'"; /* what the next part is put between */
    size_t length = *text == '\'' ? strspn(text, "'") : strcspn(text, "'");
    code = add(self, mark, 1);
    code = code == 0 ? add(self, text, length) : code;
    code = code == 0 ? add(self, mark, 1) : code;
    text += length;
  }
  return code == 0 && quote != 0 ? add(self, &quote, 1) : code;
}

/* The quote that is open after a character, or 0. */
static char quote_after(char quote, char c)
{
  if (quote == 0) {
    return c == '"' || c == '\'' ? c : 0;
  }
  return quote == c ? 0 : quote;
}

/* Whether a backslash and the character after it belong together. */
static bool is_escape(const char *next, char quote, bool backslash)
{
  return backslash && *next == '\\' && next[1] != '\0' &&
         (quote == 0 || (quote == '"' && (next[1] == '"' || next[1] == '\\')));
}

int uvr_expand_command(const uvr_expander *self, const char *text, bool backslash, char out[UVR_EXPANDED_SIZE],
                       size_t *wrong, uvrelay_error_t *error)
{
  expansion state = {.expander = self, .text = text, .out = out, .error = error};
  char value[UVR_EXPANDED_SIZE] = "";
  const char *next = text;
  bool begins = true; /* a word */
  char quote = 0;
  int code = 0;
  out[0] = '\0';
  *wrong = 0;
  while (code == 0 && *next != '\0') {
    *wrong = (size_t)(next - text);
    if (begins && next[0] == '~' && uvr_is_slash(next[1])) {
      code = find_home(&state, value);
      code = code == 0 ? add_literal(&state, quote, backslash, value) : code;
      begins = false;
      next++;
    } else if (*next == '$' && quote != '\'' && self->variable != NULL) {
      code = find_variable(&state, &next, value);
      code = code == 0 ? add_literal(&state, quote, backslash, value) : code;
      begins = false;
    } else {
      size_t length = is_escape(next, quote, backslash) ? 2 : 1;
      quote = length == 1 ? quote_after(quote, *next) : quote;
      begins = quote == 0 && length == 1 && strchr(BLANKS, *next) != NULL;
      code = add(&state, next, length);
      next += length;
    }
  }
  return code;
}
