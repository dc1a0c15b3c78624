/* A session's streams: their numbers, how many there may be, their resets. */
#ifndef UVR_YAMUX_STREAMS_H
#define UVR_YAMUX_STREAMS_H

#include "yamux/types.h"

/* The stream of this number, or NULL. */
uvr_yamux_stream *uvr_yamux_find(const uvr_yamux *self, uint32_t id);

/* Adds a stream of this number to the session. */
void uvr_yamux_add(uvr_yamux *self, uvr_yamux_stream *s, uint32_t id);

/* Lets frames grow with the window: to half of the largest one seen, as the peer gives credit for a frame only when its
 * reader has asked for the next one. */
void uvr_yamux_fit_frame(uvr_yamux_stream *s);

/* Removes the stream from the session, which then finds it no more. */
void uvr_yamux_remove(uvr_yamux_stream *s);

/* The session's streams, in no particular order: the first one, and the one after `stream`; NULL if there is none. */
uvr_yamux_stream *uvr_yamux_first(const uvr_yamux *self);
uvr_yamux_stream *uvr_yamux_next(const uvr_yamux_stream *stream);

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
