/* Targets that are connected to through a mux: see through_mux.h. */
#include "relay/through_mux.h"

#include "endpoint/reach.h"

int uvr_choose_mux(const uvrelay_t *relay, uvr_address *target, uvrelay_mux_t *mux, uvr_via **via,
                   uvrelay_error_t *error)
{
  uvr_via *given = mux != NULL ? &mux->mux.via : NULL;
  *via = NULL;
  int code = uvr_choose_via(&relay->context, target, given, error);
  if (code != 0 || mux == NULL || !target->via) {
    return code;
  }
  if (mux->relay != relay || mux->mux.role != UVRELAY_MUX_NEAR || mux->mux.closing) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "cannot connect to %s: `via` is not an open near end of the same relay", target->canonical);
  }
  *via = given;
  return 0;
}
