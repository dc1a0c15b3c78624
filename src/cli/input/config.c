/* The configuration: see config.h.
 *
 * LISTEN=TARGET is split at the first "=" that is followed by the beginning of a target, as the options of LISTEN
 * contain
 * "=" as well. A line of a file that cannot be split in this way is an option, NAME=VALUE. A line is first checked as a
 * whole (UTF-8, control characters), then its comment and the blanks around it are removed. Each error comes with its
 * place. */
#include "cli/input/config.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "address/expand.h"
#include "address/query.h"
#include "base/error.h"
#include "base/text.h"
#include "endpoint/reach.h"

#define BLANKS  " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define EXAMPLE "LISTEN=TARGET, such as tcp://127.0.0.1:8080=tcp://127.0.0.1:80"

/* A line, split. */
typedef struct split_line {
  char *left;  /* LISTEN, or an option's name */
  char *right; /* TARGET, or the option's value; NULL if there is no "=" */
  bool is_route;
  bool more; /* TARGET is followed by a blank and another route */
} split_line;

/* The file that is parsed. */
typedef struct file_parser {
  uvr_config *config;
  uvrelay_route_options_t options;
  uvr_place place; /* the last place that was parsed */
} file_parser;

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

/* Splits a line, in place. */
static split_line split(char *text)
{
  split_line line = {.left = text};
  char *sign = splitting_sign(text);
  line.is_route = sign != NULL;
  if (line.is_route) {
    char *target = sign + 1 + strspn(sign + 1, BLANKS);
    line.more = splitting_sign(target + strcspn(target, BLANKS)) != NULL;
  } else {
    sign = strchr(text, '=');
  }
  if (sign != NULL) {
    line.right = sign + 1 + strspn(sign + 1, BLANKS);
    cut_blanks(text, sign);
  }
  return line;
}

/* The column of `at` in the line, counted in characters. There may be NULs before it. */
static unsigned column_of(const char *line, const char *at)
{
  unsigned column = 1;
  for (; line < at; line++) {
    column += ((unsigned char)*line & 0xC0) == 0x80 ? 0 : 1;
  }
  return column;
}

static int grow(uvr_config *self, uvrelay_error_t *error)
{
  if (self->count < self->capacity) {
    return 0;
  }
  size_t capacity = self->capacity == 0 ? 8 : self->capacity * 2;
  uvr_config_route *routes = realloc(self->routes, capacity * sizeof(*routes));
  if (routes == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for the routes");
  }
  self->routes = routes;
  self->capacity = capacity;
  return 0;
}

/* Appends a route. */
static int append(uvr_config *self, const char *listen, const char *target, uvr_place place, unsigned target_column,
                  uvrelay_error_t *error)
{
  size_t listen_size = strlen(listen) + 1;
  size_t target_size = strlen(target) + 1;
  char *copy = malloc(listen_size + target_size);
  int code = grow(self, error);
  if (copy == NULL || code != 0) {
    free(copy);
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for the routes");
  }
  memcpy(copy, listen, listen_size);
  memcpy(copy + listen_size, target, target_size);
  self->routes[self->count++] = (uvr_config_route){.listen = copy,
                                                   .target = copy + listen_size,
                                                   .place = place,
                                                   .target_column = target_column,
                                                   .options = self->options};
  return 0;
}

/* Expands both addresses of a route and appends it. Sets *wrong to where the line is wrong; to the beginning of LISTEN
 * if that is nowhere in particular. */
static int expand_and_append(uvr_config *self, const split_line *line, uvr_place place, unsigned target_column,
                             const char **wrong, uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir, .variable = place.file == NULL ? NULL : uv_os_getenv};
  char listen[UVR_EXPANDED_SIZE];
  char target[UVR_EXPANDED_SIZE];
  size_t at = 0;
  int code = uvr_expand(&expander, line->left, listen, &at, error);
  *wrong = code == 0 ? line->right : line->left + at;
  if (code == 0) {
    code = uvr_expand(&expander, line->right, target, &at, error);
    *wrong = line->right + at;
  }
  if (code == 0) {
    code = append(self, listen, target, place, target_column, error);
    *wrong = line->left;
  }
  return code;
}

int uvr_config_add_route(uvr_config *self, const char *argument, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t size = strlen(argument) + 1;
  char *text = malloc(size);
  if (text == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for the routes");
  }
  memcpy(text, argument, size);
  split_line line = split(text);
  int code = 0;
  if (!line.is_route) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is no route: write " EXAMPLE,
                         uvr_quote(quoted, argument));
  } else if (line.more) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is more than one route: write each without quotes",
                         uvr_quote(quoted, argument));
  } else {
    const char *wrong;
    code = expand_and_append(self, &line, (uvr_place){.file = NULL}, 0, &wrong, error);
  }
  free(text);
  return code;
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
      (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the control character 0x%02x: leave it out",
                          (unsigned)point);
      return next;
    }
    next += length;
  }
  return NULL;
}

