/* The host of the public relay: see relay_rig.h. */
#include "relay_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BEAT_MS = 2, STAY_MS = 8, DESCRIPTORS_MAX = 100 };

/* What a session may hold besides its buffers: its streams, dials, addresses and itself. */
#define SESSION_OVERHEAD ((size_t)24 * 1024)
#define BUFFER_DEFAULT   ((size_t)64 * 1024)

/* What the relay calls. */

static void happens(host *h, host_event event)
{
  assert_true(!h->closed || event == EVENT_RELEASE);
  h->events[event]++;
  if (h->action != ACTION_NONE && h->act_event == event && h->act_at == h->events[event] && h->relay != NULL) {
    h->acted = true;
    host_act(h, h->action);
  }
}

static void *on_allocate(void *user, size_t size)
{
  host *h = user;
  happens(h, EVENT_ALLOCATE);
  void *block = h->r.context.memory.allocate(h->r.context.memory.user, size);
  if (block != NULL) {
    size_t i = 0;
    while (i < HOST_BLOCKS && h->blocks[i].block != NULL) {
      i++;
    }
    assert_in_range(i, 0, HOST_BLOCKS - 1);
    h->blocks[i].block = block;
    h->blocks[i].size = size;
    h->bytes += size;
    h->bytes_max = h->bytes > h->bytes_max ? h->bytes : h->bytes_max;
  }
  return block;
}

static void on_release(void *user, void *block)
{
  host *h = user;
  size_t i = 0;
  while (i < HOST_BLOCKS && h->blocks[i].block != block) {
    i++;
  }
  assert_non_null(block);
  assert_in_range(i, 0, HOST_BLOCKS - 1);
  h->blocks[i].block = NULL;
  h->bytes -= h->blocks[i].size;
  h->r.context.memory.release(h->r.context.memory.user, block);
  happens(h, EVENT_RELEASE);
}

static void on_log(void *user, const char *line)
{
  assert_true(line[0] != '\0' && strchr(line, '\n') == NULL);
  happens(user, EVENT_LOG);
}

static void on_stream_closed(uv_handle_t *handle)
{
  relay_side *side = handle->data; /* as it was given */
  host_session *s = side->user;
  assert_ptr_equal(handle, &side->given.handle);
  assert_int_equal(s->h->calling, 0);
  assert_true(s->taken && !s->over);
  side->given_closed++;
  side->given_open = false;
  happens(s->h, EVENT_STREAM_CLOSED);
}

static void check_error(const uvrelay_error_t *error)
{
  assert_in_range(error->phase, UVRELAY_PHASE_NONE, UVRELAY_PHASE_LISTEN);
  assert_true(error->code >= 0 || error->text[0] != '\0');
}

static void start_next(host *h)
{
  if (h->s->in_turn && h->begun < h->count) {
    int code = host_start(h, h->begun++);
    if (code != 0) {
      assert_int_equal(code, h->stopping || h->closing ? UV_ESHUTDOWN : UV_ENOMEM);
      start_next(h);
    }
  }
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  host_session *s = user;
  host *h = s->h;
  uint64_t to_right;
  uint64_t to_left;
  uvrelay_counters_t counters;
  assert_int_equal(h->calling, 0);
  assert_true(s->taken && !s->over);
  assert_ptr_equal(session, s->handle);
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  assert_int_equal(counters.active, h->running - 1);
  assert_int_equal(s->left.given_closed, side_is_given(&s->left) ? 1 : 0);
  assert_int_equal(s->right.given_closed, side_is_given(&s->right) ? 1 : 0);
  check_error(&result->error);
  bool has_error = result->reason == UVRELAY_REASON_FAILED || result->reason == UVRELAY_REASON_STOPPED;
  assert_true((result->error.code < 0) == has_error);
  uvrelay_session_bytes(session, &to_right, &to_left);
  assert_int_equal(to_right, result->to_right);
  assert_int_equal(to_left, result->to_left);
  s->result = *result;
  s->over = true;
  happens(h, EVENT_DONE);
  s->handle = NULL;
  start_next(h);
  h->running--;
  h->idle = h->running == 0;
}

