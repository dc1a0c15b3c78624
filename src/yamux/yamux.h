/* yamux, a protocol for many streams over one connection: frames, windows, pings, streams. This is the protocol alone:
 * it is given the bytes that arrive, asked for the bytes to send, and knows neither the loop nor the connection.
 *
 * A session is one end of the connection. Its owner hands in all bytes that arrive, in order (uvr_yamux_receive), and
 * asks for the next bytes to send (uvr_yamux_fill) after on_output was called and after the last ones were sent.
 * Nothing is queued on the way out: the data of a write stays with its owner until it is in a frame. On the way in, a
 * stream holds what its owner has not read, within its window.
 *
 * on_output and on_room may be called from within any function, and must not call yamux. The other callbacks are called
 * only from within uvr_yamux_receive, uvr_yamux_fill and uvr_yamux_kill, and may call everything but these three. */
#ifndef UVR_YAMUX_YAMUX_H
#define UVR_YAMUX_YAMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"

#define UVR_YAMUX_HEADER     12U             /* bytes of a frame before its data */
#define UVR_YAMUX_FRAME_MAX  ((size_t)16384) /* bytes of data that we send in one frame */
#define UVR_YAMUX_WINDOW     262144U         /* bytes: each stream's first window, each way, by the specification */
#define UVR_YAMUX_BASE       32768U          /* bytes: what a peer of our own kind uses of it at first */
#define UVR_YAMUX_STREAM_MAX 8388608U        /* bytes: up to which the window of a busy stream grows */
#define UVR_YAMUX_BACKLOG    256U            /* streams that we open before the first of them is acknowledged */

/* The opaque value of the ping that each of our sessions begins with: this and, in its lower 16 bits, how many KiB of a
 * stream's first window the peer should use before it is given credit. Any other peer answers it like every ping. */
#define UVR_YAMUX_HINT 0x75760000U

typedef enum uvr_yamux_code {
  UVR_YAMUX_NORMAL = 0,
  UVR_YAMUX_PROTOCOL_ERROR = 1,
  UVR_YAMUX_INTERNAL_ERROR = 2
} uvr_yamux_code;

typedef struct uvr_yamux uvr_yamux;
typedef struct uvr_yamux_stream uvr_yamux_stream;

typedef struct uvr_yamux_events {
  /* There is something to send: call uvr_yamux_fill, later. */
  void (*on_output)(void *user);
  /* The peer opens a stream. Returns zeroed memory for it, which stays valid until uvr_yamux_release; or NULL to refuse
   * it by a reset. */
  uvr_yamux_stream *(*on_open)(void *user);
  /* The peer will open no more streams and accepts none. */
  void (*on_go_away)(void *user, uvr_yamux_code code);
  /* uvr_yamux_open has returned false because there was no room; now there is some. */
  void (*on_room)(void *user);
  /* Something can be read from the stream: bytes, the end of input, or a reset. */
  void (*on_readable)(uvr_yamux_stream *stream);
  /* All data of a uvr_yamux_write, or the end of a uvr_yamux_finish, is in frames; or the stream was reset, and it
   * never will be. */
  void (*on_written)(uvr_yamux_stream *stream);
} uvr_yamux_events;

typedef struct uvr_yamux_config {
  bool client; /* opens streams with odd numbers; else the peer is the client */
  /* Bytes: half for the bases of windows, a quarter for their growth. All streams together never hold more. */
  uint64_t window_total;
  uvr_buffer_pool *buffers;    /* of what is read; its large buffers should be UVR_YAMUX_FRAME_MAX */
  uint64_t (*now)(void *user); /* ms; decides which windows grow */
  uvr_yamux_events events;
  void *user;
} uvr_yamux_config;

/* What we have sent of a stream. It only advances. */
typedef enum uvr_yamux_send_state {
  UVR_YAMUX_SEND_OPEN,
  UVR_YAMUX_SEND_ENDING, /* the owner has ended it: a FIN is due, unless the stream was reset meanwhile */
  UVR_YAMUX_SEND_ENDED,  /* the FIN was sent */
  UVR_YAMUX_SEND_RESET,  /* a RST was sent */
  UVR_YAMUX_SEND_LOST    /* the peer has reset the stream, or the session is over: nothing is sent any more */
} uvr_yamux_send_state;

/* What the peer has sent. It only advances. */
typedef enum uvr_yamux_receive_state {
  UVR_YAMUX_RECEIVE_OPEN,
  UVR_YAMUX_RECEIVE_ENDED,            /* its FIN has arrived */
  UVR_YAMUX_RECEIVE_END_READ,         /* and the owner has read the end of input */
  UVR_YAMUX_RECEIVE_BROKEN,           /* we have reset the stream, for want of memory */
  UVR_YAMUX_RECEIVE_BROKEN_BEHIND_END /* the same, after its FIN had arrived */
} uvr_yamux_receive_state;

/* One stream. All of it is private to this folder, except `user`. */
struct uvr_yamux_stream {
  void *user;
  uvr_yamux *session;
  uvr_yamux_stream *hash_next; /* of those with the same hash */
  uvr_list_node node;          /* in the session's `all` */
  uvr_list_node turn;          /* in its `turns`, while the stream has something to send */
  uint32_t id;
  uvr_yamux_send_state send;
  uvr_yamux_receive_state receive;
  unsigned due; /* what is to be sent besides data: bits, in inside.h */
  bool acknowledged;
  /* What is to be sent. */
  uint64_t credit;     /* bytes that the peer's window is to grow by */
  const char *data;    /* the owner's */
  size_t length;       /* of `data` that is in no frame yet */
  int64_t send_window; /* bytes that the peer still accepts; below 0 if its hint came late */
  /* What has arrived. */
  uvr_buffer *first;
  uvr_buffer *last;
  int64_t receive_window; /* bytes that the peer may still send */
  uint64_t window;        /* the size that credit restores it to */
  uint64_t extra;         /* by how much `window` has grown */
  uint64_t consumed;      /* bytes that the owner has consumed, not yet credited */
  uint64_t credited;      /* when credit was given last, ms */
  uint64_t held;          /* bytes that wait to be read */
};

