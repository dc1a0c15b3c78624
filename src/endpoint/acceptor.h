/* What accepts clients on one address: the sockets of acceptor_unix.c and acceptor_win.c, and named pipes. */
#ifndef UVR_ENDPOINT_ACCEPTOR_H
#define UVR_ENDPOINT_ACCEPTOR_H

#include "address/address.h"
#include "stream/stream.h"

typedef struct uvr_acceptor uvr_acceptor;

typedef struct uvr_acceptor_ops {
  /* Accepts a client. Returns 0; UV_EAGAIN: none waits; UV_EPERM: one that may not connect was closed, and *error says
   * why; else *error, and the client may still wait. */
  int (*accept)(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error);
  /* Stops calling on_client, or calls it again, at once if a client has waited. May be NULL: it calls once a client. */
  void (*pause)(uvr_acceptor *acceptor, bool pause);
  /* Closes it, with the clients that nobody has accepted, and frees it. `on_closed` comes once, later, last. */
  void (*close)(uvr_acceptor *acceptor, uvr_close_cb on_closed, void *user);
} uvr_acceptor_ops;

struct uvr_acceptor {
  const uvr_acceptor_ops *ops;
};

/* `error` NULL: at least one client may wait to be accepted. Else no client will come any more: the last call. */
typedef void (*uvr_client_cb)(void *user, const uvrelay_error_t *error);

typedef struct uvr_listen_options {
  unsigned permissions; /* who may connect, as those of a file */
  bool message;         /* a named pipe's type */
  bool allow_remote;    /* TCP need not be on loopback */
} uvr_listen_options;

/* What a kind is asked to listen on. */
typedef struct uvr_listen_request {
  uvr_context *context;
  uvr_address *address; /* a port 0 in it is replaced by the one that was chosen */
  uvr_address *place;   /* where an address that names a socket listens, if that is known; all zero at first */
  const uvr_listen_options *options;
  const char *client_name; /* of each stream; must outlast the acceptor */
  uvr_client_cb on_client; /* from the loop, later, until it is closed */
  void *user;
} uvr_listen_request;

/* Listens on a TCP port: each system's own way. */
int uvr_acceptor_tcp(const uvr_listen_request *request, const struct sockaddr *ip, uvr_acceptor **out,
                     uvrelay_error_t *error);

#endif
