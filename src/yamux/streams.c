/* The streams of a session: a hash table by number, a list of all, how many there may be, and how they are reset.
 *
 * A stream is lost when its peer resets it or the session ends, and broken when we reset it ourselves, for lack of
 * memory. Either way what it has to send is dropped, and its owner is called: something can be read, namely the reset,
 * and a write or an end that was under way is over. */
#include "yamux/streams.h"

#include "yamux/turns.h"

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
  uvr_list_prepend(&self->all, &s->node);
  self->streams++;
  s->send_window = self->peer_hint != 0 ? self->peer_hint : UVR_YAMUX_WINDOW;
  uvr_yamux_fit_frame(s);
  s->receive_window = UVR_YAMUX_WINDOW;
  s->window = self->peer_hint != 0 ? UVR_YAMUX_BASE : UVR_YAMUX_WINDOW;
  s->credited = self->config.now(self->config.user);
}

/* Half of the window, or what is allowed, or what was possible before. */
static size_t grown_frame(const uvr_yamux_stream *s, size_t before, size_t most)
{
  size_t half = s->send_window > 0 ? (size_t)(s->send_window / 2) : 0;
  size_t frame = half < most ? half : most;
  frame = frame < UVR_YAMUX_FRAME_FIRST ? UVR_YAMUX_FRAME_FIRST : frame;
  return frame > before ? frame : before;
}

void uvr_yamux_fit_frame(uvr_yamux_stream *s)
{
  s->frame = grown_frame(s, s->frame, UVR_YAMUX_FRAME_MAX);
  s->piped_frame = grown_frame(s, s->piped_frame, UVR_YAMUX_PIPED_MAX);
}

void uvr_yamux_remove(uvr_yamux_stream *s)
{
  uvr_yamux_stream **at = slot(s->session, s->id);
  while (*at != s) {
    at = &(*at)->hash_next;
  }
  *at = s->hash_next;
  uvr_list_remove(&s->node);
}

uvr_yamux_stream *uvr_yamux_first(const uvr_yamux *self)
{
  return uvr_yamux_of_node(uvr_list_first(&self->all));
}

uvr_yamux_stream *uvr_yamux_next(const uvr_yamux_stream *stream)
{
  return uvr_yamux_of_node(uvr_list_next(&stream->session->all, &stream->node));
}

/* Room. */

bool uvr_yamux_has_room(const uvr_yamux *self)
{
  return self->streams < self->streams_max && self->unanswered < UVR_YAMUX_BACKLOG;
}

void uvr_yamux_offer_room(uvr_yamux *self)
{
  if (self->room_wanted && !self->dead && uvr_yamux_has_room(self)) {
    self->room_wanted = false;
    self->config.events.on_room(self->config.user);
  }
}

/* Resets. */

/* Drops what the stream has to send, and calls its owner. */
static void report_reset(uvr_yamux_stream *s)
{
  uvr_yamux *self = s->session;
  bool writing = uvr_yamux_is_writing(s);
  s->length = 0;
  s->data = NULL;
  s->due &= ~UVR_YAMUX_FIN;
  self->reported = s;
  self->config.events.on_readable(s);
  if (self->reported == s && writing) { /* else it was released */
    self->config.events.on_written(s);
  }
  self->reported = NULL;
}

void uvr_yamux_lose(uvr_yamux_stream *s)
{
  if (s->send != UVR_YAMUX_SEND_LOST) {
    uvr_yamux_set_send(s, UVR_YAMUX_SEND_LOST);
    uvr_yamux_leave_turns(s);
    report_reset(s);
  }
}

void uvr_yamux_break(uvr_yamux_stream *s)
{
  if (!uvr_yamux_is_reset(s)) {
    uvr_yamux_set_receive(s,
                          uvr_yamux_fin_received(s) ? UVR_YAMUX_RECEIVE_BROKEN_BEHIND_END : UVR_YAMUX_RECEIVE_BROKEN);
    s->due |= UVR_YAMUX_RST;
    uvr_yamux_wait_for_turn(s);
    report_reset(s);
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
