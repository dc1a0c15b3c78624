/* What the parts of the command serve share. */
#ifndef UVR_CLI_SERVE_SERVER_H
#define UVR_CLI_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "cli/child/command.h"
#include "cli/child/supervisor.h"
#include "cli/control/server.h"
#include "cli/input/config.h"
#include "cli/input/serve_options.h"
#include "cli/os/detach.h"
#include "cli/os/directory.h"
#include "cli/os/paths.h"
#include "cli/os/signals.h"
#include "cli/output/log.h"
#include "uvrelay.h"

enum { UVR_LOG_PATIENCE_MS = 1000 }; /* for the log's reader */

typedef struct uvr_server uvr_server;

/* A route that is served. */
typedef struct uvr_served {
  uvr_server *server;
  uvr_config_route wanted; /* its text belongs to it; its place has no file */
  uvrelay_route_t *route;  /* NULL: not added yet, or gone */
  uint64_t error_at;       /* loop time of its last error, ms */
  bool lost;               /* its listener has failed */
  bool kept;               /* the reload that is under way does not remove it */
  bool leaving;            /* it was removed, and frees itself */
} uvr_served;

/* A route of the new configuration, during a reload. */
typedef struct uvr_reload_entry {
  uvr_served *served; /* NULL once it is given up */
  uvr_served *from;   /* the one whose place it takes; NULL: none, or it is gone already */
  uvr_served *back;   /* the same as `from`, to listen again in its place after a failure; or NULL */
  bool kept;          /* `served` is an old one */
  bool changed;       /* it takes a place */
  bool replaced;      /* it has taken over the listener of `from` */
  bool swapped;       /* `from` was removed for it */
  uvr_place place;    /* its place in a file */
  unsigned turn;      /* in which it took its place or was added; 0: not yet */
} uvr_reload_entry;

/* A reload. */
typedef struct uvr_reload {
  bool running;
  bool notified; /* the service manager knows of it */
  bool again;    /* it was asked for again meanwhile */
  uvr_serve_options options;
  uvr_config config;
  uvr_made_directories made; /* for sockets */
  uvr_reload_entry *entries;
  size_t count;
  unsigned turns;   /* how many there were */
  uv_timer_t timer; /* for listeners that cannot be taken over */
  uint64_t until;   /* loop time when the listener of `next` must be there, ms */
  size_t next;      /* index of the entry that is swapped next */
  bool restoring;   /* it has failed, and what was there is made again */
  unsigned lost;    /* how many routes could not be made again */
  uvr_place place;  /* of the error, if it has failed */
  uvrelay_error_t error;
  uvr_control_client *askers[UVR_CONTROL_CLIENTS_MAX]; /* who wait for its result */
  size_t asker_count;
  uvr_control_client *next_askers[UVR_CONTROL_CLIENTS_MAX]; /* who wait for the one after it */
  size_t next_asker_count;
} uvr_reload;

/* What is sent to the service manager: see manager.h. */
typedef struct uvr_manager {
  uv_timer_t timer;
  bool timed;     /* the timer is open */
  char line[256]; /* what was sent last; cut, if it is longer */
} uvr_manager;

struct uvr_server {
  uvr_serve_options given;              /* the command line alone */
  uvr_serve_options options;            /* with what the files say */
  char *configs[UVR_SERVE_CONFIGS_MAX]; /* the files' absolute paths, allocated */
  size_t config_count;
  uvr_log log;
  uvr_config config; /* of the start: owns text of the options */
  uvr_served **served;
  size_t count;
  size_t going;              /* routes that were removed and are not gone yet */
  uint64_t received;         /* bytes that routes that are gone have received from the far end */
  uvr_report_route *rows;    /* memory for the table of the status */
  uvr_made_directories made; /* for sockets, at the start */
  uv_loop_t loop;
  uvrelay_t *relay;
  uvr_command command; /* of the far end; without words if none is needed */
  const char *command_line;
  char *own_via;             /* memory of options.via, if a reload has set it; or NULL */
  uvr_supervisor supervisor; /* of the far end */
  bool supervised;           /* it was made and is not closed yet */
  bool spare;                /* a reload has made it, and none that needs it has succeeded: it is not used so far */
  bool busy;                 /* the loop could not be closed: a thread may use it until the process ends */
  uvr_signals signals;
  uv_timer_t timer; /* of --status, then of the end */
  uvr_control_server control;
  bool controlled; /* it listens, or is being closed */
  uvr_reload reload;
  uvr_manager manager;
  uvr_detached detached;                 /* with --background, until it listens */
  int64_t since;                         /* when it began to listen, in seconds since 1970 */
  uint64_t ready_at;                     /* the same as loop time, ms */
  uint64_t cut;                          /* connections that did not end by themselves */
  void (*on_all_lost)(uvr_server *self); /* all routes have stopped listening */
  char usual_log[UVR_PATH_SIZE];         /* with --background: the log, unless another one is given */
  bool stopping;
  bool closing;
  int status;
};

#endif
