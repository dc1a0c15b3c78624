/* Printing: see print.h. */
#include "cli/output/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "uvrelay/version.h"

int uvr_print(const char *text)
{
  errno = 0;
  if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) {
    return 0;
  }
  (void)fprintf(stderr, "uvrelay: cannot write to standard output: %s\n",
                errno == 0 ? "it is not open" : strerror(errno));
  return 1;
}

int uvr_print_version(void)
{
  char text[128];
  (void)snprintf(text, sizeof(text), "uvrelay %s (libuv %s)\n", UVRELAY_VERSION, uv_version_string());
  return uvr_print(text);
}
