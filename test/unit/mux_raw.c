/* The other end by hand: see mux_raw.h. */
#include "mux_raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct sending {
  uv_write_t request;
  char data[];
} sending;

static const uint32_t HINT = UVR_YAMUX_HINT | UVR_YAMUX_BASE / 1024;

static void append(mux_raw *raw, const char *text)
{
  size_t length = strlen(raw->talk);
  assert_in_range(length + strlen(text), 0, RAW_TALK - 1);
  memcpy(raw->talk + length, text, strlen(text) + 1);
}

static uint32_t number(const char *at)
{
  const unsigned char *bytes = (const unsigned char *)at;
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void append_flags(mux_raw *raw, uint32_t id, unsigned flags)
{
  char text[32];
  if (flags != 0) {
    (void)snprintf(text, sizeof(text), "%u%s%s%s%s ", (unsigned)id, (flags & Y_SYN) != 0 ? "S" : "",
                   (flags & Y_ACK) != 0 ? "A" : "", (flags & Y_FIN) != 0 ? "F" : "", (flags & Y_RST) != 0 ? "R" : "");
    append(raw, text);
    raw->last = 0;
  }
}

static void append_data(mux_raw *raw, const char *data, size_t length)
{
  char text[16];
  raw->bytes += length;
  if (raw->last == raw->data_id) {
    raw->talk[strlen(raw->talk) - 2] = '\0'; /* goes on after what there is */
  } else {
    (void)snprintf(text, sizeof(text), "%u\"", (unsigned)raw->data_id);
    append(raw, text);
  }
  for (size_t i = 0; i < length && strlen(raw->talk) < RAW_TALK / 2; i++) {
    (void)snprintf(text, sizeof(text), data[i] == '\n' ? "\\n" : "%c", data[i]);
    append(raw, text);
  }
  append(raw, "\" ");
  raw->last = raw->data_id;
}

static void take_frame(mux_raw *raw)
{
  unsigned type = (unsigned char)raw->frame[1];
  unsigned flags = (unsigned char)raw->frame[3];
  uint32_t id = number(raw->frame + 4);
  uint32_t length = number(raw->frame + 8);
  char text[32];
  switch (type) {
  case Y_DATA:
    append_flags(raw, id, flags & (Y_SYN | Y_ACK));
    raw->data_left = length;
    raw->data_flags = flags & (Y_FIN | Y_RST);
    raw->data_id = id;
    if (length == 0) {
      append_flags(raw, id, raw->data_flags);
    }
    break;
  case Y_UPDATE:
    raw->credit += length;
    append_flags(raw, id, flags);
    break;
  case Y_PING:
    if ((flags & Y_SYN) != 0) {
      raw->pings++;
      if (raw->answers) {
        raw_frame(raw, Y_PING, Y_ACK, 0, length);
      }
    } else if (length != HINT) {
      raw->pongs++;
    }
    break;
  default:
    assert_int_equal(type, Y_GO_AWAY);
    (void)snprintf(text, sizeof(text), "G%u ", (unsigned)length);
    append(raw, text);
  }
}

static void take(mux_raw *raw, const char *data, size_t length)
{
  for (size_t used = 0; used < length;) {
    size_t left = length - used;
    if (raw->told < strlen(RAW_GREETING)) {
      assert_int_equal(data[used++], RAW_GREETING[raw->told++]);
    } else if (raw->data_left > 0) {
      size_t piece = left < raw->data_left ? left : raw->data_left;
      append_data(raw, data + used, piece);
      used += piece;
      raw->data_left -= (uint32_t)piece;
      if (raw->data_left == 0) {
        append_flags(raw, raw->data_id, raw->data_flags);
      }
    } else {
      raw->frame[raw->frame_length++] = data[used++];
      if (raw->frame_length == sizeof(raw->frame)) {
        raw->frame_length = 0;
        take_frame(raw);
      }
    }
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  mux_raw *raw = handle->data;
  (void)suggested;
  *buf = uv_buf_init(raw->chunk, sizeof(raw->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  mux_raw *raw = stream->data;
  if (count > 0) {
    take(raw, buf->base, (size_t)count);
  } else if (count < 0) {
    raw->ended = true;
    (void)uv_read_stop(stream);
  }
}

route_host *mux_host_new(const uvrelay_mux_options_t *near_options, const uvrelay_mux_options_t *far_options)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  assert_int_equal(route_host_open_muxes(h, near_options, far_options), 0);
  return h;
}

void mux_add_via(route_host *h, unsigned i, const char *target, const uvrelay_route_options_t *options)
{
  char address[ROUTE_ADDRESS];
  uvrelay_route_options_t own = {.size = sizeof(own), .timeout_ms = RIG_PATIENCE_MS};
  own = options != NULL ? *options : own;
  own.via = h->muxes.near_end.mux;
  (void)snprintf(address, sizeof(address), "via:%.700s", target);
  assert_int_equal(route_add(h, i, "tcp://127.0.0.1:0", address, &own), 0);
}

mux_raw *raw_new(route_host *h, uvrelay_mux_t *mux)
{
  mux_raw *raw = calloc(1, sizeof(*raw));
  uv_file there[2];
  uv_file back[2];
  assert_non_null(raw);
  raw->h = h;
  mux_pipe(there);
  mux_pipe(back);
  uvrelay_endpoint_t side = uvrelay_stdio(back[0], there[1]);
  assert_int_equal(uvrelay_mux_attach(mux, &side), 0);
  assert_int_equal(uv_pipe_init(&h->r.loop, &raw->reader, 0), 0);
  assert_int_equal(uv_pipe_init(&h->r.loop, &raw->writer, 0), 0);
  assert_int_equal(uv_pipe_open(&raw->reader, there[0]), 0);
  assert_int_equal(uv_pipe_open(&raw->writer, back[1]), 0);
  raw->reader.data = raw;
  raw->writer.data = raw;
  raw->writes = true;
  assert_int_equal(uv_read_start((uv_stream_t *)&raw->reader, on_alloc, on_read), 0);
  return raw;
}

static void on_sent(uv_write_t *request, int code)
{
  (void)code; /* the mux may be gone */
  free(request);
}

void raw_send(mux_raw *raw, const void *data, size_t size)
{
  sending *s = malloc(sizeof(*s) + size);
  assert_non_null(s);
  memcpy(s->data, data, size);
  uv_buf_t buf = uv_buf_init(s->data, (unsigned)size);
  if (!raw->writes || uv_write(&s->request, (uv_stream_t *)&raw->writer, &buf, 1, on_sent) != 0) {
    free(s);
  }
}

void raw_greet(mux_raw *raw, bool foreign)
{
  raw_send(raw, RAW_GREETING, strlen(RAW_GREETING));
  if (!foreign) {
    raw_frame(raw, Y_PING, Y_SYN, 0, HINT);
  }
  ROUTE_WAIT(raw->h, raw->told == strlen(RAW_GREETING));
}

void raw_frame(mux_raw *raw, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
  char frame[12];
  yframe_put(frame, type, flags, id, length);
  raw_send(raw, frame, sizeof(frame));
}

void raw_data(mux_raw *raw, unsigned flags, uint32_t id, const char *text)
{
  raw_frame(raw, Y_DATA, flags, id, (uint32_t)strlen(text));
  raw_send(raw, text, strlen(text));
}

static bool ends_like(const mux_raw *raw, const char *end)
{
  size_t length = strlen(raw->talk);
  return length >= strlen(end) && strcmp(raw->talk + length - strlen(end), end) == 0;
}

void raw_expect(mux_raw *raw, const char *end_of_talk)
{
  for (uint64_t since = route_now_ms(); !ends_like(raw, end_of_talk); route_turn(raw->h)) {
    if (route_now_ms() - since > RIG_PATIENCE_MS) {
      fail_msg("not %s but %s", end_of_talk, raw->talk);
    }
  }
}

static void on_closed(uv_handle_t *handle)
{
  mux_raw *raw = handle->data;
  if (++raw->closed == 2) {
    free(raw);
  }
}

void raw_end(mux_raw *raw)
{
  if (raw->writes) {
    raw->writes = false;
    uv_close((uv_handle_t *)&raw->writer, on_closed);
  }
}

void raw_free(mux_raw *raw)
{
  raw_end(raw);
  uv_close((uv_handle_t *)&raw->reader, on_closed);
}
