/* Notification: see notify.h. NOTIFY_SOCKET is the path of a datagram socket, or the name of an abstract one with "@"
 * in place of its leading NUL. Its reader may be slow for a moment; one that does not read at all must not hold up the
 * program, whose routes are what others wait for. */
#include "cli/os/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

enum { PATIENCE_S = 1 };

bool uvr_notify_is_wanted(void)
{
  const char *name = getenv("NOTIFY_SOCKET");
  return name != NULL && *name != '\0';
}

static int send_state(const char *state, int flags)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *name = getenv("NOTIFY_SOCKET");
  if (name == NULL || *name == '\0') {
    return 0;
  }
  size_t length = strlen(name);
  if ((*name != '/' && *name != '@') || length < 2) {
    return UV_EAFNOSUPPORT;
  }
  if (length >= sizeof(address.sun_path)) {
    return UV_ENAMETOOLONG;
  }
  memcpy(address.sun_path, name, length);
  if (*name == '@') {
    address.sun_path[0] = '\0';
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return uv_translate_sys_error(errno);
  }
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  /* An abstract name does not end in a NUL, which would be part of the name. */
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name == '@' ? 0 : 1));
  ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags, (const struct sockaddr *)&address, size);
  int code = sent >= 0 ? 0 : errno == EAGAIN ? UV_ETIMEDOUT : uv_translate_sys_error(errno);
  (void)close(fd);
  return code;
}

int uvr_notify(const char *state)
{
  return send_state(state, 0);
}

int uvr_notify_at_once(const char *state)
{
  return send_state(state, MSG_DONTWAIT);
}
