/* Targets on drives of Windows: see windows_targets.h. */
#include "cli/serve/windows_targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/form.h"
#include "base/error.h"

/* The Windows path, to be freed, of a target of this scheme, with or without via: before it; or NULL. Sets *rest to
 * the options after the path. */
static char *windows_path(const uvr_wsl *wsl, const char *target, const char *scheme, const char **rest)
{
  char path[UVR_ADDRESS_PATH_SIZE];
  const char *plain = uvr_begins(target, "via:") ? target + strlen("via:") : target;
  if (!uvr_begins(plain, scheme)) {
    return NULL;
  }
  const char *start = uvr_path_of(plain + strlen(scheme));
  size_t length = strcspn(start, "?");
  if (*start != '/' || length >= sizeof(path)) {
    return NULL;
  }
  memcpy(path, start, length);
  path[length] = '\0';
  *rest = start + length;
  return uvr_wsl_windows_path(wsl, path);
}

void uvr_windows_targets_take(const uvr_wsl *wsl, uvr_config *config)
{
  bool is_wsl = uvr_wsl_is(wsl);
  for (size_t i = 0; is_wsl && i < config->count; i++) {
    uvr_config_route *route = &config->routes[i];
    const char *options;
    char text[UVR_EXPANDED_SIZE];
    char *path = windows_path(wsl, route->target, "assuan:", &options);
    int length = path == NULL ? -1 : snprintf(text, sizeof(text), "via:assuan:%s%s", path, options);
    const char *kept = length > 0 && (size_t)length < sizeof(text) ? uvr_config_keep(config, text) : NULL;
    if (kept != NULL) {
      route->taken = route->target;
      route->target = kept;
    }
    free(path);
  }
}

void uvr_windows_targets_report(const uvr_wsl *wsl, const uvr_config *config, const uvr_report *report)
{
  bool is_wsl = uvr_wsl_is(wsl);
  for (size_t i = 0; is_wsl && i < config->count; i++) {
    const uvr_config_route *route = &config->routes[i];
    const char *options;
    uvrelay_error_t note;
    char *path = windows_path(wsl, route->target, "unix:", &options);
    if (route->taken != NULL) {
      (void)uvr_error_set(&note, UVRELAY_PHASE_NONE, 0, "%.200s is on Windows and is opened there as %.200s",
                          route->taken, route->target);
      uvr_report_note(report, note.text);
    }
    if (path != NULL && !uvr_begins(route->target, "via:")) {
      (void)uvr_error_set(&note, UVRELAY_PHASE_NONE, 0,
                          "%.200s is on a Windows drive, whose Unix sockets do not work across WSL 2: let its server "
                          "listen on a named pipe or a TCP port instead",
                          route->target);
      uvr_report_warning(report, note.text);
    }
    free(path);
  }
}
