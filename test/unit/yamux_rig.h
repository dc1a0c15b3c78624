/* What the tests of yamux stand on: one end of a session with streams that count what they get, frames made and taken
 * apart here by hand, and a clock. */
#ifndef YAMUX_RIG_H
#define YAMUX_RIG_H

#include "rig.h"
#include "yamux/yamux.h"

enum { Y_DATA, Y_UPDATE, Y_PING, Y_GO_AWAY };
enum { Y_SYN = 1, Y_ACK = 2, Y_FIN = 4, Y_RST = 8 };
enum { Y_OUT = 16384 + 12 };      /* the least that a fill may be given */
enum { Y_OUT_MOST = 65536 + 12 }; /* the most that it returns */

typedef struct yend yend;
typedef struct ystream ystream;

/* One stream and what was reported of it; lives until it is released. */
struct ystream {
  uvr_yamux_stream s;
  yend *end;
  ystream *next;
  unsigned readable; /* how often that was reported */
  unsigned written;
  bool release_when_readable;
  bool release_when_written;
  void *user;
};

/* One end. */
struct yend {
  rig *r;
  uvr_buffer_pool pool;
  uvr_yamux y;
  uint64_t clock;
  ystream *streams; /* the last one opened is the first */
  unsigned opened;  /* by the peer */
  unsigned outputs;
  unsigned rooms;
  unsigned go_aways;
  uvr_yamux_code code;
  bool refuse;
  ystream *release_at_room;
  void (*on_stream)(ystream *s); /* of the peer's; NULL is allowed */
  void (*on_readable)(ystream *s);
  void (*on_written)(ystream *s);
  void *user;
  char out[Y_OUT_MOST]; /* what was filled and not yet taken apart */
  size_t out_first;
  size_t out_length;
};

/* A frame that was sent; its data lasts until the next. */
typedef struct yframe {
  unsigned version;
  unsigned type;
  unsigned flags;
  uint32_t id;
  uint32_t length;
  const char *data;
} yframe;

/* Makes an end; returns what uvr_yamux_init does. */
int yend_try_init(yend *e, rig *r, bool client, uint64_t window_total);

/* The same, with much memory, and takes its first frame, our hint. */
void yend_init(yend *e, rig *r, bool client);

/* Releases all streams that are left, and asserts that nothing else is. */
void yend_clear(yend *e);

ystream *yend_open(yend *e);
void ystream_release(ystream *s);

/* Writes a header. */
void yframe_put(char at[12], unsigned type, unsigned flags, uint32_t id, uint32_t length);

/* Gives the end bytes, all of which it must take. */
void yend_receive(yend *e, const char *data, size_t length);

/* Gives it one frame. */
void yend_feed(yend *e, unsigned type, unsigned flags, uint32_t id, uint32_t length);

/* A data frame, with the test data that the number of the stream names, from `position` on. */
void yend_feed_data(yend *e, unsigned flags, uint32_t id, uint64_t position, uint32_t length);

/* Gives it a frame that it must refuse, and asserts that it sends a go-away for a broken rule. */
void yend_refuses(yend *e, const char *bytes, size_t length);

/* The next frame that it sends; false if there is none. */
bool yend_next(yend *e, yframe *f);

/* Asserts that the next frame is this one. */
void yend_expect(yend *e, unsigned type, unsigned flags, uint32_t id, uint32_t length);

/* Asserts that there is none. */
void yend_expect_nothing(yend *e);

/* Takes frames until there is none, all data of this stream: returns how many bytes of data they had together. */
uint64_t yend_take_data(yend *e, uint32_t id);

/* Reads all that is there, asserts that it is the test data from `position` on that its number names, and returns how
 * many bytes it is; how the reading ended is in *found. Consumes it if asked to. */
uint64_t ystream_read(ystream *s, uint32_t id, uint64_t position, bool consume, uvr_yamux_found *found);

#endif
