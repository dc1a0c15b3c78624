/* A host of the public relay, for its tests: a loop, a relay whose memory is counted, sessions whose sides are of every
 * kind and have scripted far ends, and a disturbance at a chosen moment.
 *
 * In whatever way it goes, what the interface promises is asserted: each callback comes once, in its order, none from
 * within a call and none after the last; the bytes are right; memory stays within its bound; and all memory, handles
 * and descriptors are given back. */
#ifndef RELAY_RIG_H
#define RELAY_RIG_H

#include "relay_side.h"

enum { HOST_SESSIONS = 4, HOST_BLOCKS = 512, ANY_SIDE = -1 };

typedef struct relay_scenario {
  const char *name;
  side_kind left;
  side_kind right;
  far_script left_far;
  far_script right_far;
  uvrelay_session_options_t options; /* without their size */
  size_t buffer_size;
  unsigned sessions; /* alike; 0: 1 */
  bool in_turn;      /* each is started by the done callback of the one before */
  bool large;        /* too long to be repeated often */
  /* What must come of it. */
  bool stays; /* it does not end by itself */
  uvrelay_reason_t reason;
  int side; /* or ANY_SIDE */
  int code;
  uvrelay_phase_t phase;
  uint64_t to_right;
  uint64_t to_left;
} relay_scenario;

/* In relay_scenarios.c. */
extern const relay_scenario relay_scenarios[];
extern const size_t relay_scenario_count;

/* Each call of a function that the host has given to the relay. */
typedef enum host_event {
  EVENT_DONE,
  EVENT_STOPPED,
  EVENT_STREAM_CLOSED,
  EVENT_LOG,
  EVENT_ALLOCATE,
  EVENT_RELEASE,
  EVENT_COUNT
} host_event;

typedef enum host_action { ACTION_NONE, ACTION_CLOSE, ACTION_CANCEL, ACTION_STOP, ACTION_COUNT } host_action;

typedef struct host host;

typedef struct host_session {
  host *h;
  relay_side left;
  relay_side right;
  uvrelay_session_t *handle; /* valid as long as it is not NULL */
  bool taken;                /* both sides belong to the relay */
  bool over;                 /* the done callback came */
  uvrelay_result_t result;
} host_session;

struct host {
  rig r;
  const relay_scenario *s;
  scratch files;
  uvrelay_t *relay;
  host_session sessions[HOST_SESSIONS];
  unsigned count;
  unsigned begun;   /* sessions that were to be started so far */
  unsigned running; /* sessions whose done callback is to come */
  bool idle;        /* none of them, and none will be started by itself */
  unsigned calling; /* functions of the relay that we are in */
  bool stopping;
  bool stopped; /* the stop callback came */
  bool closing;
  bool closed; /* the close callback came */
  /* The disturbance: at event number `act_at`, from 1, of this kind. */
  host_action action;
  host_event act_event;
  size_t act_at;
  bool acted;
  size_t events[EVENT_COUNT]; /* so far */
  size_t bytes;               /* of the relay's memory */
  size_t bytes_max;
  struct {
    void *block;
    size_t size;
  } blocks[HOST_BLOCKS];
  uv_timer_t beat; /* ends a turn in which nothing happens */
  uv_timer_t watchdog;
  unsigned descriptors; /* open in the process at first */
};

/* A host whose sides are connected, with no relay yet. */
host *host_new(const relay_scenario *s);

/* Makes the relay. Returns what uvrelay_new gave. */
int host_open(host *h);

/* Starts session number `i`. Returns what uvrelay_start gave. */
int host_start(host *h, unsigned i);

/* Starts those that are to start at first. Returns the first failure. */
int host_start_all(host *h);

/* One turn of the loop, which waits for something to happen, but not long. */
void host_turn(host *h);

/* Stops the relay, once; `stopped` tells when. */
void host_stop(host *h, uint64_t timeout_ms);

/* Cancels every session, or stops the relay at once or closes it, unless that was done already. */
void host_act(host *h, host_action action);

/* Runs until no session is under way; cancels those that stay, after a moment. */
void host_wait(host *h);

/* Asserts that what the scenario says has come of it. */
void host_check(host *h);

/* Asserts that it has ended as the scenario says, or was stopped, or, if `memory`, for lack of memory. */
void host_check_disturbed(const host *h, bool memory);

/* Closes everything and asserts that all is given back. */
void host_free(host *h);

#endif
