/* Dialling.
 *
 * Happy path: an attempt is made by the connector of the address's kind. If it fails with an error that is to be
 * retried, another one is made after a delay, until one succeeds.
 *
 * Ways to fail: an attempt fails with an error that is not to be retried; the time is up, and the error then says what
 * the last attempt failed with; this system cannot connect to such addresses; a variable in the address is not set;
 * there is no memory. Closing abandons the attempt that is under way and waits until every attempt that was made is
 * closed. */
#include "endpoint/dial.h"

#include "base/alarm.h"
#include "base/list.h"
#include "base/os.h"
#include "base/text.h"
#include "endpoint/kind.h"
#include "endpoint/owner.h"
#include "endpoint/reach.h"
#include "endpoint/via_connect.h"

enum { FIRST_DELAY_MS = 10, LAST_DELAY_MS = 200 };

struct uvr_dial {
  uvr_context *context;
  const uvr_address *address;
  uvr_dial_options options;
  uvr_dial_cb on_result;
  void *user;
  uvr_close_cb on_closed;
  void *closed_user;

  uvr_alarm next; /* starts the next attempt */
  uvr_alarm deadline;
  uint64_t delay;        /* before the next attempt, ms */
  uvr_attempt *attempt;  /* the one under way, or NULL */
  uvrelay_error_t error; /* of the last attempt that failed */
  uvr_closing closing;   /* counts attempts that are being closed */
  uvr_address own[];     /* a copy of the address, where one is needed */
};

/* Closing. */

static void on_all_closed(void *user)
{
  uvr_dial *dial = user;
  uvr_close_cb on_closed = dial->on_closed;
  void *closed_user = dial->closed_user;
  uvr_free(&dial->context->memory, dial);
  on_closed(closed_user);
}

static void clear_alarms(uvr_dial *dial)
{
  uvr_alarm_clear(dial->context->clock, &dial->next);
  uvr_alarm_clear(dial->context->clock, &dial->deadline);
}

/* May be called from the attempt's own callback. Nothing may use the attempt afterwards. */
static void close_attempt(uvr_dial *dial)
{
  if (dial->attempt != NULL) {
    uvr_attempt *attempt = dial->attempt;
    dial->attempt = NULL;
    uvr_attempt_close(attempt, uvr_closing_add(&dial->closing), &dial->closing);
  }
}

void uvr_dial_close(uvr_dial *dial, uvr_close_cb on_closed, void *user)
{
  dial->on_closed = on_closed;
  dial->closed_user = user;
  uvr_os_close_spare_fd(&dial->options.connect.spare_fd);
  uvr_closing_begin(&dial->closing, on_all_closed, dial);
  clear_alarms(dial);
  close_attempt(dial);
  uvr_closing_end(&dial->closing);
}

/* Results. */

static void report(uvr_dial *dial, uvr_stream *stream)
{
  clear_alarms(dial);
  dial->on_result(dial->user, stream, stream != NULL ? NULL : &dial->error);
}

static bool is_retried(const uvr_dial *dial)
{
  int code = dial->error.code;
  bool busy = code == UV_EBUSY || code == UV_EMFILE || code == UV_ENFILE;
  bool absent = uvr_error_is_absence(&dial->error);
  return (busy && dial->error.phase == UVRELAY_PHASE_CONNECT && (dial->options.retry & UVRELAY_RETRY_BUSY) != 0) ||
         (absent && (dial->options.retry & UVRELAY_RETRY_ABSENT) != 0);
}

bool uvr_dial_stop_waiting(uvr_dial *dial)
{
  bool waits = (dial->options.retry & UVRELAY_RETRY_ABSENT) != 0 && dial->attempt == NULL &&
               uvr_error_is_absence(&dial->error) && uvr_alarm_is_set(&dial->next);
  dial->options.retry &= ~(unsigned)UVRELAY_RETRY_ABSENT;
  if (waits) {
    clear_alarms(dial);
  }
  return waits;
}

static void on_next(uvr_alarm *next)
{
  uvr_dial_now(UVR_LISTED(next, uvr_dial, next));
}

/* Reports dial->error, or tries again. */
static void fail(uvr_dial *dial)
{
  if (dial->error.code == UV_EMFILE || dial->error.code == UV_ENFILE) {
    dial->context->room = 0; /* no further client is accepted now */
  }
  if (!is_retried(dial)) {
    report(dial, NULL);
    return;
  }
  dial->options.connect.is_retry = true;
  uint64_t longest = dial->options.retry_last_ms > 0 ? dial->options.retry_last_ms : LAST_DELAY_MS;
  if (dial->delay == 0) {
    dial->delay = dial->options.retry_first_ms > 0 ? dial->options.retry_first_ms : FIRST_DELAY_MS;
    dial->delay = dial->delay < longest ? dial->delay : longest;
    uvr_log_line(&dial->context->log, "%s; trying again", dial->error.text);
  }
  uvr_attempt_keep_room(dial->context, &dial->options.connect);
  uvr_alarm_set(dial->context->clock, &dial->next, dial->delay, on_next);
  dial->delay = dial->delay * 2 < longest ? dial->delay * 2 : longest;
}

