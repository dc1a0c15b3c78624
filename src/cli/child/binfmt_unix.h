/* The kernel's table of handlers for programs of other systems, binfmt_misc. `directory` is where it is mounted,
 * usually /proc/sys/fs/binfmt_misc. */
#ifndef UVR_CLI_CHILD_BINFMT_UNIX_H
#define UVR_CLI_CHILD_BINFMT_UNIX_H

#include <stdbool.h>

#include "cli/child/program_head.h"

typedef enum uvr_binfmt_state {
  UVR_BINFMT_HIDDEN, /* it is not mounted; there may be handlers */
  UVR_BINFMT_OFF,    /* all handlers are disabled */
  UVR_BINFMT_ON
} uvr_binfmt_state;

/* A handler; what does not fit is cut. */
typedef struct uvr_binfmt_entry {
  char name[64];
  char interpreter[256];
  bool enabled;
} uvr_binfmt_entry;

uvr_binfmt_state uvr_binfmt_look(const char *directory);

/* Reads the handler of this name. Returns false if there is none. */
bool uvr_binfmt_read(const char *directory, const char *name, uvr_binfmt_entry *entry);

/* Finds an enabled handler that is for the file, but not the one of the name `except`, which may be NULL. Returns false
 * if there is none, or if all are disabled. */
bool uvr_binfmt_find(const char *directory, const char *file, const uvr_program_head *head, const char *except,
                     uvr_binfmt_entry *entry);

/* Whether there is an enabled handler for the file. */
bool uvr_binfmt_handles(const char *directory, const char *file, const uvr_program_head *head);

#endif
