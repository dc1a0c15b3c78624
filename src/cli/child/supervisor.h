/* The far end of `serve --via`: a command, and the near end of the mux over its standard input and output. It is
 * started when it is needed and, from then on, again whenever it ends. */
#ifndef UVR_CLI_CHILD_SUPERVISOR_H
#define UVR_CLI_CHILD_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "cli/child/child.h"
#include "cli/child/command.h"
#include "cli/child/wsl.h"
#include "cli/output/report.h"
#include "uvrelay.h"
#include "uvrelay/mux.h"

/* Bytes of a command line as it is told, with its NUL; a longer one is cut. */
#define UVR_SUPERVISOR_NAME_SIZE 256

typedef enum uvr_supervisor_state {
  UVR_SUPERVISOR_IDLE,    /* it was not needed so far */
  UVR_SUPERVISOR_RUNNING, /* the process runs, and the mux uses it */
  UVR_SUPERVISOR_LEFT,    /* the process has ended, and the mux has not noticed */
  UVR_SUPERVISOR_ENDING,  /* the mux does not use it any more, and the process has not ended */
  UVR_SUPERVISOR_WAITING, /* to be started again later */
  UVR_SUPERVISOR_CLOSING, /* for good: until the process has ended */
  UVR_SUPERVISOR_CLOSED
} uvr_supervisor_state;

typedef struct uvr_supervisor_options {
  const uvr_command *command; /* found; must outlive it, as must the report */
  const char *line;           /* the command line, to be told; not needed afterwards */
  const uvr_report *report;
  uint64_t window_total;                  /* see uvrelay_mux_options_t */
  uint64_t (*count_received)(void *user); /* bytes that have come through it so far, on all connections */
  void *user;
} uvr_supervisor_options;

/* Its contents are its own. */
typedef struct uvr_supervisor {
  uvr_supervisor_state state;
  uvrelay_t *relay;
  uvrelay_mux_t *mux;
  uvr_supervisor_options options;
  char name[UVR_SUPERVISOR_NAME_SIZE]; /* the command line, as it is told */
  uvr_wsl wsl;
  uv_timer_t timer;
  uvr_child *child; /* NULL: there is no process */
  int next_signal;  /* ENDING, CLOSING: what the process gets next; 0: it is given up */
  bool up;          /* the mux is */
  uint64_t up_since;
  uint64_t received; /* what count_received gave when it was started */
  bool asked;        /* the process was sent a signal */
  int64_t status;
  int signal;
  uvrelay_mux_down_t down;
  uvrelay_error_t error; /* why it is down */
  char last_line[UVR_SUPERVISOR_NAME_SIZE];
  uint64_t delay_ms;                  /* before the next start */
  char said[UVRELAY_ERROR_TEXT_SIZE]; /* the sentence that was told last, or "alien" */
  char warned[UVRELAY_ERROR_TEXT_SIZE];
  uint64_t said_at;
  void (*on_closed)(void *user);
  void *user;
} uvr_supervisor;

/* Makes it, with its mux. Returns 0, and it must be closed; or what uvrelay_mux_new() does. */
int uvr_supervisor_init(uvr_supervisor *self, uvrelay_t *relay, const uvr_supervisor_options *options);

/* Starts it now, if it was not. */
void uvr_supervisor_start(uvr_supervisor *self);

/* To be called with uvrelay_close(), which closes the mux and with it the process's standard input. A process that has
 * not ended one second later is killed. on_closed comes once, later, and before the loop can end. */
void uvr_supervisor_close(uvr_supervisor *self, void (*on_closed)(void *user), void *user);

/* When that was called: kills the process at once. */
void uvr_supervisor_kill(uvr_supervisor *self);

#endif
