/* What yamux receives.
 *
 * Happy path: the bytes are cut into frames. A frame's data goes to its stream piece by piece, as it arrives, and waits
 * there to be read; its flags open, acknowledge, end or reset the stream. Pings are answered.
 *
 * Ways to fail: a frame that breaks the rules ends the session, with a go-away. Without memory for a stream's data that
 * stream is reset; when the data that all streams hold reaches the total, the stream that holds most is. */
#include "yamux/receive.h"

#include <string.h>

#include <uv.h>

#include "yamux/streams.h"
#include "yamux/turns.h"

enum {
  REPLIES_SPARE = 8,
  PIPED_HELD_MAX = 512 * 1024 /* bytes that wait to be read, once pipes are scarce: a slow reader must not have all */
};

static uint32_t get_number(const uint8_t *at)
{
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int refuse(uvr_yamux *self, uvrelay_error_t *error, const char *what)
{
  (void)uvr_error_set(error, UVRELAY_PHASE_READ, UV_EPROTO, "%s", what);
  uvr_yamux_reply(self, UVR_YAMUX_GO_AWAY, 0, 0, UVR_YAMUX_PROTOCOL_ERROR);
  return UV_EPROTO;
}

static void end_input(uvr_yamux_stream *s)
{
  if (s->receive == UVR_YAMUX_RECEIVE_OPEN && !uvr_yamux_is_reset(s)) {
    uvr_yamux_set_receive(s, UVR_YAMUX_RECEIVE_ENDED);
    s->session->config.events.on_readable(s);
  }
}

/* The stream that holds most, or NULL when none holds anything. */
static uvr_yamux_stream *fullest(const uvr_yamux *self)
{
  uvr_yamux_stream *most = NULL;
  for (uvr_yamux_stream *s = uvr_yamux_first(self); s != NULL; s = uvr_yamux_next(s)) {
    if (s->held > (most != NULL ? most->held : 0)) {
      most = s;
    }
  }
  return most;
}

/* Whether a buffer that holds so many bytes may become a stream's. What a stream holds takes at most a third more
 * memory than it counts, except for small buffers. */
static bool is_worth_keeping(size_t capacity, size_t length)
{
  return length >= capacity / 4 * 3 && length <= capacity;
}

/* A buffer for so many bytes: one that is kept in the pool, if it is not much too large. */
static uvr_buffer *get_buffer(uvr_buffer_pool *pool, size_t length)
{
  if (length <= UVR_BUFFER_SMALL || is_worth_keeping(pool->large, length)) {
    return uvr_buffer_get(pool, length);
  }
  return is_worth_keeping(pool->huge, length) ? uvr_buffer_get_huge(pool) : uvr_buffer_new(pool, length);
}

static void append(uvr_yamux_stream *s, uvr_buffer *buffer)
{
  if (s->last != NULL) {
    s->last->next = buffer;
  } else {
    s->first = buffer;
  }
  s->last = buffer;
}

/* Appends a copy to the data that the stream holds. False: there is no memory. */
static bool hold(uvr_yamux_stream *s, const char *data, size_t length)
{
  uvr_yamux *self = s->session;
  while (length > 0) {
    uvr_buffer *last = s->last;
    if (last == NULL || last->splice != NULL || last->length == last->capacity) {
      last = get_buffer(self->config.buffers, length);
      if (last == NULL) {
        return false;
      }
      append(s, last);
    }
    size_t room = last->capacity - last->length;
    size_t piece = length < room ? length : room;
    memcpy(last->data + last->length, data, piece);
    last->length += piece;
    s->held += piece;
    self->held += piece;
    data += piece;
    length -= piece;
  }
  return true;
}

/* The stream whose data arrives, after room was made for a part of it; NULL: the data is dropped. */
static uvr_yamux_stream *make_room(uvr_yamux *self, size_t length)
{
  uvr_yamux_stream *most;
  if (self->data_stream == NULL || uvr_yamux_is_reset(self->data_stream)) {
    return NULL;
  }
  while (self->held + length > self->config.window_total && (most = fullest(self)) != NULL) {
    uvr_yamux_drop_held(most);
    uvr_yamux_break(most);
  }
  uvr_yamux_stream *s = self->data_stream; /* which may have been the fullest, and released by its owner */
  return s != NULL && !uvr_yamux_is_reset(s) ? s : NULL;
}

/* So much of the frame's data was handled. */
static void end_part(uvr_yamux *self, size_t length)
{
  self->data_left -= (uint32_t)length;
  if (self->data_left == 0) {
    uvr_yamux_stream *s = self->data_stream;
    self->data_stream = NULL;
    if (s != NULL && self->data_fin) {
      end_input(s);
    }
  }
}

/* A part of a frame's data has arrived. */
static void receive_data(uvr_yamux *self, const char *data, size_t length)
{
  uvr_yamux_stream *s = make_room(self, length);
  if (s != NULL && hold(s, data, length)) {
    self->config.events.on_readable(s);
  } else if (s != NULL) {
    uvr_yamux_break(s);
  }
  end_part(self, length);
}

/* The same with all of a buffer, which is not copied. */
static void receive_whole(uvr_yamux *self, uvr_buffer *buffer)
{
  size_t length = buffer->length;
  uvr_yamux_stream *s = make_room(self, length);
  if (s != NULL) {
    append(s, buffer);
    s->held += length;
    self->held += length;
    self->config.events.on_readable(s);
  } else {
    uvr_buffer_put(self->config.buffers, buffer);
  }
  end_part(self, length);
}

/* A peer of our own kind says how much of each first window it lets us use. */
static void apply_hint(uvr_yamux *self, uint32_t value)
{
  uint32_t bytes = (value & 0xFFFFU) * 1024;
  if ((value & 0xFFFF0000U) != UVR_YAMUX_HINT || bytes == 0 || self->peer_hint != 0) {
    return;
  }
  self->peer_hint = bytes < UVR_YAMUX_WINDOW ? bytes : UVR_YAMUX_WINDOW;
  for (uvr_yamux_stream *s = uvr_yamux_first(self); s != NULL; s = uvr_yamux_next(s)) {
    s->send_window -= UVR_YAMUX_WINDOW - self->peer_hint;
    s->frame = 0;
    s->piped_frame = 0;
    uvr_yamux_fit_frame(s);
    s->window = UVR_YAMUX_BASE; /* such a peer keeps to our hint, too */
    if (!uvr_yamux_has_due(s)) {
      uvr_yamux_leave_turns(s);
    }
  }
}

/* The peer opens a stream. */
static int accept_stream(uvr_yamux *self, uint32_t id, uvrelay_error_t *error)
{
  bool odd = (id & 1U) != 0;
  if (odd == self->config.client) {
    return refuse(self, error, "it opened a stream with one of our numbers");
  }
  if (uvr_yamux_find(self, id) != NULL) {
    return refuse(self, error, "it opened a stream twice");
  }
  uvr_yamux_stream *s = self->streams < self->streams_max ? self->config.events.on_open(self->config.user) : NULL;
  if (s == NULL) {
    uvr_yamux_reply(self, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_RST, id, 0);
    return 0;
  }
  uvr_yamux_add(self, s, id);
  s->acknowledged = true;
  s->due |= UVR_YAMUX_ACK;
  uvr_yamux_wait_for_turn(s);
  return 0;
}

static void acknowledge(uvr_yamux *self, uvr_yamux_stream *s)
{
  if (!s->acknowledged && (s->due & UVR_YAMUX_SYN) == 0) {
    s->acknowledged = true;
    self->unanswered--;
  }
}

/* A frame that belongs to a stream. */
static int handle_stream_frame(uvr_yamux *self, unsigned type, unsigned flags, uint32_t id, uint32_t length,
                               uvrelay_error_t *error)
{
  if (id == 0) {
    return refuse(self, error, "a frame that needs a stream number has none");
  }
  if ((flags & UVR_YAMUX_SYN) != 0) {
    int code = accept_stream(self, id, error);
    if (code != 0) {
      return code;
    }
  }
  uvr_yamux_stream *s = uvr_yamux_find(self, id);
  if (s != NULL && (flags & UVR_YAMUX_ACK) != 0) {
    acknowledge(self, s);
  }
  if (s != NULL && type == UVR_YAMUX_WINDOW_UPDATE) {
    s->send_window += length;
    uvr_yamux_fit_frame(s);
    uvr_yamux_wait_for_turn(s);
  } else if (type == UVR_YAMUX_DATA) {
    if (s != NULL && length > 0 && uvr_yamux_fin_received(s)) {
      return refuse(self, error, "it sent data after the end of a stream");
    }
    if (s != NULL && s->receive_window < (int64_t)length) {
      return refuse(self, error, "it sent more data than a stream's window allows");
    }
    if (s != NULL) {
      s->receive_window -= length;
    }
    self->data_left = length;
    self->data_stream = s;
    self->in_pipes = s != NULL && s->takes_pipes && length >= UVR_YAMUX_LONG;
    self->data_fin = (flags & UVR_YAMUX_FIN) != 0;
  }
  if (s != NULL && (flags & UVR_YAMUX_RST) != 0) {
    uvr_yamux_lose(s);
  } else if (s != NULL && (flags & UVR_YAMUX_FIN) != 0 && self->data_left == 0) {
    self->data_stream = NULL;
    end_input(s);
  }
  return 0;
}

static int handle_frame(uvr_yamux *self, uvrelay_error_t *error)
{
  unsigned type = self->header[1];
  unsigned flags = (unsigned)self->header[2] << 8 | self->header[3];
  uint32_t id = get_number(self->header + 4);
  uint32_t length = get_number(self->header + 8);
  if (self->header[0] != 0) {
    return refuse(self, error, "it sent a frame with a version other than 0");
  }
  switch (type) {
  case UVR_YAMUX_DATA:
  case UVR_YAMUX_WINDOW_UPDATE:
    return handle_stream_frame(self, type, flags, id, length, error);
  case UVR_YAMUX_PING:
    if ((flags & UVR_YAMUX_SYN) != 0) {
      apply_hint(self, length);
      uvr_yamux_reply(self, UVR_YAMUX_PING, UVR_YAMUX_ACK, 0, length);
    }
    return 0;
  case UVR_YAMUX_GO_AWAY:
    self->peer_goes_away = true;
    self->config.events.on_go_away(self->config.user, (uvr_yamux_code)length);
    return 0;
  default:
    return refuse(self, error, "it sent a frame of an unknown type");
  }
}

int64_t uvr_yamux_receive(uvr_yamux *self, const char *data, size_t length, uvrelay_error_t *error)
{
  size_t used = 0;
  while (used < length && !self->dead) {
    size_t left = length - used;
    if (self->data_left > 0) {
      size_t piece = left < self->data_left ? left : self->data_left;
      piece = piece < UVR_YAMUX_FRAME_MAX ? piece : UVR_YAMUX_FRAME_MAX;
      receive_data(self, data + used, piece);
      used += piece;
      continue;
    }
    if (self->reply_count + REPLIES_SPARE > UVR_YAMUX_REPLIES) {
      break;
    }
    size_t missing = UVR_YAMUX_HEADER - self->header_length;
    size_t piece = left < missing ? left : missing;
    memcpy(self->header + self->header_length, data + used, piece);
    self->header_length += (unsigned)piece;
    used += piece;
    if (self->header_length == UVR_YAMUX_HEADER) {
      self->header_length = 0;
      int code = handle_frame(self, error);
      if (code != 0) {
        return code;
      }
    }
  }
  uvr_yamux_offer_room(self);
  return (int64_t)used;
}

/* Gives the buffer, which begins with data of the current frame, to the stream, if that is worth it. What follows is
 * copied to a buffer of its own. */
static bool receive_in_place(uvr_yamux *self, uvr_buffer **in, size_t *used)
{
  uvr_buffer *buffer = *in;
  uvr_buffer *rest = NULL;
  size_t length = buffer->length - *used;
  size_t piece = length < self->data_left ? length : self->data_left;
  if (*used != buffer->before || piece < UVR_YAMUX_FRAME_FIRST || !is_worth_keeping(buffer->capacity, piece)) {
    return false;
  }
  if (piece < length) {
    rest = uvr_buffer_get(self->config.buffers, length - piece);
    if (rest == NULL || rest->capacity < length - piece) {
      uvr_buffer_put(self->config.buffers, rest);
      return false;
    }
    rest->length = length - piece;
    memcpy(rest->data, buffer->data + piece, rest->length);
  }
  buffer->length = piece;
  buffer->before = 0;
  *in = rest;
  *used = 0;
  receive_whole(self, buffer);
  return true;
}

/* All of the buffer, which has a pipe, is data of the current frame. */
static void receive_piped(uvr_yamux *self, uvr_buffer **in, size_t *used)
{
  uvr_buffer *buffer = *in;
  assert(buffer->length <= self->data_left);
  *in = NULL;
  *used = 0;
  receive_whole(self, buffer);
}

int uvr_yamux_receive_buffer(uvr_yamux *self, uvr_buffer **buffer, size_t *used, uvrelay_error_t *error)
{
  if ((*buffer)->splice != NULL) {
    receive_piped(self, buffer, used);
    return 0;
  }
  const char *start = (*buffer)->data - (*buffer)->before;
  size_t length = (*buffer)->length;
  if (*used < (*buffer)->before && length >= UVR_YAMUX_FRAME_FIRST) { /* first the header: its data may be long */
    length = (*buffer)->before;
  } else if (self->data_left > 0 && receive_in_place(self, buffer, used)) {
    return 0;
  }
  int64_t taken = uvr_yamux_receive(self, start + *used, length - *used, error);
  *used += taken > 0 ? (size_t)taken : 0;
  return taken < 0 ? (int)taken : 0;
}

size_t uvr_yamux_best_piped(const uvr_yamux *self)
{
  const uvr_yamux_stream *s = self->data_stream;
  bool takes = s != NULL && s->takes_pipes && !uvr_yamux_is_reset(s) && self->data_left >= UVR_YAMUX_LONG;
  bool leaves = takes && (s->held < PIPED_HELD_MAX || !uvr_splice_is_scarce(self->config.buffers));
  return leaves ? self->data_left : 0;
}

size_t uvr_yamux_best_read(const uvr_yamux *self, uint8_t *before)
{
  if (self->in_pipes && self->data_left < UVR_YAMUX_LONG) {
    *before = 0;
    return self->data_left > 0 ? self->data_left : UVR_YAMUX_HEADER - self->header_length;
  }
  bool is_long = self->data_left >= UVR_BUFFER_LARGE / 4 * 3;
  *before = (uint8_t)(self->data_left == 0 ? UVR_YAMUX_HEADER - self->header_length : 0);
  return is_long && self->data_left < UVR_BUFFER_LARGE ? self->data_left : UVR_BUFFER_LARGE;
}
