/* What carries a mux: one stream, from its greeting to its end.
 *
 * Happy path: the stream comes, our greeting goes out with the first frames of yamux behind it, the other end's
 * greeting comes, and the carrier is up. From then on all that comes goes to the yamux session, and whenever that has
 * something to send and nothing is being written, one write takes as much as fits. The near end pings.
 *
 * Ways to fail: the greeting does not come, or is another one; reading or writing ends or fails; the rules of yamux are
 * broken, which the other end is told before everything ends; nothing comes for too long; whoever opens the stream
 * fails. Everything goes through uvr_mux_carrier_end, once: the session is killed, which resets its streams, the stream
 * is closed, and the owner is told. The last stream that lets go frees the carrier. */
#include "mux/carrier.h"

#include <stdio.h>
#include <string.h>

#include "mux/greeting.h"

/* What goes in one write, in bytes: enough for two streams' turns. More would only make a small frame wait longer. */
#define OUT_SIZE ((size_t)33 * 1024)

typedef enum carrier_state {
  CARRIER_OPENING,
  CARRIER_GREETING,
  CARRIER_UP,
  CARRIER_LAST_WORDS, /* it has failed, and the other end is being told */
  CARRIER_ENDING,
  CARRIER_CLOSED
} carrier_state;

struct uvr_mux_carrier {
  uvr_mux_carrier_config config;
  carrier_state state;
  uvr_stream *stream;
  uvr_yamux yamux;
  unsigned holds; /* by streams */
  uvr_closing closing;
  size_t connections; /* open over it */
  uv_timer_t timer;   /* the greeting, pings, last words */
  uv_idle_t idle; /* output waits: brings flush at the loop's next turn, so that what comes together goes together */
  uvr_mux_greeting greeting;
  uvr_buffer *in; /* has come; of which so much was taken */
  size_t in_used;
  bool reading;
  bool running;
  bool writing;
  bool lost; /* nobody takes what is written */
  bool flushing;
  bool pinging;
  bool overdue; /* the answer is; what has come is looked at once more */
  uint32_t pings;
  uvrelay_mux_down_t how;
  uvrelay_error_t error;
  size_t cut; /* connections that were open at the end */
  bool down_delivered;
  char out[OUT_SIZE];
};

static void run(uvr_mux_carrier *c);
static void flush(uvr_mux_carrier *c);

/* The end. */

