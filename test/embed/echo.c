/* See echo.h. A client's bytes are read, then written, then the next are read; its end of input shuts our side down and
 * closes it. A client that goes away is not a failure here: a program that expected more of it will report that. */
#include "echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct connection_s {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } u;
  echo_t *echo;
  uv_write_t write;
  uv_shutdown_t shutdown;
  char chunk[ECHO_CHUNK];
} connection_t;

static void read_more(connection_t *connection);

static void on_closed(uv_handle_t *handle)
{
  connection_t *connection = handle->data;
  connection->echo->open--;
  free(connection);
}

static void on_shut(uv_shutdown_t *request, int status)
{
  connection_t *connection = request->data;
  (void)status;
  uv_close(&connection->u.handle, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
  connection_t *connection = request->data;
  if (status == 0) {
    read_more(connection);
  } else {
    uv_close(&connection->u.handle, on_closed);
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  connection_t *connection = handle->data;
  (void)suggested;
  *buf = uv_buf_init(connection->chunk, ECHO_CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  connection_t *connection = stream->data;
  if (count > 0) {
    uv_buf_t back = uv_buf_init(buf->base, (unsigned)count);
    (void)uv_read_stop(stream);
    CHECK_CODE(uv_write(&connection->write, stream, &back, 1, on_written), 0);
  } else if (count == UV_EOF) {
    CHECK_CODE(uv_shutdown(&connection->shutdown, stream, on_shut), 0);
  } else if (count < 0) {
    uv_close(&connection->u.handle, on_closed);
  }
}

static void read_more(connection_t *connection)
{
  CHECK_CODE(uv_read_start(&connection->u.stream, on_alloc, on_read), 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
  echo_t *echo = listener->data;
  connection_t *connection = malloc(sizeof(*connection));
  CHECK_CODE(status, 0);
  CHECK(connection != NULL);
  if (listener->type == UV_TCP) {
    CHECK_CODE(uv_tcp_init(echo->loop, &connection->u.tcp), 0);
  } else {
    CHECK_CODE(uv_pipe_init(echo->loop, &connection->u.pipe, 0), 0);
  }
  connection->echo = echo;
  connection->u.handle.data = connection;
  connection->write.data = connection;
  connection->shutdown.data = connection;
  CHECK_CODE(uv_accept(listener, &connection->u.stream), 0);
  echo->accepted++;
  echo->open++;
  read_more(connection);
}

static void init(echo_t *echo, host_t *host)
{
  memset(echo, 0, sizeof(*echo));
  echo->loop = &host->loop;
}

void echo_listen_tcp(echo_t *echo, host_t *host)
{
  init(echo, host);
  int port = host_listen(echo->loop, &echo->listener.tcp, on_connection);
  echo->listener.tcp.data = echo;
  (void)snprintf(echo->address, sizeof(echo->address), "tcp://127.0.0.1:%d", port);
}

void echo_listen_local(echo_t *echo, host_t *host)
{
  init(echo, host);
  if (echo_listen_npipe(echo, host)) {
    return;
  }
  char directory[ECHO_ADDRESS_MAX];
  size_t size = sizeof(directory);
  CHECK_CODE(uv_os_tmpdir(directory, &size), 0);
  int length = snprintf(echo->address, sizeof(echo->address), "unix://%s/uvrelay-embed-%d-%llx", directory,
                        (int)uv_os_getpid(), (unsigned long long)(uintptr_t)echo);
  CHECK(length > 0 && (size_t)length < sizeof(echo->address));
  CHECK_CODE(uv_pipe_init(echo->loop, &echo->listener.pipe, 0), 0);
  CHECK_CODE(uv_pipe_bind(&echo->listener.pipe, echo->address + strlen("unix://")), 0); /* unlinks it when it closes */
  CHECK_CODE(uv_listen(&echo->listener.stream, 16, on_connection), 0);
  echo->listener.pipe.data = echo;
}

void echo_close(echo_t *echo)
{
  if (echo->npipe != NULL) {
    uvrelay_npipe_close(echo->npipe, NULL);
  } else {
    uv_close((uv_handle_t *)&echo->listener, NULL);
  }
}
