/* The file of a listening Unix socket: its permissions, its replacement and its removal. */
#ifndef UVR_ENDPOINT_SOCKET_FILE_UNIX_H
#define UVR_ENDPOINT_SOCKET_FILE_UNIX_H

#include <sys/stat.h>

#include "address/address.h"

/* The file that was made, so that no other file is removed. */
typedef struct uvr_socket_file {
  char path[UVR_ADDRESS_UNIX_MAX + 1]; /* empty: there is no file */
  dev_t device;
  ino_t inode;
} uvr_socket_file;

/* Makes a socket that listens on address->path. Its file has these permissions and never wider ones. Replaces the file
 * of a socket that nobody listens on. Returns a descriptor, or a negative code and *error: UV_EADDRINUSE when another
 * program listens there; UV_EEXIST when the path is not a socket, which is left as it is; and others. */
int uvr_socket_file_listen(const uvr_address *address, unsigned permissions, uvr_socket_file *file,
                           uvrelay_error_t *error);

/* Removes the file, unless another one has taken its place. */
void uvr_socket_file_remove(uvr_socket_file *file);

#endif
