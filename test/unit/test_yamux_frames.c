/* yamux's long frames: how they grow with the window, how they are sent and received without a copy, and that what is
 * brief does not wait for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "yamux_rig.h"

enum { KIB = 1024, MIB = 1024 * KIB, FIRST = 16 * KIB, LONGEST = 64 * KIB - 12 };

static ystream *open_acknowledged(yend *e, uint32_t id)
{
  ystream *s = yend_open(e);
  assert_non_null(s);
  yend_expect(e, Y_UPDATE, Y_SYN, id, 0);
  yend_feed(e, Y_UPDATE, Y_ACK, id, 0);
  return s;
}

/* A buffer with test data. */
static uvr_buffer *make_buffer(yend *e, uint32_t id, size_t length)
{
  uvr_buffer *buffer = uvr_buffer_new(&e->pool, length);
  assert_non_null(buffer);
  buffer->length = length;
  for (size_t i = 0; i < length; i++) {
    buffer->data[i] = rig_byte(id, i);
  }
  return buffer;
}

static void check_header(const char *at, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  char expected[12];
  yframe_put(expected, type, flags, id, length);
  assert_memory_equal(at, expected, sizeof(expected));
}

/* A peer of our own kind lets a stream begin with 32 KiB. Frames have half of the largest window seen, 16 KiB at least
 * and 64 KiB with the header at most. */
static void test_growth(void **state)
{
  (void)state;
  static const struct {
    uint32_t update;
    uint32_t frame;
  } steps[] = {{0, FIRST},    {1, FIRST},           {8 * KIB, 20 * KIB}, {44 * KIB, 22 * KIB},
               {1, 22 * KIB}, {56 * KIB, 50 * KIB}, {MIB, LONGEST},      {100000, LONGEST}};
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  yend_feed(&e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + 32);
  yend_expect(&e, Y_PING, Y_ACK, 0, UVR_YAMUX_HINT + 32);
  ystream *s = open_acknowledged(&e, 1);
  assert_int_equal(uvr_yamux_best_write(&s->s), FIRST);
  uint64_t window = 32 * KIB;
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    yend_feed(&e, Y_UPDATE, 0, 1, steps[i].update);
    window += steps[i].update;
    assert_int_equal(uvr_yamux_best_write(&s->s), steps[i].frame);
    if (i == 2) { /* the rest of the steps begins without a window */
      static const char some[48 * KIB];
      assert_true(uvr_yamux_write(&s->s, some, (size_t)window));
      assert_int_equal(yend_take_data(&e, 1), window);
      window = 0;
    }
  }
  assert_int_equal(uvr_yamux_best_write(&s->s), LONGEST);
  yend_clear(&e);
  rig_clear(&r);
}

/* The header of a long frame is directly before its data, in the writer's buffer, after what else is due. */
static void test_sent_in_place(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *s = open_acknowledged(&e, 1); /* by a peer without a hint, whose window is 256 KiB */
  uvr_buffer *buffer = make_buffer(&e, 1, LONGEST + 8 * KIB);
  char *data = buffer->data;
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  yend_feed_data(&e, 0, 1, 0, 200 * KIB);
  uvr_yamux_found found;
  assert_int_equal(ystream_read(s, 1, 0, true, &found), 200 * KIB);
  uvr_yamux_output output = uvr_yamux_fill(&e.y, e.out, Y_OUT);
  assert_ptr_equal(output.buffer, buffer);
  assert_ptr_equal(output.data, data - 24);
  assert_int_equal(output.length, 24 + LONGEST);
  assert_int_equal(output.data[1], Y_UPDATE);
  check_header(output.data + 12, Y_DATA, 0, 1, LONGEST);
  uvr_buffer_put(&e.pool, output.buffer);
  assert_int_equal(s->written, 0);
  assert_int_equal(uvr_yamux_unwritten(&s->s), 8 * KIB);
  output = uvr_yamux_fill(&e.y, e.out, Y_OUT);
  assert_ptr_equal(output.data, data + LONGEST - 12);
  assert_int_equal(output.length, 12 + 8 * KIB);
  check_header(output.data, Y_DATA, 0, 1, 8 * KIB);
  for (size_t i = 0; i < 8 * KIB; i++) {
    assert_int_equal(data[LONGEST + i], rig_byte(1, LONGEST + i));
  }
  /* The writer has done with it, but it is not free before it is sent. */
  assert_int_equal(s->written, 1);
  uvr_buffer_put(&e.pool, buffer);
  size_t blocks = r.blocks;
  ystream_release(s);
  assert_int_equal(data[LONGEST], rig_byte(1, LONGEST));
  uvr_buffer_put(&e.pool, output.buffer);
  assert_int_equal(r.blocks, blocks - 1);
  yend_clear(&e);
  rig_clear(&r);
}

