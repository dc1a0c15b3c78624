/* Alarms: see alarm.h. They form a pairing heap: each alarm is due before its children, which are a list. To set one
 * takes constant time, and so does clearing one that has no children, as most have that are cleared long before they
 * are due. The timer is started when the first alarm becomes due earlier. When that alarm is cleared, the timer is left
 * running, and looks again. */
#include "base/alarm.h"

#include <assert.h>
#include <stddef.h>

struct uvr_clock {
  uvrelay_allocator_t memory;
  uv_loop_t *loop;
  uv_timer_t timer;
  bool open;
  bool ringing;      /* the timer is started afterwards */
  uvr_alarm *first;  /* the root of the heap: the first one that is due */
  uint64_t wakes;    /* when the timer looks, loop time, ms; UINT64_MAX: it is stopped */
  uint64_t numbered; /* how many alarms were set */
  uvr_close_cb on_closed;
  void *user;
};

/* The heap. */

static bool is_before(const uvr_alarm *one, const uvr_alarm *other)
{
  return one->due < other->due || (one->due == other->due && one->number < other->number);
}

/* Joins two heaps, either of which may be empty. */
static uvr_alarm *join(uvr_alarm *one, uvr_alarm *other)
{
  if (one == NULL || other == NULL) {
    return one == NULL ? other : one;
  }
  uvr_alarm *root = is_before(one, other) ? one : other;
  uvr_alarm *child = root == one ? other : one;
  child->next = root->child;
  if (child->next != NULL) {
    child->next->previous = child;
  }
  child->previous = root;
  root->child = child;
  return root;
}

/* Joins the heaps in a list: first in pairs, then the pairs from the last one on. */
static uvr_alarm *join_all(uvr_alarm *list)
{
  uvr_alarm *pairs = NULL;
  uvr_alarm *root = NULL;
  while (list != NULL) {
    uvr_alarm *one = list;
    uvr_alarm *other = one->next;
    list = other != NULL ? other->next : NULL;
    one->next = NULL;
    if (other != NULL) {
      other->next = NULL;
    }
    one = join(one, other);
    one->next = pairs;
    pairs = one;
  }
  while (pairs != NULL) {
    uvr_alarm *one = pairs;
    pairs = one->next;
    one->next = NULL;
    root = join(root, one);
  }
  return root;
}

static void remove_alarm(uvr_clock *clock, uvr_alarm *alarm)
{
  uvr_alarm *rest = join_all(alarm->child);
  if (alarm == clock->first) {
    clock->first = rest;
  } else {
    if (alarm->previous->child == alarm) {
      alarm->previous->child = alarm->next;
    } else {
      alarm->previous->next = alarm->next;
    }
    if (alarm->next != NULL) {
      alarm->next->previous = alarm->previous;
    }
    clock->first = join(clock->first, rest);
  }
  *alarm = (uvr_alarm){.ring = NULL};
}

/* The timer. */

static void on_timer(uv_timer_t *timer);

/* Has the timer look when the first alarm is due. */
static void update_timer(uvr_clock *clock)
{
  uint64_t now = uv_now(clock->loop);
  if (clock->first == NULL) {
    if (clock->wakes != UINT64_MAX) {
      clock->wakes = UINT64_MAX;
      (void)uv_timer_stop(&clock->timer);
    }
  } else if (clock->first->due < clock->wakes) {
    clock->wakes = clock->first->due;
    (void)uv_timer_start(&clock->timer, on_timer, clock->wakes > now ? clock->wakes - now : 0, 0);
  }
}

static void on_timer(uv_timer_t *timer)
{
  uvr_clock *clock = timer->data;
  const uint64_t now = uv_now(clock->loop);
  const uint64_t last = clock->numbered; /* those that are set while others ring have their turn later */
  clock->wakes = UINT64_MAX;
  clock->ringing = true;
  while (clock->first != NULL && clock->first->due <= now && clock->first->number <= last) {
    uvr_alarm *alarm = clock->first;
    uvr_alarm_cb ring = alarm->ring;
    remove_alarm(clock, alarm);
    ring(alarm);
  }
  clock->ringing = false;
  update_timer(clock);
}

void uvr_alarm_set(uvr_clock *clock, uvr_alarm *alarm, uint64_t ms, uvr_alarm_cb ring)
{
  const uint64_t now = uv_now(clock->loop);
  assert(clock->on_closed == NULL);
  if (alarm->ring != NULL) {
    remove_alarm(clock, alarm);
  }
  if (!clock->open) {
    clock->open = true;
    (void)uv_timer_init(clock->loop, &clock->timer); /* cannot fail */
    clock->timer.data = clock;
  }
  alarm->ring = ring;
  alarm->due = ms < UINT64_MAX - 1 - now ? now + ms : UINT64_MAX - 1;
  alarm->number = ++clock->numbered;
  clock->first = join(clock->first, alarm);
  if (!clock->ringing) {
    update_timer(clock);
  }
}

void uvr_alarm_clear(uvr_clock *clock, uvr_alarm *alarm)
{
  if (alarm->ring != NULL) {
    remove_alarm(clock, alarm);
    if (!clock->ringing && clock->first == NULL) {
      update_timer(clock);
    }
  }
}

/* Making and closing. */

uvr_clock *uvr_clock_new(const uvrelay_allocator_t *memory, uv_loop_t *loop)
{
  uvr_clock *clock = uvr_alloc(memory, sizeof(*clock));
  if (clock != NULL) {
    clock->memory = *memory;
    clock->loop = loop;
    clock->wakes = UINT64_MAX;
  }
  return clock;
}

static void on_timer_closed(uv_handle_t *timer)
{
  uvr_clock *clock = timer->data;
  clock->open = false;
  clock->on_closed(clock->user);
}

void uvr_clock_close(uvr_clock *clock, uvr_close_cb on_closed, void *user)
{
  assert(clock->first == NULL);
  clock->on_closed = on_closed;
  clock->user = user;
  if (clock->open) {
    uv_close((uv_handle_t *)&clock->timer, on_timer_closed);
  } else {
    on_closed(user);
  }
}

void uvr_clock_free(uvr_clock *clock)
{
  if (clock != NULL) {
    uvrelay_allocator_t memory = clock->memory;
    assert(!clock->open);
    uvr_free(&memory, clock);
  }
}
