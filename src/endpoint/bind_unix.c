/* Binding with permissions: see bind_unix.h.
 *
 * bind makes the file with the permissions that the socket was given before, minus those that the umask takes away.
 * The umask is the whole process's: to change it would change the files that other threads make meanwhile. And to add
 * permissions to the path afterwards would add them to whatever somebody else has put there by then, such as a link to
 * another file. So a child process calls bind that has a umask of its own. Like the child of vfork it borrows the
 * memory of this one, while this thread waits, which takes less than a millisecond. The host program gets no SIGCHLD.
 * The result is the child's exit status, as valgrind and other emulators give such a child a copy of the memory; they
 * know no more flags than these.
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
  int code; /* the result */
} binding;

static int bind_now(const binding *self)
{
  return bind(self->fd, (const struct sockaddr *)self->name, sizeof(*self->name)) == 0 ? 0 : -errno;
}

/* In the child, while the thread that made it waits. */
static int bind_in_child(void *arg)
{
  binding *self = arg;
  (void)umask(ALL_PERMISSIONS & ~self->permissions);
  self->code = bind_now(self);
  return -self->code;
}

/* Returns false if there can be no child. Handlers of signals must not run in it, as its memory is the host's. */
static bool bind_by_child(binding *self)
{
  _Alignas(16) char stack[STACK_SIZE];
  sigset_t all;
  sigset_t before;
  int status = 0;
  self->code = -EINTR; /* if something kills the child */
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = clone(bind_in_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, self);
  pid_t ended = child;
  while (child > 0 && (ended = waitpid(child, &status, __WALL)) < 0 && errno == EINTR) {
  }
  if (ended > 0 && WIFEXITED(status)) { /* unless the host has waited for all its children at once */
    self->code = -WEXITSTATUS(status);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return child > 0;
}

int uvr_bind_with_permissions(int fd, const struct sockaddr_un *name, unsigned permissions)
{
  binding self = {.fd = fd, .name = name, .permissions = permissions};
  if (fchmod(fd, (mode_t)permissions) != 0) {
    return -errno;
  }
  return bind_by_child(&self) ? self.code : bind_now(&self);
}
