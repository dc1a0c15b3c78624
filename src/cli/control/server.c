/* Where serve is asked: see server.h.
 *
 * Normal case: a client is accepted, its request is read up to the end of the line, it is answered piece by piece, and
 * it is closed when all is written. Ways to fail: the request is too long, or there is no memory, which is answered;
 * the client leaves, or its time is over, which closes it. While a request waits to be answered, there is no time
 * limit. */
#include "cli/control/server.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct uvr_control_client {
  uvr_control_server *server;
  uvr_list_node node;
  uvr_stream *stream; /* NULL: it is closed */
  uv_timer_t timer;
  bool closing;
  uvr_closing closing_parts;
  size_t length;
  char request[UVR_CONTROL_REQUEST_MAX + 1];
  uvr_text_line answer;
  size_t written; /* bytes of it */
};

enum { PIECE = 65536 }; /* of an answer: for each one the client has the whole time */

/* Clients. */

static void pause_if_full(uvr_control_server *self)
{
  if (self->listener != NULL) {
    uvr_listener_pause(self->listener, self->count >= UVR_CONTROL_CLIENTS_MAX);
  }
}

static void on_client_closed(void *user)
{
  uvr_control_client *client = user;
  uvr_control_server *self = client->server;
  uvr_list_remove(&client->node);
  self->count--;
  uvr_text_line_clear(&client->answer);
  uvr_free(&self->context.memory, client);
  if (self->open) {
    pause_if_full(self);
  } else {
    uvr_closing_done(&self->closing);
  }
}

static void on_stream_closed(void *user)
{
  uvr_control_client *client = user;
  client->stream = NULL;
  uvr_closing_done(&client->closing_parts);
}

static void close_client(uvr_control_client *client, uvr_close_how how)
{
  if (client->closing) {
    return;
  }
  client->closing = true;
  uvr_closing_begin(&client->closing_parts, on_client_closed, client);
  uvr_closing_handle(&client->closing_parts, (uv_handle_t *)&client->timer);
  (void)uvr_closing_add(&client->closing_parts);
  uvr_stream_close(client->stream, how, on_stream_closed, client);
  uvr_closing_end(&client->closing_parts);
}

static void on_time(uv_timer_t *timer)
{
  close_client(timer->data, UVR_CLOSE_NOW);
}

static void limit_time(uvr_control_client *client)
{
  const uvr_control_server *self = client->server;
  (void)uv_timer_start(&client->timer, on_time, self->patience_ms == 0 ? UVR_CONTROL_PATIENCE_MS : self->patience_ms,
                       0);
}

static void write_piece(uvr_control_client *client);

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_control_client *client = user;
  (void)error;
  if (client->closing) {
    return;
  }
  if (outcome == UVR_DONE && client->written < client->answer.length) {
    write_piece(client);
  } else {
    close_client(client, outcome == UVR_DONE ? UVR_CLOSE_GENTLY : UVR_CLOSE_NOW);
  }
}

static void write_piece(uvr_control_client *client)
{
  const char *next = client->answer.text + client->written;
  size_t left = client->answer.length - client->written;
  size_t size = left < PIECE ? left : PIECE;
  client->written += size;
  limit_time(client);
  uvr_stream_write(client->stream, next, size, on_written, client);
}

void uvr_control_answer(uvr_control_client *client, const char *error, const uvr_text_line *text)
{
  uvr_text_line *answer = &client->answer;
  bool failed = text != NULL && text->failed;
  if (error != NULL || failed) {
    uvr_text_line_add(answer, "error ");
    uvr_text_line_text(answer, failed ? "not enough memory for the answer" : error);
    uvr_text_line_add(answer, "\n");
  } else {
    uvr_text_line_add(answer, "ok\n");
    uvr_text_line_bytes(answer, text == NULL ? "" : text->text, text == NULL ? 0 : text->length);
  }
  if (answer->failed) {
    close_client(client, UVR_CLOSE_NOW);
    return;
  }
  write_piece(client);
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvr_control_client *client = user;
  (void)error;
  if (outcome != UVR_DONE) {
    close_client(client, UVR_CLOSE_NOW);
    return;
  }
  size_t room = sizeof(client->request) - 1 - client->length;
  size_t count = buffer->length < room ? buffer->length : room;
  memcpy(client->request + client->length, buffer->data, count);
  bool more = buffer->length > count;
  uvr_buffer_put(&client->stream->context->buffers, buffer);
  char *end = memchr(client->request + client->length, '\n', count);
  client->length += count;
  if (end != NULL) {
    *end = '\0';
    (void)uv_timer_stop(&client->timer);
    client->server->on_request(client->server->user, client, client->request);
  } else if (more || client->length == sizeof(client->request) - 1) {
    uvr_control_answer(client, "the request is too long", NULL);
  } else {
    uvr_stream_read(client->stream, on_read, client);
  }
}

