/* A host that runs its loop its own way: a turn at a time without waiting, as a game or an editor does between its
 * frames, and a turn at a time with waiting. All must complete just as with one uv_run().
 *
 * Each way it relays between two addresses, both of which are connected to, and between a pair of files and an address:
 * the file that is read is sent to a server that echoes, and the answer is the file that is written. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uvrelay.h>

#include "client.h"
#include "echo.h"

enum { CLIENT_BYTES = 1024 * 1024 + 5, FILE_BYTES = 700 * 1000, PATH_SIZE = 512 };

typedef struct app_s {
  host_t host;
  uvrelay_t *relay;
  echo_t echo;
  client_t client;
  char source[PATH_SIZE]; /* files */
  char copy[PATH_SIZE];
  char *bytes;              /* of the file */
  uvrelay_session_t *files; /* the session of the files */
  unsigned done;
  unsigned clients_closed;
  bool closed;
} app_t;

/* ---- files ---- */

static uv_file open_file(const char *path, int flags)
{
  uv_fs_t request;
  int file = uv_fs_open(NULL, &request, path, flags, 0600, NULL);
  uv_fs_req_cleanup(&request);
  CHECK(file >= 0);
  return file;
}

static void close_file(uv_file file)
{
  uv_fs_t request;
  CHECK_CODE(uv_fs_close(NULL, &request, file, NULL), 0);
  uv_fs_req_cleanup(&request);
}

static void make_file(char path[PATH_SIZE], char *bytes, size_t length)
{
  char directory[PATH_SIZE - 32];
  size_t size = sizeof(directory);
  uv_fs_t request;
  CHECK_CODE(uv_os_tmpdir(directory, &size), 0);
  (void)snprintf(path, PATH_SIZE, "%s/uvrelay-embed-XXXXXX", directory);
  int file = uv_fs_mkstemp(NULL, &request, path, NULL);
  CHECK(file >= 0);
  (void)snprintf(path, PATH_SIZE, "%s", request.path);
  uv_fs_req_cleanup(&request);
  if (length > 0) {
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)length);
    CHECK(uv_fs_write(NULL, &request, file, &buf, 1, -1, NULL) == (int)length);
    uv_fs_req_cleanup(&request);
  }
  close_file(file);
}

static void remove_file(const char *path)
{
  uv_fs_t request;
  CHECK_CODE(uv_fs_unlink(NULL, &request, path, NULL), 0);
  uv_fs_req_cleanup(&request);
}

static void verify_copy(app_t *app)
{
  uv_fs_t request;
  uv_file file = open_file(app->copy, UV_FS_O_RDONLY);
  uv_buf_t buf = uv_buf_init(app->bytes, FILE_BYTES + 1);
  memset(app->bytes, 0, FILE_BYTES + 1);
  CHECK(uv_fs_read(NULL, &request, file, &buf, 1, -1, NULL) == FILE_BYTES);
  uv_fs_req_cleanup(&request);
  close_file(file);
  host_verify(app->bytes, FILE_BYTES, 2, 0);
}

/* ---- the relay ---- */

static void on_relay_closed(uvrelay_t *relay)
{
  app_t *app = uvrelay_get_data(relay);
  CHECK(!app->closed);
  app->closed = true;
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  app_t *app = user;
  host_check_ended(result, session == app->files ? FILE_BYTES : CLIENT_BYTES);
  app->done++;
  if (app->done == 2) {
    echo_close(&app->echo);
    uvrelay_close(app->relay, on_relay_closed);
  }
}

static void on_client_closed(client_t *client)
{
  app_t *app = client->user;
  app->clients_closed++;
}

static void begin(app_t *app)
{
  uvrelay_options_t options = {.size = sizeof(options), .buffer_size = 16 * 1024};
  host_open(&app->host);
  options.allocator = host_allocator(&app->host);
  options.log = host_log(&app->host);
  CHECK_CODE(uvrelay_new(&app->relay, &app->host.loop, &options), 0);
  uvrelay_set_data(app->relay, app);
  echo_listen_local(&app->echo, &app->host);

  app->client.user = app;
  client_wait(&app->client, &app->host.loop, 1, CLIENT_BYTES, on_client_closed);
  uvrelay_endpoint_t left = uvrelay_address(app->client.address);
  uvrelay_endpoint_t right = uvrelay_address(app->echo.address);
  CHECK_CODE(uvrelay_start(app->relay, &left, &right, NULL, on_done, app, NULL), 0);

  app->bytes = malloc(FILE_BYTES + 1);
  CHECK(app->bytes != NULL);
  host_fill(app->bytes, FILE_BYTES, 2, 0);
  make_file(app->source, app->bytes, FILE_BYTES);
  make_file(app->copy, NULL, 0);
  left = uvrelay_stdio(open_file(app->source, UV_FS_O_RDONLY), open_file(app->copy, UV_FS_O_WRONLY));
  CHECK_CODE(uvrelay_start(app->relay, &left, &right, NULL, on_done, app, &app->files), 0);
  CHECK(app->files != NULL);
}

static void end(app_t *app)
{
  CHECK(app->done == 2);
  CHECK(app->clients_closed == 1);
  CHECK(app->closed);
  CHECK(app->echo.accepted == 2 && app->echo.open == 0);
  verify_copy(app);
  remove_file(app->source);
  remove_file(app->copy);
  free(app->bytes);
  host_close(&app->host);
  free(app);
}

static unsigned run(uv_run_mode mode)
{
  app_t *app = calloc(1, sizeof(*app));
  unsigned turns = 0;
  CHECK(app != NULL);
  begin(app);
  while (uv_run(&app->host.loop, mode) != 0) {
    turns++;
    if (mode == UV_RUN_NOWAIT) {
      uv_sleep(1); /* here a game would draw its frame */
    }
  }
  end(app);
  return turns;
}

int main(void)
{
  unsigned polled = run(UV_RUN_NOWAIT);
  unsigned waited = run(UV_RUN_ONCE);
  CHECK(polled > 0 && waited > 0);
  (void)printf("%u turns without waiting, %u with\n", polled, waited);
  return 0;
}
