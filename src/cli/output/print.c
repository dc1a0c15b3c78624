/* Printing: see print.h. */
#include "cli/output/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "cli/os/built_for.h"
#include "mux/greeting.h"
#include "stream/blocking_file.h"
#include "uvrelay/version.h"

enum { STANDARD_OUTPUT = 1 };

/* Returns NULL, or why the text cannot be written. */
static const char *print(const char *text)
{
  const uvr_blocking_file file = uvr_blocking_file_of(STANDARD_OUTPUT, false);
  if (file.special) {
    int code = uvr_blocking_file_write(&file, text, strlen(text));
    return code == 0 ? NULL : uv_strerror(code);
  }
  errno = 0;
  if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) {
    return NULL;
  }
  return errno == 0 ? "it is not open" : strerror(errno);
}

int uvr_print_parts(const char *const parts[])
{
  const char *why_not = NULL;
  for (size_t i = 0; why_not == NULL && parts[i] != NULL; i++) {
    why_not = print(parts[i]);
  }
  if (why_not != NULL) {
    (void)fprintf(stderr, "uvrelay: cannot write to standard output: %s\n", why_not);
  }
  return why_not == NULL ? 0 : 1;
}

int uvr_print(const char *text)
{
  const char *const parts[] = {text, NULL};
  return uvr_print_parts(parts);
}

void uvr_print_try(const char *command)
{
  (void)fprintf(stderr, "Try: uvrelay %s --help\n", command);
}

#if defined(__clang__)
#define COMPILER                                                                                                       \
  "clang " UVR_DIGITS(__clang_major__) "." UVR_DIGITS(__clang_minor__) "." UVR_DIGITS(__clang_patchlevel__)
#elif defined(__GNUC__)
#define COMPILER "gcc " UVR_DIGITS(__GNUC__) "." UVR_DIGITS(__GNUC_MINOR__) "." UVR_DIGITS(__GNUC_PATCHLEVEL__)
#elif defined(_MSC_VER)
#define COMPILER "MSVC " UVR_DIGITS(_MSC_VER)
#else
#define COMPILER "another compiler"
#endif

/* That libuv whose header was compiled with; a shared one may be another when the program runs. */
#define LIBUV UVR_DIGITS(UV_VERSION_MAJOR) "." UVR_DIGITS(UV_VERSION_MINOR) "." UVR_DIGITS(UV_VERSION_PATCH)

int uvr_print_version(void)
{
  char text[256];
  const char *compiled = uv_version() == UV_VERSION_HEX ? "" : " (compiled with " LIBUV ")";
  (void)snprintf(text, sizeof(text), "uvrelay %s\nlibuv %s%s, mux protocol %s\n%s, %s\n", UVRELAY_VERSION,
                 uv_version_string(), compiled, UVR_MUX_PROTOCOL, uvr_built_for(), COMPILER);
  return uvr_print(text);
}
