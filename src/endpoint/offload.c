/* Jobs on threads: see offload.h.
 *
 * Happy path: a job waits in the list until no other one for its place runs and there is room. Then it runs, and its
 * owner gets the result.
 *
 * Ways to fail: there is no thread for it. A job that is abandoned while it runs goes on without an owner, and only
 * closing waits for it. */
#include "endpoint/offload.h"

#include <stdio.h>
#include <string.h>

uvr_offload *uvr_offload_new(const uvrelay_allocator_t *memory)
{
  uvr_offload *self = uvr_alloc(memory, sizeof(*self));
  if (self != NULL) {
    self->memory = *memory;
    uvr_list_init(&self->look_ups);
    uvr_list_init(&self->running);
    uvr_list_init(&self->waiting);
  }
  return self;
}

static void on_all_over(void *user)
{
  uvr_offload *self = user;
  uvrelay_allocator_t memory = self->memory;
  uvr_close_cb on_closed = self->on_closed;
  void *closed_user = self->user;
  uvr_free(&memory, self);
  on_closed(closed_user);
}

void uvr_offload_close(uvr_offload *offload, uvr_close_cb on_closed, void *user)
{
  offload->on_closed = on_closed;
  offload->user = user;
  uvr_closing_begin(&offload->closing, on_all_over, offload);
  uvr_closing_end(&offload->closing);
}

static uvr_job *job_of(uvr_list_node *node)
{
  return UVR_LISTED(node, uvr_job, node);
}

static void free_job(uvr_job *job)
{
  if (job->ops->clear != NULL) {
    job->ops->clear(job);
  }
  uvr_free(&job->context->memory, job);
}

static bool is_place_free(const uvr_offload *self, const char *place)
{
  uvr_list_node *n = uvr_list_first(&self->running);
  while (n != NULL && strcmp(job_of(n)->place, place) != 0) {
    n = uvr_list_next(&self->running, n);
  }
  return n == NULL;
}

static void run(uvr_long_call *call)
{
  uvr_job *job = UVR_LISTED(call, uvr_job, call);
  job->ops->run(job);
}

static void on_run(uvr_long_call *call, bool did_run);

/* Begins with what waits, as far as there is room. */
static void run_waiting(uvr_offload *self)
{
  unsigned most = uvr_long_call_max();
  uvr_list_node *next;
  for (uvr_list_node *n = uvr_list_first(&self->waiting); n != NULL && self->running_count < most; n = next) {
    uvr_job *job = job_of(n);
    next = uvr_list_next(&self->waiting, n);
    if (is_place_free(self, job->place)) {
      job->running = true;
      uvr_list_remove(&job->node);
      uvr_list_append(&self->running, &job->node);
      self->running_count++;
      (void)uvr_closing_add(&self->closing);
      uvr_long_call_start(job->context->loop, &job->call);
    }
  }
}

static void on_run(uvr_long_call *call, bool did_run)
{
  uvr_job *job = UVR_LISTED(call, uvr_job, call);
  uvr_offload *self = job->context->offload;
  uvr_list_remove(&job->node);
  self->running_count--;
  run_waiting(self);
  if (!did_run) {
    job->code = uvr_error_set_system(&job->error, UVRELAY_PHASE_CONNECT, UV_ENOMEM, 0,
                                     "no thread is available for %.500s", job->place);
  }
  if (job->owner != NULL) {
    job->ops->on_done(job->owner, job);
  }
  free_job(job);
  uvr_closing_done(&self->closing); /* may free it */
}

uvr_job *uvr_job_new(uvr_context *context, const uvr_job_ops *ops, const char *place, void *owner)
{
  uvr_job *job = uvr_alloc(&context->memory, ops->size);
  if (job != NULL) {
    job->ops = ops;
    job->context = context;
    job->owner = owner;
    job->call.run = run;
    job->call.on_done = on_run;
    (void)snprintf(job->place, sizeof(job->place), "%s", place);
  }
  return job;
}

void uvr_job_start(uvr_job *job)
{
  uvr_offload *self = job->context->offload;
  uvr_list_append(&self->waiting, &job->node);
  run_waiting(self);
}

void uvr_job_abandon(uvr_job *job)
{
  if (job->running) {
    job->owner = NULL;
    uvr_long_call_cancel(&job->call); /* on_run comes in any case */
  } else {
    uvr_list_remove(&job->node);
    free_job(job);
  }
}
