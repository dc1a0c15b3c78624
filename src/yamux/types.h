/* What a session of yamux and its streams are, and the frames' types and flags: what all files of yamux share. */
#ifndef UVR_YAMUX_TYPES_H
#define UVR_YAMUX_TYPES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"

#define UVR_YAMUX_HEADER 12U /* bytes of a frame before its data */
/* Bytes of data that we send in one frame: the first ones of a stream, and once its window is large. The latter with
 * its header fills an empty pipe of Linux, so that one write and one read move it. */
#define UVR_YAMUX_FRAME_FIRST ((size_t)16384)
#define UVR_YAMUX_FRAME_MAX   ((size_t)65536 - UVR_YAMUX_HEADER)

/* The same of data in a pipe, while no other stream sends little; in whole pages, which stay whole in the pipes that
 * they pass through. It fills less than a pipe of 256 KiB, as not all of what is read into one begins with a page. */
#define UVR_YAMUX_PIPED_MAX ((size_t)240 * 1024)
#define UVR_YAMUX_PAGE      ((size_t)4096)

#define UVR_YAMUX_LONG       ((size_t)4096) /* bytes of a write or a frame that is not brief */
#define UVR_YAMUX_WINDOW     262144U        /* bytes: each stream's first window, each way, by the specification */
#define UVR_YAMUX_BASE       32768U         /* bytes: what a peer of our own kind uses of it at first */
#define UVR_YAMUX_STREAM_MAX 8388608U       /* bytes: up to which the window of a busy stream grows */
#define UVR_YAMUX_BACKLOG    256U           /* streams that we open before the first of them is acknowledged */

/* The opaque value of the ping that each of our sessions begins with: this and, in its lower 16 bits, how many KiB of a
 * stream's first window the peer should use before it is given credit. Any other peer answers it like every ping. */
#define UVR_YAMUX_HINT 0x75760000U

enum { UVR_YAMUX_DATA, UVR_YAMUX_WINDOW_UPDATE, UVR_YAMUX_PING, UVR_YAMUX_GO_AWAY }; /* types of frames */

/* The flags of frames, and what a stream has due: those flags, and credit for its peer. */
#define UVR_YAMUX_SYN    1U
#define UVR_YAMUX_ACK    2U
#define UVR_YAMUX_FIN    4U
#define UVR_YAMUX_RST    8U
#define UVR_YAMUX_CREDIT 16U

/* Why a session goes away. */
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
  uvr_buffer_pool *buffers;    /* of what is read */
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
  UVR_YAMUX_SEND_LOST    /* the peer has reset the stream, or the session is over: nothing more is sent */
} uvr_yamux_send_state;

/* What the peer has sent. It only advances. */
typedef enum uvr_yamux_receive_state {
  UVR_YAMUX_RECEIVE_OPEN,
  UVR_YAMUX_RECEIVE_ENDED,            /* its FIN has arrived */
  UVR_YAMUX_RECEIVE_END_READ,         /* and the owner has read the end of input */
  UVR_YAMUX_RECEIVE_BROKEN,           /* we have reset the stream, for lack of memory */
  UVR_YAMUX_RECEIVE_BROKEN_BEHIND_END /* the same, after its FIN had arrived */
} uvr_yamux_receive_state;

/* One stream. All of it is private to this folder, except `user` and `takes_pipes`. */
struct uvr_yamux_stream {
  void *user;
  bool takes_pipes; /* set by the owner: it reads buffers with a pipe as well */
  uvr_yamux *session;
  uvr_yamux_stream *hash_next; /* of those with the same hash */
  uvr_list_node node;          /* in the session's `all` */
  uvr_list_node turn;          /* in its `turns` or `brief_turns`, while the stream has something to send */
  uint32_t id;
  uvr_yamux_send_state send;
  uvr_yamux_receive_state receive;
  unsigned due; /* what is to be sent besides data: bits, see UVR_YAMUX_SYN */
  bool acknowledged;
  /* What is to be sent. */
  uint64_t credit;     /* bytes that the peer's window is to grow by */
  const char *data;    /* the owner's */
  uvr_buffer *lent;    /* whose data it is, so that a header can be put directly before it; or NULL */
  bool spliced;        /* it has its bytes in a pipe and not in its data */
  size_t length;       /* of `data` that is in no frame yet */
  bool brief;          /* `data` was little from the start, and is not the rest of much */
  bool was_long;       /* the last write was not little */
  size_t frame;        /* how much of it one frame may hold */
  size_t piped_frame;  /* the same if it is in a pipe, while the session is fast and not shared */
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

/* One end of the connection. All of it is private to this folder. */
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
  uvr_list brief_turns;     /* the same, of those that have little to send and have just begun to wait */
  size_t brief_run;         /* bytes that were sent from there while others wait, since the last turn of these */
  uint32_t brief_id;        /* the number of the stream that was the last to send little */
  size_t brief_mode;        /* bytes of long frames: until they are sent, other streams' are not longer than at first */
  bool keeps_long;          /* they are as long as ever */
  bool fast;                /* what is sent is received fast: see uvr_yamux_set_fast */
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
  bool in_pipes;                 /* the last data frame was a long one, for a stream that takes pipes */
  uvr_yamux_stream *reported;    /* whose owner is being called because of its reset; NULL once it is released */
  uint32_t peer_hint;            /* bytes; 0: none */
  bool peer_goes_away;
  bool room_wanted; /* an open was refused: on_room will be called */
  bool filling;
  bool dead;
};

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

/* Whether streams have sent little not long ago, so that short frames may soon have to go between long ones. */
static inline bool uvr_yamux_is_shared(const uvr_yamux *self)
{
  return self->brief_mode > 0;
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

/* Whether the stream is reset, by the peer or by us, or the session is over. */
static inline bool uvr_yamux_is_reset(const uvr_yamux_stream *stream)
{
  return stream->send == UVR_YAMUX_SEND_LOST || stream->receive >= UVR_YAMUX_RECEIVE_BROKEN;
}

#endif
