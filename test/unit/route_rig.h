/* A host of routes, for their tests: a loop, a relay whose memory is counted, a target that echoes, clients, a journal
 * of each route's events, and a disturbance at a chosen moment.
 *
 * In whatever way it goes, what the interface promises is asserted: no callback comes from within a call and none after
 * the last; each OPENED has one CLOSED, later; the counters agree; and all memory, handles and descriptors are given
 * back. */
#ifndef ROUTE_RIG_H
#define ROUTE_RIG_H

#include "mux_pair.h"
#include "rig.h"
#include "scratch.h"
#include "tcp_peer.h"
#include "uvrelay.h"

enum {
  ROUTE_COUNT = 4,
  ROUTE_CLIENTS = 16,
  ROUTE_NUMBERS = 32,
  ROUTE_JOURNAL = 256,
  ROUTE_ADDRESS = 768,
  ROUTE_RECEIVED = 64
};

/* Each call of a function that the host has given to the relay. */
typedef enum route_call {
  CALL_OPENED,
  CALL_CLOSED,
  CALL_PAUSED,
  CALL_RESUMED,
  CALL_FAILED,
  CALL_REMOVED,
  CALL_STOPPED,
  CALL_MUX,
  CALL_LOG,
  CALL_ALLOCATE,
  CALL_RELEASE,
  CALL_COUNT
} route_call;

typedef enum route_action {
  ROUTE_CLOSES,   /* the relay */
  ROUTE_STOPS,    /* it, at once */
  ROUTE_DRAINS,   /* it, whatever time that takes */
  ROUTE_REMOVES,  /* the first route, at once */
  ROUTE_LEAVES,   /* the same, when its sessions have ended */
  ROUTE_CANCELS,  /* every session */
  ROUTE_ADDS,     /* a route */
  ROUTE_DETACHES, /* the carrier of the near end's mux, if there is one */
  ROUTE_ACTIONS
} route_action;

typedef struct route_host route_host;

typedef struct host_route {
  route_host *h;
  uvrelay_route_t *route; /* NULL: not there, or no longer */
  uvrelay_route_options_t options;
  char address[ROUTE_ADDRESS]; /* where it listens, canonical */
  char journal[ROUTE_JOURNAL]; /* "O1 P C1 R ": opened, paused, closed, resumed; F: failed; -: removed */
  uint64_t opened;             /* the last number */
  uint64_t open;
  uint64_t failed;
  uint64_t to_target; /* of those that are closed */
  uint64_t to_client;
  uvrelay_session_t *sessions[ROUTE_NUMBERS]; /* by number; NULL: not open */
  uvrelay_result_t results[ROUTE_NUMBERS];
  uvrelay_error_t error; /* of the last PAUSED or FAILED */
  bool refuses;          /* some clients may be refused for lack of memory, without an event */
  bool removing;
  bool removed; /* its callback came */
  bool ending;  /* it was asked to listen no more */
  uint64_t ending_since;
} host_route;

typedef struct route_client {
  route_host *h;
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } as;
  uv_connect_t connect;
  uv_shutdown_t shutdown;
  unsigned seed;
  size_t to_send; /* at first */
  bool ends;      /* when all of that has come back */
  bool stays;     /* it does not hang up at the other side's end */
  bool connected;
  bool open;
  bool ended;
  bool over; /* closed */
  int code;  /* of connecting or reading, other than the end of input */
  size_t received;
  char data[ROUTE_RECEIVED];
} route_client;

