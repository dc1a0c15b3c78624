/* The handshake that proves to the server of a libassuan socket file that we have read the file. */
#ifndef UVR_ENDPOINT_ASSUAN_HANDSHAKE_H
#define UVR_ENDPOINT_ASSUAN_HANDSHAKE_H

#include "address/assuan.h"
#include "stream/stream.h"

/* `error` is NULL when the connection is ready. `rest` holds the bytes that followed the handshake, or is NULL; it
 * belongs to the callee. */
typedef void (*uvr_handshake_cb)(void *user, uvr_buffer *rest, const uvrelay_error_t *error);

typedef enum uvr_handshake_state {
  UVR_HANDSHAKE_NONCE,       /* sending the nonce */
  UVR_HANDSHAKE_ECHO,        /* Cygwin: receiving the nonce back */
  UVR_HANDSHAKE_CREDENTIALS, /* Cygwin: sending our credentials */
  UVR_HANDSHAKE_ANSWER,      /* Cygwin: receiving the server's credentials */
  UVR_HANDSHAKE_LAST_WRITE,  /* Cygwin: everything is received, but the last write is still under way */
  UVR_HANDSHAKE_OVER
} uvr_handshake_state;

typedef struct uvr_handshake {
  uvr_context *context; /* NULL if it was never started */
  uvr_stream *stream;
  uv_timer_t *timer;
  uvr_handshake_cb on_done;
  void *user;
  uvr_handshake_state state;
  uvr_assuan file;
  uvr_buffer *output;
  bool writing;
  uvr_buffer *rest; /* kept during UVR_HANDSHAKE_LAST_WRITE */
  size_t wanted;    /* bytes to receive in this state */
  size_t have;      /* bytes of them received so far */
  size_t sent;      /* bytes of our credentials sent so far */
  unsigned char input[UVR_ASSUAN_NONCE_SIZE];
} uvr_handshake;

/* Starts the handshake on a connected stream. It uses `timer`, whose data must be the handshake, until on_done. on_done
 * is called once, perhaps before this returns, unless uvr_handshake_stop is called first. */
void uvr_handshake_start(uvr_handshake *handshake, uvr_stream *stream, uv_timer_t *timer, const uvr_assuan *file,
                         uvr_handshake_cb on_done, void *user);

/* Wipes the secret and frees the buffers. Must be called after uvr_handshake_start, once the stream is closed or
 * on_done was called. It may be called twice, and for a handshake that is all zero. */
void uvr_handshake_stop(uvr_handshake *handshake);

#endif
