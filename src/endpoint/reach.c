/* Which addresses can be reached, as their kinds say: see reach.h. */
#include "endpoint/reach.h"

#include <string.h>

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

int uvr_choose_via(uvr_address *target, const uvr_via *via, uvrelay_error_t *error)
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
                         "cannot connect to %s: to a far end a ? begins options", target->canonical);
  }
  if (target->via && via == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_ENOTSUP, "cannot connect to %s: there is no far end to do it",
                         target->canonical);
  }
  return 0;
}

bool uvr_is_same_place(const uvr_address *target, const uvr_address *listener)
{
  if (target->kind != listener->kind || target->via) {
    return false;
  }
  const uvr_kind *kind = uvr_kind_of(listener);
  return kind->same_place != NULL ? kind->same_place(target, listener) : strcmp(target->path, listener->path) == 0;
}
