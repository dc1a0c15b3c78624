/* Alarms: what many small objects use in place of a uv_timer_t each. An alarm is a member of its owner, needs no
 * closing, and rings once, from the loop, unless it is cleared or set again before. The alarms of a context share one
 * timer of libuv, which keeps the loop running while any alarm is set.
 *
 *   uvr_alarm_set(context->clock, &session->patience, 2000, on_patience);
 *   ...
 *   static void on_patience(uvr_alarm *alarm)
 *   {
 *     uvrelay_session_t *session = UVR_LISTED(alarm, uvrelay_session_t, patience);
 *   }
 */
#ifndef UVR_BASE_ALARM_H
#define UVR_BASE_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/closing.h"
#include "base/memory.h"

typedef struct uvr_clock uvr_clock;
typedef struct uvr_alarm uvr_alarm;
typedef void (*uvr_alarm_cb)(uvr_alarm *alarm);

/* All zero: not set. Its owner must clear it before it frees it. */
struct uvr_alarm {
  uvr_alarm_cb ring; /* NULL: not set */
  uint64_t due;      /* loop time, ms */
  uint64_t number;   /* alarms that are due at the same time ring in the order in which they were set */
  uvr_alarm *child;  /* a heap: see alarm.c */
  uvr_alarm *next;
  uvr_alarm *previous;
};

/* Returns NULL when there is no memory. */
uvr_clock *uvr_clock_new(const uvrelay_allocator_t *memory, uv_loop_t *loop);

/* Closes the timer. No alarm may be set then or afterwards. on_closed is called once, perhaps before this returns. */
void uvr_clock_close(uvr_clock *clock, uvr_close_cb on_closed, void *user);

/* Frees a clock that is closed, or on which no alarm was ever set. NULL is allowed. */
void uvr_clock_free(uvr_clock *clock);

/* Sets an alarm, whether or not it is set already. It rings after `ms` milliseconds, and never within this call nor
 * before the loop has handled what rings now. UINT64_MAX: never, but it is set. With libuv before 1.48, one that is set
 * for 0 ms by an alarm that rings may ring in the same turn of the loop, so an alarm must not set itself like this
 * again and again. */
void uvr_alarm_set(uvr_clock *clock, uvr_alarm *alarm, uint64_t ms, uvr_alarm_cb ring);

/* Clears an alarm, whether or not it is set. */
void uvr_alarm_clear(uvr_clock *clock, uvr_alarm *alarm);

static inline bool uvr_alarm_is_set(const uvr_alarm *alarm)
{
  return alarm->ring != NULL;
}

#endif
