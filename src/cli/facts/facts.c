/* The command facts: see facts.h. */
#include "cli/facts/facts.h"

#include <stdio.h>

int uvr_cli_facts(int argc, char **argv)
{
  (void)argc;
  (void)fprintf(stderr, "uvrelay: %s is not there yet\n", argv[0]);
  return 2;
}
