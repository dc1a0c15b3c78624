/* The file of a Unix socket that is listened on: its permissions, its replacement, its removal. */
#ifndef UVR_ENDPOINT_SOCKET_FILE_UNIX_H
#define UVR_ENDPOINT_SOCKET_FILE_UNIX_H

#include <sys/stat.h>

#include "address/address.h"

/* Which file was made. */
typedef struct uvr_socket_file {
  char path[UVR_ADDRESS_UNIX_MAX + 1]; /* empty: none */
  dev_t device;
  ino_t inode;
} uvr_socket_file;

/* Makes a socket that listens on address->path, with these permissions, never wider ones; replaces a socket that nobody
 * listens on. Returns its descriptor, or a negative code and *error: UV_EADDRINUSE when somebody listens there,
 * UV_EEXIST when there is something else, which is left alone, and others. */
int uvr_socket_file_listen(const uvr_address *address, unsigned permissions, uvr_socket_file *file,
                           uvrelay_error_t *error);

/* Removes it, unless somebody has put another in its place. */
void uvr_socket_file_remove(uvr_socket_file *file);

#endif
