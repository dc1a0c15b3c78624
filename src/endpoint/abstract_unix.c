/* Abstract Unix sockets as a kind of endpoint: Linux sockets that have a name but no file.
 *
 * Connecting: the kernel connects at once.
 *
 * Listening: without a file there are no permissions, so a listener asks the kernel who each client is. It accepts only
 * clients of its own user, unless perm=0666 lets everybody connect, or peer-uid names others.
 *
 * Ways to fail: no process listens on the name, it takes packets, too many clients are waiting there, or somebody else
 * than the option `owner` allows listens there; another program listens on the name; the permissions are other than
 * 0600 or 0666; a client of another user is refused. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint/acceptor_unix.h"
#include "endpoint/kind.h"
#include "endpoint/unix_attempt_unix.h"

enum { OWN_USER = 0600, EVERYBODY = 0666, TYPE_WORD = 4 };

/* An abstract name begins with a NUL, and its length is given by the length of the socket's address. */
static socklen_t name_of(const uvr_address *address, struct sockaddr_un *name)
{
  size_t length = strlen(address->path);
  memset(name, 0, sizeof(*name));
  name->sun_family = AF_UNIX;
  memcpy(name->sun_path + 1, address->path, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

/* Connecting. */

/* Whether a socket of this name takes packets. For the kernel, a name is another one with each type of socket, so that
 * connecting finds no socket. Its list of sockets has a line for each: ADDRESS REFERENCES PROTOCOL FLAGS TYPE
 * (hexadecimal) STATE INODE @NAME. The list may be long, so it is not for each of many attempts. */
static bool takes_packets(const uvr_address *address)
{
  char *line = NULL;
  size_t size = 0;
  bool found = false;
  FILE *list = fopen("/proc/net/unix", "re");
  while (list != NULL && !found && getline(&line, &size, list) > 0) {
    char *word = line;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < TYPE_WORD; i++) {
      word += strcspn(word, " ");
      word += strspn(word, " ");
    }
    const char *name = strchr(word, '@');
    found = name != NULL && strtoul(word, NULL, 16) != SOCK_STREAM && strcmp(name + 1, address->path) == 0;
  }
  if (list != NULL) {
    (void)fclose(list);
  }
  free(line);
  return found;
}

static void fail(uvr_attempt *attempt, int code)
{
  const char *name = attempt->address->canonical;
  bool refused = code == UV_ECONNREFUSED; /* no socket has this name, or no process listens on it */
  if (refused && (attempt->options->is_retry || !takes_packets(attempt->address))) {
    (void)uvr_error_set_system(&attempt->error, UVRELAY_PHASE_CONNECT, code, 0, "nothing is listening on %s", name);
    uvr_attempt_fail(attempt);
  } else {
    uvr_unix_attempt_fail(attempt, refused ? UV_EPROTOTYPE : code);
  }
}

static void abstract_connect(uvr_attempt *attempt)
{
  struct sockaddr_un name;
  socklen_t length = name_of(attempt->address, &name);
  int code = uvr_unix_attempt_connect(attempt, &name, length);
  if (code == 0) {
    uvr_unix_attempt_connected(attempt);
  } else {
    fail(attempt, code);
  }
}

static const uvr_connector connector = {.size = sizeof(uvr_attempt), .connect = abstract_connect};

/* Listening. */

static int abstract_listen(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error)
{
  const uvr_address *address = request->address;
  unsigned permissions = request->options->permissions;
  struct sockaddr_un name;
  socklen_t length = name_of(address, &name);
  if (permissions != OWN_USER && permissions != EVERYBODY) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                         "cannot listen on %s with perm=%04o: it has no file, so write perm=0600 for your own "
                         "processes only, or perm=0666 for those of all users",
                         address->canonical, permissions);
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return uvr_acceptor_fail(error, address, -errno);
  }
  if (bind(fd, (const struct sockaddr *)&name, length) != 0 || listen(fd, UVR_ACCEPTOR_BACKLOG) != 0) {
    int code = -errno;
    (void)close(fd);
    return code == UV_EADDRINUSE
               ? uvr_error_set_system(
                     error, UVRELAY_PHASE_LISTEN, code, 0,
                     "cannot listen on %s: another program is listening there: stop it first, or choose another name",
                     address->canonical)
               : uvr_acceptor_fail(error, address, code);
  }
  const uvr_unix_listener listener = {.fd = fd, .type = UV_NAMED_PIPE, .only_own = permissions == OWN_USER};
  return uvr_acceptor_unix(request, &listener, out, error);
}

const uvr_kind uvr_abstract_kind = {.connector = &connector, .listen = abstract_listen};
