/* A host whose loop also runs a timer and a TCP server, and that hands the connections it accepts to a relay, each to a
 * target: by an address, or by a named pipe that the host has connected itself.
 *
 * The first client is refused: its target is not there. Then several come at once, send some megabytes each,
 * half-close, and must get every byte back from the target, and its end. While they do, the relay is asked to stop,
 * which lets them finish; then it is closed. Each connection's memory comes back by the relay's stream_closed callback.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uvrelay.h>

#include "client.h"
#include "echo.h"

enum { CLIENTS = 6, CLIENT_BYTES = 5 * 1024 * 1024 + 17, REFUSED_BYTES = 100, TICK_MS = 5, GAP_MAX_MS = 3000 };

typedef struct server_s server_t;

/* What the host knows of a connection. Its uv_tcp_t belongs to the relay from uvrelay_start() to on_stream_closed(). */
typedef struct connection_s {
  uv_tcp_t tcp; /* its data is this */
  server_t *server;
  unsigned number; /* 0 for the first */
  uvrelay_npipe_t *npipe;
  bool stream_closed;
  bool npipe_closed;
} connection_t;

struct server_s {
  host_t host;
  uvrelay_t *relay;
  uv_tcp_t listener;
  int port;
  uv_timer_t ticker;
  uint64_t last_tick; /* all in nanoseconds */
  uint64_t longest_gap;
  unsigned ticks;
  echo_t tcp_echo;
  echo_t local_echo;
  client_t *clients; /* the first one is the one refused */
  unsigned accepted;
  unsigned started;
  unsigned npipes_given; /* to the relay */
  unsigned npipes_back;
  unsigned streams_back;
  unsigned done;
  unsigned clients_closed;
  bool stopped;
  bool closed;
};

static void on_tick(uv_timer_t *timer)
{
  server_t *server = timer->data;
  uint64_t now = uv_hrtime();
  uint64_t gap = now - server->last_tick;
  if (gap > server->longest_gap) {
    server->longest_gap = gap;
  }
  server->last_tick = now;
  server->ticks++;
}

/* ---- the end ---- */

static void on_relay_closed(uvrelay_t *relay)
{
  server_t *server = uvrelay_get_data(relay);
  CHECK(server->stopped && !server->closed);
  server->closed = true;
  uv_close((uv_handle_t *)&server->ticker, NULL);
  echo_close(&server->tcp_echo);
  echo_close(&server->local_echo);
}

static void on_relay_stopped(uvrelay_t *relay)
{
  server_t *server = uvrelay_get_data(relay);
  uvrelay_counters_t counters;
  CHECK(!server->stopped);
  server->stopped = true;
  CHECK(server->done == 1 + CLIENTS); /* all could finish */
  uvrelay_get_counters(relay, &counters, sizeof(counters));
  CHECK(counters.active == 0);
  CHECK(counters.started == 1 + CLIENTS);
  CHECK(counters.failed == 1);
  CHECK(counters.to_right == (uint64_t)CLIENTS * CLIENT_BYTES);
  CHECK(counters.to_left == counters.to_right);
  uvrelay_close(relay, on_relay_closed);
}

/* ---- one connection ---- */

static void on_stream_closed(uv_handle_t *handle)
{
  connection_t *connection = handle->data; /* as we left it */
  CHECK(handle == (uv_handle_t *)&connection->tcp);
  CHECK(!connection->stream_closed);
  connection->stream_closed = true;
  connection->server->streams_back++;
}

