/* Whose turn it is to send.
 *
 * The streams that have something to send wait in a list; the first one sends a little and, if it has more, goes to the
 * back. Frames without data that must not wait for that are in a ring of replies, which go before all streams. The ring
 * does not overflow, as uvr_yamux_receive stops before it is full. */
#include "yamux/turns.h"

void uvr_yamux_put_header(void *at, unsigned type, unsigned flags, uint32_t id, uint32_t length)
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

/* Replies. */

void uvr_yamux_reply(uvr_yamux *self, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  if (self->reply_count < UVR_YAMUX_REPLIES) {
    uvr_yamux_put_header(self->replies[(self->reply_first + self->reply_count) % UVR_YAMUX_REPLIES], type, flags, id,
                         length);
    self->reply_count++;
    uvr_yamux_want_output(self);
  }
}

/* Turns. */

bool uvr_yamux_has_due(const uvr_yamux_stream *s)
{
  if (s->send == UVR_YAMUX_SEND_LOST) {
    return false;
  }
  if ((s->due & ~UVR_YAMUX_FIN) != 0) {
    return true;
  }
  return s->length > 0 ? s->send_window > 0 : s->due != 0;
}

void uvr_yamux_wait_for_turn(uvr_yamux_stream *s)
{
  if (!uvr_list_has(&s->turn) && uvr_yamux_has_due(s)) {
    uvr_list_append(&s->session->turns, &s->turn);
    uvr_yamux_want_output(s->session);
  }
}

void uvr_yamux_leave_turns(uvr_yamux_stream *s)
{
  if (uvr_list_has(&s->turn)) {
    uvr_list_remove(&s->turn);
  }
}
