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
  dev_t directory_device;
  ino_t directory_inode;
} uvr_socket_file;

/* Makes a socket that listens on address->path. Its file has these permissions from its first instant on. Replaces the
 * file of a socket on which no process listens. Changes no file but these two, whatever others do in the directory
 * meanwhile. Returns a descriptor, or a negative code and *error: UV_EADDRINUSE when another program listens there, or
 * has taken the place meanwhile; UV_EEXIST when the path is not a socket, which is left as it is; UV_EPERM when the
 * file cannot have the permissions; and others. */
int uvr_socket_file_listen(const uvr_address *address, unsigned permissions, uvr_socket_file *file,
                           uvrelay_error_t *error);

/* Removes the file, unless another one has taken its place, or that of its directory. Returns 0, or a negative code if
 * it is still there. */
int uvr_socket_file_remove(uvr_socket_file *file);

#endif
