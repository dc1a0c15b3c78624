/* The program, as the system's own main function calls it: see main_unix.c and main_win.c. */
#ifndef UVR_CLI_CLI_H
#define UVR_CLI_CLI_H

/* Runs `uvrelay [flags] TARGET`, which relays standard input and output. `argv` is UTF-8. Prints to standard error;
 * --help and --version print to standard output. Returns the exit status: 0 for an orderly end, 1 for a failure, 2 for
 * wrong usage. The process must then end without waiting for threads, as one may be blocked reading standard input. */
int uvr_cli_main(int argc, char **argv);

/* Runs `uvrelay mux`; argv[0] is that word. The same; standard input and output are the connection to the near end. */
int uvr_cli_mux(int argc, char **argv);

#endif
