/* This program on Linux: see system.h. */
#include "cli/doctor/system.h"

#include <string.h>
#include <sys/auxv.h>

#include <uv.h>

#include "base/text.h"
#include "cli/child/wsl_drives_unix.h"
#include "uvrelay/version.h"

/* A program without a loader is linked statically. */
static bool is_static(void)
{
  return getauxval(AT_BASE) == 0;
}

static bool is_on_windows_drive(const uvr_wsl *wsl, const char *path)
{
  uvr_wsl_drives drives = uvr_wsl_find_drives(wsl->proc, wsl->virtiofs, path);
  bool within = drives.within;
  uvr_wsl_drives_clear(&drives);
  return within;
}

void uvr_doctor_check_program(uvr_doctor *doctor, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  char path[1024] = "?";
  size_t size = sizeof(path);
  (void)uv_exepath(path, &size);
  uvr_check_set(check, UVR_CHECK_OK, "uvrelay %s, linked %s, %s", UVRELAY_VERSION,
                is_static() ? "statically" : "dynamically", uvr_quote(quoted, path));
  if (uvr_wsl_is(&doctor->wsl) && is_on_windows_drive(&doctor->wsl, path)) {
    uvr_check_worsen(
        check, UVR_CHECK_WARNING,
        "uvrelay %s is on a Windows drive (%s), from which Linux starts it slowly: put it into ~/.local/bin",
        UVRELAY_VERSION, uvr_quote(quoted, path));
  }
}
