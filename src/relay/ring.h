/* Rings: routes that lead to each other. A client of a ring would be relayed round and round. */
#ifndef UVR_RELAY_RING_H
#define UVR_RELAY_RING_H

#include "address/address.h"
#include "base/error.h"
#include "base/list.h"

/* A route, as one of those that may form a ring. Its members but the last two are set by its owner. */
typedef struct uvr_hop {
  const uvr_address *listen;
  const uvr_address *target;
  const uvr_address *place;  /* what its clients connect to; NULL: it does not listen */
  struct uvr_hop *looked_up; /* the hop whose listener the target's name or socket file led to last, or NULL */
  uvr_list_node node;
} uvr_hop;

void uvr_ring_add(uvr_list *hops, uvr_hop *hop);

/* Removes a hop. None of the others leads to it afterwards. */
void uvr_ring_remove(uvr_list *hops, uvr_hop *hop);

/* Returns 0; or UV_EINVAL and *error if a client of this hop that was connected to `place` would come back to it. */
int uvr_ring_check(const uvr_list *hops, const uvr_hop *hop, const uvr_address *place, uvrelay_error_t *error);

/* The error of a route whose target is its own listener. Returns UV_EINVAL. */
int uvr_ring_refuse_own_target(const uvr_address *target, uvrelay_error_t *error);

/* As uvr_ring_check() for what the name, socket file or link of the hop's target has led to, which is then known for
 * others. */
int uvr_ring_look_up(const uvr_list *hops, uvr_hop *hop, const uvr_address *place, uvrelay_error_t *error);

#endif
