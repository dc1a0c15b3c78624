/* A named pipe that waits for clients. On Unix, listening fails with UV_ENOTSUP. */
#ifndef UVR_ENDPOINT_NPIPE_LISTEN_H
#define UVR_ENDPOINT_NPIPE_LISTEN_H

#include "stream/stream.h"

typedef struct uvr_npipe_listener uvr_npipe_listener;

typedef struct uvr_npipe_listen_options {
  bool message;            /* message type and mode instead of byte type */
  size_t buffer_size;      /* size of the pipe's own buffer for each direction, in bytes */
  unsigned backlog;        /* how many clients may be connected without being accepted, at least 1 */
  const char *client_name; /* what messages call each client; must outlast the listener; NULL: the pipe's name */
} uvr_npipe_listen_options;

/* `error` is NULL when one more client can be accepted; it may already have disconnected and left something to read.
 * Otherwise no client is waiting and no more will come, and this is the last call. */
typedef void (*uvr_npipe_client_cb)(void *user, const uvrelay_error_t *error);

/* Makes the pipe `path`, \\.\pipe\NAME in UTF-8, which must not exist yet. Only the current user may open it, from
 * this computer, by a process that is trusted as far as this one (user_only_win.h). `name` is what messages call the
 * pipe; both are copied. on_client is called from the loop, once for each client, until uvr_npipe_listener_close. The
 * listener keeps the loop running until it is closed or has failed. Returns 0 and *out, or a negative code and *error:
 * UV_EADDRINUSE when the pipe exists, UV_EACCES, and others.
 */
int uvr_npipe_listen(uvr_context *context, const char *path, const char *name, const uvr_npipe_listen_options *options,
                     uvr_npipe_client_cb on_client, void *user, uvr_npipe_listener **out, uvrelay_error_t *error);

/* Accepts the client that has waited longest, as a stream of `context`, which must be on the same loop. The stream may
 * outlive the listener. Returns 0 and *out; or, with *error, UV_EAGAIN when no client is waiting, or UV_ENOMEM, after
 * which the client keeps waiting. */
int uvr_npipe_accept(uvr_npipe_listener *listener, uvr_context *context, uvr_stream **out, uvrelay_error_t *error);

/* Closes the listener and the clients that have not been accepted. on_close is called once, later, and last. */
void uvr_npipe_listener_close(uvr_npipe_listener *listener, uvr_close_cb on_close, void *user);

#endif
