/* Requests on libuv's thread pool: see offload.h.
 *
 * Happy path of a look-up: the first one for a name makes a request of libuv; those that come while it runs wait for
 * its result, too. Happy path of a job: it waits in the list until no other one for its place runs and there is room;
 * then it is a request of libuv.
 *
 * Ways to fail: libuv refuses a name, or there is no memory. Whoever abandons a request does not wait for it: it goes
 * on without an owner, and only closing waits for it. */
#include "endpoint/offload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { FAILURES = 8, POOL_DEFAULT = 4, POOL_MAX = 1024, POOL_SHARE = 4 };

/* One request for the addresses of a name. */
typedef struct uvr_look_up_request {
  uvr_list_node node; /* not in the list: it was cancelled */
  uvr_list waiting;   /* uvr_look_up */
  uvr_context *context;
  uv_getaddrinfo_t request;
  char host[UVR_ADDRESS_HOST_SIZE];
} look_up_request;

/* A look-up that has failed a moment ago. */
typedef struct failure {
  char host[UVR_ADDRESS_HOST_SIZE];
  int code;
  uint64_t until; /* loop time, ms; 0: unused */
} failure;

struct uvr_offload {
  uvrelay_allocator_t memory;
  uvr_list look_ups; /* look_up_request */
  failure failures[FAILURES];
  unsigned next_failure; /* is replaced next */
  uvr_list running;      /* uvr_job */
  uvr_list waiting;      /* uvr_job */
  unsigned running_count;
  unsigned running_max;
  uvr_closing closing; /* counts the requests of libuv */
  uvr_close_cb on_closed;
  void *user;
};

/* How many threads libuv's pool has or will have. */
static unsigned pool_size(void)
{
  char text[16];
  size_t size = sizeof(text);
  if (uv_os_getenv("UV_THREADPOOL_SIZE", text, &size) != 0) {
    return POOL_DEFAULT;
  }
  long count = strtol(text, NULL, 10);
  return count < 1 ? 1 : count > POOL_MAX ? POOL_MAX : (unsigned)count;
}

