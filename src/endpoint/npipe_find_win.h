/* Finding the pipe that an address with a * at its end means, and opening a pipe only if its owner is one of those
 * named.
 */
#ifndef UVR_ENDPOINT_NPIPE_FIND_WIN_H
#define UVR_ENDPOINT_NPIPE_FIND_WIN_H

#include "address/address.h"
#include "endpoint/attempt.h"

/* Opens a pipe, and closes it again if its owner is not in the list. Returns 0 and *file; or a negative
 * code and *error. */
int uvr_npipe_open_owned(const char *path, const char *name, uvrelay_impersonation_t level, const char *owner,
                         uv_os_fd_t *file, uvrelay_error_t *error);

/* Opens the one pipe whose name begins as that of `address` does before its *. Left out are pipes that options->check
 * refuses and, where several are left, those that options->owner does not name. Returns 0, *file, and the pipe's own
 * address in *found; or a negative code and *error, with *found undefined:
 * - UV_ENOENT: there is none
 * - UV_EINVAL: there are several, which the text lists
 * - or why that one cannot be used. */
int uvr_npipe_find(const uvr_address *address, const uvr_connect_options *options, uvr_address *found, uv_os_fd_t *file,
                   uvrelay_error_t *error);

#endif