static void maybe_free(uvr_mux_carrier *c)
{
  if (c->state == CARRIER_CLOSED && c->down_delivered && c->holds == 0) {
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
  if (c->state != CARRIER_LAST_WORDS) { /* which has set them already */
    c->how = how;
    c->error = *error;
  }
  c->state = CARRIER_ENDING;
  c->cut = c->connections;
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

/* It opens no streams any more, and there are none. */
static void end_away(uvr_mux_carrier *c)
{
  char text[64];
  (void)snprintf(text, sizeof(text), "%s goes away", other_end(c));
  end_with(c, UVRELAY_MUX_DOWN_ENDED, 0, text);
}

/* Reading or writing has failed. */
static void end_broken(uvr_mux_carrier *c, const char *what, const uvrelay_error_t *error)
{
  uvrelay_error_t own = *error;
  (void)snprintf(own.text, sizeof(own.text), "%s cannot be %s any more: %s", other_end(c), what,
                 uv_strerror(error->code));
  uvr_mux_carrier_end(c, c->state == CARRIER_UP ? UVRELAY_MUX_DOWN_BROKEN : UVRELAY_MUX_DOWN_EARLY, &own);
}

static void on_last_words_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (c->lost) {
    end_broken(c, "written to", &c->error);
  } else {
    uvr_mux_carrier_end(c, c->how, &c->error);
  }
}

/* The other end has broken the rules. */
static void fail(uvr_mux_carrier *c, const uvrelay_error_t *error)
{
  c->how = UVRELAY_MUX_DOWN_BROKEN;
  c->error = *error;
  (void)snprintf(c->error.text, sizeof(c->error.text), "%s broke the rules of yamux: %.300s", other_end(c),
                 error->text);
  c->state = CARRIER_LAST_WORDS;
  (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
  flush(c);
}

bool uvr_mux_carrier_pop_down_event(uvr_mux_carrier *c, uvrelay_mux_event_t *event)
{
  if (c->state < CARRIER_ENDING || c->down_delivered) {
    return false;
  }
  *event = (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_DOWN, .down = c->how, .streams = c->cut, .error = &c->error};
  return true;
}

void uvr_mux_carrier_down_delivered(uvr_mux_carrier *c)
{
  c->down_delivered = true;
  maybe_free(c);
}

void uvr_mux_carrier_hold(uvr_mux_carrier *c)
{
  c->holds++;
}

void uvr_mux_carrier_drop(uvr_mux_carrier *c)
{
  c->holds--;
  bool last = c->state == CARRIER_UP && c->holds == 0 && uvr_yamux_peer_goes_away(&c->yamux);
  if (last) {
    end_away(c);
  }
  maybe_free(c);
}

/* Sending. */

static void on_idle(uv_idle_t *idle)
{
  uvr_mux_carrier *c = idle->data;
  (void)uv_idle_stop(idle);
  flush(c);
}

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_mux_carrier *c = user;
  c->writing = false;
  if (outcome == UVR_GONE && c->reading && c->state != CARRIER_LAST_WORDS) {
    /* What it has said before it went is read first, and its end: that tells more. */
    c->lost = true;
    c->error = *error;
    (void)uv_timer_start(&c->timer, on_last_words_timer, c->config.context->patience.last_words_ms, 0);
    return;
  }
  if (outcome != UVR_DONE) {
    end_broken(c, "written to", error);
    return;
  }
  flush(c);
  run(c);
}

/* Writes what waits. The stream may call back at once, so this is a loop. */
static void flush(uvr_mux_carrier *c)
{
  if (c->flushing) {
    return;
  }
  c->flushing = true;
  while (!c->writing && !c->lost && c->state > CARRIER_OPENING && c->state < CARRIER_ENDING) {
    size_t length = uvr_yamux_fill(&c->yamux, c->out, sizeof(c->out));
    if (length == 0 || c->state >= CARRIER_ENDING) { /* which a callback of what was sent may bring about */
      break;
    }
    c->writing = true;
    uvr_stream_write(c->stream, c->out, length, on_written, c);
  }
  c->flushing = false;
  if (c->state == CARRIER_LAST_WORDS && !c->writing) {
    uvr_mux_carrier_end(c, c->how, &c->error);
  }
}

/* Pings. */

static void on_ping_timer(uv_timer_t *timer);

static void wait_to_ping(uvr_mux_carrier *c)
{
  const uvr_mux_carrier_config *options = &c->config;
  c->pinging = false;
  c->overdue = false;
  if (!c->lost) {
    (void)uv_timer_stop(&c->timer); /* it may have been the greeting's */
  }
  if (c->config.role == UVRELAY_MUX_NEAR && options->ping_ms != UINT64_MAX && !c->lost) {
    (void)uv_timer_start(&c->timer, on_ping_timer, options->ping_ms, 0);
  }
}

static void on_ping_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  if (!c->pinging) {
    c->pinging = true;
    (void)uv_timer_start(timer, on_ping_timer, c->config.ping_timeout_ms, 0);
    uvr_yamux_ping(&c->yamux, c->pings++ & 0xFFFFU);
  } else if (!c->overdue) { /* where this process, or the machine, was stopped, the answer may be there and unread */
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

/* Takes what belongs to the greeting. False: it was not it. */
static bool take_greeting(uvr_mux_carrier *c)
{
  size_t used;
  char text[320];
  uvr_mux_greeting_state state =
      uvr_mux_greeting_take(&c->greeting, c->in->data + c->in_used, c->in->length - c->in_used, &used);
  c->in_used += used;
  if (state == UVR_MUX_GREETING_WHOLE) {
    c->state = CARRIER_UP;
  }
  if (state == UVR_MUX_GREETING_WHOLE || state == UVR_MUX_GREETING_PART) {
    return true;
  }
  uvr_mux_greeting_tell(&c->greeting, state, other_end(c), text, sizeof(text));
  end_with(c, state == UVR_MUX_GREETING_VERSION ? UVRELAY_MUX_DOWN_VERSION : UVRELAY_MUX_DOWN_ALIEN, UV_EPROTO, text);
  return false;
}

static void greet_back(uvr_mux_carrier *c)
{
  wait_to_ping(c);
  c->config.on_up(c->config.user);
}

static void take_end(uvr_mux_carrier *c, uvr_outcome outcome, const uvrelay_error_t *error)
{
  char text[96];
  bool greeted = c->state == CARRIER_UP;
  bool inside = uvr_yamux_is_inside_frame(&c->yamux);
  if (outcome == UVR_FAILED) {
    end_broken(c, "read from", error);
  } else if (!greeted) {
    (void)snprintf(text, sizeof(text), "%s ended before it said what it speaks", other_end(c));
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
    take_end(c, outcome, error);
    return;
  }
  if (c->pinging) { /* this counts as the answer */
    wait_to_ping(c);
  }
  c->in = buffer;
  c->in_used = 0;
  run(c);
}

/* Takes from what has come. False: nothing more can be taken for now. */
static bool take(uvr_mux_carrier *c)
{
  uvrelay_error_t error;
  if (c->config.is_unwanted(c->config.user)) {
    return false;
  }
  if (c->state == CARRIER_GREETING) {
    bool taken = take_greeting(c);
    if (taken && c->state == CARRIER_UP) {
      greet_back(c);
    }
    return taken;
  }
  int64_t taken = uvr_yamux_receive(&c->yamux, c->in->data + c->in_used, c->in->length - c->in_used, &error);
  if (c->state != CARRIER_UP) { /* it was ended by what it brought */
    return false;
  }
  if (taken < 0) {
    fail(c, &error);
    return false;
  }
  c->in_used += (size_t)taken;
  return taken > 0;
}

/* Takes and reads as much as there is. The stream may call back at once, so this is a loop. */
static void run(uvr_mux_carrier *c)
{
  if (c->running) {
    return;
  }
  c->running = true;
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
    } else if (!take(c)) {
      break; /* until what waits is written */
    }
  }
  c->running = false;
  if (uvr_yamux_has_output(&c->yamux)) {
    flush(c);
  }
}