static void on_npipe_closed(uvrelay_npipe_t *npipe)
{
  connection_t *connection = uvrelay_npipe_get_data(npipe);
  CHECK(connection->npipe == npipe);
  CHECK(!connection->npipe_closed);
  connection->npipe_closed = true;
  connection->server->npipes_back++;
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  connection_t *connection = user;
  server_t *server = connection->server;
  (void)session;
  CHECK(connection->stream_closed);
  CHECK(connection->npipe == NULL || connection->npipe_closed);
  server->done++;
  if (connection->number == 0) {
    CHECK(result->reason == UVRELAY_REASON_FAILED);
    CHECK(result->side == UVRELAY_RIGHT);
    CHECK(result->error.phase == UVRELAY_PHASE_CONNECT);
    CHECK(result->error.code == UV_ENOENT || result->error.code == UV_ECONNREFUSED);
    CHECK(result->error.text[0] != '\0');
    CHECK(result->to_right == 0 && result->to_left == 0);
  } else {
    host_check_ended(result, CLIENT_BYTES);
  }
  free(connection);
}

static void start(connection_t *connection, const uvrelay_endpoint_t *target)
{
  server_t *server = connection->server;
  uvrelay_endpoint_t source = uvrelay_stream((uv_stream_t *)&connection->tcp, on_stream_closed);
  uvrelay_session_options_t options = {.size = sizeof(options), .retry = UVRELAY_RETRY_BUSY, .timeout_ms = 30000};

  /* A target that cannot be read changes nothing: the stream is ours as before. */
  uvrelay_endpoint_t nonsense = uvrelay_address("tcp://nowhere");
  CHECK_CODE(uvrelay_start(server->relay, &source, &nonsense, &options, on_done, connection, NULL), UV_EINVAL);
  CHECK_CODE(uvrelay_error(server->relay)->code, UV_EINVAL);
  CHECK(uvrelay_error(server->relay)->phase == UVRELAY_PHASE_ADDRESS);

  CHECK_CODE(uvrelay_start(server->relay, &source, target, &options, on_done, connection, NULL), 0);
  server->started++;
  if (server->started == 1 + CLIENTS) {
    CHECK_CODE(uvrelay_stop(server->relay, UINT64_MAX, on_relay_stopped), 0);
    CHECK_CODE(uvrelay_stop(server->relay, 0, on_relay_stopped), UV_EALREADY);
    uvrelay_endpoint_t late = uvrelay_address(server->tcp_echo.address);
    CHECK_CODE(uvrelay_start(server->relay, &late, &late, NULL, NULL, NULL, NULL), UV_ESHUTDOWN);
  }
}

static void on_npipe_connected(uvrelay_npipe_t *npipe, int status)
{
  connection_t *connection = uvrelay_npipe_get_data(npipe);
  CHECK_CODE(status, 0);
  CHECK(uvrelay_npipe_is_message_mode(npipe) == 1);
  uvrelay_endpoint_t target = uvrelay_npipe(npipe, on_npipe_closed);
  connection->server->npipes_given++;
  start(connection, &target);
  CHECK(uvrelay_npipe_is_closing(npipe) == 1);
}

/* False where there are no named pipes. */
static bool connect_npipe(connection_t *connection)
{
  server_t *server = connection->server;
  uvrelay_npipe_options_t options = {.size = sizeof(options), .retry = UVRELAY_RETRY_BUSY, .timeout_ms = 30000};
  options.allocator = host_allocator(&server->host);
  options.log = host_log(&server->host);
  CHECK_CODE(uvrelay_npipe_new(&connection->npipe, &server->host.loop, &options), 0);
  uvrelay_npipe_set_data(connection->npipe, connection);
  int code = uvrelay_npipe_connect(connection->npipe, server->local_echo.address, on_npipe_connected);
  if (code == UV_ENOTSUP) {
    uvrelay_npipe_close(connection->npipe, NULL);
    connection->npipe = NULL;
    return false;
  }
  CHECK_CODE(code, 0);
  return true;
}

