/* This program on Windows: see system.h. */
#include "cli/doctor/system.h"

#include <uv.h>

#include "base/text.h"
#include "uvrelay/version.h"

void uvr_doctor_check_program(uvr_doctor *doctor, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  char path[1024] = "?";
  size_t size = sizeof(path);
  (void)doctor;
  (void)uv_exepath(path, &size);
  uvr_check_set(check, UVR_CHECK_OK, "uvrelay %s, for Windows, %s", UVRELAY_VERSION, uvr_quote(quoted, path));
}
