/* The command setup: see setup.h. */
#include "cli/setup/setup.h"

#include <stdio.h>

int uvr_cli_setup(int argc, char **argv)
{
  (void)argc;
  (void)fprintf(stderr, "uvrelay: %s is not there yet\n", argv[0]);
  return 2;
}
