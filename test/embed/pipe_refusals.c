/* A host that meets all that a named pipe refuses, and goes on: calls at the wrong time, names that are none, a pipe
 * that is not there, at once and after waiting for it, a pipe in byte mode, which has no half-close, and a close that
 * finds writes still queued.
 *
 * Where the system has no named pipes, whatever would touch it gives UV_ENOTSUP, and the rest works. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uvrelay/npipe.h>

#include "host.h"

enum { WAIT_MS = 300, QUEUED = 4, BLOCK = 1024 * 1024 };

typedef struct app_s {
  host_t host;
  char name[128];
  uvrelay_npipe_t *client;
  uvrelay_npipe_t *listener;
  uvrelay_npipe_t *peer;
  uint64_t started_at;
  unsigned absent;
  unsigned expired;
  unsigned connected;
  unsigned accepted;
  unsigned cancelled;
  unsigned closed; /* handles */
  unsigned closed_before;
  char *block;
} app_t;

static void on_closed(uvrelay_npipe_t *npipe)
{
  app_t *app = uvrelay_npipe_get_data(npipe);
  CHECK(uvrelay_npipe_get_loop(npipe) == &app->host.loop);
  app->closed++;
}

static void never_connected(uvrelay_npipe_t *npipe, int status)
{
  (void)npipe;
  (void)status;
  CHECK(false);
}

static void never_read(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read)
{
  (void)npipe;
  (void)read;
  CHECK(false);
}

static void never_done(uvrelay_npipe_t *npipe, int status, void *user)
{
  (void)npipe;
  (void)status;
  (void)user;
  CHECK(false);
}

static uvrelay_npipe_options_t npipe_options(app_t *app)
{
  uvrelay_npipe_options_t options = {.size = sizeof(options)};
  options.allocator = host_allocator(&app->host);
  options.log = host_log(&app->host);
  return options;
}

static uvrelay_npipe_t *new_npipe(app_t *app, const uvrelay_npipe_options_t *options)
{
  uvrelay_npipe_t *npipe = NULL;
  CHECK_CODE(uvrelay_npipe_new(&npipe, &app->host.loop, options), 0);
  uvrelay_npipe_set_data(npipe, app);
  return npipe;
}

/* What a handle answers that is not connected; `touched` is the code of what would touch the system. */
static void check_unconnected(app_t *app, uvrelay_npipe_t *npipe, int touched)
{
  char byte = 'x';
  uv_buf_t buf = uv_buf_init(&byte, 1);
  uint32_t pid = 0;
  CHECK_CODE(uvrelay_npipe_read_start(npipe, never_read), touched);
  CHECK_CODE(uvrelay_npipe_write(npipe, &buf, 1, never_done, NULL), touched);
  CHECK_CODE(uvrelay_npipe_try_write(npipe, &buf, 1), touched);
  CHECK_CODE(uvrelay_npipe_shutdown(npipe, never_done, NULL), touched);
  CHECK_CODE(uvrelay_npipe_peer_pid(npipe, &pid), touched);
  uvrelay_npipe_read_stop(npipe);

  CHECK_CODE(uvrelay_npipe_is_message_mode(npipe), UV_ENOTCONN);
  CHECK(uvrelay_npipe_is_closing(npipe) == 0);
  CHECK(uvrelay_npipe_bytes_read(npipe) == 0);
  CHECK(uvrelay_npipe_bytes_written(npipe) == 0);
  CHECK(uvrelay_npipe_write_queue_size(npipe) == 0);
  CHECK(uvrelay_npipe_get_loop(npipe) == &app->host.loop);
  CHECK(uvrelay_npipe_get_data(npipe) == app);
  CHECK(uvrelay_npipe_error(npipe) != NULL);
}

static void check_options(app_t *app)
{
  uvrelay_npipe_t *npipe;
  uvrelay_npipe_options_t options = npipe_options(app);
  options.buffer_size = 1;
  npipe = app->client;
  CHECK_CODE(uvrelay_npipe_new(&npipe, &app->host.loop, &options), UV_EINVAL);
  CHECK(npipe == NULL);
}

/* ---- where there are none ---- */

static void never_connection(uvrelay_npipe_t *server, int status)
{
  (void)server;
  (void)status;
  CHECK(false);
}

static void without_pipes(app_t *app)
{
  uvrelay_npipe_t *other = new_npipe(app, NULL);
  check_unconnected(app, app->client, UV_ENOTSUP);
  CHECK_CODE(uvrelay_npipe_listen(other, app->name, 1, never_connection), UV_ENOTSUP);
  CHECK_CODE(uvrelay_npipe_accept(other, app->client), UV_ENOTSUP);
  CHECK(uv_run(&app->host.loop, UV_RUN_DEFAULT) == 0); /* they keep no loop alive */
  uvrelay_npipe_close(other, on_closed);
  uvrelay_npipe_close(app->client, on_closed);
  CHECK(app->closed == 0); /* later */
  CHECK(uv_run(&app->host.loop, UV_RUN_DEFAULT) == 0);
  CHECK(app->closed == 2);
  (void)printf("this system has no named pipes\n");
}

/* ---- where there are ---- */

static void on_cancelled(uvrelay_npipe_t *npipe, int status, void *user)
{
  app_t *app = uvrelay_npipe_get_data(npipe);
  CHECK_CODE(status, UV_ECANCELED);
  CHECK(user == app->block);
  CHECK(app->closed == app->closed_before); /* the close callback is the last */
  app->cancelled++;
}

