/* What uvrelay_new and uvrelay_start accept and refuse. After each refusal the endpoints are the caller's, as before:
 * in the end the same ones are relayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay_rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { FILL_SIZE = 32 * 1024 * 1024, TURNS = 5 };

/* Options. */

static void *allocate_nothing(void *user, size_t size)
{
  (void)user;
  (void)size;
  return NULL;
}

static int try_new(const void *options)
{
  uv_loop_t loop;
  uvrelay_t *relay = (uvrelay_t *)&loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  int code = uvrelay_new(&relay, &loop, options);
  assert_true((code == 0) == (relay != NULL));
  if (code == 0) {
    assert_ptr_equal(uvrelay_get_loop(relay), &loop);
    uvrelay_close(relay, NULL);
  }
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  return code;
}

static void test_options(void **state)
{
  (void)state;
  const size_t s = sizeof(uvrelay_options_t);
  const uvrelay_options_t good[] = {{.size = s},
                                    {.size = sizeof(size_t)}, /* of an older header */
                                    {.size = s, .buffer_size = 1024},
                                    {.size = s, .buffer_size = 16777216},
                                    {.size = s, .message_size = 1},
                                    {.size = s, .message_size = 1073741824}};
  const uvrelay_options_t bad[] = {{.size = 0},
                                   {.size = sizeof(size_t) - 1},
                                   {.size = s, .buffer_size = 1},
                                   {.size = s, .buffer_size = 1023},
                                   {.size = s, .buffer_size = 16777217},
                                   {.size = s, .buffer_size = SIZE_MAX},
                                   {.size = s, .message_size = 1073741825},
                                   {.size = s, .allocator = {.allocate = allocate_nothing}}};
  assert_int_equal(try_new(NULL), 0);
  for (size_t i = 0; i < COUNT(good); i++) {
    assert_int_equal(try_new(&good[i]), 0);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(try_new(&bad[i]), UV_EINVAL);
  }
}

/* What an older header does not have counts as zero, even if the memory after it is not. */
static void test_options_of_another_version(void **state)
{
  (void)state;
  uvrelay_options_t older;
  memset(&older, 0xFF, sizeof(older));
  older.size = offsetof(uvrelay_options_t, buffer_size);
  older.allocator = (uvrelay_allocator_t){0};
  older.log = (uvrelay_log_t){0};
  assert_int_equal(try_new(&older), 0);
  older.size = sizeof(older);
  assert_int_equal(try_new(&older), UV_EINVAL);

  struct {
    uvrelay_options_t options;
    char more[32];
  } newer = {.options = {.size = sizeof(newer), .buffer_size = 4096}};
  assert_int_equal(try_new(&newer), 0);
  newer.more[sizeof(newer.more) - 1] = 1;
  assert_int_equal(try_new(&newer), UV_EINVAL);
}

/* Starting. */

static const relay_scenario two_streams = {.left = GIVEN,
                                           .left_far = {.sends = 3000, .then = FAR_ENDS},
                                           .right = GIVEN,
                                           .right_far = {.sends = 4000, .then = FAR_ENDS},
                                           .reason = UVRELAY_REASON_ENDED,
                                           .side = ANY_SIDE,
                                           .to_right = 3000,
                                           .to_left = 4000};

static host *begin(void)
{
  host *h = host_new(&two_streams);
  assert_int_equal(host_open(h), 0);
  return h;
}

static void on_never_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  (void)session;
  (void)result;
  (void)user;
  fail_msg("%s", "a session that was not started is over");
}

static void refuse(host *h, uvrelay_endpoint_t left, uvrelay_endpoint_t right, const void *options, int code,
                   const char *text)
{
  uvrelay_counters_t counters;
  uvrelay_session_t *session = NULL;
  size_t bytes = h->bytes;
  int result = uvrelay_start(h->relay, &left, &right, options, on_never_done, h, &session);
  const uvrelay_error_t *error = uvrelay_error(h->relay);
  if (result != code || error->code != code || strstr(error->text, text) == NULL) {
    fail_msg("%d instead of %d: %d, %s", result, code, error->code, error->text);
  }
  assert_null(session);
  assert_int_equal(h->bytes, bytes);
  side_assert_untouched(&h->sessions[0].left);
  side_assert_untouched(&h->sessions[0].right);
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  assert_int_equal(counters.active, 0);
  assert_int_equal(counters.started, 0);
}

