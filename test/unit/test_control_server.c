/* The end at which serve is asked, and the end that asks: both on a loop of their own or of the test's. What is
 * bounded: clients that say nothing or take nothing are closed in time, and closing closes whatever is open. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/control/ask.h"
#include "cli/control/server.c"   /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c" /* NOLINT(bugprone-suspicious-include) */
#include "rig.h"

enum { PATIENCE_MS = 100, LARGE = 4 * 1024 * 1024 };

/* A server on a thread of its own, as asking blocks. */
typedef struct host {
  uvr_control_server server;
  uvr_control_place place;
  uv_loop_t loop;
  uv_async_t stop;
  uv_thread_t thread;
  uv_sem_t ready;
  uvr_control_client *kept; /* is answered when the next one comes */
  char *large;
  unsigned patience_ms;
  bool closed;
} host;

static void on_request(void *user, uvr_control_client *client, const char *request)
{
  host *h = user;
  uvr_text_line text = {.text = NULL};
  if (strcmp(request, "keep") == 0) {
    h->kept = client;
    return;
  }
  if (strcmp(request, "refuse") == 0) {
    uvr_control_answer(client, "no\nway", NULL);
    return;
  }
  if (strcmp(request, "large") == 0) {
    uvr_text_line_bytes(&text, h->large, LARGE);
  } else {
    uvr_text_line_add(&text, "you said %s\n", request);
  }
  uvr_control_answer(client, NULL, &text);
  if (h->kept != NULL) {
    uvr_control_answer(h->kept, NULL, NULL);
    h->kept = NULL;
  }
  uvr_text_line_clear(&text);
}

static void on_server_closed(void *user)
{
  ((host *)user)->closed = true;
}

static void on_stop(uv_async_t *stop)
{
  host *h = stop->data;
  if (h->kept != NULL) {
    uvr_control_answer(h->kept, "it is stopping", NULL);
  }
  uvr_control_server_close(&h->server, on_server_closed);
  uv_close((uv_handle_t *)stop, NULL);
}

static void run(void *user)
{
  host *h = user;
  uvrelay_error_t error;
  if (uv_loop_init(&h->loop) != 0 || uv_async_init(&h->loop, &h->stop, on_stop) != 0) {
    abort();
  }
  h->stop.data = h;
  h->server.on_request = on_request;
  h->server.user = h;
  h->server.patience_ms = h->patience_ms;
  int code = uvr_control_server_open(&h->server, &h->loop, &h->place, &error);
  if (code != 0) {
    (void)fprintf(stderr, "%s\n", error.text);
    abort();
  }
  uv_sem_post(&h->ready);
  (void)uv_run(&h->loop, UV_RUN_DEFAULT);
  if (!h->closed || uv_loop_close(&h->loop) != 0) {
    abort();
  }
}

/* `patience_ms` is that of the server; 0: the usual one. */
static host *open_host(unsigned patience_ms)
{
  uvrelay_error_t error;
  host *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  h->patience_ms = patience_ms;
  h->large = malloc(LARGE);
  assert_non_null(h->large);
  memset(h->large, 'x', LARGE);
  h->large[LARGE - 1] = '\n';
  assert_int_equal(uvr_control_place_make(&h->place, &error), 0);
  assert_int_equal(uv_sem_init(&h->ready, 0), 0);
  assert_int_equal(uv_thread_create(&h->thread, run, h), 0);
  uv_sem_wait(&h->ready);
  return h;
}

static void close_host(host *h)
{
  assert_int_equal(uv_async_send(&h->stop), 0);
  assert_int_equal(uv_thread_join(&h->thread), 0);
  uv_sem_destroy(&h->ready);
  free(h->large);
  free(h);
}

static void assert_answer(const host *h, const char *request, bool ok, const char *expected)
{
  uvrelay_error_t error;
  uvr_control_answer_text answer;
  if (uvr_control_ask(h->place.address, request, RIG_PATIENCE_MS, &answer, &error) != 0) {
    fail_msg("%s", error.text);
  }
  assert_int_equal(answer.ok, ok);
  assert_string_equal(answer.text, expected);
  assert_int_equal(answer.size, strlen(expected));
  uvr_control_answer_clear(&answer);
}

static void test_ask(void **state)
{
  (void)state;
  host *h = open_host(0);
  assert_answer(h, "something", true, "you said something\n");
  assert_answer(h, "", true, "you said \n");
  assert_answer(h, "refuse", false, "no\\x0away");
  close_host(h);
}

static void test_large(void **state)
{
  (void)state;
  host *h = open_host(0);
  uvrelay_error_t error;
  uvr_control_answer_text answer;
  assert_int_equal(uvr_control_ask(h->place.address, "large", RIG_PATIENCE_MS, &answer, &error), 0);
  assert_int_equal(answer.size, LARGE);
  assert_memory_equal(answer.text, h->large, LARGE);
  uvr_control_answer_clear(&answer);
  close_host(h);
}

static void test_list(void **state)
{
  (void)state;
  uvr_control_place *places;
  host *h = open_host(0);
  size_t count = uvr_control_place_list(&places);
  bool found = false;
  for (size_t i = 0; i < count; i++) {
    found = found || (places[i].process == (int)uv_os_getpid() && strcmp(places[i].address, h->place.address) == 0);
  }
  free(places);
  assert_true(found);
  close_host(h);
}

