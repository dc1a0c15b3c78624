/* The system: see wsl_unix.h. */
#include "cli/doctor/wsl_unix.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/child/wsl_handler_unix.h"
#include "cli/child/wsl_setting_unix.h"

/* Reads the first line of a file; "" if it cannot be read. Returns `text`. */
static const char *read_line(const char *directory, const char *name, char text[UVR_WSL_SETTING_SIZE])
{
  char path[PATH_MAX];
  int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
  FILE *file = length > 0 && (size_t)length < sizeof(path) ? fopen(path, "re") : NULL;
  if (file == NULL || fgets(text, UVR_WSL_SETTING_SIZE, file) == NULL) {
    *text = '\0';
  }
  if (file != NULL) {
    (void)fclose(file);
  }
  text[strcspn(text, "\n")] = '\0';
  return text;
}

/* WSL 1 has a kernel of its own kind, which calls itself 4.4.0-19041-Microsoft. */
static const char *wsl_name(const char *release)
{
  size_t length = strlen(release);
  static const char first[] = "-Microsoft";
  size_t size = sizeof(first) - 1;
  return length > size && strcmp(release + length - size, first) == 0 ? "WSL 1" : "WSL 2";
}

void uvr_doctor_check_system(uvr_doctor *doctor, uvr_check *check)
{
  char release[UVR_WSL_SETTING_SIZE];
  char name[UVR_WSL_SETTING_SIZE];
  doctor->is_wsl = uvr_wsl_is(&doctor->wsl);
  (void)read_line(doctor->wsl.proc, "sys/kernel/osrelease", release);
  uvr_wsl_setting(doctor->wsl.etc, "os-release", NULL, "PRETTY_NAME", name);
  if (!doctor->is_wsl) {
    uvr_check_set(check, UVR_CHECK_OK, "this is not WSL: %s, kernel %s", *name == '\0' ? "Linux" : name, release);
    return;
  }
  const char *distribution = doctor->wsl.distro_name;
  uvr_check_set(check, UVR_CHECK_OK, "%s, distribution %s, %s, kernel %s", wsl_name(release),
                distribution == NULL || *distribution == '\0' ? "unknown (WSL_DISTRO_NAME is not set)" : distribution,
                *name == '\0' ? "Linux" : name, release);
}

void uvr_doctor_check_systemd(uvr_doctor *doctor, uvr_check *check)
{
  struct stat status;
  bool runs = stat(doctor->wsl.systemd, &status) == 0 && S_ISDIR(status.st_mode);
  uvr_check_set(check, UVR_CHECK_OK, "%s",
                runs ? "it is running" : "it is not running: uvrelay serve --background takes its place");
}

bool uvr_doctor_uses_interop(const uvr_doctor *doctor)
{
  bool only_local = doctor->config.count > 0 && doctor->far_count == 0;
  return doctor->is_wsl && !only_local && (doctor->command.file == NULL || uvr_wsl_may_concern(doctor->command.file));
}

void uvr_doctor_check_wsl_conf(uvr_doctor *doctor, uvr_check *check)
{
  char enabled[UVR_WSL_SETTING_SIZE];
  char on_path[UVR_WSL_SETTING_SIZE];
  uvr_wsl_handler handler;
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  uvr_wsl_setting(doctor->wsl.etc, "wsl.conf", "interop", "enabled", enabled);
  uvr_wsl_setting(doctor->wsl.etc, "wsl.conf", "interop", "appendWindowsPath", on_path);
  if (strcasecmp(enabled, "false") == 0) {
    uvr_wsl_handler_look(doctor->wsl.proc, &handler);
    bool lost = uvr_wsl_handler_is_lost(&handler);
    uvr_check_set(check, lost ? UVR_CHECK_BAD : UVR_CHECK_WARNING, "%s/wsl.conf has enabled=false below [interop]%s",
                  doctor->wsl.etc,
                  lost ? ", so no Windows program can be started" : ", which takes effect when WSL starts next");
    uvr_check_add_remedy(check, "# write enabled=true there:");
    uvr_check_add_remedy(check, "sudo nano %s/wsl.conf", doctor->wsl.etc);
    uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
    return;
  }
  uvr_check_set(check, UVR_CHECK_OK, "Windows programs may be started%s",
                strcasecmp(on_path, "false") == 0 ? "; they are not on PATH (appendWindowsPath=false)" : "");
}
