/* Hints: see hint.h. */
#include "cli/input/hint.h"

#include <stddef.h>

#include <uv.h>

static const char *connect_hint(const uvrelay_error_t *error, const uvr_options *options)
{
  switch (error->code) {
  case UV_EBUSY:
    return "add -p to wait for one";
  case UV_ENOENT:
    return "start its server first, or add -p to wait for it";
  case UV_ECONNREFUSED:
    return "is the server running? add -p to wait for it";
  case UV_EHOSTUNREACH:
    return "check its name and that it is on the network";
  case UV_EACCES:
    return "run as the user who runs its server, or request access";
  case UV_ETIMEDOUT:
    return options->timeout_ms == 0 ? "is the server running?" : "is the server running? set a longer --timeout";
  default:
    return NULL;
  }
}

const char *uvr_hint(const uvrelay_error_t *error, const uvr_options *options)
{
  if (error->phase == UVRELAY_PHASE_WRITE && error->code == UV_EPERM) {
    return "use </dev/null to give uvrelay no input";
  }
  return error->phase == UVRELAY_PHASE_CONNECT ? connect_hint(error, options) : NULL;
}
