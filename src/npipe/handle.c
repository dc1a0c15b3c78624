/* The public named pipe handle: making, connecting, listening and closing. Reading is in reader.c, writing in writer.c.
 *
 * Happy path: the handle is made, a dial connects it, it is used through the stream that the dial returned, and it is
 * closed. Or it listens; or it is connected by accepting a client of a handle that listens. Or it is given to a relay,
 * which detaches its stream and closes it.
 *
 * Ways to fail: the dial or the listener reports an error, which the owner's callback gets. No callback comes from
 * within a call: what is known at once waits for the wake-up, a timer of 0 ms.
 *
 * Closing begins with the wake-up, too, so that it may be asked for from anywhere, even from the log callback. The
 * dial, the stream and the listener are closed; then the requests that are left are cancelled; the close callback comes
 * when the wake-up timer itself and the clock are closed. */
#include "npipe/handle.h"

#include "address/users.h"
#include "base/abi.h"
#include "endpoint/offload.h"
#include "npipe/reader.h"
#include "npipe/types.h"
#include "npipe/writer.h"
#include "stream/npipe.h"

#define BACKLOG_MAX 64U
/* Bytes of the system's memory, each way, for each client: as much as libuv and Docker use. */
#define LISTEN_BUFFER ((size_t)64 * 1024)

/* Closing. */

static void on_timers_closed(void *self)
{
  uvrelay_npipe_t *np = self;
  uvrelay_allocator_t memory = np->context.memory;
  uvr_close_cb on_closed = np->on_closed;
  void *user = np->closed_user;
  uvr_context_clear(&np->context);
  if (np->close_cb != NULL) {
    np->close_cb(np);
  }
  uvr_free(&memory, np);
  if (on_closed != NULL) {
    on_closed(user);
  }
}

/* Nothing is left but the wake-up timer and the clock. */
static void on_children_closed(void *user)
{
  uvrelay_npipe_t *np = user;
  uvr_npipe_cancel_writes(np);
  uvr_closing_begin(&np->closing, on_timers_closed, np);
  uvr_closing_handle(&np->closing, (uv_handle_t *)&np->wakeup);
  uvr_clock_close(np->context.clock, uvr_closing_add(&np->closing), &np->closing);
  uvr_closing_end(&np->closing);
}

static void close_dial(uvrelay_npipe_t *np)
{
  if (np->dial != NULL) {
    uvr_dial *dial = np->dial;
    np->dial = NULL;
    uvr_dial_close(dial, uvr_closing_add(&np->closing), &np->closing);
  }
}

static void start_closing(uvrelay_npipe_t *np)
{
  np->state = UVR_NPIPE_CLOSING;
  uvr_closing_begin(&np->closing, on_children_closed, np);
  close_dial(np);
  if (np->context.offload != NULL) {
    uvr_offload_close(np->context.offload, uvr_closing_add(&np->closing), &np->closing);
  }
  if (np->stream != NULL) {
    uvr_stream_close(np->stream, UVR_CLOSE_NOW, uvr_closing_add(&np->closing), &np->closing);
    np->stream = NULL;
  }
  if (np->listener != NULL) {
    uvr_npipe_listener_close(np->listener, uvr_closing_add(&np->closing), &np->closing);
    np->listener = NULL;
  }
  uvr_closing_end(&np->closing);
}

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_npipe_t *np = timer->data;
  if (np->state < UVR_NPIPE_CLOSE_ASKED) {
    uvr_npipe_run_writer(np);
    uvr_npipe_run_reader(np);
  } else if (np->state == UVR_NPIPE_CLOSE_ASKED) {
    start_closing(np);
  }
}

void uvrelay_npipe_close(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb cb)
{
  if (npipe->state < UVR_NPIPE_CLOSE_ASKED) {
    npipe->state = UVR_NPIPE_CLOSE_ASKED;
  }
  npipe->close_cb = cb;
  uvrelay_npipe_read_stop(npipe);
  uvr_npipe_wake(npipe);
}

int uvrelay_npipe_is_closing(const uvrelay_npipe_t *npipe)
{
  return npipe->state != UVR_NPIPE_OPEN;
}

/* Making. */

static int check_options(const uvrelay_npipe_options_t *options)
{
  bool allocator = (options->allocator.allocate == NULL) == (options->allocator.release == NULL);
  bool buffer = options->buffer_size == 0 || uvr_buffer_may_be_large(options->buffer_size);
  bool mode = options->mode == UVRELAY_NPIPE_BYTE || options->mode == UVRELAY_NPIPE_MESSAGE;
  bool owner = options->owner[0] == '\0' || (uvr_users_check(options->owner) & UVR_USERS_OF_WINDOWS) != 0;
  return allocator && buffer && mode && owner && options->reserved == 0 &&
                 (unsigned)options->impersonation <= UVRELAY_IMPERSONATION_DELEGATION &&
                 options->retry <= UVRELAY_RETRY_ALL
             ? 0
             : UV_EINVAL;
}

