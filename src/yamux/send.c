/* What yamux sends.
 *
 * Small frames are copied together into the space that a fill is given. A long frame of a buffer is not copied: its
 * header is written into the buffer, directly before the data. It is sent alone. If the buffer has its bytes in a pipe,
 * the header is written into the space, and the caller sends the data after it.
 *
 * A fill first writes the replies, then the resets of streams that were released, then one turn after another of the
 * streams that have something to send: a window update with the flags that are due, a data frame, an end; or, of a
 * stream that we have broken, a reset alone. */
#include "yamux/send.h"

#include <string.h>

#include "yamux/streams.h"
#include "yamux/turns.h"

enum { MIN_PIECE = 1024 };

static size_t fill_answers(uvr_yamux *self, char *buffer, size_t size)
{
  size_t used = 0;
  for (; self->reply_count > 0 && size - used >= UVR_YAMUX_HEADER; used += UVR_YAMUX_HEADER) {
    memcpy(buffer + used, self->replies[self->reply_first], UVR_YAMUX_HEADER);
    self->reply_first = (self->reply_first + 1) % (unsigned)UVR_YAMUX_REPLIES;
    self->reply_count--;
  }
  for (; self->reset_count > 0 && size - used >= UVR_YAMUX_HEADER; used += UVR_YAMUX_HEADER) {
    uvr_yamux_put_header(buffer + used, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_RST, self->resets[self->reset_first], 0);
    self->reset_first = (self->reset_first + 1) % self->streams_max;
    self->reset_count--;
    self->streams--;
  }
  return used;
}

/* How much data the next frame may hold; 0: there is none to send, or it does not fit here. */
static uint32_t next_piece(const uvr_yamux_stream *s, size_t room)
{
  if (s->length == 0 || s->send_window <= 0) {
    return 0;
  }
  size_t most = uvr_yamux_frame_most(s);
  size_t piece = s->length < most ? s->length : most;
  piece = (uint64_t)s->send_window < piece ? (size_t)s->send_window : piece;
  if (room >= UVR_YAMUX_HEADER + piece) {
    return (uint32_t)piece;
  }
  return room >= UVR_YAMUX_HEADER + MIN_PIECE ? (uint32_t)(room - UVR_YAMUX_HEADER) : 0;
}

/* A window update, with the flags that are due. */
static size_t fill_update(uvr_yamux_stream *s, char *buffer)
{
  uint32_t credit = s->credit < UINT32_MAX ? (uint32_t)s->credit : UINT32_MAX;
  uvr_yamux_put_header(buffer, UVR_YAMUX_WINDOW_UPDATE, s->due & (UVR_YAMUX_SYN | UVR_YAMUX_ACK), s->id, credit);
  s->credit -= credit;
  s->due &= ~(UVR_YAMUX_SYN | UVR_YAMUX_ACK);
  if (s->credit == 0) {
    s->due &= ~UVR_YAMUX_CREDIT;
  }
  return UVR_YAMUX_HEADER;
}

/* The header of a data frame, which holds the next `piece` bytes. */
static void begin_data(uvr_yamux_stream *s, char *header, uint32_t piece)
{
  uvr_yamux_put_header(header, UVR_YAMUX_DATA, 0, s->id, piece);
  uvr_yamux_count_data(s, piece);
  s->data += s->spliced ? 0 : piece;
  s->length -= piece;
  s->send_window -= piece;
}

static size_t fill_data(uvr_yamux_stream *s, char *buffer, uint32_t piece)
{
  memcpy(buffer + UVR_YAMUX_HEADER, s->data, piece);
  begin_data(s, buffer, piece);
  return UVR_YAMUX_HEADER + piece;
}

/* An end has a frame of its own: some readers act on a frame's flags before they read its data. */
static size_t fill_end(uvr_yamux_stream *s, char *buffer)
{
  uvr_yamux_put_header(buffer, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_FIN, s->id, 0);
  s->due &= ~UVR_YAMUX_FIN;
  uvr_yamux_set_send(s, UVR_YAMUX_SEND_ENDED);
  return UVR_YAMUX_HEADER;
}

static size_t fill_reset(uvr_yamux_stream *s, char *buffer)
{
  uvr_yamux_put_header(buffer, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_RST, s->id, 0);
  s->due = 0;
  s->credit = 0;
  uvr_yamux_set_send(s, UVR_YAMUX_SEND_RESET);
  return UVR_YAMUX_HEADER;
}

