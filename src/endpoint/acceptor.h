/* Accepting clients on one address: what the acceptors of all kinds share.
 *
 * An acceptor announces clients, and its owner, a listener, accepts them. Sockets are accepted on in acceptor_unix.c
 * and acceptor_win.c, named pipes in npipe_win.c. A kind's struct begins with a uvr_acceptor. */
#ifndef UVR_ENDPOINT_ACCEPTOR_H
#define UVR_ENDPOINT_ACCEPTOR_H

#include "address/address.h"
#include "stream/stream.h"
#include "uvrelay.h"

typedef struct uvr_acceptor uvr_acceptor;

typedef struct uvr_acceptor_ops {
  size_t size; /* of the kind's struct, in bytes */
  /* Accepts a client. Returns 0 and *out; UV_EAGAIN if no client is waiting; UV_EPERM if a client was closed, because
   * it was not allowed to connect (then *error has UV_EACCES) or could not be taken; any other code with *error, and
   * the client keeps waiting. */
  int (*accept)(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error);
  /* Stops or resumes the calls of on_client; resuming calls it at once if a client is waiting. May be NULL for a kind
   * that calls on_client exactly once for each client. */
  void (*pause)(uvr_acceptor *acceptor, bool pause);
  /* Begins to close what only this kind has, and adds it to acceptor->closing. */
  void (*close)(uvr_acceptor *acceptor);
} uvr_acceptor_ops;

/* `error` is NULL when at least one client may be waiting to be accepted. Otherwise no more clients will come, and this
 * is the last call. */
typedef void (*uvr_client_cb)(void *user, const uvrelay_error_t *error);

struct uvr_acceptor {
  const uvr_acceptor_ops *ops;
  uvr_context *context;
  const char *client_name; /* what messages call each client */
  uvrelay_peer_t peer;     /* of the client that was accepted or refused last */
  uvr_client_cb on_client;
  void *user;
  uvr_closing closing; /* may also count streams that are closed while the acceptor is open */
  uvr_close_cb on_closed;
  void *closed_user;
};

typedef struct uvr_listen_options {
  unsigned permissions; /* file permissions that say who may connect */
  bool message;         /* a named pipe is of message type */
  const char *peer_uid; /* the users who may connect, as a list; must outlast the acceptor; empty: see the kind */
  bool allow_remote;    /* TCP may listen on addresses other than loopback ones */
} uvr_listen_options;

/* What a kind is asked to listen on. */
typedef struct uvr_listen_request {
  uvr_context *context;
  uvr_address *address; /* a port 0 in it is replaced by the port that was chosen */
  uvr_address *place;   /* all zero at first; for an address that only names a socket, set to where that socket listens,
                           if this is known */
  const uvr_listen_options *options;
  const char *client_name; /* what messages call each client; must outlast the acceptor */
  uvr_client_cb on_client; /* called from the loop only, until the acceptor is closed */
  void *user;
} uvr_listen_request;

/* Closes the acceptor and the clients that have not been accepted, and frees it. `on_closed`, which may be NULL, is
 * called once, later, and last. */
void uvr_acceptor_close(uvr_acceptor *acceptor, uvr_close_cb on_closed, void *user);

/* The same for an acceptor that its owner never gets, because something else has failed: its context's leftovers wait
 * for it. */
void uvr_acceptor_abandon(uvr_acceptor *acceptor);

/* Listens on a TCP port. Returns 0 and *out, or a negative code and *error. */
int uvr_acceptor_tcp(const uvr_listen_request *request, const struct sockaddr *ip, uvr_acceptor **out,
                     uvrelay_error_t *error);

/* The same for one port of two addresses, as one acceptor: the second is listened on with the port of the first one. An
 * address that the system lacks is left out; if the port is taken on either, neither is listened on. */
int uvr_acceptor_tcp_pair(const uvr_listen_request *request, const struct sockaddr_storage ips[2], uvr_acceptor **out,
                          uvrelay_error_t *error);

/* For the kinds. */

/* Allocates an acceptor of ops->size bytes, in which all that only this kind has is zero. Returns NULL and *error when
 * there is no memory. */
uvr_acceptor *uvr_acceptor_new(const uvr_acceptor_ops *ops, const uvr_listen_request *request, uvrelay_error_t *error);

/* The peer of a client about which nothing is known. */
#define UVR_PEER_UNKNOWN ((uvrelay_peer_t){.uid = -1})

/* Sets *error to say that `code` is why the address cannot be listened on. Returns `code`. */
int uvr_acceptor_fail(uvrelay_error_t *error, const uvr_address *address, int code);

/* Sets *error to say that `code` is why a client could not be taken and was closed. Returns `code`. */
int uvr_acceptor_lose(const uvr_acceptor *acceptor, int code, uvrelay_error_t *error);

#endif
