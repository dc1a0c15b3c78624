/* What is common to the tests in which calls of routes fail. */
#ifndef FAULT_ROUTE_H
#define FAULT_ROUTE_H

#include "fault.h"
#include "route_rig.h"

enum { FAULT_ROUTE_BYTES = 10 };

/* Shortens the relay's patience. */
void fault_route_hurry(route_host *h);

bool fault_route_clients_over(const route_host *h);

/* Asserts that each client of the first route got all its bytes back, or that a route says who failed. */
void fault_route_check(const route_host *h);

/* Asserts that two more clients of the first route have no trouble. */
void fault_route_check_later(route_host *h);

#endif
