/* Configuration files: see config_file.h.
 *
 * A line is first checked as a whole (UTF-8, control characters), then its comment and the blanks around it are
 * removed. A line that begins with the name of an option or a setting and a "=" is that, as its value may look like a
 * target; any other is a route, or wrong. Each error comes with its place. */
#include "cli/input/config_file.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/expand.h"
#include "address/query.h"
#include "base/error.h"
#include "base/near_word.h"
#include "base/text.h"
#include "cli/input/flags.h"
#include "cli/input/route_line.h"

#define BLANKS  " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { NAME_SIZE = 32 };

/* The file that is parsed. */
typedef struct file_parser {
  uvr_config *config;
  uvrelay_route_options_t options;
  uvr_place place; /* the last place that was parsed */
  char *line;      /* the line that is parsed; there may be NULs in it */
} file_parser;

/* Where in the line something is; its column is counted in characters. */
static void set_column(file_parser *self, const char *at)
{
  self->place.column = 1;
  for (const char *next = self->line; next < at; next++) {
    self->place.column += ((unsigned char)*next & 0xC0) == 0x80 ? 0 : 1;
  }
}

/* The first byte of the line that may not be in it, with *error set, or NULL. */
static const char *find_bad_byte(const char *line, const char *end, uvrelay_error_t *error)
{
  for (const char *next = line; next < end;) {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(next, &point);
    if (length == 0) {
      (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the byte 0x%02x is not UTF-8: save the file in UTF-8",
                          (unsigned)(unsigned char)*next);
      return next;
    }
    if (uvr_is_control(point) && point != '\t') {
      (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the control character 0x%02x: remove it",
                          (unsigned)point);
      return next;
    }
    next += length;
  }
  return NULL;
}

/* Where the comment of the line begins, or the blanks before it; if there is none, where the line ends. */
static char *find_end(char *line, char *end)
{
  char *next = line;
  while (next < end && (*next != '#' || (next > line && strchr(BLANKS, next[-1]) == NULL))) {
    next++;
  }
  while (next > line && strchr(BLANKS, next[-1]) != NULL) {
    next--;
  }
  return next;
}

/* NAME=VALUE. */

/* Whether it is an option that all routes of a file can have. */
static bool is_route_option(const char *name)
{
  size_t i = 0;
  while (uvr_route_option_name(i) != NULL && strcmp(uvr_route_option_name(i), name) != 0) {
    i++;
  }
  return uvr_route_option_name(i) != NULL && strcmp(name, "name") != 0;
}

/* Copies the NAME of a line NAME=VALUE. Returns its value; or NULL if the line is not one. */
static const char *take_name(const char *text, char name[NAME_SIZE])
{
  size_t length = strspn(text, LETTERS "0123456789_-");
  const char *sign = text + length + strspn(text + length, BLANKS);
  if (length == 0 || *sign != '=') {
    return NULL;
  }
  size_t kept = length < NAME_SIZE ? length : NAME_SIZE - 1;
  memcpy(name, text, kept);
  name[kept] = '\0';
  return sign + 1 + strspn(sign + 1, BLANKS);
}

/* The i-th name that a line NAME=VALUE may have, or NULL after the last one. */
static const char *known_name(size_t i)
{
  size_t count = 0;
  for (size_t option = 0; uvr_route_option_name(option) != NULL; option++) {
    const char *name = uvr_route_option_name(option);
    if (is_route_option(name) && count++ == i) {
      return name;
    }
  }
  return uvr_serve_setting_name(i - count);
}

static int refuse_name(const char *name, uvrelay_error_t *error)
{
  if (strcmp(name, "name") == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                         "each route has its own name: write it after an address, as in LISTEN=TARGET?name=NAME");
  }
  char quoted[UVR_QUOTED_SIZE];
  const char *meant = NULL;
  unsigned least = UVR_NEAR_NOT;
  for (size_t i = 0; known_name(i) != NULL; i++) {
    unsigned changes = uvr_near_word(name, strlen(name), known_name(i));
    meant = changes < least ? known_name(i) : meant;
    least = changes < least ? changes : least;
  }
  if (meant != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "there is no option %s: did you mean %s?",
                         uvr_quote(quoted, name), meant);
  }
  char names[UVRELAY_ERROR_TEXT_SIZE] = "";
  size_t used = 0;
  for (size_t i = 0; known_name(i) != NULL && used < sizeof(names); i++) {
    const char *joint = i == 0 ? "" : known_name(i + 1) == NULL ? " and " : ", ";
    used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", joint, known_name(i));
  }
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "there is no option %s: a file can have %s",
                       uvr_quote(quoted, name), names);
}

/* Expands the value of a setting where it is a path or a command. Sets *out to what must be used, which is kept. */
static int expand_value(file_parser *self, uvr_serve_setting kind, const char *value, const char **out,
                        uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir,
                                 .variable = uv_os_getenv,
                                 .bare_path = true,
                                 .noun = kind == UVR_SETTING_COMMAND ? "command" : "path"};
  char text[UVR_EXPANDED_SIZE];
  size_t at = 0;
  *out = value;
  if (kind == UVR_SETTING_PLAIN) {
    return 0;
  }
  int code = kind == UVR_SETTING_PATH ? uvr_expand(&expander, value, text, &at, error)
                                      : uvr_expand_command(&expander, value, self->config->backslash, text, &at, error);
  if (code != 0) {
    set_column(self, value + at);
    return code;
  }
  *out = uvr_config_keep(self->config, text);
  return *out != NULL ? 0 : uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the file");
}

