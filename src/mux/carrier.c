/* What carries a mux: one stream, from its greeting to its end.
 *
 * Happy path: once the carrier has its stream, our greeting is sent, followed by the first frames of yamux. When the
 * greeting of the other end is received, the carrier is up. From then on everything received goes to the yamux session.
 * Whenever that has something to send and no write is under way, one write sends as much as fits.
 *
 * On Linux, data that a stream has in a pipe is spliced: a write of the frame's header is followed by one of its data,
 * and nothing else may be sent before that is complete. Likewise, the data of a long frame is read into a pipe if its
 * stream can use that, and the header that follows is then read alone. Each end decides by itself; to the other end,
 * the bytes are the same. A pipe as carrier is made larger for this if the other end reads fast, but not while streams
 * share it that send little.
 *
 * The near end sends pings, as a far end that has stopped running keeps its connection open. It pings `ping_ms` after
 * the last answer, which finds such a far end even if no connection uses it; but when nothing is received for
 * `unheard_ms`, if it has sent anything since the last ping, or somebody waits for the far end. Whatever is received
 * counts as life, and a far end that is merely slow to connect answers the ping. What one connection receives says
 * nothing of an answer that another one waits for: therefore a last ping is sent when all of them have fallen silent.
 *
 * The far end sends no pings. While it cannot write, so that it does not read either, it looks whether the near end has
 * left: that would not show otherwise.
 *
 * Ways to fail: the greeting does not come, or is a wrong one; reading or writing ends or fails; the rules of yamux are
 * broken, and the other end is sent the reason first; nothing is received for too long; the stream cannot be opened.
 * All of these end in uvr_mux_carrier_end: see carrier_end.c. */
#include "mux/carrier.h"

#include <stdio.h>
#include <string.h>

/* How many frames are sent at once in one iteration of the loop, which would not get to other streams otherwise. */
enum { AT_ONCE_MAX = 2 };

/* The other end is fast if it reads 26 MB in 50 ms. By default, it takes less than that for readers of its own that are
 * slow: 16 MiB of grown windows. */
enum { MEASURED_MS = 50, FAST = 512 * 1024 /* bytes per ms */ };

static void receive_input(uvr_mux_carrier *c);
static void send_output(uvr_mux_carrier *c);
static void listen_closely(uvr_mux_carrier *c);
static void watch_stall(uvr_mux_carrier *c);

/* The end. */

static void on_last_words_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (c->peer_gone) {
    uvr_mux_carrier_end_broken(c, "written to", &c->error);
  } else {
    uvr_mux_carrier_end(c, c->how, &c->error);
  }
}

