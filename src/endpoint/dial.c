/* Dialling.
 *
 * An attempt is: for a pipe, one CreateFile (on the thread pool when another computer is asked, as that may take
 * long); for a Unix socket, one connect; for TCP, a look-up of the name, then a connect to each address in turn; for a
 * socket file, its reading, a TCP connect to 127.0.0.1, and the handshake; for what a mux is to be used for, a stream
 * of it. Everything that ends an attempt goes through succeed() or fail(); fail() makes the next attempt where the
 * error is one that waiting can heal.
 *
 * The deadline reports whatever the last attempt said. Closing abandons what is under way: a request on the thread
 * pool is waited for, as nothing else can be done with it. */
#include "endpoint/dial.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "endpoint/assuan_file.h"
#include "endpoint/assuan_handshake.h"
#include "mux/mux.h"
#include "stream/uv.h"

enum { FIRST_DELAY_MS = 10, LAST_DELAY_MS = 200 };

struct uvr_dial {
  uvr_context *context;
  uvr_address address;
  uvr_dial_options options;
  uvr_dial_cb on_result;
  void *user;
  uvr_close_cb on_close;
  void *close_user;

  uv_timer_t timer; /* to the next attempt; the handshake's */
  uv_timer_t deadline;
  uint64_t delay;
  uvr_stream *stream;    /* being connected */
  unsigned open_streams; /* it, and earlier ones that are being closed */
  union {
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_work_t work;
  } request;
  bool busy; /* request.resolve or request.work is with the thread pool */
  struct addrinfo *addresses;
  struct addrinfo *next_address;
  uv_os_fd_t npipe; /* what request.work found */
  uvr_assuan file;
  int work_code;
  uvrelay_error_t work_error;
  uvr_handshake handshake;
  uvrelay_error_t error; /* of the last attempt */
  bool reported;
  bool closing;
  bool closing_handles;
};

static void attempt(uv_timer_t *timer);
static void connect_next(uvr_dial *dial);

/* Closing. */

