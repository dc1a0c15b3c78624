/* yamux: see yamux.h.
 *
 * Windows: by the specification each stream begins with 256 KiB. Of a peer that is one of us we know by its hint that
 * it uses only the base of them until we give it more, so the windows here are counted from that base. A stream whose
 * reader takes a quarter of its window within BUSY_MS has its window doubled, as long as all streams together stay
 * within a quarter of the total; half of it is for the bases, and the rest for what connections need besides. A foreign
 * peer may send more than that, as the specification lets it: when all that is held reaches the total, the stream that
 * holds most is reset. */
#include "yamux/inside.h"

#include <assert.h>
#include <string.h>

#include <uv.h>

enum { BUSY_MS = 50, PLACES_MAX = 65536 };

/* The streams. */

static uvr_yamux_stream **slot(const uvr_yamux *self, uint32_t id)
{
  return &self->table[(id >> 1) & (self->table_size - 1)];
}

uvr_yamux_stream *uvr_yamux_find(const uvr_yamux *self, uint32_t id)
{
  uvr_yamux_stream *s = *slot(self, id);
  while (s != NULL && s->id != id) {
    s = s->hash_next;
  }
  return s;
}

void uvr_yamux_add(uvr_yamux *self, uvr_yamux_stream *s, uint32_t id)
{
  uvr_yamux_stream **at = slot(self, id);
  s->session = self;
  s->id = id;
  s->hash_next = *at;
  *at = s;
  s->next = self->all;
  s->link = &self->all;
  if (s->next != NULL) {
    s->next->link = &s->next;
  }
  self->all = s;
  self->streams++;
  s->send_window = self->peer_hint != 0 ? self->peer_hint : UVR_YAMUX_WINDOW;
  s->receive_window = UVR_YAMUX_WINDOW;
  s->window = self->peer_hint != 0 ? UVR_YAMUX_BASE : UVR_YAMUX_WINDOW;
  s->credited = self->config.now(self->config.user);
}

static void remove_from_lists(uvr_yamux *self, uvr_yamux_stream *s)
{
  uvr_yamux_stream **at = slot(self, s->id);
  while (*at != s) {
    at = &(*at)->hash_next;
  }
  *at = s->hash_next;
  *s->link = s->next;
  if (s->next != NULL) {
    s->next->link = s->link;
  }
}

static bool has_room(const uvr_yamux *self)
{
  return self->streams < self->streams_max && self->unanswered < UVR_YAMUX_BACKLOG;
}

void uvr_yamux_look_for_room(uvr_yamux *self)
{
  if (self->room_wanted && !self->dead && has_room(self)) {
    self->room_wanted = false;
    self->config.events.on_room(self->config.user);
  }
}

/* What is to be sent is not, and its owner is told so. May end the stream. */
void uvr_yamux_tell_reset(uvr_yamux_stream *s)
{
  uvr_yamux *self = s->session;
  bool writing = s->length > 0 || s->fin_due;
  s->length = 0;
  s->data = NULL;
  s->fin_due = false;
  self->told = s;
  self->config.events.on_readable(s);
  if (self->told == s && writing) {
    self->config.events.on_written(s);
  }
  self->told = NULL;
}

/* Resets a stream of our own accord. */
void uvr_yamux_break(uvr_yamux_stream *s)
{
  if (!uvr_yamux_is_reset(s)) {
    s->broken = true;
    s->reset_due = true;
    uvr_yamux_wait_for_turn(s);
    uvr_yamux_tell_reset(s);
  }
}

void uvr_yamux_drop_held(uvr_yamux_stream *s)
{
  while (s->first != NULL) {
    uvr_buffer *buffer = s->first;
    s->first = buffer->next;
    uvr_buffer_put(s->session->config.buffers, buffer);
  }
  s->last = NULL;
  s->session->held -= s->held;
  s->held = 0;
}

/* A stream's owner. */

