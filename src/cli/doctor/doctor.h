/* The command `uvrelay doctor`. */
#ifndef UVR_CLI_DOCTOR_DOCTOR_H
#define UVR_CLI_DOCTOR_DOCTOR_H

/* Runs `uvrelay doctor`; argv[0] is that word. Prints a line a check to standard output. Returns the exit status: 0 if
 * all is well, 1 if not, 2 for wrong usage. */
int uvr_cli_doctor(int argc, char **argv);

/* The end of setup: the same checks, but a line for each route that works, and in full only what does not. What the
 * environment has is not looked at, as setup has just said what to type. Returns 0 if all is well, or 1. */
int uvr_doctor_confirm(void);

#endif
