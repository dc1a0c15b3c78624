/* The routes that serve is to have: LISTEN=TARGET from the command line, and from the lines of configuration files,
 * where options of the file's routes may stand as well. Pure but for its memory: it opens nothing. */
#ifndef UVR_CLI_INPUT_CONFIG_H
#define UVR_CLI_INPUT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "address/address.h"
#include "uvrelay.h"

/* Where something stands. */
typedef struct uvr_place {
  const char *file; /* NULL: the command line */
  unsigned line;    /* from 1 */
  unsigned column;  /* from 1, in characters */
} uvr_place;

/* A route. Its text is valid UTF-8 if it comes from a file, else as it was given. */
typedef struct uvr_wanted_route {
  char *text;         /* LISTEN, allocated; TARGET stands behind it */
  const char *target; /* in `text` */
  uvr_place place;    /* of LISTEN */
  unsigned target_column;
  uvrelay_route_options_t options; /* but for those that its addresses have */
  uvr_address listener;            /* once it was checked, as is: */
  bool needs_far_end;              /* its target can be reached through a far end only */
} uvr_wanted_route;

/* To begin as all zero but for the options. */
typedef struct uvr_routes {
  uvr_wanted_route *list;
  size_t count;
  size_t capacity;
  uvrelay_route_options_t options; /* of all routes, before those of their file */
} uvr_routes;

/* Adds a route of the command line. Returns 0; or UV_EINVAL, UV_ENOMEM and *error. */
int uvr_routes_add(uvr_routes *self, const char *argument, uvrelay_error_t *error);

/* Adds the routes that a file's text has, all with the file's options. The text (`length` bytes, and a NUL behind them)
 * is changed. Returns 0; or UV_EINVAL, UV_ENOMEM, *error, and *place of what is wrong. */
int uvr_routes_add_config(uvr_routes *self, const char *file, char *text, size_t length, uvr_place *place,
                          uvrelay_error_t *error);

/* When all routes are there: reads each address with its options, and looks for listeners that stand twice.
 * Returns 0; or UV_EINVAL, *error and *place. */
int uvr_routes_check(uvr_routes *self, uvr_place *place, uvrelay_error_t *error);

/* The first route that needs a far end, or NULL. */
const uvr_wanted_route *uvr_routes_first_far(const uvr_routes *self);

void uvr_routes_clear(uvr_routes *self);

#endif
