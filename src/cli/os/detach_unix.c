/* Leaving the terminal on Unix: see detach.h. The other process is a child with a session of its own. It tells by a
 * byte in a pipe that it is ready; the pipe's end without one says that it has ended. */
#include "cli/os/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "stream/nothing_unix.h"

enum { LOCK_PATIENCE_MS = 30000, LOCK_LOOK_MS = 20 };

static uvr_detach_result fail(uvrelay_error_t *error)
{
  int code = -errno;
  (void)uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot start in the background: %s",
                             uv_strerror(code));
  return UVR_DETACH_FAILED;
}

/* Takes the lock, which a process may have for as long as a start takes. Without it the work goes on. Returns a
 * descriptor or -1. */
static int take_lock(const char *path)
{
  int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  for (int waited = 0; fd >= 0 && waited < LOCK_PATIENCE_MS && flock(fd, LOCK_EX | LOCK_NB) != 0 &&
                       (errno == EWOULDBLOCK || errno == EINTR);
       waited += LOCK_LOOK_MS) {
    (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_LOOK_MS * 1000000L}, NULL);
  }
  return fd;
}

/* Waits for the child to be ready or to end. Returns the exit status. */
static int wait_for(pid_t child, int fd)
{
  char byte;
  int status = 0;
  ssize_t count;
  do {
    count = read(fd, &byte, 1);
  } while (count < 0 && errno == EINTR);
  if (count == 1) {
    return 0;
  }
  pid_t ended;
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

uvr_detach_result uvr_detach(const uvr_detach_options *options, uvr_detached *out, int *status, uvrelay_error_t *error)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return fail(error);
  }
  int lock = take_lock(options->lock);
  pid_t child = fork();
  if (child != 0) {
    (void)close(ends[1]);
    if (child < 0) {
      (void)fail(error);
    } else {
      *status = wait_for(child, ends[0]);
    }
    (void)close(ends[0]);
    if (lock >= 0) {
      (void)close(lock);
    }
    return child < 0 ? UVR_DETACH_FAILED : UVR_DETACH_OVER;
  }
  if (lock >= 0) {
    (void)close(lock); /* the first process still has it */
  }
  (void)close(ends[0]);
  (void)setsid();
  *out = (uvr_detached){.ready = ends[1]};
  return UVR_DETACH_GO_ON;
}

void uvr_detach_ready(uvr_detached *self)
{
  int nothing = uvr_open_nothing(O_RDWR);
  if (nothing >= 0) {
    (void)dup2(nothing, STDIN_FILENO);
    (void)dup2(nothing, STDOUT_FILENO);
    (void)dup2(nothing, STDERR_FILENO);
    if (nothing > STDERR_FILENO) {
      (void)close(nothing);
    }
  }
  ssize_t count = write((int)self->ready, "", 1);
  (void)count; /* the first process may have been killed */
  (void)close((int)self->ready);
}