struct route_host {
  rig r;
  uvrelay_t *relay;
  scratch files;
  peer target;
  char target_address[ROUTE_ADDRESS];
  uv_tcp_t absent; /* has a port and does not listen */
  char absent_address[ROUTE_ADDRESS];
  host_route routes[ROUTE_COUNT];
  route_client clients[ROUTE_CLIENTS];
  unsigned client_count;
  mux_pair muxes;   /* for STORY_VIA */
  unsigned calling; /* functions of the relay that we are in */
  bool no_memory;   /* for the relay */
  bool stopping;
  bool stopped; /* the stop callback came */
  bool closing;
  bool closed;    /* the close callback came */
  uint64_t turns; /* of the loop */
  /* The disturbance: at call number `act_at`, from 1, of this kind. */
  route_action action;
  route_call act_call;
  size_t act_at; /* 0: none */
  bool acted;
  size_t calls[CALL_COUNT]; /* so far */
  uv_timer_t beat;          /* ends a turn in which nothing happens */
  unsigned descriptors;     /* open in the process at first */
  bool leaves_files;        /* the test has put some into the directory */
};

/* A host whose target listens; no relay yet. */
route_host *route_host_new(void);

/* Makes the relay. Returns what uvrelay_new gave. */
int route_host_open(route_host *h);

/* Adds route number `i`, with our callback put into the options. Asserts that a failure has its detail and leaves
 * nothing. Returns what uvrelay_route_add gave. */
int route_add(route_host *h, unsigned i, const char *listen, const char *target,
              const uvrelay_route_options_t *options);

/* Puts route number `i` in the place of number `replaced`, like route_add. */
int route_replace(route_host *h, unsigned i, unsigned replaced, const char *listen, const char *target,
                  const uvrelay_route_options_t *options, uint64_t timeout_ms);

void route_remove(route_host *h, unsigned i, uint64_t timeout_ms);
void route_host_stop(route_host *h, uint64_t timeout_ms);
void route_host_act(route_host *h, route_action action);

/* A new client of that address. `to_send` bytes go when it is connected; with `ends` it half-closes when they are back,
 * and hangs up at the other side's end in any case. */
route_client *route_client_start(route_host *h, const char *address, size_t to_send, bool ends);
void route_client_send(route_client *c, size_t size);
void route_client_end(route_client *c);
void route_client_hang_up(route_client *c);

/* One turn of the loop, which waits for something to happen, but not long. */
void route_turn(route_host *h);

uint64_t route_now_ms(void);

/* Makes both ends of a mux in the relay. Returns the first failure. */
int route_host_open_muxes(route_host *h, const uvrelay_mux_options_t *near_options,
                          const uvrelay_mux_options_t *far_options);

/* Turns until it is so; fails when that takes too long. */
#define ROUTE_WAIT(h, condition)                                                                                       \
  for (uint64_t since_ = route_now_ms(); !(condition); route_turn(h)) {                                                \
    if (route_now_ms() - since_ > RIG_PATIENCE_MS) {                                                                   \
      fail_msg("it takes too long until %s", #condition);                                                              \
    }                                                                                                                  \
  }

/* Turns for so long. */
void route_run_ms(route_host *h, uint64_t ms);

void assert_journal(const route_host *h, unsigned i, const char *expected);

/* Asserts that the counters of a route that is still there are what its events say. */
void check_route_counters(const host_route *route);

/* Closes everything and asserts that all is given back. */
void route_host_free(route_host *h);

/* The address of a Unix socket of that name in the host's directory. Returns `address`. */
const char *route_unix_address(const route_host *h, const char *name, char address[ROUTE_ADDRESS]);

/* A story in which each callback comes: two clients of a route that takes one at a time, and one of a route whose
 * target is absent; when they are over the first route is removed and the relay stopped. */
typedef enum route_story {
  STORY_TCP,
  STORY_VIA,  /* over a mux in the same relay */
  STORY_UNIX, /* the first route listens on a Unix socket, and its target is the Unix socket of another route */
  STORY_COUNT
} route_story;

#ifdef _WIN32
#define STORIES_HERE STORY_UNIX
#else
#define STORIES_HERE STORY_COUNT
#endif

/* Returns the first failure to add a route; none is added after it. */
int story_begin(route_host *h, route_story story);

/* Goes on where it can. Returns whether it is at its end. */
bool story_step(route_host *h);

#endif
