/* A yamux session, and what the owners of its streams do with them: see yamux.h.
 *
 * Windows. By the specification each stream begins with a window of 256 KiB. A peer of our own kind says by its hint
 * that it uses only a base of them until it is given credit; windows are then counted from that base. When the owner of
 * a stream consumes a quarter of its window within BUSY_MS, the window is doubled, as long as the growth of all streams
 * together stays within a quarter of the total. Half of the total is for the bases, the rest for what connections need
 * besides. Another peer may send more than that, as the specification allows: when the data that all streams hold
 * reaches the total, the stream that holds most is reset. */
#include "yamux/yamux.h"

#include <string.h>

#include <uv.h>

#include "yamux/streams.h"
#include "yamux/turns.h"

enum { BUSY_MS = 50, PLACES_MAX = 65536 };

/* What a stream's owner does. */

bool uvr_yamux_open(uvr_yamux *self, uvr_yamux_stream *stream, void *user)
{
  if (self->next_id > UINT32_MAX - 2) {
    self->peer_goes_away = true; /* all numbers are used: it comes to the same */
  }
  if (self->dead || self->peer_goes_away) {
    return false;
  }
  if (!uvr_yamux_has_room(self)) {
    self->room_wanted = true;
    return false;
  }
  stream->user = user;
  uvr_yamux_add(self, stream, self->next_id);
  self->next_id += 2;
  self->unanswered++;
  stream->due |= UVR_YAMUX_SYN;
  uvr_yamux_wait_for_turn(stream);
  return true;
}

bool uvr_yamux_write(uvr_yamux_stream *stream, const char *data, size_t length)
{
  assert(stream->length == 0 && length > 0);
  if (uvr_yamux_is_reset(stream)) {
    return false;
  }
  assert(stream->send == UVR_YAMUX_SEND_OPEN);
  stream->data = data;
  stream->lent = NULL;
  stream->spliced = false;
  stream->length = length;
  stream->brief = length < UVR_YAMUX_LONG && !stream->was_long;
  stream->was_long = length >= UVR_YAMUX_LONG;
  uvr_yamux_wait_for_turn(stream);
  return true;
}

bool uvr_yamux_write_buffer(uvr_yamux_stream *stream, uvr_buffer *buffer)
{
  bool written = uvr_yamux_write(stream, buffer->data, buffer->length);
  stream->lent = written ? buffer : NULL;
  stream->spliced = written && buffer->splice != NULL;
  return written;
}

size_t uvr_yamux_best_write(const uvr_yamux_stream *stream)
{
  return stream->frame;
}

size_t uvr_yamux_unwritten(const uvr_yamux_stream *stream)
{
  return stream->length;
}

bool uvr_yamux_finish(uvr_yamux_stream *stream)
{
  if (uvr_yamux_is_reset(stream)) {
    return false;
  }
  uvr_yamux_set_send(stream, UVR_YAMUX_SEND_ENDING);
  stream->due |= UVR_YAMUX_FIN;
  uvr_yamux_wait_for_turn(stream);
  return true;
}

uvr_yamux_found uvr_yamux_read(uvr_yamux_stream *stream, uvr_buffer **out)
{
  uvr_buffer *buffer = stream->first;
  *out = NULL;
  if (buffer != NULL) {
    stream->first = buffer->next;
    stream->last = stream->first == NULL ? NULL : stream->last;
    buffer->next = NULL;
    stream->held -= buffer->length;
    stream->session->held -= buffer->length;
    *out = buffer;
    return UVR_YAMUX_BYTES;
  }
  if (stream->receive == UVR_YAMUX_RECEIVE_ENDED) {
    uvr_yamux_set_receive(stream, UVR_YAMUX_RECEIVE_END_READ);
    return UVR_YAMUX_END;
  }
  return uvr_yamux_is_reset(stream) ? UVR_YAMUX_RESET : UVR_YAMUX_NOTHING;
}

bool uvr_yamux_has_ended(const uvr_yamux_stream *stream)
{
  return stream->receive == UVR_YAMUX_RECEIVE_ENDED || stream->receive == UVR_YAMUX_RECEIVE_END_READ;
}

/* By how much the window of a stream that is read fast is to grow. */
static uint64_t growth(const uvr_yamux_stream *s, uint64_t now)
{
  const uvr_yamux *self = s->session;
  bool busy = now - s->credited <= BUSY_MS;
  uint64_t more = s->window <= UVR_YAMUX_STREAM_MAX / 2 ? s->window : UVR_YAMUX_STREAM_MAX - s->window;
  return busy && self->grown + more <= self->config.window_total / 4 ? more : 0;
}

