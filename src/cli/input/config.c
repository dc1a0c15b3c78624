/* Routes as text: see routes.h.
 *
 * LISTEN=TARGET is split at the first "=" behind which a target begins, as the options behind LISTEN have some, too. A
 * line of a file that cannot be split so is an option, NAME=VALUE. A line is first checked as a whole (UTF-8, control
 * characters), then cut: its end, its comment, the blanks around it. What is wrong is told with its place. */
#include "cli/input/config.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "address/query.h"
#include "base/error.h"
#include "base/text.h"
#include "endpoint/reach.h"

#define BLANKS  " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define EXAMPLE "LISTEN=TARGET, such as tcp://127.0.0.1:8080=tcp://127.0.0.1:80"

/* The parts of a line that have a meaning. */
typedef struct cut_line {
  char *left;  /* LISTEN, or an option's name */
  char *right; /* TARGET or its value; or NULL: there is none */
  bool route;
  bool more; /* TARGET has a blank and another route behind it */
} cut_line;

/* The file that is read. */
typedef struct config {
  uvr_routes *routes;
  uvrelay_route_options_t options;
  uvr_place place; /* of what was looked at last */
} config;

/* Whether a target begins here: SCHEME:, // or \\. */
static bool is_target(const char *text)
{
  size_t scheme = strspn(text, LETTERS) == 0 ? 0 : strspn(text, LETTERS "0123456789+.-");
  return (scheme > 0 && text[scheme] == ':') || strncmp(text, "//", 2) == 0 || strncmp(text, "\\\\", 2) == 0;
}

/* Ends the text, which ends at `end`, before the blanks there. */
static void cut_blanks(const char *text, char *end)
{
  while (end > text && strchr(BLANKS, end[-1]) != NULL) {
    end--;
  }
  *end = '\0';
}

/* The first "=" behind which a target begins, or NULL. */
static char *splitting_sign(char *text)
{
  char *sign = strchr(text, '=');
  while (sign != NULL && !is_target(sign + 1 + strspn(sign + 1, BLANKS))) {
    sign = strchr(sign + 1, '=');
  }
  return sign;
}

/* Cuts at the "=" at which it is to be split. */
static cut_line cut(char *text)
{
  cut_line line = {.left = text};
  char *sign = splitting_sign(text);
  line.route = sign != NULL;
  if (line.route) {
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

/* Which character of the line, whose text may have been cut before `at`, stands there. */
static unsigned column_of(const char *line, const char *at)
{
  unsigned column = 1;
  for (; line < at; line++) {
    column += ((unsigned char)*line & 0xC0) == 0x80 ? 0 : 1;
  }
  return column;
}

static int grow(uvr_routes *self, uvrelay_error_t *error)
{
  if (self->count < self->capacity) {
    return 0;
  }
  size_t capacity = self->capacity == 0 ? 8 : self->capacity * 2;
  uvr_wanted_route *list = realloc(self->list, capacity * sizeof(*list));
  if (list == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for the routes");
  }
  self->list = list;
  self->capacity = capacity;
  return 0;
}

/* Takes a route whose LISTEN ends in a NUL; TARGET stands `target` bytes behind its beginning. */
static int append(uvr_routes *self, const char *text, size_t target, uvr_place place, unsigned target_column,
                  uvrelay_error_t *error)
{
  size_t size = target + strlen(text + target) + 1;
  char *copy = malloc(size);
  int code = grow(self, error);
  if (copy == NULL || code != 0) {
    free(copy);
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for the routes");
  }
  memcpy(copy, text, size);
  self->list[self->count++] = (uvr_wanted_route){
      .text = copy, .target = copy + target, .place = place, .target_column = target_column, .options = self->options};
  return 0;
}

int uvr_routes_add(uvr_routes *self, const char *argument, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t size = strlen(argument) + 1;
  char *text = malloc(size);
  if (text == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for the routes");
  }
  memcpy(text, argument, size);
  cut_line line = cut(text);
  int code = 0;
  if (!line.route) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is no route: write " EXAMPLE,
                         uvr_quote(quoted, argument));
  } else if (line.more) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is more than one route: write each without quotes",
                         uvr_quote(quoted, argument));
  } else {
    code = append(self, text, (size_t)(line.right - text), (uvr_place){.file = NULL}, 0, error);
  }
  free(text);
  return code;
}

/* The first byte of the line that is not fit for a text, or NULL; its error is set. */
static const char *unfit(const char *line, const char *end, uvrelay_error_t *error)
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

/* Where a comment begins in the line, or its end. */
static char *comment(char *line, char *end)
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

