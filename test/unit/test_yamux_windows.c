/* yamux's windows, to the byte: what may be sent, what may come, when the peer is given more, and how much more; the
 * hint by which our sessions know each other; turns; memory that is bounded against a peer that knows no hint; and
 * frames that come in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "yamux_rig.h"

enum { KIB = 1024, MIB = 1024 * KIB, WINDOW = 256 * KIB, BASE = 32 * KIB, MUCH = 20 * MIB };

static const char much[MUCH];

static ystream *open_acknowledged(yend *e, uint32_t id)
{
  ystream *s = yend_open(e);
  assert_non_null(s);
  yend_expect(e, Y_UPDATE, Y_SYN, id, 0);
  yend_feed(e, Y_UPDATE, Y_ACK, id, 0);
  return s;
}

/* What is sent fills the window and no byte more, in frames of 16 KiB at most. */
static void test_send_window(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *s = open_acknowledged(&e, 1);
  assert_true(uvr_yamux_write(&s->s, much, MUCH));
  for (unsigned i = 0; i < WINDOW / (16 * KIB); i++) {
    yend_expect(&e, Y_DATA, 0, 1, 16 * KIB);
  }
  yend_expect_nothing(&e);
  static const uint32_t updates[] = {1, 0, 16383, 16384, 16385, 100000, 1, 1, 8 * MIB};
  uint64_t sent = WINDOW;
  for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++) {
    unsigned outputs = e.outputs;
    yend_feed(&e, Y_UPDATE, 0, 1, updates[i]);
    assert_true(updates[i] == 0 || e.outputs > outputs);
    assert_int_equal(yend_take_data(&e, 1), updates[i]);
    sent += updates[i];
    assert_int_equal(uvr_yamux_unwritten(&s->s), MUCH - sent);
  }
  assert_int_equal(s->written, 0);
  /* Updates that come one after the other add up, beyond what 32 bits hold. */
  yend_feed(&e, Y_UPDATE, 0, 1, UINT32_MAX);
  yend_feed(&e, Y_UPDATE, 0, 1, UINT32_MAX);
  assert_int_equal(yend_take_data(&e, 1), MUCH - sent);
  assert_int_equal(s->written, 1);
  /* The end needs no window. */
  ystream *other = open_acknowledged(&e, 3);
  assert_true(uvr_yamux_write(&other->s, much, WINDOW));
  assert_int_equal(yend_take_data(&e, 3), WINDOW);
  assert_int_equal(other->written, 1);
  assert_true(uvr_yamux_finish(&other->s));
  yend_expect(&e, Y_UPDATE, Y_FIN, 3, 0);
  /* But it stays after the bytes before it. */
  ystream *last = open_acknowledged(&e, 5);
  assert_true(uvr_yamux_write(&last->s, much, WINDOW + 1));
  assert_true(uvr_yamux_finish(&last->s));
  assert_int_equal(yend_take_data(&e, 5), WINDOW);
  yend_feed(&e, Y_UPDATE, 0, 5, 9);
  yend_expect(&e, Y_DATA, 0, 5, 1);
  yend_expect(&e, Y_UPDATE, Y_FIN, 5, 0);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* The peer may fill the window in frames of any size, but not by a byte more; what was not read gives it no more. */
static void test_receive_window(void **state)
{
  (void)state;
  static const uint32_t sizes[] = {1000, 16384, 65536, 100000, WINDOW};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, false);
    yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
    yend_expect(&e, Y_UPDATE, Y_ACK, 1, 0);
    for (uint32_t at = 0; at < WINDOW;) {
      uint32_t piece = WINDOW - at < sizes[i] ? WINDOW - at : sizes[i];
      yend_feed_data(&e, 0, 1, at, piece);
      at += piece;
    }
    assert_int_equal(e.y.held, WINDOW);
    assert_int_equal(ystream_read(e.streams, 1, 0, false, &found), WINDOW);
    assert_int_equal(e.y.held, 0);
    yend_expect_nothing(&e);
    yend_feed_data(&e, 0, 1, 0, 0);
    yend_refuses(&e, "\0\0\0\0\0\0\0\1\0\0\0\1", 12);
    uvr_yamux_kill(&e.y);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* A reader that is slow gives back just what it took, by the quarter of a window. */
