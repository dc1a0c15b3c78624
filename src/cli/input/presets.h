/* Presets: names for routes that many want, such as @ssh-agent, with the listener, target and options that are right
 * for each. Pure. */
#ifndef UVR_CLI_INPUT_PRESETS_H
#define UVR_CLI_INPUT_PRESETS_H

#include <stddef.h>

typedef struct uvr_preset {
  const char *name;     /* without the @ */
  const char *summary;  /* a phrase: what it leads to */
  const char *listen;   /* LISTEN with its options, as in a configuration file: with ~/ and variables */
  const char *target;   /* TARGET with its options */
  const char *variable; /* the variable of the environment that leads programs to the listener, or NULL */
  const char *prefix;   /* what stands before the listener's path in that variable, such as unix:// */
} uvr_preset;

/* All presets, for the system that the program runs on. */
const uvr_preset *uvr_presets(size_t *count);

/* The preset of this name, of `length` bytes, or NULL. */
const uvr_preset *uvr_presets_find(const char *name, size_t length);

#endif
