/* One end of yamux against a peer that does what it likes.
 *
 * The first byte of the input chooses the role and how much memory there is; each byte after it begins a step: a frame
 * of the peer's, or pieces of one, or what the owner of a stream does. A model keeps what the peer knows: what it has
 * sent, what it was allowed to send and what it was sent. After each step both must agree to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz.h"
#include "yamux/streams.h"
#include "yamux_rig.h"

enum { STREAMS = 48, KIB = 1024, DATA_MOST = 64 * KIB, WRITE_MOST = 40 * KIB };

/* What the peer knows of a stream, and what its owner has done. */
typedef struct known {
  uint32_t id;
  ystream *s; /* NULL: refused, or released */
  bool ours;
  bool seen;         /* the peer has seen it, or opened it */
  bool fin_received; /* from the peer */
  bool fin_coming;   /* with the data that is being received; it may be reported within that */
  bool rst_received;
  bool fin_sent; /* to the peer, as its end sees it */
  bool rst_sent;
  bool rst_due;      /* the peer must be sent one */
  unsigned old_rsts; /* so many before, of streams that had this number, as some peer may use one again */
  bool end_read;     /* by the owner */
  bool finished;     /* by the owner */
  bool may_be_reset; /* for lack of memory */
  uint64_t received; /* bytes from the peer */
  uint64_t read;     /* of these, by the owner */
  uint64_t consumed; /* of these */
  uint64_t granted;  /* bytes that the peer was allowed to send */
  uint64_t sent;     /* bytes to the peer */
  uint64_t written;  /* by the owner */
  int64_t limit;     /* bytes that the peer allows */
  uvr_buffer *piece; /* what is being written */
  unsigned on_call;  /* what the owner does when it is called */
} known;

typedef struct game {
  rig r;
  yend e;
  fuzz_input in;
  bool client;
  uint64_t total;
  uint32_t hint;
  bool refused; /* the peer has broken the rules, */
  bool told;    /* and knows it */
  bool killed;
  bool went_away;
  known all[STREAMS];
  unsigned count;
  uint32_t next_peer_id;
  /* The frame that the peer is sending. */
  uint8_t header[12];
  unsigned header_length;
  uint32_t data_left;
  bool data_fin;
  known *data_stream;
  bool receiving; /* some of it */
  known *opening; /* whose SYN is being received */
  uint32_t opening_id;
  unsigned pings_due;
} game;

static known *find(game *g, uint32_t id)
{
  for (unsigned i = 0; i < g->count; i++) {
    if (g->all[i].id == id) {
      return &g->all[i];
    }
  }
  return NULL;
}

static known *add(game *g, uint32_t id)
{
  known *k = find(g, id);
  if (k == NULL) {
    CHECK(g->count < STREAMS, "there are too many streams");
    k = &g->all[g->count++];
  }
  unsigned old_rsts = k->old_rsts + (k->rst_due ? 1 : 0);
  *k = (known){
      .id = id, .old_rsts = old_rsts, .granted = UVR_YAMUX_WINDOW, .limit = g->hint != 0 ? g->hint : UVR_YAMUX_WINDOW};
  return k;
}

static bool is_ours(const game *g, uint32_t id)
{
  return ((id & 1U) != 0) == g->client;
}

/* The fuzzer's own buffers do not fail. */
static uvr_buffer *make_buffer(yend *e, size_t capacity)
{
  size_t fail_at = e->r->fail_at;
  e->r->fail_at = 0;
  uvr_buffer *buffer = uvr_buffer_new(&e->pool, capacity);
  e->r->fail_at = fail_at > 0 ? fail_at + 1 : 0;
  CHECK(buffer != NULL, "there is no memory");
  return buffer;
}

/* What the owner of a stream does. */

