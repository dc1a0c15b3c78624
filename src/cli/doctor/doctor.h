/* The command `uvrelay doctor`. */
#ifndef UVR_CLI_DOCTOR_DOCTOR_H
#define UVR_CLI_DOCTOR_DOCTOR_H

/* Runs `uvrelay doctor`; argv[0] is that word. Prints a line a check to standard output. Returns the exit status: 0 if
 * all is well, 1 if not, 2 for wrong usage. */
int uvr_cli_doctor(int argc, char **argv);

#endif
