/* --window-total: see window.h. */
#include "cli/input/window.h"

#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

#define WINDOW_MIN ((uint64_t)128 * 1024)                /* the library's minimum */
#define WINDOW_MAX ((uint64_t)1024 * 1024 * 1024 * 1024) /* more memory than any computer has */

/* The factor of a unit, or 0. */
static uint64_t factor_of(const char *unit)
{
  static const char units[] = "KMG";
  const char *found = *unit == '\0' ? NULL : strchr(units, *unit >= 'a' && *unit <= 'z' ? *unit - 'a' + 'A' : *unit);
  if (*unit == '\0') {
    return 1;
  }
  return found == NULL || unit[1] != '\0' ? 0 : (uint64_t)1 << (10 * (found - units + 1));
}

bool uvr_window_parse(const char *text, uint64_t *bytes, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uint64_t value = 0;
  const char *next = text;
  for (; *next >= '0' && *next <= '9' && value <= WINDOW_MAX; next++) {
    value = value * 10 + (uint64_t)(*next - '0');
  }
  uint64_t factor = factor_of(next);
  if (next == text || factor == 0 || value > WINDOW_MAX / factor || value * factor < WINDOW_MIN) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "bad value %s for --window-total: write a number of bytes from 128K to 1024G, such as 64M",
                        uvr_quote(quoted, text));
    return false;
  }
  *bytes = value * factor;
  return true;
}
