/* The program, given its arguments by the system's own main function: src/cli/main_unix.c, src/cli/main_win.c. */
#ifndef UVR_CLI_CLI_H
#define UVR_CLI_CLI_H

/* `argv` is UTF-8. Relays standard input and output; prints to standard error, and --help and --version to standard
 * output. Returns the exit status: 0 for an orderly end, 1 for a failure, 2 for wrong usage. The
 * process must then end without waiting for threads, as one may be blocked in reading standard input. */
int uvr_cli_main(int argc, char **argv);

/* `uvrelay serve`, argv[0] being that word. The same, but for standard input, which is left alone. */
int uvr_cli_serve(int argc, char **argv);

/* `uvrelay mux`, the same: on its standard input and output it speaks to a near end. */
int uvr_cli_mux(int argc, char **argv);

#endif
