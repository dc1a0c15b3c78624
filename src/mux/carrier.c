/* What carries a mux: one stream, from its greeting to its end.
 *
 * Happy path: once the carrier has its stream, our greeting is sent, followed by the first frames of yamux. When the
 * greeting of the other end is received, the carrier is up. From then on everything received goes to the yamux session.
 * Whenever that has something to send and no write is under way, one write sends as much as fits.
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
 * All of these end in uvr_mux_carrier_end, once. It kills the yamux session, which resets the streams over it, closes
 * the carrier's own stream, and calls the owner. The carrier is freed when all is closed, DOWN is delivered, and the
 * last stream has released it. */
#include "mux/carrier.h"

#include <stdio.h>
#include <string.h>

#include "mux/greeting.h"

/* The most that is sent in one write, in bytes: enough for a full frame each of two streams. With more, a small frame
 * would only wait longer. */
#define OUT_SIZE ((size_t)33 * 1024)

typedef enum carrier_state {
  CARRIER_OPENING,
  CARRIER_GREETING,
  CARRIER_UP,
  CARRIER_LAST_WORDS, /* it ends when all is sent, such as the go-away frame for an end that has broken the rules */
  CARRIER_ENDING,
  CARRIER_CLOSED
} carrier_state;

struct uvr_mux_carrier {
  uvr_mux_carrier_config config;
  carrier_state state;
  uvr_stream *stream;
  uvr_yamux yamux;
  unsigned references; /* held by streams */
  uvr_closing closing;
  size_t connections; /* connections that are open over it */
  uv_timer_t timer;   /* for the greeting, pings and last words */
  uv_idle_t idle;     /* calls send_output on the loop's next iteration, so that frames are sent together */
  uvr_mux_greeting greeting;
  uvr_buffer *in; /* the received buffer, or NULL */
  size_t in_used; /* bytes of it that were consumed */
  bool reading;
  bool receiving;
  bool writing;
  bool peer_gone; /* nothing more can be written */
  bool sending;
  bool unconfirmed; /* something was sent since the last ping that was answered */
  bool pinging;     /* a ping waits for its answer */
  bool overdue;     /* the answer did not come in time and is given a last moment */
  uint32_t pings;
  uvrelay_mux_down_t how;
  uvrelay_error_t error;
  size_t cut_connections; /* connections that were open when it ended */
  bool down_delivered;
  char out[OUT_SIZE];
};

static void receive_input(uvr_mux_carrier *c);
static void send_output(uvr_mux_carrier *c);
static void listen_closely(uvr_mux_carrier *c);

/* The end. */

static void maybe_free(uvr_mux_carrier *c)
{
  if (c->state == CARRIER_CLOSED && c->down_delivered && c->references == 0) {
    void (*on_freed)(void *) = c->config.on_freed;
    void *user = c->config.user;
    uvr_yamux_clear(&c->yamux);
    uvr_free(&c->config.context->memory, c);
    on_freed(user);
  }
}

static void on_all_closed(void *user)
{
  uvr_mux_carrier *c = user;
  c->state = CARRIER_CLOSED;
  c->config.on_closed(c->config.opener);
  maybe_free(c);
}

void uvr_mux_carrier_end(uvr_mux_carrier *c, uvrelay_mux_down_t how, const uvrelay_error_t *error)
{
  if (c->state >= CARRIER_ENDING) {
    return;
  }
  if (c->state != CARRIER_LAST_WORDS) { /* in which both are set already */
    c->how = how;
    c->error = *error;
  }
  c->state = CARRIER_ENDING;
  c->cut_connections = c->connections;
  c->reading = false;
  (void)uv_timer_stop(&c->timer);
  (void)uv_idle_stop(&c->idle);
  uvr_yamux_kill(&c->yamux);
  uvr_closing_begin(&c->closing, on_all_closed, c);
  uvr_closing_handle(&c->closing, (uv_handle_t *)&c->timer);
  uvr_closing_handle(&c->closing, (uv_handle_t *)&c->idle);
  if (c->stream != NULL) {
    uvr_buffer_put(&c->stream->context->buffers, c->in);
    c->in = NULL;
    uvr_stream_close(c->stream, UVR_CLOSE_NOW, uvr_closing_add(&c->closing), &c->closing);
  }
  c->config.on_end(c->config.opener, &c->closing);
  uvr_closing_end(&c->closing);
  c->config.on_change(c->config.user);
}