/* Takes one line, from its first byte on; `end` is behind its last one, without the line's end. */
static int take_line(config *self, char *line, char *end, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *wrong = unfit(line, end, error);
  if (wrong != NULL) {
    self->place.column = column_of(line, wrong);
    return UV_EINVAL;
  }
  cut_blanks(line, comment(line, end));
  char *text = line + strspn(line, BLANKS);
  self->place.column = column_of(line, text);
  if (*text == '\0') {
    return 0;
  }
  uvr_quote(quoted, text); /* before it is cut */
  cut_line found = cut(text);
  if (found.more) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is more than one route: write one a line", quoted);
  }
  if (found.route) {
    return append(self->routes, text, (size_t)(found.right - text), self->place, column_of(line, found.right), error);
  }
  if (found.right != NULL && is_option_name(found.left)) {
    return uvrelay_route_option(&self->options, UVRELAY_SIDE_NONE, found.left, found.right, error);
  }
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                       "%s is neither a route nor an option: write " EXAMPLE ", or NAME=VALUE, such as idle=60",
                       quoted);
}

/* Takes all lines of a text. */
static int take_lines(config *self, char *text, char *end, uvrelay_error_t *error)
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
    code = take_line(self, text, line_end, error);
    text = next;
  }
  return code;
}

int uvr_routes_add_config(uvr_routes *self, const char *file, char *text, size_t length, uvr_place *place,
                          uvrelay_error_t *error)
{
  size_t first = self->count;
  config state = {.routes = self, .options = self->options, .place = {.file = file}};
  if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
    *place = (uvr_place){file, 1, 1};
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the file is in UTF-16: save it in UTF-8");
  }
  size_t mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  int code = take_lines(&state, text + mark, text + length, error);
  for (size_t i = first; i < self->count; i++) {
    self->list[i].options = state.options; /* which may stand behind the routes, too */
  }
  *place = state.place;
  return code;
}

static bool same_letters(const char *a, const char *b)
{
  for (; *a != '\0' && *b != '\0'; a++, b++) {
    char x = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
    char y = *b >= 'A' && *b <= 'Z' ? (char)(*b - 'A' + 'a') : *b;
    if (x != y) {
      return false;
    }
  }
  return *a == *b;
}

/* The library takes localhost for this, too. */
static const char *host_of(const uvr_address *address)
{
  return same_letters(address->host, "localhost") ? "127.0.0.1" : address->host;
}

static bool same_listener(const uvr_address *a, const uvr_address *b)
{
  if (a->kind != b->kind) {
    return false;
  }
  if (a->kind == UVR_ADDRESS_TCP) {
    return a->port != 0 && a->port == b->port && same_letters(host_of(a), host_of(b));
  }
  /* Windows makes no difference between a pipe's letters. */
  return a->kind == UVR_ADDRESS_NPIPE ? same_letters(a->path, b->path) : strcmp(a->canonical, b->canonical) == 0;
}

/* Checks that no route before the i-th listens there. */
static int check_twice(const uvr_routes *self, size_t i, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t first = 0;
  while (first < i && !same_listener(&self->list[first].listener, &self->list[i].listener)) {
    first++;
  }
  if (first == i) {
    return 0;
  }
  uvr_quote(quoted, self->list[i].listener.canonical);
  if (self->list[first].place.file == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the listener %s is given twice", quoted);
  }
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                       "the listener %s is given twice, first in line %u of %.100s", quoted,
                       self->list[first].place.line, self->list[first].place.file);
}

int uvr_routes_check(uvr_routes *self, uvr_place *place, uvrelay_error_t *error)
{
  for (size_t i = 0; i < self->count; i++) {
    uvr_wanted_route *route = &self->list[i];
    uvrelay_route_options_t options = route->options;
    uvr_address target;
    unsigned given = 0;
    *place = route->place;
    int code = uvr_route_address(route->text, UVRELAY_LEFT, &options, &given, &route->listener, error);
    if (code == 0) {
      place->column = route->target_column;
      code = uvr_route_address(route->target, UVRELAY_RIGHT, &options, &given, &target, error);
    }
    if (code == 0) {
      route->needs_far_end = target.via || uvr_why_no_target(&target) != NULL;
      place->column = route->place.column;
      code = check_twice(self, i, error);
    }
    if (code != 0) {
      return code;
    }
  }
  return 0;
}

const uvr_wanted_route *uvr_routes_first_far(const uvr_routes *self)
{
  for (size_t i = 0; i < self->count; i++) {
    if (self->list[i].needs_far_end) {
      return &self->list[i];
    }
  }
  return NULL;
}

void uvr_routes_clear(uvr_routes *self)
{
  for (size_t i = 0; i < self->count; i++) {
    free(self->list[i].text);
  }
  free(self->list);
  *self = (uvr_routes){.list = NULL};
}