static void test_nobody(void **state)
{
  (void)state;
  host *h = open_host(0);
  char address[UVR_CONTROL_ADDRESS_SIZE];
  uvrelay_error_t error;
  uvr_control_answer_text answer;
  (void)snprintf(address, sizeof(address), "%s", h->place.address);
  close_host(h);
  int code = uvr_control_ask(address, "x", RIG_PATIENCE_MS, &answer, &error);
  if (code == 0) {
    fail_msg("somebody answers at %s: %s", address, answer.text);
  }
  assert_int_equal(code, UV_ENOENT);
  assert_non_null(strstr(error.text, "there is no"));
}

/* A client that connects and does what the test says, on the test's own loop. */
typedef struct visitor {
  uv_loop_t loop;
  uv_pipe_t pipe;
  uv_connect_t connect;
  uv_write_t write;
  const char *says;
  bool reads;
  bool connected;
  bool over;
  size_t received;
  char bytes[65536];
} visitor;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  visitor *v = handle->data;
  (void)suggested;
  *buf = uv_buf_init(v->bytes, sizeof(v->bytes));
}

static void on_visitor_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  visitor *v = stream->data;
  (void)buf;
  v->received += count > 0 ? (size_t)count : 0;
  if (count < 0) {
    v->over = true;
    uv_close((uv_handle_t *)stream, NULL);
  }
}

static void on_connected(uv_connect_t *request, int code)
{
  visitor *v = request->data;
  assert_int_equal(code, 0);
  v->connected = true;
  if (*v->says != '\0') {
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)v->says, (unsigned)strlen(v->says));
    assert_int_equal(uv_write(&v->write, (uv_stream_t *)&v->pipe, &buf, 1, NULL), 0);
  }
  if (v->reads) {
    assert_int_equal(uv_read_start((uv_stream_t *)&v->pipe, on_alloc, on_visitor_read), 0);
  }
}

static visitor *visit(const host *h, const char *says, bool reads)
{
  visitor *v = calloc(1, sizeof(*v));
  const char *name = strncmp(h->place.address, "unix://", 7) == 0 ? h->place.address + 7 : h->place.address;
  assert_non_null(v);
  v->says = says;
  v->reads = reads;
  assert_int_equal(uv_loop_init(&v->loop), 0);
  assert_int_equal(uv_pipe_init(&v->loop, &v->pipe, 0), 0);
  v->pipe.data = v;
  v->connect.data = v;
  uv_pipe_connect(&v->connect, &v->pipe, name, on_connected);
  while (!v->connected) {
    (void)uv_run(&v->loop, UV_RUN_ONCE);
  }
  (void)uv_run(&v->loop, UV_RUN_NOWAIT);
  return v;
}

static void leave(visitor *v)
{
  if (!v->over) {
    uv_close((uv_handle_t *)&v->pipe, NULL);
  }
  (void)uv_run(&v->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&v->loop), 0);
  free(v);
}

static void wait_over(visitor *v)
{
  while (!v->over) {
    (void)uv_run(&v->loop, UV_RUN_ONCE);
  }
}

/* One that says nothing, or not all, is closed. */
static void test_silent(void **state)
{
  (void)state;
  host *h = open_host(PATIENCE_MS);
  visitor *one = visit(h, "", true);
  visitor *two = visit(h, "half of a requ", true);
  wait_over(one);
  wait_over(two);
  assert_int_equal(one->received + two->received, 0);
  leave(one);
  leave(two);
  assert_answer(h, "x", true, "you said x\n");
  close_host(h);
}

/* Those that take nothing of a long answer delay no other client, however many they are. */
static void test_deaf(void **state)
{
  (void)state;
  host *h = open_host(PATIENCE_MS);
  visitor *visitors[UVR_CONTROL_CLIENTS_MAX];
  for (size_t i = 0; i < UVR_CONTROL_CLIENTS_MAX; i++) {
    visitors[i] = visit(h, "large\n", false);
  }
  assert_answer(h, "x", true, "you said x\n");
  for (size_t i = 0; i < UVR_CONTROL_CLIENTS_MAX; i++) {
    leave(visitors[i]);
  }
  close_host(h);
}

/* An answer may take longer than a request may. */
static void test_later(void **state)
{
  (void)state;
  host *h = open_host(PATIENCE_MS);
  visitor *v = visit(h, "keep\n", true);
  uv_sleep(2 * PATIENCE_MS);
  (void)uv_run(&v->loop, UV_RUN_NOWAIT);
  assert_false(v->over);
  assert_answer(h, "x", true, "you said x\n");
  wait_over(v);
  assert_int_equal(v->received, 3);
  leave(v);
  close_host(h);
}

/* It is closed with clients in each state. */
static void test_close(void **state)
{
  (void)state;
  host *h = open_host(0);
  visitor *visitors[] = {visit(h, "", true), visit(h, "keep\n", true), visit(h, "large\n", false),
                         visit(h, "x", false)};
  close_host(h);
  for (size_t i = 0; i < sizeof(visitors) / sizeof(visitors[0]); i++) {
    leave(visitors[i]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ask),    cmocka_unit_test(test_large),  cmocka_unit_test(test_list),
      cmocka_unit_test(test_nobody), cmocka_unit_test(test_silent), cmocka_unit_test(test_deaf),
      cmocka_unit_test(test_later),  cmocka_unit_test(test_close),
  };
#ifdef SIGPIPE
  (void)signal(SIGPIPE, SIG_IGN); /* a client that has left is no reason to end */
#endif
  return cmocka_run_group_tests(tests, NULL, NULL);
}
