/* What yamux sends: frames, and whose turn it is.
 *
 * First go the answers, then the resets of streams that are gone, then one turn of each stream that has something to
 * send: a window update with whatever flags are due, a data frame, an end. */
#include <string.h>

#include "yamux/inside.h"

enum { MIN_PIECE = 1024 };

/* Frames. */

static void put_header(void *at, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  uint8_t *out = at;
  out[0] = 0;
  out[1] = (uint8_t)type;
  out[2] = (uint8_t)(flags >> 8);
  out[3] = (uint8_t)flags;
  for (int i = 0; i < 4; i++) {
    out[4 + i] = (uint8_t)(id >> (24 - 8 * i));
    out[8 + i] = (uint8_t)(length >> (24 - 8 * i));
  }
}

void uvr_yamux_want_output(uvr_yamux *self)
{
  if (!self->filling && !self->dead) {
    self->config.events.on_output(self->config.user);
  }
}

void uvr_yamux_reply(uvr_yamux *self, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  if (self->reply_count < UVR_YAMUX_REPLIES) {
    put_header(self->replies[(self->reply_first + self->reply_count) % UVR_YAMUX_REPLIES], type, flags, id, length);
    self->reply_count++;
    uvr_yamux_want_output(self);
  }
}

/* Turns. */

bool uvr_yamux_has_output(const uvr_yamux_stream *s)
{
  if (s->reset_received) {
    return false;
  }
  return s->reset_due || s->syn_due || s->ack_due || s->credit_due > 0 ||
         (s->length > 0 ? s->send_window > 0 : s->fin_due);
}

void uvr_yamux_wait_for_turn(uvr_yamux_stream *s)
{
  uvr_yamux *self = s->session;
  if (s->waits_for_turn || !uvr_yamux_has_output(s)) {
    return;
  }
  s->waits_for_turn = true;
  s->turn_next = NULL;
  s->turn_previous = self->turn_last;
  if (self->turn_last != NULL) {
    self->turn_last->turn_next = s;
  } else {
    self->turn_first = s;
  }
  self->turn_last = s;
  uvr_yamux_want_output(self);
}

void uvr_yamux_leave_turns(uvr_yamux_stream *s)
{
  uvr_yamux *self = s->session;
  if (!s->waits_for_turn) {
    return;
  }
  s->waits_for_turn = false;
  if (s->turn_next != NULL) {
    s->turn_next->turn_previous = s->turn_previous;
  } else {
    self->turn_last = s->turn_previous;
  }
  if (s->turn_previous != NULL) {
    s->turn_previous->turn_next = s->turn_next;
  } else {
    self->turn_first = s->turn_next;
  }
}

/* Sending. */

static size_t fill_answers(uvr_yamux *self, char *buffer, size_t size)
{
  size_t used = 0;
  for (; self->reply_count > 0 && size - used >= UVR_YAMUX_HEADER; used += UVR_YAMUX_HEADER) {
    memcpy(buffer + used, self->replies[self->reply_first], UVR_YAMUX_HEADER);
    self->reply_first = (self->reply_first + 1) % (unsigned)UVR_YAMUX_REPLIES;
    self->reply_count--;
  }
  for (; self->reset_count > 0 && size - used >= UVR_YAMUX_HEADER; used += UVR_YAMUX_HEADER) {
    put_header(buffer + used, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_RST, self->resets[self->reset_first], 0);
    self->reset_first = (self->reset_first + 1) % self->streams_max;
    self->reset_count--;
    self->streams--;
  }
  return used;
}

/* As much data as one frame may hold; 0: none, or it does not fit here. */
static uint32_t next_piece(const uvr_yamux_stream *s, size_t room)
{
  if (s->length == 0 || s->send_window <= 0) {
    return 0;
  }
  size_t piece = s->length < UVR_YAMUX_FRAME_MAX ? s->length : UVR_YAMUX_FRAME_MAX;
  piece = (uint64_t)s->send_window < piece ? (size_t)s->send_window : piece;
  if (room >= UVR_YAMUX_HEADER + piece) {
    return (uint32_t)piece;
  }
  return room >= UVR_YAMUX_HEADER + MIN_PIECE ? (uint32_t)(room - UVR_YAMUX_HEADER) : 0;
}

/* One stream's turn. Returns how many bytes it took, 0 if there is no room. */
static size_t fill_turn(uvr_yamux_stream *s, char *buffer, size_t size)
{
  size_t used = 0;
  if (size < UVR_YAMUX_HEADER) {
    return 0;
  }
  if (s->reset_due) {
    put_header(buffer, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_RST, s->id, 0);
    s->reset_due = false;
    s->reset_sent = true;
    s->syn_due = s->ack_due = s->fin_due = false;
    s->credit_due = 0;
    s->length = 0;
    return UVR_YAMUX_HEADER;
  }
  if (s->syn_due || s->ack_due || s->credit_due > 0) {
    uint32_t credit = s->credit_due < UINT32_MAX ? (uint32_t)s->credit_due : UINT32_MAX;
    put_header(buffer, UVR_YAMUX_WINDOW_UPDATE, (s->syn_due ? UVR_YAMUX_SYN : 0U) | (s->ack_due ? UVR_YAMUX_ACK : 0U),
               s->id, credit);
    used += UVR_YAMUX_HEADER;
    s->credit_due -= credit;
    s->syn_due = s->ack_due = false;
  }
  uint32_t piece = next_piece(s, size - used);
  if (piece > 0) {
    put_header(buffer + used, UVR_YAMUX_DATA, 0, s->id, piece);
    memcpy(buffer + used + UVR_YAMUX_HEADER, s->data, piece);
    used += UVR_YAMUX_HEADER + piece;
    s->data += piece;
    s->length -= piece;
    s->send_window -= piece;
  }
  /* An end in a frame of its own: some readers act on the flags of a frame before they take its data. */
  if (s->length == 0 && s->fin_due && size - used >= UVR_YAMUX_HEADER) {
    put_header(buffer + used, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_FIN, s->id, 0);
    used += UVR_YAMUX_HEADER;
    s->fin_due = false;
    s->fin_sent = true;
  }
  return used;
}

size_t uvr_yamux_fill(uvr_yamux *self, char *buffer, size_t size)
{
  if (self->dead) {
    return 0;
  }
  self->filling = true;
  size_t used = fill_answers(self, buffer, size);
  while (self->turn_first != NULL) {
    uvr_yamux_stream *s = self->turn_first;
    bool writing = s->length > 0 || s->fin_due;
    size_t taken = fill_turn(s, buffer + used, size - used);
    if (taken == 0) {
      break;
    }
    used += taken;
    uvr_yamux_leave_turns(s);
    uvr_yamux_wait_for_turn(s);
    if (writing && s->length == 0 && !s->fin_due && !uvr_yamux_is_reset(s)) {
      self->config.events.on_written(s);
    }
  }
  self->filling = false;
  uvr_yamux_look_for_room(self);
  return used;
}

void uvr_yamux_ping(uvr_yamux *self, uint32_t value)
{
  uvr_yamux_reply(self, UVR_YAMUX_PING, UVR_YAMUX_SYN, 0, value);
}

void uvr_yamux_go_away(uvr_yamux *self, uvr_yamux_code code)
{
  uvr_yamux_reply(self, UVR_YAMUX_GO_AWAY, 0, 0, (uint32_t)code);
}
