/* The text of a route, LISTEN=TARGET, @PRESET or LISTEN=@PRESET: where it is split, and what ~/, variables and presets
 * in it stand for. */
#ifndef UVR_CLI_INPUT_ROUTE_LINE_H
#define UVR_CLI_INPUT_ROUTE_LINE_H

#include <stdbool.h>

#include "address/expand.h"
#include "address/meant_route.h"
#include "base/error.h"
#include "cli/input/presets.h"

/* How to write a route, for messages. */
#define UVR_ROUTE_EXAMPLE "LISTEN=TARGET, such as tcp://127.0.0.1:8080=tcp://127.0.0.1:80, or a preset, such as @docker"

/* A route's text, split. */
typedef struct uvr_route_line {
  const char *listen; /* LISTEN with its options; NULL: the target is a preset, which has one */
  const char *target; /* TARGET, or @PRESET, with its options */
  bool more;          /* after it there is a blank and another route */
} uvr_route_line;

/* A route's text, expanded. */
typedef struct uvr_route_text {
  char listen[UVR_EXPANDED_SIZE];
  char target[UVR_EXPANDED_SIZE];
  const uvr_preset *preset; /* that it was made of, or NULL */
} uvr_route_text;

/* Splits a text, in place. Returns false if it is not a route; it is unchanged then. */
bool uvr_route_line_split(char *text, uvr_route_line *out);

/* Expands both addresses of a route: a ~/ and, with `variables`, $NAME; and a preset, whose options are replaced by
 * those that follow it, or are added to them. Options of a listener that follow a preset alone are its listener's.
 * Returns 0; or UV_EINVAL, *error, and *wrong, the place in the line that is wrong. */
int uvr_route_line_expand(const uvr_route_line *self, bool variables, uvr_route_text *out, const char **wrong,
                          uvrelay_error_t *error);

/* What to write instead of a text that is not a route: the route that was probably meant, if that shows, or the
 * example. `shell`: on a command line, so with the quotes that it needs. Returns `meant` or a constant. */
#define UVR_ROUTE_MEANT_SIZE (UVR_MEANT_ROUTE_SIZE + 2)
const char *uvr_route_line_meant(const char *text, bool shell, char meant[UVR_ROUTE_MEANT_SIZE]);

#endif
