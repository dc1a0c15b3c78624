/* The echo server on a named pipe: see echo.h. What comes is lent by the library for as long as the callback, so it is
 * copied, and reading stops until it is written. The end of input is answered by ours, then the pipe is closed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"

typedef struct connection_s {
  echo_t *echo;
  char chunk[ECHO_CHUNK];
} connection_t;

static void on_read(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read);

static void on_closed(uvrelay_npipe_t *npipe)
{
  connection_t *connection = uvrelay_npipe_get_data(npipe);
  connection->echo->open--;
  free(connection);
}

static void on_written(uvrelay_npipe_t *npipe, int status, void *user)
{
  (void)user;
  if (status == 0) {
    CHECK_CODE(uvrelay_npipe_read_start(npipe, on_read), 0);
  } else if (!uvrelay_npipe_is_closing(npipe)) {
    uvrelay_npipe_close(npipe, on_closed);
  }
}

static void on_shut(uvrelay_npipe_t *npipe, int status, void *user)
{
  (void)user;
  if (status != UV_ECANCELED) { /* else it is closed already */
    uvrelay_npipe_close(npipe, on_closed);
  }
}

static void on_read(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read)
{
  connection_t *connection = uvrelay_npipe_get_data(npipe);
  uv_buf_t buf;
  switch (read->event) {
  case UVRELAY_NPIPE_DATA:
    CHECK(read->length <= sizeof(connection->chunk));
    memcpy(connection->chunk, read->data, read->length);
    buf = uv_buf_init(connection->chunk, (unsigned)read->length);
    uvrelay_npipe_read_stop(npipe);
    CHECK_CODE(uvrelay_npipe_write(npipe, &buf, 1, on_written, NULL), 0);
    break;
  case UVRELAY_NPIPE_END_OF_INPUT:
    CHECK_CODE(uvrelay_npipe_shutdown(npipe, on_shut, NULL), 0);
    break;
  case UVRELAY_NPIPE_GONE:
  case UVRELAY_NPIPE_ERROR:
    uvrelay_npipe_close(npipe, on_closed);
    break;
  }
}

static void on_connection(uvrelay_npipe_t *server, int status)
{
  echo_t *echo = uvrelay_npipe_get_data(server);
  connection_t *connection = malloc(sizeof(*connection));
  uvrelay_npipe_t *npipe;
  CHECK_CODE(status, 0);
  CHECK(connection != NULL);
  connection->echo = echo;
  CHECK_CODE(uvrelay_npipe_new(&npipe, echo->loop, &echo->npipe_options), 0);
  uvrelay_npipe_set_data(npipe, connection);
  CHECK_CODE(uvrelay_npipe_accept(server, npipe), 0);
  echo->accepted++;
  echo->open++;
  CHECK_CODE(uvrelay_npipe_read_start(npipe, on_read), 0);
}

void echo_pipe_name(const void *server, char name[ECHO_ADDRESS_MAX])
{
  (void)snprintf(name, ECHO_ADDRESS_MAX, "npipe:uvrelay-embed-%d-%llx", (int)uv_os_getpid(),
                 (unsigned long long)(uintptr_t)server);
}

bool echo_listen_npipe(echo_t *echo, host_t *host)
{
  echo->npipe_options.size = sizeof(echo->npipe_options);
  echo->npipe_options.allocator = host_allocator(host);
  echo->npipe_options.log = host_log(host);
  echo->npipe_options.buffer_size = ECHO_CHUNK;
  echo->npipe_options.mode = UVRELAY_NPIPE_MESSAGE;
  echo_pipe_name(echo, echo->address);
  CHECK_CODE(uvrelay_npipe_new(&echo->npipe, echo->loop, &echo->npipe_options), 0);
  uvrelay_npipe_set_data(echo->npipe, echo);
  int code = uvrelay_npipe_listen(echo->npipe, echo->address, 4, on_connection);
  if (code == UV_ENOTSUP) {
    uvrelay_npipe_close(echo->npipe, NULL);
    echo->npipe = NULL;
    return false;
  }
  CHECK_CODE(code, 0);
  return true;
}