static void on_connection(uv_stream_t *listener, int status)
{
  server_t *server = listener->data;
  connection_t *connection = calloc(1, sizeof(*connection));
  char absent[ECHO_ADDRESS_MAX + 8];
  const char *address = absent;
  CHECK_CODE(status, 0);
  CHECK(connection != NULL);
  connection->server = server;
  connection->number = server->accepted++;
  CHECK_CODE(uv_tcp_init(&server->host.loop, &connection->tcp), 0);
  connection->tcp.data = connection;
  CHECK_CODE(uv_accept(listener, (uv_stream_t *)&connection->tcp), 0);
  if (server->accepted == 1 + CLIENTS) {
    uv_close((uv_handle_t *)listener, NULL);
  }

  if (connection->number == 0) {
    (void)snprintf(absent, sizeof(absent), "%s-absent", server->local_echo.address);
  } else if (connection->number % 3 == 0 && connect_npipe(connection)) {
    return; /* it goes on when the pipe is connected */
  } else {
    address = connection->number % 2 == 0 ? server->tcp_echo.address : server->local_echo.address;
  }
  uvrelay_endpoint_t target = uvrelay_address(address);
  start(connection, &target);
  memset(absent, 0, sizeof(absent)); /* the address was copied */
}

/* ---- the clients ---- */

static void on_client_closed(client_t *client)
{
  server_t *server = client->user;
  server->clients_closed++;
  if (client->refused) {
    for (unsigned i = 1; i <= CLIENTS; i++) {
      server->clients[i].user = server;
      client_connect(&server->clients[i], &server->host.loop, server->port, i, CLIENT_BYTES, on_client_closed);
    }
  }
}

static void prepare(server_t *server)
{
  host_open(&server->host);
  uv_loop_t *loop = &server->host.loop;

  uvrelay_options_t options = {.size = sizeof(options)};
  options.allocator = host_allocator(&server->host);
  options.log = host_log(&server->host);
  CHECK_CODE(uvrelay_new(&server->relay, loop, &options), 0);
  uvrelay_set_data(server->relay, server);
  CHECK(uvrelay_get_loop(server->relay) == loop);
  CHECK_CODE(uvrelay_error(server->relay)->code, 0);

  echo_listen_tcp(&server->tcp_echo, &server->host);
  echo_listen_local(&server->local_echo, &server->host);
  server->port = host_listen(loop, &server->listener, on_connection);
  server->listener.data = server;

  CHECK_CODE(uv_timer_init(loop, &server->ticker), 0);
  server->ticker.data = server;
  server->last_tick = uv_hrtime();
  CHECK_CODE(uv_timer_start(&server->ticker, on_tick, TICK_MS, TICK_MS), 0);
}

int main(void)
{
  server_t *server = calloc(1, sizeof(*server));
  CHECK(server != NULL);
  prepare(server);

  server->clients = calloc(1 + CLIENTS, sizeof(*server->clients));
  CHECK(server->clients != NULL);
  server->clients[0].refused = true;
  server->clients[0].user = server;
  client_connect(&server->clients[0], &server->host.loop, server->port, 0, REFUSED_BYTES, on_client_closed);

  CHECK(uv_run(&server->host.loop, UV_RUN_DEFAULT) == 0);

  CHECK(server->closed);
  CHECK(server->done == 1 + CLIENTS);
  CHECK(server->streams_back == 1 + CLIENTS);
  CHECK(server->clients_closed == 1 + CLIENTS);
  CHECK(server->npipes_given == server->npipes_back);
  CHECK(server->npipes_given == (server->local_echo.npipe != NULL ? CLIENTS / 3 : 0));
  CHECK(server->tcp_echo.accepted + server->local_echo.accepted == CLIENTS);
  CHECK(server->tcp_echo.open == 0 && server->local_echo.open == 0);
  CHECK(server->ticks > 0);
  CHECK(server->longest_gap < (uint64_t)GAP_MAX_MS * 1000000);
  CHECK(server->host.allocated > 0);
  host_close(&server->host);
  (void)printf("%u connections of %d bytes each way, %u ticks, longest gap %.1f ms\n", server->done - 1, CLIENT_BYTES,
               server->ticks, (double)server->longest_gap / 1e6);
  free(server->clients);
  free(server);
  return 0;
}