/* Where the comment of the line begins; if there is none, where the line ends. */
static char *find_comment(char *line, char *end)
{
  for (char *next = line; next < end; next++) {
    if (*next == '#' && (next == line || strchr(BLANKS, next[-1]) != NULL)) {
      return next;
    }
  }
  return end;
}

static bool is_option_name(const char *text)
{
  return *text != '\0' && text[strspn(text, LETTERS "0123456789_-")] == '\0';
}

/* Parses one line, which ends before `end`. */
static int parse_line(file_parser *self, char *line, char *end, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *wrong = find_bad_byte(line, end, error);
  if (wrong != NULL) {
    self->place.column = column_of(line, wrong);
    return UV_EINVAL;
  }
  cut_blanks(line, find_comment(line, end));
  char *text = line + strspn(line, BLANKS);
  self->place.column = column_of(line, text);
  if (*text == '\0') {
    return 0;
  }
  uvr_quote(quoted, text); /* before it is split */
  split_line found = split(text);
  if (found.more) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is more than one route: write one a line", quoted);
  }
  if (found.is_route) {
    int code = expand_and_append(self->config, &found, self->place, column_of(line, found.right), &wrong, error);
    self->place.column = column_of(line, wrong);
    return code;
  }
  if (found.right != NULL && is_option_name(found.left)) {
    return uvrelay_route_option(&self->options, UVRELAY_SIDE_NONE, found.left, found.right, error);
  }
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                       "%s is neither a route nor an option: write " EXAMPLE ", or NAME=VALUE, such as idle=60",
                       quoted);
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
    code = parse_line(self, text, line_end, error);
    text = next;
  }
  return code;
}

int uvr_config_add_file(uvr_config *self, const char *file, char *text, size_t length, uvr_place *place,
                        uvrelay_error_t *error)
{
  size_t first = self->count;
  file_parser parser = {.config = self, .options = self->options, .place = {.file = file}};
  if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
    *place = (uvr_place){file, 1, 1};
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the file is in UTF-16: save it in UTF-8");
  }
  size_t mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  int code = parse_lines(&parser, text + mark, text + length, error);
  for (size_t i = first; i < self->count; i++) {
    self->routes[i].options = parser.options; /* which may follow the routes */
  }
  *place = parser.place;
  return code;
}

/* Whether a host is localhost, on whose two addresses the library listens, and the other one of these addresses. */
static bool is_part_of(const char *host, const char *other)
{
  return uvr_is_same_word(host, "localhost") && (strcmp(other, "127.0.0.1") == 0 || strcmp(other, "::1") == 0);
}

static bool same_host(const char *a, const char *b)
{
  return uvr_is_same_word(a, b) || is_part_of(a, b) || is_part_of(b, a);
}

static bool same_listener(const uvr_address *a, const uvr_address *b)
{
  if (a->kind != b->kind) {
    return false;
  }
  if (a->kind == UVR_ADDRESS_TCP) {
    return a->port != 0 && a->port == b->port && same_host(a->host, b->host);
  }
  /* Windows ignores the case of a pipe's name. */
  return a->kind == UVR_ADDRESS_NPIPE ? uvr_is_same_word(a->path, b->path) : strcmp(a->canonical, b->canonical) == 0;
}

/* Checks that no route before the i-th one has the same listener. */
static int check_twice(const uvr_config *self, size_t i, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t first = 0;
  while (first < i && !same_listener(&self->routes[first].listener, &self->routes[i].listener)) {
    first++;
  }
  if (first == i) {
    return 0;
  }
  uvr_quote(quoted, self->routes[i].listener.canonical);
  if (self->routes[first].place.file == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the listener %s is given twice", quoted);
  }
  char file[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the listener %s is given twice, first in line %u of %s",
                       quoted, self->routes[first].place.line, uvr_quote(file, self->routes[first].place.file));
}

int uvr_config_check(uvr_config *self, uvr_place *place, uvrelay_error_t *error)
{
  for (size_t i = 0; i < self->count; i++) {
    uvr_config_route *route = &self->routes[i];
    uvrelay_route_options_t options = route->options;
    uvr_address target;
    unsigned given = 0;
    *place = route->place;
    int code = uvr_route_address(route->listen, UVRELAY_LEFT, &options, &given, &route->listener, error);
    if (code == 0) {
      place->column = route->target_column;
      code = uvr_route_address(route->target, UVRELAY_RIGHT, &options, &given, &target, error);
    }
    if (code == 0) {
      route->why_far = target.via ? NULL : uvr_why_no_target(&target);
      route->needs_far_end = target.via || route->why_far != NULL;
      place->column = route->place.column;
      code = check_twice(self, i, error);
    }
    if (code != 0) {
      return code;
    }
  }
  return 0;
}

const uvr_config_route *uvr_config_first_far(const uvr_config *self)
{
  for (size_t i = 0; i < self->count; i++) {
    if (self->routes[i].needs_far_end) {
      return &self->routes[i];
    }
  }
  return NULL;
}

void uvr_config_clear(uvr_config *self)
{
  for (size_t i = 0; i < self->count; i++) {
    free(self->routes[i].listen);
  }
  free(self->routes);
  *self = (uvr_config){.routes = NULL};
}
