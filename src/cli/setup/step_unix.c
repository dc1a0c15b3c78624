/* A step's texts: see step_unix.h. */
#include "cli/setup/step_unix.h"

#include <stdlib.h>

#include <uv.h>

#include "base/error.h"

int uvr_step_say(char **where, char *text, uvrelay_error_t *error)
{
  free(*where);
  *where = text;
  return text != NULL ? 0 : uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}