/* The same on both sides, with a good one on the other. */
static void refuse_either(host *h, uvrelay_endpoint_t bad, int code, const char *text)
{
  uvrelay_endpoint_t left = side_endpoint(&h->sessions[0].left, NULL);
  uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
  refuse(h, bad, right, NULL, code, text);
  refuse(h, left, bad, NULL, code, text);
  refuse(h, bad, uvrelay_address("tcp://127.0.0.1:1"), NULL, code, text);
  refuse(h, uvrelay_address("tcp://127.0.0.1:1"), bad, NULL, code, text);
}

static void refuse_stream(host *h, void *stream, int code, const char *text)
{
  refuse_either(h, uvrelay_stream(stream, NULL), code, text);
}

/* What was refused works all the same. */
static void finish(host *h)
{
  assert_int_equal(host_start_all(h), 0);
  assert_int_not_equal(uvrelay_error(h->relay)->code, 0); /* the last failure, still */
  host_wait(h);
  host_check(h);
  host_free(h);
}

static void test_bad_addresses(void **state)
{
  (void)state;
  host *h = begin();
  char endless[40000];
  memset(endless, 'x', sizeof(endless) - 1);
  endless[sizeof(endless) - 1] = '\0';
  refuse_either(h, uvrelay_address(NULL), UV_EINVAL, "empty");
  refuse_either(h, uvrelay_address(""), UV_EINVAL, "empty");
  refuse_either(h, uvrelay_address("nonsense"), UV_EINVAL, "nonsense");
  refuse_either(h, uvrelay_address("tcp://localhost"), UV_EINVAL, "tcp://localhost");
  refuse_either(h, uvrelay_address("tcp://localhost:65536"), UV_EINVAL, "65536");
  refuse_either(h, uvrelay_address("tcp://\xff:1"), UV_EINVAL, "UTF-8");
  refuse_either(h, uvrelay_address(endless), UV_EINVAL, "long");
  assert_int_equal(uvrelay_error(h->relay)->phase, UVRELAY_PHASE_ADDRESS);
  finish(h);
}

static void on_connection(uv_stream_t *listener, int code)
{
  (void)listener;
  (void)code;
}

static void on_connect(uv_connect_t *request, int code)
{
  (void)request;
  (void)code;
}

static void test_bad_streams(void **state)
{
  (void)state;
  host *h = begin();
  struct sockaddr_in address;
  uv_tcp_t tcp;
  uv_udp_t udp;
  uv_connect_t connect;
  int size = sizeof(address);
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  refuse_stream(h, NULL, UV_EINVAL, "handle of the relay's loop");
  assert_int_equal(uv_udp_init(&h->r.loop, &udp), 0);
  refuse_stream(h, &udp, UV_EINVAL, "handle of the relay's loop");
  uv_close((uv_handle_t *)&udp, NULL);

  assert_int_equal(uv_tcp_init(&h->r.loop, &tcp), 0);
  refuse_stream(h, &tcp, UV_ENOTCONN, "not connected");
  assert_int_equal(uv_tcp_bind(&tcp, (struct sockaddr *)&address, 0), 0);
  refuse_stream(h, &tcp, UV_ENOTCONN, "not connected");
  assert_int_equal(uv_listen((uv_stream_t *)&tcp, 1, on_connection), 0);
  refuse_stream(h, &tcp, UV_ENOTCONN, "not connected");
  assert_int_equal(uv_tcp_getsockname(&tcp, (struct sockaddr *)&address, &size), 0);

  uv_tcp_t closing;
  assert_int_equal(uv_tcp_init(&h->r.loop, &closing), 0);
  assert_int_equal(uv_tcp_connect(&connect, &closing, (struct sockaddr *)&address, on_connect), 0);
  uv_close((uv_handle_t *)&closing, NULL);
  refuse_stream(h, &closing, UV_EINVAL, "handle of the relay's loop");
  uv_close((uv_handle_t *)&tcp, NULL);
  rig_turns(&h->r, TURNS);
  finish(h);
}