static void on_last_handle_closed(uv_handle_t *handle)
{
  uvr_dial *dial = handle->data;
  uvr_close_cb on_close = dial->on_close;
  void *user = dial->close_user;
  uvr_handshake_stop(&dial->handshake);
  uvr_assuan_wipe(&dial->file, sizeof(dial->file));
  uvr_free(&dial->context->memory, dial);
  on_close(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
  uvr_dial *dial = handle->data;
  dial->timer.data = dial; /* it may have been the handshake's */
  uv_close((uv_handle_t *)&dial->timer, on_last_handle_closed);
}

static void maybe_close(uvr_dial *dial)
{
  if (dial->closing && !dial->closing_handles && !dial->busy && dial->open_streams == 0) {
    dial->closing_handles = true;
    uv_freeaddrinfo(dial->addresses);
    uv_close((uv_handle_t *)&dial->deadline, on_timer_closed);
  }
}

static void on_stream_closed(void *user)
{
  uvr_dial *dial = user;
  dial->open_streams--;
  maybe_close(dial);
}

static void close_stream(uvr_dial *dial)
{
  if (dial->stream != NULL) {
    uvr_stream *stream = dial->stream;
    dial->stream = NULL;
    uvr_stream_close(stream, UVR_CLOSE_NOW, on_stream_closed, dial);
  }
}

void uvr_dial_close(uvr_dial *dial, uvr_close_cb on_close, void *user)
{
  dial->closing = true;
  dial->reported = true;
  dial->on_close = on_close;
  dial->close_user = user;
  uvr_os_close_spare_fd(&dial->options.spare_fd);
  (void)uv_timer_stop(&dial->timer);
  (void)uv_timer_stop(&dial->deadline);
  if (dial->busy) {
    (void)uv_cancel((uv_req_t *)&dial->request);
  }
  if (dial->stream != NULL) {
    close_stream(dial);
  } else {
    maybe_close(dial);
  }
}

/* Results. */

static void report(uvr_dial *dial, uvr_stream *stream)
{
  dial->reported = true;
  (void)uv_timer_stop(&dial->timer);
  (void)uv_timer_stop(&dial->deadline);
  dial->on_result(dial->user, stream, stream != NULL ? NULL : &dial->error);
}

static void succeed(uvr_dial *dial)
{
  uvr_stream *stream = dial->stream;
  dial->stream = NULL;
  dial->open_streams--;
  report(dial, stream);
}

static bool is_retried(const uvr_dial *dial)
{
  int code = dial->error.code;
  bool busy = code == UV_EBUSY || code == UV_EMFILE || code == UV_ENFILE;
  bool absent = code == UV_ENOENT || code == UV_ECONNREFUSED;
  return dial->error.phase == UVRELAY_PHASE_CONNECT && ((busy && (dial->options.retry & UVRELAY_RETRY_BUSY) != 0) ||
                                                        (absent && (dial->options.retry & UVRELAY_RETRY_ABSENT) != 0));
}

/* dial->error says what happened. */
static void fail(uvr_dial *dial)
{
  close_stream(dial);
  uv_freeaddrinfo(dial->addresses);
  dial->addresses = NULL;
  if (!is_retried(dial)) {
    report(dial, NULL);
    return;
  }
  uint64_t longest = dial->options.retry_last_ms > 0 ? dial->options.retry_last_ms : LAST_DELAY_MS;
  if (dial->delay == 0) {
    dial->delay = dial->options.retry_first_ms > 0 ? dial->options.retry_first_ms : FIRST_DELAY_MS;
    dial->delay = dial->delay < longest ? dial->delay : longest;
    uvr_log_line(&dial->context->log, "%s; trying again", dial->error.text);
  }
  dial->timer.data = dial;
  (void)uv_timer_start(&dial->timer, attempt, dial->delay, 0);
  dial->delay = dial->delay * 2 < longest ? dial->delay * 2 : longest;
}

static void fail_with(uvr_dial *dial, int code)
{
  const char *name = dial->address.canonical;
  if (code == UV_ENOENT && dial->address.kind == UVR_ADDRESS_UNIX) {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, code, 0, "there is no socket %s", name);
  } else if (code == UV_EAGAIN && dial->address.kind == UVR_ADDRESS_UNIX) {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, UV_EBUSY, 0,
                               "as many clients as its server allows wait at %s", name);
  } else if (code == UV_ECONNREFUSED && dial->address.kind == UVR_ADDRESS_ASSUAN) {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, code, 0,
                               "nobody listens on port %u of this computer, where the socket file %s points",
                               (unsigned)dial->file.port, dial->address.path);
  } else {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, code, 0, "cannot connect to %s: %s", name,
                               uv_strerror(code));
  }
  fail(dial);
}

static void on_deadline(uv_timer_t *timer)
{
  uvr_dial *dial = timer->data;
  double seconds = (double)dial->options.timeout_ms / 1000;
  uvrelay_error_t last = dial->error;
  if (last.code == 0 && dial->address.via) {
    last = dial->options.via->why;
  }
  if (last.code != 0) {
    (void)uvr_error_set(&dial->error, last.phase, UV_ETIMEDOUT, "gave up on %s after %g s, as %s",
                        dial->address.canonical, seconds, last.text);
    dial->error.system = last.system;
  } else {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, UV_ETIMEDOUT, 0, "%s did not answer within %g s",
                               dial->address.canonical, seconds);
  }
  close_stream(dial);
  report(dial, NULL);
}

/* Sockets. */

static void on_handshake(void *user, uvr_buffer *rest, const uvrelay_error_t *error)
{
  uvr_dial *dial = user;
  if (error != NULL) {
    dial->error = *error;
    fail(dial);
    return;
  }
  if (rest != NULL) {
    uvr_stream_unread(dial->stream, rest);
  }
  succeed(dial);
}

/* One address did not work. */
static void connect_failed(uvr_dial *dial, int code)
{
  if (dial->next_address != NULL) {
    close_stream(dial);
    connect_next(dial);
  } else {
    fail_with(dial, code);
  }
}

