/* What the command facts prints: the lines, and those that only one system has. */
#ifndef UVR_CLI_FACTS_SYSTEM_FACTS_H
#define UVR_CLI_FACTS_SYSTEM_FACTS_H

#include <stdbool.h>
#include <stddef.h>

/* The lines as they are made. Initialise it with zeros. */
typedef struct uvr_facts_text {
  char *text; /* followed by a NUL; allocated; NULL: nothing yet */
  size_t length;
  size_t capacity;
  bool failed; /* there was no memory, so something is missing */
} uvr_facts_text;

/* Adds the line NAME=VALUE, without a value if that is NULL or has a control character, which could be taken for the
 * end of it. */
void uvr_facts_add(uvr_facts_text *self, const char *name, const char *value);

/* The same with several values, and a tab between each two. */
void uvr_facts_add_all(uvr_facts_text *self, const char *name, const char *const values[], size_t count);

/* Adds what this system has: facts_win.c, facts_unix.c. */
void uvr_facts_of_system(uvr_facts_text *out);

#endif
