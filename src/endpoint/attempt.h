/* One attempt to connect to an address: what all kinds of endpoints share. A dial makes attempts, one after another; a
 * kind says how one goes, by a uvr_connector.
 *
 * A kind's struct begins with a uvr_attempt. `connect` starts the attempt, whose end is told by exactly one call of
 * uvr_attempt_succeed or uvr_attempt_fail, perhaps from within `connect`. Either may free the attempt: return at once
 * afterwards. An attempt that is closed first ends without such a call. */
#ifndef UVR_ENDPOINT_ATTEMPT_H
#define UVR_ENDPOINT_ATTEMPT_H

#include <stdint.h>

#include "address/address.h"
#include "endpoint/via.h"
#include "stream/stream.h"

typedef struct uvr_attempt uvr_attempt;

/* What only some kinds look at. */
typedef struct uvr_connect_options {
  uvrelay_impersonation_t level; /* of a named pipe */
  int spare_fd;                  /* for the connection: uvr_os_open_spare_fd; closed when it is used */
  uvr_via *via;                  /* for an address that is marked `via` */
  uvrelay_eof_t eof;             /* the same */
  uint64_t linger_ms;            /* the same; 0: never */
  /* Refuses an IP address that a name or a file led to, or a path, which may be a link: returns 0, or a code and
   * *error. May be NULL. */
  int (*check)(void *user, const uvr_address *place, uvrelay_error_t *error);
  void *check_user;
} uvr_connect_options;

typedef struct uvr_connector {
  size_t size; /* of the kind's struct, bytes; its memory is zeroed */
  void (*connect)(uvr_attempt *attempt);
  /* Begins to close what only this kind has, by uvr_closing_handle or by cancelling its requests. May be NULL. */
  void (*close)(uvr_attempt *attempt);
  /* Frees what only this kind has, when all is closed. May be NULL. */
  void (*clear)(uvr_attempt *attempt);
} uvr_connector;

/* `stream` belongs to the callee; or it is NULL, and `error`, which lasts as long as the call, says why. */
typedef void (*uvr_attempt_cb)(void *user, uvr_stream *stream, const uvrelay_error_t *error);

struct uvr_attempt {
  const uvr_connector *connector;
  uvr_context *context;
  const uvr_address *address;   /* the dial's */
  uvr_connect_options *options; /* the same */
  uvr_attempt_cb on_result;
  void *user;
  uvr_stream *stream;   /* being connected */
  uv_connect_t request; /* its */
  uvr_closing closing;  /* its streams; requests that are under way */
  uvr_close_cb on_closed;
  void *closed_user;
  uvrelay_error_t error; /* for uvr_attempt_fail */
  bool over;             /* the result was given, or the attempt is being closed */
  bool progressed;       /* so far that no earlier attempt's error explains a time-out */
};

/* Makes an attempt; NULL when there is no memory. The address and the options must outlast it. */
uvr_attempt *uvr_attempt_new(uvr_context *context, const uvr_connector *connector, const uvr_address *address,
                             uvr_connect_options *options, uvr_attempt_cb on_result, void *user);

/* Starts it. The attempt may be gone afterwards, if its callback closes it. */
void uvr_attempt_start(uvr_attempt *attempt);

/* Ends the attempt, whether it has had its result or not, and frees it. `on_closed` comes once, perhaps before this
 * returns. */
void uvr_attempt_close(uvr_attempt *attempt, uvr_close_cb on_closed, void *user);

/* For the kinds. */

/* Gives away attempt->stream. */
void uvr_attempt_succeed(uvr_attempt *attempt);

/* attempt->error says what happened. */
void uvr_attempt_fail(uvr_attempt *attempt);

/* The same, with a code of libuv's: "cannot connect to ADDRESS: ..." */
void uvr_attempt_fail_with(uvr_attempt *attempt, int code);

/* Makes attempt->stream around a new handle of libuv's, which attempt->request may connect. Returns 0 or a code. */
int uvr_attempt_make_stream(uvr_attempt *attempt, uv_handle_type type);

/* Closes attempt->stream, so that another one can be made. */
void uvr_attempt_drop_stream(uvr_attempt *attempt);

/* For the callback of attempt->request: NULL when the stream was closed meanwhile, else the attempt. */
uvr_attempt *uvr_attempt_of_request(uv_connect_t *request, int code);

#endif
