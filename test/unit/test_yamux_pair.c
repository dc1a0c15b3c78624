/* Two sessions of yamux, back to back: the bytes between them come in random pieces at random moments, streams are
 * opened, written, half-closed, reset and left unread at random; all from seeds that are printed. Every byte arrives,
 * nothing hangs, no more is held than may be, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "yamux_rig.h"

enum { KIB = 1024, STREAMS = 60, CHUNK = 40000, CARRIER = 100 * KIB };

typedef struct game game;

/* One direction of one stream. */
typedef struct way {
  ystream *from; /* NULL: not yet, or released */
  ystream *to;
  uint64_t total; /* to be written; then it ends */
  uint64_t written;
  uint64_t read;
  bool finished;
  bool ended;
  bool stalled; /* the reader takes nothing until the rest is over */
  char *piece;  /* what is being written */
} way;

typedef struct pair {
  game *g;
  unsigned number;
  unsigned opener; /* 0: the client */
  bool unseen;     /* released before it was reported */
  way ways[2];     /* from the opener, and to it */
  bool cut;        /* one side has released it early */
  bool reset[2];   /* the opener, and the other, got a reset */
  bool spoilt;     /* for lack of memory */
} pair;

typedef struct carrier {
  char bytes[CARRIER];
  size_t length;
} carrier;

struct game {
  rig r;
  yend ends[2]; /* client, server */
  carrier carriers[2];
  pair pairs[STREAMS];
  unsigned opened;
  unsigned accepted[2]; /* of those of the client, and of the server: after the last */
  uint64_t total;
  uint64_t held_most;
  bool may_fail; /* streams may: there was no memory, or no more may be held */
};

/* Which of the two is this end for the pair: 0 its opener. */
static unsigned role(const pair *p, const ystream *s)
{
  return p->ways[0].from == s || p->ways[1].to == s ? 0 : 1;
}

static void forget(pair *p, unsigned who)
{
  way *out = &p->ways[who];
  way *in = &p->ways[1 - who];
  ystream *s = out->from != NULL ? out->from : in->to;
  if (s != NULL) {
    p->unseen = p->unseen || (s->s.due & Y_SYN) != 0;
    ystream_release(s);
  }
  out->from = NULL;
  in->to = NULL;
  free(out->piece);
  out->piece = NULL;
}

/* Reads some, and looks at it. */
static void read_some(pair *p, unsigned who, unsigned most)
{
  way *in = &p->ways[1 - who];
  yend *e = in->to->end;
  for (unsigned i = 0; i < most; i++) {
    uvr_buffer *buffer;
    uvr_yamux_found found = uvr_yamux_read(&in->to->s, &buffer);
    if (found == UVR_YAMUX_BYTES) {
      for (size_t n = 0; n < buffer->length; n++) {
        if (buffer->data[n] != rig_byte(2 * p->number + who, in->read + n)) {
          fail_msg("pair %u: byte %u is another", p->number, (unsigned)(in->read + n));
        }
      }
      in->read += buffer->length;
      uvr_yamux_consumed(&in->to->s, buffer->length);
      uvr_buffer_put(&e->pool, buffer);
      assert_false(in->ended);
    } else if (found == UVR_YAMUX_END) {
      assert_false(in->ended);
      assert_int_equal(in->read, in->total);
      in->ended = true;
    } else if (found == UVR_YAMUX_RESET) {
      assert_true(p->cut || p->reset[1 - who] || p->g->may_fail);
      p->reset[who] = true;
      return;
    } else {
      return;
    }
  }
}

static void write_some(pair *p, unsigned who)
{
  way *out = &p->ways[who];
  rig *r = &p->g->r;
  if (out->finished || p->reset[who] || out->piece != NULL) {
    return;
  }
  if (out->written == out->total) {
    out->finished = true;
    (void)uvr_yamux_finish(&out->from->s);
    return;
  }
  uint64_t length = 1 + rig_random(r, CHUNK);
  length = length < out->total - out->written ? length : out->total - out->written;
  out->piece = malloc((size_t)length);
  assert_non_null(out->piece);
  for (uint64_t i = 0; i < length; i++) {
    out->piece[i] = rig_byte(2 * p->number + 1 - who, out->written + i);
  }
  if (uvr_yamux_write(&out->from->s, out->piece, (size_t)length)) {
    out->written += length;
  } else {
    free(out->piece);
    out->piece = NULL;
  }
}

