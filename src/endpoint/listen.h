/* Listening: from an address of any kind to a stream for each client. */
#ifndef UVR_ENDPOINT_LISTEN_H
#define UVR_ENDPOINT_LISTEN_H

#include "endpoint/acceptor.h"

typedef struct uvr_listener uvr_listener;

typedef struct uvr_listen_events {
  /* The stream belongs to the callee and may outlive the listener. `peer` is the client, or NULL if nothing is known.
   */
  void (*on_client)(void *user, uvr_stream *stream, const uvrelay_peer_t *peer);
  /* A client was not allowed to connect and was closed. */
  void (*on_refused)(void *user, const uvrelay_peer_t *peer, const uvrelay_error_t *error);
  /* A waiting client cannot be accepted for lack of descriptors or memory. Accepting is tried again and again. */
  void (*on_trouble)(void *user, const uvrelay_error_t *error);
  void (*on_relief)(void *user); /* after on_trouble: clients have been accepted again for a while */
  void (*on_fail)(void *user, const uvrelay_error_t *error); /* no more clients will come; this is the last event */
  void *user;
} uvr_listen_events;

/* Listens on *address, which was parsed with UVR_ADDRESS_LISTEN. A port 0 in it is replaced by the port that was
 * chosen. Sets *place to the address that clients connect to: to *address itself, unless that only names a socket.
 * Events come from the loop only. The listener keeps the loop running. Returns 0 and *out, or a negative code and
 * *error: UV_EADDRINUSE; UV_EEXIST when there is a file that is not a socket; UV_EACCES when other computers could
 * connect; and others. */
int uvr_listen(uvr_context *context, uvr_address *address, const uvr_listen_options *options,
               const uvr_listen_events *events, uvr_listener **out, uvr_address *place, uvrelay_error_t *error);

/* Pauses or resumes accepting. While paused, on_client is not called and clients wait in the system's queue. */
void uvr_listener_pause(uvr_listener *listener, bool pause);

/* Gives the listener to another user: its events go there from now on. */
void uvr_listener_hand_over(uvr_listener *listener, void *user);

/* Closes the listener. The file of a Unix socket is removed at once. on_closed is called once, later, and last. */
void uvr_listener_close(uvr_listener *listener, uvr_close_cb on_closed, void *user);

#endif
