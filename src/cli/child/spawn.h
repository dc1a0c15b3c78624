/* A process that inherits three descriptors, on Unix up to four, and nothing else of this process, whatever else this
 * one has inherited itself: spawn_unix.c and spawn_win.c. */
#ifndef UVR_CLI_CHILD_SPAWN_H
#define UVR_CLI_CHILD_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

typedef struct uvr_spawn uvr_spawn;

typedef struct uvr_spawn_options {
  const char *file;      /* absolute */
  char **argv;           /* followed by a NULL; the first word is the program's name */
  char **environment;    /* Unix only: in place of this process's own, unless NULL */
  const char *directory; /* Unix only: the current directory, unless NULL */
  uv_file stdio[3];      /* its standard input, output and error; they remain the caller's */
  bool has_fd;           /* Unix only: `fd` becomes its descriptor 3 */
  int fd;
  void (*on_exit)(void *user, int64_t status, int signal); /* called once, unless it is closed before */
  void (*on_closed)(void *user);                           /* the last callback, after uvr_spawn_close */
  void *user;
} uvr_spawn_options;

/* Starts a process. On Unix it leads a session of its own; on Windows it has no window and ends with this process.
 * Returns 0 and *out, to be closed; or a negative code, and no callback comes. */
int uvr_spawn_start(uv_loop_t *loop, const uvr_spawn_options *options, uvr_spawn **out);

/* Its process number. */
int uvr_spawn_number(const uvr_spawn *self);

/* Sends it a signal if it has not exited, on Unix to all of its group. On Windows every signal ends it at once. */
void uvr_spawn_signal(uvr_spawn *self, int signal);

/* Stops watching it. */
void uvr_spawn_close(uvr_spawn *self);

#endif
