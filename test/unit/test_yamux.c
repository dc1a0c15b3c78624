/* yamux, frame by frame: what is sent is compared with the specification byte by byte, and what comes is made by hand.
 * Two sessions against each other are in test_yamux_pair.c, and another implementation in
 * integration/linux/test_mux_conformance.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "yamux_rig.h"

enum { KIB = 1024, WINDOW = 256 * KIB };

static const char text[] = "The quick brown fox";

static void assert_filled(yend *e, const char *bytes, size_t length)
{
  char out[Y_OUT];
  assert_int_equal(uvr_yamux_fill(&e->y, out, sizeof(out)).length, length);
  assert_memory_equal(out, bytes, length);
}

/* Every kind of frame that is sent, as bytes. */
static void test_layout(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  assert_int_equal(yend_try_init(&e, &r, true, (uint64_t)64 * KIB * KIB), 0);
  assert_filled(&e, "\0\2\0\1\0\0\0\0\x75\x76\0\x20", 12);
  assert_filled(&e, "", 0);
  unsigned outputs = e.outputs;
  ystream *s = yend_open(&e);
  assert_true(e.outputs > outputs);
  assert_filled(&e, "\0\1\0\1\0\0\0\1\0\0\0\0", 12);
  assert_filled(&e, "", 0);
  assert_true(uvr_yamux_write(&s->s, text, 3));
  assert_int_equal(uvr_yamux_unwritten(&s->s), 3);
  assert_int_equal(s->written, 0);
  assert_filled(&e, "\0\0\0\0\0\0\0\1\0\0\0\3The", 15);
  assert_int_equal(uvr_yamux_unwritten(&s->s), 0);
  assert_int_equal(s->written, 1);
  assert_true(uvr_yamux_finish(&s->s));
  assert_filled(&e, "\0\1\0\4\0\0\0\1\0\0\0\0", 12);
  assert_int_equal(s->written, 2);
  ystream_release(s);
  assert_filled(&e, "\0\1\0\x8\0\0\0\1\0\0\0\0", 12);
  uvr_yamux_ping(&e.y, 0x12345678);
  assert_filled(&e, "\0\2\0\1\0\0\0\0\x12\x34\x56\x78", 12);
  yend_receive(&e, "\0\2\0\1\0\0\0\0\xFE\xDC\xBA\x98", 12);
  assert_filled(&e, "\0\2\0\2\0\0\0\0\xFE\xDC\xBA\x98", 12);
  yend_receive(&e, "\0\1\0\1\0\0\1\2\0\0\0\0", 12);
  assert_filled(&e, "\0\1\0\2\0\0\1\2\0\0\0\0", 12);
  uvr_yamux_go_away(&e.y, UVR_YAMUX_INTERNAL_ERROR);
  assert_filled(&e, "\0\3\0\0\0\0\0\0\0\0\0\2", 12);
  uvr_yamux_go_away(&e.y, UVR_YAMUX_NORMAL);
  assert_filled(&e, "\0\3\0\0\0\0\0\0\0\0\0\0", 12);
  yend_clear(&e);
  rig_clear(&r);
}

