/* Alarms that share one timer, to keep what has them small. Each rings once, from the loop, unless it is set again or
 * cleared before. */
#ifndef UVR_RELAY_ALARMS_H
#define UVR_RELAY_ALARMS_H

#include <stdbool.h>

#include <uv.h>

#define UVR_ALARMS 3

typedef void (*uvr_alarm_cb)(void *user);

typedef struct uvr_alarm {
  uvr_alarm_cb ring; /* NULL: not set */
  uint64_t due;      /* loop time, ms */
} uvr_alarm;

typedef struct uvr_alarms {
  uv_timer_t timer; /* the owner closes it, after which no alarm rings */
  void *user;
  uvr_alarm all[UVR_ALARMS];
} uvr_alarms;

void uvr_alarms_init(uvr_alarms *alarms, uv_loop_t *loop, void *user);

/* Sets the alarm `id`, which is below UVR_ALARMS. */
void uvr_alarms_set(uvr_alarms *alarms, unsigned id, uvr_alarm_cb ring, uint64_t ms);

void uvr_alarms_clear(uvr_alarms *alarms, unsigned id);
void uvr_alarms_clear_all(uvr_alarms *alarms);

static inline bool uvr_alarms_is_set(const uvr_alarms *alarms, unsigned id)
{
  return alarms->all[id].ring != NULL;
}

#endif