static void test_credit_of_slow_reader(void **state)
{
  (void)state;
  for (unsigned own = 0; own < 2; own++) {
    uint32_t window = own != 0 ? BASE : WINDOW;
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, false);
    if (own != 0) {
      yend_feed(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
      yend_expect(&e, Y_PING, Y_ACK, 0, UVR_YAMUX_HINT + 32);
    }
    yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
    ystream *s = e.streams;
    yend_expect(&e, Y_UPDATE, Y_ACK, 1, 0);
    uint64_t at = 0;
    for (unsigned i = 0; i < 10; i++) {
      yend_feed_data(&e, 0, 1, at, window);
      assert_int_equal(ystream_read(s, 1, at, false, &found), window);
      at += window;
      for (unsigned quarter = 0; quarter < 4; quarter++) {
        e.clock += 1000;
        uvr_yamux_consumed(&s->s, window / 4 - 1);
        yend_expect_nothing(&e);
        uvr_yamux_consumed(&s->s, 1);
        yend_expect(&e, Y_UPDATE, 0, 1, window / 4);
        yend_expect_nothing(&e);
      }
    }
    assert_int_equal(e.y.grown, 0);
    if (own == 0) {
      yend_feed_data(&e, 0, 1, at, window);
      yend_refuses(&e, "\0\0\0\0\0\0\0\1\0\0\0\1", 12);
      uvr_yamux_kill(&e.y);
    }
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* A reader that is fast has its window doubled each time, to a limit; and all that was given may be used. */
static void test_growth(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, false);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  ystream *s = e.streams;
  yend_expect(&e, Y_UPDATE, Y_ACK, 1, 0);
  uint64_t at = 0;
  uint64_t allowed = WINDOW;
  uint64_t window = WINDOW;
  while (window < UVR_YAMUX_STREAM_MAX) {
    yend_feed_data(&e, 0, 1, at, (uint32_t)window / 4);
    assert_int_equal(ystream_read(s, 1, at, true, &found), window / 4);
    at += window / 4;
    yend_expect(&e, Y_UPDATE, 0, 1, (uint32_t)(window / 4 + window));
    yend_expect_nothing(&e);
    allowed += window / 4 + window;
    window *= 2;
  }
  assert_int_equal(window, UVR_YAMUX_STREAM_MAX);
  for (unsigned i = 0; i < 3; i++) { /* no further */
    yend_feed_data(&e, 0, 1, at, (uint32_t)window / 4);
    assert_int_equal(ystream_read(s, 1, at, true, &found), window / 4);
    at += window / 4;
    yend_expect(&e, Y_UPDATE, 0, 1, (uint32_t)window / 4);
    allowed += window / 4;
  }
  assert_int_equal(allowed - at, UVR_YAMUX_STREAM_MAX);
  while (at < allowed) {
    yend_feed_data(&e, 0, 1, at, MIB);
    at += MIB;
  }
  assert_int_equal(e.y.held, UVR_YAMUX_STREAM_MAX);
  yend_refuses(&e, "\0\0\0\0\0\0\0\1\0\0\0\1", 12);
  uvr_yamux_kill(&e.y);
  yend_clear(&e);
  rig_clear(&r);
}

/* All streams together grow by no more than a quarter of the total, and a stream that is released gives its part back.
 */
static void test_growth_is_bounded(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  assert_int_equal(yend_try_init(&e, &r, false, 2 * MIB), 0);
  yend_expect(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  yend_feed(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  yend_expect(&e, Y_PING, Y_ACK, 0, UVR_YAMUX_HINT + 32);
  uint64_t more = 0;
  for (uint32_t id = 1; id < 40; id += 2) {
    yend_feed(&e, Y_UPDATE, Y_SYN, id, 0);
    ystream *s = e.streams;
    yend_expect(&e, Y_UPDATE, Y_ACK, id, 0);
    for (unsigned i = 0; i < 100; i++) {
      yframe f;
      yend_feed_data(&e, 0, id, (uint64_t)8192 * i, 8192);
      assert_int_equal(ystream_read(s, id, (uint64_t)8192 * i, true, &found), 8192);
      while (yend_next(&e, &f)) {
        assert_int_equal(f.type, Y_UPDATE);
        more += f.length;
      }
    }
  }
  /* All that was given is what was taken, less than a quarter of each window that is not yet told, and the growth. */
  assert_in_range(e.y.grown, MIB / 4, MIB / 2);
  assert_in_range(more, e.y.grown + (uint64_t)20 * 50 * 8192, e.y.grown + (uint64_t)20 * 100 * 8192);
  uint64_t grown = e.y.grown;
  ystream *first = e.streams;
  while (first->next != NULL) {
    first = first->next;
  }
  ystream_release(first); /* the one that has grown most */
  assert_true(e.y.grown < grown);
  yend_clear(&e);
  rig_clear(&r);
}

/* The hint before a stream is opened, after that, and after more was sent than it allows. */
static void test_hint(void **state)
{
  (void)state;
  static const struct {
    uint32_t value;
    uint64_t allows;
  } all[] = {
      {UVR_YAMUX_HINT + 32, BASE},
      {UVR_YAMUX_HINT + 1, KIB},
      {UVR_YAMUX_HINT + 255, 255 * KIB},
      {UVR_YAMUX_HINT, WINDOW},
      {0x75750020, WINDOW},
      {UVR_YAMUX_HINT + 256, WINDOW},
      {0x20, WINDOW},
      {UVR_YAMUX_HINT + 0xFFFF, WINDOW},
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    for (unsigned when = 0; when < 4; when++) {
      for (unsigned client = 0; client < 2; client++) {
        rig r;
        yend e;
        rig_init(&r);
        yend_init(&e, &r, client != 0);
        ystream *s = NULL;
        uint32_t id = client != 0 ? 1 : 2;
        if (when > 0) {
          s = open_acknowledged(&e, id);
        }
        uint64_t sent = when == 2 ? 500 : when == 3 ? 100 * KIB : 0;
        if (sent > 0) {
          assert_true(uvr_yamux_write(&s->s, much, (size_t)sent));
          assert_int_equal(yend_take_data(&e, id), sent);
        }
        yend_feed(&e, Y_PING, Y_SYN, 0, all[i].value);
        yend_expect(&e, Y_PING, Y_ACK, 0, all[i].value);
        yend_feed(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 7); /* only the first counts */
        yend_expect(&e, Y_PING, Y_ACK, 0, UVR_YAMUX_HINT + 7);
        bool seven = all[i].allows == WINDOW && (all[i].value >> 16 != UVR_YAMUX_HINT >> 16 || all[i].value << 16 == 0);
        uint64_t allows = seven ? 7 * KIB : all[i].allows;
        if (s == NULL) {
          s = open_acknowledged(&e, id);
        }
        assert_true(uvr_yamux_write(&s->s, much, MUCH));
        assert_int_equal(yend_take_data(&e, id), sent < allows ? allows - sent : 0);
        if (sent > allows) { /* more was sent than was wanted: that comes off what is given later */
          yend_feed(&e, Y_UPDATE, 0, id, (uint32_t)(sent - allows));
          yend_expect_nothing(&e);
          yend_feed(&e, Y_UPDATE, 0, id, 1);
          yend_expect(&e, Y_DATA, 0, id, 1);
        }
        yend_feed(&e, Y_UPDATE, 0, id, 70000);
        assert_int_equal(yend_take_data(&e, id), 70000);
        yend_clear(&e);
        rig_clear(&r);
      }
    }
  }
}

/* A late hint stops a stream that waits for its turn, and no other. */
static void test_late_hint_stops_one(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *bulk = open_acknowledged(&e, 1);
  assert_true(uvr_yamux_write(&bulk->s, much, MUCH));
  for (unsigned i = 0; i < 4; i++) {
    yend_expect(&e, Y_DATA, 0, 1, 16 * KIB);
  }
  yend_feed(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  ystream *other = yend_open(&e);
  assert_true(uvr_yamux_write(&other->s, much, 100));
  yend_expect(&e, Y_PING, Y_ACK, 0, UVR_YAMUX_HINT + 32);
  yend_expect(&e, Y_UPDATE, Y_SYN, 3, 0);
  yend_expect(&e, Y_DATA, 0, 3, 100);
  yend_expect_nothing(&e);
  unsigned outputs = e.outputs;
  yend_feed(&e, Y_UPDATE, 0, 1, 64 * KIB);
  assert_true(e.outputs > outputs);
  assert_int_equal(yend_take_data(&e, 1), BASE);
  yend_clear(&e);
  rig_clear(&r);
}

/* Between two that know each other no stream holds more than its base before it has grown. */
static void test_hinted_peer_uses_base(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, false);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  yend_feed(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  yframe f;
  while (yend_next(&e, &f)) {
  }
  /* The stream was opened before the hint came, and is treated like those after it. */
  yend_feed_data(&e, 0, 1, 0, BASE);
  e.clock += 1000;
  assert_int_equal(ystream_read(e.streams, 1, 0, false, &found), BASE);
  uvr_yamux_consumed(&e.streams->s, BASE / 4);
  yend_expect(&e, Y_UPDATE, 0, 1, BASE / 4);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* Streams take turns: what is small and comes late is in the next fill, before what is large goes on. */
static void test_turns(void **state)
{
  (void)state;
  enum { BULK = 20 };
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *all[BULK];
  for (uint32_t i = 0; i < BULK; i++) {
    all[i] = open_acknowledged(&e, 2 * i + 1);
    yend_feed(&e, Y_UPDATE, 0, 2 * i + 1, MUCH);
  }
  for (unsigned i = 0; i < BULK; i++) {
    assert_true(uvr_yamux_write(&all[i]->s, much, MUCH));
  }
  for (unsigned turn = 0; turn < 3; turn++) {
    for (uint32_t i = 0; i < BULK; i++) {
      yframe f;
      assert_true(yend_next(&e, &f));
      assert_int_equal(f.id, 2 * i + 1);
      assert_in_range(f.length, 8 * KIB, 16 * KIB); /* what is left of a fill is used, too */
    }
  }
  yend_clear(&e);
  /* Against one. */
  yend_init(&e, &r, true);
  ystream *bulk = open_acknowledged(&e, 1);
  ystream *sparse = open_acknowledged(&e, 3);
  yend_feed(&e, Y_UPDATE, 0, 1, MUCH);
  assert_true(uvr_yamux_write(&bulk->s, much, MUCH));
  for (unsigned i = 0; i < 20; i++) {
    yframe f;
    assert_true(yend_next(&e, &f));
    assert_true(yend_next(&e, &f));
    assert_int_equal(f.id, 1);
    assert_true(uvr_yamux_write(&sparse->s, much, 64));
    do { /* what was filled already, and then one frame at most */
      assert_true(yend_next(&e, &f));
    } while (e.out_length > 0 && f.id == 1);
    if (f.id == 1) {
      assert_true(yend_next(&e, &f));
    }
    assert_int_equal(f.id, 3);
    assert_int_equal(f.length, 64);
    assert_int_equal(sparse->written, i + 1);
  }
  yend_clear(&e);
  rig_clear(&r);
}

/* Buffers of all sizes are filled with whole frames only, and what is written is all there, in order. */
static void test_fill_sizes(void **state)
{
  (void)state;
  enum { TOTAL = 3 * MIB };
  rig r;
  yend e;
  rig_init(&r);
  char *bytes = malloc(TOTAL);
  char *out = malloc(MIB);
  assert_true(bytes != NULL && out != NULL);
  for (uint32_t i = 0; i < TOTAL; i++) {
    bytes[i] = rig_byte(1, i);
  }
  yend_init(&e, &r, true);
  ystream *s = open_acknowledged(&e, 1);
  yend_feed(&e, Y_UPDATE, 0, 1, TOTAL);
  uint64_t at = 0;
  uint64_t written = 0;
  while (at < TOTAL) {
    if (uvr_yamux_unwritten(&s->s) == 0) {
      uint64_t length = 1 + rig_random(&r, 200000);
      length = length < TOTAL - written ? length : TOTAL - written;
      assert_true(uvr_yamux_write(&s->s, bytes + written, (size_t)length));
      written += length;
    }
    if (rig_random(&r, 3) == 0) {
      uvr_yamux_ping(&e.y, 1);
    }
    size_t size = Y_OUT + rig_random(&r, rig_random(&r, 2) == 0 ? 100 : 200000);
    char *exact = malloc(size); /* a sanitizer looks at its end */
    assert_non_null(exact);
    size_t filled = uvr_yamux_fill(&e.y, exact, size).length;
    assert_in_range(filled, 12, size);
    memcpy(out, exact, filled);
    free(exact);
    for (size_t used = 0; used < filled;) {
      assert_true(filled - used >= 12);
      const unsigned char *h = (const unsigned char *)out + used;
      uint32_t length = h[1] == Y_DATA ? (uint32_t)(h[9] << 16 | h[10] << 8 | h[11]) : 0;
      assert_true(h[1] == Y_PING || (h[1] == Y_DATA && length > 0));
      assert_true(filled - used >= 12 + (size_t)length);
      assert_memory_equal(out + used + 12, bytes + at, length);
      at += length;
      used += 12 + (size_t)length;
    }
  }
  assert_int_equal(at, written);
  yend_clear(&e);
  free(bytes);
  free(out);
  rig_clear(&r);
}

/* A peer without the hint may fill 256 KiB of each stream: when that is more than the total, the stream that holds most
 * is reset and no other one is, and never is more held than the total. */
static void test_total(void **state)
{
  (void)state;
  static const uint32_t pieces[] = {1000, 16384, 40000, 65536, 100000};
  enum { TOTAL = 512 * KIB };
  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    assert_int_equal(yend_try_init(&e, &r, false, TOTAL), 0);
    size_t others = r.bytes;
    uint32_t sent[8] = {0};
    ystream *all[8];
    for (uint32_t n = 0; n < 8; n++) {
      yend_feed(&e, Y_UPDATE, Y_SYN, 2 * n + 1, 0);
      all[n] = e.streams;
    }
    /* The last one idles. The first is read at once, and so it is innocent. */
    for (unsigned round = 0; round < 4000; round++) {
      uint32_t n = rig_random(&r, 7);
      if (n > 0 && (uvr_yamux_is_reset(&all[n]->s) || sent[n] + pieces[i] > WINDOW)) {
        continue;
      }
      if (n == 0 && sent[0] + pieces[i] > WINDOW) {
        continue;
      }
      yend_feed_data(&e, 0, 2 * n + 1, sent[n], pieces[i]);
      sent[n] += pieces[i];
      assert_in_range(e.y.held, 0, TOTAL);
      assert_in_range(r.bytes - others, e.y.held, TOTAL + TOTAL / 8 + 256 * KIB); /* with those in the pool */
      if (n == 0) {
        assert_int_equal(ystream_read(all[0], 1, sent[0] - pieces[i], false, &found), pieces[i]);
      }
    }
    unsigned resets = 0;
    for (unsigned n = 0; n < 8; n++) {
      if (uvr_yamux_is_reset(&all[n]->s)) {
        resets++;
        (void)uvr_yamux_read(&all[n]->s, &(uvr_buffer *){NULL});
      } else {
        assert_int_equal(ystream_read(all[n], 2 * n + 1, 0, false, &found), n == 0 ? 0 : sent[n]);
      }
    }
    assert_in_range(resets, 1, 6);
    assert_false(uvr_yamux_is_reset(&all[0]->s));
    assert_false(uvr_yamux_is_reset(&all[7]->s));
    yframe f;
    unsigned told = 0;
    while (yend_next(&e, &f)) {
      told += f.type == Y_UPDATE && f.flags == Y_RST ? 1 : 0;
    }
    assert_int_equal(told, resets);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* One frame of more than the total at once. */
static void test_total_by_one_frame(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  assert_int_equal(yend_try_init(&e, &r, false, 128 * KIB), 0);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  ystream *s = e.streams;
  yend_feed(&e, Y_UPDATE, Y_SYN, 3, 0);
  yend_feed_data(&e, 0, 1, 0, 200000);
  assert_in_range(e.y.held, 0, 128 * KIB);
  assert_true(uvr_yamux_is_reset(&s->s));
  assert_false(uvr_yamux_is_reset(&e.streams->s));
  yend_clear(&e);
  /* One that takes the place of several. */
  assert_int_equal(yend_try_init(&e, &r, false, 128 * KIB), 0);
  for (uint32_t id = 1; id < 9; id += 2) {
    yend_feed_data(&e, Y_SYN, id, 0, id == 7 ? 65536 : 40000);
    assert_in_range(e.y.held, 0, 128 * KIB);
  }
  yend_clear(&e);
  rig_clear(&r);
}

/* A stream may be reset for lack of room even after its peer has ended it: then the end cannot be read, and the reset
 * is sent, unless both sides had ended the stream and it is released before its turn. */
static void test_total_behind_end(void **state)
{
  (void)state;
  for (unsigned both = 0; both < 2; both++) {
    for (unsigned early = 0; early < 2; early++) {
      rig r;
      yend e;
      uvr_buffer *buffer;
      rig_init(&r);
      assert_int_equal(yend_try_init(&e, &r, false, 128 * KIB), 0);
      yend_expect(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + UVR_YAMUX_BASE / KIB);
      yend_feed_data(&e, Y_SYN | Y_FIN, 1, 0, 100000);
      ystream *s = e.streams;
      assert_true(uvr_yamux_has_ended(&s->s));
      yend_feed(&e, Y_UPDATE, Y_SYN, 3, 0);
      yend_expect(&e, Y_UPDATE, Y_ACK, 1, 0);
      yend_expect(&e, Y_UPDATE, Y_ACK, 3, 0);
      if (both) {
        assert_true(uvr_yamux_finish(&s->s));
        yend_expect(&e, Y_UPDATE, Y_FIN, 1, 0);
      }
      yend_feed_data(&e, 0, 3, 0, 60000);
      assert_true(uvr_yamux_is_reset(&s->s));
      assert_false(uvr_yamux_has_ended(&s->s));
      assert_int_equal(uvr_yamux_read(&s->s, &buffer), UVR_YAMUX_RESET);
      if (early) {
        ystream_release(s);
      }
      if (!(both && early)) {
        yend_expect(&e, Y_UPDATE, Y_RST, 1, 0);
      }
      yend_expect_nothing(&e);
      yend_clear(&e);
      rig_clear(&r);
    }
  }
}

/* What a session makes of these bytes, in pieces of whatever length: what it sends, and what its streams get. */
typedef struct outcome {
  char sent[4096];
  size_t length;
  uint64_t bytes[8];
  uvr_yamux_found found[8];
  unsigned opened;
  unsigned go_aways;
} outcome;

/* Cuts before `cut`, and every `each` bytes, if that is not 0. */
static void run_script(const char *bytes, size_t length, size_t cut, size_t each, outcome *o)
{
  rig r;
  yend e;
  rig_init(&r);
  memset(o, 0, sizeof(*o));
  assert_int_equal(yend_try_init(&e, &r, false, MIB), 0);
  for (size_t at = 0; at < length;) {
    size_t end = at < cut ? cut : length;
    if (each > 0 && end > at + each) {
      end = at + each;
    }
    yend_receive(&e, bytes + at, end - at);
    at = end;
  }
  o->length = uvr_yamux_fill(&e.y, e.out, Y_OUT).length;
  assert_in_range(o->length, 12, sizeof(o->sent));
  memcpy(o->sent, e.out, o->length);
  o->opened = e.opened;
  o->go_aways = e.go_aways;
  unsigned n = 0;
  for (ystream *s = e.streams; s != NULL; s = s->next) {
    o->bytes[n] = ystream_read(s, 4242, 0, true, &o->found[n]);
    n++;
  }
  yend_clear(&e);
  rig_clear(&r);
}

static void test_pieces(void **state)
{
  (void)state;
  static const struct {
    unsigned type;
    unsigned flags;
    uint32_t id;
    uint32_t length;
  } script[] = {
      {Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32},
      {Y_UPDATE, Y_SYN, 1, 0},
      {Y_DATA, Y_SYN, 3, 70},
      {Y_PING, Y_SYN, 0, 0x01020304},
      {Y_DATA, 0, 1, 1},
      {Y_DATA, 0, 99, 33}, /* of none */
      {Y_UPDATE, 0, 1, 0x10203},
      {Y_DATA, 0, 1, 40},
      {Y_DATA, 0, 1, 0},
      {Y_DATA, Y_FIN, 3, 20},
      {Y_UPDATE, Y_SYN | Y_FIN, 5, 0},
      {Y_UPDATE, Y_RST, 1, 0},
      {Y_DATA, Y_SYN | Y_FIN, 7, 9},
      {Y_PING, Y_ACK, 0, 7},
      {Y_GO_AWAY, 0, 0, 0},
      {Y_DATA, Y_SYN | Y_RST, 9, 3},
      {Y_PING, Y_SYN, 0, 0x05060708},
  };
  char bytes[1024];
  size_t length = 0;
  uint64_t position[10] = {0};
  for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
    yframe_put(bytes + length, script[i].type, script[i].flags, script[i].id, script[i].length);
    length += 12;
    for (uint32_t n = 0; script[i].type == Y_DATA && n < script[i].length; n++) {
      bytes[length++] = script[i].id == 99 ? 0 : rig_byte(4242, position[script[i].id]++);
    }
  }
  outcome whole;
  run_script(bytes, length, 0, 0, &whole);
  assert_int_equal(whole.opened, 5);
  assert_int_equal(whole.go_aways, 1);
  assert_int_equal(whole.bytes[1], 9); /* number 7 */
  assert_int_equal(whole.bytes[3], 90);
  assert_int_equal(whole.bytes[4], 41);
  assert_int_equal(whole.found[2], UVR_YAMUX_END);
  assert_int_equal(whole.found[4], UVR_YAMUX_RESET);
  for (size_t cut = 0; cut <= length; cut++) {
    for (unsigned way = 0; way < 2; way++) { /* at each place, and in pieces of each length */
      outcome cutted;
      run_script(bytes, length, way == 0 ? cut : 0, way == 0 ? 0 : cut + 1, &cutted);
      /* A stream that is refused data by its reset may have held what came before in pieces. */
      cutted.bytes[0] = whole.bytes[0];
      assert_memory_equal(&cutted, &whole, sizeof(whole));
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_send_window),
      cmocka_unit_test(test_receive_window),
      cmocka_unit_test(test_credit_of_slow_reader),
      cmocka_unit_test(test_growth),
      cmocka_unit_test(test_growth_is_bounded),
      cmocka_unit_test(test_hint),
      cmocka_unit_test(test_late_hint_stops_one),
      cmocka_unit_test(test_hinted_peer_uses_base),
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_fill_sizes),
      cmocka_unit_test(test_total),
      cmocka_unit_test(test_total_by_one_frame),
      cmocka_unit_test(test_total_behind_end),
      cmocka_unit_test(test_pieces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
