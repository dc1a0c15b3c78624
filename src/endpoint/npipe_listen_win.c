/* A named pipe that waits for clients.
 *
 * Happy path: the pipe has `backlog` slots, each with one instance and a ConnectNamedPipe under way that completes
 * through the loop's port. When a client connects, its slot joins a queue and the owner is called. When the client is
 * accepted, its instance becomes a stream, and a new instance waits in the slot. Thus at most `backlog` instances are
 * waiting or connected, and all memory except that of the streams is allocated at the start.
 *
 * A client that has connected and disconnected already (ERROR_NO_DATA) is accepted like any other, because what it has
 * written can still be read. For the same reason an instance is never disconnected and used again.
 *
 * Ways to fail: if the first instance cannot be made, nothing is left of the listener. If a later instance cannot be
 * made, or its connect fails, its slot stays empty until the next client is accepted, and then it is filled again. If
 * no other slot is waiting or has a client, that would never happen, so the listener has failed and the owner is
 * called.
 *
 * All results come from the loop. Closing cancels the connects and waits for their packets. */
#include "endpoint/npipe_listen.h"

#include <string.h>

#include "endpoint/user_only_win.h"
#include "stream/iocp_op_win.h"
#include "stream/npipe_win.h"

/* How long a client of a busy pipe waits that leaves it to us (NMPWAIT_USE_DEFAULT_WAIT): longer than a burst of
 * clients takes. */
enum { DEFAULT_WAIT_MS = 5000 };

typedef struct slot {
  uvr_iocp_op op;
  uvr_npipe_listener *listener;
  enum { SLOT_EMPTY, SLOT_WAITING, SLOT_CONNECTED } state;
  HANDLE pipe;       /* the instance, or INVALID_HANDLE_VALUE */
  struct slot *next; /* in the queue of connected clients */
} slot;

struct uvr_npipe_listener {
  uvr_context *context;
  uvr_npipe_client_cb on_client;
  void *user;
  uvr_close_cb on_close;
  void *close_user;
  const WCHAR *path;
  const char *name;
  const char *client_name;
  DWORD buffer_size;
  bool message;
  bool closing;
  uvr_user_only security;
  uv_async_t alive; /* keeps the loop running even while all slots are connected; never sent */
  slot *first;      /* the queue of connected clients that wait to be accepted */
  slot **last;
  unsigned handles; /* handles of libuv that are not closed yet */
  unsigned backlog;
  slot slots[];
};

/* Instances. */

/* Makes an instance that is attached to the loop's port. Returns INVALID_HANDLE_VALUE on failure; see GetLastError. */
static HANDLE make_instance(uvr_npipe_listener *listener, DWORD flags)
{
  DWORD mode = listener->message ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
  HANDLE pipe =
      CreateNamedPipeW(listener->path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | flags,
                       mode | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, PIPE_UNLIMITED_INSTANCES, listener->buffer_size,
                       listener->buffer_size, DEFAULT_WAIT_MS, &listener->security.attributes);
  if (pipe != INVALID_HANDLE_VALUE && uvr_iocp_op_attach(listener->context->loop, pipe) != 0) {
    DWORD error = GetLastError();
    (void)CloseHandle(pipe);
    SetLastError(error);
    return INVALID_HANDLE_VALUE;
  }
  return pipe;
}

/* Waits for a client of `pipe`. If that is INVALID_HANDLE_VALUE, the loop reports a failed connect. */
static void wait_for_client(slot *s, HANDLE pipe)
{
  s->pipe = pipe;
  s->state = SLOT_WAITING;
  uvr_iocp_op_set_file(&s->op, pipe);
  OVERLAPPED *overlapped = uvr_iocp_op_begin(&s->op);
  BOOL ok = pipe != INVALID_HANDLE_VALUE && ConnectNamedPipe(pipe, overlapped);
  uvr_iocp_op_issued(&s->op, ok, true);
}