static void on_client(void *user, uvr_stream *stream, const uvrelay_peer_t *peer)
{
  uvr_control_server *self = user;
  uvr_control_client *client = uvr_alloc(&self->context.memory, sizeof(*client));
  (void)peer;
  if (client == NULL) {
    uvr_stream_close(stream, UVR_CLOSE_NOW, uvr_closing_add(&self->closing), &self->closing);
    return;
  }
  client->server = self;
  client->stream = stream;
  uvr_list_append(&self->clients, &client->node);
  self->count++;
  (void)uv_timer_init(self->context.loop, &client->timer);
  client->timer.data = client;
  limit_time(client);
  pause_if_full(self);
  uvr_stream_read(stream, on_read, client);
}

/* The listener. */

static void on_refused(void *user, const uvrelay_peer_t *peer, const uvrelay_error_t *error)
{
  (void)user;
  (void)peer;
  (void)error;
}

static void on_trouble(void *user, const uvrelay_error_t *error)
{
  (void)user;
  (void)error;
}

static void on_relief(void *user)
{
  (void)user;
}

static void close_listener(uvr_control_server *self)
{
  if (self->listener != NULL) {
    uvr_listener *listener = self->listener;
    self->listener = NULL;
    uvr_listener_close(listener, uvr_closing_add(&self->closing), &self->closing);
  }
}

static void on_fail(void *user, const uvrelay_error_t *error)
{
  (void)error;
  close_listener(user);
}

int uvr_control_server_open(uvr_control_server *self, uv_loop_t *loop, const uvr_control_place *place,
                            uvrelay_error_t *error)
{
  const uvrelay_allocator_t memory = uvr_memory_default();
  const uvr_listen_options options = {.permissions = 0600, .peer_uid = ""};
  const uvr_listen_events events = {.on_client = on_client,
                                    .on_refused = on_refused,
                                    .on_trouble = on_trouble,
                                    .on_relief = on_relief,
                                    .on_fail = on_fail,
                                    .user = self};
  uvr_list_init(&self->clients);
  self->closing = (uvr_closing){.open = 0};
  int code = uvr_address_parse(place->address, UVR_ADDRESS_LISTEN, &self->address, error);
  if (code != 0) {
    return code;
  }
  if (uvr_context_init(&self->context, loop, &memory, &(uvrelay_log_t){.write = NULL}) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "not enough memory to listen on %s",
                         self->address.canonical);
  }
  self->context.buffers.large = UVR_BUFFER_SMALL;
  self->context.leftovers = &self->closing;
  self->context.patience.flush_ms = UVR_CONTROL_PATIENCE_MS;
  code = uvr_listen(&self->context, &self->address, &options, &events, &self->listener, &self->place, error);
  if (code != 0) {
    uvr_context_clear(&self->context);
    return code;
  }
  self->file = uvr_control_place_show(place);
  self->open = true;
  return 0;
}

static void on_clock_closed(void *user)
{
  uvr_control_server *self = user;
  uvr_context_clear(&self->context);
  self->on_closed(self->user);
}

static void on_all_closed(void *user)
{
  uvr_control_server *self = user;
  uvr_clock_close(self->context.clock, on_clock_closed, self);
}

void uvr_control_server_close(uvr_control_server *self, void (*on_closed)(void *user))
{
  self->open = false;
  self->on_closed = on_closed;
  uvr_control_place_clear(self->file);
  uvr_closing_begin(&self->closing, on_all_closed, self);
  close_listener(self);
  for (uvr_list_node *n = uvr_list_first(&self->clients); n != NULL; n = uvr_list_next(&self->clients, n)) {
    (void)uvr_closing_add(&self->closing);
    uvr_control_client *client = UVR_LISTED(n, uvr_control_client, node);
    if (client->closing && client->stream != NULL) {
      uvr_stream_hurry(client->stream);
    } else {
      close_client(client, UVR_CLOSE_NOW);
    }
  }
  uvr_closing_end(&self->closing);
}
