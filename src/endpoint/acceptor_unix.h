/* Accepting on a socket that listens, on Unix: what the kinds there need beyond acceptor.h. */
#ifndef UVR_ENDPOINT_ACCEPTOR_UNIX_H
#define UVR_ENDPOINT_ACCEPTOR_UNIX_H

#include "endpoint/acceptor.h"
#include "endpoint/socket_file_unix.h"

/* How many clients may wait in the kernel. */
enum { UVR_ACCEPTOR_BACKLOG = 4096 };

/* A socket that listens, non-blocking. */
typedef struct uvr_unix_listener {
  int fd;
  uv_handle_type type;         /* of its clients' handles: UV_TCP or UV_NAMED_PIPE */
  const uvr_socket_file *file; /* is removed when the acceptor is closed; may be NULL */
  /* Whether the client that `fd` leads to may connect; else *error says who was refused and why. `name` is what
   * messages call the client. NULL: everyone may who can. */
  bool (*admits)(int fd, const char *name, uvrelay_error_t *error);
} uvr_unix_listener;

/* Accepts on a listener, which belongs to the acceptor from then on, also when this fails. Returns 0, or a code and
 * *error. */
int uvr_acceptor_unix(const uvr_listen_request *request, const uvr_unix_listener *listener, uvr_acceptor **out,
                      uvrelay_error_t *error);

#endif
