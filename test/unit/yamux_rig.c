/* One end of yamux: see yamux_rig.h. */
#include "yamux_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_output(void *user)
{
  yend *e = user;
  e->outputs++;
}

static ystream *new_stream(yend *e)
{
  ystream *s = calloc(1, sizeof(*s));
  assert_non_null(s);
  s->end = e;
  return s;
}

static void add_stream(yend *e, ystream *s)
{
  s->next = e->streams;
  e->streams = s;
}

static uvr_yamux_stream *on_open(void *user)
{
  yend *e = user;
  if (e->refuse) {
    return NULL;
  }
  ystream *s = new_stream(e);
  s->s.user = s;
  add_stream(e, s);
  e->opened++;
  if (e->on_stream != NULL) {
    e->on_stream(s);
  }
  return &s->s;
}

static void on_go_away(void *user, uvr_yamux_code code)
{
  yend *e = user;
  e->go_aways++;
  e->code = code;
}

static void on_room(void *user)
{
  yend *e = user;
  e->rooms++;
  if (e->release_at_room != NULL) {
    ystream *s = e->release_at_room;
    e->release_at_room = NULL;
    ystream_release(s);
  }
}

static void on_readable(uvr_yamux_stream *stream)
{
  ystream *s = stream->user;
  s->readable++;
  if (s->end->on_readable != NULL) {
    s->end->on_readable(s);
  } else if (s->release_when_readable) {
    ystream_release(s);
  }
}

static void on_written(uvr_yamux_stream *stream)
{
  ystream *s = stream->user;
  s->written++;
  if (s->end->on_written != NULL) {
    s->end->on_written(s);
  } else if (s->release_when_written) {
    ystream_release(s);
  }
}

static uint64_t now(void *user)
{
  const yend *e = user;
  return e->clock;
}

int yend_try_init(yend *e, rig *r, bool client, uint64_t window_total)
{
  memset(e, 0, sizeof(*e));
  e->r = r;
  e->clock = 1000;
  uvr_buffer_pool_init(&e->pool, r->context.buffers.memory);
  e->pool.large = UVR_YAMUX_FRAME_FIRST;
  e->pool.huge = UVR_BUFFER_LARGE;
  const uvr_yamux_config config = {
      .client = client,
      .window_total = window_total,
      .buffers = &e->pool,
      .now = now,
      .events = {on_output, on_open, on_go_away, on_room, on_readable, on_written},
      .user = e,
  };
  return uvr_yamux_init(&e->y, &config);
}

void yend_init(yend *e, rig *r, bool client)
{
  assert_int_equal(yend_try_init(e, r, client, (uint64_t)64 * 1024 * 1024), 0);
  yend_expect(e, Y_PING, Y_SYN, 0, UVR_YAMUX_HINT + UVR_YAMUX_BASE / 1024);
  yend_expect_nothing(e);
}

void yend_clear(yend *e)
{
  while (e->streams != NULL) {
    ystream_release(e->streams);
  }
  assert_int_equal(e->y.held, 0);
  assert_int_equal(e->y.grown, 0);
  uvr_yamux_clear(&e->y);
  uvr_buffer_pool_clear(&e->pool);
}

ystream *yend_open(yend *e)
{
  ystream *s = new_stream(e);
  if (!uvr_yamux_open(&e->y, &s->s, s)) {
    free(s);
    return NULL;
  }
  add_stream(e, s);
  return s;
}

void ystream_release(ystream *s)
{
  ystream **at = &s->end->streams;
  while (*at != s) {
    at = &(*at)->next;
  }
  *at = s->next;
  uvr_yamux_release(&s->s);
  memset(s, 0x5A, sizeof(*s));
  free(s);
}

void yframe_put(char at[12], unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  const uint32_t words[] = {type << 16 | flags, id, length};
  for (unsigned i = 0; i < 12; i++) {
    at[i] = (char)(words[i / 4] >> (24 - 8 * (i % 4)));
  }
}

void yend_receive(yend *e, const char *data, size_t length)
{
  /* From memory of just that size, so that a sanitizer sees who reads on. */
  uvrelay_error_t error = {0};
  char *copy = malloc(length > 0 ? length : 1);
  assert_non_null(copy);
  memcpy(copy, data, length);
  int64_t code = uvr_yamux_receive(&e->y, copy, length, &error);
  free(copy);
  if (code != (int64_t)length) {
    fail_msg("%d of %u bytes were taken: %s", (int)code, (unsigned)length, error.text);
  }
}

void yend_feed(yend *e, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  char header[12];
  yframe_put(header, type, flags, id, length);
  yend_receive(e, header, sizeof(header));
}