static void release(known *k)
{
  ystream *s = k->s;
  const uvr_yamux *y = &s->end->y;
  /* The peer must hear of it, unless it has never seen the stream or both have ended it. */
  bool fin_sent = s->s.send == UVR_YAMUX_SEND_ENDED; /* though it may be in a fill that is not taken apart yet */
  bool ended = fin_sent && (k->fin_received || (k->fin_coming && uvr_yamux_has_ended(&s->s)));
  k->rst_due = !y->dead && k->seen && !ended && !k->rst_sent && !k->rst_received;
  k->s = NULL;
  uvr_buffer_pool *pool = &s->end->pool;
  ystream_release(s);
  uvr_buffer_put(pool, k->piece); /* a sanitizer sees who still reads it */
  k->piece = NULL;
}

static void read_some(game *g, known *k, unsigned most, bool consume)
{
  for (unsigned i = 0; i < most; i++) {
    uvr_buffer *buffer = NULL;
    uvr_yamux_found found = uvr_yamux_read(&k->s->s, &buffer);
    if (found == UVR_YAMUX_BYTES) {
      CHECK(buffer->length > 0 && buffer->length <= buffer->capacity, "a buffer has %u bytes",
            (unsigned)buffer->length);
      CHECK(k->read + buffer->length <= k->received, "stream %u: more is read than was sent", k->id);
      CHECK(!k->end_read, "stream %u: bytes come behind the end", k->id);
      for (size_t n = 0; n < buffer->length; n++) {
        CHECK(buffer->data[n] == rig_byte(k->id, k->read + n), "stream %u: byte %u is another", k->id,
              (unsigned)(k->read + n));
      }
      k->read += buffer->length;
      size_t length = buffer->length;
      uvr_buffer_put(&g->e.pool, buffer);
      if (consume) {
        k->consumed += length;
        uvr_yamux_consumed(&k->s->s, length);
      }
      continue;
    }
    CHECK(buffer == NULL, "there is a buffer with nothing in it");
    if (found == UVR_YAMUX_END) {
      CHECK((k->fin_received || k->fin_coming) && !k->end_read, "stream %u: the end comes at the wrong time", k->id);
      CHECK(k->read == k->received || k->may_be_reset, "stream %u: the end comes before all bytes", k->id);
      k->end_read = true;
    } else if (found == UVR_YAMUX_RESET) {
      CHECK(k->rst_received || g->killed || k->may_be_reset, "stream %u is reset for no reason", k->id);
    } else {
      CHECK(k->read == k->received || k->may_be_reset || g->receiving, "stream %u: %u bytes are kept back", k->id,
            (unsigned)(k->received - k->read));
      CHECK(!k->fin_received || k->end_read, "stream %u: its end is kept back", k->id);
    }
    return;
  }
}

static void consume_rest(known *k)
{
  if (k->read > k->consumed) {
    size_t rest = (size_t)(k->read - k->consumed);
    k->consumed = k->read;
    uvr_yamux_consumed(&k->s->s, rest);
  }
}

static void write_some(known *k, size_t length)
{
  if (k->piece != NULL || k->finished) {
    return;
  }
  uvr_buffer *piece = make_buffer(k->s->end, length);
  piece->length = length;
  for (size_t i = 0; i < length; i++) {
    piece->data[i] = rig_byte(~k->id, k->written + i);
  }
  bool reset = uvr_yamux_is_reset(&k->s->s);
  k->piece = piece;
  bool lent = length % 2 == 0;
  if (lent ? uvr_yamux_write_buffer(&k->s->s, piece) : uvr_yamux_write(&k->s->s, piece->data, length)) {
    CHECK(!reset, "stream %u takes bytes after its reset", k->id);
    k->written += length;
  } else {
    CHECK(reset, "stream %u takes no bytes", k->id);
    uvr_buffer_put(&k->s->end->pool, piece);
    k->piece = NULL;
  }
}

static void finish(known *k)
{
  if (k->piece == NULL && !k->finished) {
    k->finished = true;
    (void)uvr_yamux_finish(&k->s->s);
  }
}

static void act(game *g, known *k, unsigned what)
{
  switch (what % 8) {
  case 1:
    read_some(g, k, 1, true);
    break;
  case 2:
    read_some(g, k, 3, false);
    break;
  case 3:
    read_some(g, k, UINT32_MAX, true);
    break;
  case 4:
    consume_rest(k);
    break;
  case 5:
    write_some(k, 1 + (what / 8) * 700);
    break;
  case 6:
    finish(k);
    break;
  case 7:
    release(k);
    break;
  default:
    break;
  }
}

