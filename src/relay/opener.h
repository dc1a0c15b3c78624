/* One side of a session, or what carries a mux: from the public endpoint to a stream, and to its end. */
#ifndef UVR_RELAY_OPENER_H
#define UVR_RELAY_OPENER_H

#include "address/address.h"
#include "stream/stream.h"
#include "uvrelay.h"

typedef struct uvr_side {
  uvrelay_endpoint_t endpoint;
  uvr_address *address; /* UVRELAY_ADDRESS */
  uvr_stream *stream;   /* when it is there, and not given to somebody else */
} uvr_side;

/* Looks at all that can be wrong with an endpoint and takes it, in a way that uvr_side_give_back undoes, last taken
 * first. `name` is for messages. Returns 0, or a code that uvrelay_start returns, with the relay's error set (but for
 * UV_ENOMEM); then, too, uvr_side_give_back is to be called. */
int uvr_side_take(uvrelay_t *relay, uvr_side *side, const uvrelay_endpoint_t *given, const char *name);
void uvr_side_give_back(uvrelay_t *relay, uvr_side *side);

/* From here on there is no giving back. */
void uvr_side_begin(uvr_side *side);

/* Whether it is this libuv stream. */
bool uvr_side_is_stream(const uvr_side *side, const uv_stream_t *stream);

typedef enum uvr_side_state {
  UVR_SIDE_OPEN,    /* its stream is there */
  UVR_SIDE_ADDRESS, /* it is an address, to be dialled */
  UVR_SIDE_WAITS,   /* to be asked again in a millisecond */
  UVR_SIDE_FAILED   /* *error says why */
} uvr_side_state;

/* Makes its stream. */
uvr_side_state uvr_side_open(uvr_context *context, uvr_side *side, uvrelay_error_t *error);

/* Closes what is there, in two steps, each of which returns true if on_close will come, once, later: first the stream,
 * if it still has it, then, when every stream that was made of it is closed, the rest. */
bool uvr_side_close(uvr_side *side, uvr_close_cb on_close, void *user);
bool uvr_side_release(uvr_side *side, uvr_close_cb on_close, void *user);

/* Frees its address. Last. */
void uvr_side_clear(const uvrelay_allocator_t *memory, uvr_side *side);

#endif
