/* Asking the Windows program for its facts: see facts.h. */
#ifndef UVR_CLI_FACTS_ASK_FACTS_H
#define UVR_CLI_FACTS_ASK_FACTS_H

#include <stdint.h>

#include "uvrelay/common.h"

typedef struct uvr_facts {
  char *text;           /* all lines, each ended by a NUL instead of a newline; allocated */
  char *end;            /* of them */
  uint64_t duration_ms; /* how long it took */
} uvr_facts;

/* Starts the program of this file with the word `facts`, in WSL through interop, and reads what it prints. Returns 0
 * and *out, to be cleared; or a negative code and *error, a sentence that says what is wrong: it cannot be started, it
 * does not end in time, it is too old to know the command, it prints something else. */
int uvr_facts_ask(const char *file, uvr_facts *out, uvrelay_error_t *error);

/* The same with another limit than the 45 s that it has. */
int uvr_facts_ask_within(const char *file, uint64_t limit_ms, uvr_facts *out, uvrelay_error_t *error);

/* The value of the first line of this name, or NULL; with `after`, a value of this name, the one of the next line. */
const char *uvr_facts_get(const uvr_facts *self, const char *name, const char *after);

void uvr_facts_clear(uvr_facts *self);

#endif
