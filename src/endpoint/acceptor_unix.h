/* Accepting clients on a listening socket on Unix: what the kinds there need in addition to acceptor.h. */
#ifndef UVR_ENDPOINT_ACCEPTOR_UNIX_H
#define UVR_ENDPOINT_ACCEPTOR_UNIX_H

#include "endpoint/acceptor.h"
#include "endpoint/socket_file_unix.h"

/* How many clients may wait in the kernel to be accepted. */
enum { UVR_ACCEPTOR_BACKLOG = 4096 };

/* A socket that listens. It is non-blocking, unless it is shared. */
typedef struct uvr_unix_listener {
  int fd;
  bool shared;                 /* other processes may accept on it, too: it is left blocking if it is */
  uv_handle_type type;         /* of the clients' handles: UV_TCP or UV_NAMED_PIPE */
  const uvr_socket_file *file; /* the file to remove when the acceptor is closed; may be NULL */
  bool tuned;                  /* TCP: it sends without delay and is armed (uvr_stream_arm), and so is each client */
  bool loopback;               /* TCP: all clients are on this computer */
  bool only_own;               /* if the option peer-uid does not say who, only the user of this process may connect */
} uvr_unix_listener;

/* Makes an acceptor for a listening socket and takes ownership of the socket and its file, even on failure. Returns 0
 * and *out, or a negative code and *error. */
int uvr_acceptor_unix(const uvr_listen_request *request, const uvr_unix_listener *listener, uvr_acceptor **out,
                      uvrelay_error_t *error);

#endif
