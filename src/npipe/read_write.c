/* The public named pipe handle: reading and writing.
 *
 * Reading: one read of the stream after another while it is wanted, and after the end of input a watch for the pipe's
 * going. A stop takes the pending read back, so that it does not keep the loop alive; what comes of it all the same is
 * given back to the stream and read again by the next start.
 *
 * Writing: a queue of requests, the first of which is with the stream; the shutdown is the request of no bytes. What is
 * done waits in a list for its callback, which never comes from within a call. The first failure fails all others. */
#include <limits.h>
#include <string.h>

#include "base/os.h"
#include "npipe/handle.h"
#include "stream/npipe.h"

/* What a call that needs the stream returns without one. */
static int no_stream(void)
{
  return uvr_os_has_npipes() ? UV_ENOTCONN : UV_ENOTSUP;
}

/* Reading. */

static void end_reading(uvrelay_npipe_t *np, uvr_outcome outcome, const uvrelay_error_t *error)
{
  np->error = *error;
  np->read_over = true;
  np->reading = false;
  const uvrelay_npipe_read_t gone = {.event = UVRELAY_NPIPE_GONE, .status = UV_EOF};
  const uvrelay_npipe_read_t failed = {.event = UVRELAY_NPIPE_ERROR, .status = error->code};
  np->read_cb(np, outcome == UVR_GONE ? &gone : &failed);
}

/* Keeps what came though nobody wants it now. An end other than the end of input will come again. */
static void keep(uvrelay_npipe_t *np, uvr_outcome outcome, uvr_buffer *buffer)
{
  if (outcome == UVR_DONE) {
    uvr_stream_unread(np->stream, buffer);
  } else if (outcome == UVR_END_OF_INPUT) {
    np->stream->end_unread = true;
  }
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  bool cancelled = np->cancelling && outcome == UVR_FAILED && error->code == UV_ECANCELED;
  np->read_pending = false;
  np->cancelling = false;
  if (!np->reading) {
    keep(np, outcome, buffer);
    return;
  }
  if (outcome == UVR_DONE) {
    np->bytes_read += buffer->length;
    np->read_cb(np, &(uvrelay_npipe_read_t){.event = UVRELAY_NPIPE_DATA,
                                            .data = buffer->data,
                                            .length = buffer->length,
                                            .end_of_message = buffer->end_of_message});
    uvr_buffer_put(&np->context.buffers, buffer);
  } else if (outcome == UVR_END_OF_INPUT) {
    np->input_ended = true;
    np->read_cb(np, &(uvrelay_npipe_read_t){.event = UVRELAY_NPIPE_END_OF_INPUT, .status = UV_EOF});
  } else if (!cancelled) {
    end_reading(np, outcome, error);
  }
  uvr_npipe_run_reads(np);
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  bool cancelled = np->cancelling && outcome == UVR_FAILED && error->code == UV_ECANCELED;
  np->read_pending = false;
  np->cancelling = false;
  if (np->reading && !cancelled) {
    end_reading(np, outcome, error);
  } else if (outcome == UVR_FAILED && !cancelled) {
    np->watch_error = *error; /* it would not come again */
  }
  uvr_npipe_run_reads(np);
}

/* Streams may call back at once: on_read then leaves the next read to the loop here. */
void uvr_npipe_run_reads(uvrelay_npipe_t *npipe)
{
  if (npipe->read_running) {
    return;
  }
  npipe->read_running = true;
  while (npipe->reading && !npipe->read_pending && npipe->stream != NULL) {
    if (npipe->watch_error.code != 0) {
      end_reading(npipe, UVR_FAILED, &npipe->watch_error);
      break;
    }
    npipe->read_pending = true;
    if (npipe->input_ended) {
      uvr_stream_watch(npipe->stream, on_lost, npipe);
    } else {
      uvr_stream_read(npipe->stream, on_read, npipe);
    }
  }
  npipe->read_running = false;
}