static void fill_slots(uvr_npipe_listener *listener)
{
  for (unsigned i = 0; i < listener->backlog; i++) {
    if (listener->slots[i].state == SLOT_EMPTY) {
      wait_for_client(&listener->slots[i], make_instance(listener, 0));
    }
  }
}

static void empty_slot(slot *s)
{
  if (s->pipe != INVALID_HANDLE_VALUE) {
    (void)CloseHandle(s->pipe);
  }
  s->pipe = INVALID_HANDLE_VALUE;
  s->state = SLOT_EMPTY;
}

/* Clients. */

/* An instance could not be made, or its connect has failed. */
static void fail(slot *s, DWORD system)
{
  uvr_npipe_listener *listener = s->listener;
  empty_slot(s);
  for (unsigned i = 0; i < listener->backlog; i++) {
    if (listener->slots[i].state != SLOT_EMPTY) {
      return;
    }
  }
  uvrelay_error_t error;
  int code = uv_translate_sys_error((int)system);
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_LISTEN, code, system, "%s can no longer wait for clients",
                             listener->name);
  uv_unref((uv_handle_t *)&listener->alive);
  listener->on_client(listener->user, &error);
}

static void maybe_close(uvr_npipe_listener *listener);

static void on_connect(uvr_iocp_op *op, DWORD error, DWORD bytes)
{
  (void)bytes;
  slot *s = op->user;
  uvr_npipe_listener *listener = s->listener;
  if (listener->closing) {
    maybe_close(listener);
  } else if (error == 0 || error == ERROR_PIPE_CONNECTED || error == ERROR_NO_DATA) {
    s->state = SLOT_CONNECTED;
    s->next = NULL;
    *listener->last = s;
    listener->last = &s->next;
    listener->on_client(listener->user, NULL);
  } else {
    fail(s, error);
  }
}

int uvr_npipe_accept(uvr_npipe_listener *listener, uvr_context *context, uvr_stream **out, uvrelay_error_t *error)
{
  slot *s = listener->first;
  if (s == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EAGAIN, "no client is waiting at %s", listener->name);
  }
  uvr_stream *stream =
      uvr_npipe_stream_of(context, s->pipe, UVR_NPIPE_BOTH_WAYS, listener->message, listener->client_name);
  if (stream == NULL) {
    return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, 0, "cannot accept a client of %s",
                                listener->name);
  }
  listener->first = s->next;
  if (listener->first == NULL) {
    listener->last = &listener->first;
  }
  s->pipe = INVALID_HANDLE_VALUE;
  s->state = SLOT_EMPTY;
  fill_slots(listener);
  *out = stream;
  return 0;
}

/* Closing. */

static void on_closed(uvr_npipe_listener *listener)
{
  if (--listener->handles > 0) {
    return;
  }
  uvr_context *context = listener->context;
  uvr_close_cb on_close = listener->on_close;
  void *user = listener->close_user;
  uvr_free(&context->memory, listener);
  on_close(user);
}

static void on_alive_closed(uv_handle_t *handle)
{
  on_closed(handle->data);
}

static void on_op_closed(uv_handle_t *handle)
{
  uvr_iocp_op *op = handle->data;
  on_closed(((slot *)op->user)->listener);
}

static void maybe_close(uvr_npipe_listener *listener)
{
  for (unsigned i = 0; i < listener->backlog; i++) {
    if (listener->slots[i].op.pending) {
      return;
    }
  }
  listener->handles = listener->backlog + 1;
  for (unsigned i = 0; i < listener->backlog; i++) {
    empty_slot(&listener->slots[i]);
    uvr_iocp_op_close(&listener->slots[i].op, on_op_closed);
  }
  uv_close((uv_handle_t *)&listener->alive, on_alive_closed);
}

