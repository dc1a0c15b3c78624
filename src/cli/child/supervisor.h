/* Supervises the far end of `serve --via`: a command, with the near end of a mux on its standard input and output. It
 * starts the command when it is needed, and again when it is needed after it has ended. */
#ifndef UVR_CLI_CHILD_SUPERVISOR_H
#define UVR_CLI_CHILD_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "cli/child/child.h"
#include "cli/child/command.h"
#include "cli/child/wsl_search.h"
#include "cli/output/report.h"
#include "uvrelay.h"
#include "uvrelay/mux.h"

/* Size in bytes of a command line in messages, with its NUL; a longer one is cut. */
#define UVR_SUPERVISOR_NAME_SIZE 256

typedef enum uvr_supervisor_state {
  UVR_SUPERVISOR_IDLE,      /* the far end has not been needed yet */
  UVR_SUPERVISOR_PREPARING, /* finds out how to start the process */
  UVR_SUPERVISOR_RUNNING,   /* the process runs, and the mux uses it */
  UVR_SUPERVISOR_EXITED,    /* the process has exited, and the mux has not noticed yet */
  UVR_SUPERVISOR_ENDING,    /* the mux is down, and the process has not exited yet */
  UVR_SUPERVISOR_WAITING,   /* both are gone; the process is not started again yet */
  UVR_SUPERVISOR_RESTING,   /* the same, but it may be started as soon as it is needed */
  UVR_SUPERVISOR_CLOSING,   /* being closed: waits until the process has exited */
  UVR_SUPERVISOR_CLOSED
} uvr_supervisor_state;

typedef struct uvr_supervisor_options {
  const uvr_command *command; /* with its file; it and the report must outlive the supervisor */
  const char *line;           /* the command line, for messages; copied */
  const uvr_report *report;
  bool eager;                             /* it is started again even if it is not needed */
  uint64_t window_total;                  /* see uvrelay_mux_options_t */
  void (*on_change)(void *user);          /* it is up, or down; NULL is allowed */
  uint64_t (*count_received)(void *user); /* bytes that all connections have received so far */
  void *user;
} uvr_supervisor_options;

/* Its members are private. */
typedef struct uvr_supervisor {
  uvr_supervisor_state state;
  uvrelay_t *relay;
  uvrelay_mux_t *mux;
  uvr_supervisor_options options;
  char name[UVR_SUPERVISOR_NAME_SIZE]; /* the command line, for messages */
  uvr_wsl wsl;
  uvr_wsl_search search;
  uv_timer_t timer;
  uvr_child *child;    /* NULL: there is no process */
  uvr_child *hung;     /* an earlier one that has stopped running, and is being ended; or NULL */
  uint64_t starts;     /* how many processes were started */
  uint64_t started_at; /* loop time when the last one was */
  bool searching;      /* `search` has not ended */
  bool up;             /* the mux has come up since the last start */
  bool overdue;        /* the process has not said in time what it speaks */
  size_t late;         /* how many processes in a row have not */
  uint64_t up_since;
  uint64_t received;   /* what count_received returned at the last start */
  uvr_child_exit exit; /* of the last process */
  uvrelay_mux_down_t down;
  uvrelay_error_t error; /* why the far end is down */
  size_t reason_length;  /* of its text: how much is the reason; the rest is the last line of standard error */
  char last_line[UVR_SUPERVISOR_NAME_SIZE];
  size_t cut;                           /* connections that were open over it */
  uint64_t delay_ms;                    /* before the next start, if no client waits for it */
  uint64_t failed_at;                   /* loop time when it was last down */
  bool held;                            /* the last line was not reported yet */
  bool wanted;                          /* a client has come since it was started last */
  bool hopeless;                        /* it will fail again unless the program's file is replaced */
  char warned[UVRELAY_ERROR_TEXT_SIZE]; /* the last warning */
  void (*on_closed)(void *user);
  void *user;
} uvr_supervisor;

/* Initialises the supervisor and makes its mux. Returns 0, after which it must be closed; or the error of
 * uvrelay_mux_new(). */
int uvr_supervisor_init(uvr_supervisor *self, uvrelay_t *relay, const uvr_supervisor_options *options);

/* Whether the far end has never been needed. Then its options may be exchanged, all but the window. */
bool uvr_supervisor_is_unused(const uvr_supervisor *self);
void uvr_supervisor_set_options(uvr_supervisor *self, const uvr_supervisor_options *options);

/* The far end is needed: starts it now, or after the delay if it has failed a short time ago. No effect while it runs.
 */
void uvr_supervisor_start(uvr_supervisor *self);

/* Closes the supervisor. Call uvrelay_close() at the same time: it closes the mux and with it the process's standard
 * input. A process that does not exit is ended by uvr_child_end(). on_closed is called once, later, before the loop can
 * end. */
void uvr_supervisor_close(uvr_supervisor *self, void (*on_closed)(void *user), void *user);

/* Whether there is a process, or one that is being ended. */
bool uvr_supervisor_has_process(const uvr_supervisor *self);

/* How the far end is doing, for people. */
typedef struct uvr_supervisor_view {
  const char *state;   /* "idle", "starting", "running", "ending" or "down" */
  const char *command; /* its command line, without control characters */
  int process;         /* its number; 0: there is none */
  uint64_t age_ms;     /* of the process */
  uint64_t starts;     /* how often it was started */
  const char *error;   /* the last one; NULL: none so far */
  uint64_t error_age_ms;
} uvr_supervisor_view;

void uvr_supervisor_look(const uvr_supervisor *self, uvr_supervisor_view *out);

/* Kills the process at once. Only after uvr_supervisor_close(). */
void uvr_supervisor_kill(uvr_supervisor *self);

#endif