static void on_stopped(uvrelay_t *relay)
{
  host *h = uvrelay_get_data(relay);
  uvrelay_counters_t counters;
  assert_int_equal(h->calling, 0);
  assert_true(h->stopping && !h->stopped && !h->closing);
  assert_int_equal(h->running, 0);
  uvrelay_get_counters(relay, &counters, sizeof(counters));
  assert_int_equal(counters.active, 0);
  h->stopped = true;
  happens(h, EVENT_STOPPED);
}

static void on_closed(uvrelay_t *relay)
{
  host *h = uvrelay_get_data(relay);
  assert_int_equal(h->calling, 0);
  assert_true(h->closing && !h->closed);
  assert_int_equal(h->running, 0);
  assert_ptr_equal(uvrelay_get_loop(relay), &h->r.loop);
  h->closed = true;
}

/* What the host does. */

void host_stop(host *h, uint64_t timeout_ms)
{
  h->calling++;
  assert_int_equal(uvrelay_stop(h->relay, timeout_ms, on_stopped), h->stopping ? UV_EALREADY : 0);
  h->stopping = true;
  h->calling--;
}

void host_act(host *h, host_action action)
{
  h->calling++;
  if (action == ACTION_CLOSE && !h->closing) {
    h->closing = true;
    uvrelay_close(h->relay, on_closed);
  } else if (action == ACTION_STOP && !h->closing) {
    host_stop(h, 0);
  }
  for (unsigned i = 0; action == ACTION_CANCEL && i < h->count; i++) {
    if (h->sessions[i].handle != NULL) {
      uvrelay_session_cancel(h->sessions[i].handle);
    }
  }
  h->calling--;
}

int host_open(host *h)
{
  uvrelay_options_t options = {.size = sizeof(options),
                               .allocator = {.allocate = on_allocate, .release = on_release, .user = h},
                               .log = {.write = on_log, .user = h},
                               .buffer_size = h->s->buffer_size};
  int code = uvrelay_new(&h->relay, &h->r.loop, &options);
  assert_true((code == 0) == (h->relay != NULL));
  if (code == 0) {
    assert_null(uvrelay_get_data(h->relay));
    uvrelay_set_data(h->relay, h);
    assert_int_equal(uvrelay_error(h->relay)->code, 0);
  }
  return code;
}

int host_start(host *h, unsigned i)
{
  host_session *s = &h->sessions[i];
  uvrelay_session_options_t options = h->s->options;
  uvrelay_endpoint_t left = side_endpoint(&s->left, on_stream_closed);
  uvrelay_endpoint_t right = side_endpoint(&s->right, on_stream_closed);
  options.size = sizeof(options);
  h->calling++;
  int code = uvrelay_start(h->relay, &left, &right, &options, on_done, s, &s->handle);
  h->calling--;
  memset(&options, 0x5A, sizeof(options)); /* all that counts was copied */
  memset(&left, 0x5A, sizeof(left));
  memset(&right, 0x5A, sizeof(right));
  if (code == 0) {
    s->taken = true;
    memset(s->left.address, 'x', sizeof(s->left.address) - 1);
    memset(s->right.address, 'x', sizeof(s->right.address) - 1);
    h->running++;
    h->idle = false;
  } else {
    assert_int_equal(uvrelay_error(h->relay)->code, code);
    check_error(uvrelay_error(h->relay));
    side_assert_untouched(&s->left);
    side_assert_untouched(&s->right);
    s->handle = NULL;
  }
  return code;
}

int host_start_all(host *h)
{
  int failure = 0;
  unsigned last = h->s->in_turn ? 1 : h->count;
  for (h->begun = 0; h->begun < last; h->begun++) {
    int code = host_start(h, h->begun);
    failure = failure == 0 ? code : failure;
  }
  return failure;
}

static void on_beat(uv_timer_t *timer)
{
  (void)timer;
}

