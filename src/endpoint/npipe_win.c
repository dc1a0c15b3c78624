/* Named pipes as a kind of endpoint.
 *
 * Connecting: the pipe is opened by one CreateFile, at once. A pipe of another computer is opened on the thread pool,
 * as that may take long.
 *
 * Listening: see npipe_listen_win.c.
 *
 * Ways to fail: there is no such pipe, all its instances are busy, or access is denied; a pipe to listen on exists
 * already, or is one of another computer. */
#include <string.h>

#include "base/text.h"
#include "endpoint/kind.h"
#include "endpoint/npipe_listen.h"
#include "stream/npipe.h"
#include "stream/npipe_open_win.h"

enum { BUFFER_SIZE = 65536, BACKLOG = 8 };

/* Connecting. */

typedef struct npipe_attempt {
  uvr_attempt base;
  uv_work_t work;
  bool working;
  uv_os_fd_t file;
  int code;              /* the result of opening it */
  uvrelay_error_t error; /* why opening it failed */
} npipe_attempt;

static void work(uv_work_t *request)
{
  npipe_attempt *self = request->data;
  const uvr_address *address = self->base.address;
  self->code = uvr_npipe_open(address->path, address->canonical, self->base.options->level, &self->file, &self->error);
}

static void use_result(npipe_attempt *self)
{
  uvr_attempt *attempt = &self->base;
  if (self->code != 0) {
    attempt->error = self->error;
    uvr_attempt_fail(attempt);
  } else if (uvr_npipe_stream(attempt->context, self->file, attempt->address->canonical, &attempt->stream,
                              &attempt->error) != 0) {
    uvr_attempt_fail(attempt);
  } else {
    uvr_attempt_succeed(attempt);
  }
}

static void after_work(uv_work_t *request, int cancelled)
{
  npipe_attempt *self = request->data;
  bool over = self->base.over || cancelled != 0;
  self->working = false;
  if (over && cancelled == 0 && self->code == 0) {
    uvr_npipe_discard(self->file);
  }
  uvr_closing_done(&self->base.closing); /* may free the attempt, if it is being closed */
  if (!over) {
    use_result(self);
  }
}

static void npipe_connect(uvr_attempt *attempt)
{
  npipe_attempt *self = (npipe_attempt *)attempt;
  self->work.data = self;
  if (attempt->address->host[0] == '\0') {
    work(&self->work); /* for a local pipe this does not block */
    use_result(self);
    return;
  }
  int code = uv_queue_work(attempt->context->loop, &self->work, work, after_work);
  if (code != 0) {
    uvr_attempt_fail_with(attempt, code);
    return;
  }
  self->working = true;
  (void)uvr_closing_add(&attempt->closing);
}

static void npipe_close(uvr_attempt *attempt)
{
  npipe_attempt *self = (npipe_attempt *)attempt;
  if (self->working) {
    (void)uv_cancel((uv_req_t *)&self->work);
  }
}

static const uvr_connector connector = {.size = sizeof(npipe_attempt), .connect = npipe_connect, .close = npipe_close};

/* Listening. */

typedef struct npipe_acceptor {
  uvr_acceptor base;
  uvr_npipe_listener *listener;
} npipe_acceptor;

static int accept_client(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error)
{
  return uvr_npipe_accept(((npipe_acceptor *)acceptor)->listener, acceptor->context, out, error);
}

static void close_acceptor(uvr_acceptor *acceptor)
{
  uvr_npipe_listener_close(((npipe_acceptor *)acceptor)->listener, uvr_closing_add(&acceptor->closing),
                           &acceptor->closing);
}

static const uvr_acceptor_ops acceptor_ops = {
    .size = sizeof(npipe_acceptor), .accept = accept_client, .close = close_acceptor};

static int npipe_listen(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error)
{
  const uvr_address *address = request->address;
  if (address->host[0] != '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                         "%s is a pipe of another computer: only a pipe of this one can be listened on",
                         address->canonical);
  }
  npipe_acceptor *self = (npipe_acceptor *)uvr_acceptor_new(&acceptor_ops, request, error);
  if (self == NULL) {
    return UV_ENOMEM;
  }
  const uvr_npipe_listen_options options = {.message = request->options->message,
                                            .buffer_size = BUFFER_SIZE,
                                            .backlog = BACKLOG,
                                            .client_name = request->client_name};
  int code = uvr_npipe_listen(request->context, address->path, address->canonical, &options, request->on_client,
                              request->user, &self->listener, error);
  if (code != 0) {
    uvr_free(&request->context->memory, self);
    return code;
  }
  *out = &self->base;
  return 0;
}

/* The part of the path that follows \\HOST\pipe\. */
static const char *name_of(const uvr_address *address)
{
  const char *name = address->path + 2;
  for (int backslashes = 0; backslashes < 2; name++) {
    backslashes += *name == '\\' ? 1 : 0;
  }
  return name;
}

static bool is_computer(const char *host, COMPUTER_NAME_FORMAT format)
{
  WCHAR name[256];
  char text[UVR_ADDRESS_HOST_SIZE];
  DWORD length = sizeof(name) / sizeof(name[0]);
  return GetComputerNameExW(format, name, &length) &&
         WideCharToMultiByte(CP_UTF8, 0, name, -1, text, sizeof(text), NULL, NULL) > 0 && uvr_is_same_word(host, text);
}

static bool is_here(const char *host)
{
  return *host == '\0' || uvr_is_same_word(host, "localhost") || strcmp(host, "127.0.0.1") == 0 ||
         is_computer(host, ComputerNameNetBIOS) || is_computer(host, ComputerNameDnsHostname) ||
         is_computer(host, ComputerNameDnsFullyQualified);
}

/* Windows ignores case in the names of pipes, as in those of files. */
static bool npipe_same_place(const uvr_address *target, const uvr_address *listener)
{
  WCHAR to[UVR_ADDRESS_NPIPE_MAX + 1];
  WCHAR at[UVR_ADDRESS_NPIPE_MAX + 1];
  return is_here(target->host) &&
         MultiByteToWideChar(CP_UTF8, 0, name_of(target), -1, to, UVR_ADDRESS_NPIPE_MAX + 1) > 0 &&
         MultiByteToWideChar(CP_UTF8, 0, name_of(listener), -1, at, UVR_ADDRESS_NPIPE_MAX + 1) > 0 &&
         CompareStringOrdinal(to, -1, at, -1, TRUE) == CSTR_EQUAL;
}

const uvr_kind uvr_npipe_kind = {.connector = &connector, .listen = npipe_listen, .same_place = npipe_same_place};
