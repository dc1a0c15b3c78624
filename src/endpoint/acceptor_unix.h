/* Accepting on a socket that listens, on Unix: what the kinds there need beyond acceptor.h. */
#ifndef UVR_ENDPOINT_ACCEPTOR_UNIX_H
#define UVR_ENDPOINT_ACCEPTOR_UNIX_H

#include "endpoint/acceptor.h"
#include "endpoint/socket_file_unix.h"

/* How many clients may wait in the kernel. */
enum { UVR_ACCEPTOR_BACKLOG = 4096 };

/* Accepts on `fd`, a non-blocking socket that listens and belongs to the acceptor then, also when this fails. `type` is
 * that of its clients' handles, UV_TCP or UV_NAMED_PIPE. `file`, which may be NULL, is removed when the acceptor is
 * closed. Returns 0, or a code and *error. */
int uvr_acceptor_unix(const uvr_listen_request *request, int fd, uv_handle_type type, uvr_socket_file *file,
                      uvr_acceptor **out, uvrelay_error_t *error);

/* Sets *error: the address cannot be listened on, for this reason. Returns `code`. */
int uvr_acceptor_fail(uvrelay_error_t *error, const uvr_address *address, int code);

#endif
