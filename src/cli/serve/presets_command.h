/* The command `uvrelay presets`. */
#ifndef UVR_CLI_SERVE_PRESETS_COMMAND_H
#define UVR_CLI_SERVE_PRESETS_COMMAND_H

/* Runs `uvrelay presets`; argv[0] is that word. Returns the exit status. */
int uvr_cli_presets(int argc, char **argv);

#endif
