/* Routes whose calls fail: see fault_route.h. */
#include "fault_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/relay.h"

void fault_route_hurry(route_host *h)
{
  uvr_patience *patience = &h->relay->context.patience;
  patience->accept_retry_ms = 2;
  patience->relief_ms = 5;
  patience->close_ms = 50;
  patience->last_words_ms = 5;
  patience->flush_ms = 50;
}

static bool is_told(const host_route *route)
{
  for (uint64_t n = 1; n <= route->opened; n++) {
    uvrelay_reason_t reason = route->results[n].reason;
    if (reason == UVRELAY_REASON_FAILED || reason == UVRELAY_REASON_GONE) {
      return true;
    }
  }
  return route->error.code != 0 || (route->route != NULL && uvrelay_route_error(route->route)->code != 0);
}

/* A client of the first route gets all its bytes back, or the routes say that somebody failed. */
void fault_route_check(const route_host *h)
{
  const bool told = is_told(&h->routes[0]) || is_told(&h->routes[3]);
  for (unsigned i = 0; i < h->client_count; i++) {
    const route_client *c = &h->clients[i];
    bool has_all = c->received == c->to_send && c->code == 0;
    bool of_second = h->routes[1].address[0] != '\0' && i == 2; /* whose target is absent */
    if (!has_all && !of_second && !told) {
      fail_msg("client %u has %u of %u bytes, code %d, and no route says why", i, (unsigned)c->received,
               (unsigned)c->to_send, c->code);
    }
  }
}

bool fault_route_clients_over(const route_host *h)
{
  unsigned i = 0;
  while (i < h->client_count && h->clients[i].over) {
    i++;
  }
  return i == h->client_count && h->routes[0].open == 0 && h->routes[1].open == 0 && h->routes[3].open == 0;
}

/* Whatever came of it, the routes work as before. */
void fault_route_check_later(route_host *h)
{
  unsigned before = h->client_count;
  for (unsigned i = 0; i < 2; i++) {
    (void)route_client_start(h, h->routes[0].address, FAULT_ROUTE_BYTES, true);
  }
  ROUTE_WAIT(h, fault_route_clients_over(h));
  for (unsigned i = before; i < before + 2; i++) {
    assert_int_equal(h->clients[i].code, 0);
    assert_int_equal(h->clients[i].received, FAULT_ROUTE_BYTES);
  }
}
