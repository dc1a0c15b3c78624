/* From an address to incoming streams, whatever kind it is of. */
#ifndef UVR_ENDPOINT_LISTEN_H
#define UVR_ENDPOINT_LISTEN_H

#include "address/address.h"
#include "stream/stream.h"

typedef struct uvr_listener uvr_listener;

typedef struct uvr_listen_options {
  unsigned permissions; /* of a Unix socket's file */
  bool message;         /* a named pipe's type */
  bool allow_remote;    /* TCP need not be on loopback */
} uvr_listen_options;

typedef struct uvr_listen_events {
  void (*on_client)(void *user, uvr_stream *stream); /* which belongs to the callee, and may outlive the listener */
  /* There are clients that cannot be taken, for want of descriptors or memory. It is tried again and again. */
  void (*on_trouble)(void *user, const uvrelay_error_t *error);
  void (*on_relief)(void *user);                             /* and that is over */
  void (*on_fail)(void *user, const uvrelay_error_t *error); /* there will be no clients any more: the last event */
  void *user;
} uvr_listen_events;

/* Listens on *address, which was parsed with UVR_ADDRESS_LISTEN; a port 0 in it is replaced by the one that was chosen.
 * Events come from the loop, later. Returns 0, or a negative code and *error: UV_EADDRINUSE, UV_EEXIST when there is a
 * file that is no socket, UV_EACCES when another computer could connect, and others. It keeps the loop running. */
int uvr_listen(uvr_context *context, uvr_address *address, const uvr_listen_options *options,
               const uvr_listen_events *events, uvr_listener **out, uvrelay_error_t *error);

/* Whether clients shall wait: then no on_client comes. */
void uvr_listener_pause(uvr_listener *listener, bool pause);

/* Closes it; a socket's file is removed at once. on_close comes once, later, last. */
void uvr_listener_close(uvr_listener *listener, uvr_close_cb on_close, void *user);

/* What acceptor_unix.c and acceptor_win.c implement: sockets that listen. It is used like
 * npipe_listen.h. */
typedef struct uvr_socket_listener uvr_socket_listener;

/* `error` NULL: at least one client may wait to be taken. Else none will come any more: the last call. */
typedef void (*uvr_socket_client_cb)(void *user, const uvrelay_error_t *error);

/* `ip` is where TCP listens; else NULL. The streams are called `client_name`, which must outlast the listener. */
int uvr_listen_socket(uvr_context *context, uvr_address *address, const struct sockaddr *ip,
                      const uvr_listen_options *options, const char *client_name, uvr_socket_client_cb on_client,
                      void *user, uvr_socket_listener **out, uvrelay_error_t *error);

/* Whether on_client shall not come. When it shall again it comes for those that have waited. */
void uvr_socket_pause(uvr_socket_listener *listener, bool pause);

/* Takes a client. Returns 0; UV_EAGAIN: none waits; else *error, and the client may still wait. */
int uvr_socket_take(uvr_socket_listener *listener, uvr_stream **out, uvrelay_error_t *error);

void uvr_socket_close(uvr_socket_listener *listener, uvr_close_cb on_close, void *user);

/* Whether only this computer can connect to it: the loopback network. */
bool uvr_listen_is_loopback(const struct sockaddr *address);

/* Its port. */
uint16_t uvr_listen_port(const struct sockaddr *address);

/* UV_EACCES, with the reason. */
int uvr_listen_refuse_remote(const char *name, uvrelay_error_t *error);

#endif
