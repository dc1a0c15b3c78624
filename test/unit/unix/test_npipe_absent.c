/* Named pipes on a system that has none: the handle can be made, asked and closed, and each function that would touch
 * the system says UV_ENOTSUP, calls back for nothing and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "uvrelay.h"

static void on_connected(uvrelay_npipe_t *npipe, int status)
{
  (void)npipe;
  fail_msg("connected, with %d", status);
}

static void on_read(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read)
{
  (void)npipe;
  fail_msg("read, with event %d", (int)read->event);
}

static void on_done(uvrelay_npipe_t *npipe, int status, void *user)
{
  (void)npipe;
  (void)user;
  fail_msg("written, with %d", status);
}

static void on_closed(uvrelay_npipe_t *npipe)
{
  (*(unsigned *)uvrelay_npipe_get_data(npipe))++;
}

static uvrelay_npipe_t *make(rig *r, unsigned *closes)
{
  uvrelay_npipe_t *npipe = NULL;
  uvrelay_npipe_options_t options = {.size = sizeof(options), .allocator = r->context.memory};
  assert_int_equal(uvrelay_npipe_new(&npipe, &r->loop, &options), 0);
  assert_non_null(npipe);
  assert_null(uvrelay_npipe_get_data(npipe));
  uvrelay_npipe_set_data(npipe, closes);
  return npipe;
}

static void test_calls(void **state)
{
  (void)state;
  rig r;
  unsigned closes = 0;
  rig_init(&r);
  uvrelay_npipe_t *npipe = make(&r, &closes);
  uvrelay_npipe_t *client = make(&r, &closes);
  uv_buf_t buf = uv_buf_init((char *)"x", 1);
  uint32_t pid = 0;
  for (unsigned i = 0; i < 2; i++) { /* again and again */
    assert_int_equal(uvrelay_npipe_connect(npipe, "//./pipe/x", on_connected), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_connect(npipe, "not a pipe's name", on_connected), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_error(npipe)->code, UV_ENOTSUP);
    assert_non_null(strstr(uvrelay_npipe_error(npipe)->text, "Windows"));
    assert_int_equal(uvrelay_npipe_listen(npipe, "//./pipe/x", 4, on_connected), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_accept(npipe, client), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_read_start(npipe, on_read), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_write(npipe, &buf, 1, on_done, NULL), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_try_write(npipe, &buf, 1), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_shutdown(npipe, on_done, NULL), UV_ENOTSUP);
    assert_int_equal(uvrelay_npipe_peer_pid(npipe, &pid), UV_ENOTSUP);
    uvrelay_npipe_read_stop(npipe);
  }
  rig_run(&r);
  assert_int_equal(closes, 0);
  uvrelay_npipe_close(npipe, on_closed);
  uvrelay_npipe_close(client, on_closed);
  assert_int_equal(closes, 0);
  rig_run(&r);
  assert_int_equal(closes, 2);
  rig_clear(&r);
}

static void test_questions(void **state)
{
  (void)state;
  rig r;
  unsigned closes = 0;
  rig_init(&r);
  uvrelay_npipe_t *npipe = make(&r, &closes);
  assert_false(uv_loop_alive(&r.loop));
  assert_int_equal(uvrelay_npipe_is_closing(npipe), 0);
  assert_int_equal(uvrelay_npipe_is_message_mode(npipe), UV_ENOTCONN);
  assert_int_equal(uvrelay_npipe_bytes_read(npipe), 0);
  assert_int_equal(uvrelay_npipe_bytes_written(npipe), 0);
  assert_int_equal(uvrelay_npipe_write_queue_size(npipe), 0);
  assert_int_equal(uvrelay_npipe_error(npipe)->code, 0);
  assert_ptr_equal(uvrelay_npipe_get_loop(npipe), &r.loop);
  assert_ptr_equal(uvrelay_npipe_get_data(npipe), &closes);
  uvrelay_npipe_close(npipe, on_closed);
  assert_int_equal(uvrelay_npipe_is_closing(npipe), 1);
  rig_run(&r);
  assert_int_equal(closes, 1);
  rig_clear(&r);
}

static void on_relay_closed(uvrelay_t *relay)
{
  *(bool *)uvrelay_get_data(relay) = true;
}

static void on_relayed(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  (void)session;
  *(uvrelay_result_t *)user = *result;
}

/* A relay takes no handle that is not connected, which none ever is; and the name of a pipe it cannot reach. */
static void test_relay(void **state)
{
  (void)state;
  rig r;
  unsigned closes = 0;
  bool closed = false;
  uvrelay_t *relay = NULL;
  uvrelay_result_t result = {.reason = UVRELAY_REASON_ENDED};
  rig_init(&r);
  uvrelay_npipe_t *npipe = make(&r, &closes);
  uvrelay_options_t options = {.size = sizeof(options), .allocator = r.context.memory};
  assert_int_equal(uvrelay_new(&relay, &r.loop, &options), 0);
  uvrelay_set_data(relay, &closed);
  uvrelay_endpoint_t left = uvrelay_npipe(npipe, on_closed);
  uvrelay_endpoint_t right = uvrelay_address("//./pipe/x");
  assert_int_equal(uvrelay_start(relay, &left, &right, NULL, on_relayed, &result, NULL), UV_ENOTCONN);
  uvrelay_npipe_close(npipe, on_closed); /* it is still ours */
  left = uvrelay_address("npipe:y");
  assert_int_equal(uvrelay_start(relay, &left, &right, NULL, on_relayed, &result, NULL), 0);
  rig_run(&r);
  assert_int_equal(closes, 1);
  assert_int_equal(result.reason, UVRELAY_REASON_FAILED);
  assert_int_equal(result.side, UVRELAY_LEFT);
  assert_int_equal(result.error.code, UV_ENOTSUP);
  assert_int_equal(result.error.phase, UVRELAY_PHASE_CONNECT);
  uvrelay_close(relay, on_relay_closed);
  assert_true(rig_run_until(&r, &closed));
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_calls),
      cmocka_unit_test(test_questions),
      cmocka_unit_test(test_relay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