static void test_stream_of_another_loop(void **state)
{
  (void)state;
  host *h = begin();
  uv_loop_t loop;
  uv_pipe_t pipe;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_pipe_init(&loop, &pipe, 0), 0);
  refuse_stream(h, &pipe, UV_EINVAL, "handle of the relay's loop");
  uv_close((uv_handle_t *)&pipe, NULL);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  finish(h);
}

/* A pipe that can only be read, or only be written. */
static void test_one_way_pipes(void **state)
{
  (void)state;
  host *h = begin();
  uv_file fds[2];
  assert_int_equal(uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
  for (unsigned i = 0; i < 2; i++) {
    uv_pipe_t pipe;
    assert_int_equal(uv_pipe_init(&h->r.loop, &pipe, 0), 0);
    assert_int_equal(uv_pipe_open(&pipe, fds[i]), 0);
    refuse_stream(h, &pipe, UV_ENOTCONN, "both read and written");
    uv_close((uv_handle_t *)&pipe, NULL);
    rig_turns(&h->r, TURNS);
  }
  finish(h);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init(NULL, 0);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  (void)stream;
  (void)count;
  (void)buf;
}

static void on_written(uv_write_t *request, int code)
{
  *(int *)request->data = code;
}

/* A stream that is being read or written, or is half-closed. */
static void test_streams_in_use(void **state)
{
  (void)state;
  static const relay_scenario quiet = {
      .left = GIVEN_TCP, .left_far = {.held = true}, .right = GIVEN, .right_far = {.held = true}};
  host *h = host_new(&quiet);
  assert_int_equal(host_open(h), 0);
  uv_stream_t *left = &h->sessions[0].left.given.stream;
  uvrelay_endpoint_t endpoint = uvrelay_stream(left, NULL);
  uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
  uvrelay_session_t *session = NULL;

  assert_int_equal(uv_read_start(left, on_alloc, on_read), 0);
  assert_int_equal(uvrelay_start(h->relay, &endpoint, &right, NULL, on_never_done, h, &session), UV_EBUSY);
  assert_int_equal(uvrelay_start(h->relay, &right, &endpoint, NULL, on_never_done, h, &session), UV_EBUSY);
  assert_non_null(strstr(uvrelay_error(h->relay)->text, "read or written"));
  assert_int_equal(uv_read_stop(left), 0);

  char *much = test_calloc(1, FILL_SIZE); /* more than a socket takes */
  uv_buf_t buf = uv_buf_init(much, FILL_SIZE);
  int written = 1;
  uv_write_t request = {.data = &written};
  assert_int_equal(uv_write(&request, left, &buf, 1, on_written), 0);
  rig_turns(&h->r, 2);
  assert_int_equal(written, 1);
  assert_int_equal(uvrelay_start(h->relay, &endpoint, &right, NULL, on_never_done, h, &session), UV_EBUSY);
  assert_int_equal(uvrelay_start(h->relay, &right, &endpoint, NULL, on_never_done, h, &session), UV_EBUSY);

  uv_shutdown_t shutdown;
  assert_int_equal(uv_shutdown(&shutdown, left, NULL), 0);
  assert_int_equal(uvrelay_start(h->relay, &endpoint, &right, NULL, on_never_done, h, &session), UV_ENOTCONN);
  assert_null(session);
  assert_ptr_equal(left->data, &h->sessions[0].left);
  side_assert_untouched(&h->sessions[0].right);
  uv_close((uv_handle_t *)left, NULL);
  h->sessions[0].left.given_open = false;
  rig_turns(&h->r, TURNS);
  assert_int_equal(written, UV_ECANCELED);
  test_free(much);
  host_free(h);
}

static void test_bad_descriptors_and_types(void **state)
{
  (void)state;
  host *h = begin();
  uvrelay_endpoint_t unknown = uvrelay_stdio(5, 6);
  unknown.type = (uvrelay_endpoint_type_t)99;
  refuse_either(h, unknown, UV_EINVAL, "99");
  refuse_either(h, uvrelay_stdio(1, 1), UV_EINVAL, "both input and output");
  finish(h);
}

/* Endpoints of an older and of a newer header, and what is none. */
static void test_endpoint_sizes(void **state)
{
  (void)state;
  host *h = begin();
  uvrelay_endpoint_t bad = uvrelay_address("tcp://127.0.0.1:1");
  bad.size = 0;
  refuse_either(h, bad, UV_EINVAL, "size");
  bad.size = sizeof(size_t) - 1;
  refuse_either(h, bad, UV_EINVAL, "size");

  struct {
    uvrelay_endpoint_t endpoint;
    char more[16];
  } newer = {.endpoint = side_endpoint(&h->sessions[0].left, NULL), .more = {1}};
  newer.endpoint.size = sizeof(newer);
  uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
  assert_int_equal(uvrelay_start(h->relay, &newer.endpoint, &right, NULL, on_never_done, h, NULL), UV_EINVAL);
  assert_int_equal(uvrelay_start(h->relay, &right, &newer.endpoint, NULL, on_never_done, h, NULL), UV_EINVAL);
  assert_int_equal(uvrelay_start(h->relay, NULL, &right, NULL, on_never_done, h, NULL), UV_EINVAL);
  assert_int_equal(uvrelay_start(h->relay, &right, NULL, NULL, on_never_done, h, NULL), UV_EINVAL);
  finish(h);

  static const relay_scenario refused = {.left = REFUSED, .right = REFUSED};
  h = host_new(&refused);
  assert_int_equal(host_open(h), 0);
  uvrelay_endpoint_t older;
  memset(&older, 0xFF, sizeof(older));
  older.size = offsetof(uvrelay_endpoint_t, stream);
  older.type = UVRELAY_ADDRESS;
  older.address = h->sessions[0].left.address;
  newer.endpoint = side_endpoint(&h->sessions[0].right, NULL);
  newer.endpoint.size = sizeof(newer);
  newer.more[0] = 0;
  assert_int_equal(uvrelay_start(h->relay, &older, &newer.endpoint, NULL, NULL, NULL, NULL), 0);
  rig_run(&h->r);
  host_act(h, ACTION_CLOSE);
  host_free(h);
}

static void test_same_on_both_sides(void **state)
{
  (void)state;
  host *h = begin();
  uvrelay_endpoint_t left = side_endpoint(&h->sessions[0].left, NULL);
  refuse(h, left, left, NULL, UV_EINVAL, "same");
  finish(h);
}

/* Pipes that are not connected, on any system; the others are in test_npipe.c's way. */
static void test_bad_npipes(void **state)
{
  (void)state;
  host *h = begin();
  uv_loop_t loop;
  uvrelay_npipe_t *npipe;
  uvrelay_npipe_t *foreign;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uvrelay_npipe_new(&npipe, &h->r.loop, NULL), 0);
  assert_int_equal(uvrelay_npipe_new(&foreign, &loop, NULL), 0);
  refuse_either(h, uvrelay_npipe(NULL, NULL), UV_EINVAL, "named pipe");
  refuse_either(h, uvrelay_npipe(foreign, NULL), UV_EINVAL, "named pipe");
  refuse_either(h, uvrelay_npipe(npipe, NULL), UV_ENOTCONN, "named pipe");
  uvrelay_npipe_close(foreign, NULL);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  uvrelay_npipe_close(npipe, NULL);
  rig_turns(&h->r, TURNS);
  finish(h);
}

