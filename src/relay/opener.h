/* An opener: the only way from a public endpoint to a stream, for both sides of a session and for the carrier of a mux.
 */
#ifndef UVR_RELAY_OPENER_H
#define UVR_RELAY_OPENER_H

#include "address/address.h"
#include "endpoint/via.h"
#include "relay/relay.h"

typedef struct uvr_opener {
  uvrelay_endpoint_t endpoint;
  const uvr_address *address; /* UVRELAY_ADDRESS: the address to dial; NULL once it has been dialled */
  uvr_address *own_address;   /* the same, if the opener has allocated it */
  uvr_via *via;               /* what the address is connected through, or NULL; referenced from uvr_opener_commit on */
  uvr_stream *stream;         /* the stream, from when it is made until somebody else owns it */
} uvr_opener;

/* Checks an endpoint completely and adopts it. `name` is what messages call it. Returns 0, or a code for uvrelay_start
 * to return, with the relay's error set (except for UV_ENOMEM). Until uvr_opener_commit, uvr_opener_give_back undoes
 * the adoption; it must also be called after a failure, and if there are two openers, for the last one first. */
int uvr_opener_adopt(uvrelay_t *relay, uvr_opener *opener, const uvrelay_endpoint_t *given, const char *name);
void uvr_opener_give_back(uvrelay_t *relay, uvr_opener *opener);

/* Makes the adoption final. uvr_opener_give_back must not be called afterwards. */
void uvr_opener_commit(uvr_opener *opener);

/* Whether the endpoint is this stream of the host. */
bool uvr_opener_is_stream(const uvr_opener *opener, const uv_stream_t *stream);

typedef enum uvr_opening {
  UVR_OPENING_DONE,    /* opener->stream is set */
  UVR_OPENING_ADDRESS, /* the endpoint is an address, which the caller has to dial */
  UVR_OPENING_WAITS,   /* call again in a millisecond */
  UVR_OPENING_FAILED   /* *error says why */
} uvr_opening;

/* Makes the stream of the endpoint. */
uvr_opening uvr_opener_open(uvr_context *context, uvr_opener *opener, uvrelay_error_t *error);

/* Frees the address, which is not needed once it has been dialled. */
void uvr_opener_forget_address(const uvrelay_allocator_t *memory, uvr_opener *opener);

/* Closing takes two steps. uvr_opener_close closes the stream if the opener still has it. uvr_opener_release releases
 * the rest; it must be called after every stream that was made of the endpoint is closed. What takes time is added to
 * `closing`. */
void uvr_opener_close(uvr_opener *opener, uvr_closing *closing);
void uvr_opener_release(uvr_opener *opener, uvr_closing *closing);

/* Frees what the opener has. This is the last call. */
void uvr_opener_clear(const uvrelay_allocator_t *memory, uvr_opener *opener);

#endif
