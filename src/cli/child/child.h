/* A child process. Its standard error is read line by line; its standard input and output are the caller's to use. */
#ifndef UVR_CLI_CHILD_CHILD_H
#define UVR_CLI_CHILD_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

typedef struct uvr_child uvr_child;

typedef struct uvr_child_options {
  const char *file; /* absolute */
  char **argv;      /* these five as for uvr_spawn_start() */
  char **environment;
  const char *directory;
  bool has_fd;
  int fd;
  /* Gets each line of its standard error, see child_lines.h. */
  void (*on_line)(void *user, const char *line);
  /* The child has exited; `signal` is 0, or the signal that has ended it. Called once, as the last callback, unless the
   * child was closed before. The child must not be used after it. If another process keeps its standard error open,
   * this comes 100 ms later. */
  void (*on_exit)(void *user, int64_t status, int signal);
  void *user;
} uvr_child_options;

/* Starts a process, which inherits three pipes and nothing else: see spawn.h. Everything that is needed later is
 * copied. Returns 0 and two descriptors that the caller must close, both non-blocking and not inherited: *input, to
 * write to the child, and *output, to read from it. Or returns a negative code. */
int uvr_child_start(uv_loop_t *loop, const uvr_child_options *options, uvr_child **out, uv_file *input,
                    uv_file *output);

/* Its process number. */
int uvr_child_number(const uvr_child *self);

/* Sends the child a signal, and all of its group if it leads one. */
void uvr_child_signal(uvr_child *self, int signal);

/* Kills the child. No callback comes any more; its handles stay in the loop for a few turns. */
void uvr_child_close(uvr_child *self);

#endif