/* What yamux calls. */

static void on_stream(ystream *s)
{
  game *g = s->end->user;
  CHECK(g->opening_id != 0, "a stream is opened that the peer has not opened");
  g->opening = add(g, g->opening_id);
  g->opening->s = s;
  g->opening->seen = true;
  s->user = g->opening;
}

static void called(ystream *s)
{
  known *k = s->user;
  act(s->end->user, k, k->on_call);
}

static void on_written(ystream *s)
{
  known *k = s->user;
  CHECK(k->piece != NULL || k->finished, "stream %u: nothing was written", k->id);
  uvr_buffer_put(&k->s->end->pool, k->piece);
  k->piece = NULL;
  called(s);
}

/* What leaves. */

static void take_frame(game *g, const yframe *f)
{
  CHECK(f->version == 0 && f->type <= Y_GO_AWAY, "a frame is of type %u", f->type);
  if (f->type == Y_PING) {
    CHECK(f->id == 0 && (f->flags == Y_SYN || f->flags == Y_ACK), "a ping has the flags %u", f->flags);
    CHECK(f->flags == Y_SYN || g->pings_due > 0, "a ping is answered that was not sent");
    g->pings_due -= f->flags == Y_ACK ? 1 : 0;
    return;
  }
  if (f->type == Y_GO_AWAY) {
    CHECK(f->id == 0 && f->flags == 0, "a go-away has the flags %u", f->flags);
    CHECK(f->length == UVR_YAMUX_PROTOCOL_ERROR ? g->refused : g->went_away, "a go-away has the code %u",
          (unsigned)f->length);
    g->told = g->told || f->length == UVR_YAMUX_PROTOCOL_ERROR;
    return;
  }
  known *k = find(g, f->id);
  CHECK(k != NULL, "a frame is for stream %u, which nobody knows", (unsigned)f->id);
  if (k->old_rsts > 0) {
    CHECK(f->type == Y_UPDATE && f->flags == Y_RST, "stream %u: a reset is due first", k->id);
    k->old_rsts--;
    return;
  }
  CHECK(!k->rst_sent, "a frame is for stream %u, which was reset", k->id);
  CHECK(!k->rst_received || k->rst_due, "a frame is for stream %u, which the peer has reset", k->id);
  /* A peer may send to a stream of which it knows nothing yet, and fill the memory. */
  bool unseen_reset = k->may_be_reset && (f->flags & Y_RST) != 0;
  CHECK(((f->flags & Y_SYN) != 0) == (k->ours && !k->seen) || unseen_reset, "stream %u: a frame has the flags %u",
        k->id, f->flags);
  CHECK((f->flags & Y_ACK) == 0 || !k->ours, "stream %u: an own stream is acknowledged", k->id);
  k->seen = true;
  if (f->type == Y_DATA) {
    CHECK(!k->fin_sent, "stream %u: data comes behind its end", k->id);
    for (uint32_t i = 0; i < f->length; i++) {
      CHECK(f->data[i] == rig_byte(~k->id, k->sent + i), "stream %u: byte %u is another", k->id,
            (unsigned)(k->sent + i));
    }
    k->sent += f->length;
    CHECK(k->sent <= k->written, "stream %u: more is sent than was written", k->id);
    CHECK((int64_t)k->sent <= k->limit, "stream %u: more is sent than its window allows", k->id);
  } else {
    k->granted += f->length;
  }
  if ((f->flags & Y_FIN) != 0) {
    CHECK(!k->fin_sent && k->finished && k->sent == k->written, "stream %u: its end comes too early", k->id);
    k->fin_sent = true;
  }
  if ((f->flags & Y_RST) != 0) {
    CHECK(f->type == Y_UPDATE && f->length == 0, "stream %u: a reset carries something", k->id);
    CHECK(k->s == NULL || k->may_be_reset, "stream %u: a stream in use is reset", k->id);
    k->rst_sent = true;
    k->rst_due = false;
  }
}

