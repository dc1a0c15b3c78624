/* What a session is given: see given.h.
 *
 * Happy path: the options are checked, both endpoints are adopted, the list of owners is kept and checked against them,
 * and the adoption becomes final.
 *
 * Ways to fail: an option is out of its range; an endpoint cannot be used, or is both sides; the list does not suit an
 * address; there is no memory. Then nothing is kept, and both endpoints still belong to the host. */
#include "relay/given.h"

#include <string.h>

#include "base/abi.h"
#include "endpoint/owner.h"

/* How long a side may be silent after the other one has ended, unless the options say.
 *
 * A right side to which the end could not be signalled may be a server that still works on its answer, which would be
 * lost: so it has long, but less than a route's time limit for connecting, so that a client that waits for a busy pipe
 * can wait for one that lingers. A left side that is gone is noticed sooner by other means, where there are any.
 *
 * A left side to which the end could not be signalled waits for the end of its connection, and only what it was sending
 * when the right side ended can still be on its way. One that got the end may understand it and continue for as long as
 * it likes; if it does not, it waits for its end, too. */
enum { LINGER_MS = 25000, LEFT_LINGER_MS = 1000, TOLD_LINGER_MS = 5000 };

static uint64_t linger_of(const uvrelay_session_options_t *options, uint64_t usual)
{
  return options->linger_ms == 0 ? usual : options->linger_ms == UINT64_MAX ? 0 : options->linger_ms;
}

int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out)
{
  uvrelay_session_options_t own;
  if (uvr_abi_copy(&own, sizeof(own), options) != 0 || own.retry > UVRELAY_RETRY_ALL ||
      (unsigned)own.impersonation > UVRELAY_IMPERSONATION_DELEGATION || (unsigned)own.eof_to_left > UVRELAY_EOF_NONE ||
      (unsigned)own.eof_to_right > UVRELAY_EOF_NONE) {
    return UV_EINVAL;
  }
  *out = (uvr_session_options){
      .pair = {.end_after_left = own.end_after_left != 0,
               .end_after_right = own.end_after_right != 0,
               .eof_to_left = own.eof_to_left,
               .eof_to_right = own.eof_to_right,
               .left_may_leave = (own.retry & UVRELAY_RETRY_ABSENT) != 0,
               .linger_ms = linger_of(&own, LINGER_MS),
               .left_linger_ms = linger_of(&own, LEFT_LINGER_MS),
               .told_linger_ms = linger_of(&own, TOLD_LINGER_MS),
               .idle_ms = own.idle_ms},
      .dial = {
          .retry = own.retry,
          .retry_first_ms = own.retry_first_ms,
          .retry_last_ms = own.retry_last_ms,
          .timeout_ms = own.timeout_ms,
          .connect = {.level = own.impersonation, .owner = *own.owner != '\0' ? options->owner : NULL, .arms = true}}};
  return 0;
}

static bool is_same(const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right)
{
  return left->type == right->type && ((left->type == UVRELAY_STREAM && left->stream == right->stream) ||
                                       (left->type == UVRELAY_NPIPE && left->npipe == right->npipe));
}

static int adopt_both(uvrelay_t *relay, uvr_given *g, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right)
{
  int code = uvr_opener_adopt(relay, &g->left, left, "the left stream");
  if (code == 0) {
    code = uvr_opener_adopt(relay, &g->right, right, "the right stream");
  }
  if (code == 0 && is_same(&g->left.endpoint, &g->right.endpoint)) {
    code = uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "both sides are the same");
  }
  return code;
}

/* Keeps the option `owner`, and checks that it suits the addresses. */
static int take_owner(uvrelay_t *relay, uvr_given *g)
{
  uvr_connect_options *options = &g->options.dial.connect;
  const uvr_address *const addresses[] = {g->left.address, g->right.address};
  int code = 0;
  for (size_t i = 0; code == 0 && i < 2; i++) {
    code = addresses[i] == NULL ? 0 : uvr_owner_check_list(addresses[i], options->owner, &relay->error);
  }
  if (code != 0 || options->owner == NULL || (addresses[0] == NULL && addresses[1] == NULL)) {
    return code;
  }
  size_t size = strlen(options->owner) + 1;
  g->owner = uvr_alloc(&relay->context.memory, size);
  if (g->owner == NULL) {
    return UV_ENOMEM;
  }
  options->owner = memcpy(g->owner, options->owner, size);
  return 0;
}

int uvr_given_no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for a session");
}

int uvr_given_take(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                   const uvrelay_session_options_t *options, uvr_given **out)
{
  uvr_session_options own;
  if (uvr_session_options_of(options, &own) != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "an option of the session is out of its range");
  }
  uvr_given *g = uvr_alloc(&relay->context.memory, sizeof(*g));
  if (g == NULL) {
    return uvr_given_no_memory(&relay->error);
  }
  g->options = own;
  int code = adopt_both(relay, g, left, right);
  if (code == 0) {
    code = take_owner(relay, g);
  }
  if (code != 0) {
    if (code == UV_ENOMEM) {
      (void)uvr_given_no_memory(&relay->error);
    }
    uvr_opener_give_back(relay, &g->right);
    uvr_opener_give_back(relay, &g->left);
    uvr_free(&relay->context.memory, g->owner);
    uvr_free(&relay->context.memory, g);
    return code;
  }
  uvr_opener_commit(&g->left);
  uvr_opener_commit(&g->right);
  *out = g;
  return 0;
}

void uvr_given_free(uvrelay_t *relay, uvr_given *given)
{
  if (given != NULL) {
    const uvrelay_allocator_t *memory = &relay->context.memory;
    uvr_opener_clear(memory, &given->left);
    uvr_opener_clear(memory, &given->right);
    uvr_free(memory, given->owner);
    uvr_free(memory, given);
  }
}
