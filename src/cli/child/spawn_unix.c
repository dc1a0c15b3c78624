/* Starting a process on Unix: see spawn.h. libuv starts it, and what it would inherit besides is marked before: a
 * program may have been given descriptors that it knows nothing of, such as those of systemd or of a shell. */
#include "cli/child/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/child/check_program.h"

enum { FIRST = 3, CLOSE_ON_EXEC = 4 /* CLOSE_RANGE_CLOEXEC */, NUMBERS_MAX = 65536 };

struct uvr_spawn {
  uv_process_t process;
  bool exited;
  bool failed; /* it was never started */
  uvr_spawn_options options;
};

static void mark(int fd)
{
  int flags = fcntl(fd, F_GETFD);
  if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
    (void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

/* On systems without close_range. */
static void mark_one_by_one(void)
{
  DIR *directory = opendir("/proc/self/fd");
  const struct dirent *entry;
  while (directory != NULL && (entry = readdir(directory)) != NULL) {
    int fd = (int)strtol(entry->d_name, NULL, 10); /* 0: . and .. */
    if (fd >= FIRST) {
      mark(fd);
    }
  }
  if (directory != NULL) {
    (void)closedir(directory);
    return;
  }
  long limit = sysconf(_SC_OPEN_MAX);
  for (int fd = FIRST; fd < (limit > 0 && limit < NUMBERS_MAX ? (int)limit : NUMBERS_MAX); fd++) {
    mark(fd);
  }
}

/* Has all descriptors but the standard ones closed in every program that this process starts from now on. */
static void keep_descriptors(void)
{
#ifdef SYS_close_range
  if (syscall(SYS_close_range, (unsigned)FIRST, ~0U, (unsigned)CLOSE_ON_EXEC) == 0) {
    return;
  }
#endif
  mark_one_by_one();
}

static void on_closed(uv_handle_t *handle)
{
  uvr_spawn *self = handle->data;
  if (!self->failed) {
    self->options.on_closed(self->options.user);
  }
  free(self);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
  uvr_spawn *self = process->data;
  self->exited = true;
  (void)kill(-process->pid, SIGKILL); /* the rest of its group; daemons have groups of their own */
  self->options.on_exit(self->options.user, status, signal);
}

/* Starts the file with these words. */
static int start(uv_loop_t *loop, uvr_spawn *self, const char *file, char **words)
{
  const uvr_spawn_options *options = &self->options;
  uv_stdio_container_t stdio[4];
  for (int i = 0; i < 3; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = options->stdio[i];
  }
  stdio[3].flags = UV_INHERIT_FD;
  stdio[3].data.fd = options->fd;
  const uv_process_options_t process = {
      .exit_cb = on_exit_of,
      .file = file,
      .args = words,
      .env = options->environment,
      .cwd = options->directory,
      .flags = UV_PROCESS_DETACHED,
      .stdio_count = options->has_fd ? 4 : 3,
      .stdio = stdio,
  };
  keep_descriptors();
  return uv_spawn(loop, &self->process, &process);
}

/* Has the shell run the file with these words. */
static int start_in_shell(uv_loop_t *loop, uvr_spawn *self, const char *shell)
{
  size_t count = 0;
  while (self->options.argv[count] != NULL) {
    count++;
  }
  char **words = calloc(count + 2, sizeof(*words));
  if (words == NULL) {
    return UV_ENOMEM;
  }
  words[0] = (char *)shell; /* libuv's type; they are never written to */
  words[1] = (char *)self->options.file;
  for (size_t i = 1; i < count; i++) {
    words[i + 1] = self->options.argv[i];
  }
  int code = start(loop, self, shell, words);
  free(words);
  return code;
}

int uvr_spawn_start(uv_loop_t *loop, const uvr_spawn_options *options, uvr_spawn **out)
{
  const char *shell = uvr_program_shell(options->file);
  uvr_spawn *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    return UV_ENOMEM;
  }
  self->options = *options;
  self->process.data = self;
  int code = shell == NULL ? start(loop, self, options->file, options->argv) : start_in_shell(loop, self, shell);
  self->failed = code != 0;
  if (code == 0) {
    *out = self;
  } else if (self->process.type == UV_PROCESS) {
    uv_close((uv_handle_t *)&self->process, on_closed);
  } else { /* uv_spawn was not called */
    free(self);
  }
  return code;
}

int uvr_spawn_number(const uvr_spawn *self)
{
  return uv_process_get_pid(&self->process);
}

void uvr_spawn_signal(uvr_spawn *self, int signal)
{
  if (!self->exited) {
    (void)kill(-self->process.pid, signal);
  }
}

void uvr_spawn_close(uvr_spawn *self)
{
  uv_close((uv_handle_t *)&self->process, on_closed);
}
