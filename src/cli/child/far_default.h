/* The far end that serve starts if none is named: from WSL uvrelay.exe on Windows, from Windows uvrelay in WSL. */
#ifndef UVR_CLI_CHILD_FAR_DEFAULT_H
#define UVR_CLI_CHILD_FAR_DEFAULT_H

#include "cli/child/command.h"

typedef enum uvr_far_default {
  UVR_FAR_DEFAULT_FOUND,
  UVR_FAR_DEFAULT_FAILED, /* there should be one: *error */
  UVR_FAR_DEFAULT_NONE    /* this system has none */
} uvr_far_default;

/* Finds its command. Sets *shown to its command line for messages, a constant; and with UVR_FAR_DEFAULT_NONE *why to a
 * phrase that says why there is none, a constant, or to NULL if no user would expect one. */
uvr_far_default uvr_far_default_find(uvr_command *out, const char **shown, const char **why, uvrelay_error_t *error);

#endif
