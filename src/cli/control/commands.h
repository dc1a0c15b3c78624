/* The commands that ask a running `uvrelay serve` of this user: status, reload and env. */
#ifndef UVR_CLI_CONTROL_COMMANDS_H
#define UVR_CLI_CONTROL_COMMANDS_H

/* Each runs its command; argv[0] is its name. Prints to standard output. Returns the exit status: 0, 1 if no serve
 * answers, 2 for wrong usage. */
int uvr_cli_status(int argc, char **argv);
int uvr_cli_reload(int argc, char **argv);
int uvr_cli_env(int argc, char **argv);

#endif
