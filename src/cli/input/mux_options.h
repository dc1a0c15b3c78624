/* The command line of `uvrelay mux [flags]`, in the syntax of Go's flag package. Pure: prints nothing, exits never,
 * allocates nothing. */
#ifndef UVR_CLI_INPUT_MUX_OPTIONS_H
#define UVR_CLI_INPUT_MUX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uvrelay/common.h"

/* How often --allow may be given. */
#define UVR_MUX_ALLOW_MAX 256

/* All text is in argv. */
typedef struct uvr_mux_options {
  bool verbose;                         /* -v */
  bool timestamps;                      /* --timestamps */
  uint64_t window_total;                /* --window-total, in bytes; 0: the library's default */
  const char *allow[UVR_MUX_ALLOW_MAX]; /* --allow, in the order given */
  size_t allow_count;                   /* 0: all is allowed */
  bool allow_remote_files;
} uvr_mux_options;

typedef enum uvr_mux_action {
  UVR_MUX_RUN,
  UVR_MUX_SHOW_HELP,   /* the usage to standard output, exit 0 */
  UVR_MUX_WRONG_USAGE, /* the error to standard error, exit 2 */
  UVR_MUX_SHOW_VERSION /* the version to standard output, exit 0 */
} uvr_mux_action;

/* Parses the command line; argv[0], "mux", is skipped. With UVR_MUX_WRONG_USAGE *error (which may be NULL) says what is
 * wrong, with code UV_EINVAL; otherwise it is not touched. --help, --version and the
 * word help alone take effect at once. */
uvr_mux_action uvr_mux_options_parse(int argc, char *const argv[], uvr_mux_options *out, uvrelay_error_t *error);

/* The usage: lines of at most 80 columns, the last one with its newline. */
const char *uvr_mux_usage(void);

#endif
