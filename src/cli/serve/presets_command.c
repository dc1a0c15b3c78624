/* The command presets: see presets_command.h. */
#include "cli/serve/presets_command.h"

#include <stdio.h>

int uvr_cli_presets(int argc, char **argv)
{
  (void)argc;
  (void)fprintf(stderr, "uvrelay: %s is not there yet\n", argv[0]);
  return 2;
}
