/* What the attempts of all kinds share: their stream, their result and their closing.
 *
 * Closing waits for streams that are being closed and for requests on the thread pool, which cannot be cancelled once
 * they run. Each of them was added to `closing` when it began. */
#include "endpoint/attempt.h"

#include "base/os.h"
#include "stream/uv.h"

uvr_attempt *uvr_attempt_new(uvr_context *context, const uvr_connector *connector, const uvr_address *address,
                             uvr_connect_options *options, uvr_attempt_cb on_result, void *user)
{
  uvr_attempt *attempt = uvr_alloc(&context->memory, connector->size);
  if (attempt != NULL) {
    attempt->connector = connector;
    attempt->context = context;
    attempt->address = address;
    attempt->options = options;
    attempt->on_result = on_result;
    attempt->user = user;
    attempt->request.data = attempt;
  }
  return attempt;
}

void uvr_attempt_start(uvr_attempt *attempt)
{
  attempt->connector->connect(attempt);
}

/* Closing. */

static void on_all_closed(void *user)
{
  uvr_attempt *attempt = user;
  if (attempt->connector->clear != NULL) {
    attempt->connector->clear(attempt);
  }
  uvr_close_cb on_closed = attempt->on_closed;
  void *closed_user = attempt->closed_user;
  uvr_free(&attempt->context->memory, attempt);
  on_closed(closed_user);
}

void uvr_attempt_drop_stream(uvr_attempt *attempt)
{
  if (attempt->stream != NULL) {
    uvr_stream *stream = attempt->stream;
    attempt->stream = NULL;
    uvr_stream_close(stream, UVR_CLOSE_NOW, uvr_closing_add(&attempt->closing), &attempt->closing);
  }
}

void uvr_attempt_close(uvr_attempt *attempt, uvr_close_cb on_closed, void *user)
{
  attempt->over = true;
  attempt->on_closed = on_closed;
  attempt->closed_user = user;
  uvr_closing_begin(&attempt->closing, on_all_closed, attempt);
  if (attempt->connector->close != NULL) {
    attempt->connector->close(attempt);
  }
  uvr_attempt_drop_stream(attempt);
  uvr_closing_end(&attempt->closing);
}

/* Results. */

void uvr_attempt_succeed(uvr_attempt *attempt)
{
  uvr_stream *stream = attempt->stream;
  attempt->stream = NULL;
  attempt->over = true;
  attempt->on_result(attempt->user, stream, NULL);
}

void uvr_attempt_fail(uvr_attempt *attempt)
{
  attempt->over = true;
  attempt->on_result(attempt->user, NULL, &attempt->error);
}

void uvr_attempt_fail_with(uvr_attempt *attempt, int code)
{
  (void)uvr_error_set_system(&attempt->error, UVRELAY_PHASE_CONNECT, code, 0, "cannot connect to %s: %s",
                             attempt->address->canonical, uv_strerror(code));
  uvr_attempt_fail(attempt);
}

/* Streams. */

void uvr_attempt_keep_room(const uvr_context *context, uvr_connect_options *options)
{
  if (options->keep_room && options->spare_fd == 0) {
    options->spare_fd = uvr_os_open_spare_fd(context->loop);
  }
}

int uvr_attempt_make_stream(uvr_attempt *attempt, uv_handle_type type)
{
  uvr_os_close_spare_fd(&attempt->options->spare_fd);
  return uvr_stream_uv_new(attempt->context, type, attempt->address->canonical, &attempt->stream);
}

uvr_attempt *uvr_attempt_of_request(uv_connect_t *request, int code)
{
  uvr_attempt *attempt = request->data;
  return code == UV_ECANCELED || attempt->over ? NULL : attempt;
}
