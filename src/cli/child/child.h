/* A child process whose standard input and output are somebody else's, and whose standard error is read line by line.
 */
#ifndef UVR_CLI_CHILD_CHILD_H
#define UVR_CLI_CHILD_CHILD_H

#include <stdint.h>

#include <uv.h>

typedef struct uvr_child uvr_child;

typedef struct uvr_child_options {
  const char *file;      /* absolute */
  char **argv;           /* as for uv_spawn, as are: */
  char **environment;    /* NULL: as it is */
  const char *directory; /* NULL: the same */
  /* A line of its standard error, see lines.h. */
  void (*on_line)(void *user, const char *line);
  /* It has ended: `signal` is 0, or the signal that has ended it. Once, last, unless it was closed before; the child is
   * not to be used any more. Who holds its standard error open is not waited for longer than 100 ms. */
  void (*on_exit)(void *user, int64_t status, int signal);
  void *user;
} uvr_child_options;

/* Starts a process, on Unix as the leader of a session of its own; on Windows it has no window and ends with this one.
 * All is copied that is needed later. Returns 0, and descriptors to be closed by the caller: of what is written to the
 * child (`input`) and read from it (`output`), both non-blocking and not inherited; or a negative code. */
int uvr_child_start(uv_loop_t *loop, const uvr_child_options *options, uvr_child **out, uv_file *input,
                    uv_file *output);

int uvr_child_number(const uvr_child *self);

/* Asks it to end, or ends it: with all of its group, where it leads one. */
void uvr_child_end(uvr_child *self, int signal);

/* Ends it, and calls back no more. The loop has handles of it for some turns. */
void uvr_child_close(uvr_child *self);

#endif