/* What is short is copied, so that one write sends much of it. A long frame follows alone. */
static void test_short_is_copied(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  uvr_buffer *all[3];
  ystream *streams[3];
  for (uint32_t i = 0; i < 3; i++) {
    streams[i] = open_acknowledged(&e, 2 * i + 1);
  }
  for (uint32_t i = 0; i < 3; i++) {
    all[i] = make_buffer(&e, 2 * i + 1, i < 2 ? 4095 : 4096);
    assert_true(uvr_yamux_write_buffer(&streams[i]->s, all[i]));
  }
  uvr_yamux_output output = uvr_yamux_fill(&e.y, e.out, Y_OUT);
  assert_null(output.buffer);
  assert_ptr_equal(output.data, e.out);
  assert_int_equal(output.length, 2 * (12 + 4095));
  check_header(e.out, Y_DATA, 0, 1, 4095);
  check_header(e.out + 12 + 4095, Y_DATA, 0, 3, 4095);
  output = uvr_yamux_fill(&e.y, e.out, Y_OUT);
  assert_ptr_equal(output.buffer, all[2]);
  assert_int_equal(output.length, 12 + 4096);
  uvr_buffer_put(&e.pool, output.buffer);
  assert_int_equal(uvr_yamux_fill(&e.y, e.out, Y_OUT).length, 0);
  for (uint32_t i = 0; i < 3; i++) {
    uvr_buffer_put(&e.pool, all[i]);
  }
  yend_clear(&e);
  rig_clear(&r);
}

/* A brief write comes before the frames of twenty writers of much, and they are shorter from then on, for a while; but
 * brief writes without end do not stop those. */
static void test_brief(void **state)
{
  (void)state;
  enum { BULK = 20, ROUNDS = 5 };
  static const char little[1000];
  rig r;
  yend e;
  yframe f;
  rig_init(&r);
  yend_init(&e, &r, true);
  uvr_buffer *buffers[BULK];
  ystream *streams[BULK];
  for (uint32_t i = 0; i < BULK; i++) {
    streams[i] = open_acknowledged(&e, 2 * i + 1);
    yend_feed(&e, Y_UPDATE, 0, 2 * i + 1, 8 * MIB);
  }
  ystream *sparse = open_acknowledged(&e, 2 * BULK + 1);
  for (uint32_t i = 0; i < BULK; i++) {
    buffers[i] = make_buffer(&e, 2 * i + 1, LONGEST);
    assert_true(uvr_yamux_write_buffer(&streams[i]->s, buffers[i]));
  }
  yend_feed(&e, Y_UPDATE, 0, 2 * BULK + 1, 8 * MIB);
  assert_true(yend_next(&e, &f));
  assert_int_equal(f.length, LONGEST);
  for (unsigned i = 0; i < ROUNDS; i++) {
    assert_true(uvr_yamux_write(&sparse->s, little, sizeof(little)));
    yend_expect(&e, Y_DATA, 0, 2 * BULK + 1, sizeof(little));
    assert_true(yend_next(&e, &f));
    assert_int_equal(f.length, FIRST);
  }
  /* Without end. */
  size_t brief = 0;
  unsigned bulk = 0;
  for (unsigned i = 0; i < 200; i++) {
    if (uvr_yamux_unwritten(&sparse->s) == 0) {
      assert_true(uvr_yamux_write(&sparse->s, little, sizeof(little)));
    }
    assert_true(yend_next(&e, &f));
    brief = f.id == sparse->s.id ? brief + f.length : 0;
    bulk += f.id != sparse->s.id ? 1 : 0;
    assert_in_range(brief, 0, 2 * FIRST);
  }
  assert_in_range(bulk, 8, 30);
  ystream_release(sparse);
  for (unsigned i = 0; i < BULK; i++) {
    uvr_buffer_put(&e.pool, buffers[i]);
  }
  while (e.streams != NULL) {
    ystream_release(e.streams);
  }
  yend_clear(&e);
  rig_clear(&r);
}

