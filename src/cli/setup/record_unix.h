/* What setup has done and cannot detect later: kept in a file for `setup --remove`. */
#ifndef UVR_CLI_SETUP_RECORD_UNIX_H
#define UVR_CLI_SETUP_RECORD_UNIX_H

#include <stdbool.h>
#include <stddef.h>

#include "uvrelay/common.h"

/* The names of entries. */
#define UVR_RECORD_DIRECTORY "directory" /* the path of one that was made */
#define UVR_RECORD_FILE      "file"      /* the path of one that was not there and then was written to */
#define UVR_RECORD_NEWLINE   "newline"   /* the path of one whose last line had no newline */
#define UVR_RECORD_COPY      "copy"      /* a hash and a path, with a blank between: of the Windows program */
#define UVR_RECORD_MASK      "mask"      /* a unit of systemd's that was masked */

typedef struct uvr_record {
  char *path;
  char *text; /* lines NAME=VALUE; allocated */
} uvr_record;

/* Reads it, from a file that need not be there. Returns 0; or a negative code and *error. */
int uvr_record_open(uvr_record *self, const char *path, uvrelay_error_t *error);

/* Adds an entry that is not there yet, or takes one away, and writes the file: before the directories that it lies in
 * are made, only in memory. `value` NULL: all of this name. */
int uvr_record_add(uvr_record *self, const char *name, const char *value, uvrelay_error_t *error);
int uvr_record_drop(uvr_record *self, const char *name, const char *value, uvrelay_error_t *error);

bool uvr_record_has(const uvr_record *self, const char *name, const char *value);

/* The last entry of this name, to be freed, or NULL: there is none, or no memory. */
char *uvr_record_last(const uvr_record *self, const char *name);

/* Removes the file if it has no entries left but directories, and then those, if they are empty. Those that are not
 * are forgotten, too. */
int uvr_record_finish(uvr_record *self, uvrelay_error_t *error);

void uvr_record_close(uvr_record *self);

#endif
