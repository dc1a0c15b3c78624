/* Passed sockets as a kind of endpoint: fd:// addresses, which can only be listened on.
 *
 * Happy path: the socket is found by the protocol of systemd, which other service managers use, too. LISTEN_FDS says
 * how many descriptors from 3 on were passed to the process LISTEN_PID, and LISTEN_FDNAMES has their names, separated
 * by colons. The socket moves to another descriptor, and its address becomes the place of the listener.
 *
 * Ways to fail: no socket was passed, or none of that name or number; the descriptor is not a listening stream socket;
 * other computers could reach it, and that was not allowed. */
#include "endpoint/passed_socket_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "endpoint/acceptor_unix.h"
#include "endpoint/ip.h"
#include "endpoint/kind.h"
#include "stream/nothing_unix.h"

enum { FIRST = 3, MOST = 4096 };

/* How many descriptors were passed to this process. */
static unsigned count_passed(void)
{
  const char *fds = getenv("LISTEN_FDS");
  const char *pid = getenv("LISTEN_PID");
  unsigned count = 0;
  unsigned process = 0;
  bool ours = fds != NULL && pid != NULL && uvr_number_parse(fds, 10, MOST, &count) &&
              uvr_number_parse(pid, 10, INT32_MAX, &process) && process == (unsigned)getpid();
  return ours ? count : 0;
}

/* Returns the index of the name in LISTEN_FDNAMES, or `count` if it is not there. */
static unsigned find_name(const char *name, unsigned count)
{
  const char *names = getenv("LISTEN_FDNAMES");
  for (unsigned i = 0; names != NULL && i < count; i++) {
    size_t length = strcspn(names, ":");
    if (length == strlen(name) && strncmp(names, name, length) == 0) {
      return i;
    }
    names = names[length] == ':' ? names + length + 1 : NULL;
  }
  return count;
}

/* Finds the family of a listening stream socket. Returns what is wrong with it, as the end of a sentence, or NULL. */
static const char *find_family(int fd, int *family)
{
  int listens = 0;
  int type = 0;
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t listens_length = sizeof(listens);
  socklen_t type_length = sizeof(type);
  socklen_t name_length = sizeof(name);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0) {
    return errno == EBADF ? "it is not open" : "it is not a socket";
  }
  if (type != SOCK_STREAM) {
    return "it receives datagrams, but uvrelay relays byte streams: write ListenStream= in the socket unit";
  }
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_length) != 0 || listens == 0) {
    return "it does not listen: write Accept=no in the socket unit";
  }
  if (getsockname(fd, (struct sockaddr *)&name, &name_length) != 0 ||
      (name.ss_family != AF_UNIX && name.ss_family != AF_INET && name.ss_family != AF_INET6)) {
    return "it is neither a Unix socket nor a TCP socket";
  }
  *family = name.ss_family;
  return NULL;
}

int uvr_passed_socket_find(const uvr_address *address, int *family, uvrelay_error_t *error)
{
  unsigned count = count_passed();
  if (count == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EBADF,
                         "cannot listen on %s: no socket was passed to this process (LISTEN_FDS and LISTEN_PID): start "
                         "it from a systemd socket unit",
                         address->canonical);
  }
  unsigned number = 0;
  bool by_number = uvr_number_parse(address->path, 10, INT32_MAX, &number);
  unsigned place = by_number ? (number >= FIRST ? number - FIRST : count) : find_name(address->path, count);
  if (place >= count) {
    return by_number ? uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EBADF,
                                     "cannot listen on %s: the sockets passed to this process are 3 to %u",
                                     address->canonical, FIRST + count - 1)
                     : uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EBADF,
                                     "cannot listen on %s: no socket with this name was passed (LISTEN_FDNAMES): check "
                                     "FileDescriptorName= in the socket unit",
                                     address->canonical);
  }
  int fd = (int)(FIRST + place);
  const char *fault = find_family(fd, family);
  return fault == NULL ? fd
                       : uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOTSOCK,
                                       "cannot listen on %s: descriptor %d is not a listening stream socket: %s",
                                       address->canonical, fd, fault);
}

/* Moves the socket to another descriptor, which is returned. The old number is kept in use by nothing, so that it can
 * neither be listened on again nor be reused for another socket. */
static int adopt(int fd, const uvr_address *address, uvrelay_error_t *error)
{
  int nowhere = uvr_open_nothing(O_RDWR);
  int own = nowhere < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
  int code = own < 0 || dup3(nowhere, fd, O_CLOEXEC) < 0 ? uvr_acceptor_fail(error, address, -errno) : own;
  if (nowhere >= 0) {
    (void)close(nowhere);
  }
  if (code < 0 && own >= 0) {
    (void)close(own);
  }
  return code;
}

typedef union socket_name {
  struct sockaddr any;
  struct sockaddr_un path;
  struct sockaddr_storage ip;
} socket_name;

/* Sets *place to the address that the socket is bound to, if uvrelay has a form for it. */
static void find_place(const socket_name *name, socklen_t length, uvr_address *place)
{
  if (name->any.sa_family != AF_UNIX) {
    uvr_ip_to_address(&name->any, place);
    return;
  }
  const char *path = name->path.sun_path;
  int size = (int)length - (int)offsetof(struct sockaddr_un, sun_path);
  if (size > 1 && path[0] == '/') {
    place->kind = UVR_ADDRESS_UNIX;
    (void)snprintf(place->path, sizeof(place->path), "%.*s", size, path);
  } else if (size > 1 && path[0] == '\0') {
    place->kind = UVR_ADDRESS_ABSTRACT;
    (void)snprintf(place->path, sizeof(place->path), "%.*s", size - 1, path + 1);
  }
}

static int fd_listen(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error)
{
  int family = AF_UNIX;
  socket_name name = {.any = {.sa_family = AF_UNSPEC}};
  socklen_t length = sizeof(name);
  int fd = uvr_passed_socket_find(request->address, &family, error);
  if (fd < 0) {
    return fd;
  }
  bool named = getsockname(fd, &name.any, &length) == 0;
  if (family != AF_UNIX && !request->options->allow_remote && (!named || !uvr_ip_is_loopback(&name.any))) {
    return uvr_ip_refuse_remote(request->address->canonical, error);
  }
  if (family != AF_UNIX && *request->options->peer_uid != '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "%s cannot have the option peer-uid: it is a TCP socket, whose clients' users are not known",
                         request->address->canonical);
  }
  if (named) {
    find_place(&name, length, request->place);
  }
  fd = adopt(fd, request->address, error);
  const uvr_unix_listener listener = {.fd = fd, .shared = true, .type = family == AF_UNIX ? UV_NAMED_PIPE : UV_TCP};
  return fd < 0 ? fd : uvr_acceptor_unix(request, &listener, out, error);
}

const uvr_kind uvr_fd_kind = {.no_target = "fd:// is only for listening", .listen = fd_listen};