void uvr_npipe_listener_close(uvr_npipe_listener *listener, uvr_close_cb on_close, void *user)
{
  listener->closing = true;
  listener->on_close = on_close;
  listener->close_user = user;
  for (unsigned i = 0; i < listener->backlog; i++) {
    uvr_iocp_op_cancel(&listener->slots[i].op);
  }
  maybe_close(listener);
}

/* Starting. */

/* Whether the pipe exists. The shortest possible wait for one of its instances finds out without opening any. */
static bool exists(const WCHAR *path)
{
  return WaitNamedPipeW(path, 1) || GetLastError() != ERROR_FILE_NOT_FOUND;
}

static int describe(const uvr_npipe_listener *listener, DWORD system, uvrelay_error_t *error)
{
  const char *name = listener->name;
  /* Because of FILE_FLAG_FIRST_PIPE_INSTANCE, access is also denied if the pipe exists. */
  if (system == ERROR_PIPE_BUSY || (system == ERROR_ACCESS_DENIED && exists(listener->path))) {
    return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, UV_EADDRINUSE, system, "the pipe %s already exists", name);
  }
  int code = system == ERROR_ACCESS_DENIED ? UV_EACCES : uv_translate_sys_error((int)system);
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, system, "cannot create the pipe %s", name);
}

static void init_handles(uvr_npipe_listener *listener)
{
  uv_loop_t *loop = listener->context->loop;
  (void)uv_async_init(loop, &listener->alive, NULL); /* on Windows it cannot fail */
  listener->alive.data = listener;
  for (unsigned i = 0; i < listener->backlog; i++) {
    slot *s = &listener->slots[i];
    s->listener = listener;
    s->pipe = INVALID_HANDLE_VALUE;
    uvr_iocp_op_init(&s->op, loop, INVALID_HANDLE_VALUE, false, on_connect, s);
  }
}

/* Allocates the listener, its slots, its path and its name in one block of memory. */
static uvr_npipe_listener *allocate(uvr_context *context, const char *path, const char *name, unsigned backlog)
{
  size_t size = sizeof(uvr_npipe_listener) + backlog * sizeof(slot);
  size_t path_length = strlen(path) + 1; /* enough for UTF-16, too */
  size_t name_length = strlen(name) + 1;
  uvr_npipe_listener *listener = uvr_alloc(&context->memory, size + path_length * sizeof(WCHAR) + name_length);
  if (listener == NULL) {
    return NULL;
  }
  WCHAR *wide = (WCHAR *)((char *)listener + size);
  (void)MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, (int)path_length);
  listener->path = wide;
  listener->name = memcpy(wide + path_length, name, name_length);
  listener->context = context;
  listener->backlog = backlog;
  listener->last = &listener->first;
  return listener;
}

int uvr_npipe_listen(uvr_context *context, const char *path, const char *name, const uvr_npipe_listen_options *options,
                     uvr_npipe_client_cb on_client, void *user, uvr_npipe_listener **out, uvrelay_error_t *error)
{
  uvr_npipe_listener *listener = allocate(context, path, name, options->backlog);
  if (listener == NULL) {
    return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, 0, "cannot create the pipe %s", name);
  }
  listener->on_client = on_client;
  listener->user = user;
  listener->message = options->message;
  listener->client_name = options->client_name != NULL ? options->client_name : listener->name;
  listener->buffer_size = (DWORD)options->buffer_size;
  DWORD system = uvr_user_only_init(&listener->security);
  HANDLE pipe = system == 0 ? make_instance(listener, FILE_FLAG_FIRST_PIPE_INSTANCE) : INVALID_HANDLE_VALUE;
  if (pipe == INVALID_HANDLE_VALUE) {
    int code = describe(listener, system != 0 ? system : GetLastError(), error);
    uvr_free(&context->memory, listener);
    return code;
  }
  init_handles(listener);
  wait_for_client(&listener->slots[0], pipe);
  fill_slots(listener);
  *out = listener;
  return 0;
}
