/* The far end of WSL: uvrelay.exe on Windows. */
#include <stddef.h>
#include <stdlib.h>

#include "cli/child/check_program.h"
#include "cli/child/far_default.h"
#include "cli/child/wsl.h"

uvr_far_default uvr_far_default_find(uvr_command *out, const char **shown, const char **why, uvrelay_error_t *error)
{
  uvr_wsl wsl;
  char *file = NULL;
  *shown = "uvrelay.exe mux";
  *why = NULL;
  uvr_wsl_init(&wsl);
  if (!uvr_wsl_is(&wsl)) {
    return UVR_FAR_DEFAULT_NONE;
  }
  int code = uvr_wsl_find_far_end(&wsl, &file, error);
  if (code == 0) {
    code = uvr_command_make(out, file, (const char *const[]){"uvrelay.exe", "mux", NULL}, error);
  }
  code = code == 0 ? uvr_program_check(file, file, error) : code;
  free(file);
  return code == 0 ? UVR_FAR_DEFAULT_FOUND : UVR_FAR_DEFAULT_FAILED;
}