static void end_with(uvr_mux_carrier *c, uvrelay_mux_down_t how, int code, const char *text)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_READ, code, "%s", text);
  uvr_mux_carrier_end(c, how, &error);
}

static const char *other_end(const uvr_mux_carrier *c)
{
  return c->config.role == UVRELAY_MUX_NEAR ? "the far end" : "the near end";
}

/* The other end has announced that it will open no more streams, and none is left. */
static void end_gone_away(uvr_mux_carrier *c)
{
  char text[64];
  (void)snprintf(text, sizeof(text), "%s is closing the session", other_end(c));
  end_with(c, UVRELAY_MUX_DOWN_ENDED, 0, text);
}

/* Reading or writing has failed. */
static void end_broken(uvr_mux_carrier *c, const char *what, const uvrelay_error_t *error)
{
  uvrelay_error_t own = *error;
  (void)snprintf(own.text, sizeof(own.text), "%s can no longer be %s: %s", other_end(c), what,
                 uv_strerror(error->code));
  uvr_mux_carrier_end(c, c->state == CARRIER_UP ? UVRELAY_MUX_DOWN_BROKEN : UVRELAY_MUX_DOWN_EARLY, &own);
}

static void on_last_words_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (c->peer_gone) {
    end_broken(c, "written to", &c->error);
  } else {
    uvr_mux_carrier_end(c, c->how, &c->error);
  }
}