/* What is in a session already cannot be given once more, even before it is read. */
static void test_given_twice(void **state)
{
  (void)state;
  static const relay_scenario quiet = {.left = GIVEN, .right = GIVEN, .stays = true};
  for (unsigned i = 0; i < 2; i++) {
    host *h = host_new(&quiet);
    assert_int_equal(host_open(h), 0);
    assert_int_equal(host_start_all(h), 0);
    rig_turns(&h->r, i * TURNS);
    uvrelay_endpoint_t left = side_endpoint(&h->sessions[0].left, NULL);
    uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
    uvrelay_endpoint_t other = uvrelay_address("tcp://127.0.0.1:1");
    assert_int_equal(uvrelay_start(h->relay, &left, &other, NULL, on_never_done, h, NULL), UV_EBUSY);
    assert_int_equal(uvrelay_start(h->relay, &other, &right, NULL, on_never_done, h, NULL), UV_EBUSY);
    assert_int_equal(uvrelay_start(h->relay, &right, &left, NULL, on_never_done, h, NULL), UV_EBUSY);
    assert_non_null(strstr(uvrelay_error(h->relay)->text, "in a session"));
    host_free(h);
  }
}

static void test_session_options(void **state)
{
  (void)state;
  const size_t s = sizeof(uvrelay_session_options_t);
  const uvrelay_session_options_t bad[] = {
      {.size = 0},
      {.size = sizeof(size_t) - 1},
      {.size = s, .retry = UVRELAY_RETRY_ALL + 1},
      {.size = s, .retry = UINT32_MAX},
      {.size = s, .impersonation = (uvrelay_impersonation_t)(UVRELAY_IMPERSONATION_DELEGATION + 1)},
      {.size = s, .impersonation = (uvrelay_impersonation_t)-1}};
  host *h = begin();
  uvrelay_endpoint_t left = side_endpoint(&h->sessions[0].left, NULL);
  uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
  for (size_t i = 0; i < COUNT(bad); i++) {
    refuse(h, left, right, &bad[i], UV_EINVAL, "option");
  }
  struct {
    uvrelay_session_options_t options;
    char more[8];
  } newer = {.options = {.size = sizeof(newer)}, .more = {0, 1}};
  refuse(h, left, right, &newer, UV_EINVAL, "option");
  finish(h);
}

