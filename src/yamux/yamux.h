/* yamux, a protocol for many streams over one connection: frames, windows, pings, streams. This is the protocol alone:
 * it is given the bytes that arrive, asked for the bytes to send, and knows neither the loop nor the connection.
 *
 * A session is one end of the connection. Its owner hands in all bytes that arrive, in order (uvr_yamux_receive), and
 * asks for the next bytes to send (uvr_yamux_fill) after on_output was called and after the last ones were sent.
 * Nothing is queued on the way out: the data of a write stays with its owner until it is in a frame. On the way in, a
 * stream holds what its owner has not read, within its window.
 *
 * on_output and on_room may be called from within any function, and must not call yamux. The other callbacks are called
 * only from within uvr_yamux_receive, uvr_yamux_fill and uvr_yamux_kill, and may call everything but these three.
 *
 * Users include this header alone. Inside, calls go down only:
 *
 *   yamux                the session, and what the owner of a stream does
 *   receive     send     bytes that arrive (uvr_yamux_receive), and bytes that leave (uvr_yamux_fill)
 *   streams              a session's streams: their numbers, how many there may be, their resets
 *   turns                which stream sends next, and the frames that go before all streams
 *   types                what a session, a stream and a frame are, and the callbacks */
#ifndef UVR_YAMUX_YAMUX_H
#define UVR_YAMUX_YAMUX_H

#include "yamux/receive.h"
#include "yamux/send.h"
#include "yamux/types.h"

/* The session. uvr_yamux_receive is in receive.h, and uvr_yamux_fill in send.h. */

/* Makes a session without streams, whose first frame is our hint. The config is copied, but not what it points to.
 * Returns 0 or UV_ENOMEM. The session must not be moved in memory. */
int uvr_yamux_init(uvr_yamux *self, const uvr_yamux_config *config);

/* Frees what the session holds. Every stream must have been released. */
void uvr_yamux_clear(uvr_yamux *self);

/* How many streams may be open in a session of this window_total. The server's end accepts UVR_YAMUX_BACKLOG more, so
 * that its owner can refuse them with an explanation. */
uint32_t uvr_yamux_places(uint64_t window_total);

/* Sends a ping with this value. Whatever arrives afterwards shows that the peer is alive. */
void uvr_yamux_ping(uvr_yamux *self, uint32_t value);

/* Sends a go-away: the session is over. */
void uvr_yamux_go_away(uvr_yamux *self, uvr_yamux_code code);

/* The connection is gone: resets all streams and calls their owners (on_readable, on_written). Nothing is sent or
 * received afterwards. */
void uvr_yamux_kill(uvr_yamux *self);

/* What is known of the session. */

/* How many streams there are, with those that were released and whose reset is still to be sent. */
static inline uint32_t uvr_yamux_stream_count(const uvr_yamux *self)
{
  return self->streams;
}

/* Whether no more streams can be opened: the peer has sent a go-away, or all numbers are used. */
static inline bool uvr_yamux_peer_goes_away(const uvr_yamux *self)
{
  return self->peer_goes_away;
}

/* Whether the peer is of our own kind: its hint has arrived. */
static inline bool uvr_yamux_peer_is_ours(const uvr_yamux *self)
{
  return self->peer_hint != 0;
}

/* Whether the bytes received so far end within a frame. */
static inline bool uvr_yamux_is_inside_frame(const uvr_yamux *self)
{
  return self->data_left > 0 || self->header_length > 0;
}

/* What a stream's owner does. uvr_yamux_is_reset, which is used below as well, is in types.h. */

/* Opens a stream in `stream`, zeroed memory that stays valid until uvr_yamux_release. Returns false if too many streams
 * are open or not yet acknowledged (on_room will be called), or if the peer goes away. */
bool uvr_yamux_open(uvr_yamux *self, uvr_yamux_stream *stream, void *user);

/* Sends data, at least one byte, which must stay valid until on_written or uvr_yamux_release. Only one write at a time,
 * and none after uvr_yamux_finish. Returns false if the stream was reset: nothing will be sent, and on_written is not
 * called. */
bool uvr_yamux_write(uvr_yamux_stream *stream, const char *data, size_t length);

/* The same with all of a buffer. The part of it that precedes what is in no frame yet is overwritten with headers, and
 * the buffer may be held until its bytes are sent. */
bool uvr_yamux_write_buffer(uvr_yamux_stream *stream, uvr_buffer *buffer);

/* How many bytes a write should have to need one frame. */
size_t uvr_yamux_best_write(const uvr_yamux_stream *stream);

/* How many bytes of that are in no frame yet. */
size_t uvr_yamux_unwritten(const uvr_yamux_stream *stream);

/* Half-closes: sends a FIN after what was written. Only once. Returns false if the stream was reset. */
bool uvr_yamux_finish(uvr_yamux_stream *stream);

typedef enum uvr_yamux_found { UVR_YAMUX_NOTHING, UVR_YAMUX_BYTES, UVR_YAMUX_END, UVR_YAMUX_RESET } uvr_yamux_found;

/* Reads what is next: BYTES and a buffer of at least one byte, which belongs to the caller; after all bytes END, once;
 * or RESET, every time. After END it is NOTHING until the stream is reset. */
uvr_yamux_found uvr_yamux_read(uvr_yamux_stream *stream, uvr_buffer **out);

/* The owner no longer keeps so many of the bytes that it has read: the peer may send as many more. */
void uvr_yamux_consumed(uvr_yamux_stream *stream, size_t bytes);

/* Whether the peer's FIN has arrived, read or not, and everything before it can be read. */
bool uvr_yamux_has_ended(const uvr_yamux_stream *stream);

/* Releases the stream, whose memory may be reused at once. Unless both sides have ended it, the peer gets a reset. Data
 * that is in no frame yet is not sent. No callback is called for it afterwards. */
void uvr_yamux_release(uvr_yamux_stream *stream);

#endif