static void test_numbers(void **state)
{
  (void)state;
  for (unsigned client = 0; client < 2; client++) {
    rig r;
    yend e;
    rig_init(&r);
    yend_init(&e, &r, client != 0);
    for (uint32_t i = 0; i < 5; i++) {
      assert_non_null(yend_open(&e));
      yend_expect(&e, Y_UPDATE, Y_SYN, 2 * i + (client != 0 ? 1 : 2), 0);
    }
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* All that a new stream can be opened with, and what one of the peer's can be. */
static void test_accept(void **state)
{
  (void)state;
  static const struct {
    unsigned type;
    unsigned flags;
    uint32_t length;
    uint64_t window;
  } all[] = {
      {Y_UPDATE, Y_SYN, 0, WINDOW},       {Y_UPDATE, Y_SYN, 100000, WINDOW + 100000},
      {Y_DATA, Y_SYN, 0, WINDOW},         {Y_DATA, Y_SYN, 1000, WINDOW},
      {Y_DATA, Y_SYN | Y_FIN, 7, WINDOW}, {Y_UPDATE, Y_SYN | Y_FIN, 5, WINDOW + 5},
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, false);
    if (all[i].type == Y_DATA) {
      yend_feed_data(&e, all[i].flags, 7, 0, all[i].length);
    } else {
      yend_feed(&e, all[i].type, all[i].flags, 7, all[i].length);
    }
    assert_int_equal(e.opened, 1);
    ystream *s = e.streams;
    yend_expect(&e, Y_UPDATE, Y_ACK, 7, 0);
    yend_expect_nothing(&e);
    bool fin = (all[i].flags & Y_FIN) != 0;
    assert_int_equal(uvr_yamux_has_ended(&s->s), fin);
    assert_int_equal(ystream_read(s, 7, 0, true, &found), all[i].type == Y_DATA ? all[i].length : 0);
    assert_int_equal(found, fin ? UVR_YAMUX_END : UVR_YAMUX_NOTHING);
    char *much = calloc(1, 2 * WINDOW);
    assert_true(uvr_yamux_write(&s->s, much, 2 * WINDOW));
    assert_int_equal(yend_take_data(&e, 7), all[i].window);
    assert_int_equal(uvr_yamux_unwritten(&s->s), 2 * WINDOW - all[i].window);
    yend_clear(&e);
    free(much);
    rig_clear(&r);
  }
}

/* Data may follow the SYN at once, before it is acknowledged; in the same fill. */
static void test_write_at_once(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *s = yend_open(&e);
  assert_true(uvr_yamux_write(&s->s, text, sizeof(text)));
  yend_expect(&e, Y_UPDATE, Y_SYN, 1, 0);
  yend_expect(&e, Y_DATA, 0, 1, sizeof(text));
  assert_int_equal(s->written, 1);
  assert_true(uvr_yamux_write(&s->s, text, 2));
  assert_true(uvr_yamux_finish(&s->s)); /* while there is something before it */
  yend_expect(&e, Y_DATA, 0, 1, 2);
  yend_expect(&e, Y_UPDATE, Y_FIN, 1, 0);
  yend_expect_nothing(&e);
  assert_in_range(s->written, 2, 3);
  yend_clear(&e);
  rig_clear(&r);
}

/* The peer ends its input in every form there is; we go on, end too, and nothing more is sent. */
static void test_half_close_by_peer(void **state)
{
  (void)state;
  for (unsigned form = 0; form < 5; form++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, true);
    ystream *s = yend_open(&e);
    yend_expect(&e, Y_UPDATE, Y_SYN, 1, 0);
    yend_feed(&e, Y_UPDATE, Y_ACK, 1, 0);
    uint32_t data = form == 1 || form == 3 ? 100 : form == 4 ? 20000 : 0;
    if (form == 3 || form == 4) {
      yend_feed_data(&e, 0, 1, 0, data);
    }
    if (form == 0 || form >= 3) {
      yend_feed(&e, Y_UPDATE, Y_FIN, 1, 0);
    } else {
      yend_feed_data(&e, Y_FIN, 1, 0, data);
    }
    assert_true(s->readable > 0);
    assert_true(uvr_yamux_has_ended(&s->s)); /* before it is read */
    assert_int_equal(ystream_read(s, 1, 0, true, &found), data);
    assert_int_equal(found, UVR_YAMUX_END);
    assert_int_equal(ystream_read(s, 1, 0, true, &found), 0);
    assert_int_equal(found, UVR_YAMUX_NOTHING); /* told once */
    assert_false(uvr_yamux_is_reset(&s->s));
    yend_expect_nothing(&e); /* not even a window update, which would be of no use */
    assert_true(uvr_yamux_write(&s->s, text, 9));
    yend_expect(&e, Y_DATA, 0, 1, 9);
    yend_feed(&e, Y_UPDATE, 0, 1, 1234); /* is still of use */
    assert_true(uvr_yamux_finish(&s->s));
    yend_expect(&e, Y_UPDATE, Y_FIN, 1, 0);
    ystream_release(s);
    yend_expect_nothing(&e);
    assert_int_equal(e.y.streams, 0);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* We end first, and the peer goes on. */
static void test_half_close_by_us(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, false);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  ystream *s = e.streams;
  assert_true(uvr_yamux_finish(&s->s));
  yend_expect(&e, Y_UPDATE, Y_ACK, 1, 0);
  yend_expect(&e, Y_UPDATE, Y_FIN, 1, 0);
  uint64_t at = 0;
  for (unsigned i = 0; i < 50; i++) { /* beyond the first window */
    yend_feed_data(&e, 0, 1, at, 10000);
    assert_int_equal(ystream_read(s, 1, at, true, &found), 10000);
    assert_int_equal(found, UVR_YAMUX_NOTHING);
    at += 10000;
    yframe f;
    while (yend_next(&e, &f)) {
      assert_int_equal(f.type, Y_UPDATE);
      assert_int_equal(f.flags, 0);
    }
  }
  yend_feed(&e, Y_UPDATE, Y_FIN, 1, 0);
  assert_int_equal(ystream_read(s, 1, at, true, &found), 0);
  assert_int_equal(found, UVR_YAMUX_END);
  ystream_release(s);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* A reset by the peer: what came before can be read, then it is reported every time, and what waits is not sent. */
static void test_reset_by_peer(void **state)
{
  (void)state;
  for (unsigned form = 0; form < 4; form++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, true);
    ystream *s = yend_open(&e);
    bool early = form == 3; /* a refusal */
    char *much = calloc(1, 2 * WINDOW);
    assert_true(uvr_yamux_write(&s->s, much, 2 * WINDOW));
    yend_expect(&e, Y_UPDATE, Y_SYN, 1, 0);
    assert_int_equal(yend_take_data(&e, 1), WINDOW);
    if (!early) {
      yend_feed_data(&e, Y_ACK, 1, 0, 500);
    }
    unsigned readable = s->readable;
    if (form == 1) {
      yend_feed_data(&e, Y_RST, 1, 500, 100); /* its data may be lost or not */
    } else if (form == 2) {
      yend_feed(&e, Y_UPDATE, Y_FIN, 1, 0);
      yend_feed(&e, Y_UPDATE, Y_RST, 1, 0);
    } else {
      yend_feed(&e, Y_UPDATE, Y_RST, 1, 99);
    }
    assert_true(s->readable > readable);
    assert_int_equal(s->written, 1);
    assert_int_equal(uvr_yamux_unwritten(&s->s), 0);
    assert_true(uvr_yamux_is_reset(&s->s));
    uint64_t got = ystream_read(s, 1, 0, true, &found);
    assert_true(early ? got == 0 : got == 500 || (form == 1 && got == 600));
    if (form == 2) {
      assert_int_equal(found, UVR_YAMUX_END);
    }
    for (unsigned i = 0; i < 3; i++) {
      assert_int_equal(ystream_read(s, 1, 0, true, &found), 0);
      assert_int_equal(found, UVR_YAMUX_RESET);
    }
    assert_false(uvr_yamux_write(&s->s, text, 1));
    assert_false(uvr_yamux_finish(&s->s));
    yend_feed(&e, Y_UPDATE, 0, 1, 1000000);
    if (form != 2) {
      yend_feed_data(&e, 0, 1, 0, 1000); /* of a foolish peer */
    }
    yend_expect_nothing(&e);
    ystream_release(s);
    yend_expect_nothing(&e);
    assert_int_equal(e.y.streams, 0);
    assert_int_equal(e.y.unanswered, 0);
    yend_clear(&e);
    free(much);
    rig_clear(&r);
  }
}

/* Our owner lets go of a stream: one reset, nothing else, and what comes for it later is thrown away. */
static void test_release(void **state)
{
  (void)state;
  for (unsigned form = 0; form < 5; form++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, false);
    yend_feed_data(&e, Y_SYN, 5, 0, 3000);
    yend_feed(&e, Y_UPDATE, Y_SYN, 7, 0);
    ystream *other = e.streams;
    ystream *s = other->next;
    yend_expect(&e, Y_UPDATE, Y_ACK, 5, 0);
    yend_expect(&e, Y_UPDATE, Y_ACK, 7, 0);
    if (form == 1) { /* with bytes that are no longer sent */
      assert_true(uvr_yamux_write(&s->s, text, 5));
    } else if (form == 2) { /* only we have ended it */
      assert_true(uvr_yamux_finish(&s->s));
      yend_expect(&e, Y_UPDATE, Y_FIN, 5, 0);
    } else if (form == 3) { /* only the peer has */
      yend_feed(&e, Y_UPDATE, Y_FIN, 5, 0);
    } else if (form == 4) { /* in the midst of a frame */
      char header[12];
      yframe_put(header, Y_DATA, 0, 5, 2000);
      yend_receive(&e, header, 12);
    }
    unsigned outputs = e.outputs;
    ystream_release(s);
    assert_true(e.outputs > outputs || form == 1);
    assert_int_equal(e.y.held, 0);
    yend_expect(&e, Y_UPDATE, Y_RST, 5, 0);
    yend_expect_nothing(&e);
    if (form == 4) {
      char rest[2000] = {0};
      yend_receive(&e, rest, sizeof(rest));
    }
    if (form != 3) {
      yend_feed_data(&e, 0, 5, 0, 20000);
      yend_feed(&e, Y_UPDATE, 0, 5, 100000);
      yend_feed_data(&e, Y_FIN, 5, 0, 1);
    }
    yend_feed(&e, Y_UPDATE, Y_RST, 5, 0);
    yend_feed_data(&e, 0, 7, 0, 100); /* what comes after is found */
    assert_int_equal(ystream_read(other, 7, 0, true, &found), 100);
    yend_expect_nothing(&e);
    assert_int_equal(e.y.streams, 1);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* Frames of streams that there are none of are no error. */
static void test_unknown_streams(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  for (uint32_t id = 1; id < 40; id += 3) {
    yend_feed(&e, Y_UPDATE, 0, id, 5000);
    yend_feed(&e, Y_UPDATE, Y_ACK, id, 0);
    yend_feed(&e, Y_UPDATE, Y_FIN, id, 0);
    yend_feed(&e, Y_UPDATE, Y_RST, id, 0);
    yend_feed_data(&e, 0, id, 0, 70000);
    yend_feed_data(&e, Y_FIN, id, 0, 0);
  }
  assert_int_equal(e.opened, 0);
  yend_expect_nothing(&e);
  assert_int_equal(e.y.held, 0);
  yend_feed(&e, Y_UPDATE, Y_SYN, 2, 0);
  yend_expect(&e, Y_UPDATE, Y_ACK, 2, 0);
  yend_clear(&e);
  rig_clear(&r);
}

/* What breaks the rules ends the session. */
static void test_broken_rules(void **state)
{
  (void)state;
  static const struct {
    bool client;
    const char *what;
    char bytes[13];
  } all[] = {
      {true, "version 1", "\1\1\0\0\0\0\0\1\0\0\0\0"},
      {true, "version 255 of a ping", "\xFF\2\0\1\0\0\0\0\0\0\0\0"},
      {true, "type 4", "\0\4\0\0\0\0\0\0\0\0\0\0"},
      {true, "type 255", "\0\xFF\0\1\0\0\0\1\0\0\0\0"},
      {true, "data of stream 0", "\0\0\0\0\0\0\0\0\0\0\0\1"},
      {true, "window of stream 0", "\0\1\0\0\0\0\0\0\0\0\0\1"},
      {false, "SYN of stream 0", "\0\1\0\1\0\0\0\0\0\0\0\0"},
      {true, "SYN of a client's number at the client", "\0\1\0\1\0\0\0\x9\0\0\0\0"},
      {true, "SYN of its own stream", "\0\1\0\1\0\0\0\1\0\0\0\0"},
      {false, "SYN of a server's number at the server", "\0\0\0\1\0\0\0\x8\0\0\0\0"},
      {true, "SYN twice", "\0\1\0\1\0\0\0\2\0\0\0\0"},
      {true, "SYN twice, with data", "\0\0\0\1\0\0\0\2\0\0\0\x5"},
      {true, "a byte more than the window", "\0\0\0\0\0\0\0\2\0\4\0\1"},
      {true, "a window of 4 GiB", "\0\0\0\0\0\0\0\2\xFF\xFF\xFF\xFF"},
      {true, "a SYN with more than the window", "\0\0\0\1\0\0\0\4\0\4\0\1"},
      {true, "data after the end", "\0\0\0\0\0\0\0\6\0\0\0\1"},
      {true, "HTTP", "HTTP/1.1 200"},
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    rig r;
    yend e;
    rig_init(&r);
    yend_init(&e, &r, all[i].client);
    if (all[i].client) {
      assert_non_null(yend_open(&e));
      yend_feed(&e, Y_UPDATE, Y_SYN, 2, 0);
      yend_feed(&e, Y_UPDATE, Y_SYN | Y_FIN, 6, 0);
    }
    print_message("%s\n", all[i].what);
    yend_refuses(&e, all[i].bytes, 12);
    uvr_yamux_kill(&e.y);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* Flags that are not known, and those that make no sense there, change nothing. */
static void test_odd_flags(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *s = yend_open(&e);
  yend_expect(&e, Y_UPDATE, Y_SYN, 1, 0);
  for (unsigned i = 0; i < 3; i++) {
    yend_feed(&e, Y_UPDATE, Y_ACK, 1, 0); /* again and again */
  }
  assert_int_equal(e.y.unanswered, 0);
  yend_feed(&e, Y_UPDATE, 0xFFF0, 1, 0);
  yend_feed_data(&e, 0xFFF0, 1, 0, 10);
  yend_feed(&e, Y_PING, 0xFFF0 | Y_ACK, 0, 5);
  yend_feed(&e, Y_PING, 0, 0, 5);
  assert_int_equal(ystream_read(s, 1, 0, true, &found), 10);
  assert_int_equal(found, UVR_YAMUX_NOTHING);
  yend_expect_nothing(&e);
  yend_feed(&e, Y_PING, 0xFFF0 | Y_SYN, 0, 5);
  yend_expect(&e, Y_PING, Y_ACK, 0, 5);
  yend_feed(&e, Y_UPDATE, Y_FIN, 1, 0);
  yend_feed(&e, Y_UPDATE, Y_FIN, 1, 0); /* twice */
  yend_feed_data(&e, 0, 1, 0, 0);
  assert_int_equal(ystream_read(s, 1, 0, true, &found), 0);
  assert_int_equal(found, UVR_YAMUX_END);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* Data frames of no length are nothing, and their flags count. */
static void test_empty_data(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, false);
  yend_feed_data(&e, Y_SYN, 3, 0, 0);
  ystream *s = e.streams;
  yend_expect(&e, Y_UPDATE, Y_ACK, 3, 0);
  for (unsigned i = 0; i < 5; i++) {
    yend_feed_data(&e, 0, 3, 0, 0);
    assert_int_equal(ystream_read(s, 3, 0, true, &found), 0);
    assert_int_equal(found, UVR_YAMUX_NOTHING);
  }
  yend_feed_data(&e, 0, 3, 0, 3);
  assert_int_equal(ystream_read(s, 3, 0, true, &found), 3);
  yend_feed_data(&e, Y_FIN, 3, 0, 0);
  assert_int_equal(ystream_read(s, 3, 0, true, &found), 0);
  assert_int_equal(found, UVR_YAMUX_END);
  yend_feed_data(&e, Y_RST, 3, 0, 0);
  assert_int_equal(ystream_read(s, 3, 0, true, &found), 0);
  assert_int_equal(found, UVR_YAMUX_RESET);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* More pings than answers are kept: it takes only a part, at a frame's border, and goes on after a fill. */
static void test_many_pings(void **state)
{
  (void)state;
  enum { PINGS = 1000 };
  rig r;
  yend e;
  uvrelay_error_t error;
  rig_init(&r);
  yend_init(&e, &r, true);
  char *bytes = malloc((size_t)12 * PINGS);
  assert_non_null(bytes);
  for (uint32_t i = 0; i < PINGS; i++) {
    yframe_put(bytes + (size_t)12 * i, Y_PING, Y_SYN, 0, i * 77);
  }
  size_t at = 0;
  uint32_t answered = 0;
  unsigned rounds = 0;
  while (at < (size_t)12 * PINGS) {
    int64_t taken = uvr_yamux_receive(&e.y, bytes + at, (size_t)12 * PINGS - at, &error);
    assert_in_range(taken, 1, (size_t)12 * PINGS - at);
    assert_true(rounds > 0 || taken < (int64_t)12 * PINGS);
    at += (size_t)taken;
    if (at < (size_t)12 * PINGS) {
      assert_int_equal(uvr_yamux_receive(&e.y, bytes + at, 12, &error), 0); /* none before a fill */
    }
    uvr_yamux_ping(&e.y, 0xABCDEF00); /* there is always room for ours */
    uvr_yamux_go_away(&e.y, UVR_YAMUX_NORMAL);
    yframe f;
    unsigned own = 0;
    while (yend_next(&e, &f)) {
      if (f.type == Y_GO_AWAY || f.flags == Y_SYN) {
        own++;
      } else {
        assert_int_equal(f.type, Y_PING);
        assert_int_equal(f.flags, Y_ACK);
        assert_int_equal(f.length, answered * 77);
        answered++;
      }
    }
    assert_int_equal(own, 2);
    rounds++;
  }
  assert_int_equal(answered, PINGS);
  free(bytes);
  yend_clear(&e);
  rig_clear(&r);
}

static void test_go_away(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *s = yend_open(&e);
  yend_expect(&e, Y_UPDATE, Y_SYN, 1, 0);
  yend_feed(&e, Y_UPDATE, Y_ACK, 1, 0);
  yend_feed(&e, Y_GO_AWAY, 0, 0, UVR_YAMUX_INTERNAL_ERROR);
  assert_int_equal(e.go_aways, 1);
  assert_int_equal(e.code, UVR_YAMUX_INTERNAL_ERROR);
  assert_null(yend_open(&e));
  /* What is open goes on. */
  yend_feed_data(&e, 0, 1, 0, 10);
  assert_int_equal(ystream_read(s, 1, 0, true, &found), 10);
  assert_true(uvr_yamux_write(&s->s, text, 4));
  yend_expect(&e, Y_DATA, 0, 1, 4);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* A peer's stream that our owner does not want, or that is one too many. */
static void test_refuse(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, false);
  e.refuse = true;
  yend_feed_data(&e, Y_SYN, 1, 0, 1000);
  yend_feed_data(&e, 0, 1, 1000, 1000);
  yend_expect(&e, Y_UPDATE, Y_RST, 1, 0);
  yend_expect_nothing(&e);
  yend_clear(&e);
  uint32_t places = uvr_yamux_places(128 * KIB);
  assert_int_equal(places, 2);
  assert_int_equal(uvr_yamux_places((uint64_t)64 * KIB * KIB), 1024);
  assert_int_equal(yend_try_init(&e, &r, false, 128 * KIB), 0);
  yend_expect(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  for (uint32_t i = 0; i < places + UVR_YAMUX_BACKLOG; i++) {
    yend_feed(&e, Y_UPDATE, Y_SYN, 2 * i + 1, 0);
    yend_expect(&e, Y_UPDATE, Y_ACK, 2 * i + 1, 0);
  }
  uint32_t next = 2 * (places + UVR_YAMUX_BACKLOG) + 1;
  yend_feed(&e, Y_UPDATE, Y_SYN, next, 0);
  yend_expect(&e, Y_UPDATE, Y_RST, next, 0);
  assert_int_equal(e.opened, places + UVR_YAMUX_BACKLOG);
  ystream_release(e.streams);
  yend_expect(&e, Y_UPDATE, Y_RST, next - 2, 0);
  yend_feed(&e, Y_UPDATE, Y_SYN, next + 2, 0);
  yend_expect(&e, Y_UPDATE, Y_ACK, next + 2, 0);
  yend_clear(&e);
  rig_clear(&r);
}

/* We open no more streams than can be, and hear when there is room. */
static void test_room(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  for (uint32_t i = 0; i < UVR_YAMUX_BACKLOG; i++) {
    assert_non_null(yend_open(&e));
    yend_expect(&e, Y_UPDATE, Y_SYN, 2 * i + 1, 0);
  }
  assert_null(yend_open(&e));
  assert_int_equal(e.rooms, 0);
  yend_feed(&e, Y_UPDATE, Y_ACK, 11, 0);
  assert_int_equal(e.rooms, 1);
  yend_feed(&e, Y_UPDATE, Y_ACK, 13, 0);
  assert_int_equal(e.rooms, 1); /* once: nothing was refused since */
  assert_non_null(yend_open(&e));
  assert_non_null(yend_open(&e));
  assert_null(yend_open(&e));
  yend_clear(&e);
  /* By number of all. */
  assert_int_equal(yend_try_init(&e, &r, true, 128 * KIB), 0);
  yend_expect(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  for (uint32_t i = 0; i < 2; i++) {
    assert_non_null(yend_open(&e));
    yend_expect(&e, Y_UPDATE, Y_SYN, 2 * i + 1, 0);
    yend_feed(&e, Y_UPDATE, Y_ACK, 2 * i + 1, 0);
  }
  assert_null(yend_open(&e));
  assert_int_equal(e.rooms, 0);
  ystream_release(e.streams);
  yend_expect(&e, Y_UPDATE, Y_RST, 3, 0);
  assert_int_equal(e.rooms, 1);
  assert_non_null(yend_open(&e));
  yend_expect(&e, Y_UPDATE, Y_SYN, 5, 0);
  yend_clear(&e);
  rig_clear(&r);
}

/* The connection is gone. */
static void test_kill(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *all[4];
  for (unsigned i = 0; i < 4; i++) {
    all[i] = yend_open(&e);
  }
  yend_feed_data(&e, Y_ACK, 3, 0, 40);
  assert_true(uvr_yamux_write(&all[2]->s, text, 5));
  all[3]->release_when_readable = true;
  unsigned readable = all[1]->readable;
  uvr_yamux_kill(&e.y);
  assert_int_equal(all[0]->readable, 1);
  assert_int_equal(all[1]->readable, readable + 1);
  assert_int_equal(all[2]->written, 1);
  assert_int_equal(ystream_read(all[1], 3, 0, true, &found), 40);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(ystream_read(all[i], 1, 0, true, &found), 0);
    assert_int_equal(found, UVR_YAMUX_RESET);
    assert_true(uvr_yamux_is_reset(&all[i]->s));
    assert_false(uvr_yamux_write(&all[i]->s, text, 5));
    assert_false(uvr_yamux_finish(&all[i]->s));
  }
  yend_expect_nothing(&e);
  assert_null(yend_open(&e));
  uvr_yamux_kill(&e.y);
  ystream_release(all[0]);
  yend_expect_nothing(&e);
  yend_clear(&e);
  rig_clear(&r);
}

/* From its callbacks a stream may be released; a sanitizer looks who still uses it. */
static void test_release_in_callbacks(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  for (unsigned form = 0; form < 10; form++) {
    uint32_t id = 2 * form + 1;
    ystream *s = yend_open(&e);
    yend_expect(&e, Y_UPDATE, Y_SYN, id, 0);
    s->release_when_readable = true;
    switch (form) {
    case 0:
      yend_feed_data(&e, Y_ACK, id, 0, 100);
      break;
    case 1:
      yend_feed_data(&e, Y_FIN, id, 0, 100);
      break;
    case 2:
      yend_feed(&e, Y_UPDATE, Y_FIN | Y_ACK, id, 0);
      break;
    case 3:
      yend_feed_data(&e, Y_FIN, id, 0, 0);
      break;
    case 4: /* released at the reset, without a report that nothing was written */
      assert_true(uvr_yamux_write(&s->s, text, 5));
      yend_feed(&e, Y_UPDATE, Y_RST, id, 0);
      yend_expect_nothing(&e);
      continue;
    case 5:
      yend_feed_data(&e, Y_RST, id, 0, 100);
      yend_expect_nothing(&e);
      continue;
    case 6: /* in the midst of a fill */
      s->release_when_readable = false;
      s->release_when_written = true;
      assert_true(uvr_yamux_write(&s->s, text, 5));
      yend_expect(&e, Y_DATA, 0, id, 5);
      break;
    case 7:
      s->release_when_written = true;
      assert_true(uvr_yamux_finish(&s->s));
      yend_expect(&e, Y_UPDATE, Y_FIN, id, 0);
      break;
    case 8: /* it was reported that nothing was written */
      s->release_when_readable = false;
      s->release_when_written = true;
      assert_true(uvr_yamux_write(&s->s, text, 5));
      yend_feed(&e, Y_UPDATE, Y_RST, id, 0);
      yend_expect_nothing(&e);
      continue;
    default: /* for lack of memory */
      uvr_buffer_pool_clear(&e.pool);
      r.fail_at = r.allocations + 1;
      yend_feed_data(&e, Y_ACK, id, 0, 100);
      assert_true(r.failed);
      break;
    }
    assert_null(e.streams);
    yend_expect(&e, Y_UPDATE, Y_RST, id, 0);
    yend_expect_nothing(&e);
  }
  yend_clear(&e);
  rig_clear(&r);
}

/* The same from on_room: by an acknowledgement that came with a window, data, or an end. */
static void test_release_at_room(void **state)
{
  (void)state;
  for (unsigned form = 0; form < 4; form++) {
    rig r;
    yend e;
    rig_init(&r);
    yend_init(&e, &r, true);
    ystream *s = yend_open(&e);
    for (unsigned i = 1; i < UVR_YAMUX_BACKLOG; i++) {
      assert_non_null(yend_open(&e));
    }
    yframe f;
    while (yend_next(&e, &f)) {
    }
    assert_null(yend_open(&e));
    e.release_at_room = s;
    if (form < 2) {
      yend_feed(&e, Y_UPDATE, form == 0 ? Y_ACK : Y_ACK | Y_FIN, 1, 5000);
    } else {
      yend_feed_data(&e, form == 2 ? Y_ACK : Y_ACK | Y_RST, 1, 0, 5000);
    }
    assert_int_equal(e.rooms, 1);
    if (form < 3) {
      yend_expect(&e, Y_UPDATE, Y_RST, 1, 0);
    } else { /* the peer knows, but may be sent it */
      (void)yend_next(&e, &f);
    }
    yend_expect_nothing(&e);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* No memory for what comes resets that stream alone; the lack of memory for the session is reported. */
static void test_no_memory(void **state)
{
  (void)state;
  rig r;
  yend e;
  uvr_yamux_found found;
  rig_init(&r);
  unsigned failures = 0;
  do {
    r.failed = false;
    r.fail_at = r.allocations + failures + 1;
    int code = yend_try_init(&e, &r, true, (uint64_t)64 * KIB * KIB);
    assert_int_equal(code, r.failed ? UV_ENOMEM : 0);
    failures += r.failed ? 1 : 0;
    if (code == 0) {
      yend_clear(&e);
    }
  } while (r.failed);
  assert_in_range(failures, 1, 10);
  r.fail_at = 0;
  bool failed = true;
  unsigned held = 0;
  for (size_t n = 1; failed; n++) {
    yend_init(&e, &r, true);
    ystream *s = yend_open(&e);
    ystream *other = yend_open(&e);
    yend_expect(&e, Y_UPDATE, Y_SYN, 1, 0);
    yend_expect(&e, Y_UPDATE, Y_SYN, 3, 0);
    r.failed = false;
    r.fail_at = r.allocations + n;
    for (uint32_t i = 0; i < 4; i++) {
      yend_feed_data(&e, 0, 1, (uint64_t)20000 * i, 20000);
    }
    failed = r.failed;
    r.fail_at = 0;
    assert_int_equal(uvr_yamux_is_reset(&s->s), failed);
    uint64_t got = ystream_read(s, 1, 0, true, &found);
    assert_int_equal(found, failed ? UVR_YAMUX_RESET : UVR_YAMUX_NOTHING);
    assert_true(failed ? got < 80000 : got == 80000);
    held += failed ? 1 : 0;
    if (failed) {
      assert_false(uvr_yamux_write(&s->s, text, 3));
      yend_expect(&e, Y_UPDATE, Y_RST, 1, 0);
      yend_expect_nothing(&e);
      yend_feed_data(&e, 0, 1, 80000, 20000); /* that was under way */
      yend_feed(&e, Y_UPDATE, Y_FIN, 1, 0);
      ystream_release(s);
      yend_expect_nothing(&e);
    }
    yend_feed_data(&e, Y_ACK, 3, 0, 20000);
    assert_int_equal(ystream_read(other, 3, 0, false, &found), 20000);
    yend_clear(&e);
  }
  assert_in_range(held, 4, 20);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_accept),
      cmocka_unit_test(test_write_at_once),
      cmocka_unit_test(test_half_close_by_peer),
      cmocka_unit_test(test_half_close_by_us),
      cmocka_unit_test(test_reset_by_peer),
      cmocka_unit_test(test_release),
      cmocka_unit_test(test_unknown_streams),
      cmocka_unit_test(test_broken_rules),
      cmocka_unit_test(test_odd_flags),
      cmocka_unit_test(test_empty_data),
      cmocka_unit_test(test_many_pings),
      cmocka_unit_test(test_go_away),
      cmocka_unit_test(test_refuse),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_kill),
      cmocka_unit_test(test_release_in_callbacks),
      cmocka_unit_test(test_release_at_room),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