void host_turn(host *h)
{
  assert_int_equal(uv_timer_start(&h->beat, on_beat, BEAT_MS, BEAT_MS), 0);
  (void)uv_run(&h->r.loop, UV_RUN_ONCE);
  (void)uv_timer_stop(&h->beat);
}

static void on_watchdog(uv_timer_t *timer)
{
  host *h = timer->data;
  fail_msg("%s: it takes too long", h->s->name);
}

/* Looking at what came of it. */

static uint64_t right_received(const host_session *s)
{
  return side_received(&s->right, &s->h->files, s->right.remote.expected_seed);
}

static uint64_t left_received(const host_session *s)
{
  return side_received(&s->left, &s->h->files, s->left.remote.expected_seed);
}

/* Nothing is still on its way to the far ends. */
static bool has_arrived(const host *h)
{
  for (unsigned i = 0; i < h->count; i++) {
    const host_session *s = &h->sessions[i];
    uint64_t to_right = s->over ? s->result.to_right : h->s->to_right;
    uint64_t to_left = s->over ? s->result.to_left : h->s->to_left;
    if (right_received(s) < to_right || left_received(s) < to_left) {
      return false;
    }
  }
  return true;
}

void host_wait(host *h)
{
  if (h->s->stays && !h->idle && !h->closing && !h->stopping) {
    while (!h->idle && !has_arrived(h)) {
      host_turn(h); /* the watchdog ends this */
    }
    rig_run_ms(&h->r, STAY_MS);
    host_act(h, ACTION_CANCEL);
  }
  if (!h->idle) {
    assert_true(rig_run_until(&h->r, &h->idle));
  }
}

static void check_counters(const host *h)
{
  uvrelay_counters_t counters;
  uvrelay_counters_t expected = {0};
  for (unsigned i = 0; i < h->count; i++) {
    const host_session *s = &h->sessions[i];
    if (s->taken) {
      assert_true(s->over);
      expected.started++;
      expected.failed += s->result.reason == UVRELAY_REASON_FAILED ? 1U : 0U;
      expected.to_right += s->result.to_right;
      expected.to_left += s->result.to_left;
    }
  }
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  assert_int_equal(counters.active, 0);
  assert_int_equal(counters.started, expected.started);
  assert_int_equal(counters.failed, expected.failed);
  assert_int_equal(counters.to_right, expected.to_right);
  assert_int_equal(counters.to_left, expected.to_left);
}

static void check_memory(const host *h)
{
  size_t buffer = h->s->buffer_size > 0 ? h->s->buffer_size : BUFFER_DEFAULT;
  size_t sessions = h->s->in_turn ? 1 : h->count;
  assert_in_range(h->bytes_max, 0, (sessions + 1) * SESSION_OVERHEAD + sessions * 4 * buffer);
}

static bool is_expected(const host_session *s, const uvrelay_result_t *result)
{
  const relay_scenario *expected = s->h->s;
  return !expected->stays && result->reason == expected->reason && result->error.code == expected->code &&
         (expected->side == ANY_SIDE || expected->side == (int)result->side) &&
         (expected->code == 0 || result->error.phase == expected->phase);
}

static bool is_stopped(const uvrelay_result_t *result)
{
  return result->reason == UVRELAY_REASON_STOPPED && result->side == UVRELAY_SIDE_NONE &&
         result->error.code == UV_ECANCELED;
}

static void fail_result(const host_session *s)
{
  fail_msg("%s: not the expected result: reason %d, side %d, code %d, phase %d: %s", s->h->s->name,
           (int)s->result.reason, (int)s->result.side, s->result.error.code, (int)s->result.error.phase,
           s->result.error.code != 0 ? s->result.error.text : "");
}

void host_check(host *h)
{
  while (!has_arrived(h)) {
    host_turn(h);
  }
  for (unsigned i = 0; i < h->count; i++) {
    const host_session *s = &h->sessions[i];
    assert_true(s->over);
    if (h->s->stays ? !is_stopped(&s->result) : !is_expected(s, &s->result)) {
      fail_result(s);
    }
    assert_int_equal(s->result.to_right, h->s->to_right);
    assert_int_equal(s->result.to_left, h->s->to_left);
    assert_int_equal(right_received(s), h->s->to_right);
    assert_int_equal(left_received(s), h->s->to_left);
  }
}