int uvrelay_npipe_read_start(uvrelay_npipe_t *npipe, uvrelay_npipe_read_cb cb)
{
  if (npipe->stream == NULL || npipe->given || npipe->closing) {
    return no_stream();
  }
  if (cb == NULL) {
    return UV_EINVAL;
  }
  if (npipe->reading) {
    return UV_EALREADY;
  }
  if (npipe->read_over) {
    return UV_EOF;
  }
  npipe->read_cb = cb;
  npipe->reading = true;
  uvr_npipe_wake(npipe);
  return 0;
}

void uvrelay_npipe_read_stop(uvrelay_npipe_t *npipe)
{
  npipe->reading = false;
  if (npipe->read_pending && !npipe->cancelling && !npipe->closing) {
    npipe->cancelling = true;
    uvr_npipe_cancel_read(npipe->stream);
  }
}

/* Writing. */

void uvr_npipe_requests_init(uvr_npipe_requests *requests)
{
  requests->first = NULL;
  requests->end = &requests->first;
}

static void append(uvr_npipe_requests *requests, uvr_npipe_request *request)
{
  request->next = NULL;
  *requests->end = request;
  requests->end = &request->next;
}

static uvr_npipe_request *take_first(uvr_npipe_requests *requests)
{
  uvr_npipe_request *first = requests->first;
  requests->first = first->next;
  if (requests->first == NULL) {
    requests->end = &requests->first;
  }
  return first;
}

/* Calls back for what is done now; for what these callbacks add the turn comes again. */
static void deliver_done(uvrelay_npipe_t *np)
{
  uvr_npipe_requests done = np->done;
  if (done.first == NULL) {
    return;
  }
  uvr_npipe_requests_init(&np->done);
  while (done.first != NULL) {
    uvr_npipe_request *request = done.first;
    done.first = request->next;
    request->cb(np, request->status, request->user);
    uvr_free(&np->context.memory, request);
  }
}

static void finish_first(uvrelay_npipe_t *np, int status)
{
  uvr_npipe_request *request = take_first(&np->queued);
  request->status = status;
  np->queue_size -= request->length;
  if (request->cb != NULL) {
    append(&np->done, request);
  } else {
    uvr_free(&np->context.memory, request);
  }
}

static void fail_queue(uvrelay_npipe_t *np, int status)
{
  while (np->queued.first != NULL) {
    finish_first(np, status);
  }
}

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  np->writing = false;
  if (outcome == UVR_DONE) {
    np->bytes_written += np->queued.first->length;
    finish_first(np, 0);
  } else {
    np->error = *error;
    np->write_error = outcome == UVR_GONE ? UV_EPIPE : error->code;
    fail_queue(np, np->write_error);
  }
  if (np->issuing) {
    uvr_npipe_wake(np);
  } else {
    uvr_npipe_run_writes(np);
  }
}

static void issue_writes(uvrelay_npipe_t *np)
{
  while (!np->writing && np->queued.first != NULL && np->stream != NULL) {
    uvr_npipe_request *request = np->queued.first;
    np->writing = true;
    np->issuing = true;
    if (request->length == 0) {
      uvr_stream_shutdown(np->stream, on_written, np);
    } else {
      uvr_stream_write(np->stream, request->data, request->length, on_written, np);
    }
    np->issuing = false;
  }
}

void uvr_npipe_run_writes(uvrelay_npipe_t *npipe)
{
  if (!npipe->closing) {
    issue_writes(npipe);
    deliver_done(npipe);
  }
}

void uvr_npipe_cancel_writes(uvrelay_npipe_t *npipe)
{
  fail_queue(npipe, UV_ECANCELED);
  deliver_done(npipe);
}

static int check_writing(const uvrelay_npipe_t *np)
{
  if (np->stream == NULL || np->given || np->closing) {
    return no_stream();
  }
  return np->shut || np->write_error != 0 ? UV_EPIPE : 0;
}