int uvrelay_npipe_new(uvrelay_npipe_t **out, uv_loop_t *loop, const uvrelay_npipe_options_t *options)
{
  uvrelay_npipe_options_t own;
  *out = NULL;
  int code = uvr_abi_copy(&own, sizeof(own), options);
  if (code == 0) {
    code = check_options(&own);
  }
  if (code != 0) {
    return code;
  }
  uvrelay_allocator_t memory = own.allocator.allocate != NULL ? own.allocator : uvr_memory_default();
  uvrelay_npipe_t *np = uvr_alloc(&memory, sizeof(*np));
  if (np == NULL) {
    return UV_ENOMEM;
  }
  code = uvr_context_init(&np->context, loop, &memory, &own.log);
  if (code == 0) {
    code = uv_timer_init(loop, &np->wakeup);
    if (code != 0) {
      uvr_context_clear(&np->context);
    }
  }
  if (code != 0) {
    uvr_free(&memory, np);
    return code;
  }
  if (own.buffer_size > 0) {
    np->context.buffers.large = own.buffer_size;
  }
  np->options = own;
  np->wakeup.data = np;
  np->on_wakeup = on_wakeup;
  uvr_npipe_init_writer(&np->writer);
  *out = np;
  return 0;
}

/* Connecting, listening, accepting. */

static bool is_used(const uvrelay_npipe_t *np)
{
  return np->state != UVR_NPIPE_OPEN || np->dial != NULL || np->stream != NULL || np->listener != NULL;
}

/* Parses a pipe's name and checks that the handle may be connected to it. Returns 0, or the code to return. */
static int prepare(uvrelay_npipe_t *np, const char *name, unsigned flags, uvr_address *address)
{
  *address = (uvr_address){.kind = UVR_ADDRESS_NONE};
  if (!uvr_os_has_npipes()) {
    return uvr_error_set(&np->error, UVRELAY_PHASE_CONNECT, UV_ENOTSUP, "named pipes exist only on Windows");
  }
  if (is_used(np)) {
    return uvr_error_set(&np->error, UVRELAY_PHASE_CONNECT, UV_EBUSY, "this handle is already in use");
  }
  if (uvr_address_parse(name, flags, address, &np->error) != 0) {
    return UV_EINVAL;
  }
  if (address->kind != UVR_ADDRESS_NPIPE) {
    return uvr_error_set(&np->error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "%s is not the name of a pipe",
                         address->canonical);
  }
  return 0;
}

void uvr_npipe_adopt(uvrelay_npipe_t *npipe, uvr_stream *stream)
{
  npipe->stream = stream;
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  if (stream != NULL) {
    uvr_npipe_adopt(np, stream);
  } else {
    np->error = *error;
  }
  close_dial(np); /* after that, as the error belongs to the dial */
  if (np->state == UVR_NPIPE_OPEN && np->connect_cb != NULL) {
    np->connect_cb(np, stream != NULL ? 0 : np->error.code);
  }
}

static int fail_memory(uvrelay_npipe_t *np, const uvr_address *address)
{
  return uvr_error_set(&np->error, UVRELAY_PHASE_CONNECT, UV_ENOMEM, "not enough memory to connect to %s",
                       address->canonical);
}

int uvrelay_npipe_connect(uvrelay_npipe_t *npipe, const char *name, uvrelay_npipe_connect_cb cb)
{
  uvr_address address;
  int code = prepare(npipe, name, 0, &address);
  if (code != 0) {
    return code;
  }
  if (address.host[0] != '\0' && npipe->context.offload == NULL) { /* a pipe of this computer needs no thread */
    npipe->context.offload = uvr_offload_new(&npipe->context.memory);
    if (npipe->context.offload == NULL) {
      return fail_memory(npipe, &address);
    }
  }
  const uvrelay_npipe_options_t *o = &npipe->options;
  const uvr_dial_options options = {.retry = o->retry,
                                    .retry_first_ms = o->retry_first_ms,
                                    .retry_last_ms = o->retry_last_ms,
                                    .timeout_ms = o->timeout_ms,
                                    .connect = {.level = o->impersonation, .owner = o->owner}};
  npipe->connect_cb = cb;
  npipe->dial = uvr_dial_start(&npipe->context, &address, &options, on_dialled, npipe);
  return npipe->dial != NULL ? 0 : fail_memory(npipe, &address);
}

static void on_client(void *user, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  if (error != NULL) {
    np->error = *error;
  }
  if (np->state == UVR_NPIPE_OPEN && np->connection_cb != NULL) {
    np->connection_cb(np, error != NULL ? error->code : 0);
  }
}

