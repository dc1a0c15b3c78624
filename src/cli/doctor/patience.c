/* Calls with a limit in time: see patience.h. */
#include "cli/doctor/patience.h"

#include <stdlib.h>

#include <uv.h>

typedef struct call {
  void (*run)(void *user, uvr_check *check);
  void *user;
  uvr_check check;
  uv_mutex_t mutex; /* for what follows */
  uv_cond_t changed;
  bool done;
} call;

static void run_call(void *data)
{
  call *self = data;
  self->run(self->user, &self->check);
  uv_mutex_lock(&self->mutex);
  self->done = true;
  uv_cond_signal(&self->changed);
  uv_mutex_unlock(&self->mutex);
}

static bool wait_for(call *self, uint64_t limit_ms)
{
  uint64_t until = uv_hrtime() + limit_ms * 1000000;
  uv_mutex_lock(&self->mutex);
  for (uint64_t now = uv_hrtime(); !self->done && now < until; now = uv_hrtime()) {
    (void)uv_cond_timedwait(&self->changed, &self->mutex, until - now);
  }
  bool done = self->done;
  uv_mutex_unlock(&self->mutex);
  return done;
}

bool uvr_doctor_call(void (*run)(void *user, uvr_check *check), void *user, uint64_t limit_ms, uvr_check *check)
{
  uv_thread_t thread;
  call *self = calloc(1, sizeof(*self));
  if (self == NULL || uv_mutex_init(&self->mutex) != 0 || uv_cond_init(&self->changed) != 0) {
    free(self);
    uvr_check_set(check, UVR_CHECK_BAD, "not enough memory");
    return true;
  }
  self->run = run;
  self->user = user;
  self->check = *check;
  if (uv_thread_create(&thread, run_call, self) != 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "no thread is available for it");
    free(self);
    return true;
  }
  if (!wait_for(self, limit_ms)) {
    return false; /* the thread uses it until the process ends */
  }
  (void)uv_thread_join(&thread);
  *check = self->check;
  uv_cond_destroy(&self->changed);
  uv_mutex_destroy(&self->mutex);
  free(self);
  return true;
}
