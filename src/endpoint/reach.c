/* Which addresses can be reached, as their kinds say: see reach.h. */
#include "endpoint/reach.h"

#include <string.h>

#include "address/variables.h"
#include "base/os.h"
#include "endpoint/kind.h"

const char *uvr_why_no_target(const uvr_address *address)
{
  const uvr_kind *kind = uvr_kind_of(address);
  return kind->why_no_target != NULL ? kind->why_no_target(address) : kind->no_target;
}

const char *uvr_why_no_listener(const uvr_address *address)
{
  return uvr_kind_of(address)->no_listener;
}

int uvr_check_remote(const uvr_context *context, const uvr_address *address, uvrelay_error_t *error)
{
  if (address->via || context->remote_files || !uvr_os_has_npipes() || !uvr_address_is_remote_file(address)) {
    return 0;
  }
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EACCES,
                       "%.500s may be a file on another computer, to which Windows would send your credentials: copy "
                       "the file to this computer, or allow it (--allow-remote-files)",
                       address->canonical);
}

int uvr_fill_in(uvr_address *target, uvrelay_error_t *error)
{
  return target->via || !uvr_os_has_npipes() ? 0 : uvr_address_fill_in(target, uv_os_getenv, error);
}

int uvr_choose_via(const uvr_context *context, uvr_address *target, const uvr_via *via, uvrelay_error_t *error)
{
  const char *why = target->via ? NULL : uvr_why_no_target(target);
  if (why != NULL && via != NULL) {
    uvr_address_set_via(target);
    why = NULL;
  }
  if (why != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_ENOTSUP, "cannot connect to %s: %s", target->canonical, why);
  }
  if (target->via && strchr(target->canonical, '?') != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "cannot connect to %s: the far end would read the ? as the start of options",
                         target->canonical);
  }
  if (target->via && via == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_ENOTSUP, "cannot connect to %s: there is no far end",
                         target->canonical);
  }
  int code = uvr_fill_in(target, error);
  return code == 0 ? uvr_check_remote(context, target, error) : code;
}

bool uvr_is_same_place(const uvr_address *target, const uvr_address *listener)
{
  if (target->kind != listener->kind || target->via) {
    return false;
  }
  const uvr_kind *kind = uvr_kind_of(listener);
  return kind->same_place != NULL ? kind->same_place(target, listener) : strcmp(target->path, listener->path) == 0;
}
