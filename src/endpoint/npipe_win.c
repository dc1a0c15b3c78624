/* Named pipes as a kind of endpoint.
 *
 * Connecting: the pipe is opened by one CreateFile, at once; where its name ends in a *, it is found first. A pipe of
 * another computer is opened on the thread pool, as that may take long.
 *
 * Listening: see npipe_listen_win.c.
 *
 * Ways to fail: there is no such pipe, all its instances are busy, access is denied, or somebody else than
 * the option `owner` allows has made it; a pipe to listen on exists
 * already, or is one of another computer. */
#include <string.h>

#include "base/text.h"
#include "endpoint/kind.h"
#include "endpoint/npipe_find_win.h"
#include "endpoint/npipe_listen.h"
#include "endpoint/offload.h"
#include "endpoint/owner.h"
#include "stream/npipe.h"
#include "stream/npipe_open_win.h"

enum { BUFFER_SIZE = 65536, BACKLOG = 32 };

/* Connecting. */

/* Opening a pipe of another computer. */
typedef struct opening {
  uvr_job job;
  char path[UVR_ADDRESS_PATH_SIZE];
  char name[UVR_ADDRESS_CANONICAL_SIZE];
  uvrelay_impersonation_t level;
  char owner[UVRELAY_USERS_SIZE];
  uv_os_fd_t file; /* NULL: it is not open, or was taken */
} opening;

typedef struct npipe_attempt {
  uvr_attempt base;
  uvr_job *opening; /* the pipe is being opened, or NULL */
} npipe_attempt;

/* Goes on with a pipe that was opened, or could not be opened because of *error. */
static void use_pipe(uvr_attempt *attempt, int code, uv_os_fd_t file, const char *name, const uvrelay_error_t *error)
{
  if (code != 0) {
    attempt->error = *error;
    uvr_attempt_fail(attempt);
  } else if (uvr_npipe_stream(attempt->context, file, name, &attempt->stream, &attempt->error) != 0) {
    uvr_attempt_fail(attempt);
  } else {
    uvr_attempt_succeed(attempt);
  }
}

static void run_opening(uvr_job *job)
{
  opening *o = (opening *)job;
  job->code = uvr_npipe_open_owned(o->path, o->name, o->level, o->owner, &o->file, &job->error);
}

static void on_opened(void *owner, uvr_job *job)
{
  npipe_attempt *self = owner;
  uv_os_fd_t file = ((opening *)job)->file;
  ((opening *)job)->file = NULL;
  self->opening = NULL;
  use_pipe(&self->base, job->code, file, self->base.address->canonical, &job->error);
}

static void clear_opening(uvr_job *job)
{
  opening *o = (opening *)job;
  if (o->file != NULL) {
    uvr_npipe_discard(o->file);
  }
}

static const uvr_job_ops opening_ops = {
    .size = sizeof(opening), .run = run_opening, .on_done = on_opened, .clear = clear_opening};

static void open_remote(npipe_attempt *self)
{
  uvr_attempt *attempt = &self->base;
  const uvr_address *address = attempt->address;
  self->opening = uvr_job_new(attempt->context, &opening_ops, address->host, self);
  if (self->opening == NULL) {
    uvr_attempt_fail_with(attempt, UV_ENOMEM);
    return;
  }
  opening *o = (opening *)self->opening;
  memcpy(o->path, address->path, sizeof(o->path));
  memcpy(o->name, address->canonical, sizeof(o->name));
  o->level = attempt->options->level;
  if (attempt->options->owner != NULL) {
    memcpy(o->owner, attempt->options->owner, strlen(attempt->options->owner) + 1);
  }
  attempt->waits_for = "that computer does not answer";
  uvr_job_start(self->opening);
}

static void npipe_connect(uvr_attempt *attempt)
{
  const uvr_address *address = attempt->address;
  if (address->host[0] != '\0') {
    open_remote((npipe_attempt *)attempt);
    return;
  }
  uv_os_fd_t file = NULL;
  uvrelay_error_t error;
  uvr_connect_options *options = attempt->options;
  if (address->open_ended) {
    uvr_address found = {.kind = UVR_ADDRESS_NONE};
    int code = uvr_npipe_find(address, options, &found, &file, &error);
    if (code == 0) {
      uvr_log_line(&attempt->context->log, "%s is %s", address->canonical, found.canonical);
    }
    use_pipe(attempt, code, file, found.canonical, &error);
    return;
  }
  int code = uvr_npipe_open_owned(address->path, address->canonical, options->level, options->owner, &file, &error);
  use_pipe(attempt, code, file, address->canonical, &error); /* a local pipe does not block */
}

static void npipe_close(uvr_attempt *attempt)
{
  npipe_attempt *self = (npipe_attempt *)attempt;
  if (self->opening != NULL) {
    uvr_job_abandon(self->opening);
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
  int code = uvr_npipe_accept(((npipe_acceptor *)acceptor)->listener, acceptor->context, out, error);
  acceptor->peer = UVR_PEER_UNKNOWN;
  if (code == 0 && uvr_npipe_peer_pid(*out, &acceptor->peer.pid) != 0) {
    acceptor->peer.pid = 0;
  }
  return code;
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
                         "cannot listen on %s: it is a pipe on another computer", address->canonical);
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

/* Whether the name is that of the target, or one that an open-ended target may find: one that begins as it does before
 * its *. Windows ignores case in the names of pipes, as in those of files. */
static bool is_same_name(const WCHAR *target, bool open_ended, const WCHAR *name)
{
  int length = open_ended ? (int)wcslen(target) - 1 : -1;
  int most = open_ended && wcslen(name) > (size_t)length ? length : -1;
  return CompareStringOrdinal(target, length, name, most, TRUE) == CSTR_EQUAL;
}

static bool npipe_same_place(const uvr_address *target, const uvr_address *listener)
{
  WCHAR to[UVR_ADDRESS_NPIPE_MAX + 1];
  WCHAR at[UVR_ADDRESS_NPIPE_MAX + 1];
  return is_here(target->host) &&
         MultiByteToWideChar(CP_UTF8, 0, name_of(target), -1, to, UVR_ADDRESS_NPIPE_MAX + 1) > 0 &&
         MultiByteToWideChar(CP_UTF8, 0, name_of(listener), -1, at, UVR_ADDRESS_NPIPE_MAX + 1) > 0 &&
         is_same_name(to, target->open_ended, at);
}

const uvr_kind uvr_npipe_kind = {.connector = &connector, .listen = npipe_listen, .same_place = npipe_same_place};
