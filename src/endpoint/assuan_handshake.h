/* Proves to the server of a libassuan socket file that we have read the file. */
#ifndef UVR_ENDPOINT_ASSUAN_HANDSHAKE_H
#define UVR_ENDPOINT_ASSUAN_HANDSHAKE_H

#include "address/assuan.h"
#include "stream/stream.h"

/* error NULL: the connection is ready. `rest` holds bytes that came behind the handshake, or is NULL; it belongs to the
 * callee. */
typedef void (*uvr_handshake_cb)(void *user, uvr_buffer *rest, const uvrelay_error_t *error);

typedef enum uvr_handshake_state {
  UVR_HANDSHAKE_NONCE,       /* sending the nonce */
  UVR_HANDSHAKE_ECHO,        /* Cygwin: receiving it back */
  UVR_HANDSHAKE_CREDENTIALS, /* Cygwin: sending ours */
  UVR_HANDSHAKE_ANSWER,      /* Cygwin: receiving theirs */
  UVR_HANDSHAKE_LAST_WRITE,  /* all is received, the last write is still under way */
  UVR_HANDSHAKE_OVER
} uvr_handshake_state;

typedef struct uvr_handshake {
  uvr_context *context; /* NULL: never started */
  uvr_stream *stream;
  uv_timer_t *timer;
  uvr_handshake_cb on_done;
  void *user;
  uvr_handshake_state state;
  uvr_assuan file;
  uvr_buffer *output;
  bool writing;
  uvr_buffer *rest; /* kept while in UVR_HANDSHAKE_LAST_WRITE */
  size_t wanted;    /* bytes of the state's input */
  size_t have;
  size_t sent; /* of our credentials */
  unsigned char input[UVR_ASSUAN_NONCE_SIZE];
} uvr_handshake;

/* Starts it on a connected stream. `timer` is lent until on_done; its data must be the handshake. on_done comes once,
 * unless uvr_handshake_stop comes first. */
void uvr_handshake_start(uvr_handshake *handshake, uvr_stream *stream, uv_timer_t *timer, const uvr_assuan *file,
                         uvr_handshake_cb on_done, void *user);

/* Wipes the secret and forgets the rest. Needed after uvr_handshake_start, once the stream is closed or on_done came;
 * twice is allowed, and so is a handshake of all zeros. */
void uvr_handshake_stop(uvr_handshake *handshake);

#endif
