/* The mux: what its files share. mux.c is the whole of it, near.c and far.c what the two ends do with streams, stream.c
 * a stream of the mux as the rest of the relay sees it, carrier.c one carrier's life. */
#ifndef UVR_MUX_CORE_H
#define UVR_MUX_CORE_H

#include "base/list.h"
#include "endpoint/via.h"
#include "mux/carrier.h"
#include "uvrelay/mux.h"

/* The longest request and the longest answer, in bytes with their newlines. */
#define UVR_MUX_LINE_MAX 2048

typedef struct uvr_mux uvr_mux;

/* How the far end's sessions behave. */
typedef struct uvr_mux_session_options {
  uint64_t linger_ms; /* as in uvrelay_session_options_t, and so the others */
  uint64_t idle_ms;
  uvrelay_eof_t eof_to_target;
} uvr_mux_session_options;

/* What its owner is told and asked. */
typedef struct uvr_mux_events {
  void (*on_event)(void *user, const uvrelay_mux_event_t *event);
  /* Near: nothing is left of the mux; its memory is the owner's again. */
  void (*on_closed)(void *user);
  /* Far: whether connections may still be made. */
  bool (*may_connect)(void *user);
  /* Far: relays between the stream and the target that it asked for, which belong to the callee then. `address` is how
   * the near end gave the target; it lasts as long as the call. False: there is no memory, and they are still the
   * caller's. */
  bool (*start)(void *user, uvr_stream *stream, uvr_stream *target, const char *address,
                const uvr_mux_session_options *options);
  void *user;
} uvr_mux_events;

struct uvr_mux {
  uvr_via via;          /* near: for those that connect through it */
  uvr_context *context; /* of the carrier */
  uvr_context *streams; /* the same, with smaller buffers: of what goes over it */
  uvrelay_mux_role_t role;
  uvrelay_mux_options_t options;
  char **allow; /* far: the patterns, ours */
  uvr_mux_events events;
  uvr_mux_carrier *carrier; /* the one in use, or NULL */
  uvr_list waiting;         /* near: streams to be opened, in their order */
  uvrelay_error_t why;      /* there is no carrier; its code is 0 when nothing is known */
  uv_timer_t wakeup;        /* brings what must come from the loop */
  uv_timer_cb on_wakeup;
  bool needed; /* NEEDED was emitted, and no carrier has come */
  bool detaching;
  bool closing;
  unsigned references; /* by routes, sessions, streams and carriers: until then it stays */
};

/* Keep the mux until the same number of unrefs. */
void uvr_mux_ref(uvr_mux *mux);
void uvr_mux_unref(uvr_mux *mux);

/* Makes the wakeup come. */
void uvr_mux_wake(uvr_mux *mux);

void uvr_mux_emit(uvr_mux *mux, uvrelay_mux_event_t event);

#endif