/* One fill, or all there is. */
static void drain(game *g, bool all)
{
  yframe f;
  do {
    if (!yend_next(&g->e, &f)) {
      return;
    }
    take_frame(g, &f);
  } while (all || g->e.out_length > 0);
}

/* What arrives. */

/* Whether the frame opens a stream, whatever else is wrong with it. */
static bool opens_stream(const game *g, unsigned type, unsigned flags, uint32_t id, const known *k)
{
  return g->header[0] == 0 && type <= Y_UPDATE && (flags & Y_SYN) != 0 && id != 0 && !is_ours(g, id) &&
         (k == NULL || k->s == NULL);
}

/* Whether the frame breaks the rules. */
static bool breaks_rules(const game *g, unsigned type, unsigned flags, uint32_t id, uint32_t length, const known *k)
{
  if (g->header[0] != 0 || type > Y_GO_AWAY) {
    return true;
  }
  if (type > Y_UPDATE) {
    return false;
  }
  bool live = k != NULL && k->s != NULL;
  if (id == 0 || ((flags & Y_SYN) != 0 && (is_ours(g, id) || live))) {
    return true;
  }
  if ((flags & Y_SYN) != 0) {
    bool taken = g->e.y.streams < g->e.y.streams_max && !g->e.refuse;
    return taken && type == Y_DATA && length > UVR_YAMUX_WINDOW;
  }
  return live && type == Y_DATA &&
         ((length > 0 && k->fin_received) || length > k->granted + k->s->s.credit - k->received);
}

static void kill_session(game *g)
{
  if (!g->killed) {
    g->killed = true;
    uvr_yamux_kill(&g->e.y);
    g->data_left = 0;
    CHECK(uvr_yamux_fill(&g->e.y, g->e.out, sizeof(g->e.out)).length == 0, "a dead session has something to send");
  }
}

/* Hands the bytes over as a read brings them, as far as they are taken. Returns how many are not, or a code. */
static int64_t hand_over(game *g, const char *bytes, size_t length, uvrelay_error_t *error)
{
  uint8_t before;
  size_t used = 0;
  CHECK(uvr_yamux_best_read(&g->e.y, &before) > 0, "a read may bring nothing");
  before = before < length ? before : (uint8_t)length;
  /* In memory of just that size, so that a sanitizer sees who reads on. */
  uvr_buffer *in = make_buffer(&g->e, length - before);
  in->before = before;
  in->length = length;
  memcpy(in->data - before, bytes, length);
  for (size_t left = length, was = length + 1; left > 0 && left < was;) {
    int code = uvr_yamux_receive_buffer(&g->e.y, &in, &used, error);
    if (code != 0) {
      uvr_buffer_put(&g->e.pool, in);
      return code;
    }
    was = left;
    left = in != NULL ? in->length - used : 0;
    length -= was - left;
  }
  uvr_buffer_put(&g->e.pool, in);
  return (int64_t)length;
}

/* The same with all bytes; if too many replies wait, sends them first. */
static int64_t deliver(game *g, const char *bytes, size_t length, uvrelay_error_t *error)
{
  int64_t left = hand_over(g, bytes, length, error);
  int64_t taken = left < 0 ? left : (int64_t)length - left;
  if (taken >= 0 && taken < (int64_t)length) {
    CHECK(taken == 0 || g->e.y.data_left == 0, "%d bytes of %u are taken", (int)taken, (unsigned)length);
    if (!g->killed) {
      drain(g, true);
      left = hand_over(g, bytes + taken, length - (size_t)taken, error);
      CHECK(left <= 0, "bytes are not taken although nothing waits");
      taken = left < 0 ? left : (int64_t)length;
    }
  }
  return taken;
}