/* The sum of all buffers, or 0 if that is none or too much. */
static size_t total_of(const uv_buf_t bufs[], unsigned nbufs)
{
  size_t total = 0;
  for (unsigned i = 0; i < nbufs; i++) {
    total += bufs[i].len;
    if (bufs[i].len > INT_MAX || total > INT_MAX) {
      return 0;
    }
  }
  return total;
}

/* A request for the first `length` bytes; they are copied if asked or if they lie in more than one buffer. */
static uvr_npipe_request *make_request(uvrelay_npipe_t *np, const uv_buf_t bufs[], unsigned nbufs, size_t length,
                                       bool copy)
{
  copy = copy || nbufs > 1;
  uvr_npipe_request *request = uvr_alloc(&np->context.memory, sizeof(*request) + (copy ? length : 0));
  if (request == NULL) {
    return NULL;
  }
  request->length = length;
  request->data = copy ? request->copy : bufs[0].base;
  size_t done = 0;
  for (unsigned i = 0; copy && done < length; i++) {
    size_t part = bufs[i].len < length - done ? bufs[i].len : length - done;
    if (part > 0) {
      memcpy(request->copy + done, bufs[i].base, part);
      done += part;
    }
  }
  return request;
}

static void queue(uvrelay_npipe_t *np, uvr_npipe_request *request, uvrelay_npipe_done_cb cb, void *user)
{
  request->cb = cb;
  request->user = user;
  np->queue_size += request->length;
  append(&np->queued, request);
  issue_writes(np);
}

int uvrelay_npipe_write(uvrelay_npipe_t *npipe, const uv_buf_t bufs[], unsigned nbufs, uvrelay_npipe_done_cb cb,
                        void *user)
{
  int code = check_writing(npipe);
  if (code != 0) {
    return code;
  }
  size_t total = total_of(bufs, nbufs);
  if (total == 0) {
    return UV_EINVAL;
  }
  uvr_npipe_request *request = make_request(npipe, bufs, nbufs, total, false);
  if (request == NULL) {
    return UV_ENOMEM;
  }
  queue(npipe, request, cb, user);
  return 0;
}

int uvrelay_npipe_try_write(uvrelay_npipe_t *npipe, const uv_buf_t bufs[], unsigned nbufs)
{
  int code = check_writing(npipe);
  if (code != 0) {
    return code;
  }
  size_t total = total_of(bufs, nbufs);
  size_t room = npipe->context.buffers.large;
  if (total == 0) {
    return UV_EINVAL;
  }
  if (npipe->queued.first != NULL) {
    return UV_EAGAIN;
  }
  if (total > room && npipe->stream->keeps_messages) {
    return UV_EMSGSIZE;
  }
  size_t taken = total < room ? total : room;
  uvr_npipe_request *request = make_request(npipe, bufs, nbufs, taken, true);
  if (request == NULL) {
    return UV_ENOMEM;
  }
  queue(npipe, request, NULL, NULL);
  return (int)taken;
}

int uvrelay_npipe_shutdown(uvrelay_npipe_t *npipe, uvrelay_npipe_done_cb cb, void *user)
{
  if (npipe->shut) {
    return UV_EALREADY;
  }
  int code = check_writing(npipe);
  if (code != 0) {
    return code;
  }
  if (!npipe->stream->can_half_close) {
    return UV_ENOTSUP;
  }
  uvr_npipe_request *request = make_request(npipe, NULL, 0, 0, true);
  if (request == NULL) {
    return UV_ENOMEM;
  }
  npipe->shut = true;
  queue(npipe, request, cb, user);
  return 0;
}

uint64_t uvrelay_npipe_bytes_read(const uvrelay_npipe_t *npipe)
{
  return npipe->bytes_read;
}

uint64_t uvrelay_npipe_bytes_written(const uvrelay_npipe_t *npipe)
{
  return npipe->bytes_written;
}

size_t uvrelay_npipe_write_queue_size(const uvrelay_npipe_t *npipe)
{
  return npipe->queue_size;
}
