/* One attempt to connect to an address: what all kinds of endpoints share. A dial makes one attempt after another; the
 * uvr_connector of the address's kind defines how an attempt is made.
 *
 * A kind's struct begins with a uvr_attempt. `connect` starts the attempt. The kind reports the result by exactly one
 * call of uvr_attempt_succeed or uvr_attempt_fail, perhaps from within `connect`. Either call may free the attempt, so
 * return at once afterwards. An attempt that is closed before it has a result ends without such a call. */
#ifndef UVR_ENDPOINT_ATTEMPT_H
#define UVR_ENDPOINT_ATTEMPT_H

#include <stdint.h>

#include "address/address.h"
#include "endpoint/via.h"
#include "stream/stream.h"

typedef struct uvr_attempt uvr_attempt;

/* Each option matters to some kinds only. */
typedef struct uvr_connect_options {
  uvrelay_impersonation_t level; /* what a named pipe's server is granted */
  bool keep_room;                /* while the target is waited for, a descriptor is kept for the connection */
  int spare_fd;                  /* that descriptor, by uvr_os_open_spare_fd; it belongs to the dial; 0: none */
  const struct sockaddr *ip;     /* the address, if it is an IP address and has been parsed already, or NULL */
  uvr_via *via;                  /* what an address that is marked `via` is connected through */
  uvrelay_eof_t eof;             /* passed on to `via` */
  uint64_t linger_ms;            /* passed on to `via`; 0: no limit */
  const char *owner;             /* who may own the target: see owner.h; must outlast the dial; NULL: anybody */
  bool waits_for_absent;         /* passed on to `via`: an absent target is asked for again */
  bool is_retry;                 /* an attempt has failed already: what it has looked at may be taken as known */
  /* Whether the IP address that a name or a file led to, a path, which may be a link, or a pipe whose name begins as
   * the address says, may be connected to. Returns 0, or a negative code and *error. May be NULL. */
  int (*check)(void *user, const uvr_address *place, uvrelay_error_t *error);
  void *check_user;
  /* `check` is asked about the real path of what is at the path of a socket or a socket file, and exactly that is used
   * then, wherever the path leads by then. Where there is nothing that can be opened, it is asked about the path as it
   * is written, so that only a client that may connect there learns of that; and so where no pipe's name begins as the
   * address says. */
  bool check_real;
  bool arms; /* the stream is for a session: a TCP connection is armed (uvr_stream_arm) before it is made */
} uvr_connect_options;

typedef struct uvr_connector {
  size_t size; /* of the kind's struct, in bytes; all that only this kind has is zero at first */
  void (*connect)(uvr_attempt *attempt);
  /* Begins to close what only this kind has: adds its handles to attempt->closing and cancels its requests. May be
   * NULL. */
  void (*close)(uvr_attempt *attempt);
  /* Frees what only this kind has, after everything is closed. May be NULL. */
  void (*clear)(uvr_attempt *attempt);
} uvr_connector;

/* `stream` belongs to the callee. If it is NULL, the attempt has failed, and `error`, which is valid during the call,
 * says why. */
typedef void (*uvr_attempt_cb)(void *user, uvr_stream *stream, const uvrelay_error_t *error);

struct uvr_attempt {
  const uvr_connector *connector;
  uvr_context *context;
  const uvr_address *address;   /* belongs to the dial */
  uvr_connect_options *options; /* belong to the dial */
  uvr_attempt_cb on_result;
  void *user;
  uvr_stream *stream;   /* is being connected */
  uv_connect_t request; /* connects `stream` */
  uv_write_t probe;     /* a write of nothing, which ends when `stream` is connected: see tcp.c */
  uv_connect_cb on_connected;
  uvr_closing closing; /* counts streams that are being closed and requests that are under way */
  uvr_close_cb on_closed;
  void *closed_user;
  uvrelay_error_t error; /* what uvr_attempt_fail reports */
  const char *waits_for; /* why there is no result yet, as the end of a sentence; NULL: the target does not answer */
  bool over;             /* the result was reported, or the attempt is being closed */
  bool progressed;       /* got so far that an earlier attempt's error does not explain a time-out */
};

/* Makes an attempt, which must be closed. Returns NULL when there is no memory. The address and the options must
 * outlast it. */
uvr_attempt *uvr_attempt_new(uvr_context *context, const uvr_connector *connector, const uvr_address *address,
                             uvr_connect_options *options, uvr_attempt_cb on_result, void *user);

/* Starts the attempt. on_result may be called before this returns; if it closes the attempt, the attempt may be freed
 * by then. */
void uvr_attempt_start(uvr_attempt *attempt);

/* Ends the attempt, whether or not it has a result, and frees it. `on_closed` is called once, perhaps before this
 * returns. */
void uvr_attempt_close(uvr_attempt *attempt, uvr_close_cb on_closed, void *user);

/* For the kinds. */

/* Reports success and hands over attempt->stream. */
void uvr_attempt_succeed(uvr_attempt *attempt);

/* Reports failure with attempt->error. */
void uvr_attempt_fail(uvr_attempt *attempt);

/* Reports failure with a code of libuv: "cannot connect to ADDRESS: ..." */
void uvr_attempt_fail_with(uvr_attempt *attempt, int code);

/* Takes the spare descriptor, if options->keep_room says so. Call this before waiting without a stream, as for a name
 * that is looked up. */
void uvr_attempt_keep_room(const uvr_context *context, uvr_connect_options *options);

/* Makes attempt->stream around a new handle of libuv, which attempt->request can connect. Closes the spare descriptor
 * first. Returns 0 or a negative code. */
int uvr_attempt_make_stream(uvr_attempt *attempt, uv_handle_type type);

/* Closes attempt->stream, so that another one can be made. */
void uvr_attempt_drop_stream(uvr_attempt *attempt);

/* For the callback of attempt->request: returns the attempt, or NULL if the stream has been closed in the meantime. */
uvr_attempt *uvr_attempt_of_request(uv_connect_t *request, int code);

#endif