static void accept_options(const void *options)
{
  static const relay_scenario refused = {.left = REFUSED, .right = REFUSED};
  host *h = host_new(&refused);
  assert_int_equal(host_open(h), 0);
  uvrelay_endpoint_t left = side_endpoint(&h->sessions[0].left, NULL);
  uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
  uvrelay_counters_t counters;
  assert_int_equal(uvrelay_start(h->relay, &left, &right, options, NULL, NULL, NULL), 0);
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  assert_int_equal(counters.active, 1);
  rig_run(&h->r); /* a listener is not required */
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  assert_int_equal(counters.active, 0);
  assert_int_equal(counters.failed, 1);
  host_act(h, ACTION_CLOSE);
  host_free(h);
}

static void test_session_options_of_another_version(void **state)
{
  (void)state;
  accept_options(NULL);
  uvrelay_session_options_t older;
  memset(&older, 0xFF, sizeof(older));
  older.size = offsetof(uvrelay_session_options_t, impersonation);
  accept_options(&older);
  struct {
    uvrelay_session_options_t options;
    char more[8];
  } newer = {.options = {.size = sizeof(newer), .retry = UVRELAY_RETRY_BUSY, .linger_ms = UINT64_MAX}};
  accept_options(&newer);
}

static void test_stopped(void **state)
{
  (void)state;
  host *h = begin();
  uvrelay_endpoint_t left = side_endpoint(&h->sessions[0].left, NULL);
  uvrelay_endpoint_t right = side_endpoint(&h->sessions[0].right, NULL);
  host_act(h, ACTION_STOP);
  refuse(h, left, right, NULL, UV_ESHUTDOWN, "stopped");
  rig_turns(&h->r, TURNS);
  refuse(h, left, right, NULL, UV_ESHUTDOWN, "stopped");
  host_free(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_options_of_another_version),
      cmocka_unit_test(test_bad_addresses),
      cmocka_unit_test(test_bad_streams),
      cmocka_unit_test(test_stream_of_another_loop),
      cmocka_unit_test(test_one_way_pipes),
      cmocka_unit_test(test_streams_in_use),
      cmocka_unit_test(test_bad_descriptors_and_types),
      cmocka_unit_test(test_endpoint_sizes),
      cmocka_unit_test(test_same_on_both_sides),
      cmocka_unit_test(test_bad_npipes),
      cmocka_unit_test(test_given_twice),
      cmocka_unit_test(test_session_options),
      cmocka_unit_test(test_session_options_of_another_version),
      cmocka_unit_test(test_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
