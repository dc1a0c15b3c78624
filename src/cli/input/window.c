/* --window-total: see window.h. */
#include "cli/input/window.h"

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

#define WINDOW_MIN ((uint64_t)128 * 1024)                /* the library's minimum */
#define WINDOW_MAX ((uint64_t)1024 * 1024 * 1024 * 1024) /* more memory than any computer has */

bool uvr_window_parse(const char *text, uint64_t *bytes, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uint64_t value = 0;
  if (!uvr_size_parse(text, WINDOW_MAX, &value) || value < WINDOW_MIN) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "bad value %s for --window-total: write a number of bytes from 128K to 1024G, such as 64M",
                        uvr_quote(quoted, text));
    return false;
  }
  *bytes = value;
  return true;
}
