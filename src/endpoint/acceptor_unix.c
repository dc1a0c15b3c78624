/* Accepting clients on listening sockets on Unix.
 *
 * Happy path: the socket is polled; when it is readable, the owner is called and accepts clients. A client is accepted
 * only while there are also descriptors for its target. libuv does not do the accepting, because it closes connections
 * when descriptors run out; here they wait in the kernel until there are enough descriptors again.
 *
 * A shared socket may be blocking, and must stay so for the processes that share it. Accepting on it may block even if
 * a client is waiting, as another process may take that client first. So it is done by a job of libuv's pool, which
 * then waits for the next client. Nothing can interrupt the job, so it outlives an acceptor that is closed meanwhile,
 * and closes the client that it gets.
 *
 * Ways to fail: the socket cannot be made, and nothing is left of it; a client cannot be accepted for lack of
 * descriptors or memory, and it keeps waiting; a client is not allowed to connect, and it is closed. */
#include "endpoint/acceptor_unix.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint/ip.h"
#include "endpoint/room_unix.h"
#include "endpoint/users_unix.h"
#include "stream/shared_poll_unix.h"
#include "stream/uv.h"

typedef struct acceptor_unix acceptor_unix;

/* Accepts on a shared socket. Its memory is not the relay's, which may be closed before it. */
typedef struct accept_job {
  uv_work_t work;
  acceptor_unix *acceptor; /* NULL: closed; then the socket belongs to the job */
  int fd;
  int accepted; /* a client or an error */
  bool running;
} accept_job;

struct acceptor_unix {
  uvr_acceptor base;
  uvr_shared_poll poll;
  int fd;
  int next;         /* a client that was accepted, or an error; UV_EAGAIN: neither */
  int last_fd;      /* the descriptor of the client that was accepted last */
  bool enough;      /* no further client is accepted before the next one is announced */
  bool crowded;     /* clients have been announced in two turns of the loop, one after the other */
  uv_check_t turns; /* counts turns; active until one has passed without an announcement */
  unsigned quiet_turns;
  uv_handle_type type;  /* of the clients' handles */
  const char *peer_uid; /* the users who may connect, as a list; empty: everybody */
  bool only_own;        /* if it is empty, only the user of this process */
  bool tuned;           /* clients have socket options of the listener: see uvr_unix_listener */
  bool loopback;
  bool paused;
  accept_job *job; /* NULL: the socket is not shared */
  uvr_socket_file file;
};

/* Waiting for clients. */

/* Is called at the end of each turn of the loop, of the one with the announcement, too. */
static void on_turn(uv_check_t *turns)
{
  acceptor_unix *self = turns->data;
  if (self->quiet_turns++ > 0) {
    (void)uv_check_stop(turns);
  }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
  acceptor_unix *self = poll->data;
  (void)status; /* the next accept reports the error */
  (void)events;
  self->enough = false;
  self->crowded = uv_is_active((const uv_handle_t *)&self->turns);
  self->quiet_turns = 0;
  (void)uv_check_start(&self->turns, on_turn);
  self->base.on_client(self->base.user, NULL);
}

static void update_polling(acceptor_unix *self)
{
  if (self->paused || (self->job != NULL && self->job->running)) {
    uvr_shared_poll_stop(&self->poll);
  } else {
    uvr_shared_poll_start(&self->poll, on_readable);
  }
}

static void pause_accepting(uvr_acceptor *acceptor, bool pause)
{
  acceptor_unix *self = (acceptor_unix *)acceptor;
  self->paused = pause;
  self->enough = self->enough && !pause; /* who then asks for a client wants to know whether one can be accepted */
  update_polling(self);
}

/* Accepting. */

static int make_stream(acceptor_unix *self, int fd, uvr_stream **out, uvrelay_error_t *error)
{
  uvr_stream *stream;
  int code = uvr_stream_uv_new(self->base.context, self->type, self->base.client_name, &stream);
  if (code != 0) {
    self->next = fd;
    return code;
  }
  uv_stream_t *handle = uvr_stream_uv_handle(stream);
  code = self->type == UV_TCP ? uv_tcp_open((uv_tcp_t *)handle, fd) : uv_pipe_open((uv_pipe_t *)handle, fd);
  if (code != 0) {
    (void)close(fd);
    uvr_stream_close(stream, UVR_CLOSE_NOW, uvr_closing_add(&self->base.closing), &self->base.closing);
    (void)uvr_acceptor_lose(&self->base, code, error);
    return UV_EPERM;
  }
  if (self->tuned) {
    uvr_stream_uv_set_armed(stream);
  }
  if (self->type == UV_TCP && !(self->tuned && self->loopback)) {
    uvr_stream_uv_tune_tcp((uv_tcp_t *)handle, !self->loopback);
    uvr_stream_arm(stream);
  }
  *out = stream;
  return 0;
}