bool uvr_yamux_open(uvr_yamux *self, uvr_yamux_stream *stream, void *user)
{
  if (self->next_id > UINT32_MAX - 2) {
    self->peer_goes_away = true; /* as good as */
  }
  if (self->dead || self->peer_goes_away) {
    return false;
  }
  if (!has_room(self)) {
    self->room_wanted = true;
    return false;
  }
  stream->user = user;
  uvr_yamux_add(self, stream, self->next_id);
  self->next_id += 2;
  self->unanswered++;
  stream->syn_due = true;
  uvr_yamux_wait_for_turn(stream);
  return true;
}

bool uvr_yamux_write(uvr_yamux_stream *stream, const char *data, size_t length)
{
  assert(stream->length == 0 && !stream->fin_due && !stream->fin_sent && length > 0);
  if (uvr_yamux_is_reset(stream)) {
    return false;
  }
  stream->data = data;
  stream->length = length;
  uvr_yamux_wait_for_turn(stream);
  return true;
}

size_t uvr_yamux_unwritten(const uvr_yamux_stream *stream)
{
  return stream->length;
}

bool uvr_yamux_finish(uvr_yamux_stream *stream)
{
  assert(!stream->fin_due && !stream->fin_sent);
  if (uvr_yamux_is_reset(stream)) {
    return false;
  }
  stream->fin_due = true;
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
  if (uvr_yamux_has_ended(stream) && !stream->end_read) {
    stream->end_read = true;
    return UVR_YAMUX_END;
  }
  return uvr_yamux_is_reset(stream) ? UVR_YAMUX_RESET : UVR_YAMUX_NOTHING;
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
  if (stream->fin_received || uvr_yamux_is_reset(stream) || stream->consumed < stream->window / 4) {
    return;
  }
  uint64_t now = self->config.now(self->config.user);
  uint64_t more = growth(stream, now);
  stream->credited = now;
  stream->window += more;
  stream->extra += more;
  self->grown += more;
  stream->credit_due += stream->consumed + more;
  stream->receive_window += (int64_t)(stream->consumed + more);
  stream->consumed = 0;
  uvr_yamux_wait_for_turn(stream);
}

bool uvr_yamux_is_reset(const uvr_yamux_stream *stream)
{
  return stream->reset_received || stream->broken;
}

bool uvr_yamux_has_ended(const uvr_yamux_stream *stream)
{
  return stream->fin_received && !stream->broken; /* then not all of it can be read */
}

void uvr_yamux_release(uvr_yamux_stream *stream)
{
  uvr_yamux *self = stream->session;
  bool over = stream->fin_sent && stream->fin_received;
  uvr_yamux_leave_turns(stream);
  remove_from_lists(self, stream);
  uvr_yamux_drop_held(stream);
  self->grown -= stream->extra;
  if (!stream->acknowledged) {
    self->unanswered--;
  }
  if (self->data_stream == stream) {
    self->data_stream = NULL;
  }
  if (self->told == stream) {
    self->told = NULL;
  }
  if (self->dead || over || stream->reset_received || stream->reset_sent || stream->syn_due) {
    self->streams--;
    uvr_yamux_look_for_room(self);
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
  assert(self->all == NULL);
  uvr_free(self->config.buffers->memory, self->table);
  uvr_free(self->config.buffers->memory, self->resets);
  self->table = NULL;
  self->resets = NULL;
  self->dead = true;
}

void uvr_yamux_kill(uvr_yamux *self)
{
  uvr_yamux_stream *list = self->all;
  self->dead = true;
  self->streams -= self->reset_count;
  self->reset_count = 0;
  self->reply_count = 0;
  self->all = NULL;
  for (uvr_yamux_stream *s = list; s != NULL; s = s->next) {
    uvr_yamux_leave_turns(s);
  }
  if (list != NULL) {
    list->link = &list; /* those that are told go back, one by one; any may be released meanwhile */
  }
  while (list != NULL) {
    uvr_yamux_stream *s = list;
    list = s->next;
    if (list != NULL) {
      list->link = &list;
    }
    s->next = self->all;
    s->link = &self->all;
    if (s->next != NULL) {
      s->next->link = &s->next;
    }
    self->all = s;
    if (!s->reset_received) {
      s->reset_received = true;
      uvr_yamux_tell_reset(s);
    }
  }
}
