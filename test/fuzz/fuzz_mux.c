/* Both ends of a mux in one relay, with the fuzzer between them, who is the carrier, all clients and all targets.
 *
 * The first byte of the input chooses the options; each byte after it begins a step: a part of what the one end has
 * said is passed on to the other, a client comes, a client or a target writes, reads, ends or leaves, the carrier is
 * cut or has something put into it, an end is closed, time passes, memory runs out. What arrives is what was sent to
 * just that place, from its start and in order. In the end, everything that was not disturbed has arrived whole, and
 * everything is given back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fuzz.h"
#include "mux_pair.h"
#include "rig.h"
#include "yamux_rig.h"

enum {
  CLIENTS = 6,
  TARGETS = 2 * CLIENTS,
  ATTACHES = 4,
  PIECE = 64 * 1024,
  SENT_MOST = 512 * 1024,
  SETTLE_TURNS = 4000,
  CLOSE_TURNS = 4000,
  SESSION_MEMORY = 12 * 64 * 1024
};

/* A client's or a target's end of its connection. */
typedef struct place {
  int fd;    /* -1: none, or closed */
  int own;   /* its number among the clients, or among the targets; the first byte that it sends */
  int other; /* the number of what it is connected to; -1: no byte has come from there */
  uint64_t sent;
  uint64_t received;
  bool shut;  /* it has ended its output */
  bool ended; /* the other side has */
  bool lost;  /* reading or writing has failed */
} place;

typedef struct client {
  place end;
  uv_pipe_t *pipe; /* the relay's end */
  bool done;       /* the session is over */
  bool cut;        /* somebody left early, or it was disturbed */
} client;

/* One direction of the carrier: what the one end has said and the other has not heard yet. */
typedef struct way {
  int from; /* -1: cut */
  int to;
  char *bytes;
  size_t length;
} way;

typedef struct game {
  rig r;
  fuzz_input in;
  uvrelay_t *relay;
  mux_pair muxes;
  uint64_t window_total;
  char address[64];
  int listener;
  client clients[CLIENTS];
  unsigned client_count;
  place targets[TARGETS];
  unsigned target_count;
  way ways[2]; /* near to far, and back */
  unsigned attaches;
  bool tainted;   /* something else was put into the carrier */
  bool disturbed; /* connections may fail */
  bool closed;    /* the relay */
} game;

/* Descriptors. */

static void close_fd(int *fd)
{
  if (*fd >= 0) {
    (void)close(*fd);
    *fd = -1;
  }
}

static void listen_abstract(game *g)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "uvrelay-fuzz-mux-%d", (int)getpid());
  (void)snprintf(g->address, sizeof(g->address), "via:abstract:%s", address.sun_path + 1);
  g->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  CHECK(g->listener >= 0 && bind(g->listener, (const struct sockaddr *)&address, size) == 0 &&
            listen(g->listener, TARGETS) == 0,
        "there is no target: %s", strerror(errno));
}

/* Bytes. */

/* The first byte of either is its number, so that the other knows it. */
static char byte_of(bool from_client, int number, uint64_t position)
{
  return position == 0 ? (char)number : rig_byte((unsigned)number + (from_client ? 0U : 100U), position);
}

/* Somebody has left early, so that the rest of this connection need not arrive. */
static void cut_connection(game *g, const place *p, bool is_client)
{
  int number = is_client ? p->own : p->other;
  if (number >= 0) {
    g->clients[number].cut = true;
  } else {
    g->disturbed = true; /* whose it was is not known */
  }
}