/* One stream's turn. Returns how many bytes it used, 0 if there is no room. */
static size_t fill_turn(uvr_yamux_stream *s, char *buffer, size_t size)
{
  size_t used = 0;
  if (size < UVR_YAMUX_HEADER) {
    return 0;
  }
  if ((s->due & UVR_YAMUX_RST) != 0) {
    return fill_reset(s, buffer);
  }
  if ((s->due & (UVR_YAMUX_SYN | UVR_YAMUX_ACK | UVR_YAMUX_CREDIT)) != 0) {
    used += fill_update(s, buffer);
  }
  uint32_t piece = s->spliced ? 0 : next_piece(s, size - used);
  if (piece > 0) {
    used += fill_data(s, buffer + used, piece);
  }
  if (s->length == 0 && (s->due & UVR_YAMUX_FIN) != 0 && size - used >= UVR_YAMUX_HEADER) {
    used += fill_end(s, buffer + used);
  }
  return used;
}

/* Whether the next frame of the stream is sent from where its data is. To copy a short one takes less time than one
 * more write; but not out of a pipe. */
static bool stays_in_place(const uvr_yamux_stream *s)
{
  size_t least = s->spliced ? 1 : UVR_YAMUX_LONG;
  return s->lent != NULL && s->length >= least && next_piece(s, SIZE_MAX) >= least && (s->due & UVR_YAMUX_RST) == 0;
}

/* The same turn, with a data frame whose data is in a pipe. */
static uvr_yamux_output frame_in_pipe(uvr_yamux_stream *s, char *space)
{
  uint32_t piece = next_piece(s, SIZE_MAX);
  bool updates = (s->due & (UVR_YAMUX_SYN | UVR_YAMUX_ACK | UVR_YAMUX_CREDIT)) != 0;
  size_t used = updates ? fill_update(s, space) : 0;
  begin_data(s, space + used, piece);
  uvr_buffer_hold(s->lent);
  return (uvr_yamux_output){.data = space, .length = used + UVR_YAMUX_HEADER, .piped = piece, .buffer = s->lent};
}

/* The same turn, with a data frame that stays in place. */
static uvr_yamux_output frame_in_place(uvr_yamux_stream *s, char *space)
{
  if (s->spliced) {
    return frame_in_pipe(s, space);
  }
  uint32_t piece = next_piece(s, SIZE_MAX);
  char *data = s->lent->data + (s->data - s->lent->data);
  char *start = data - UVR_YAMUX_HEADER;
  begin_data(s, start, piece);
  if ((s->due & (UVR_YAMUX_SYN | UVR_YAMUX_ACK | UVR_YAMUX_CREDIT)) != 0) {
    start -= fill_update(s, start - UVR_YAMUX_HEADER);
  }
  uvr_buffer_hold(s->lent);
  return (uvr_yamux_output){.data = start, .length = (size_t)(data - start) + piece, .buffer = s->lent};
}

/* Gives streams their turn until the space is full or a frame stays in place. */
static uvr_yamux_output take_turns(uvr_yamux *self, char *space, size_t size, size_t used)
{
  uvr_yamux_output in_place = {0};
  uvr_yamux_stream *s;
  while (in_place.length == 0 && (s = uvr_yamux_first_in_turn(self)) != NULL) {
    bool writing = uvr_yamux_is_writing(s);
    bool brief = uvr_yamux_is_brief(s);
    size_t added = 0;
    if (!stays_in_place(s)) {
      added = fill_turn(s, space + used, size - used);
      used += added;
    } else if (used == 0) {
      in_place = frame_in_place(s, space);
      added = in_place.length + in_place.piped;
    }
    if (added == 0) {
      break;
    }
    uvr_yamux_end_turn(s, brief, added);
    if (writing && !uvr_yamux_is_writing(s) && !uvr_yamux_is_reset(s)) {
      self->config.events.on_written(s);
    }
  }
  if (in_place.length > 0) {
    return in_place;
  }
  /* A stream that has just ended may be released by now, and its reset goes with it. */
  used += fill_answers(self, space + used, size - used);
  return (uvr_yamux_output){.data = space, .length = used};
}

uvr_yamux_output uvr_yamux_fill(uvr_yamux *self, char *space, size_t size)
{
  if (self->dead) {
    return (uvr_yamux_output){0};
  }
  self->filling = true;
  uvr_yamux_output output = take_turns(self, space, size, fill_answers(self, space, size));
  self->filling = false;
  uvr_yamux_offer_room(self);
  return output;
}

bool uvr_yamux_chooses_late(const uvr_yamux *self)
{
  const uvr_yamux_stream *s = uvr_yamux_first_in_turn(self);
  return uvr_yamux_is_shared(self) && !self->dead && self->reply_count == 0 && self->reset_count == 0 && s != NULL &&
         stays_in_place(s);
}

void uvr_yamux_set_fast(uvr_yamux *self, bool fast)
{
  self->fast = fast;
}

void uvr_yamux_keep_long(uvr_yamux *self)
{
  self->keeps_long = true;
}