/* What yamux says. */

static void on_output(void *user)
{
  uvr_mux_carrier *c = user;
  if (c->state > CARRIER_OPENING && c->state < CARRIER_ENDING && !c->writing) {
    (void)uv_idle_start(&c->idle, on_idle);
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
    (void)snprintf(text, sizeof(text), "%s ended the session, as it met an error (go-away code %u)", other_end(c),
                   (unsigned)code);
    end_with(c, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, text);
  } else if (c->holds == 0) {
    end_away(c);
  } /* else once the last stream is closed */
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

/* Opening. */

static void on_greeting_timer(uv_timer_t *timer)
{
  uvr_mux_carrier *c = timer->data;
  char text[96];
  (void)snprintf(text, sizeof(text), "%s did not say within %g s what it speaks", other_end(c),
                 (double)c->config.greeting_ms / 1000);
  end_with(c, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, text);
}

void uvr_mux_carrier_use(uvr_mux_carrier *c, uvr_stream *stream)
{
  c->stream = stream;
  c->state = CARRIER_GREETING;
  (void)uv_timer_start(&c->timer, on_greeting_timer, c->config.greeting_ms, 0);
  size_t length = sizeof(UVR_MUX_GREETING) - 1;
  memcpy(c->out, UVR_MUX_GREETING, length);
  length += uvr_yamux_fill(&c->yamux, c->out + length, sizeof(c->out) - length);
  c->writing = true;
  run(c); /* reads first: who cannot be written to may have said why */
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

/* Questions. */

void *uvr_mux_carrier_opener(const uvr_mux_carrier *c)
{
  return c->state < CARRIER_ENDING ? c->config.opener : NULL;
}

bool uvr_mux_carrier_is_up(const uvr_mux_carrier *c)
{
  return c->state == CARRIER_UP;
}

uvr_yamux *uvr_mux_carrier_session(uvr_mux_carrier *c)
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