/* Returns a client or an error. */
static int accept_on(int listener)
{
  int fd;
  do {
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  return fd >= 0 ? fd : errno == EPERM ? UV_EACCES : -errno; /* a firewall's refusal leaves the client waiting */
}

static int make_job(acceptor_unix *self, int fd)
{
  const uvrelay_allocator_t memory = uvr_memory_default();
  self->job = uvr_alloc(&memory, sizeof(*self->job));
  if (self->job == NULL) {
    return UV_ENOMEM;
  }
  self->job->work.data = self->job;
  self->job->acceptor = self;
  self->job->fd = fd;
  return 0;
}

static void free_job(accept_job *job)
{
  const uvrelay_allocator_t memory = uvr_memory_default();
  uvr_free(&memory, job);
}

static void work(uv_work_t *request)
{
  accept_job *job = request->data;
  job->accepted = accept_on(job->fd);
}

static void after_work(uv_work_t *request, int code)
{
  accept_job *job = request->data;
  acceptor_unix *self = job->acceptor;
  (void)code; /* the job is never cancelled */
  job->running = false;
  if (self != NULL) {
    self->next = job->accepted;
    update_polling(self);
    self->base.on_client(self->base.user, NULL);
    return;
  }
  (void)close(job->fd);
  if (job->accepted >= 0) {
    (void)close(job->accepted);
  }
  free_job(job);
}

/* Starts the job if a client is waiting. Returns UV_EAGAIN or another error. */
static int start_job(acceptor_unix *self)
{
  accept_job *job = self->job;
  struct pollfd waiting = {.fd = self->fd, .events = POLLIN};
  if (job->running || poll(&waiting, 1, 0) <= 0) {
    return UV_EAGAIN;
  }
  if (!uvr_room_take(self->base.context, self->last_fd)) {
    return UV_EMFILE;
  }
  int code = uv_queue_work(self->base.context->loop, &job->work, work, after_work);
  job->running = code == 0;
  return code == 0 ? UV_EAGAIN : code;
}

static uvrelay_peer_t peer_of(int fd)
{
  uvrelay_peer_t peer = UVR_PEER_UNKNOWN;
  struct ucred told;
  socklen_t length = sizeof(told);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &told, &length) == 0) {
    peer.pid = told.pid > 0 ? (uint32_t)told.pid : 0; /* 0: it is of another pid namespace */
    peer.uid = told.uid;
  }
  return peer;
}

/* Whether the client that was accepted may connect. If not, *error says who was refused and why. */
static bool admits(const acceptor_unix *self, uvrelay_error_t *error)
{
  const uvrelay_peer_t *peer = &self->base.peer;
  const char *name = self->base.client_name;
  char user[UVR_USER_TEXT_SIZE];
  bool listed = *self->peer_uid != '\0';
  if (!listed && !self->only_own) {
    return true;
  }
  if (peer->uid < 0) {
    (void)uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EACCES, "%s was refused: its user cannot be determined", name);
    return false;
  }
  if (listed ? uvr_users_name(self->peer_uid, (uid_t)peer->uid) : peer->uid == geteuid()) {
    return true;
  }
  if (listed) {
    (void)uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EACCES,
                        "%.200s, process %lu of %s, was refused: only peer-uid=%.120s may connect", name,
                        (unsigned long)peer->pid, uvr_user_text((uid_t)peer->uid, user), self->peer_uid);
  } else {
    (void)uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EACCES,
                        "%.200s, process %lu of user %lu, was refused: only user %lu may connect, unless perm=0666 is "
                        "set",
                        name, (unsigned long)peer->pid, (unsigned long)peer->uid, (unsigned long)geteuid());
  }
  return false;
}

/* Mostly there is only one client, and asking for another one would cost a call. So a second one is asked for only if
 * clients were announced in the turn before, too: they are coming faster than they are accepted. */
static int accept_announced(acceptor_unix *self)
{
  if (self->enough) {
    return UV_EAGAIN;
  }
  int fd = uvr_room_take(self->base.context, self->last_fd) ? accept_on(self->fd) : UV_EMFILE;
  self->enough = fd < 0 || !self->crowded;
  return fd;
}

