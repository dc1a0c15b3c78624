/* Presets: names for routes that many want, such as @ssh-agent, with the listener, target and options that are right
 * for each. */
#ifndef UVR_CLI_INPUT_PRESETS_H
#define UVR_CLI_INPUT_PRESETS_H

#include <stddef.h>

#include "uvrelay/common.h"

/* The size of a text that uvr_preset_listen() writes. */
#define UVR_PRESET_LISTEN_SIZE 4096

typedef struct uvr_preset {
  const char *name;     /* without the @ */
  const char *summary;  /* a phrase: what it leads to */
  const char *listen;   /* LISTEN with its options, as in a configuration file: with ~/; NULL: it must be found out */
  const char *target;   /* TARGET with its options */
  const char *variable; /* the variable of the environment that leads programs to the listener, or NULL */
  const char *prefix;   /* what precedes the listener's path in that variable, such as unix:// */
} uvr_preset;

/* All presets, for the system that the program runs on. */
const uvr_preset *uvr_presets(size_t *count);

/* The preset of this name, of `length` bytes, or NULL. */
const uvr_preset *uvr_presets_find(const char *name, size_t length);

/* The name of the preset that was probably meant by this one, of `length` bytes, or NULL. */
const char *uvr_presets_near(const char *name, size_t length);

/* Says that there is no preset of this name, of `length` bytes: which one was meant, or which there are. Returns
 * UV_EINVAL. */
int uvr_presets_refuse(const char *name, size_t length, uvrelay_error_t *error);

/* Writes LISTEN of a preset with its options, all expanded. Looks at the environment and for directories. Returns 0; or
 * UV_EINVAL and *error. */
int uvr_preset_listen(const uvr_preset *self, char out[UVR_PRESET_LISTEN_SIZE], uvrelay_error_t *error);

/* What the system has: see presets_unix.c and presets_win.c. */

/* The table, and in *others the names of those that the other system alone has, which end with a NULL. */
const uvr_preset *uvr_presets_here(size_t *count, const char *const **others);

/* Writes LISTEN of a preset that must be found out. Returns as uvr_preset_listen(). */
int uvr_preset_find_listen(const uvr_preset *self, char out[UVR_PRESET_LISTEN_SIZE], uvrelay_error_t *error);

#endif