/* The other end has broken the rules of yamux: sends the go-away frame, then ends. */
static void fail_protocol(uvr_mux_carrier *c, const uvrelay_error_t *error)
{
  c->how = UVRELAY_MUX_DOWN_BROKEN;
  c->error = *error;
  (void)snprintf(c->error.text, sizeof(c->error.text), "%s violated the yamux protocol: %.300s",
                 uvr_mux_carrier_other_end(c), error->text);
  c->state = UVR_CARRIER_LAST_WORDS;
  (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
  send_output(c);
}

void uvr_mux_carrier_finish(uvr_mux_carrier *c, uvrelay_mux_down_t how, const uvrelay_error_t *error)
{
  if (c->state == UVR_CARRIER_LAST_WORDS) {
    return;
  }
  if (c->state != UVR_CARRIER_UP || c->peer_gone) {
    uvr_mux_carrier_end(c, how, error);
    return;
  }
  c->how = how;
  c->error = *error;
  c->state = UVR_CARRIER_LAST_WORDS;
  (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
  send_output(c);
}

/* Sending. */

/* A stream of another mux moves pipes as they come, whatever their length. */
static bool splices(const uvr_mux_carrier *c)
{
  return c->stream->can_splice && c->stream->ops->write_piped != NULL;
}

/* What was written in place, a long frame, is no longer needed. */
static void put_sent(uvr_mux_carrier *c)
{
  if (c->sent != NULL) {
    uvr_buffer_put(c->config.buffers, c->sent);
    c->sent = NULL;
    c->filled = true;
  }
}

void uvr_mux_carrier_send(uvr_mux_carrier *c)
{
  if (!c->receiving && c->at_once < AT_ONCE_MAX) { /* else it follows in the next iteration */
    c->at_once++;
    send_output(c);
  }
}

static void on_send_idle(uv_idle_t *idle)
{
  uvr_mux_carrier *c = idle->data;
  (void)uv_idle_stop(idle);
  c->at_once = 0;
  send_output(c);
  watch_stall(c);
}

/* Whether the other end reads so fast that a larger pipe helps. Else it would only be full of more, all the time. */
static void note_speed(uvr_mux_carrier *c, size_t bytes)
{
  uint64_t ms = uv_now(c->config.context->loop) - c->measured;
  c->measured_bytes += bytes;
  if (ms >= MEASURED_MS) {
    c->fast = c->measured_bytes / ms >= FAST;
    uvr_yamux_set_fast(&c->yamux, c->fast);
    c->measured += ms;
    c->measured_bytes = 0;
  }
}

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_mux_carrier *c = user;
  size_t piped = c->piped;
  c->piped = 0;
  if (outcome == UVR_DONE && piped > 0) {
    note_speed(c, piped);
    uvr_stream_write_piped(c->stream, c->sent, piped, on_written, c);
    return;
  }
  c->writing = false;
  put_sent(c);
  if (outcome == UVR_GONE && c->reading && c->state != UVR_CARRIER_LAST_WORDS) {
    /* First read what the other end has sent before it left, and how that ends, as this tells more about the cause. */
    c->peer_gone = true;
    c->error = *error;
    (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
    return;
  }
  if (outcome != UVR_DONE) {
    uvr_mux_carrier_end_broken(c, "written to", error);
    return;
  }
  send_output(c);
  receive_input(c);
}

/* While other streams send little, a long frame that follows another one is chosen only when there is room for it: once
 * it is, their frames come after it. The near end's stay long, as the far end may be a Windows program, for which each
 * frame takes several calls. */
static bool awaits_room(uvr_mux_carrier *c)
{
  if (!uvr_yamux_chooses_late(&c->yamux)) {
    return false;
  }
  c->filled = false;
  c->writing = uvr_stream_await_writable(c->stream, on_written, c);
  if (c->writing && c->config.role == UVRELAY_MUX_NEAR) {
    uvr_yamux_keep_long(&c->yamux);
  }
  return c->writing;
}

/* Sends what yamux has to send. The stream may call back at once, so this is a loop and not a recursion. */
static void send_output(uvr_mux_carrier *c)
{
  if (c->sending) {
    return;
  }
  c->sending = true;
  while (!c->writing && !c->peer_gone && c->state > UVR_CARRIER_OPENING && c->state < UVR_CARRIER_ENDING) {
    if (c->filled && awaits_room(c)) {
      break;
    }
    uvr_yamux_output output = uvr_yamux_fill(&c->yamux, c->out, sizeof(c->out));
    c->sent = output.buffer;
    c->piped = output.piped;
    if (output.length == 0 ||
        c->state >= UVR_CARRIER_ENDING) { /* a callback for sent data may have ended the carrier */
      break;
    }
    c->writing = true;
    c->unconfirmed = true;
    listen_closely(c);
    c->stream->wide = c->fast && !uvr_yamux_is_shared(&c->yamux); /* what is in a pipe holds up all others */
    uvr_stream_write(c->stream, output.data, output.length, on_written, c);
  }
  c->sending = false;
  if (c->state == UVR_CARRIER_LAST_WORDS && !c->writing) {
    uvr_mux_carrier_end(c, c->how, &c->error);
  }
}

/* Pings. */

static void on_ping_timer(uv_timer_t *timer);

static bool sends_pings(const uvr_mux_carrier *c)
{
  return c->config.role == UVRELAY_MUX_NEAR && c->config.ping_ms != UINT64_MAX && c->state == UVR_CARRIER_UP &&
         !c->peer_gone;
}

/* How long nothing may be received before a ping if something was sent, is being sent, or somebody waits. */
static uint64_t unheard_ms(const uvr_mux_carrier *c)
{
  uint64_t ms = c->config.context->patience.unheard_ms;
  return ms < c->config.ping_ms ? ms : c->config.ping_ms;
}

/* Something was received, or the carrier has come up. */
static void schedule_ping(uvr_mux_carrier *c)
{
  c->unconfirmed = c->unconfirmed && !c->pinging;
  c->pinging = false;
  c->overdue = false;
  if (!c->peer_gone) {
    (void)uv_timer_stop(&c->timer); /* it may still be running for the greeting */
  }
  if (sends_pings(c)) {
    bool soon = c->writing || c->unconfirmed || c->config.is_awaited(c->config.user);
    (void)uv_timer_start(&c->timer, on_ping_timer, soon ? unheard_ms(c) : c->config.ping_ms, 0);
  }
}

/* The next ping is sent soon, unless something is received before. */
static void listen_closely(uvr_mux_carrier *c)
{
  if (sends_pings(c) && !c->pinging && uv_timer_get_due_in(&c->timer) > unheard_ms(c)) {
    (void)uv_timer_start(&c->timer, on_ping_timer, unheard_ms(c), 0);
  }
}

void uvr_mux_carrier_await(uvr_mux_carrier *c)
{
  listen_closely(c);
}

static void on_ping_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (!c->pinging) {
    c->pinging = true;
    (void)uv_timer_start(timer, on_ping_timer, c->config.ping_timeout_ms, 0);
    uvr_yamux_ping(&c->yamux, c->pings++ & 0xFFFFU);
  } else if (!c->overdue) { /* if the process or the machine was suspended, the answer may be there but unread */
    c->overdue = true;
    (void)uv_timer_start(timer, on_ping_timer, c->config.context->patience.overdue_ms, 0);
  } else {
    char text[96];
    (void)snprintf(text, sizeof(text), "%s did not answer for %g s", uvr_mux_carrier_other_end(c),
                   (double)c->config.ping_timeout_ms / 1000);
    uvr_mux_carrier_end_with(c, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, text);
  }
}

/* Receiving. */

/* Parses what belongs to the greeting. Returns false if it is wrong, after which the carrier has ended. */
static bool parse_greeting(uvr_mux_carrier *c)
{
  size_t used;
  char text[320];
  uvr_mux_greeting_state state =
      uvr_mux_greeting_parse(&c->greeting, c->in->data - c->in->before + c->in_used, c->in->length - c->in_used, &used);
  c->in_used += used;
  if (state == UVR_MUX_GREETING_WHOLE) {
    c->state = UVR_CARRIER_UP;
  }
  if (state == UVR_MUX_GREETING_WHOLE || state == UVR_MUX_GREETING_PART) {
    return true;
  }
  uvr_mux_greeting_describe(&c->greeting, state, uvr_mux_carrier_other_end(c), text, sizeof(text));
  uvr_mux_carrier_end_with(c, state == UVR_MUX_GREETING_VERSION ? UVRELAY_MUX_DOWN_VERSION : UVRELAY_MUX_DOWN_ALIEN,
                           UV_EPROTO, text);
  return false;
}

static void report_up(uvr_mux_carrier *c)
{
  c->unconfirmed = false;
  schedule_ping(c);
  c->config.on_up(c->config.user);
}

static void end_after_read(uvr_mux_carrier *c, uvr_outcome outcome, const uvrelay_error_t *error)
{
  char text[96];
  bool greeted = c->state == UVR_CARRIER_UP;
  bool inside = uvr_yamux_is_inside_frame(&c->yamux);
  if (outcome == UVR_FAILED) {
    uvr_mux_carrier_end_broken(c, "read from", error);
  } else if (!greeted) {
    (void)snprintf(text, sizeof(text), "%s ended before it sent its protocol version", uvr_mux_carrier_other_end(c));
    uvr_mux_carrier_end_with(c, UVRELAY_MUX_DOWN_EARLY, UV_EOF, text);
  } else {
    (void)snprintf(text, sizeof(text), "%s ended%s", uvr_mux_carrier_other_end(c),
                   inside ? " in the middle of a frame" : "");
    uvr_mux_carrier_end_with(c, inside ? UVRELAY_MUX_DOWN_BROKEN : UVRELAY_MUX_DOWN_ENDED, inside ? UV_EOF : 0, text);
  }
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvr_mux_carrier *c = user;
  c->reading = false;
  if (outcome != UVR_DONE) {
    end_after_read(c, outcome, error);
    return;
  }
  if (c->state == UVR_CARRIER_UP && (c->pinging || c->unconfirmed)) { /* anything received counts as an answer */
    schedule_ping(c);
  }
  c->in = buffer;
  c->in_used = 0;
  receive_input(c);
}

/* Consumes received data. Returns false if no more can be consumed for now. */
static bool consume(uvr_mux_carrier *c)
{
  uvrelay_error_t error;
  if (c->config.is_unwanted(c->config.user)) {
    return false;
  }
  if (c->state == UVR_CARRIER_GREETING) {
    bool taken = parse_greeting(c);
    if (taken && c->state == UVR_CARRIER_UP) {
      report_up(c);
    }
    return taken;
  }
  const uvr_buffer *before = c->in;
  uvr_buffer *in = c->in;
  size_t used = c->in_used;
  c->in = NULL; /* while yamux has it */
  int code = uvr_yamux_receive_buffer(&c->yamux, &in, &used, &error);
  if (c->state != UVR_CARRIER_UP) { /* the received data has ended it */
    uvr_buffer_put(&c->stream->context->buffers, in);
    return false;
  }
  bool moved = in != before || used != c->in_used;
  c->in = in;
  c->in_used = used;
  if (code != 0) {
    fail_protocol(c, &error);
  }
  return code == 0 && moved;
}

static bool is_stalled(const uvr_mux_carrier *c)
{
  return c->config.role == UVRELAY_MUX_FAR && c->state == UVR_CARRIER_UP && !c->peer_gone && c->writing &&
         !c->reading && c->in != NULL;
}

static void on_stall_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (!is_stalled(c)) {
    (void)uv_timer_stop(timer);
  } else if (uvr_stream_input_state(c->stream) != UVR_INPUT_OPEN) {
    char text[64];
    (void)snprintf(text, sizeof(text), "%s ended", uvr_mux_carrier_other_end(c));
    uvr_mux_carrier_end_with(c, UVRELAY_MUX_DOWN_ENDED, 0, text);
  }
}