static void on_connected(uv_connect_t *request, int code)
{
  uvr_dial *dial = request->data;
  if (code == UV_ECANCELED || dial->reported) {
    return; /* the stream was closed meanwhile */
  }
  if (code != 0) {
    connect_failed(dial, code);
    return;
  }
  dial->error.code = 0;
  if (dial->address.kind == UVR_ADDRESS_ASSUAN) {
    dial->timer.data = &dial->handshake;
    uvr_handshake_start(&dial->handshake, dial->stream, &dial->timer, &dial->file, on_handshake, dial);
  } else {
    succeed(dial);
  }
}

static int make_stream(uvr_dial *dial, uv_handle_type type)
{
  uvr_os_close_spare_fd(&dial->options.spare_fd);
  int code = uvr_stream_uv_new(dial->context, type, dial->address.canonical, &dial->stream);
  if (code == 0) {
    dial->open_streams++;
    dial->request.connect.data = dial;
  }
  return code;
}

static void connect_tcp(uvr_dial *dial, const struct sockaddr *address)
{
  int code = make_stream(dial, UV_TCP);
  if (code == 0) {
    uv_tcp_t *tcp = (uv_tcp_t *)uvr_stream_uv_handle(dial->stream);
    code = uv_tcp_connect(&dial->request.connect, tcp, address, on_connected);
    uvr_stream_uv_tune_tcp(tcp);
  }
  if (code != 0) {
    connect_failed(dial, code);
  }
}

static void connect_next(uvr_dial *dial)
{
  struct addrinfo *found = dial->next_address;
  dial->next_address = found->ai_next;
  connect_tcp(dial, found->ai_addr);
}

static void on_resolved(uv_getaddrinfo_t *request, int code, struct addrinfo *addresses)
{
  uvr_dial *dial = request->data;
  dial->busy = false;
  dial->addresses = addresses;
  if (dial->closing) {
    maybe_close(dial);
  } else if (dial->reported) {
    return;
  } else if (code != 0) {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_ADDRESS, code, 0, "cannot find the host of %s: %s",
                               dial->address.canonical, uv_strerror(code));
    fail(dial);
  } else {
    dial->next_address = addresses;
    connect_next(dial);
  }
}

/* False: the host is a name, or has a zone. */
static bool connect_numeric(uvr_dial *dial)
{
  struct sockaddr_storage ip;
  if (uv_ip4_addr(dial->address.host, dial->address.port, (struct sockaddr_in *)&ip) != 0 &&
      (strchr(dial->address.host, '%') != NULL ||
       uv_ip6_addr(dial->address.host, dial->address.port, (struct sockaddr_in6 *)&ip) != 0)) {
    return false;
  }
  dial->next_address = NULL;
  connect_tcp(dial, (const struct sockaddr *)&ip);
  return true;
}

static void resolve(uvr_dial *dial)
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  char port[8];
  (void)snprintf(port, sizeof(port), "%u", (unsigned)dial->address.port);
  dial->request.resolve.data = dial;
  int code = uv_getaddrinfo(dial->context->loop, &dial->request.resolve, on_resolved, dial->address.host, port, &hints);
  if (code != 0) {
    fail_with(dial, code);
    return;
  }
  dial->busy = true;
}

static void connect_unix(uvr_dial *dial)
{
  int code = make_stream(dial, UV_NAMED_PIPE);
  if (code != 0) {
    fail_with(dial, code);
    return;
  }
  uv_pipe_connect(&dial->request.connect, (uv_pipe_t *)uvr_stream_uv_handle(dial->stream), dial->address.path,
                  on_connected);
}

/* What runs on the thread pool. */

static void work(uv_work_t *request)
{
  uvr_dial *dial = request->data;
  if (dial->address.kind == UVR_ADDRESS_NPIPE) {
    dial->work_code = uvr_npipe_open(dial->address.path, dial->address.canonical, dial->options.level, &dial->npipe,
                                     &dial->work_error);
  } else {
    dial->work_code = uvr_assuan_read_file(dial->address.path, &dial->file, &dial->work_error);
  }
}

static void use_npipe(uvr_dial *dial)
{
  if (dial->reported) {
    uvr_npipe_discard(dial->npipe);
    return;
  }
  int code = uvr_npipe_stream(dial->context, dial->npipe, dial->address.canonical, &dial->stream, &dial->error);
  if (code != 0) {
    fail(dial);
    return;
  }
  dial->open_streams++;
  succeed(dial);
}

