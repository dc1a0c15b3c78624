/* Files on drives of Windows: see windows_hint.h. */
#include "cli/windows_hint.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/form.h"

const char *uvr_windows_hint(const uvr_wsl *wsl, const uvr_options *options, char hint[UVR_WINDOWS_HINT_SIZE])
{
  const char *target = options->target;
  bool is_unix = !options->assuan && uvr_begins(target, "unix:");
  bool has_scheme = uvr_begins(target, "assuan:");
  if (!is_unix && !has_scheme && !options->assuan) {
    return NULL;
  }
  const char *path = is_unix || has_scheme ? uvr_path_of(strchr(target, ':') + 1) : target;
  char *windows = *path == '/' && uvr_wsl_is(wsl) ? uvr_wsl_windows_path(wsl, path) : NULL;
  if (windows == NULL) {
    return NULL;
  }
  if (is_unix) {
    (void)snprintf(hint, UVR_WINDOWS_HINT_SIZE,
                   "it is on a Windows drive, whose Unix sockets do not work across WSL 2; let its server listen on a "
                   "named pipe or a TCP port");
  } else {
    (void)snprintf(hint, UVR_WINDOWS_HINT_SIZE,
                   "it is a Windows file, whose port only Windows can reach; run uvrelay.exe -a \"%s\"", windows);
  }
  free(windows);
  return hint;
}
