/* The command line of `uvrelay setup` in WSL. */
#ifndef UVR_CLI_SETUP_OPTIONS_UNIX_H
#define UVR_CLI_SETUP_OPTIONS_UNIX_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/input/presets.h"
#include "uvrelay/common.h"

enum { UVR_SETUP_NAMES_MAX = 16 };

typedef struct uvr_setup_options {
  bool yes;
  bool dry_run;
  bool remove;
  const char *windows_program;                    /* --windows-program, in argv; NULL: not given */
  const uvr_preset *presets[UVR_SETUP_NAMES_MAX]; /* each once */
  size_t preset_count;
} uvr_setup_options;

typedef enum uvr_setup_action {
  UVR_SETUP_RUN,
  UVR_SETUP_SHOW_HELP,
  UVR_SETUP_SHOW_VERSION,
  UVR_SETUP_WRONG_USAGE /* *error says why */
} uvr_setup_action;

/* Parses it; argv[0], "setup", is skipped. Flags may precede and follow names. */
uvr_setup_action uvr_setup_options_parse(int argc, char *argv[], uvr_setup_options *out, uvrelay_error_t *error);

const char *uvr_setup_usage(void);

#endif