static int accept_client(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error)
{
  acceptor_unix *self = (acceptor_unix *)acceptor;
  int fd = self->next;
  self->next = UV_EAGAIN;
  if (fd == UV_EAGAIN) {
    fd = self->job != NULL ? start_job(self) : accept_announced(self);
  }
  if (fd >= 0) {
    self->last_fd = fd;
    acceptor->peer = self->type == UV_NAMED_PIPE ? peer_of(fd) : UVR_PEER_UNKNOWN;
  }
  if (fd >= 0 && !admits(self, error)) {
    (void)close(fd);
    return UV_EPERM;
  }
  if (fd == UV_EMFILE || fd == UV_ENFILE) {
    acceptor->context->room = 0; /* what was known is no longer true */
  }
  int code = fd >= 0 ? make_stream(self, fd, out, error) : fd;
  if (code != 0 && code != UV_EAGAIN && code != UV_EPERM) {
    (void)uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "%s is waiting: %s", acceptor->client_name,
                               uv_strerror(code));
  }
  return code;
}

/* Closing. */

static void on_poll_closed(uv_handle_t *handle)
{
  acceptor_unix *self = handle->data;
  uvr_closing_done(&self->base.closing);
}

static void close_acceptor(uvr_acceptor *acceptor)
{
  acceptor_unix *self = (acceptor_unix *)acceptor;
  int code = uvr_socket_file_remove(&self->file);
  if (code != 0) {
    uvr_log_line(&acceptor->context->warnings, "cannot remove the socket %s, on which nothing is listening now: %s",
                 self->file.path, uv_strerror(code));
  }
  uvr_closing_handle(&acceptor->closing, (uv_handle_t *)&self->turns);
  (void)uvr_closing_add(&acceptor->closing);
  uvr_shared_poll_close(&self->poll, on_poll_closed);
  if (self->next >= 0) {
    (void)close(self->next);
  }
  if (self->job != NULL && self->job->running) {
    self->job->acceptor = NULL;
  } else {
    (void)close(self->fd);
    free_job(self->job);
  }
}

/* Starting. */

static const uvr_acceptor_ops ops = {
    .size = sizeof(acceptor_unix), .accept = accept_client, .pause = pause_accepting, .close = close_acceptor};

int uvr_acceptor_unix(const uvr_listen_request *request, const uvr_unix_listener *listener, uvr_acceptor **out,
                      uvrelay_error_t *error)
{
  acceptor_unix *self = (acceptor_unix *)uvr_acceptor_new(&ops, request, error);
  uvr_socket_file file = {.path = ""};
  if (listener->file != NULL) {
    file = *listener->file;
  }
  int code = self == NULL ? UV_ENOMEM : listener->shared ? make_job(self, listener->fd) : 0;
  if (code == 0) {
    code = uvr_shared_poll_init(&self->poll, request->context->loop, listener->fd, UV_READABLE);
  }
  if (code != 0) {
    (void)uvr_socket_file_remove(&file); /* what has failed is reported */
    (void)close(listener->fd);
    if (self == NULL) {
      return code;
    }
    free_job(self->job);
    uvr_free(&request->context->memory, self);
    return uvr_acceptor_fail(error, request->address, code);
  }
  self->fd = listener->fd;
  self->next = UV_EAGAIN;
  self->enough = true;
  (void)uv_check_init(request->context->loop, &self->turns);
  self->turns.data = self;
  self->type = listener->type;
  self->peer_uid = request->options->peer_uid;
  self->only_own = listener->only_own;
  self->tuned = listener->tuned;
  self->loopback = listener->loopback;
  self->file = file;
  self->poll.handle.data = self;
  update_polling(self);
  *out = &self->base;
  return 0;
}

/* Sets the options that each accepted socket gets from the one that listens. */
static bool tune(int fd)
{
  static const int on = 1;
  static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0;
}

int uvr_acceptor_tcp(const uvr_listen_request *request, const struct sockaddr *ip, uvr_acceptor **out,
                     uvrelay_error_t *error)
{
  struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
  socklen_t length = ip->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  socklen_t bound_length = sizeof(bound);
  int on = 1;
  int fd = socket(ip->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return uvr_acceptor_fail(error, request->address, -errno);
  }
  bool ipv6 = ip->sa_family == AF_INET6; /* such a socket accepts IPv6 only, as on Windows */
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      (ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) || bind(fd, ip, length) != 0 ||
      listen(fd, UVR_ACCEPTOR_BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&bound, &bound_length) != 0) {
    int code = uvr_acceptor_fail(error, request->address, -errno);
    (void)close(fd);
    return code;
  }
  uvr_address_set_port(request->address, uvr_ip_port((const struct sockaddr *)&bound));
  const uvr_unix_listener listener = {.fd = fd, .type = UV_TCP, .tuned = tune(fd), .loopback = uvr_ip_is_loopback(ip)};
  return uvr_acceptor_unix(request, &listener, out, error);
}