void yend_feed_data(yend *e, unsigned flags, uint32_t id, uint64_t position, uint32_t length)
{
  char *bytes = malloc(12 + (size_t)length);
  assert_non_null(bytes);
  yframe_put(bytes, Y_DATA, flags, id, length);
  for (uint32_t i = 0; i < length; i++) {
    bytes[12 + i] = rig_byte(id, position + i);
  }
  yend_receive(e, bytes, 12 + (size_t)length);
  free(bytes);
}

void yend_refuses(yend *e, const char *bytes, size_t length)
{
  uvrelay_error_t error = {0};
  assert_int_equal(uvr_yamux_receive(&e->y, bytes, length, &error), UV_EPROTO);
  assert_int_equal(error.code, UV_EPROTO);
  assert_true(strlen(error.text) > 20);
  yframe f;
  do {
    assert_true(yend_next(e, &f));
  } while (f.type != Y_GO_AWAY);
  assert_int_equal(f.flags, 0);
  assert_int_equal(f.id, 0);
  assert_int_equal(f.length, UVR_YAMUX_PROTOCOL_ERROR);
}

static uint32_t number(const char *at)
{
  const unsigned char *in = (const unsigned char *)at;
  return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

bool yend_next(yend *e, yframe *f)
{
  if (e->out_length == 0) {
    e->out_first = 0;
    uvr_yamux_output output = uvr_yamux_fill(&e->y, e->out, Y_OUT);
    e->out_length = output.length;
    assert_in_range(e->out_length, 0, output.buffer != NULL ? Y_OUT_MOST : Y_OUT);
    if (output.buffer != NULL) {
      memcpy(e->out, output.data, output.length);
      uvr_buffer_put(&e->pool, output.buffer);
    }
    if (e->out_length == 0) {
      return false;
    }
  }
  const char *at = e->out + e->out_first;
  assert_true(e->out_length >= 12);
  uint32_t word = number(at);
  *f = (yframe){word >> 24, word >> 16 & 0xFFU, word & 0xFFFFU, number(at + 4), number(at + 8), NULL};
  size_t size = 12;
  if (f->type == Y_DATA) {
    f->data = at + 12;
    size += f->length;
    assert_in_range(f->length, 1, UVR_YAMUX_FRAME_MAX);
  }
  assert_true(e->out_length >= size); /* whole frames only */
  e->out_first += size;
  e->out_length -= size;
  return true;
}

void yend_expect(yend *e, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  yframe f;
  if (!yend_next(e, &f)) {
    fail_msg("nothing is sent instead of a frame of type %u, flags %u", type, flags);
  }
  if (f.version != 0 || f.type != type || f.flags != flags || f.id != id || f.length != length) {
    fail_msg("sent is a frame of version %u, type %u, flags %u, stream %u, length %u, not 0, %u, %u, %u, %u", f.version,
             f.type, f.flags, (unsigned)f.id, (unsigned)f.length, type, flags, (unsigned)id, (unsigned)length);
  }
}

void yend_expect_nothing(yend *e)
{
  yframe f;
  if (yend_next(e, &f)) {
    fail_msg("sent is a frame of type %u, flags %u, stream %u, length %u", f.type, f.flags, (unsigned)f.id,
             (unsigned)f.length);
  }
}

uint64_t yend_take_data(yend *e, uint32_t id)
{
  yframe f;
  uint64_t taken = 0;
  while (yend_next(e, &f)) {
    assert_int_equal(f.version, 0);
    assert_int_equal(f.type, Y_DATA);
    assert_int_equal(f.flags, 0);
    assert_int_equal(f.id, id);
    taken += f.length;
  }
  return taken;
}

uint64_t ystream_read(ystream *s, uint32_t id, uint64_t position, bool consume, uvr_yamux_found *found)
{
  uvr_buffer *buffer = NULL;
  uint64_t at = position;
  while ((*found = uvr_yamux_read(&s->s, &buffer)) == UVR_YAMUX_BYTES) {
    size_t length = buffer->length;
    assert_in_range(length, 1, buffer->capacity);
    for (size_t i = 0; i < length; i++) {
      if (buffer->data[i] != rig_byte(id, at + i)) {
        fail_msg("byte %u of stream %u is another", (unsigned)(at + i), (unsigned)id);
      }
    }
    at += length;
    uvr_buffer_put(&s->end->pool, buffer);
    if (consume) {
      uvr_yamux_consumed(&s->s, length);
    }
  }
  assert_null(buffer);
  return at - position;
}
