/* What the files of yamux share: yamux.c has the session and what a stream's owner does, yamux_receive.c what comes,
 * yamux_send.c what goes. */
#ifndef UVR_YAMUX_INSIDE_H
#define UVR_YAMUX_INSIDE_H

#include "yamux/yamux.h"

enum { UVR_YAMUX_DATA, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_PING, UVR_YAMUX_GO_AWAY }; /* types */
enum { UVR_YAMUX_SYN = 1, UVR_YAMUX_ACK = 2, UVR_YAMUX_FIN = 4, UVR_YAMUX_RST = 8 }; /* flags */

#define UVR_YAMUX_REPLIES (sizeof(((uvr_yamux *)0)->replies) / UVR_YAMUX_HEADER)

/* yamux.c */

/* The stream of this number, or NULL. */
uvr_yamux_stream *uvr_yamux_find(const uvr_yamux *self, uint32_t id);

/* Begins a stream of this number. */
void uvr_yamux_add(uvr_yamux *self, uvr_yamux_stream *s, uint32_t id);

/* Calls on_room if there is some now, and it was asked for. */
void uvr_yamux_look_for_room(uvr_yamux *self);

/* What a reset stream has to send is not sent, and its owner is told so. May end the stream. */
void uvr_yamux_tell_reset(uvr_yamux_stream *s);

/* Resets a stream of our own accord. */
void uvr_yamux_break(uvr_yamux_stream *s);

/* Frees what it holds. */
void uvr_yamux_drop_held(uvr_yamux_stream *s);

/* yamux_send.c */

/* A frame without data that goes before all others. */
void uvr_yamux_reply(uvr_yamux *self, unsigned type, unsigned flags, uint32_t id, uint32_t length);

/* Says that something is to be sent. */
void uvr_yamux_want_output(uvr_yamux *self);

/* Whether the stream has something to send. */
bool uvr_yamux_has_output(const uvr_yamux_stream *s);

/* Gives it a turn if it has; takes the turn away. */
void uvr_yamux_wait_for_turn(uvr_yamux_stream *s);
void uvr_yamux_leave_turns(uvr_yamux_stream *s);

#endif
