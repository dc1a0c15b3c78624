/* Making calls fail: see fault.h. */
#include "fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

enum { TEXT = 160, SLOW_MS = 1000 };

static struct {
  fault_plan plan;
  bool running; /* a scenario of fault_each */
  bool owns_all;
  atomic_bool armed;
  atomic_uint calls;
  atomic_bool reached;
  /* Of the call, written by the thread that makes it, before `reached`. */
  const char *call;
  unsigned ways;
  fault_way way;
  char text[TEXT];
  void (*on_reached)(const char *text);
} fault;

static _Thread_local unsigned depth;

void fault_plan_is(fault_plan plan)
{
  fault_disarm();
  fault.plan = plan;
  fault.call = NULL;
  fault.ways = 0;
  fault.way = (fault_way){.kind = FAULT_FAILS};
  atomic_store(&fault.calls, 0);
  atomic_store(&fault.reached, false);
}

void fault_on_reached(void (*cb)(const char *text))
{
  fault.on_reached = cb;
}

void fault_arm(void)
{
  atomic_store(&fault.armed, true);
}

void fault_disarm(void)
{
  atomic_store(&fault.armed, false);
}

bool fault_fired(void)
{
  return atomic_load(&fault.reached) && fault.plan.way < fault.ways;
}

bool fault_is_harmless(void)
{
  return fault_fired() && fault.way.kind != FAULT_FAILS;
}

int fault_code(void)
{
  return fault.way.code;
}

const char *fault_text(void)
{
  static const char *const kinds[] = {"fails with", "is to be repeated, error", "is short"};
  if (atomic_load(&fault.reached)) {
    (void)snprintf(fault.text, sizeof(fault.text), "call %u of %u: %s %s %d (way %u of %u)", fault.plan.at,
                   atomic_load(&fault.calls), fault.call, kinds[fault.way.kind], fault.way.code, fault.plan.way,
                   fault.ways);
  } else {
    (void)snprintf(fault.text, sizeof(fault.text), "call %u, of which there are %u so far", fault.plan.at,
                   atomic_load(&fault.calls));
  }
  return fault.text;
}

bool fault_next(fault_plan *plan)
{
  if (!atomic_load(&fault.reached)) {
    return false;
  }
  plan->way++;
  if (plan->way >= fault.ways) {
    plan->at++;
    plan->way = 0;
  }
  return true;
}

unsigned fault_each(void (*scenario)(void *user), void *user)
{
  fault_plan plan = {.at = 1};
  unsigned runs = 0;
  do {
    fault.running = true;
    fault_plan_is(plan);
    uint64_t begin = uv_hrtime();
    scenario(user);
    fault_disarm();
    uint64_t ms = (uv_hrtime() - begin) / 1000000;
    if (ms >= SLOW_MS) {
      print_message("%u ms: %s\n", (unsigned)ms, fault_text());
    }
    fault.running = false;
    runs += fault_fired() ? 1U : 0U;
  } while (fault_next(&plan));
  return runs;
}

int fault_teardown(void **state)
{
  (void)state;
  fault_disarm();
  if (fault.running) {
    print_message("What was made to fail: %s\n", fault_text());
    fault.running = false;
  }
  return 0;
}

const fault_way *fault_of(const char *call, const fault_way *ways, unsigned count)
{
  bool counts = atomic_load(&fault.armed) && (fault.plan.only == NULL || strcmp(fault.plan.only, call) == 0);
  if (!counts || atomic_fetch_add(&fault.calls, 1) + 1 != fault.plan.at) {
    return NULL;
  }
  fault.call = call;
  fault.ways = count;
  const fault_way *way = fault.plan.way < count ? &ways[fault.plan.way] : NULL;
  fault.way = way != NULL ? *way : (fault_way){.kind = FAULT_FAILS};
  atomic_store(&fault.reached, true);
  if (fault.on_reached != NULL) {
    fault.on_reached(fault_text());
  }
  return way;
}

void fault_enter(void)
{
  depth++;
}

void fault_leave(void)
{
  depth--;
}

bool fault_is_inside(void)
{
  return depth > 0;
}

void fault_own_all(void)
{
  fault.owns_all = true;
}

bool fault_owns_all(void)
{
  return fault.owns_all;
}
