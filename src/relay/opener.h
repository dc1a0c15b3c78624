/* The only way from a public endpoint to a stream: for both sides of a session, and for what carries a mux. */
#ifndef UVR_RELAY_OPENER_H
#define UVR_RELAY_OPENER_H

#include "address/address.h"
#include "endpoint/via.h"
#include "relay/relay.h"

typedef struct uvr_opener {
  uvrelay_endpoint_t endpoint;
  const uvr_address *address; /* UVRELAY_ADDRESS; NULL once it is not needed any more */
  uvr_address *own_address;   /* the same, if it is the opener's own */
  uvr_via *via;               /* of the endpoint; it has a reference of ours from uvr_opener_begin on */
  uvr_stream *stream;         /* when it is there, and not given to somebody else */
} uvr_opener;

/* Checks everything that can be wrong with an endpoint and adopts it, in a way that uvr_opener_give_back undoes, last
 * adopted first. `name` is for messages. Returns 0, or a code that uvrelay_start returns, with the relay's error set
 * (but for UV_ENOMEM); then, too, uvr_opener_give_back is to be called. */
int uvr_opener_adopt(uvrelay_t *relay, uvr_opener *opener, const uvrelay_endpoint_t *given, const char *name);
void uvr_opener_give_back(uvrelay_t *relay, uvr_opener *opener);

/* From here on there is no giving back. */
void uvr_opener_begin(uvr_opener *opener);

/* Whether it is this stream of the host's. */
bool uvr_opener_is_stream(const uvr_opener *opener, const uv_stream_t *stream);

typedef enum uvr_opening {
  UVR_OPENING_DONE,    /* its stream is there */
  UVR_OPENING_ADDRESS, /* it is an address, to be dialled */
  UVR_OPENING_WAITS,   /* to be asked again in a millisecond */
  UVR_OPENING_FAILED   /* *error says why */
} uvr_opening;

/* Makes its stream. */
uvr_opening uvr_opener_open(uvr_context *context, uvr_opener *opener, uvrelay_error_t *error);

/* Frees its address, which is not needed once it is dialled. */
void uvr_opener_forget_address(const uvrelay_allocator_t *memory, uvr_opener *opener);

/* Closes what is there, in two steps: first the stream, if it still has it; then, when every stream that was made of it
 * is closed, the rest. What takes time is added to `closing`. */
void uvr_opener_close(uvr_opener *opener, uvr_closing *closing);
void uvr_opener_release(uvr_opener *opener, uvr_closing *closing);

/* Frees what it has. Last. */
void uvr_opener_clear(const uvrelay_allocator_t *memory, uvr_opener *opener);

#endif
