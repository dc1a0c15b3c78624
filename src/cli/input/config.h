/* The configuration of serve: its routes, LISTEN=TARGET, from the command line and from configuration files, see
 * config_file.h. It opens nothing. */
#ifndef UVR_CLI_INPUT_CONFIG_H
#define UVR_CLI_INPUT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "address/address.h"
#include "cli/input/presets.h"
#include "cli/input/route_line.h"
#include "cli/input/serve_options.h"
#include "uvrelay.h"

/* A place in the input, for error messages. */
typedef struct uvr_place {
  const char *file; /* NULL: the command line */
  unsigned line;    /* from 1 */
  unsigned column;  /* from 1, in characters */
} uvr_place;

/* A route. Its text is valid UTF-8 if it comes from a file; from the command line it is as the user gave it. */
typedef struct uvr_config_route {
  char *listen;       /* LISTEN with its options; allocated, as one block with `target` */
  const char *target; /* TARGET with its options */
  const char *taken;  /* TARGET as it was given, if `target` is what it was taken for; or NULL */
  uvr_place place;    /* of LISTEN */
  unsigned target_column;
  uvrelay_route_options_t options; /* without the options that the two addresses have */
  const uvr_preset *preset;        /* that it was made of, or NULL */
  char name[UVRELAY_NAME_SIZE];    /* set by uvr_config_check: how it is called, or empty; no other has the same */
  uvr_address listener;            /* set by uvr_config_check */
  bool needs_far_end;              /* set by uvr_config_check: its target can only be reached through a far end */
  const char *why_far;             /* why this system cannot reach the target; NULL: it can, or the address is a via: */
} uvr_config_route;

typedef struct uvr_config_text uvr_config_text;

/* Initialise it with zeros and the options. */
typedef struct uvr_config {
  uvr_config_route *routes;
  size_t count;
  size_t capacity;
  uvrelay_route_options_t options; /* of all routes; the options of a file override them */
  uvr_serve_options *settings;     /* gets the settings of files, or NULL; their text belongs to the config */
  bool backslash;                  /* for the commands of files: see uvr_expand_command() */
  uvr_place via_place;             /* of the command that settings->via is; its file is NULL if it is in none */
  uvr_config_text *texts;
} uvr_config;

/* Adds a route from the command line. Returns 0; or UV_EINVAL, UV_ENOMEM and *error. */
int uvr_config_add_route(uvr_config *self, const char *argument, uvrelay_error_t *error);

/* Appends a route of text that is expanded already. Returns 0; or UV_ENOMEM and *error. */
int uvr_config_append(uvr_config *self, const uvr_route_text *text, uvr_place place, unsigned target_column,
                      uvrelay_error_t *error);

/* Checks all routes once they have been added: parses the addresses with their options, and refuses a listener or a
 * name that is given twice. A route of a preset that is given no name is called like the preset, if no other one is.
 * Returns 0; or UV_EINVAL, *error and *place. */
int uvr_config_check(uvr_config *self, uvr_place *place, uvrelay_error_t *error);

/* The first route that needs a far end, or NULL. */
const uvr_config_route *uvr_config_first_far(const uvr_config *self);

/* Copies a text, which then lasts until uvr_config_clear(). Returns NULL if there is no memory. */
const char *uvr_config_keep(uvr_config *self, const char *text);

void uvr_config_clear(uvr_config *self);

#endif