/* The header of the peer's frame is complete, but for its last piece, which is handed over here. */
static void receive_header(game *g, const char *last, size_t length)
{
  const uint8_t *h = g->header;
  unsigned type = h[1];
  unsigned flags = (unsigned)h[2] << 8 | h[3];
  uint32_t id = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
  uint32_t size = (uint32_t)h[8] << 24 | (uint32_t)h[9] << 16 | (uint32_t)h[10] << 8 | h[11];
  known *k = find(g, id);
  bool bad = breaks_rules(g, type, flags, id, size, k);
  bool of_stream = !bad && type <= Y_UPDATE;
  bool opens = opens_stream(g, type, flags, id, k);
  bool has_room = g->e.y.streams < g->e.y.streams_max && !g->e.refuse;
  bool live = of_stream && !opens && k != NULL && k->s != NULL;
  if (live) {
    k->limit += type == Y_UPDATE ? size : 0;
    bool ends = (flags & (Y_FIN | Y_RST)) == Y_FIN && (type == Y_UPDATE || size == 0);
    k->rst_received = k->rst_received || (flags & Y_RST) != 0;
    k->fin_received = k->fin_received || (ends && !uvr_yamux_is_reset(&k->s->s));
  }
  g->opening_id = opens ? id : 0;
  g->opening = NULL;
  unsigned pings = !bad && type == Y_PING && (flags & Y_SYN) != 0 ? 1 : 0;
  g->pings_due += pings;
  if (pings > 0 && g->hint == 0 && (size & 0xFFFF0000U) == UVR_YAMUX_HINT && (size & 0xFFFFU) != 0) {
    uint32_t bytes = (size & 0xFFFFU) * KIB;
    g->hint = bytes < UVR_YAMUX_WINDOW ? bytes : UVR_YAMUX_WINDOW;
    for (unsigned i = 0; i < g->count; i++) {
      g->all[i].limit -= g->all[i].s != NULL ? (int64_t)(UVR_YAMUX_WINDOW - g->hint) : 0;
    }
  }
  if (opens && !has_room) {
    k = add(g, id); /* a reset is due, and no more than that */
    k->seen = true;
    k->rst_due = true;
  }
  uvrelay_error_t error = {0};
  int64_t taken = deliver(g, last, length, &error);
  g->opening_id = 0;
  if (bad) {
    CHECK(taken == UV_EPROTO, "a frame that breaks the rules is taken: type %u, flags %u, stream %u, length %u", type,
          flags, (unsigned)id, (unsigned)size);
    fuzz_check_error(&error, UV_EPROTO);
    g->refused = true;
    return;
  }
  CHECK(taken == (int64_t)length, "a good frame is not taken: %s: type %u, flags %u, stream %u, length %u", error.text,
        type, flags, (unsigned)id, (unsigned)size);
  if (opens && has_room) {
    CHECK(g->opening != NULL, "stream %u is not opened", (unsigned)id);
    k = g->opening;
    k->limit += type == Y_UPDATE ? size : 0;
    k->rst_received = (flags & Y_RST) != 0;
    k->fin_received = !k->rst_received && (flags & Y_FIN) != 0 && (type == Y_UPDATE || size == 0);
  }
  if (of_stream && type == Y_DATA) {
    g->data_left = size;
    g->data_fin = (flags & Y_FIN) != 0 && (flags & Y_RST) == 0;
    g->data_stream = k != NULL && k->s != NULL ? k : NULL;
    if (g->data_stream != NULL && size > 0 && k->received + size > k->granted + k->s->s.credit) {
      CHECK(false, "stream %u: more than its window was taken", (unsigned)id);
    }
  }
}

/* A piece of a frame's data. */
static void receive_data(game *g, uint32_t length)
{
  known *k = g->data_stream;
  bool live = k != NULL && k->s != NULL;
  char *bytes = malloc(length);
  CHECK(bytes != NULL, "there is no memory");
  for (uint32_t i = 0; i < length; i++) {
    bytes[i] = live ? rig_byte(k->id, k->received + i) : 'x';
  }
  if (g->e.y.held + length > g->total || g->r.fail_at > g->r.allocations) {
    for (unsigned i = 0; i < g->count; i++) {
      g->all[i].may_be_reset = true; /* the fullest ones are */
    }
  }
  g->data_left -= length;
  if (live) {
    k->received += length;
    k->fin_coming = g->data_left == 0 && g->data_fin && !uvr_yamux_is_reset(&k->s->s);
  }
  uvrelay_error_t error = {0};
  g->receiving = true;
  int64_t taken = deliver(g, bytes, length, &error);
  g->receiving = false;
  free(bytes);
  if (live && k->fin_coming) {
    k->fin_received = k->s != NULL && !uvr_yamux_is_reset(&k->s->s);
    k->fin_coming = false;
  }
  CHECK(taken == length, "%d of %u bytes of data are taken: %s", (int)taken, (unsigned)length, error.text);
}