/* Frames are long again when there was nothing brief for a MiB. */
static void test_long_again(void **state)
{
  (void)state;
  rig r;
  yend e;
  yframe f;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *bulk = open_acknowledged(&e, 1);
  ystream *sparse = open_acknowledged(&e, 3);
  yend_feed(&e, Y_UPDATE, 0, 1, 8 * MIB);
  assert_true(uvr_yamux_write(&sparse->s, "x", 1));
  yend_expect(&e, Y_DATA, 0, 3, 1);
  size_t sent = 0;
  do {
    uvr_buffer *buffer = make_buffer(&e, 1, LONGEST);
    assert_true(uvr_yamux_write_buffer(&bulk->s, buffer));
    assert_true(yend_next(&e, &f));
    uint32_t first = f.length;
    for (sent += first; uvr_yamux_unwritten(&bulk->s) > 0; sent += f.length) {
      assert_true(yend_next(&e, &f));
    }
    uvr_buffer_put(&e.pool, buffer);
    f.length = first;
  } while (f.length < LONGEST && sent < 4 * MIB);
  assert_in_range(sent, MIB, 2 * MIB);
  yend_clear(&e);
  rig_clear(&r);
}

/* While other streams send little, a long frame is chosen late, if nothing goes before it; and it stays long where that
 * is done. */
static void test_chosen_late(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *bulk = open_acknowledged(&e, 1);
  ystream *sparse = open_acknowledged(&e, 3);
  yend_feed(&e, Y_UPDATE, 0, 1, 8 * MIB);
  uvr_buffer *buffer = make_buffer(&e, 1, LONGEST);
  assert_false(uvr_yamux_chooses_late(&e.y)); /* there is nothing to choose */
  assert_true(uvr_yamux_write_buffer(&bulk->s, buffer));
  assert_false(uvr_yamux_chooses_late(&e.y)); /* nobody sends little */
  yend_expect(&e, Y_DATA, 0, 1, LONGEST);
  uvr_buffer_put(&e.pool, buffer);
  buffer = make_buffer(&e, 1, LONGEST);
  assert_true(uvr_yamux_write(&sparse->s, "x", 1));
  assert_true(uvr_yamux_write_buffer(&bulk->s, buffer));
  assert_false(uvr_yamux_chooses_late(&e.y)); /* a short frame is first */
  yend_expect(&e, Y_DATA, 0, 3, 1);
  assert_true(uvr_yamux_chooses_late(&e.y));
  yend_expect(&e, Y_DATA, 0, 1, FIRST);
  uvr_yamux_keep_long(&e.y);
  assert_true(uvr_yamux_chooses_late(&e.y));
  yend_expect(&e, Y_DATA, 0, 1, LONGEST - FIRST);
  uvr_buffer_put(&e.pool, buffer);
  yend_clear(&e);
  rig_clear(&r);
}