static void watch_stall(uvr_mux_carrier *c)
{
  uint64_t ms = c->config.context->patience.stall_look_ms;
  if (is_stalled(c) && !uv_is_active((const uv_handle_t *)&c->timer)) {
    (void)uv_timer_start(&c->timer, on_stall_timer, ms, ms);
  }
}

/* The data of a long frame is read into a pipe, if its stream takes that. */
static void choose_read(uvr_mux_carrier *c)
{
  uvr_stream *stream = c->stream;
  size_t piped = splices(c) ? uvr_yamux_best_piped(&c->yamux) : 0;
  stream->splices = piped > 0;
  stream->read_most_piped = piped;
  stream->read_most = uvr_yamux_best_read(&c->yamux, &stream->read_before);
}

/* Reads and consumes as much as there is. The stream may call back at once, so this is a loop and not a recursion. */
static void receive_input(uvr_mux_carrier *c)
{
  if (c->receiving) {
    return;
  }
  c->receiving = true;
  while (c->state == UVR_CARRIER_GREETING || c->state == UVR_CARRIER_UP) {
    if (c->in == NULL) {
      if (c->reading) {
        break;
      }
      c->reading = true;
      choose_read(c);
      uvr_stream_read(c->stream, on_read, c);
    } else if (c->in_used == c->in->length) {
      uvr_buffer_put(&c->stream->context->buffers, c->in);
      c->in = NULL;
    } else if (!consume(c)) {
      break; /* until output has been written */
    }
  }
  c->receiving = false;
  watch_stall(c);
}

