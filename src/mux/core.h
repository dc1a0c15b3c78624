/* What the files of the mux share. carrier.c handles one carrier, stream.c makes a stream of the mux look like any
 * other stream, near.c and far.c are what the two ends do with streams, and mux.c puts all of this together. */
#ifndef UVR_MUX_CORE_H
#define UVR_MUX_CORE_H

#include "address/allow.h"
#include "base/list.h"
#include "endpoint/via.h"
#include "mux/carrier.h"
#include "uvrelay/mux.h"

/* The length of the longest request or answer, in bytes with the newline. */
#define UVR_MUX_LINE_MAX 2048

/* The default of the option `linger` of a request. */
#define UVR_MUX_LINGER_MS 25000

typedef struct uvr_mux uvr_mux;

/* How a session of the far end behaves: see uvrelay_session_options_t. */
typedef struct uvr_mux_session_options {
  uint64_t linger_ms;
  uint64_t idle_ms;
  uvrelay_eof_t eof_to_target;
} uvr_mux_session_options;

/* The calls to the mux's owner. */
typedef struct uvr_mux_events {
  void (*on_event)(void *user, const uvrelay_mux_event_t *event);
  /* The mux is closed, and nothing refers to it. The owner may free it. */
  void (*on_closed)(void *user);
  /* Far end: returns whether new connections may be made. */
  bool (*may_connect)(void *user);
  /* Far end: starts a session between a stream and its target, which then belong to the callee. `address` is the
   * target's address; it is valid during the call. Returns false when there is no memory, and the caller keeps both. */
  bool (*start_session)(void *user, uvr_stream *stream, uvr_stream *target, const char *address,
                        const uvr_mux_session_options *options);
  void *user;
} uvr_mux_events;

struct uvr_mux {
  uvr_via via;          /* near end: what others connect through; must be the first member */
  uvr_context *context; /* for the carrier */
  uvr_context *streams; /* for the streams over the carrier: the same context, but with smaller buffers */
  uvrelay_mux_role_t role;
  uvrelay_mux_options_t options;
  uvr_allow **allow; /* far end: what the owner has made of options.allow */
  uvr_mux_events events;
  uvr_mux_carrier *carrier; /* the current one, or NULL */
  uvr_list waiting;         /* near end: streams that wait to be opened, in their order */
  uvr_list asked;           /* near end: streams whose request was not answered yet, in their order */
  uvrelay_error_t why;      /* why there is no carrier; its code is 0 if no reason is known */
  uv_timer_t wakeup;        /* calls on_wakeup from the loop */
  uv_timer_cb on_wakeup;
  bool needed; /* NEEDED was emitted, and no carrier has ended since */
  bool detaching;
  bool closing;
  unsigned references; /* held by the owner, routes, sessions, streams and carriers */
};

/* Each ref keeps the mux in memory until its unref. */
void uvr_mux_ref(uvr_mux *mux);
void uvr_mux_unref(uvr_mux *mux);

/* Makes the loop call on_wakeup. */
void uvr_mux_wake(uvr_mux *mux);

void uvr_mux_emit(uvr_mux *mux, uvrelay_mux_event_t event);

#endif