/* The other end has broken the rules of yamux: sends the go-away frame, then ends. */
static void fail_protocol(uvr_mux_carrier *c, const uvrelay_error_t *error)
{
  c->how = UVRELAY_MUX_DOWN_BROKEN;
  c->error = *error;
  (void)snprintf(c->error.text, sizeof(c->error.text), "%s violated the yamux protocol: %.300s", other_end(c),
                 error->text);
  c->state = CARRIER_LAST_WORDS;
  (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
  send_output(c);
}

void uvr_mux_carrier_finish(uvr_mux_carrier *c, uvrelay_mux_down_t how, const uvrelay_error_t *error)
{
  if (c->state == CARRIER_LAST_WORDS) {
    return;
  }
  if (c->state != CARRIER_UP || c->peer_gone) {
    uvr_mux_carrier_end(c, how, error);
    return;
  }
  c->how = how;
  c->error = *error;
  c->state = CARRIER_LAST_WORDS;
  (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
  send_output(c);
}

bool uvr_mux_carrier_pop_down_event(uvr_mux_carrier *c, uvrelay_mux_event_t *event)
{
  if (c->state < CARRIER_ENDING || c->down_delivered) {
    return false;
  }
  *event = (uvrelay_mux_event_t){
      .type = UVRELAY_MUX_EVENT_DOWN, .down = c->how, .streams = c->cut_connections, .error = &c->error};
  return true;
}

void uvr_mux_carrier_down_delivered(uvr_mux_carrier *c)
{
  c->down_delivered = true;
  maybe_free(c);
}

void uvr_mux_carrier_ref(uvr_mux_carrier *c)
{
  c->references++;
}

void uvr_mux_carrier_unref(uvr_mux_carrier *c)
{
  c->references--;
  bool last = c->state == CARRIER_UP && c->references == 0 && uvr_yamux_peer_goes_away(&c->yamux);
  if (last) {
    end_gone_away(c);
  }
  maybe_free(c);
}

/* Sending. */

static void on_send_idle(uv_idle_t *idle)
{
  uvr_mux_carrier *c = idle->data;
  (void)uv_idle_stop(idle);
  send_output(c);
}

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_mux_carrier *c = user;
  c->writing = false;
  if (outcome == UVR_GONE && c->reading && c->state != CARRIER_LAST_WORDS) {
    /* First read what the other end has sent before it left, and how that ends, as this tells more about the cause. */
    c->peer_gone = true;
    c->error = *error;
    (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
    return;
  }
  if (outcome != UVR_DONE) {
    end_broken(c, "written to", error);
    return;
  }
  send_output(c);
  receive_input(c);
}

/* Sends what yamux has to send. The stream may call back at once, so this is a loop and not a recursion. */
static void send_output(uvr_mux_carrier *c)
{
  if (c->sending) {
    return;
  }
  c->sending = true;
  while (!c->writing && !c->peer_gone && c->state > CARRIER_OPENING && c->state < CARRIER_ENDING) {
    size_t length = uvr_yamux_fill(&c->yamux, c->out, sizeof(c->out));
    if (length == 0 || c->state >= CARRIER_ENDING) { /* a callback for sent data may have ended the carrier */
      break;
    }
    c->writing = true;
    c->unconfirmed = true;
    listen_closely(c);
    uvr_stream_write(c->stream, c->out, length, on_written, c);
  }
  c->sending = false;
  if (c->state == CARRIER_LAST_WORDS && !c->writing) {
    uvr_mux_carrier_end(c, c->how, &c->error);
  }
}

/* Pings. */

static void on_ping_timer(uv_timer_t *timer);

static bool sends_pings(const uvr_mux_carrier *c)
{
  return c->config.role == UVRELAY_MUX_NEAR && c->config.ping_ms != UINT64_MAX && c->state == CARRIER_UP &&
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
    (void)snprintf(text, sizeof(text), "%s did not answer for %g s", other_end(c),
                   (double)c->config.ping_timeout_ms / 1000);
    end_with(c, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, text);
  }
}

/* Receiving. */

/* Parses what belongs to the greeting. Returns false if it is wrong, after which the carrier has ended. */
static bool parse_greeting(uvr_mux_carrier *c)
{
  size_t used;
  char text[320];
  uvr_mux_greeting_state state =
      uvr_mux_greeting_parse(&c->greeting, c->in->data + c->in_used, c->in->length - c->in_used, &used);
  c->in_used += used;
  if (state == UVR_MUX_GREETING_WHOLE) {
    c->state = CARRIER_UP;
  }
  if (state == UVR_MUX_GREETING_WHOLE || state == UVR_MUX_GREETING_PART) {
    return true;
  }
  uvr_mux_greeting_describe(&c->greeting, state, other_end(c), text, sizeof(text));
  end_with(c, state == UVR_MUX_GREETING_VERSION ? UVRELAY_MUX_DOWN_VERSION : UVRELAY_MUX_DOWN_ALIEN, UV_EPROTO, text);
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
  bool greeted = c->state == CARRIER_UP;
  bool inside = uvr_yamux_is_inside_frame(&c->yamux);
  if (outcome == UVR_FAILED) {
    end_broken(c, "read from", error);
  } else if (!greeted) {
    (void)snprintf(text, sizeof(text), "%s ended before it sent its protocol version", other_end(c));
    end_with(c, UVRELAY_MUX_DOWN_EARLY, UV_EOF, text);
  } else {
    (void)snprintf(text, sizeof(text), "%s ended%s", other_end(c), inside ? " in the middle of a frame" : "");
    end_with(c, inside ? UVRELAY_MUX_DOWN_BROKEN : UVRELAY_MUX_DOWN_ENDED, inside ? UV_EOF : 0, text);
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
  if (c->state == CARRIER_UP && (c->pinging || c->unconfirmed)) { /* anything received counts as an answer */
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
  if (c->state == CARRIER_GREETING) {
    bool taken = parse_greeting(c);
    if (taken && c->state == CARRIER_UP) {
      report_up(c);
    }
    return taken;
  }
  int64_t taken = uvr_yamux_receive(&c->yamux, c->in->data + c->in_used, c->in->length - c->in_used, &error);
  if (c->state != CARRIER_UP) { /* the received data has ended it */
    return false;
  }
  if (taken < 0) {
    fail_protocol(c, &error);
    return false;
  }
  c->in_used += (size_t)taken;
  return taken > 0;
}

static bool is_stalled(const uvr_mux_carrier *c)
{
  return c->config.role == UVRELAY_MUX_FAR && c->state == CARRIER_UP && !c->peer_gone && c->writing && !c->reading &&
         c->in != NULL;
}

static void on_stall_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (!is_stalled(c)) {
    (void)uv_timer_stop(timer);
  } else if (uvr_stream_input_state(c->stream) != UVR_INPUT_OPEN) {
    char text[64];
    (void)snprintf(text, sizeof(text), "%s ended", other_end(c));
    end_with(c, UVRELAY_MUX_DOWN_ENDED, 0, text);
  }
}

static void watch_stall(uvr_mux_carrier *c)
{
  uint64_t ms = c->config.context->patience.stall_look_ms;
  if (is_stalled(c) && !uv_is_active((const uv_handle_t *)&c->timer)) {
    (void)uv_timer_start(&c->timer, on_stall_timer, ms, ms);
  }
}

/* Reads and consumes as much as there is. The stream may call back at once, so this is a loop and not a recursion. */
static void receive_input(uvr_mux_carrier *c)
{
  if (c->receiving) {
    return;
  }
  c->receiving = true;
  while (c->state == CARRIER_GREETING || c->state == CARRIER_UP) {
    if (c->in == NULL) {
      if (c->reading) {
        break;
      }
      c->reading = true;
      uvr_stream_read(c->stream, on_read, c);
    } else if (c->in_used == c->in->length) {
      uvr_buffer_put(&c->stream->context->buffers, c->in);
      c->in = NULL;
    } else if (!consume(c)) {
      break; /* until output has been written */
    }
  }
  c->receiving = false;
  if (uvr_yamux_has_output(&c->yamux)) {
    send_output(c);
  }
  watch_stall(c);
}

/* The events of yamux. */

static void on_output(void *user)
{
  uvr_mux_carrier *c = user;
  if (c->state > CARRIER_OPENING && c->state < CARRIER_ENDING && !c->writing) {
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
    (void)snprintf(text, sizeof(text), "%s ended the session because of an error (go-away code %u)", other_end(c),
                   (unsigned)code);
    end_with(c, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, text);
  } else if (c->references == 0) {
    end_gone_away(c);
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
  (void)snprintf(text, sizeof(text), "%s did not send its protocol version within %g s", other_end(c),
                 (double)c->config.greeting_ms / 1000);
  end_with(c, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, text);
}

void uvr_mux_carrier_start(uvr_mux_carrier *c, uvr_stream *stream)
{
  c->stream = stream;
  c->state = CARRIER_GREETING;
  (void)uv_timer_start(&c->timer, on_greeting_timer, c->config.greeting_ms, 0);
  size_t length = sizeof(UVR_MUX_GREETING) - 1;
  memcpy(c->out, UVR_MUX_GREETING, length);
  length += uvr_yamux_fill(&c->yamux, c->out + length, sizeof(c->out) - length);
  c->writing = true;
  receive_input(c); /* reads first, as an end that cannot be written to may have said why */
  if (c->state < CARRIER_ENDING) {
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

void *uvr_mux_carrier_opener(const uvr_mux_carrier *c)
{
  return c->state < CARRIER_ENDING ? c->config.opener : NULL;
}

bool uvr_mux_carrier_is_up(const uvr_mux_carrier *c)
{
  return c->state == CARRIER_UP;
}

uvr_yamux *uvr_mux_carrier_yamux(uvr_mux_carrier *c)
{
  return &c->yamux;
}

const uvrelay_error_t *uvr_mux_carrier_fault(const uvr_mux_carrier *c)
{
  return c->state >= CARRIER_ENDING ? &c->error : NULL;
}

void uvr_mux_carrier_count(uvr_mux_carrier *c, bool open)
{
  c->connections += open ? 1U : (size_t)-1;
}