void host_check_disturbed(const host *h, bool memory)
{
  for (unsigned i = 0; i < h->count; i++) {
    const host_session *s = &h->sessions[i];
    const uvrelay_error_t *error = &s->result.error;
    if (!s->taken) {
      continue;
    }
    /* libuv has a name of its own for a buffer that is not provided. */
    bool no_memory =
        s->result.reason == UVRELAY_REASON_FAILED && (error->code == UV_ENOMEM || error->code == UV_ENOBUFS);
    if (!is_expected(s, &s->result) && !(memory && no_memory) && !is_stopped(&s->result)) {
      fail_result(s);
    }
    /* A write that is given up may have written a part. */
    assert_in_range(right_received(s), 0, s->result.to_right + BUFFER_DEFAULT);
    assert_in_range(left_received(s), 0, s->result.to_left + BUFFER_DEFAULT);
  }
}

/* Making and closing. */

static unsigned count_descriptors(void)
{
  unsigned count = 0;
  for (uv_file fd = 0; fd < DESCRIPTORS_MAX; fd++) {
    uv_fs_t request;
    count += uv_fs_fstat(NULL, &request, fd, NULL) != UV_EBADF ? 1U : 0U;
    uv_fs_req_cleanup(&request);
  }
  return count;
}

static void init_timer(host *h, uv_timer_t *timer)
{
  assert_int_equal(uv_timer_init(&h->r.loop, timer), 0);
  timer->data = h;
  uv_unref((uv_handle_t *)timer);
}

host *host_new(const relay_scenario *s)
{
  host *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0); /* the first one opens what stays open */
  assert_int_equal(uv_loop_close(&loop), 0);
  h->descriptors = count_descriptors();
  rig_init(&h->r);
  h->s = s;
  h->count = s->sessions > 0 ? s->sessions : 1;
  h->idle = true;
  init_timer(h, &h->beat);
  init_timer(h, &h->watchdog);
  assert_int_equal(uv_timer_start(&h->watchdog, on_watchdog, RIG_PATIENCE_MS, 0), 0);
  scratch_init(&h->files);
  for (unsigned i = 0; i < h->count; i++) {
    host_session *session = &h->sessions[i];
    unsigned left_seed = 2 * i + 1;
    unsigned right_seed = 2 * i + 2;
    session->h = h;
    session->left.user = session;
    session->right.user = session;
    side_init(&session->left, s->left, &h->r, &h->files, &s->left_far, left_seed,
              s->right_far.echoes ? left_seed : right_seed);
    side_init(&session->right, s->right, &h->r, &h->files, &s->right_far, right_seed,
              s->left_far.echoes ? right_seed : left_seed);
  }
  return h;
}

static void on_timer_closed(uv_handle_t *handle)
{
  (void)handle;
}

void host_free(host *h)
{
  host_wait(h);
  for (unsigned i = 0; i < h->count; i++) {
    assert_int_equal(h->sessions[i].taken, h->sessions[i].over);
    side_close(&h->sessions[i].left, h->sessions[i].taken);
    side_close(&h->sessions[i].right, h->sessions[i].taken);
  }
  if (h->relay != NULL) {
    check_memory(h);
    if (!h->closing) {
      rig_run(&h->r); /* a relay with no session does not keep the loop alive */
      assert_int_equal(h->stopped, h->stopping);
    }
    if (!h->closing) {
      check_counters(h);
      host_act(h, ACTION_CLOSE);
    }
    if (!h->closed) {
      assert_true(rig_run_until(&h->r, &h->closed));
    }
    assert_int_equal(h->bytes, 0);
  }
  uv_close((uv_handle_t *)&h->beat, on_timer_closed);
  uv_close((uv_handle_t *)&h->watchdog, on_timer_closed);
  rig_run(&h->r);
  rig_clear(&h->r);
  assert_int_equal(count_descriptors(), h->descriptors);
  scratch_clear(&h->files);
  free(h);
}
