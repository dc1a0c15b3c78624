/* A directory of a test's own, and files in it. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stddef.h>

enum { SCRATCH_PATH_MAX = 512 };

typedef struct scratch {
  char directory[SCRATCH_PATH_MAX]; /* with slashes as separators on every system */
} scratch;

void scratch_init(scratch *s);

/* Removes the directory and all files in it. */
void scratch_clear(scratch *s);

/* The path of a file in it, which need not exist. Returns `path`. */
const char *scratch_path(const scratch *s, const char *name, char path[SCRATCH_PATH_MAX]);

void scratch_write(const scratch *s, const char *name, const void *data, size_t size);

#endif
