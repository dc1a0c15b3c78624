/* yamux, the protocol of many streams over one connection: frames, windows, pings, streams. Pure: it is given what has
 * come and asked for what is to go, and knows neither the loop nor what carries it.
 *
 * One session is one end. Whoever owns it hands in all bytes that come, in order (uvr_yamux_receive), and whenever
 * `on_output` was called, or the last bytes were sent, asks for the next ones (uvr_yamux_fill). Nothing is queued on
 * the way out: what is to be written stays with its owner until it is in a frame. On the way in a stream holds what its
 * reader has not taken, within its window.
 *
 * Callbacks come from within uvr_yamux_receive, uvr_yamux_fill and uvr_yamux_kill only, but on_output and on_room from
 * any function. From on_output and on_room nothing may be called, from the others all but these three. */
#ifndef UVR_YAMUX_YAMUX_H
#define UVR_YAMUX_YAMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define UVR_YAMUX_HEADER     12U             /* bytes of a frame before its data */
#define UVR_YAMUX_FRAME_MAX  ((size_t)16384) /* bytes of data that we send in one frame */
#define UVR_YAMUX_WINDOW     262144U         /* bytes: of each stream and direction, at first, by the specification */
#define UVR_YAMUX_BASE       32768U          /* what we let a peer of our own kind use of it at first */
#define UVR_YAMUX_STREAM_MAX 8388608U        /* what the window of a busy stream grows to */
#define UVR_YAMUX_BACKLOG    256U            /* streams that we open before the first of them is acknowledged */

/* The opaque value of the ping that each of our sessions begins with: this and, in its lower 16 bits, how many KiB of a
 * stream's first window the peer should use before it is given more. A peer that does not know this answers it as any
 * ping. */
#define UVR_YAMUX_HINT 0x75760000U

typedef enum uvr_yamux_code {
  UVR_YAMUX_NORMAL = 0,
  UVR_YAMUX_PROTOCOL_ERROR = 1,
  UVR_YAMUX_INTERNAL_ERROR = 2
} uvr_yamux_code;

typedef struct uvr_yamux uvr_yamux;
typedef struct uvr_yamux_stream uvr_yamux_stream;

typedef struct uvr_yamux_events {
  /* There is something to send: uvr_yamux_fill will find it. */
  void (*on_output)(void *user);
  /* The peer has opened a stream. Returns where it is to live, in zeroed memory of the callee, which stays valid until
   * uvr_yamux_release; or NULL: it is refused, by a reset. */
  uvr_yamux_stream *(*on_open)(void *user);
  /* The peer will open no more streams, and wants none opened. */
  void (*on_go_away)(void *user, uvr_yamux_code code);
  /* Streams that could not be opened, as too many were not acknowledged or open, may be so now. */
  void (*on_room)(void *user);
  /* Something of the stream can be read: bytes, the end of input, or a reset. */
  void (*on_readable)(uvr_yamux_stream *stream);
  /* All that was given to uvr_yamux_write is in frames, or the end that was given to uvr_yamux_finish is; or nothing
   * ever will be, as the stream was reset. */
  void (*on_written)(uvr_yamux_stream *stream);
} uvr_yamux_events;

typedef struct uvr_yamux_config {
  bool client; /* opens streams with odd numbers; else the peer is the client */
  uint64_t
      window_total; /* bytes: half for the bases of windows, a quarter for their growth. What is held stays below it. */
  uvr_buffer_pool *buffers;    /* of what is read; its large buffers should be UVR_YAMUX_FRAME_MAX */
  uint64_t (*now)(void *user); /* ms, for windows to grow by */
  uvr_yamux_events events;
  void *user;
} uvr_yamux_config;

/* One stream. All of it is private to yamux.c but `user`. */
struct uvr_yamux_stream {
  void *user;
  uvr_yamux *session;
  uvr_yamux_stream *hash_next; /* of those with the same hash */
  uvr_yamux_stream *next;      /* of all */
  uvr_yamux_stream **link;     /* what points to it in that list */
  uvr_yamux_stream *turn_next; /* of those that have something to send */
  uvr_yamux_stream *turn_previous;
  uint32_t id;
  bool waits_for_turn;
  /* What is to be sent. */
  bool syn_due;
  bool ack_due;
  bool fin_due;
  bool reset_due;
  uint64_t credit_due; /* bytes that the peer's window is to grow by */
  const char *data;    /* the owner's */
  size_t length;
  int64_t send_window; /* bytes that the peer still takes; below 0 when its hint came late */
  /* What has come. */
  uvr_buffer *first;
  uvr_buffer *last;
  int64_t receive_window; /* bytes that the peer may still send */
  uint64_t window;        /* the size that it is kept at */
  uint64_t extra;         /* by how much it has grown */
  uint64_t consumed;      /* bytes that were taken and not yet credited */
  uint64_t credited;      /* when it last was, ms */
  uint64_t held;          /* bytes that wait to be read */
  bool acknowledged;
  bool fin_sent;
  bool fin_received;
  bool reset_received; /* or the session is at its end */
  bool reset_sent;
  bool broken;   /* reset by us, for want of memory */
  bool end_read; /* the end of input was told */
};

