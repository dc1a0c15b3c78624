/* See client.h. Writing and reading go on at the same time, one chunk each; once all is written it half-closes, and the
 * end of what it reads closes it. */
#include "client.h"

#include <stdio.h>
#include <string.h>

static void write_more(client_t *client);

static void on_closed(uv_handle_t *handle)
{
  client_t *client = handle->data;
  client->closed(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  client_t *client = handle->data;
  (void)suggested;
  *buf = uv_buf_init(client->incoming, CLIENT_CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  client_t *client = stream->data;
  if (count >= 0) {
    CHECK(!client->refused);
    CHECK(client->received + (uint64_t)count <= client->sent);
    host_verify(buf->base, (size_t)count, client->seed, client->received);
    client->received += (uint64_t)count;
    return;
  }
  if (!client->refused) {
    CHECK_CODE((int)count, UV_EOF);
    CHECK(client->received == client->size);
    CHECK(client->shut); /* the end came for ours */
  }
  uv_close((uv_handle_t *)&client->socket, on_closed);
}

static void on_shut(uv_shutdown_t *request, int status)
{
  client_t *client = request->data;
  if (!client->refused) {
    CHECK_CODE(status, 0);
    client->shut = true;
  }
}

static void on_written(uv_write_t *request, int status)
{
  client_t *client = request->data;
  if (!client->refused) {
    CHECK_CODE(status, 0);
  }
  if (status == 0) {
    write_more(client);
  }
}

static void write_more(client_t *client)
{
  uint64_t left = client->size - client->sent;
  unsigned length = left < CLIENT_CHUNK ? (unsigned)left : CLIENT_CHUNK;
  if (uv_is_closing((uv_handle_t *)&client->socket)) {
    return;
  }
  if (length == 0) {
    CHECK_CODE(uv_shutdown(&client->shutdown, (uv_stream_t *)&client->socket, on_shut), 0);
    return;
  }
  host_fill(client->outgoing, length, client->seed, client->sent);
  uv_buf_t buf = uv_buf_init(client->outgoing, length);
  client->sent += length;
  CHECK_CODE(uv_write(&client->write, (uv_stream_t *)&client->socket, &buf, 1, on_written), 0);
}

static void begin(client_t *client)
{
  CHECK_CODE(uv_read_start((uv_stream_t *)&client->socket, on_alloc, on_read), 0);
  write_more(client);
}

static void on_connected(uv_connect_t *request, int status)
{
  CHECK_CODE(status, 0);
  begin(request->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
  client_t *client = listener->data;
  CHECK_CODE(status, 0);
  CHECK_CODE(uv_accept(listener, (uv_stream_t *)&client->socket), 0);
  uv_close((uv_handle_t *)listener, NULL);
  begin(client);
}

static void init(client_t *client, uv_loop_t *loop, unsigned seed, uint64_t size, client_cb closed)
{
  client->address[0] = '\0';
  client->seed = seed;
  client->size = size;
  client->sent = 0;
  client->received = 0;
  client->shut = false;
  client->closed = closed;
  CHECK_CODE(uv_tcp_init(loop, &client->socket), 0);
  client->socket.data = client;
  client->connect.data = client;
  client->write.data = client;
  client->shutdown.data = client;
}

void client_connect(client_t *client, uv_loop_t *loop, int port, unsigned seed, uint64_t size, client_cb closed)
{
  struct sockaddr_in address;
  init(client, loop, seed, size, closed);
  CHECK_CODE(uv_ip4_addr("127.0.0.1", port, &address), 0);
  CHECK_CODE(
      uv_tcp_connect(&client->connect, &client->socket, (const struct sockaddr *)(const void *)&address, on_connected),
      0);
}

void client_wait(client_t *client, uv_loop_t *loop, unsigned seed, uint64_t size, client_cb closed)
{
  init(client, loop, seed, size, closed);
  int port = host_listen(loop, &client->listener, on_connection);
  client->listener.data = client;
  (void)snprintf(client->address, sizeof(client->address), "tcp://127.0.0.1:%d", port);
}
