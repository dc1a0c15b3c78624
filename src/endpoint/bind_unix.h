/* Binding a Unix socket to a path, with the permissions that its file is to have. */
#ifndef UVR_ENDPOINT_BIND_UNIX_H
#define UVR_ENDPOINT_BIND_UNIX_H

#include <sys/un.h>

/* Binds the socket. Its file has these permissions from its first instant on, whatever the umask is, unless the file
 * system does not keep them, a default ACL of the directory forbids them, or the system permits no child process and
 * the umask takes some of them away: then it has fewer, or those of the file system. Returns 0 or a negative code. */
int uvr_bind_with_permissions(int fd, const struct sockaddr_un *name, unsigned permissions);

#endif
