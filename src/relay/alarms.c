/* Alarms: see alarms.h. The timer runs until the first one that is due. */
#include "relay/alarms.h"

#include <string.h>

static void on_timer(uv_timer_t *timer);

static void start_timer(uvr_alarms *alarms)
{
  uint64_t first = UINT64_MAX;
  for (unsigned i = 0; i < UVR_ALARMS; i++) {
    if (alarms->all[i].ring != NULL && alarms->all[i].due < first) {
      first = alarms->all[i].due;
    }
  }
  if (uv_is_closing((uv_handle_t *)&alarms->timer)) {
    return;
  }
  if (first == UINT64_MAX) {
    (void)uv_timer_stop(&alarms->timer);
  } else {
    uint64_t now = uv_now(alarms->timer.loop);
    (void)uv_timer_start(&alarms->timer, on_timer, first > now ? first - now : 0, 0);
  }
}

static void on_timer(uv_timer_t *timer)
{
  uvr_alarms *alarms = timer->data;
  uint64_t now = uv_now(timer->loop);
  for (unsigned i = 0; i < UVR_ALARMS; i++) {
    uvr_alarm_cb ring = alarms->all[i].ring;
    if (ring != NULL && alarms->all[i].due <= now) {
      alarms->all[i].ring = NULL;
      ring(alarms->user);
    }
  }
  start_timer(alarms);
}

void uvr_alarms_init(uvr_alarms *alarms, uv_loop_t *loop, void *user)
{
  (void)uv_timer_init(loop, &alarms->timer);
  alarms->timer.data = alarms;
  alarms->user = user;
  memset(alarms->all, 0, sizeof(alarms->all));
}

void uvr_alarms_set(uvr_alarms *alarms, unsigned id, uvr_alarm_cb ring, uint64_t ms)
{
  uint64_t now = uv_now(alarms->timer.loop);
  alarms->all[id] = (uvr_alarm){.ring = ring, .due = ms < UINT64_MAX - now ? now + ms : UINT64_MAX - 1};
  start_timer(alarms);
}

void uvr_alarms_clear(uvr_alarms *alarms, unsigned id)
{
  alarms->all[id].ring = NULL;
  start_timer(alarms);
}

void uvr_alarms_clear_all(uvr_alarms *alarms)
{
  memset(alarms->all, 0, sizeof(alarms->all));
  start_timer(alarms);
}
