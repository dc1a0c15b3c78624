/* Writing to a named pipe handle.
 *
 * Happy path: requests wait in a queue, the first of which the stream is writing; the shutdown is the request of no
 * bytes. A request that is done waits in a second list for its callback, which is made from the loop only, never from
 * within a call.
 *
 * Ways to fail: the first write that fails ends all queued requests with the same code, and nothing more can be
 * written; closing the handle ends them with UV_ECANCELED. */
#include "npipe/writer.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* A write, or (of no bytes) the shutdown. */
typedef struct write_request {
  uvr_list_node node;
  const char *data; /* the caller's, or `copy` */
  size_t length;
  uvrelay_npipe_done_cb cb;
  void *user;
  int status;
  char copy[];
} write_request;

static write_request *request_of(uvr_list_node *node)
{
  return UVR_LISTED(node, write_request, node);
}

void uvr_npipe_init_writer(uvr_npipe_writer *writer)
{
  uvr_list_init(&writer->queued);
  uvr_list_init(&writer->done);
}

bool uvr_npipe_writer_is_idle(const uvr_npipe_writer *writer)
{
  return uvr_list_is_empty(&writer->queued) && uvr_list_is_empty(&writer->done);
}

/* Calls back for what is done now. What these callbacks add is left to the next wake-up. */
static void deliver_done(uvrelay_npipe_t *np)
{
  uvr_list done;
  uvr_list_node *node;
  uvr_list_move(&done, &np->writer.done);
  while ((node = uvr_list_pop(&done)) != NULL) {
    write_request *request = request_of(node);
    request->cb(np, request->status, request->user);
    uvr_free(&np->context.memory, request);
  }
}

static void finish_first(uvrelay_npipe_t *np, int status)
{
  uvr_list_node *first = uvr_list_pop(&np->writer.queued);
  assert(first != NULL); /* callers have looked, or have written it */
  write_request *request = request_of(first);
  request->status = status;
  np->writer.queue_size -= request->length;
  if (request->cb != NULL) {
    uvr_list_append(&np->writer.done, &request->node);
  } else {
    uvr_free(&np->context.memory, request);
  }
}

static void fail_queue(uvrelay_npipe_t *np, int status)
{
  while (!uvr_list_is_empty(&np->writer.queued)) {
    finish_first(np, status);
  }
}

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  uvr_npipe_writer *writer = &np->writer;
  bool starting = writer->op == UVR_NPIPE_WRITE_STARTING;
  assert(writer->op != UVR_NPIPE_WRITE_NONE);
  writer->op = UVR_NPIPE_WRITE_NONE;
  if (outcome == UVR_DONE) {
    uvr_list_node *first = uvr_list_first(&writer->queued);
    assert(first != NULL); /* what was written stays there until now */
    writer->bytes += request_of(first)->length;
    finish_first(np, 0);
  } else {
    np->error = *error;
    if (writer->output == UVR_NPIPE_OUTPUT_OPEN) {
      writer->output = UVR_NPIPE_OUTPUT_FAILED;
    }
    fail_queue(np, outcome == UVR_GONE ? UV_EPIPE : error->code);
  }
  if (starting) {
    uvr_npipe_wake(np); /* the owner's call may still be running */
  } else {
    uvr_npipe_run_writer(np);
  }
}

static void start_writes(uvrelay_npipe_t *np)
{
  uvr_npipe_writer *writer = &np->writer;
  while (writer->op == UVR_NPIPE_WRITE_NONE && !uvr_list_is_empty(&writer->queued) && np->stream != NULL) {
    write_request *request = request_of(uvr_list_first(&writer->queued));
    writer->op = UVR_NPIPE_WRITE_STARTING;
    if (request->length == 0) {
      uvr_stream_shutdown(np->stream, on_written, np);
    } else {
      uvr_stream_write(np->stream, request->data, request->length, on_written, np);
    }
    if (writer->op == UVR_NPIPE_WRITE_STARTING) {
      writer->op = UVR_NPIPE_WRITE_PENDING;
    }
  }
}

void uvr_npipe_run_writer(uvrelay_npipe_t *npipe)
{
  if (npipe->state < UVR_NPIPE_CLOSE_ASKED) {
    start_writes(npipe);
    deliver_done(npipe);
  }
}

void uvr_npipe_cancel_writes(uvrelay_npipe_t *npipe)
{
  fail_queue(npipe, UV_ECANCELED);
  deliver_done(npipe);
}

/* The owner's calls. */

static int check_writing(uvrelay_npipe_t *np)
{
  int code = uvr_npipe_check_stream(np);
  if (code == 0 && uvr_stream_never_takes(np->stream)) {
    return uvr_error_set(&np->error, UVRELAY_PHASE_WRITE, UV_EPERM,
                         "cannot write to %s: it is a one-way pipe that only its server writes to", np->stream->name);
  }
  return code == 0 && np->writer.output != UVR_NPIPE_OUTPUT_OPEN ? UV_EPIPE : code;
}

/* The sum of all buffers' lengths, or 0 if that is nothing or too much. */
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

/* Makes a request for the first `length` bytes, which are copied if `copy` says so or if they lie in more than one
 * buffer. Returns NULL when there is no memory. */
static write_request *make_request(uvrelay_npipe_t *np, const uv_buf_t bufs[], unsigned nbufs, size_t length, bool copy)
{
  copy = copy || nbufs > 1;
  write_request *request = uvr_alloc(&np->context.memory, sizeof(*request) + (copy ? length : 0));
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

static void queue(uvrelay_npipe_t *np, write_request *request, uvrelay_npipe_done_cb cb, void *user)
{
  request->cb = cb;
  request->user = user;
  np->writer.queue_size += request->length;
  uvr_list_append(&np->writer.queued, &request->node);
  start_writes(np);
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
  write_request *request = make_request(npipe, bufs, nbufs, total, false);
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
  if (!uvr_list_is_empty(&npipe->writer.queued)) {
    return UV_EAGAIN;
  }
  if (total > room && npipe->stream->keeps_messages) {
    return UV_EMSGSIZE;
  }
  size_t accepted = total < room ? total : room;
  write_request *request = make_request(npipe, bufs, nbufs, accepted, true);
  if (request == NULL) {
    return UV_ENOMEM;
  }
  queue(npipe, request, NULL, NULL);
  return (int)accepted;
}

int uvrelay_npipe_shutdown(uvrelay_npipe_t *npipe, uvrelay_npipe_done_cb cb, void *user)
{
  if (npipe->writer.output == UVR_NPIPE_OUTPUT_SHUT) {
    return UV_EALREADY;
  }
  int code = check_writing(npipe);
  if (code != 0) {
    return code;
  }
  if (!npipe->stream->can_half_close) {
    return UV_ENOTSUP;
  }
  write_request *request = make_request(npipe, NULL, 0, 0, true);
  if (request == NULL) {
    return UV_ENOMEM;
  }
  npipe->writer.output = UVR_NPIPE_OUTPUT_SHUT;
  queue(npipe, request, cb, user);
  return 0;
}

uint64_t uvrelay_npipe_bytes_written(const uvrelay_npipe_t *npipe)
{
  return npipe->writer.bytes;
}

size_t uvrelay_npipe_write_queue_size(const uvrelay_npipe_t *npipe)
{
  return npipe->writer.queue_size;
}