struct uvr_yamux {
  uvr_yamux_config config;
  uint32_t streams_max;
  uint32_t streams;    /* open, or in `resets` */
  uint32_t unanswered; /* opened and not acknowledged */
  uint32_t next_id;
  uint64_t grown; /* bytes of all windows beyond their base */
  uint64_t held;  /* bytes of all streams that wait to be read */
  uvr_yamux_stream *all;
  uvr_yamux_stream **table; /* by number */
  size_t table_size;        /* a power of two */
  uvr_yamux_stream *turn_first;
  uvr_yamux_stream *turn_last;
  /* Frames without data that come first: answers to pings, resets of streams that there are none of, our own pings. */
  uint8_t replies[64][UVR_YAMUX_HEADER];
  unsigned reply_first;
  unsigned reply_count;
  uint32_t *resets; /* numbers of released streams whose reset is to be sent: a ring of streams_max */
  uint32_t reset_first;
  uint32_t reset_count;
  /* The frame that is coming. */
  uint8_t header[UVR_YAMUX_HEADER];
  unsigned header_length;
  uint32_t data_left;
  uvr_yamux_stream *data_stream; /* whose data it is; NULL: of none, to be thrown away */
  bool data_fin;                 /* and then it ends */
  uvr_yamux_stream *told;        /* whose callback runs in uvr_yamux_kill */
  uint32_t peer_hint;            /* bytes; 0: none */
  bool peer_goes_away;
  bool room_wanted; /* an open was refused: on_room will come */
  bool filling;
  bool dead;
};

/* Makes a session, of no streams, that begins with our hint. The config is copied, but not what it points to. Returns 0
 * or UV_ENOMEM. */
int uvr_yamux_init(uvr_yamux *self, const uvr_yamux_config *config);

/* Frees what the session holds. Every stream must have been released. */
void uvr_yamux_clear(uvr_yamux *self);

/* How many streams a session of this window_total lets be open; the server's end takes UVR_YAMUX_BACKLOG more, for its
 * owner to refuse them in words. */
uint32_t uvr_yamux_places(uint64_t window_total);

/* Takes bytes that have come. Returns how many it took, which is all unless more answers wait to be sent than it keeps:
 * then the rest is to be given again after the next fill. UV_EPROTO, with *error: the peer has broken the rules;
 * nothing is received any more, and a go-away is to be sent. */
int64_t uvr_yamux_receive(uvr_yamux *self, const char *data, size_t length, uvrelay_error_t *error);

/* Puts as many whole frames as fit into `buffer`, streams taking turns, and returns how many bytes that are: 0 when
 * there is nothing to send. `size` is at least UVR_YAMUX_HEADER + UVR_YAMUX_FRAME_MAX. */
size_t uvr_yamux_fill(uvr_yamux *self, char *buffer, size_t size);

/* Opens a stream in `stream`, zeroed memory that stays valid until uvr_yamux_release. False: too many are open or not
 * acknowledged (on_room will come), or the peer goes away. */
bool uvr_yamux_open(uvr_yamux *self, uvr_yamux_stream *stream, void *user);

/* Gives the stream bytes to send, at least one, which must last until on_written or uvr_yamux_release. One at a time,
 * not after uvr_yamux_finish. False: the stream was reset, and nothing will be sent. */
bool uvr_yamux_write(uvr_yamux_stream *stream, const char *data, size_t length);

/* How much of that is not yet in a frame, in bytes. */
size_t uvr_yamux_unwritten(const uvr_yamux_stream *stream);

/* Half-closes: a FIN, after what was written. Once. False: the stream was reset. */
bool uvr_yamux_finish(uvr_yamux_stream *stream);

typedef enum uvr_yamux_found { UVR_YAMUX_NOTHING, UVR_YAMUX_BYTES, UVR_YAMUX_END, UVR_YAMUX_RESET } uvr_yamux_found;

/* Takes what has come next: a buffer of at least one byte, the callee's from then on; the end of input, once; after all
 * bytes a reset, every time. After the end of input it is UVR_YAMUX_NOTHING until a reset comes. */
uvr_yamux_found uvr_yamux_read(uvr_yamux_stream *stream, uvr_buffer **out);

/* Says that so many bytes that were read are out of memory, so that the peer may send as many more. */
void uvr_yamux_consumed(uvr_yamux_stream *stream, size_t bytes);

/* Whether the peer has reset the stream, or the session is at its end. */
bool uvr_yamux_is_reset(const uvr_yamux_stream *stream);

/* Whether the peer has ended its input, whether that was read or not. */
bool uvr_yamux_has_ended(const uvr_yamux_stream *stream);

/* Lets go of the stream, whose memory may be reused at once: unless both sides have ended it, it is reset. What was
 * given to be written and is in no frame yet is not sent. No callback of it comes any more. */
void uvr_yamux_release(uvr_yamux_stream *stream);

/* Sends a ping with this value, which any bytes that come may count as an answer to. */
void uvr_yamux_ping(uvr_yamux *self, uint32_t value);

/* Tells the peer that the session is over. */
void uvr_yamux_go_away(uvr_yamux *self, uvr_yamux_code code);

/* The connection is gone: resets all streams, each of which is told (on_readable, on_written). Afterwards nothing is
 * sent or received. */
void uvr_yamux_kill(uvr_yamux *self);

#endif