struct uvr_yamux {
  uvr_yamux_config config;
  uint32_t streams_max;
  uint32_t streams;    /* open, or in `resets` */
  uint32_t unanswered; /* opened and not acknowledged */
  uint32_t next_id;
  uint64_t grown;           /* bytes of all windows beyond their base */
  uint64_t held;            /* bytes of all streams that wait to be read */
  uvr_list all;             /* streams */
  uvr_list turns;           /* those that have something to send, the next one first */
  uvr_yamux_stream **table; /* by number */
  size_t table_size;        /* a power of two */
  /* Frames without data that come first: answers to pings, resets of streams that are unknown here, our own pings. */
  uint8_t replies[64][UVR_YAMUX_HEADER];
  unsigned reply_first;
  unsigned reply_count;
  uint32_t *resets; /* numbers of released streams whose reset is to be sent: a ring of streams_max */
  uint32_t reset_first;
  uint32_t reset_count;
  /* The frame that is arriving. */
  uint8_t header[UVR_YAMUX_HEADER];
  unsigned header_length;
  uint32_t data_left;
  uvr_yamux_stream *data_stream; /* whose data it is; NULL: of none, the data is dropped */
  bool data_fin;                 /* and then its input ends */
  uvr_yamux_stream *reported;    /* whose owner is being called because of its reset; NULL once it is released */
  uint32_t peer_hint;            /* bytes; 0: none */
  bool peer_goes_away;
  bool room_wanted; /* an open was refused: on_room will be called */
  bool filling;
  bool dead;
};

/* Makes a session without streams, whose first frame is our hint. The config is copied, but not what it points to.
 * Returns 0 or UV_ENOMEM. The session must not be moved in memory. */
int uvr_yamux_init(uvr_yamux *self, const uvr_yamux_config *config);

/* Frees what the session holds. Every stream must have been released. */
void uvr_yamux_clear(uvr_yamux *self);

/* How many streams may be open in a session of this window_total. The server's end accepts UVR_YAMUX_BACKLOG more, so
 * that its owner can refuse them with an explanation. */
uint32_t uvr_yamux_places(uint64_t window_total);

/* Handles bytes that have arrived. Returns how many of them were used: all, unless too many replies wait to be sent;
 * give it the rest again after the next fill. Returns UV_EPROTO and *error if the peer has broken the rules: then call
 * this no more, but send what uvr_yamux_fill returns, which ends with a go-away. */
int64_t uvr_yamux_receive(uvr_yamux *self, const char *data, size_t length, uvrelay_error_t *error);

/* Writes as many whole frames as fit into `buffer`, streams taking turns. Returns their length in bytes, 0 when there
 * is nothing to send. `size` is at least UVR_YAMUX_HEADER + UVR_YAMUX_FRAME_MAX. */
size_t uvr_yamux_fill(uvr_yamux *self, char *buffer, size_t size);

/* Whether uvr_yamux_fill has something to send. */
bool uvr_yamux_has_output(const uvr_yamux *self);

/* The session's streams, in no particular order: the first one, and the one after `stream`; NULL if there is none. */
uvr_yamux_stream *uvr_yamux_first(const uvr_yamux *self);
uvr_yamux_stream *uvr_yamux_next(const uvr_yamux_stream *stream);

/* Opens a stream in `stream`, zeroed memory that stays valid until uvr_yamux_release. Returns false if too many streams
 * are open or not yet acknowledged (on_room will be called), or if the peer goes away. */
bool uvr_yamux_open(uvr_yamux *self, uvr_yamux_stream *stream, void *user);

/* Sends data, at least one byte, which must stay valid until on_written or uvr_yamux_release. Only one write at a time,
 * and none after uvr_yamux_finish. Returns false if the stream was reset: nothing will be sent, and on_written is not
 * called. */
bool uvr_yamux_write(uvr_yamux_stream *stream, const char *data, size_t length);

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

/* Whether the stream is reset, by the peer or by us, or the session is over. */
bool uvr_yamux_is_reset(const uvr_yamux_stream *stream);

/* Whether the peer's FIN has arrived, read or not, and everything before it can be read. */
bool uvr_yamux_has_ended(const uvr_yamux_stream *stream);

/* Releases the stream, whose memory may be reused at once. Unless both sides have ended it, the peer gets a reset. Data
 * that is in no frame yet is not sent. No callback is called for it any more. */
void uvr_yamux_release(uvr_yamux_stream *stream);

/* Sends a ping with this value. Whatever arrives afterwards shows that the peer is alive. */
void uvr_yamux_ping(uvr_yamux *self, uint32_t value);

/* Sends a go-away: the session is over. */
void uvr_yamux_go_away(uvr_yamux *self, uvr_yamux_code code);

/* The connection is gone: resets all streams and calls their owners (on_readable, on_written). Nothing is sent or
 * received afterwards. */
void uvr_yamux_kill(uvr_yamux *self);

#endif
