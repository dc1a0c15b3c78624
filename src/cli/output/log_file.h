/* The file of --log-file: appended to, and turned over when it has become large, so that there are never more than it
 * and one old one, FILE.1. Only this user may read a file that is made here; one that is there keeps its permissions.
 */
#ifndef UVR_CLI_OUTPUT_LOG_FILE_H
#define UVR_CLI_OUTPUT_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "uvrelay/common.h"

/* The size in bytes at which it is turned over, unless --log-size says another one. */
#define UVR_LOG_FILE_SIZE ((uint64_t)1024 * 1024)

typedef struct uvr_log_file {
  char *path; /* absolute, without links, allocated; NULL: there is no such file */
  char *old;  /* where it goes, allocated */
  uint64_t limit;
  uint64_t size;
  uint64_t retry_at; /* while it is not open: when to try again, in ns of uv_hrtime() */
  uv_file fd;        /* -1: it is not open */
  bool torn;         /* the last line is not whole */
  bool faulty;       /* it cannot be written to, which was reported */
} uvr_log_file;

/* Opens the file, or makes it. Returns 0; or a negative code and *error, and nothing is to be closed. */
int uvr_log_file_open(uvr_log_file *self, const char *path, uint64_t limit, uvrelay_error_t *error);

/* Appends lines, each with its newline; no line is divided between two files. Blocks. Returns how many of them were
 * left out. If that happens for the first time since it last worked, *error says why; its code is 0 otherwise. */
uint64_t uvr_log_file_write(uvr_log_file *self, const char *lines, size_t length, uvrelay_error_t *error);

/* Closes it, if it is open. */
void uvr_log_file_close(uvr_log_file *self);

/* For its own: opens a file to append to, for this user only if it is made. With `empties`, what is in it is removed.
 * Returns 0; or a negative code of libuv's, UV_EINVAL if it is not an ordinary file. log_file_unix.c,
 * log_file_win.c. */
int uvr_log_file_open_fd(const char *path, bool empties, uv_file *out);

#endif
