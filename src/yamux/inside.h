/* What the files of yamux share. Calls go down only:
 *
 *   yamux.c              the session, and what the owner of a stream does
 *   receive.c   send.c   bytes that arrive, and bytes that leave
 *   streams.c            a session's streams: their numbers, how many there may be, their resets
 *   turns.c              which stream sends next, and the frames that go before all streams */
#ifndef UVR_YAMUX_INSIDE_H
#define UVR_YAMUX_INSIDE_H

#include <assert.h>

#include "yamux/yamux.h"

enum { UVR_YAMUX_DATA, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_PING, UVR_YAMUX_GO_AWAY }; /* types of frames */

/* The flags of frames, and what a stream has due: those flags, and credit for its peer. */
#define UVR_YAMUX_SYN    1U
#define UVR_YAMUX_ACK    2U
#define UVR_YAMUX_FIN    4U
#define UVR_YAMUX_RST    8U
#define UVR_YAMUX_CREDIT 16U

#define UVR_YAMUX_REPLIES (sizeof(((uvr_yamux *)0)->replies) / UVR_YAMUX_HEADER)

static inline uvr_yamux_stream *uvr_yamux_of_node(uvr_list_node *node)
{
  return node != NULL ? UVR_LISTED(node, uvr_yamux_stream, node) : NULL;
}

/* Both states only advance. */
static inline void uvr_yamux_set_send(uvr_yamux_stream *s, uvr_yamux_send_state to)
{
  assert(to > s->send);
  s->send = to;
}

static inline void uvr_yamux_set_receive(uvr_yamux_stream *s, uvr_yamux_receive_state to)
{
  assert(to > s->receive);
  s->receive = to;
}

/* Whether the owner waits for on_written. */
static inline bool uvr_yamux_is_writing(const uvr_yamux_stream *s)
{
  return s->length > 0 || (s->due & UVR_YAMUX_FIN) != 0;
}

/* Whether the peer's FIN has arrived, even if the stream was broken afterwards. */
static inline bool uvr_yamux_fin_received(const uvr_yamux_stream *s)
{
  return s->receive != UVR_YAMUX_RECEIVE_OPEN && s->receive != UVR_YAMUX_RECEIVE_BROKEN;
}

/* turns.c */

/* Writes the header of a frame to `at`. */
void uvr_yamux_put_header(void *at, unsigned type, unsigned flags, uint32_t id, uint32_t length);

/* Calls on_output, unless a fill is running or the session is dead. */
void uvr_yamux_want_output(uvr_yamux *self);

/* Queues a frame without data that goes before all streams. */
void uvr_yamux_reply(uvr_yamux *self, unsigned type, unsigned flags, uint32_t id, uint32_t length);

/* Whether the stream has something to send that its window allows. */
bool uvr_yamux_has_due(const uvr_yamux_stream *s);

/* Appends the stream to those that wait for their turn, if it has something to send. */
void uvr_yamux_wait_for_turn(uvr_yamux_stream *s);

/* Removes it from them. */
void uvr_yamux_leave_turns(uvr_yamux_stream *s);

/* streams.c */

/* The stream of this number, or NULL. */
uvr_yamux_stream *uvr_yamux_find(const uvr_yamux *self, uint32_t id);

/* Adds a stream of this number to the session. */
void uvr_yamux_add(uvr_yamux *self, uvr_yamux_stream *s, uint32_t id);

/* Removes the stream from the session, which then finds it no more. */
void uvr_yamux_remove(uvr_yamux_stream *s);

/* Whether one more stream may be opened. */
bool uvr_yamux_has_room(const uvr_yamux *self);

/* Calls on_room if there is room now and an open was refused before. */
void uvr_yamux_offer_room(uvr_yamux *self);

/* The peer has reset the stream, or the session is over. Calls its owner, who may release it. */
void uvr_yamux_lose(uvr_yamux_stream *s);

/* Resets a stream of our own accord. Calls its owner, who may release it. */
void uvr_yamux_break(uvr_yamux_stream *s);

/* Frees the data that waits to be read. */
void uvr_yamux_drop_held(uvr_yamux_stream *s);

#endif
