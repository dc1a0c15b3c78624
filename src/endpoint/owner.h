/* Who owns a target, and whether that is somebody whom the option `owner` names. It is found out when the connection is
 * made, before anything is sent. An empty list, or NULL, names everybody. */
#ifndef UVR_ENDPOINT_OWNER_H
#define UVR_ENDPOINT_OWNER_H

#include <uv.h>

#include "address/address.h"
#include "base/error.h"

/* Checks that the list suits the target: that the system tells who owns it, and that the list names somebody who can.
 * Returns 0, or UV_EINVAL and *error. */
int uvr_owner_check_list(const uvr_address *target, const char *list, uvrelay_error_t *error);

/* The same for the users who may be clients of a listener. */
int uvr_owner_check_peers(const uvr_address *listener, const char *list, uvrelay_error_t *error);

/* Checks the owner of what was connected to: on Windows a named pipe, on Unix a socket, which belongs to the user whose
 * process has called listen(). `name` is what messages call it. Returns 0; or UV_EPERM and *error if somebody else
 * owns it, or if that cannot be found out. */
int uvr_owner_check_peer(uv_os_fd_t peer, const char *name, const char *list, uvrelay_error_t *error);

/* The same for an open file. */
int uvr_owner_check_file(uv_file file, const char *name, const char *list, uvrelay_error_t *error);

/* For the systems. */

/* Checks that the words that can name somebody on this system do. Returns 0, or UV_EINVAL and *error. */
int uvr_owner_check_here(const char *list, uvrelay_error_t *error);

/* Refuses an owner, who is described by `owner`; `self` is whom the word user names. Returns UV_EPERM. */
int uvr_owner_refuse(const char *name, const char *owner, const char *list, const char *self, uvrelay_error_t *error);

/* Refuses what has no owner that could be found out. Returns UV_EPERM. */
int uvr_owner_unknown(const char *name, const char *why, uvrelay_error_t *error);

#endif