static void on_attempt_result(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvr_dial *dial = user;
  if (error != NULL) {
    dial->error = *error;
  }
  close_attempt(dial);
  if (stream != NULL) {
    report(dial, stream);
  } else {
    fail(dial);
  }
}

static void on_deadline(uvr_alarm *deadline)
{
  uvr_dial *dial = UVR_LISTED(deadline, uvr_dial, deadline);
  char time[UVR_TIME_SIZE];
  uvrelay_error_t last = dial->error;
  if (dial->attempt != NULL && dial->attempt->progressed) {
    last.code = 0;
  }
  if (last.code == 0 && dial->address->via) {
    last = *dial->options.connect.via->ops->why(dial->options.connect.via);
  }
  if (dial->attempt != NULL && dial->attempt->waits_for != NULL) {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, UV_ETIMEDOUT, 0, "gave up on %s after %s: %s",
                               dial->address->canonical, uvr_time_text(time, dial->options.timeout_ms),
                               dial->attempt->waits_for);
  } else if (last.code != 0) {
    (void)uvr_error_set(&dial->error, last.phase, UV_ETIMEDOUT, "gave up on %s after %s: %s", dial->address->canonical,
                        uvr_time_text(time, dial->options.timeout_ms), last.text);
    dial->error.system = last.system;
  } else {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, UV_ETIMEDOUT, 0, "%s did not answer within %s",
                               dial->address->canonical, uvr_time_text(time, dial->options.timeout_ms));
  }
  close_attempt(dial);
  report(dial, NULL);
}

/* Attempts. */

static void start_attempt(uvr_dial *dial, const uvr_connector *connector)
{
  dial->attempt =
      uvr_attempt_new(dial->context, connector, dial->address, &dial->options.connect, on_attempt_result, dial);
  if (dial->attempt == NULL) {
    (void)uvr_error_set_system(&dial->error, UVRELAY_PHASE_CONNECT, UV_ENOMEM, 0, "cannot connect to %s: %s",
                               dial->address->canonical, uv_strerror(UV_ENOMEM));
    fail(dial);
    return;
  }
  uvr_attempt_start(dial->attempt);
}

void uvr_dial_now(uvr_dial *dial)
{
  uvr_alarm_clear(dial->context->clock, &dial->next);
  const char *why = dial->address->via ? NULL : uvr_why_no_target(dial->address);
  if (why != NULL) {
    (void)uvr_error_set(&dial->error, UVRELAY_PHASE_CONNECT, UV_ENOTSUP, "cannot connect to %s: %s",
                        dial->address->canonical, why);
    fail(dial);
    return;
  }
  if ((dial->address->has_variable && uvr_fill_in(dial->own, &dial->error) != 0) ||
      uvr_check_remote(dial->context, dial->address, &dial->error) != 0 ||
      uvr_owner_check_list(dial->address, dial->options.connect.owner, &dial->error) != 0) {
    fail(dial);
    return;
  }
  start_attempt(dial, dial->address->via ? &uvr_via_connector : uvr_kind_of(dial->address)->connector);
}

uvr_dial *uvr_dial_start(uvr_context *context, const uvr_address *address, const uvr_dial_options *options,
                         uvr_dial_cb on_result, void *user)
{
  bool copies = !options->address_lasts || address->has_variable;
  uvr_dial *dial = uvr_alloc(&context->memory, sizeof(*dial) + (copies ? sizeof(*address) : 0));
  if (dial == NULL) {
    return NULL;
  }
  dial->context = context;
  dial->address = address;
  if (copies) {
    *dial->own = *address;
    dial->address = dial->own;
  }
  dial->options = *options;
  dial->options.connect.waits_for_absent = (options->retry & UVRELAY_RETRY_ABSENT) != 0;
  dial->on_result = on_result;
  dial->user = user;
  if (!options->at_once) {
    uvr_alarm_set(context->clock, &dial->next, 0, on_next);
  }
  if (options->timeout_ms > 0) {
    uvr_alarm_set(context->clock, &dial->deadline, options->timeout_ms, on_deadline);
  }
  return dial;
}
