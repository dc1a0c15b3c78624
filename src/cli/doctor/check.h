/* The result of a check. */
#ifndef UVR_CLI_DOCTOR_CHECK_H
#define UVR_CLI_DOCTOR_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef enum uvr_check_state {
  UVR_CHECK_NONE, /* it does not apply here, and is not shown */
  UVR_CHECK_OK,
  UVR_CHECK_WARNING,
  UVR_CHECK_BAD,
  UVR_CHECK_SKIPPED
} uvr_check_state;

/* All zero at first. Text that does not fit is cut. */
typedef struct uvr_check {
  char name[1200];
  uvr_check_state state;
  char text[640];    /* what was found: a phrase */
  char remedy[1024]; /* what to type in a shell, a line each; those that begin with # say what the next ones are for */
} uvr_check;

/* The word for a state, such as "warning". */
const char *uvr_check_word(uvr_check_state state);

/* Sets state and text. */
void uvr_check_set(uvr_check *self, uvr_check_state state, const char *format, ...) UVR_PRINTF(3, 4);

/* Sets state and text if the state is worse than the present one; if it is equally bad, the text stays. */
void uvr_check_worsen(uvr_check *self, uvr_check_state state, const char *format, ...) UVR_PRINTF(3, 4);

/* Adds a line to the remedy. */
void uvr_check_add_remedy(uvr_check *self, const char *format, ...) UVR_PRINTF(2, 3);

enum { UVR_SHELL_WORD_SIZE = 512 };

/* Writes a text as a word of a shell, in quotes if need be; one that is too long is cut. Returns `word`. */
const char *uvr_shell_word(char word[UVR_SHELL_WORD_SIZE], const char *text);

#endif