/* The pipe is in byte mode: no half-close. Its peer does not read, so writes stay queued until the close. */
static void on_connected(uvrelay_npipe_t *npipe, int status)
{
  app_t *app = uvrelay_npipe_get_data(npipe);
  uv_buf_t buf = uv_buf_init(app->block, BLOCK);
  CHECK_CODE(status, 0);
  app->connected++;
  CHECK_CODE(uvrelay_npipe_is_message_mode(npipe), 0);
  CHECK_CODE(uvrelay_npipe_shutdown(npipe, never_done, NULL), UV_ENOTSUP);
  CHECK_CODE(uvrelay_npipe_write(npipe, NULL, 0, never_done, NULL), UV_EINVAL);
  for (unsigned i = 0; i < QUEUED; i++) {
    CHECK_CODE(uvrelay_npipe_write(npipe, &buf, 1, on_cancelled, app->block), 0);
  }
  CHECK_CODE(uvrelay_npipe_try_write(npipe, &buf, 1), UV_EAGAIN);
  CHECK(uvrelay_npipe_write_queue_size(npipe) == (size_t)QUEUED * BLOCK);
  app->closed_before = app->closed;
  uvrelay_npipe_close(npipe, on_closed);
  CHECK(app->cancelled == 0 && app->closed == app->closed_before); /* later */
}

static void on_peer_read(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read)
{
  app_t *app = uvrelay_npipe_get_data(npipe);
  CHECK(!read->end_of_message);
  if (read->event != UVRELAY_NPIPE_DATA) {
    CHECK(read->event == UVRELAY_NPIPE_GONE);
    CHECK_CODE(read->status, UV_EOF);
    uvrelay_npipe_close(app->peer, on_closed);
    uvrelay_npipe_close(app->listener, on_closed);
  }
}

static void on_connection(uvrelay_npipe_t *server, int status)
{
  app_t *app = uvrelay_npipe_get_data(server);
  CHECK_CODE(status, 0);
  app->accepted++;
  app->peer = new_npipe(app, NULL);
  CHECK_CODE(uvrelay_npipe_accept(server, app->peer), 0);
  CHECK_CODE(uvrelay_npipe_is_message_mode(app->peer), 0);
  CHECK_CODE(uvrelay_npipe_read_start(app->peer, on_peer_read), 0);
}

static void on_expired(uvrelay_npipe_t *npipe, int status)
{
  app_t *app = uvrelay_npipe_get_data(npipe);
  uvrelay_npipe_options_t options = npipe_options(app);
  app->expired++;
  CHECK_CODE(status, UV_ETIMEDOUT);
  CHECK_CODE(uvrelay_npipe_error(npipe)->code, UV_ETIMEDOUT);
  CHECK(uv_now(&app->host.loop) - app->started_at >= WAIT_MS / 2);

  /* Now it will be there. */
  app->listener = new_npipe(app, &options); /* in byte mode */
  CHECK_CODE(uvrelay_npipe_listen(app->listener, app->name, 0, on_connection), UV_EINVAL);
  CHECK_CODE(uvrelay_npipe_listen(app->listener, "//other/pipe/name", 1, on_connection), UV_EINVAL);
  CHECK_CODE(uvrelay_npipe_listen(app->listener, app->name, 1, on_connection), 0);
  CHECK_CODE(uvrelay_npipe_is_message_mode(app->listener), 0);
  CHECK_CODE(uvrelay_npipe_accept(app->listener, npipe), UV_EAGAIN);
  CHECK_CODE(uvrelay_npipe_connect(npipe, app->name, on_connected), 0); /* the same handle again */
}

static void on_absent(uvrelay_npipe_t *npipe, int status)
{
  app_t *app = uvrelay_npipe_get_data(npipe);
  const uvrelay_error_t *error = uvrelay_npipe_error(npipe);
  uvrelay_npipe_options_t options = npipe_options(app);
  app->absent++;
  CHECK_CODE(status, UV_ENOENT);
  CHECK_CODE(error->code, UV_ENOENT);
  CHECK(error->system == 2); /* ERROR_FILE_NOT_FOUND */
  CHECK(error->phase == UVRELAY_PHASE_CONNECT);
  CHECK(strstr(error->text, "uvrelay-embed") != NULL); /* it names the pipe */
  check_unconnected(app, npipe, UV_ENOTCONN);
  uvrelay_npipe_close(npipe, on_closed); /* from its own callback */

  options.retry = UVRELAY_RETRY_ABSENT;
  options.timeout_ms = WAIT_MS;
  app->started_at = uv_now(&app->host.loop);
  app->client = new_npipe(app, &options);
  CHECK_CODE(uvrelay_npipe_connect(app->client, app->name, on_expired), 0);
}

static void with_pipes(app_t *app)
{
  CHECK(uv_run(&app->host.loop, UV_RUN_DEFAULT) == 0);
  CHECK(app->absent == 1 && app->expired == 1 && app->connected == 1 && app->accepted == 1);
  CHECK(app->cancelled == QUEUED);
  CHECK(app->closed == 4);
  (void)printf("refused as it should be\n");
}

int main(void)
{
  app_t *app = calloc(1, sizeof(*app));
  CHECK(app != NULL);
  host_open(&app->host);
  app->block = calloc(1, BLOCK);
  CHECK(app->block != NULL);
  (void)snprintf(app->name, sizeof(app->name), "//./pipe/uvrelay-embed-%d-absent", (int)uv_os_getpid());

  uvrelay_npipe_options_t options = npipe_options(app);
  app->client = new_npipe(app, &options);
  check_options(app);
  int code = uvrelay_npipe_connect(app->client, app->name, on_absent);
  if (code == UV_ENOTSUP) {
    without_pipes(app);
  } else {
    CHECK_CODE(code, 0);
    CHECK_CODE(uvrelay_npipe_connect(app->client, app->name, never_connected), UV_EBUSY);
    with_pipes(app);
  }
  host_close(&app->host);
  free(app->block);
  free(app);
  return 0;
}