static void peer_sends(game *g, const char *bytes, size_t length)
{
  while (length > 0 && !g->refused && !g->killed) {
    if (g->data_left > 0) {
      uint32_t piece = length < g->data_left ? (uint32_t)length : g->data_left;
      receive_data(g, piece);
      bytes += piece;
      length -= piece;
      continue;
    }
    size_t missing = 12 - g->header_length;
    size_t piece = length < missing ? length : missing;
    memcpy(g->header + g->header_length, bytes, piece);
    g->header_length += (unsigned)piece;
    if (g->header_length == 12) {
      g->header_length = 0;
      receive_header(g, bytes, piece);
    } else {
      uvrelay_error_t error = {0};
      int64_t taken = deliver(g, bytes, piece, &error);
      CHECK(taken == (int64_t)piece, "a part of a header is not taken");
    }
    bytes += piece;
    length -= piece;
  }
}

static uint32_t choose_length(game *g, const known *k)
{
  unsigned what = fuzz_byte(&g->in);
  uint64_t room = k != NULL && k->s != NULL ? k->granted + k->s->s.credit - k->received : UVR_YAMUX_WINDOW;
  switch (what) {
  case 250:
    return (uint32_t)room;
  case 251:
    return (uint32_t)room + 1;
  case 252:
    return UINT32_MAX;
  case 253:
    return UVR_YAMUX_HINT + 1 + fuzz_byte(&g->in);
  case 254:
    return 16384;
  case 255:
    return 1025;
  default:
    return what < 128 ? what : (what - 128) * 500;
  }
}

/* A frame of the peer's for a stream that it knows, a new one or none. */
static void peer_frame(game *g)
{
  unsigned kind = fuzz_byte(&g->in);
  unsigned flags = fuzz_byte(&g->in);
  unsigned which = fuzz_byte(&g->in);
  flags = flags == 255 ? 0x8001U : flags & 15U; /* unknown ones are ignored */
  uint32_t id = 0;
  known *k = NULL;
  if (which < 200 && g->count > 0) {
    k = &g->all[which % g->count];
    id = k->id;
  } else if (which < 250 && g->count + 1 < STREAMS) {
    id = g->next_peer_id;
    g->next_peer_id += 2;
    flags |= (which & 1U) != 0 ? Y_SYN : 0U;
  } else if (which == 250) {
    id = g->next_peer_id + 1; /* one of ours that we have not opened */
  } else if (which == 251) {
    id = UINT32_MAX - (g->client ? 1 : 0);
  }
  if ((flags & Y_SYN) != 0 && find(g, id) == NULL && g->count == STREAMS) {
    return;
  }
  unsigned type = kind < 100 ? Y_DATA : kind < 180 ? Y_UPDATE : kind < 220 ? Y_PING : kind < 230 ? Y_GO_AWAY : kind;
  type = kind < 254 && type > Y_GO_AWAY ? (unsigned)Y_DATA : type;
  uint32_t length = choose_length(g, k);
  char header[12];
  yframe_put(header, type, flags, type >= Y_PING ? 0 : id, length);
  header[0] = kind == 255 ? 1 : 0;
  if (g->header_length > 0 || g->data_left > 0) {
    /* First what is left of the last one. */
    static const char rest[12];
    char *data = calloc(1, DATA_MOST);
    CHECK(data != NULL, "there is no memory");
    uint32_t most = g->data_left < DATA_MOST ? g->data_left : DATA_MOST;
    peer_sends(g, data, most);
    free(data);
    if (g->header_length > 0) {
      peer_sends(g, rest, 12 - g->header_length);
    }
    if (g->header_length > 0 || g->data_left > 0) {
      return;
    }
  }
  peer_sends(g, header, sizeof(header));
}