static void use_file(uvr_dial *dial)
{
  struct sockaddr_in address;
  dial->error.code = 0; /* what an earlier attempt met is over */
  (void)uv_ip4_addr("127.0.0.1", dial->file.port, &address);
  dial->next_address = NULL;
  connect_tcp(dial, (const struct sockaddr *)&address);
}

static void use_work(uvr_dial *dial)
{
  if (dial->work_code != 0) {
    if (!dial->reported) {
      dial->error = dial->work_error;
      fail(dial);
    }
  } else if (dial->address.kind == UVR_ADDRESS_NPIPE) {
    use_npipe(dial);
  } else if (!dial->reported) {
    use_file(dial);
  }
}

static void after_work(uv_work_t *request, int code)
{
  uvr_dial *dial = request->data;
  dial->busy = false;
  if (code == 0) {
    use_work(dial);
  }
  maybe_close(dial);
}

static void start_work(uvr_dial *dial)
{
  dial->request.work.data = dial;
  int code = uv_queue_work(dial->context->loop, &dial->request.work, work, after_work);
  if (code != 0) {
    fail_with(dial, code);
    return;
  }
  dial->busy = true;
}

/* Through a mux. */

static void on_via(void *user, const uvrelay_error_t *error)
{
  uvr_dial *dial = user;
  if (dial->reported) {
    return;
  }
  if (error != NULL) {
    dial->error = *error;
    fail(dial);
  } else {
    succeed(dial);
  }
}

static void connect_via(uvr_dial *dial)
{
  const uvr_mux_target target = {.address = &dial->address,
                                 .level = dial->options.level,
                                 .eof = dial->options.eof,
                                 .linger_ms = dial->options.linger_ms};
  int code = uvr_mux_connect(dial->options.via, &target, on_via, dial, &dial->stream);
  if (code != 0) {
    fail_with(dial, code);
    return;
  }
  dial->open_streams++;
}

static void attempt(uv_timer_t *timer)
{
  uvr_dial *dial = timer->data;
  if (dial->address.via) {
    connect_via(dial);
    return;
  }
  const char *lacks = uvr_os_lacks(&dial->address);
  if (lacks != NULL) {
    (void)uvr_error_set(&dial->error, UVRELAY_PHASE_CONNECT, UV_ENOTSUP, "cannot connect to %s: %s",
                        dial->address.canonical, lacks);
    fail(dial);
    return;
  }
  switch (dial->address.kind) {
  case UVR_ADDRESS_NPIPE:
    if (dial->address.host[0] == '\0') {
      work(&(uv_work_t){.data = dial}); /* here it takes no time */
      use_work(dial);
    } else {
      start_work(dial);
    }
    break;
  case UVR_ADDRESS_ASSUAN:
    start_work(dial);
    break;
  case UVR_ADDRESS_UNIX:
    connect_unix(dial);
    break;
  case UVR_ADDRESS_TCP:
    if (!connect_numeric(dial)) {
      resolve(dial);
    }
    break;
  case UVR_ADDRESS_FD: /* only to listen on */
  case UVR_ADDRESS_NONE:
    fail_with(dial, UV_EINVAL);
    break;
  }
}

uvr_dial *uvr_dial_start(uvr_context *context, const uvr_address *address, const uvr_dial_options *options,
                         uvr_dial_cb on_result, void *user)
{
  uvr_dial *dial = uvr_alloc(&context->memory, sizeof(*dial));
  if (dial == NULL) {
    return NULL;
  }
  dial->context = context;
  dial->address = *address;
  dial->options = *options;
  dial->on_result = on_result;
  dial->user = user;
  (void)uv_timer_init(context->loop, &dial->timer);
  (void)uv_timer_init(context->loop, &dial->deadline);
  dial->timer.data = dial;
  dial->deadline.data = dial;
  (void)uv_timer_start(&dial->timer, attempt, 0, 0);
  if (options->timeout_ms > 0) {
    (void)uv_timer_start(&dial->deadline, on_deadline, options->timeout_ms, 0);
  }
  return dial;
}