static void on_written(ystream *s)
{
  pair *p = s->user;
  way *out = &p->ways[role(p, s)];
  free(out->piece); /* a sanitizer checks that it is no longer read */
  out->piece = NULL;
}

static void on_stream(ystream *s)
{
  game *g = s->end->user;
  unsigned opener = s->end == &g->ends[0] ? 1 : 0;
  unsigned at = g->accepted[opener];
  while (at < g->opened && (g->pairs[at].opener != opener || g->pairs[at].unseen)) {
    at++; /* they come in the order in which they were opened */
  }
  assert_true(at < g->opened);
  g->accepted[opener] = at + 1;
  pair *p = &g->pairs[at];
  s->user = p;
  p->ways[0].to = s;
  p->ways[1].from = s;
}

static void pair_open(game *g)
{
  pair *p = &g->pairs[g->opened];
  /* The server opens some, too, where there can be too many of them at neither end. */
  unsigned opener = g->total > (uint64_t)KIB * KIB ? g->opened % 2 : 0;
  ystream *s = yend_open(&g->ends[opener]);
  if (s == NULL) {
    return; /* there is no room now */
  }
  *p = (pair){.g = g, .number = g->opened, .opener = opener};
  s->user = p;
  p->ways[0].from = s;
  p->ways[1].to = s;
  for (unsigned i = 0; i < 2; i++) {
    unsigned kind = rig_random(&g->r, 8);
    p->ways[i].total = kind == 0 ? 0 : kind < 4 ? rig_random(&g->r, 100) : rig_random(&g->r, 120 * KIB);
    p->ways[i].total = kind == 7 ? rig_random(&g->r, 900 * KIB) : p->ways[i].total;
    p->ways[i].stalled = rig_random(&g->r, 6) == 0;
  }
  g->opened++;
}

/* From one end to the carrier, as much as it takes, and from there to the other. */
static void carry(game *g, unsigned from, bool all)
{
  carrier *c = &g->carriers[from];
  size_t room = CARRIER - c->length;
  if (room >= Y_OUT) {
    size_t size = all ? room : Y_OUT + rig_random(&g->r, (unsigned)(room - Y_OUT) + 1);
    c->length += uvr_yamux_fill(&g->ends[from].y, c->bytes + c->length, size).length;
  }
  if (c->length == 0) {
    return;
  }
  uvrelay_error_t error = {0};
  size_t length =
      all ? c->length : 1 + rig_random(&g->r, rig_random(&g->r, 2) == 0 ? 40 : (unsigned)c->length) % c->length;
  /* Streams that one end has done with, and whose bytes the other still holds, are more than there are places. */
  g->may_fail = g->may_fail || g->ends[1 - from].y.held + length > g->total;
  int64_t taken = uvr_yamux_receive(&g->ends[1 - from].y, c->bytes, length, &error);
  if (taken < 0) {
    fail_msg("%s", error.text);
  }
  c->length -= (size_t)taken;
  memmove(c->bytes, c->bytes + taken, c->length);
  uint64_t held = g->ends[1 - from].y.held;
  g->held_most = held > g->held_most ? held : g->held_most;
  assert_in_range(held, 0, g->total);
}

