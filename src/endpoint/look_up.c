/* Looking up names: see look_up.h.
 *
 * Happy path: the first look-up of a name makes a query; those that come while it is under way wait for its result,
 * too.
 *
 * Ways to fail: the name is not found, which is remembered for a moment; the system refuses it; there is no memory. A
 * query that no caller waits for any longer goes on if it cannot be cancelled, and only closing waits for it. */
#include "endpoint/look_up.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "endpoint/name_query.h"

/* Failures. */

/* Whether the failure is one of this process and says nothing about the name. */
static bool is_own_failure(int code)
{
  return code == UV_ECANCELED || code == UV_EAI_CANCELED || code == UV_ENOMEM || code == UV_EAI_MEMORY;
}

static void remember_failure(const uvr_name_query *query, int code)
{
  const uvr_context *context = query->context;
  uvr_offload *self = context->offload;
  uvr_failed_look_up *failed = &self->failed[self->next_failed];
  self->next_failed = (self->next_failed + 1) % UVR_FAILED_LOOK_UPS;
  memcpy(failed->host, query->host, sizeof(failed->host));
  failed->code = code;
  failed->until = uv_now(context->loop) + context->patience.look_up_memory_ms;
}

/* The code of a look-up of this name that failed a moment ago, or 0. */
static int remembered_failure(const uvr_context *context, const char *host)
{
  const uvr_failed_look_up *failed = context->offload->failed;
  for (size_t i = 0; i < UVR_FAILED_LOOK_UPS; i++) {
    if (uv_now(context->loop) < failed[i].until && uvr_is_same_word(failed[i].host, host)) {
      return failed[i].code;
    }
  }
  return 0;
}

/* Queries. */

static uvr_name_query *query_of(uvr_list_node *node)
{
  return UVR_LISTED(node, uvr_name_query, node);
}

static void on_answer(uvr_name_query *query, int code, const struct addrinfo *addresses)
{
  uvr_offload *self = query->context->offload;
  uvr_list_node *first;
  if (uvr_list_has(&query->node)) {
    uvr_list_remove(&query->node);
  }
  if (code != 0 && !is_own_failure(code)) {
    remember_failure(query, code);
  }
  while ((first = uvr_list_pop(&query->waiting)) != NULL) {
    uvr_look_up *look_up = UVR_LISTED(first, uvr_look_up, node);
    look_up->query = NULL;
    look_up->on_result(look_up->user, code, code == 0 ? addresses : NULL);
  }
  uvr_free(&self->memory, query);
  uvr_closing_done(&self->closing); /* may free it */
}

static int make_query(uvr_context *context, const char *host, uvr_name_query **out)
{
  uvr_offload *self = context->offload;
  uvr_name_query *query = uvr_alloc(&self->memory, sizeof(*query));
  if (query == NULL) {
    return UV_ENOMEM;
  }
  (void)snprintf(query->host, sizeof(query->host), "%s", host);
  query->context = context;
  query->on_answer = on_answer;
  uvr_list_init(&query->waiting);
  int code = uvr_name_query_start(query);
  if (code != 0) {
    uvr_free(&self->memory, query);
    return code;
  }
  uvr_list_append(&self->look_ups, &query->node);
  (void)uvr_closing_add(&self->closing);
  *out = query;
  return 0;
}

/* The query for this name that is under way, or NULL. */
static uvr_name_query *find_query(const uvr_offload *self, const char *host)
{
  uvr_list_node *n = uvr_list_first(&self->look_ups);
  while (n != NULL && !uvr_is_same_word(query_of(n)->host, host)) {
    n = uvr_list_next(&self->look_ups, n);
  }
  return n != NULL ? query_of(n) : NULL;
}

/* Look-ups. */

int uvr_look_up_start(uvr_context *context, uvr_look_up *look_up, const char *host, uvr_look_up_cb on_result,
                      void *user)
{
  int failed = remembered_failure(context, host);
  if (failed != 0) {
    on_result(user, failed, NULL);
    return 0;
  }
  uvr_name_query *query = find_query(context->offload, host);
  int code = query != NULL ? 0 : make_query(context, host, &query);
  if (code == 0) {
    *look_up = (uvr_look_up){.query = query, .on_result = on_result, .user = user};
    uvr_list_append(&query->waiting, &look_up->node);
  }
  return code;
}

void uvr_look_up_abandon(uvr_look_up *look_up)
{
  uvr_name_query *query = look_up->query;
  if (query == NULL) {
    return;
  }
  uvr_list_remove(&look_up->node);
  look_up->query = NULL;
  if (uvr_list_is_empty(&query->waiting) && uvr_name_query_cancel(query)) {
    uvr_list_remove(&query->node); /* possibly no caller waits for it any longer */
  }
}
