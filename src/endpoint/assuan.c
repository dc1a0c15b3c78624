/* Socket files of libassuan (GnuPG) as a kind of endpoint: only as a target, because such a file is made by its server.
 *
 * Happy path: the file is read on the thread pool, the port that it names is connected to, and the handshake proves
 * that we have read the file. The file contains a secret, which is wiped when the attempt is freed.
 *
 * Ways to fail: the file cannot be read, is not a socket file, or belongs to somebody whom the option `owner` does not
 * allow (who has the port is not asked); no process listens on its port; the port is the route's own listener; the
 * server ends the handshake. */
#include <stdio.h>
#include <string.h>

#include "address/assuan.h"
#include "base/os.h"
#include "endpoint/assuan_file.h"
#include "endpoint/assuan_handshake.h"
#include "endpoint/kind.h"
#include "endpoint/offload.h"
#include "endpoint/tcp.h"

/* Reading the file. */
typedef struct reading {
  uvr_job job;
  char owner[UVRELAY_USERS_SIZE]; /* of the file; empty: anybody */
  bool finds_real;
  char real[UVR_ADDRESS_PATH_SIZE]; /* see uvr_assuan_read_file */
  uvr_assuan file;
} reading;

typedef struct assuan_attempt {
  uvr_attempt base;
  uvr_job *reading; /* the file is being read, or NULL */
  uvr_assuan file;
  uv_timer_t timer;
  uvr_handshake handshake;
} assuan_attempt;

static void on_handshake(void *user, uvr_buffer *rest, const uvrelay_error_t *error)
{
  assuan_attempt *self = user;
  if (error != NULL) {
    self->base.error = *error;
    uvr_attempt_fail(&self->base);
    return;
  }
  if (rest != NULL) {
    uvr_stream_unread(self->base.stream, rest);
  }
  uvr_attempt_succeed(&self->base);
}

static void fail(assuan_attempt *self, int code)
{
  uvr_attempt *attempt = &self->base;
  if (code == UV_ECONNREFUSED) {
    (void)uvr_error_set_system(&attempt->error, UVRELAY_PHASE_CONNECT, code, 0,
                               "nothing is listening on port %u of this computer, where the socket file %s points",
                               (unsigned)self->file.port, attempt->address->path);
    uvr_attempt_fail(attempt);
  } else if (code == UV_ELOOP) {
    uvr_attempt_fail(attempt);
  } else {
    uvr_attempt_fail_with(attempt, code);
  }
}

static void on_connected(uv_connect_t *request, int code)
{
  uvr_attempt *attempt = uvr_attempt_of_request(request, code);
  assuan_attempt *self = (assuan_attempt *)attempt;
  if (attempt != NULL && code == 0) {
    uvr_handshake_start(&self->handshake, attempt->stream, &self->timer, &self->file, on_handshake, self);
  } else if (attempt != NULL) {
    fail(self, code);
  }
}

static void use_file(assuan_attempt *self)
{
  struct sockaddr_in ip;
  self->base.progressed = true;
  (void)uv_ip4_addr("127.0.0.1", self->file.port, &ip);
  int code = uvr_tcp_connect_to(&self->base, (const struct sockaddr *)&ip, NULL, on_connected);
  if (code != 0) {
    fail(self, code);
  }
}

static void read_file(uvr_job *job)
{
  reading *r = (reading *)job;
  job->code = uvr_assuan_read_file(job->place, r->owner, r->finds_real ? r->real : NULL, &r->file, &job->error);
}

/* Asks about the file before anything is said of what is in it, or of whether there is one. */
static bool may_use(assuan_attempt *self, const reading *r)
{
  uvr_attempt *attempt = &self->base;
  const uvr_connect_options *options = attempt->options;
  uvr_address place = *attempt->address;
  if (r->real[0] != '\0') {
    (void)snprintf(place.path, sizeof(place.path), "%s", r->real);
  }
  return !r->finds_real || options->check(options->check_user, &place, &attempt->error) == 0;
}

static void on_file(void *owner, uvr_job *job)
{
  assuan_attempt *self = owner;
  self->reading = NULL;
  self->base.waits_for = NULL;
  if (!may_use(self, (const reading *)job)) {
    uvr_attempt_fail(&self->base);
  } else if (job->code != 0) {
    self->base.error = job->error;
    uvr_attempt_fail(&self->base);
  } else {
    self->file = ((const reading *)job)->file;
    use_file(self);
  }
}

static void clear_reading(uvr_job *job)
{
  reading *r = (reading *)job;
  uvr_assuan_wipe(&r->file, sizeof(r->file));
}

static const uvr_job_ops reading_ops = {
    .size = sizeof(reading), .run = read_file, .on_done = on_file, .clear = clear_reading};

static void assuan_connect(uvr_attempt *attempt)
{
  assuan_attempt *self = (assuan_attempt *)attempt;
  (void)uv_timer_init(attempt->context->loop, &self->timer);
  self->timer.data = &self->handshake;
  self->reading = uvr_job_new(attempt->context, &reading_ops, attempt->address->path, self);
  if (self->reading == NULL) {
    fail(self, UV_ENOMEM);
    return;
  }
  reading *r = (reading *)self->reading;
  if (attempt->options->owner != NULL) {
    memcpy(r->owner, attempt->options->owner, strlen(attempt->options->owner) + 1);
  }
  r->finds_real = attempt->options->check != NULL && attempt->options->check_real;
  uvr_attempt_keep_room(attempt->context, attempt->options);
  attempt->waits_for = "its socket file is still being read: the drive that the file is on does not answer";
  uvr_job_start(self->reading);
}

static void assuan_close(uvr_attempt *attempt)
{
  assuan_attempt *self = (assuan_attempt *)attempt;
  uvr_closing_handle(&attempt->closing, (uv_handle_t *)&self->timer);
  if (self->reading != NULL) {
    uvr_job_abandon(self->reading);
  }
}

static void assuan_clear(uvr_attempt *attempt)
{
  assuan_attempt *self = (assuan_attempt *)attempt;
  uvr_handshake_stop(&self->handshake);
  uvr_assuan_wipe(&self->file, sizeof(self->file));
}

static const uvr_connector connector = {
    .size = sizeof(assuan_attempt), .connect = assuan_connect, .close = assuan_close, .clear = assuan_clear};

static const char *why_no_target(const uvr_address *address)
{
  return uvr_address_is_windows_file(address) && !uvr_os_has_npipes()
             ? "its path is a Windows path; run uvrelay.exe there"
             : NULL;
}

const uvr_kind uvr_assuan_kind = {.connector = &connector,
                                  .no_listener = "libassuan socket files are created by their own servers",
                                  .why_no_target = why_no_target};
