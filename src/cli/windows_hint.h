/* What to do about a TARGET that has failed because it is on a drive of Windows, in WSL. */
#ifndef UVR_CLI_WINDOWS_HINT_H
#define UVR_CLI_WINDOWS_HINT_H

#include "cli/child/wsl.h"
#include "cli/input/options.h"

enum { UVR_WINDOWS_HINT_SIZE = 1200 };

/* Returns `hint`, or NULL if the target is not a file on such a drive. */
const char *uvr_windows_hint(const uvr_wsl *wsl, const uvr_options *options, char hint[UVR_WINDOWS_HINT_SIZE]);

#endif
