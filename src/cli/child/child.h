/* A child process. Its standard error is read line by line; its standard input and output are the caller's to use. */
#ifndef UVR_CLI_CHILD_CHILD_H
#define UVR_CLI_CHILD_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

typedef struct uvr_child uvr_child;

/* How a child has ended. */
typedef struct uvr_child_exit {
  bool exited;    /* false: it has survived everything, and is no longer watched */
  bool signalled; /* uvr_child_end() has sent it a signal */
  int64_t status;
  int signal; /* that has ended it, or 0 */
} uvr_child_exit;

/* Called once, as the last callback; the child must not be used after it. If another process keeps the child's standard
 * error open, this comes 100 ms after its exit. */
typedef void (*uvr_child_exit_cb)(void *user, const uvr_child_exit *exit);

typedef struct uvr_child_options {
  const char *file; /* absolute */
  char **argv;      /* these five as for uvr_spawn_start() */
  char **environment;
  const char *directory;
  bool has_fd;
  int fd;
  /* Gets each line of its standard error, see child_lines.h. */
  void (*on_line)(void *user, const char *line);
  uvr_child_exit_cb on_exit;
  void *user;
} uvr_child_options;

/* Starts a process, which inherits three pipes and nothing else: see spawn.h. Everything that is needed later is
 * copied. Returns 0 and two descriptors that the caller must close, both non-blocking and not inherited: *input, to
 * write to the child, and *output, to read from it. Or returns a negative code. */
int uvr_child_start(uv_loop_t *loop, const uvr_child_options *options, uvr_child **out, uv_file *input,
                    uv_file *output);

/* Its process number. */
int uvr_child_number(const uvr_child *self);

/* Ends the child, whose standard input the caller has closed. It has 5 s to exit by itself; then it gets SIGTERM, a
 * second later SIGKILL, and another second later it is given up. All of its group gets the signals if it leads one. */
void uvr_child_end(uvr_child *self);

/* The same, but it gets SIGKILL now. */
void uvr_child_kill(uvr_child *self);

/* Replaces the callbacks; `user` remains. */
void uvr_child_hand_over(uvr_child *self, void (*on_line)(void *user, const char *line), uvr_child_exit_cb on_exit);

#endif
