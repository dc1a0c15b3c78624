/* The command line of the one-shot relay, `uvrelay [flags] TARGET`, in the syntax of Go's flag package. Pure:
 * prints nothing, exits never, allocates nothing. */
#ifndef UVR_CLI_INPUT_OPTIONS_H
#define UVR_CLI_INPUT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "uvrelay/common.h"

/* The upper limit of --timeout: a day. */
#define UVR_OPTIONS_TIMEOUT_MAX_SECONDS 86400

typedef struct uvr_options {
  bool retry;             /* -p: keep trying to connect */
  bool send_end;          /* -s: send a zero-byte message at the end of standard input */
  bool end_at_target_end; /* -ep */
  bool end_at_input_end;  /* -ei */
  bool assuan;            /* -a: TARGET is a libassuan socket file; parse it with UVR_ADDRESS_ASSUAN_PATH */
  bool hide_console;      /* -bg */
  bool verbose;           /* -v */
  bool timestamps;        /* --timestamps */
  bool allow_remote_files;
  uvrelay_impersonation_t impersonation;
  char owner[UVRELAY_USERS_SIZE]; /* --owner, a good list; empty: anybody */
  uint32_t timeout_ms;            /* for connecting; 0: not given */
  const char *target;             /* in argv; NULL unless the action is UVR_OPTIONS_RUN */
} uvr_options;

typedef enum uvr_options_action {
  UVR_OPTIONS_RUN,
  UVR_OPTIONS_SHOW_HELP,    /* the usage to standard output, exit 0 */
  UVR_OPTIONS_SHOW_VERSION, /* the version to standard output, exit 0 */
  UVR_OPTIONS_WRONG_USAGE   /* the error and how to get help to standard error, exit 2 */
} uvr_options_action;

/* Parses the command line; argv[0], the program's name, is skipped. Parsing stops at the first argument that is not a
 * flag, or after "--"; exactly one argument must then be left, TARGET, which is not checked. With
 * UVR_OPTIONS_WRONG_USAGE *error (which may be NULL) says what is wrong, with code UV_EINVAL; otherwise it is not
 * touched. -h and -help take effect at once, --version after all flags have been parsed. */
uvr_options_action uvr_options_parse(int argc, char *const argv[], uvr_options *out, uvrelay_error_t *error);

/* The usage: lines of at most 80 columns, the last one with its newline. */
const char *uvr_options_usage(void);

#endif
