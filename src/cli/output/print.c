/* Printing: see print.h. */
#include "cli/output/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "stream/blocking_file.h"
#include "uvrelay/version.h"

enum { STANDARD_OUTPUT = 1 };

int uvr_print(const char *text)
{
  const uvr_blocking_file file = uvr_blocking_file_of(STANDARD_OUTPUT, false);
  if (file.special && uvr_blocking_file_write(&file, text, strlen(text)) == 0) {
    return 0;
  }
  errno = 0;
  if (!file.special && fputs(text, stdout) >= 0 && fflush(stdout) == 0) {
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