void uvr_yamux_consumed(uvr_yamux_stream *stream, size_t bytes)
{
  uvr_yamux *self = stream->session;
  stream->consumed += bytes;
  bool open = stream->receive == UVR_YAMUX_RECEIVE_OPEN && !uvr_yamux_is_reset(stream);
  if (!open || stream->consumed < stream->window / 4) {
    return;
  }
  uint64_t now = self->config.now(self->config.user);
  uint64_t more = growth(stream, now);
  stream->credited = now;
  stream->window += more;
  stream->extra += more;
  self->grown += more;
  stream->credit += stream->consumed + more;
  stream->due |= UVR_YAMUX_CREDIT;
  stream->receive_window += (int64_t)(stream->consumed + more);
  stream->consumed = 0;
  uvr_yamux_wait_for_turn(stream);
}

void uvr_yamux_release(uvr_yamux_stream *stream)
{
  uvr_yamux *self = stream->session;
  bool ended = stream->send == UVR_YAMUX_SEND_ENDED && uvr_yamux_fin_received(stream);
  bool unsent = (stream->due & UVR_YAMUX_SYN) != 0;
  uvr_yamux_leave_turns(stream);
  uvr_yamux_remove(stream);
  uvr_yamux_drop_held(stream);
  self->grown -= stream->extra;
  if (!stream->acknowledged) {
    self->unanswered--;
  }
  if (self->data_stream == stream) {
    self->data_stream = NULL;
  }
  if (self->reported == stream) {
    self->reported = NULL;
  }
  if (self->dead || unsent || ended || stream->send >= UVR_YAMUX_SEND_RESET) { /* the peer knows, or never knew it */
    self->streams--;
    uvr_yamux_offer_room(self);
  } else {
    self->resets[(self->reset_first + self->reset_count) % self->streams_max] = stream->id;
    self->reset_count++;
    uvr_yamux_want_output(self);
  }
}

/* The session. */

uint32_t uvr_yamux_places(uint64_t window_total)
{
  uint64_t places = window_total / 2 / UVR_YAMUX_BASE;
  return places < PLACES_MAX ? (uint32_t)places : PLACES_MAX;
}

int uvr_yamux_init(uvr_yamux *self, const uvr_yamux_config *config)
{
  const uvrelay_allocator_t *memory = config->buffers->memory;
  memset(self, 0, sizeof(*self));
  uvr_list_init(&self->all);
  uvr_list_init(&self->turns);
  uvr_list_init(&self->brief_turns);
  self->config = *config;
  self->streams_max = uvr_yamux_places(config->window_total) + (config->client ? 0 : UVR_YAMUX_BACKLOG);
  self->next_id = config->client ? 1 : 2;
  self->table_size = 16;
  while (self->table_size < self->streams_max) {
    self->table_size *= 2;
  }
  self->table = uvr_alloc(memory, self->table_size * sizeof(uvr_yamux_stream *));
  self->resets = uvr_alloc(memory, self->streams_max * sizeof(*self->resets));
  if (self->table == NULL || self->resets == NULL) {
    uvr_yamux_clear(self);
    return UV_ENOMEM;
  }
  uvr_yamux_ping(self, UVR_YAMUX_HINT | UVR_YAMUX_BASE / 1024);
  return 0;
}

void uvr_yamux_clear(uvr_yamux *self)
{
  assert(uvr_list_is_empty(&self->all));
  uvr_free(self->config.buffers->memory, self->table);
  uvr_free(self->config.buffers->memory, self->resets);
  self->table = NULL;
  self->resets = NULL;
  self->dead = true;
}

void uvr_yamux_ping(uvr_yamux *self, uint32_t value)
{
  uvr_yamux_reply(self, UVR_YAMUX_PING, UVR_YAMUX_SYN, 0, value);
}

void uvr_yamux_go_away(uvr_yamux *self, uvr_yamux_code code)
{
  uvr_yamux_reply(self, UVR_YAMUX_GO_AWAY, 0, 0, (uint32_t)code);
}

void uvr_yamux_kill(uvr_yamux *self)
{
  uvr_list unreported;
  uvr_list_node *node;
  self->dead = true;
  self->streams -= self->reset_count;
  self->reset_count = 0;
  self->reply_count = 0;
  for (uvr_yamux_stream *s = uvr_yamux_first(self); s != NULL; s = uvr_yamux_next(s)) {
    uvr_yamux_leave_turns(s);
  }
  /* Their owners may release any of them meanwhile, which removes it from the list that it is in. */
  uvr_list_move(&unreported, &self->all);
  while ((node = uvr_list_pop(&unreported)) != NULL) {
    uvr_list_prepend(&self->all, node);
    uvr_yamux_lose(uvr_yamux_of_node(node));
  }
}