static int set_setting(file_parser *self, const char *name, const char *value, uvrelay_error_t *error)
{
  uvr_serve_options ignored = {.given = 0};
  uvr_serve_options *settings = self->config->settings == NULL ? &ignored : self->config->settings;
  const char *used;
  int code = expand_value(self, uvr_serve_setting_find(name), value, &used, error);
  if (code != 0) {
    return code;
  }
  code = uvr_serve_setting_set(settings, name, used, error);
  if (code == 0 && settings->via == used) {
    set_column(self, value);
    self->config->via_place = self->place;
  }
  return code;
}

/* Lines. */

static int add_route(file_parser *self, const uvr_route_line *line, uvrelay_error_t *error)
{
  uvr_route_text text;
  const char *wrong;
  int code = uvr_route_line_expand(line, true, &text, &wrong, error);
  if (code != 0) {
    set_column(self, wrong);
    return code;
  }
  uvr_place place = self->place;
  set_column(self, line->target);
  unsigned target_column = self->place.column;
  self->place = place;
  return uvr_config_append(self->config, &text, place, target_column, error);
}

/* A line that is a known name alone: a switch that is on, or something that lacks its value. Returns false if it is not
 * one. */
static bool is_name_alone(file_parser *self, const char *text, int *code, uvrelay_error_t *error)
{
  bool setting = uvr_serve_setting_find(text) != UVR_SETTING_NONE;
  if (!setting && !is_route_option(text)) {
    return false;
  }
  if (setting && uvr_serve_setting_is_switch(text)) {
    *code = set_setting(self, text, "true", error);
  } else {
    *code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s needs a value: write %s=VALUE", text, text);
  }
  return true;
}

/* A line that is a flag as on a command line. Returns false if it is not one. */
static bool is_flag(const char *text, uvrelay_error_t *error)
{
  char name[NAME_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  const char *rest = text + strspn(text, "-");
  size_t length = strcspn(rest, "= \t");
  if (rest == text || length >= sizeof(name)) {
    return false;
  }
  memcpy(name, rest, length);
  name[length] = '\0';
  if (uvr_serve_setting_find(name) == UVR_SETTING_NONE && !is_route_option(name)) {
    return false;
  }
  (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s: in a file, flags have no hyphens: write %s%s",
                      uvr_quote(quoted, text), name, uvr_serve_setting_is_switch(name) ? "=true" : "=VALUE");
  return true;
}

/* Parses one line, which ends before `end`. */
static int parse_line(file_parser *self, char *end, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char name[NAME_SIZE];
  const char *wrong = find_bad_byte(self->line, end, error);
  if (wrong != NULL) {
    set_column(self, wrong);
    return UV_EINVAL;
  }
  *find_end(self->line, end) = '\0';
  char *text = self->line + strspn(self->line, BLANKS);
  set_column(self, text);
  if (*text == '\0') {
    return 0;
  }
  const char *value = take_name(text, name);
  if (value != NULL && is_route_option(name)) {
    return uvrelay_route_option(&self->options, UVRELAY_SIDE_NONE, name, value, error);
  }
  if (value != NULL && uvr_serve_setting_find(name) != UVR_SETTING_NONE) {
    return set_setting(self, name, value, error);
  }
  int alone = 0;
  if (is_name_alone(self, text, &alone, error)) {
    return alone;
  }
  if (is_flag(text, error)) {
    return UV_EINVAL;
  }
  uvr_route_line route;
  uvr_quote(quoted, text); /* before it is split */
  if (!uvr_route_line_split(text, &route)) {
    char meant[UVR_ROUTE_MEANT_SIZE];
    const char *other = uvr_route_line_meant(text, false, meant);
    if (other == meant) {
      return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is not a route: write %s", quoted, other);
    }
    return value != NULL ? refuse_name(name, error)
                         : uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                                         "%s is neither a route nor an option: write " UVR_ROUTE_EXAMPLE
                                         ", or NAME=VALUE, such as idle=60",
                                         quoted);
  }
  if (route.more) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is more than one route: write one a line", quoted);
  }
  return add_route(self, &route, error);
}

static int parse_lines(file_parser *self, char *text, char *end, uvrelay_error_t *error)
{
  int code = 0;
  while (code == 0 && text < end) {
    char *feed = memchr(text, '\n', (size_t)(end - text));
    char *line_end = feed == NULL ? end : feed;
    char *next = feed == NULL ? end : feed + 1;
    if (line_end > text && line_end[-1] == '\r') {
      line_end--;
    }
    self->place.line++;
    self->line = text;
    code = parse_line(self, line_end, error);
    text = next;
  }
  return code;
}

int uvr_config_add_file(uvr_config *config, const char *file, char *text, size_t length, uvr_place *place,
                        uvrelay_error_t *error)
{
  size_t first = config->count;
  file_parser parser = {.config = config, .options = config->options, .place = {.file = file}};
  if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
    *place = (uvr_place){file, 1, 1};
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the file is in UTF-16: save it in UTF-8");
  }
  size_t mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  int code = parse_lines(&parser, text + mark, text + length, error);
  for (size_t i = first; i < config->count; i++) {
    config->routes[i].options = parser.options; /* which may follow the routes */
  }
  *place = parser.place;
  return code;
}