uvr_offload *uvr_offload_new(const uvrelay_allocator_t *memory)
{
  uvr_offload *self = uvr_alloc(memory, sizeof(*self));
  if (self != NULL) {
    unsigned share = pool_size() / POOL_SHARE;
    self->memory = *memory;
    self->running_max = share > 0 ? share : 1;
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

/* Failures that are remembered. */

/* Whether the failure is one of this process and says nothing about the name. */
static bool is_own_failure(int code)
{
  return code == UV_ECANCELED || code == UV_EAI_CANCELED || code == UV_ENOMEM || code == UV_EAI_MEMORY;
}

static void remember_failure(const look_up_request *request, int code)
{
  const uvr_context *context = request->context;
  uvr_offload *self = context->offload;
  failure *f = &self->failures[self->next_failure];
  self->next_failure = (self->next_failure + 1) % FAILURES;
  memcpy(f->host, request->host, sizeof(f->host));
  f->code = code;
  f->until = uv_now(context->loop) + context->patience.look_up_memory_ms;
}

/* The code of a look-up of this name that failed a moment ago, or 0. */
static int remembered_failure(const uvr_offload *self, uint64_t now, const char *host)
{
  for (size_t i = 0; i < FAILURES; i++) {
    if (now < self->failures[i].until && uvr_is_same_word(self->failures[i].host, host)) {
      return self->failures[i].code;
    }
  }
  return 0;
}

/* Looking up names. */

static look_up_request *request_of(uvr_list_node *node)
{
  return UVR_LISTED(node, look_up_request, node);
}

static void on_looked_up(uv_getaddrinfo_t *uv_request, int code, struct addrinfo *addresses)
{
  look_up_request *request = uv_request->data;
  uvr_offload *self = request->context->offload;
  uvr_list_node *first;
  if (uvr_list_has(&request->node)) {
    uvr_list_remove(&request->node);
  }
  if (code != 0 && !is_own_failure(code)) {
    remember_failure(request, code);
  }
  while ((first = uvr_list_pop(&request->waiting)) != NULL) {
    uvr_look_up *look_up = UVR_LISTED(first, uvr_look_up, node);
    look_up->request = NULL;
    look_up->on_result(look_up->user, code, addresses);
  }
  uv_freeaddrinfo(addresses);
  uvr_free(&self->memory, request);
  uvr_closing_done(&self->closing); /* may free it */
}

/* Asks libuv for the addresses of a name. Returns 0 and *out, or a negative code. */
static int make_request(uvr_context *context, const char *host, look_up_request **out)
{
  static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  uvr_offload *self = context->offload;
  look_up_request *request = uvr_alloc(&self->memory, sizeof(*request));
  if (request == NULL) {
    return UV_ENOMEM;
  }
  (void)snprintf(request->host, sizeof(request->host), "%s", host);
  request->context = context;
  request->request.data = request;
  uvr_list_init(&request->waiting);
  int code = uv_getaddrinfo(context->loop, &request->request, on_looked_up, request->host, NULL, &hints);
  if (code != 0) {
    uvr_free(&self->memory, request);
    return code;
  }
  uvr_list_append(&self->look_ups, &request->node);
  (void)uvr_closing_add(&self->closing);
  *out = request;
  return 0;
}

/* The request for this name that is under way, or NULL. */
static look_up_request *find_request(const uvr_offload *self, const char *host)
{
  uvr_list_node *n = uvr_list_first(&self->look_ups);
  while (n != NULL && !uvr_is_same_word(request_of(n)->host, host)) {
    n = uvr_list_next(&self->look_ups, n);
  }
  return n != NULL ? request_of(n) : NULL;
}

int uvr_look_up_start(uvr_context *context, uvr_look_up *look_up, const char *host, uvr_look_up_cb on_result,
                      void *user)
{
  uvr_offload *self = context->offload;
  int failed = remembered_failure(self, uv_now(context->loop), host);
  if (failed != 0) {
    on_result(user, failed, NULL);
    return 0;
  }
  look_up_request *request = find_request(self, host);
  int code = request != NULL ? 0 : make_request(context, host, &request);
  if (code == 0) {
    *look_up = (uvr_look_up){.request = request, .on_result = on_result, .user = user};
    uvr_list_append(&request->waiting, &look_up->node);
  }
  return code;
}

void uvr_look_up_abandon(uvr_look_up *look_up)
{
  look_up_request *request = look_up->request;
  if (request == NULL) {
    return;
  }
  uvr_list_remove(&look_up->node);
  look_up->request = NULL;
  if (uvr_list_is_empty(&request->waiting) && uv_cancel((uv_req_t *)&request->request) == 0) {
    uvr_list_remove(&request->node); /* nobody may wait for it any more */
  }
}

/* Jobs. */

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

static void run(uv_work_t *request)
{
  uvr_job *job = request->data;
  job->ops->run(job);
}

static void after_run(uv_work_t *request, int code);

/* Begins with what waits, as far as there is room. */
static void run_waiting(uvr_offload *self)
{
  uvr_list_node *next;
  for (uvr_list_node *n = uvr_list_first(&self->waiting); n != NULL && self->running_count < self->running_max;
       n = next) {
    uvr_job *job = job_of(n);
    next = uvr_list_next(&self->waiting, n);
    if (is_place_free(self, job->place)) {
      job->running = true;
      uvr_list_remove(&job->node);
      uvr_list_append(&self->running, &job->node);
      self->running_count++;
      (void)uvr_closing_add(&self->closing);
      (void)uv_queue_work(job->context->loop, &job->request, run, after_run); /* fails without a function only */
    }
  }
}

static void after_run(uv_work_t *request, int code)
{
  uvr_job *job = request->data;
  uvr_offload *self = job->context->offload;
  uvr_list_remove(&job->node);
  self->running_count--;
  run_waiting(self);
  if (job->owner != NULL && code == 0) {
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
    job->request.data = job;
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
    (void)uv_cancel((uv_req_t *)&job->request); /* after_run comes in any case */
  } else {
    uvr_list_remove(&job->node);
    free_job(job);
  }
}
