/* What of a system is WSL's, in a directory of the test's own: processes, mounts, interop sockets. */
#ifndef FAKE_WSL_H
#define FAKE_WSL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/child/wsl.h"
#include "scratch.h"

enum { FAKE_WSL_FDS_MAX = 16, FAKE_WSL_OWN = 300 /* the own process */ };

typedef struct fake_wsl {
  scratch place; /* has all of it */
  char run[SCRATCH_PATH_MAX];
  char virtiofs[SCRATCH_PATH_MAX];
  char proc[SCRATCH_PATH_MAX];
  char mount[SCRATCH_PATH_MAX];
  char bin[SCRATCH_PATH_MAX];
  char etc[SCRATCH_PATH_MAX];
  int fds[FAKE_WSL_FDS_MAX]; /* of living sockets */
  size_t fd_count;
  uvr_wsl wsl;
} fake_wsl;

extern fake_wsl fake;

/* For cmocka: before and after each test. There is an empty `run` then, a mount table without drives, nothing else. */
int fake_wsl_set_up(void **state);
int fake_wsl_tear_down(void **state);

/* A path in it, in one of a few buffers that are used in turn. */
const char *at(const char *name);

/* Makes the directories that a file's name has. */
void make_parents(const char *name);

/* Makes a file, and its directories. */
void put(const char *name, const char *text, mode_t mode);

/* Makes a socket on which a process listens, or no longer does. Returns its descriptor. */
int put_socket(const char *name, bool live);

/* A process and its parent. */
void put_process(int number, const char *name, int parent);

#endif