/* Bytes as they come. */
static void peer_bytes(game *g)
{
  char bytes[64];
  unsigned length = fuzz_byte(&g->in) % sizeof(bytes);
  if (g->data_left > 0) {
    char *data = calloc(1, DATA_MOST);
    CHECK(data != NULL, "there is no memory");
    peer_sends(g, data, length * 700);
    free(data);
    return;
  }
  for (unsigned i = 0; i < length; i++) {
    bytes[i] = (char)fuzz_byte(&g->in);
  }
  if (g->count + 8 < STREAMS) { /* they may open some */
    peer_sends(g, bytes, length);
  }
}

/* What must hold between any two steps. */
static void check(const game *g)
{
  const uvr_yamux *y = &g->e.y;
  uint64_t held = 0;
  uint64_t extra = 0;
  uint64_t capacity = 0;
  uint32_t count = 0;
  uint32_t unanswered = 0;
  for (unsigned i = 0; i < g->count; i++) {
    const known *k = &g->all[i];
    if (k->s == NULL) {
      continue;
    }
    const uvr_yamux_stream *s = &k->s->s;
    uint64_t waiting = 0;
    for (const uvr_buffer *b = s->first; b != NULL; b = b->next) {
      waiting += b->length;
      capacity += b->capacity;
    }
    CHECK(waiting == s->held, "stream %u holds %u bytes and says %u", k->id, (unsigned)waiting, (unsigned)s->held);
    held += waiting;
    extra += s->extra;
    count++;
    unanswered += s->acknowledged ? 0 : 1;
    CHECK(s->receive_window >= 0, "stream %u: its window is negative", k->id);
    CHECK(k->received == k->read + waiting || k->may_be_reset || uvr_yamux_is_reset(s), "stream %u: %u bytes are lost",
          k->id, (unsigned)(k->received - k->read - waiting));
    if (uvr_yamux_is_reset(s) || s->send == UVR_YAMUX_SEND_RESET) {
      CHECK(s->length == 0, "stream %u: bytes are kept after its reset", k->id);
      continue;
    }
    uint32_t coming = g->data_stream == k ? g->data_left : 0;
    CHECK(s->send_window == k->limit - (int64_t)k->sent, "stream %u: the window to send is %d, not %d", k->id,
          (int)s->send_window, (int)(k->limit - (int64_t)k->sent));
    CHECK((uint64_t)s->receive_window + k->received + coming == k->granted + s->credit,
          "stream %u: the window to receive is %u", k->id, (unsigned)s->receive_window);
    CHECK(k->granted + s->credit == UVR_YAMUX_WINDOW + k->consumed - s->consumed + s->extra,
          "stream %u: %u bytes were granted", k->id, (unsigned)(k->granted + s->credit));
    CHECK(s->window <= UVR_YAMUX_STREAM_MAX, "stream %u: its window is too large", k->id);
    CHECK(k->piece == NULL || s->length > 0, "stream %u: its writer is not called", k->id);
  }
  CHECK(held == y->held && held <= g->total, "%u bytes are held, the session says %u of %u", (unsigned)held,
        (unsigned)y->held, (unsigned)g->total);
  CHECK(capacity <= held + held / 3 + (uint64_t)count * UVR_BUFFER_SMALL, "%u bytes are held in %u", (unsigned)held,
        (unsigned)capacity);
  CHECK(extra == y->grown && extra <= g->total / 4, "the windows have grown by %u", (unsigned)extra);
  CHECK(y->streams == count + y->reset_count && y->streams <= y->streams_max, "%u streams, the session says %u", count,
        y->streams);
  CHECK(y->unanswered == unanswered && unanswered <= UVR_YAMUX_BACKLOG, "%u are unanswered, the session says %u",
        unanswered, y->unanswered);
  CHECK(uvr_yamux_is_inside_frame(y) == (g->data_left > 0 || g->header_length > 0) || g->refused || g->killed,
        "the frames are not cut where the peer cuts them");
}

