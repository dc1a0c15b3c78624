/* The command line of `uvrelay serve [flags] LISTEN=TARGET...`, in the syntax of Go's flag package, and those of its
 * flags that can be lines NAME=VALUE of configuration files, too: the settings. Pure: prints nothing, exits never,
 * allocates nothing. */
#ifndef UVR_CLI_INPUT_SERVE_OPTIONS_H
#define UVR_CLI_INPUT_SERVE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uvrelay.h"

/* How often --config may be given. */
#define UVR_SERVE_CONFIGS_MAX 16

/* What --log-size may be, in bytes. */
#define UVR_LOG_SIZE_MIN ((uint64_t)4096)
#define UVR_LOG_SIZE_MAX ((uint64_t)1024 * 1024 * 1024)

/* The options of routes that are flags as well. */
typedef enum uvr_serve_name {
  UVR_SERVE_TIMEOUT,
  UVR_SERVE_LINGER,
  UVR_SERVE_IDLE,
  UVR_SERVE_MAX,
  UVR_SERVE_PERM,
  UVR_SERVE_MODE,
  UVR_SERVE_IMPERSONATION,
  UVR_SERVE_EOF,
  UVR_SERVE_ABSENT,
  UVR_SERVE_OWNER,
  UVR_SERVE_PEER_UID,
  UVR_SERVE_NAMES
} uvr_serve_name;

/* Where lines of the log begin with their times. */
typedef enum uvr_timestamps {
  UVR_TIMESTAMPS_IN_FILES, /* in that of --log-file; unless something else is given */
  UVR_TIMESTAMPS_ON,
  UVR_TIMESTAMPS_OFF
} uvr_timestamps;

/* All text is in argv, or where the caller of uvr_serve_setting_set() keeps it. */
typedef struct uvr_serve_options {
  bool verbose;                               /* -v */
  bool json;                                  /* --json */
  bool allow_remote;                          /* --allow-remote */
  bool allow_remote_files;                    /* --allow-remote-files */
  bool eager;                                 /* --eager */
  bool control;                               /* --control: status, env and reload can ask it */
  bool check;                                 /* --check: say what would be served, and end */
  bool background;                            /* --background: go on without the terminal, if it does not run yet */
  uint64_t drain_ms;                          /* --drain; 0: connections are closed at once */
  uint64_t status_ms;                         /* --status; 0: only on SIGUSR1 */
  const char *via;                            /* --via, a command line that is not parsed here; NULL: not given */
  uint64_t window_total;                      /* --window-total, in bytes; 0: the library's default */
  const char *log_file;                       /* --log-file; NULL: the log goes to standard error */
  uint64_t log_size;                          /* --log-size, in bytes; 0: not given */
  uvr_timestamps timestamps;                  /* --timestamps */
  uint32_t given;                             /* private: which settings the command line has, a bit each */
  const char *values[UVR_SERVE_NAMES];        /* the options of all routes, each a good value or NULL */
  const char *configs[UVR_SERVE_CONFIGS_MAX]; /* --config, in the order given */
  unsigned config_count;
  char *const *routes; /* the arguments that are no flags, not parsed here */
  int route_count;
} uvr_serve_options;

typedef enum uvr_serve_action {
  UVR_SERVE_RUN,
  UVR_SERVE_SHOW_HELP,   /* the usage to standard output, exit 0 */
  UVR_SERVE_WRONG_USAGE, /* the error to standard error, exit 2 */
  UVR_SERVE_SHOW_VERSION /* the version to standard output, exit 0 */
} uvr_serve_action;

/* Parses the command line; argv[0], "serve", is skipped. Flags may precede and follow routes, until a "--"; argv is
 * reordered, so that all routes are next to each other. With UVR_SERVE_WRONG_USAGE *error (which may be NULL) says what
 * is wrong, with code UV_EINVAL; otherwise it is not touched. --help, --version and the word help alone take effect at
 * once. */
uvr_serve_action uvr_serve_options_parse(int argc, char *argv[], uvr_serve_options *out, uvrelay_error_t *error);

/* What a setting's value is. */
typedef enum uvr_serve_setting {
  UVR_SETTING_NONE, /* there is no setting of this name */
  UVR_SETTING_PLAIN,
  UVR_SETTING_PATH,   /* a file's path */
  UVR_SETTING_COMMAND /* a command line */
} uvr_serve_setting;

/* Which kind of a setting this name is, such as `via` for --via=COMMAND. The options of routes are none. */
uvr_serve_setting uvr_serve_setting_find(const char *name);

/* Whether this is a setting that is on or off. */
bool uvr_serve_setting_is_switch(const char *name);

/* The name of the i-th setting, or NULL after the last one. */
const char *uvr_serve_setting_name(size_t i);

/* Sets a setting that uvr_serve_setting_find() knows to the value of a file's line, unless the command line has it. The
 * text must live as long as *self does. Returns 0; or UV_EINVAL and *error. */
int uvr_serve_setting_set(uvr_serve_options *self, const char *name, const char *value, uvrelay_error_t *error);

/* Sets the options of all routes that were given as flags. */
void uvr_serve_options_apply(const uvr_serve_options *options, uvrelay_route_options_t *routes);

#endif
