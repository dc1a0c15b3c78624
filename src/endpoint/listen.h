/* From an address to incoming streams, whatever kind it is of. */
#ifndef UVR_ENDPOINT_LISTEN_H
#define UVR_ENDPOINT_LISTEN_H

#include "endpoint/acceptor.h"

typedef struct uvr_listener uvr_listener;

typedef struct uvr_listen_events {
  void (*on_client)(void *user, uvr_stream *stream); /* which belongs to the callee, and may outlive the listener */
  void (*on_refused)(void *user, const uvrelay_error_t *error); /* a client that may not connect was closed */
  /* Clients wait that cannot be accepted, for want of descriptors or memory. It is tried again and again. */
  void (*on_trouble)(void *user, const uvrelay_error_t *error);
  void (*on_relief)(void *user);                             /* and that is over */
  void (*on_fail)(void *user, const uvrelay_error_t *error); /* there will be no clients any more: the last event */
  void *user;
} uvr_listen_events;

/* Listens on *address, which was parsed with UVR_ADDRESS_LISTEN; a port 0 in it is replaced by the one that was chosen.
 * *place becomes the address that the clients connect to: *address itself, unless that only names a socket. Events come
 * from the loop, later. Returns 0, or a negative code and *error: UV_EADDRINUSE, UV_EEXIST when there is a file that is
 * no socket, UV_EACCES when another computer could connect, and others. It keeps the loop running. */
int uvr_listen(uvr_context *context, uvr_address *address, const uvr_listen_options *options,
               const uvr_listen_events *events, uvr_listener **out, uvr_address *place, uvrelay_error_t *error);

/* Pauses or resumes accepting. While paused, on_client is not called and clients wait in the system's queue. */
void uvr_listener_pause(uvr_listener *listener, bool pause);

/* Closes it; a socket's file is removed at once. on_closed comes once, later, last. */
void uvr_listener_close(uvr_listener *listener, uvr_close_cb on_closed, void *user);

#endif