/* The rest of a long write is not brief, and what a stream sends does not shorten its own frames. */
static void test_brief_alone(void **state)
{
  (void)state;
  static const char much[65536];
  rig r;
  yend e;
  yframe f;
  rig_init(&r);
  yend_init(&e, &r, true);
  ystream *one = open_acknowledged(&e, 1);
  ystream *other = open_acknowledged(&e, 3);
  for (uint32_t i = 0; i < 2; i++) {
    yend_feed(&e, Y_UPDATE, 0, 2 * i + 1, 8 * MIB);
  }
  for (unsigned i = 0; i < 3; i++) {
    uvr_buffer *mine = make_buffer(&e, 1, LONGEST);
    uvr_buffer *its = make_buffer(&e, 3, LONGEST);
    assert_true(uvr_yamux_write_buffer(&one->s, mine));
    assert_true(uvr_yamux_write_buffer(&other->s, its));
    yend_expect(&e, Y_DATA, 0, 1, LONGEST);
    yend_expect(&e, Y_DATA, 0, 3, LONGEST);
    assert_true(uvr_yamux_write(&one->s, much, 12));
    yend_expect(&e, Y_DATA, 0, 1, 12);
    uvr_buffer_put(&e.pool, mine);
    uvr_buffer_put(&e.pool, its);
  }
  assert_true(uvr_yamux_write(&one->s, much, 12)); /* this one is */
  yend_expect(&e, Y_DATA, 0, 1, 12);
  uvr_buffer *mine = make_buffer(&e, 1, LONGEST);
  uvr_buffer *its = make_buffer(&e, 3, LONGEST);
  assert_true(uvr_yamux_write_buffer(&one->s, mine));
  yend_expect(&e, Y_DATA, 0, 1, LONGEST);
  assert_true(uvr_yamux_write_buffer(&other->s, its));
  assert_true(yend_next(&e, &f));
  assert_int_equal(f.length, FIRST);
  ystream_release(other);
  uvr_buffer_put(&e.pool, mine);
  uvr_buffer_put(&e.pool, its);
  while (yend_next(&e, &f)) {
  }
  yend_clear(&e);
  rig_clear(&r);
}

/* What a read has brought: the rest of a header before the data, and then the data and what follows. */
static uvr_buffer *make_read(yend *e, const char *bytes, size_t length, size_t capacity)
{
  uint8_t before;
  assert_in_range(uvr_yamux_best_read(&e->y, &before), 1, 64 * KIB);
  before = before < length ? before : (uint8_t)length;
  uvr_buffer *buffer = capacity == 64 * KIB ? uvr_buffer_get_huge(&e->pool) : uvr_buffer_new(&e->pool, capacity);
  assert_non_null(buffer);
  assert_true(length <= capacity + before);
  buffer->before = before;
  buffer->length = length;
  memcpy(buffer->data - before, bytes, length);
  return buffer;
}

/* Gives it all of what a read has brought. Returns whether a stream has got the buffer. */
static bool receive_read(yend *e, uvr_buffer *in)
{
  uvrelay_error_t error;
  const uvr_buffer *given = in;
  size_t used = 0;
  bool kept = false;
  while (in != NULL && used < in->length) {
    assert_int_equal(uvr_yamux_receive_buffer(&e->y, &in, &used, &error), 0);
    kept = kept || in != given;
  }
  uvr_buffer_put(&e->pool, in);
  return kept;
}

/* Frames of many sizes in reads of many sizes: the bytes are right, and the buffer becomes the stream's if that takes
 * little memory. */
static void test_received_in_place(void **state)
{
  (void)state;
  static const struct {
    uint32_t frame;
    size_t follows; /* bytes of the next frames in the same read */
    size_t capacity;
    bool kept;
  } all[] = {{LONGEST, 0, 64 * KIB, true},   {LONGEST, 12, 64 * KIB, true},      {48 * KIB, 0, 64 * KIB, true},
             {48 * KIB, 36, 64 * KIB, true}, {48 * KIB - 1, 0, 64 * KIB, false}, {48 * KIB, 16 * KIB, 64 * KIB, true},
             {16 * KIB, 0, 16 * KIB, true},  {16 * KIB - 1, 0, 16 * KIB, false}, {1000, 0, 1000, false},
             {1, 0, 64 * KIB, false},        {40 * KIB, 20000, 64 * KIB, false}, {200 * KIB, 0, 64 * KIB, true}};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    rig r;
    yend e;
    uvr_yamux_found found;
    rig_init(&r);
    yend_init(&e, &r, false);
    yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
    ystream *s = e.streams;
    char *bytes = calloc(1, 12 + all[i].frame + all[i].follows + 12);
    assert_non_null(bytes);
    yframe_put(bytes, Y_DATA, 0, 1, all[i].frame);
    for (uint32_t n = 0; n < all[i].frame; n++) {
      bytes[12 + n] = rig_byte(1, n);
    }
    for (size_t n = 0; n < all[i].follows; n += 12) {
      yframe_put(bytes + 12 + all[i].frame + n, Y_UPDATE, 0, 1, 1);
    }
    size_t length = 12 + all[i].frame + all[i].follows;
    size_t first = length < all[i].capacity + 12 ? length : all[i].capacity + 12;
    const uvr_buffer *in = make_read(&e, bytes, first, all[i].capacity);
    assert_int_equal(receive_read(&e, (uvr_buffer *)in), all[i].kept);
    assert_true(all[i].kept == (s->s.first == in));
    for (size_t at = first; at < length; at += first) {
      uint8_t before;
      first = uvr_yamux_best_read(&e.y, &before);
      assert_int_equal(before, 0);
      first = first < length - at ? first : length - at;
      bool may_be_kept = first >= 48 * KIB;
      assert_int_equal(receive_read(&e, make_read(&e, bytes + at, first, 64 * KIB)), may_be_kept);
    }
    assert_int_equal(s->s.held, all[i].frame);
    assert_int_equal(ystream_read(s, 1, 0, false, &found), all[i].frame);
    assert_int_equal(e.y.data_left, 0);
    assert_int_equal(e.y.header_length, all[i].follows % 12);
    free(bytes);
    yend_clear(&e);
    rig_clear(&r);
  }
}

