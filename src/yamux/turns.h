/* Which stream sends next, and the frames that go before all streams. */
#ifndef UVR_YAMUX_TURNS_H
#define UVR_YAMUX_TURNS_H

#include "yamux/types.h"

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

/* The stream whose turn it is, or NULL. */
uvr_yamux_stream *uvr_yamux_first_in_turn(const uvr_yamux *self);

/* Whether the stream has little to send. */
bool uvr_yamux_is_brief(const uvr_yamux_stream *s);

/* The first stream has sent so many bytes. If it has more to send, its next turn is after all others. `was_brief`: it
 * was brief before. */
void uvr_yamux_end_turn(uvr_yamux_stream *s, bool was_brief, size_t sent);

/* How many bytes of data a frame of the stream may have now. */
size_t uvr_yamux_frame_most(const uvr_yamux_stream *s);

/* So many bytes of the stream's data are in a frame. */
void uvr_yamux_count_data(uvr_yamux_stream *s, size_t piece);

#endif
