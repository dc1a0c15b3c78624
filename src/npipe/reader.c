/* Reading from a named pipe handle.
 *
 * Happy path: while the owner wants to read, one read of the stream follows another, each delivered as DATA. At the end
 * of the input END_OF_INPUT is delivered, and then a watch waits until the pipe is GONE. Stopping cancels the pending
 * read, as that would keep the loop alive; if data arrives nevertheless, the stream gets it back, and the next start
 * delivers it.
 *
 * Ways to fail: the peer goes away without an end of input (GONE), or the read or the watch fails (ERROR). Nothing is
 * read after either. A watch that fails while nothing is being read is reported by the next start. */
#include "npipe/reader.h"

#include <assert.h>

#include "stream/npipe.h"

static void advance_input(uvr_npipe_reader *reader, uvr_npipe_input to)
{
  assert(to > reader->input);
  reader->input = to;
}

static void end_reading(uvrelay_npipe_t *np, uvr_outcome outcome, const uvrelay_error_t *error)
{
  np->error = *error;
  advance_input(&np->reader, UVR_NPIPE_INPUT_OVER);
  np->reader.wanted = false;
  const uvrelay_npipe_read_t gone = {.event = UVRELAY_NPIPE_GONE, .status = UV_EOF};
  const uvrelay_npipe_read_t failed = {.event = UVRELAY_NPIPE_ERROR, .status = error->code};
  np->reader.cb(np, outcome == UVR_GONE ? &gone : &failed);
}

/* The stream has finished. Returns whether that is the effect of our cancelling. */
static bool finish_op(uvr_npipe_reader *reader, uvr_outcome outcome, const uvrelay_error_t *error)
{
  assert(reader->op != UVR_NPIPE_READ_NONE);
  bool cancelled = reader->op == UVR_NPIPE_READ_CANCELLING && outcome == UVR_FAILED && error->code == UV_ECANCELED;
  reader->op = UVR_NPIPE_READ_NONE;
  return cancelled;
}

/* Keeps for the next start what arrived after a stop. Other ends need not be kept: the next read gets them again. */
static void keep(uvr_stream *stream, uvr_outcome outcome, uvr_buffer *buffer)
{
  if (outcome == UVR_DONE) {
    uvr_stream_unread(stream, buffer);
  } else if (outcome == UVR_END_OF_INPUT) {
    uvr_stream_unread_end(stream);
  }
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  bool cancelled = finish_op(&np->reader, outcome, error);
  if (!np->reader.wanted) {
    keep(np->stream, outcome, buffer);
    return;
  }
  if (outcome == UVR_DONE) {
    np->reader.bytes += buffer->length;
    np->reader.cb(np, &(uvrelay_npipe_read_t){.event = UVRELAY_NPIPE_DATA,
                                              .data = buffer->data,
                                              .length = buffer->length,
                                              .end_of_message = buffer->end_of_message});
    uvr_buffer_put(&np->context.buffers, buffer);
  } else if (outcome == UVR_END_OF_INPUT) {
    advance_input(&np->reader, UVR_NPIPE_INPUT_ENDED);
    np->reader.cb(np, &(uvrelay_npipe_read_t){.event = UVRELAY_NPIPE_END_OF_INPUT, .status = UV_EOF});
  } else if (!cancelled) {
    end_reading(np, outcome, error);
  }
  uvr_npipe_run_reader(np);
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvrelay_npipe_t *np = user;
  bool cancelled = finish_op(&np->reader, outcome, error);
  if (np->reader.wanted && !cancelled) {
    end_reading(np, outcome, error);
  } else if (outcome == UVR_FAILED && !cancelled) {
    np->reader.unreported = *error; /* another watch would not find it again */
  }
  uvr_npipe_run_reader(np);
}

void uvr_npipe_run_reader(uvrelay_npipe_t *npipe)
{
  uvr_npipe_reader *reader = &npipe->reader;
  if (reader->running) {
    return;
  }
  reader->running = true;
  while (reader->wanted && reader->op == UVR_NPIPE_READ_NONE && npipe->stream != NULL) {
    if (reader->unreported.code != 0) {
      end_reading(npipe, UVR_FAILED, &reader->unreported);
      break;
    }
    reader->op = UVR_NPIPE_READ_PENDING;
    if (reader->input == UVR_NPIPE_INPUT_OPEN) {
      uvr_stream_read(npipe->stream, on_read, npipe);
    } else {
      uvr_stream_watch(npipe->stream, on_lost, npipe);
    }
  }
  reader->running = false;
}

int uvrelay_npipe_read_start(uvrelay_npipe_t *npipe, uvrelay_npipe_read_cb cb)
{
  int code = uvr_npipe_check_stream(npipe);
  if (code != 0) {
    return code;
  }
  if (cb == NULL) {
    return UV_EINVAL;
  }
  if (uvr_stream_never_sends(npipe->stream)) {
    return uvr_error_set(&npipe->error, UVRELAY_PHASE_READ, UV_EPERM,
                         "cannot read from %s: it is a one-way pipe that only its server reads from",
                         npipe->stream->name);
  }
  if (npipe->reader.wanted) {
    return UV_EALREADY;
  }
  if (npipe->reader.input == UVR_NPIPE_INPUT_OVER) {
    return UV_EOF;
  }
  npipe->reader.cb = cb;
  npipe->reader.wanted = true;
  uvr_npipe_wake(npipe);
  return 0;
}

void uvrelay_npipe_read_stop(uvrelay_npipe_t *npipe)
{
  npipe->reader.wanted = false;
  if (npipe->reader.op == UVR_NPIPE_READ_PENDING && npipe->state < UVR_NPIPE_CLOSE_ASKED) {
    npipe->reader.op = UVR_NPIPE_READ_CANCELLING;
    uvr_npipe_cancel_read(npipe->stream);
  }
}

uint64_t uvrelay_npipe_bytes_read(const uvrelay_npipe_t *npipe)
{
  return npipe->reader.bytes;
}
