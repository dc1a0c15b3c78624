/* The command `uvrelay serve`. */
#ifndef UVR_CLI_SERVE_SERVE_H
#define UVR_CLI_SERVE_SERVE_H

/* Runs `uvrelay serve`; argv[0] is that word. Prints the log to standard error. Returns the exit status: 0 after a
 * signal, 1 for a failure of the system, 2 for an error in the command line or a file. */
int uvr_cli_serve(int argc, char **argv);

#endif
