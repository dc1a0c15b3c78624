/* In WSL, targets that are files on a drive of Windows, such as assuan:///mnt/c/... */
#ifndef UVR_CLI_SERVE_WINDOWS_TARGETS_H
#define UVR_CLI_SERVE_WINDOWS_TARGETS_H

#include "cli/child/wsl.h"
#include "cli/input/config.h"
#include "cli/output/report.h"

/* Takes each socket file of libassuan that is on such a drive for the Windows file that it is: its port can be reached
 * on Windows only, so the route leads through the far end. Nothing is changed outside of WSL. Opens no file there. */
void uvr_windows_targets_take(const uvr_wsl *wsl, uvr_config *config);

/* Tells which targets were taken so, and warns of Unix sockets on such drives, which WSL 2 cannot use. */
void uvr_windows_targets_report(const uvr_wsl *wsl, const uvr_config *config, const uvr_report *report);

#endif