/* The events of yamux. */

static void on_output(void *user)
{
  uvr_mux_carrier *c = user;
  if (c->state > UVR_CARRIER_OPENING && c->state < UVR_CARRIER_ENDING && !c->writing) {
    (void)uv_idle_start(&c->idle, on_send_idle);
  }
}

static uvr_yamux_stream *on_open(void *user)
{
  uvr_mux_carrier *c = user;
  return c->config.on_open(c->config.user);
}

static void on_go_away(void *user, uvr_yamux_code code)
{
  uvr_mux_carrier *c = user;
  if (code != UVR_YAMUX_NORMAL) {
    char text[96];
    (void)snprintf(text, sizeof(text), "%s ended the session because of an error (go-away code %u)",
                   uvr_mux_carrier_other_end(c), (unsigned)code);
    uvr_mux_carrier_end_with(c, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, text);
  } else if (c->references == 0) {
    uvr_mux_carrier_end_gone_away(c);
  } /* otherwise it ends with the last stream: see uvr_mux_carrier_unref */
}

static void on_room(void *user)
{
  uvr_mux_carrier *c = user;
  c->config.on_change(c->config.user);
}

static uint64_t now(void *user)
{
  const uvr_mux_carrier *c = user;
  return uv_now(c->config.context->loop);
}