static void act(game *g, bool end)
{
  rig *r = &g->r;
  unsigned what = rig_random(r, end ? 90 : 100);
  if (what < 30) {
    carry(g, rig_random(r, 2), false);
    return;
  }
  if (what < 32) {
    g->ends[rig_random(r, 2)].clock += rig_random(r, 100);
    return;
  }
  if (what == 33) {
    uvr_yamux_ping(&g->ends[rig_random(r, 2)].y, r->random & 0xFFFF);
    return;
  }
  if (what >= 96 && g->opened < STREAMS) {
    pair_open(g);
    return;
  }
  if (g->opened == 0) {
    return;
  }
  pair *p = &g->pairs[rig_random(r, g->opened)];
  unsigned who = rig_random(r, 2);
  way *in = &p->ways[1 - who];
  if (in->to == NULL) {
    return;
  }
  if (what < 60) {
    write_some(p, who);
  } else if (what < 94) {
    if (!in->stalled || end) {
      read_some(p, who, rig_random(r, 6));
    }
  } else if (rig_random(r, 30) == 0 && !end) {
    p->cut = true;
    forget(p, who);
  }
  /* Both ended, or reset: its owner lets go at last. */
  if (in->to != NULL && ((in->ended && p->ways[who].finished && p->ways[who].piece == NULL) || p->reset[who])) {
    if (rig_random(r, 4) == 0 && (p->reset[who] || uvr_yamux_has_ended(&in->to->s))) {
      p->cut = p->cut || (p->ways[who].from->s.due & Y_FIN) != 0; /* before its end is in a frame */
      forget(p, who);
    }
  }
}

static bool is_over(const game *g)
{
  for (unsigned i = 0; i < g->opened; i++) {
    const pair *p = &g->pairs[i];
    if (p->ways[0].from != NULL || p->ways[1].from != NULL) {
      return false;
    }
  }
  return g->carriers[0].length == 0 && g->carriers[1].length == 0;
}

static void play(game *g, unsigned seed, uint64_t window_total, size_t fail_at)
{
  memset(g, 0, sizeof(*g));
  rig_init(&g->r);
  g->r.random = seed;
  g->total = window_total;
  for (unsigned i = 0; i < 2; i++) {
    yend *e = &g->ends[i];
    assert_int_equal(yend_try_init(e, &g->r, i == 0, window_total), 0);
    e->user = g;
    e->on_stream = on_stream;
    e->on_written = on_written;
  }
  g->may_fail = fail_at > 0;
  g->r.fail_at = fail_at > 0 ? g->r.allocations + fail_at : 0;
  unsigned acts = 6000 + rig_random(&g->r, 6000);
  for (unsigned i = 0; i < acts; i++) {
    act(g, false);
  }
  /* Now everybody reads and writes to the end. */
  unsigned left = 3000000;
  while (!is_over(g)) {
    if (--left == 0) {
      fail_msg("%s", "it hangs");
    }
    act(g, true);
  }
  for (unsigned i = 0; i < g->opened; i++) {
    const pair *p = &g->pairs[i];
    for (unsigned n = 0; n < 2 && !p->cut && !(g->may_fail && (p->reset[0] || p->reset[1])); n++) {
      assert_true(p->ways[n].ended);
      assert_int_equal(p->ways[n].read, p->ways[n].total);
    }
  }
  for (unsigned i = 0; i < 4; i++) {
    carry(g, i % 2, true);
  }
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(g->ends[i].y.streams, 0);
    assert_int_equal(g->ends[i].y.unanswered, 0);
    yend_clear(&g->ends[i]);
  }
  rig_clear(&g->r);
}

static void test_random(void **state)
{
  (void)state;
  static const uint64_t totals[] = {128 * KIB, 256 * KIB, 1024 * KIB, 64 * KIB * KIB};
  game *g = malloc(sizeof(*g));
  assert_non_null(g);
  for (unsigned seed = 1; seed <= 12; seed++) {
    uint64_t total = totals[seed % 4];
    print_message("seed %u, window total %u KiB\n", seed, (unsigned)(total / KIB));
    play(g, seed, total, 0);
    print_message("%u streams, at most %u KiB held%s\n", g->opened, (unsigned)(g->held_most / KIB),
                  g->may_fail ? ", which was too much" : "");
    assert_in_range(g->opened, 1, STREAMS);
  }
  free(g);
}

/* The same with each allocation of it failing. */
static void test_no_memory(void **state)
{
  (void)state;
  game *g = malloc(sizeof(*g));
  assert_non_null(g);
  size_t n = 0;
  do {
    n = n < 8 ? n + 1 : 2 * n;
    play(g, 7, 1024 * KIB, n);
  } while (g->r.failed);
  print_message("%u allocations\n", (unsigned)n);
  assert_in_range(n, 20, 100000);
  free(g);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