int uvrelay_npipe_listen(uvrelay_npipe_t *npipe, const char *name, unsigned backlog, uvrelay_npipe_connection_cb cb)
{
  uvr_address address;
  int code = prepare(npipe, name, UVR_ADDRESS_LISTEN, &address);
  if (code != 0) {
    return code;
  }
  if (address.host[0] != '\0') {
    return uvr_error_set(&npipe->error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                         "cannot listen on %s: it is a pipe on another computer", address.canonical);
  }
  if (backlog == 0 || backlog > BACKLOG_MAX) {
    return uvr_error_set(&npipe->error, UVRELAY_PHASE_LISTEN, UV_EINVAL, "a backlog of %u is not between 1 and %u",
                         backlog, BACKLOG_MAX);
  }
  const uvr_npipe_listen_options options = {
      .message = npipe->options.mode == UVRELAY_NPIPE_MESSAGE, .buffer_size = LISTEN_BUFFER, .backlog = backlog};
  npipe->connection_cb = cb;
  return uvr_npipe_listen(&npipe->context, address.path, address.canonical, &options, on_client, npipe,
                          &npipe->listener, &npipe->error);
}

int uvrelay_npipe_accept(uvrelay_npipe_t *server, uvrelay_npipe_t *client)
{
  if (!uvr_os_has_npipes()) {
    return UV_ENOTSUP;
  }
  if (server->listener == NULL || server->context.loop != client->context.loop) {
    return UV_EINVAL;
  }
  if (is_used(client)) {
    return UV_EBUSY;
  }
  uvr_stream *stream;
  int code = uvr_npipe_accept(server->listener, &client->context, &stream, &server->error);
  if (code == 0) {
    uvr_npipe_adopt(client, stream);
  }
  return code;
}

/* Giving it to a relay. */

int uvr_npipe_check_gift(const uvrelay_npipe_t *npipe, const uv_loop_t *loop)
{
  if (npipe->context.loop != loop) {
    return UV_EINVAL;
  }
  if (npipe->state != UVR_NPIPE_OPEN || !uvr_npipe_writer_is_idle(&npipe->writer)) {
    return UV_EBUSY;
  }
  if (npipe->stream == NULL) {
    return UV_ENOTCONN;
  }
  if (npipe->writer.output != UVR_NPIPE_OUTPUT_OPEN) {
    return UV_EPIPE;
  }
  return npipe->reader.input != UVR_NPIPE_INPUT_OPEN ? UV_EOF : 0;
}

void uvr_npipe_give(uvrelay_npipe_t *npipe)
{
  uvrelay_npipe_read_stop(npipe);
  npipe->state = UVR_NPIPE_GIVEN;
}

uvr_stream *uvr_npipe_detach_stream(uvrelay_npipe_t *npipe)
{
  uvr_stream *stream = npipe->stream;
  if (npipe->reader.op != UVR_NPIPE_READ_NONE) {
    return NULL;
  }
  npipe->stream = NULL;
  return stream;
}

void uvr_npipe_release(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb cb, uvr_close_cb on_closed, void *user)
{
  npipe->on_closed = on_closed;
  npipe->closed_user = user;
  uvrelay_npipe_close(npipe, cb);
}

/* Questions. */

int uvrelay_npipe_is_message_mode(const uvrelay_npipe_t *npipe)
{
  if (npipe->stream != NULL) {
    return npipe->stream->keeps_messages;
  }
  return npipe->listener != NULL ? npipe->options.mode == UVRELAY_NPIPE_MESSAGE : UV_ENOTCONN;
}

int uvrelay_npipe_is_readable(const uvrelay_npipe_t *npipe)
{
  return npipe->stream != NULL ? !uvr_stream_never_sends(npipe->stream) : UV_ENOTCONN;
}

int uvrelay_npipe_is_writable(const uvrelay_npipe_t *npipe)
{
  return npipe->stream != NULL ? !uvr_stream_never_takes(npipe->stream) : UV_ENOTCONN;
}

int uvrelay_npipe_peer_pid(const uvrelay_npipe_t *npipe, uint32_t *pid)
{
  if (!uvr_os_has_npipes()) {
    return UV_ENOTSUP;
  }
  return npipe->stream != NULL ? uvr_npipe_peer_pid(npipe->stream, pid) : UV_ENOTCONN;
}

const uvrelay_error_t *uvrelay_npipe_error(const uvrelay_npipe_t *npipe)
{
  return &npipe->error;
}

uv_loop_t *uvrelay_npipe_get_loop(const uvrelay_npipe_t *npipe)
{
  return npipe->context.loop;
}

void *uvrelay_npipe_get_data(const uvrelay_npipe_t *npipe)
{
  return npipe->data;
}

void uvrelay_npipe_set_data(uvrelay_npipe_t *npipe, void *data)
{
  npipe->data = data;
}
