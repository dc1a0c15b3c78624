/* Binding with permissions: see bind_unix.h.
 *
 * bind makes the file with the permissions that the socket was given before, minus those that the umask takes away.
 * The umask is the whole process's: to change it would change the files that other threads make meanwhile. And to add
 * permissions to the path afterwards would add them to whatever somebody else has put there by then, such as a link to
 * another file. So a child process with a umask of its own calls bind on its copy of the descriptor, and tells the
 * result by its exit status. This thread waits for it, which takes less than a millisecond unless the host is very
 * large; the host program gets no SIGCHLD. The child does not share this one's memory: that would be quicker, but
 * valgrind and ThreadSanitizer end programs that do so.
 *
 * Where no child may be made, as under some limits on system calls, bind is called here. */
#include "endpoint/bind_unix.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

enum { STACK_SIZE = 32 * 1024, ALL_PERMISSIONS = 0777 };

typedef struct binding {
  int fd;
  const struct sockaddr_un *name;
  unsigned permissions;
} binding;

static int bind_now(const binding *self)
{
  return bind(self->fd, (const struct sockaddr *)self->name, sizeof(*self->name)) == 0 ? 0 : -errno;
}

/* Whether the socket has a name. */
static bool is_bound(int fd)
{
  struct sockaddr_un name;
  socklen_t length = sizeof(name);
  return getsockname(fd, (struct sockaddr *)&name, &length) == 0 && length > offsetof(struct sockaddr_un, sun_path);
}

/* In the child, which may call only what handlers of signals may, as another thread may have held any lock. */
static int bind_in_child(void *arg)
{
  const binding *self = arg;
  (void)umask(ALL_PERMISSIONS & ~self->permissions);
  return -bind_now(self);
}

/* Returns false if there can be no child. Handlers of signals must not run in it, as they are the host's. */
static bool bind_by_child(binding *self, int *code)
{
  _Alignas(16) char stack[STACK_SIZE];
  sigset_t all;
  sigset_t before;
  int status = 0;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = clone(bind_in_child, stack + sizeof(stack), 0, self);
  pid_t ended = child;
  while (child > 0 && (ended = waitpid(child, &status, __WALL)) < 0 && errno == EINTR) {
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (ended > 0 && WIFEXITED(status)) {
    *code = -WEXITSTATUS(status);
  } else { /* something has killed it, or the host has waited for whatever children there are */
    *code = is_bound(self->fd) ? 0 : -EINTR;
  }
  return child > 0;
}

int uvr_bind_with_permissions(int fd, const struct sockaddr_un *name, unsigned permissions)
{
  binding self = {.fd = fd, .name = name, .permissions = permissions};
  if (fchmod(fd, (mode_t)permissions) != 0) {
    return -errno;
  }
  int code;
  return bind_by_child(&self, &code) ? code : bind_now(&self);
}
