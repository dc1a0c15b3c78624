/* The command `uvrelay setup`. */
#ifndef UVR_CLI_SETUP_SETUP_H
#define UVR_CLI_SETUP_SETUP_H

/* Runs `uvrelay setup`; argv[0] is that word. Returns the exit status. */
int uvr_cli_setup(int argc, char **argv);

#endif
