/* A step of setup: it examines the present state, says what it would do, and does it or undoes it. */
#ifndef UVR_CLI_SETUP_STEP_UNIX_H
#define UVR_CLI_SETUP_STEP_UNIX_H

#include "cli/setup/job_unix.h"

typedef struct uvr_step uvr_step;

/* What a step can do, in one direction. */
typedef struct uvr_step_half {
  /* Looks, and sets the step's texts. Changes nothing. Returns 0; or a negative code and *error. */
  int (*look)(uvr_job *job, uvr_step *step, uvrelay_error_t *error);
  /* Does what `look` has announced. Returns the same; after a failure it has undone what was half done, or the error
   * names it. */
  int (*act)(uvr_job *job, uvr_step *step, uvrelay_error_t *error);
} uvr_step_half;

typedef struct uvr_step_kind {
  uvr_step_half set_up;
  uvr_step_half take_back;
} uvr_step_kind;

/* The texts are allocated. */
struct uvr_step {
  const uvr_step_kind *kind;
  char *text;     /* what is to be done, a sentence without its full stop; NULL: nothing */
  char *detail;   /* what would be written, for --dry-run; or NULL */
  char *question; /* to be asked before; or NULL */
  char *note;     /* what is left alone, and why; or NULL */
};

/* The kinds, in the order in which they set up. */
extern const uvr_step_kind uvr_step_program; /* the Windows program: step_program_unix.c */
extern const uvr_step_kind uvr_step_config;  /* the routes: step_config_unix.c */
extern const uvr_step_kind uvr_step_gpg;     /* the place of gpg's socket: step_gpg_unix.c */
extern const uvr_step_kind uvr_step_unit;    /* with systemd: step_unit_unix.c */
extern const uvr_step_kind uvr_step_profile; /* without it: step_profile_unix.c */

/* Whether the text of a configuration has a route. Returns 0; or a negative code and *error: it has an error. */
int uvr_step_config_has_routes(const uvr_job *job, const char *text, bool *has, uvrelay_error_t *error);

/* Sets one of a step's texts. Returns 0; or UV_ENOMEM and *error if `text` is NULL. */
int uvr_step_say(char **where, char *text, uvrelay_error_t *error);

#endif
