/* Whose turn it is to send.
 *
 * The streams that have something to send wait in a list; the first one sends one frame and, if it has more, goes to
 * the back. A stream that has little to send goes before those that have much, so that it need not wait for a long
 * frame of each of them; but after BRIEF_RUN bytes of such streams, one of the others has its turn. Furthermore, as
 * long as there are such streams, long frames are shorter, because a frame that is being sent holds up all others.
 * Frames without data that must not wait for that are in a ring of replies, which go before all streams. The ring does
 * not overflow, as uvr_yamux_receive stops before it is full. */
#include "yamux/turns.h"

enum {
  BRIEF_RUN = 16 * 1024,    /* bytes */
  BRIEF_MODE = 1024 * 1024, /* bytes: 1 ms, or a few, of a full carrier */
};

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

bool uvr_yamux_is_brief(const uvr_yamux_stream *s)
{
  return s->length == 0 || s->brief;
}

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
  uvr_yamux *self = s->session;
  if (!uvr_list_has(&s->turn) && uvr_yamux_has_due(s)) {
    uvr_list_append(uvr_yamux_is_brief(s) ? &self->brief_turns : &self->turns, &s->turn);
    uvr_yamux_want_output(self);
  }
}

uvr_yamux_stream *uvr_yamux_first_in_turn(const uvr_yamux *self)
{
  bool others = !uvr_list_is_empty(&self->turns);
  bool brief = !uvr_list_is_empty(&self->brief_turns) && (!others || self->brief_run < BRIEF_RUN);
  uvr_list_node *node = uvr_list_first(brief ? &self->brief_turns : &self->turns);
  return node != NULL ? UVR_LISTED(node, uvr_yamux_stream, turn) : NULL;
}

void uvr_yamux_end_turn(uvr_yamux_stream *s, bool was_brief, size_t sent)
{
  uvr_yamux *self = s->session;
  uvr_list_remove(&s->turn);
  self->brief_run = was_brief && !uvr_list_is_empty(&self->turns) ? self->brief_run + sent : 0;
  if (uvr_yamux_has_due(s)) {
    uvr_list_append(&self->turns, &s->turn);
  }
}

size_t uvr_yamux_frame_most(const uvr_yamux_stream *s)
{
  const uvr_yamux *self = s->session;
  bool is_short = self->brief_mode > 0 && self->brief_id != s->id && !self->keeps_long;
  if (is_short || !s->spliced) {
    return is_short ? UVR_YAMUX_FRAME_FIRST : s->frame;
  }
  size_t frame = self->fast && !uvr_yamux_is_shared(self) ? s->piped_frame : s->frame;
  return frame - frame % UVR_YAMUX_PAGE;
}

void uvr_yamux_count_data(uvr_yamux_stream *s, size_t piece)
{
  uvr_yamux *self = s->session;
  if (s->brief) {
    self->brief_mode = BRIEF_MODE;
    self->brief_id = s->id;
  } else {
    self->brief_mode -= piece < self->brief_mode ? piece : self->brief_mode;
  }
}

void uvr_yamux_leave_turns(uvr_yamux_stream *s)
{
  if (uvr_list_has(&s->turn)) {
    uvr_list_remove(&s->turn);
  }
}
