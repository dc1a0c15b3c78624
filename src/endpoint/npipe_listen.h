/* A named pipe that waits for clients: npipe_listen_win.c. On Unix every call gives UV_ENOTSUP. */
#ifndef UVR_ENDPOINT_NPIPE_LISTEN_H
#define UVR_ENDPOINT_NPIPE_LISTEN_H

#include "stream/stream.h"

typedef struct uvr_npipe_listener uvr_npipe_listener;

typedef struct uvr_npipe_listen_options {
  bool message;            /* message type and mode, else bytes */
  size_t buffer_size;      /* of the pipe's own buffers, each way, in bytes */
  unsigned backlog;        /* how many instances wait, at least 1: so many clients may be connected and not taken */
  const char *client_name; /* what messages call a client's stream; must outlast the listener. NULL: as the pipe. */
} uvr_npipe_listen_options;

/* `error` NULL: one more client can be taken; it may have gone meanwhile, leaving something to read. Else no client
 * waits to be taken, and none will come any more: the last call. */
typedef void (*uvr_npipe_client_cb)(void *user, const uvrelay_error_t *error);

/* Makes the pipe `path`, \\.\pipe\NAME in UTF-8, which must not exist yet and which only the current user may open,
 * from this computer only. `name` is what messages call it; both are copied. on_client comes from the loop, later, as
 * often as there are clients, until uvr_npipe_listener_close. Returns 0, or a negative code and *error: UV_EADDRINUSE
 * when there is such a pipe, UV_EACCES, and others. It keeps the loop running until it is closed or has failed. */
int uvr_npipe_listen(uvr_context *context, const char *path, const char *name, const uvr_npipe_listen_options *options,
                     uvr_npipe_client_cb on_client, void *user, uvr_npipe_listener **out, uvrelay_error_t *error);

/* Makes a stream of `context`, on the same loop, of the client that has waited longest; the stream may outlive the
 * listener. Returns 0, or *error and UV_EAGAIN when none waits, or UV_ENOMEM, and then the client still waits. */
int uvr_npipe_accept(uvr_npipe_listener *listener, uvr_context *context, uvr_stream **out, uvrelay_error_t *error);

/* Closes it, with the clients that nobody has taken. on_close comes once, later, last. */
void uvr_npipe_listener_close(uvr_npipe_listener *listener, uvr_close_cb on_close, void *user);

#endif
