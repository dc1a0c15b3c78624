/* The command status: see commands.h. */
#include "cli/control/commands.h"

#include <stdio.h>

int uvr_cli_status(int argc, char **argv)
{
  (void)argc;
  (void)fprintf(stderr, "uvrelay: %s is not there yet\n", argv[0]);
  return 2;
}