static known *choose(game *g)
{
  unsigned which = fuzz_byte(&g->in);
  known *k = g->count > 0 ? &g->all[which % g->count] : NULL;
  return k != NULL && k->s != NULL ? k : NULL;
}

static void open_stream(game *g)
{
  uint32_t id = g->e.y.next_id;
  if (g->count == STREAMS) {
    return;
  }
  bool room = !g->e.y.peer_goes_away && !g->killed && uvr_yamux_has_room(&g->e.y);
  ystream *s = yend_open(&g->e);
  CHECK((s != NULL) == room, "a stream is%s opened", s != NULL ? "" : " not");
  if (s != NULL) {
    known *k = add(g, id);
    k->s = s;
    k->ours = true;
    s->user = k;
    CHECK(s->s.id == id && is_ours(g, id), "a stream has the number %u", (unsigned)s->s.id);
  }
}

static void step(game *g)
{
  unsigned what = fuzz_byte(&g->in);
  known *k;
  if (what < 110) {
    peer_frame(g);
  } else if (what < 130) {
    peer_bytes(g);
  } else if (what < 150) {
    drain(g, (what & 1U) != 0);
  } else if (what < 170) {
    open_stream(g);
  } else if (what < 240) {
    k = choose(g);
    if (k != NULL) {
      unsigned act_of = fuzz_byte(&g->in);
      if ((what & 3U) == 0) {
        k->on_call = act_of;
      } else {
        act(g, k, act_of);
      }
    }
  } else if (what < 245) {
    g->e.clock += fuzz_byte(&g->in);
  } else if (what < 248 && g->e.y.reply_count < 32) {
    uvr_yamux_ping(&g->e.y, fuzz_byte(&g->in));
  } else if (what == 248) {
    g->e.refuse = !g->e.refuse;
  } else if (what == 249) {
    g->r.fail_at = g->r.allocations + 1 + fuzz_byte(&g->in);
  } else if (what == 250 && g->e.y.reply_count < 32) {
    g->went_away = true;
    uvr_yamux_go_away(&g->e.y, UVR_YAMUX_NORMAL);
  } else if (what == 251) {
    kill_session(g);
  }
}

/* The end: everything that is due is sent, and everything is given back. */
static void finish_game(game *g)
{
  if (!g->killed) {
    drain(g, true);
    for (unsigned i = 0; i < g->count; i++) {
      CHECK(!g->all[i].rst_due && g->all[i].old_rsts == 0, "stream %u: its reset is not sent", g->all[i].id);
    }
    CHECK(g->pings_due == 0, "%u pings are not answered", g->pings_due);
    CHECK(g->told == g->refused, "the peer is not told that it broke the rules");
    check(g);
  }
  kill_session(g);
  for (unsigned i = 0; i < g->count; i++) {
    if (g->all[i].s != NULL) {
      release(&g->all[i]);
    }
  }
  CHECK(g->e.streams == NULL, "a stream is left");
  yend_clear(&g->e);
  rig_clear(&g->r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const uint64_t totals[] = {128 * KIB, 256 * KIB, 1024 * KIB, 64 * KIB * KIB};
  game *g = calloc(1, sizeof(*g));
  CHECK(g != NULL, "there is no memory");
  g->in = (fuzz_input){data, size};
  unsigned first = fuzz_byte(&g->in);
  g->client = (first & 1U) != 0;
  g->total = totals[first / 2 % 4];
  g->next_peer_id = g->client ? 2 : 1;
  rig_init(&g->r);
  CHECK(yend_try_init(&g->e, &g->r, g->client, g->total) == 0, "there is no memory");
  g->e.user = g;
  g->e.on_stream = on_stream;
  g->e.on_readable = called;
  g->e.on_written = on_written;
  while (g->in.size > 0 && !g->refused && !g->killed) {
    step(g);
    check(g);
  }
  finish_game(g);
  free(g);
  return 0;
}