/* The rest of a long frame is read alone; the header that follows is read before the next one's data. */
static void test_best_read(void **state)
{
  (void)state;
  rig r;
  yend e;
  uint8_t before;
  char header[12];
  rig_init(&r);
  yend_init(&e, &r, false);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  assert_int_equal(uvr_yamux_best_read(&e.y, &before), 64 * KIB);
  assert_int_equal(before, 12);
  yframe_put(header, Y_DATA, 0, 1, 60 * KIB);
  yend_receive(&e, header, 5);
  assert_int_equal(uvr_yamux_best_read(&e.y, &before), 64 * KIB);
  assert_int_equal(before, 7);
  yend_receive(&e, header + 5, 7);
  assert_int_equal(uvr_yamux_best_read(&e.y, &before), 60 * KIB);
  assert_int_equal(before, 0);
  static const char zeros[60 * KIB];
  yend_receive(&e, zeros, 50 * KIB);
  assert_int_equal(uvr_yamux_best_read(&e.y, &before), 64 * KIB); /* with what follows */
  assert_int_equal(before, 0);
  yend_receive(&e, zeros, 10 * KIB);
  assert_int_equal(uvr_yamux_best_read(&e.y, &before), 64 * KIB);
  assert_int_equal(before, 12);
  yend_clear(&e);
  rig_clear(&r);
}

/* A buffer for a stream that is no longer there is put back, and the one that holds most makes room for it. */
static void test_received_for_none(void **state)
{
  (void)state;
  rig r;
  yend e;
  rig_init(&r);
  assert_int_equal(yend_try_init(&e, &r, false, 128 * KIB), 0);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  char *bytes = calloc(1, 64 * KIB);
  assert_non_null(bytes);
  yframe_put(bytes, Y_DATA, 0, 1, LONGEST);
  for (unsigned i = 0; i < 2; i++) {
    assert_true(receive_read(&e, make_read(&e, bytes, 64 * KIB, 64 * KIB)));
    assert_int_equal(e.y.held, (i + 1) * LONGEST);
  }
  assert_true(receive_read(&e, make_read(&e, bytes, 64 * KIB, 64 * KIB)));
  assert_true(uvr_yamux_is_reset(&e.streams->s));
  assert_int_equal(e.y.held, 0);
  yframe_put(bytes, Y_DATA, 0, 77, LONGEST);
  (void)receive_read(&e, make_read(&e, bytes, 64 * KIB, 64 * KIB));
  assert_int_equal(e.y.held, 0);
  free(bytes);
  yend_clear(&e);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_growth),          cmocka_unit_test(test_sent_in_place),
      cmocka_unit_test(test_short_is_copied), cmocka_unit_test(test_brief),
      cmocka_unit_test(test_chosen_late),     cmocka_unit_test(test_long_again),
      cmocka_unit_test(test_brief_alone),     cmocka_unit_test(test_received_in_place),
      cmocka_unit_test(test_best_read),       cmocka_unit_test(test_received_for_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
