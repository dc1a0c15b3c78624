/* The command doctor: see doctor.h. */
#include "cli/doctor/doctor.h"

#include <stdio.h>

int uvr_cli_doctor(int argc, char **argv)
{
  (void)argc;
  (void)fprintf(stderr, "uvrelay: %s is not there yet\n", argv[0]);
  return 2;
}
