/* Rings: see ring.h. */
#include "relay/ring.h"

#include <stddef.h>

#include <uv.h>

#include "endpoint/reach.h"

/* The hop after this one, or the first one for NULL; or NULL if there is none. */
static uvr_hop *next_hop(const uvr_list *hops, const uvr_hop *after)
{
  uvr_list_node *n = after == NULL ? uvr_list_first(hops) : uvr_list_next(hops, &after->node);
  return n == NULL ? NULL : UVR_LISTED(n, uvr_hop, node);
}

void uvr_ring_add(uvr_list *hops, uvr_hop *hop)
{
  uvr_list_prepend(hops, &hop->node);
}

void uvr_ring_remove(uvr_list *hops, uvr_hop *hop)
{
  uvr_list_remove(&hop->node);
  for (uvr_hop *h = next_hop(hops, NULL); h != NULL; h = next_hop(hops, h)) {
    h->looked_up = h->looked_up == hop ? NULL : h->looked_up;
  }
}

/* The hop that a connection to this place would arrive at, or NULL. */
static uvr_hop *hop_at(const uvr_list *hops, const uvr_address *place)
{
  uvr_hop *h = next_hop(hops, NULL);
  while (h != NULL && (h->place == NULL || !uvr_is_same_place(place, h->place))) {
    h = next_hop(hops, h);
  }
  return h;
}

static size_t count(const uvr_list *hops)
{
  size_t sum = 0;
  for (const uvr_hop *h = next_hop(hops, NULL); h != NULL; h = next_hop(hops, h)) {
    sum++;
  }
  return sum;
}

/* Follows the hops from `from` on, each to the one that its target leads to. Returns the hop that leads to `hop`, or
 * NULL. Rings are refused, but a link that was made since may have closed one without `hop`: then it returns a hop of
 * that ring. */
static const uvr_hop *find_hop_to(const uvr_list *hops, const uvr_hop *from, const uvr_hop *hop)
{
  for (size_t left = count(hops); from != NULL; left--) {
    const uvr_hop *next = hop_at(hops, from->target);
    next = next != NULL ? next : from->looked_up;
    if (next == hop || left == 0) {
      return from;
    }
    from = next;
  }
  return NULL;
}

int uvr_ring_refuse_own_target(const uvr_address *target, uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "%s would be its own target", target->canonical);
}

/* The same as uvr_ring_check for the hop that the place leads to. */
static int check_next(const uvr_list *hops, const uvr_hop *hop, const uvr_hop *next, uvrelay_error_t *error)
{
  if (next == NULL) {
    return 0;
  }
  const uvr_hop *back = next == hop ? hop : find_hop_to(hops, next, hop);
  if (back == NULL) {
    return 0;
  }
  if (back == hop) {
    return uvr_ring_refuse_own_target(hop->target, error);
  }
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                       "a client of %.100s=%.100s would be relayed in a loop, because %.100s=%.100s leads back there",
                       hop->listen->canonical, hop->target->canonical, back->listen->canonical,
                       back->target->canonical);
}

int uvr_ring_check(const uvr_list *hops, const uvr_hop *hop, const uvr_address *place, uvrelay_error_t *error)
{
  return check_next(hops, hop, hop_at(hops, place), error);
}

int uvr_ring_look_up(const uvr_list *hops, uvr_hop *hop, const uvr_address *place, uvrelay_error_t *error)
{
  uvr_hop *next = hop_at(hops, place);
  int code = check_next(hops, hop, next, error);
  if (code == 0) {
    hop->looked_up = next;
  }
  return code;
}