/* Making and starting. */

static void on_greeting_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  char text[96];
  (void)snprintf(text, sizeof(text), "%s did not send its protocol version within %g s", uvr_mux_carrier_other_end(c),
                 (double)c->config.greeting_ms / 1000);
  uvr_mux_carrier_end_with(c, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, text);
}

void uvr_mux_carrier_start(uvr_mux_carrier *c, uvr_stream *stream)
{
  c->stream = stream;
  c->state = UVR_CARRIER_GREETING;
  (void)uv_timer_start(&c->timer, on_greeting_timer, c->config.greeting_ms, 0);
  size_t length = sizeof(UVR_MUX_GREETING) - 1;
  memcpy(c->out, UVR_MUX_GREETING, length);
  length += uvr_yamux_fill(&c->yamux, c->out + length, sizeof(c->out) - length).length;
  c->writing = true;
  receive_input(c); /* reads first, as an end that cannot be written to may have said why */
  if (c->state < UVR_CARRIER_ENDING) {
    uvr_stream_write(stream, c->out, length, on_written, c);
  }
}

int uvr_mux_carrier_new(const uvr_mux_carrier_config *config, uvr_mux_carrier **out)
{
  uvr_context *context = config->context;
  uvr_mux_carrier *c = uvr_alloc(&context->memory, sizeof(*c));
  if (c == NULL) {
    return UV_ENOMEM;
  }
  const uvr_yamux_config yamux = {.client = config->role == UVRELAY_MUX_NEAR,
                                  .window_total = config->window_total,
                                  .buffers = config->buffers,
                                  .now = now,
                                  .events = {.on_output = on_output,
                                             .on_open = on_open,
                                             .on_go_away = on_go_away,
                                             .on_room = on_room,
                                             .on_readable = config->on_readable,
                                             .on_written = config->on_written},
                                  .user = c};
  int code = uvr_yamux_init(&c->yamux, &yamux);
  if (code != 0) {
    uvr_free(&context->memory, c);
    return code;
  }
  c->config = *config;
  (void)uv_timer_init(context->loop, &c->timer);
  (void)uv_idle_init(context->loop, &c->idle);
  c->timer.data = c;
  c->idle.data = c;
  *out = c;
  return 0;
}

/* Properties. */

bool uvr_mux_carrier_can_splice(const uvr_mux_carrier *c)
{
  return c->state == UVR_CARRIER_UP && splices(c);
}

bool uvr_mux_carrier_is_up(const uvr_mux_carrier *c)
{
  return c->state == UVR_CARRIER_UP;
}

uvr_yamux *uvr_mux_carrier_yamux(uvr_mux_carrier *c)
{
  return &c->yamux;
}

/* A pipe has a number of slots. A slot has at most a page of what is written, but may have more of what is spliced, so
 * that the pipe holds more. If the other end reads slowly, those who send little would wait for that. And TCP takes
 * longer for small pages than for copies. */
bool uvr_mux_carrier_prefers_copies(const uvr_mux_carrier *c)
{
  bool slow = uvr_yamux_is_shared(&c->yamux) && !c->fast;
  return c->state == UVR_CARRIER_UP && (slow || c->stream->is_tcp);
}

void uvr_mux_carrier_count(uvr_mux_carrier *c, bool open)
{
  c->connections += open ? 1U : (size_t)-1;
}