static bool write_some(game *g, place *p, bool is_client, size_t length)
{
  static char bytes[PIECE];
  if (p->fd < 0 || p->shut || p->lost || p->sent >= SENT_MOST || length == 0) {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    bytes[i] = byte_of(is_client, p->own, p->sent + i);
  }
  ssize_t done = send(p->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  p->lost = p->lost || (done < 0 && errno != EAGAIN);
  p->sent += done > 0 ? (uint64_t)done : 0;
  if (p->lost) {
    cut_connection(g, p, is_client);
  }
  return done > 0;
}

/* The first byte has come, from the one of this number, who is connected to no other target. */
static void meet(game *g, place *p, bool is_client, int number)
{
  int count = (int)(is_client ? g->target_count : g->client_count);
  CHECK(g->tainted || number < count, "%s %d hears of %d", is_client ? "client" : "target", p->own, number);
  p->other = number < count ? number : 0;
  for (int i = 0; i < (int)(is_client ? g->client_count : g->target_count) && !g->tainted; i++) {
    const place *else_where = is_client ? &g->clients[i].end : &g->targets[i];
    CHECK(else_where == p || else_where->other != p->other, "%s %d is connected twice", is_client ? "target" : "client",
          number);
  }
}

static bool read_some(game *g, place *p, bool is_client, size_t length)
{
  static char bytes[PIECE];
  if (p->fd < 0 || p->ended || p->lost || length == 0) {
    return false;
  }
  ssize_t done = recv(p->fd, bytes, length, MSG_DONTWAIT);
  p->ended = done == 0;
  p->lost = p->lost || (done < 0 && errno != EAGAIN);
  if (p->lost) {
    cut_connection(g, p, is_client);
  }
  if (done > 0 && p->other < 0) {
    meet(g, p, is_client, (unsigned char)bytes[0]);
  }
  for (ssize_t i = 0; i < done && !g->tainted; i++) {
    CHECK(bytes[i] == byte_of(!is_client, p->other, p->received + (uint64_t)i), "%s %d: byte %u that comes is another",
          is_client ? "client" : "target", p->own, (unsigned)(p->received + (uint64_t)i));
  }
  p->received += done > 0 ? (uint64_t)done : 0;
  return done >= 0;
}

static void shut(place *p)
{
  if (p->fd >= 0 && !p->shut) {
    p->shut = true;
    (void)shutdown(p->fd, SHUT_WR);
  }
}

static void leave(game *g, place *p, bool is_client)
{
  if (p->fd >= 0) {
    cut_connection(g, p, is_client);
    close_fd(&p->fd);
  }
}

static void accept_targets(game *g)
{
  int fd;
  while ((fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
    if (g->target_count < TARGETS) {
      g->targets[g->target_count] = (place){.fd = fd, .own = (int)g->target_count, .other = -1};
      g->target_count++;
    } else {
      g->disturbed = true;
      (void)close(fd);
    }
  }
}

/* The carrier. */

/* Passes on at most so many bytes. */
static bool pass(way *w, size_t most)
{
  if (w->from >= 0 && w->length < PIECE) {
    ssize_t count = read(w->from, w->bytes + w->length, PIECE - w->length);
    w->length += count > 0 ? (size_t)count : 0;
  }
  size_t length = w->length < most ? w->length : most;
  ssize_t done = w->to >= 0 && length > 0 ? write(w->to, w->bytes, length) : 0;
  if (done > 0) {
    w->length -= (size_t)done;
    memmove(w->bytes, w->bytes + done, w->length);
  }
  return done > 0;
}

static void put_in(game *g, way *w, const char *bytes, size_t length)
{
  if (w->to >= 0 && w->length + length <= PIECE) {
    g->tainted = true;
    g->disturbed = true;
    memcpy(w->bytes + w->length, bytes, length);
    w->length += length;
  }
}

static void cut(game *g, way *w)
{
  g->disturbed = g->disturbed || w->from >= 0;
  close_fd(&w->from);
  close_fd(&w->to);
  w->length = 0;
}

static int attach_end(mux_end *end, const uvrelay_endpoint_t *side)
{
  mux_pair *p = end->user;
  p->calling++;
  int code = end->mux != NULL && !end->closing ? uvrelay_mux_attach(end->mux, side) : UV_ESHUTDOWN;
  p->calling--;
  return code;
}

static void attach(game *g)
{
  uv_file pipes[4][2];
  if (g->attaches == ATTACHES) {
    return;
  }
  g->attaches++;
  cut(g, &g->ways[0]);
  cut(g, &g->ways[1]);
  for (unsigned i = 0; i < 4; i++) {
    mux_pipe(pipes[i]);
  }
  /* near -> 0 -> we -> 1 -> far -> 2 -> we -> 3 -> near */
  g->ways[0].from = pipes[0][0];
  g->ways[0].to = pipes[1][1];
  g->ways[1].from = pipes[2][0];
  g->ways[1].to = pipes[3][1];
  const uvrelay_endpoint_t near_side = uvrelay_stdio(pipes[3][0], pipes[0][1]);
  const uvrelay_endpoint_t far_side = uvrelay_stdio(pipes[1][0], pipes[2][1]);
  if (attach_end(&g->muxes.near_end, &near_side) != 0) {
    mux_close_fd(pipes[3][0]);
    mux_close_fd(pipes[0][1]);
    g->disturbed = true;
  }
  if (attach_end(&g->muxes.far_end, &far_side) != 0) {
    mux_close_fd(pipes[1][0]);
    mux_close_fd(pipes[2][1]);
    g->disturbed = true;
  }
}

static void on_near_event(mux_end *end, const uvrelay_mux_event_t *event)
{
  game *g = ((mux_pair *)end->user)->user;
  if (event->type == UVRELAY_MUX_EVENT_NEEDED) {
    attach(g);
  } else if (event->type == UVRELAY_MUX_EVENT_DOWN) {
    CHECK(g->disturbed || g->closed, "the carrier has ended: %s", event->error->text);
  }
}

/* Sessions. */

static void on_pipe_closed(uv_handle_t *handle)
{
  free(handle);
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  client *c = user;
  (void)session;
  CHECK(!c->done, "a session ends twice");
  c->done = true;
  fuzz_check_error(&result->error, result->error.code);
  CHECK(result->to_right <= c->end.sent, "%u bytes were passed on of %u", (unsigned)result->to_right,
        (unsigned)c->end.sent);
}

static void start_client(game *g)
{
  int fds[2];
  if (g->client_count == CLIENTS || g->relay == NULL || g->muxes.near_end.closing) {
    return;
  }
  client *c = &g->clients[g->client_count];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0, "there is no socket");
  c->pipe = malloc(sizeof(*c->pipe));
  CHECK(c->pipe != NULL && uv_pipe_init(&g->r.loop, c->pipe, 0) == 0 && uv_pipe_open(c->pipe, fds[0]) == 0,
        "there is no pipe");
  uvrelay_endpoint_t left = uvrelay_stream((uv_stream_t *)c->pipe, on_pipe_closed);
  uvrelay_endpoint_t right = uvrelay_address(g->address);
  right.via = g->muxes.near_end.mux;
  const uvrelay_session_options_t options = {.size = sizeof(options), .linger_ms = UINT64_MAX};
  g->muxes.calling++;
  int code = uvrelay_start(g->relay, &left, &right, &options, on_done, c, NULL);
  g->muxes.calling--;
  if (code != 0) {
    CHECK(code == UV_ENOMEM || code == UV_ESHUTDOWN || code == UV_EINVAL, "a session is not started: %d", code);
    CHECK(g->disturbed, "a session is not started: %s", uvrelay_error(g->relay)->text);
    uv_close((uv_handle_t *)c->pipe, on_pipe_closed);
    (void)close(fds[1]);
    return;
  }
  c->end = (place){.fd = fds[1], .own = (int)g->client_count, .other = -1};
  g->client_count++;
}

/* Time. Threads do nothing here, and a turn takes 1 ms of the loop's clock. */
static void turn(game *g)
{
  fuzz_clock_advance(1);
  (void)uv_run(&g->r.loop, UV_RUN_NOWAIT);
  accept_targets(g);
  uint64_t most = 2 * g->window_total + (uint64_t)(g->client_count + 1) * 2 * SESSION_MEMORY + ((uint64_t)2 << 20);
  CHECK(g->r.bytes <= most, "%u KiB are held", (unsigned)(g->r.bytes / 1024));
}

/* Steps. */

static place *choose(game *g, bool is_client)
{
  unsigned which = fuzz_byte(&g->in);
  unsigned count = is_client ? g->client_count : g->target_count;
  if (count == 0) {
    return NULL;
  }
  return is_client ? &g->clients[which % count].end : &g->targets[which % count];
}

static size_t length_of(fuzz_input *in)
{
  unsigned length = fuzz_byte(in);
  return length < 128 ? length : length < 250 ? (length - 127) * 300U : PIECE;
}

static void put_frame(game *g, way *w)
{
  char frame[12];
  unsigned kind = fuzz_byte(&g->in);
  unsigned id = fuzz_byte(&g->in) % 16U;
  yframe_put(frame, kind % 5, kind / 5 % 16, kind % 5 < Y_PING ? id : 0, (uint32_t)length_of(&g->in));
  put_in(g, w, frame, sizeof(frame));
}

static void put_bytes(game *g, way *w)
{
  size_t length = fuzz_byte(&g->in) % 64U;
  length = length < g->in.size ? length : g->in.size;
  put_in(g, w, (const char *)g->in.data, length);
  g->in.data += length;
  g->in.size -= length;
}

static void step(game *g)
{
  unsigned what = fuzz_byte(&g->in);
  bool odd = (what & 1U) != 0;
  way *w = &g->ways[odd ? 1 : 0];
  place *p;
  if (what < 70) {
    size_t most = length_of(&g->in);
    (void)pass(w, most == 0 ? PIECE : most);
    turn(g);
  } else if (what < 100) {
    for (unsigned i = 0; i < 1 + what % 4; i++) {
      turn(g);
    }
  } else if (what < 115) {
    start_client(g);
  } else if (what < 220) {
    p = choose(g, odd);
    size_t length = what < 190 ? length_of(&g->in) : 0;
    if (p == NULL) {
      return;
    }
    if (what < 160) {
      (void)write_some(g, p, odd, length);
    } else if (what < 190) {
      (void)read_some(g, p, odd, length);
    } else if (what < 210) {
      shut(p);
    } else {
      leave(g, p, odd);
    }
  } else if (what < 226) {
    put_frame(g, w);
  } else if (what < 230) {
    put_bytes(g, w);
  } else if (what < 234) {
    cut(g, w);
  } else if (what < 238) {
    mux_end *end = odd ? &g->muxes.near_end : &g->muxes.far_end;
    if (end->mux != NULL && !end->closing) {
      g->disturbed = true;
      (what < 236 ? mux_end_detach : mux_end_close)(end);
    }
  } else if (what < 244) {
    g->disturbed = true; /* somebody may be given up */
    fuzz_clock_advance(fuzz_byte(&g->in) * 100U);
  } else if (what < 248) {
    g->disturbed = true;
    g->r.fail_at = g->r.allocations + 1 + fuzz_byte(&g->in) % 16U;
  }
}

/* The end. */

/* Everybody reads, and everything is passed on, until nothing more happens. */
static void settle(game *g)
{
  unsigned quiet = 0;
  for (unsigned i = 0; quiet < 12; i++) {
    CHECK(i < SETTLE_TURNS, "it does not come to rest");
    bool busy = pass(&g->ways[0], PIECE);
    busy = pass(&g->ways[1], PIECE) || busy;
    turn(g);
    for (unsigned n = 0; n < g->client_count; n++) {
      busy = read_some(g, &g->clients[n].end, true, PIECE) || busy;
    }
    for (unsigned n = 0; n < g->target_count; n++) {
      busy = read_some(g, &g->targets[n], false, PIECE) || busy;
    }
    quiet = busy ? 0 : quiet + 1;
  }
}

/* Whose target it is: by the byte that it or the client has received. NULL: none was sent. */
static const client *client_of(const game *g, const place *target)
{
  for (unsigned i = 0; i < g->client_count; i++) {
    if (target->other == (int)i || g->clients[i].end.other == target->own) {
      return &g->clients[i];
    }
  }
  return NULL;
}

static void check_whole(const game *g)
{
  bool one_cut = false;
  for (unsigned i = 0; i < g->client_count; i++) {
    one_cut = one_cut || g->clients[i].cut;
  }
  /* Each 32 KiB of a half of the total are a place for one. */
  uint64_t places = g->window_total / 2 / (32 * 1024);
  CHECK(g->target_count >= g->client_count || g->client_count > places || one_cut, "%u of %u clients have a target",
        g->target_count, g->client_count);
  for (unsigned i = 0; i < g->target_count; i++) {
    const place *t = &g->targets[i];
    const client *c = client_of(g, t);
    if (c == NULL) {
      CHECK(t->sent == 0 || one_cut, "target %u: none of its bytes has come", i);
      continue;
    }
    if (c->cut) {
      continue;
    }
    CHECK(t->received == c->end.sent, "client %d: %u of %u bytes have come to the target", c->end.own,
          (unsigned)t->received, (unsigned)c->end.sent);
    CHECK(c->end.received == t->sent, "client %d: %u of %u bytes have come back", c->end.own, (unsigned)c->end.received,
          (unsigned)t->sent);
    CHECK(t->ended == c->end.shut, "client %d: the target has%s heard of the end", c->end.own, t->ended ? "" : " not");
    CHECK(c->end.ended == t->shut, "client %d: it has%s heard of the end", c->end.own, c->end.ended ? "" : " not");
    CHECK(c->done == (c->end.shut && t->shut), "client %d: the session is%s over", c->end.own, c->done ? "" : " not");
  }
}

static void on_relay_closed(uvrelay_t *relay)
{
  game *g = uvrelay_get_data(relay);
  g->relay = NULL;
}

static void close_game(game *g)
{
  g->closed = true;
  g->disturbed = true;
  uvrelay_close(g->relay, on_relay_closed);
  for (unsigned i = 0; g->relay != NULL; i++) {
    CHECK(i < CLOSE_TURNS, "the relay does not close");
    (void)fuzz_turn(&g->r.loop);
    accept_targets(g);
  }
  for (unsigned i = 0; i < g->client_count; i++) {
    CHECK(g->clients[i].done, "a session has no end");
    close_fd(&g->clients[i].end.fd);
  }
  for (unsigned i = 0; i < g->target_count; i++) {
    close_fd(&g->targets[i].fd);
  }
  for (unsigned i = 0; i < 2; i++) {
    cut(g, &g->ways[i]);
    free(g->ways[i].bytes);
  }
  close_fd(&g->listener);
  rig_clear(&g->r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  game *g = calloc(1, sizeof(*g));
  CHECK(g != NULL, "there is no memory");
  g->in = (fuzz_input){data, size};
  unsigned first = fuzz_byte(&g->in);
  fuzz_clock_stop();
  rig_init(&g->r);
  listen_abstract(g);
  for (unsigned i = 0; i < 2; i++) {
    g->ways[i] = (way){.from = -1, .to = -1, .bytes = malloc(PIECE)};
    CHECK(g->ways[i].bytes != NULL, "there is no memory");
  }
  g->window_total = (first & 1U) != 0 ? 131072 : 1024 * 1024;
  uvrelay_mux_options_t options = {.size = sizeof(options), .window_total = g->window_total};
  if ((first & 2U) == 0) {
    options.ping_ms = UINT64_MAX;
    options.greeting_ms = UINT64_MAX;
  } else {
    g->disturbed = true; /* the fuzzer may be slower than the ends bear */
  }
  const uvrelay_options_t relay_options = {.size = sizeof(relay_options), .allocator = g->r.context.memory};
  CHECK(uvrelay_new(&g->relay, &g->r.loop, &relay_options) == 0, "there is no relay");
  uvrelay_set_data(g->relay, g);
  CHECK(mux_pair_new(&g->muxes, g->relay, &options, &options) == 0, "there is no mux");
  g->muxes.attaches = false;
  g->muxes.near_end.on_event = on_near_event;
  g->muxes.user = g;
  for (unsigned steps = 0; g->in.size > 0 && steps < 1000; steps++) {
    step(g);
  }
  if (!g->disturbed) {
    settle(g);
    check_whole(g);
  }
  close_game(g);
  free(g);
  return 0;
}
