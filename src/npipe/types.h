/* What a named pipe handle is made of, and its wake-up: what all files of it share. */
#ifndef UVR_NPIPE_TYPES_H
#define UVR_NPIPE_TYPES_H

#include "base/closing.h"
#include "base/list.h"
#include "base/os.h"
#include "endpoint/dial.h"
#include "endpoint/npipe_listen.h"
#include "stream/stream.h"
#include "uvrelay/npipe.h"

typedef enum uvr_npipe_state {
  UVR_NPIPE_OPEN,
  UVR_NPIPE_GIVEN,       /* to a relay */
  UVR_NPIPE_CLOSE_ASKED, /* closing begins with the next wake-up */
  UVR_NPIPE_CLOSING
} uvr_npipe_state;

/* What the stream is doing for the reader. */
typedef enum uvr_npipe_read_op {
  UVR_NPIPE_READ_NONE,
  UVR_NPIPE_READ_PENDING, /* a read, or after the end of input a watch */
  UVR_NPIPE_READ_CANCELLING
} uvr_npipe_read_op;

/* What the owner has received of the input. It only advances. */
typedef enum uvr_npipe_input {
  UVR_NPIPE_INPUT_OPEN,
  UVR_NPIPE_INPUT_ENDED, /* END_OF_INPUT was delivered: GONE or ERROR may follow */
  UVR_NPIPE_INPUT_OVER   /* GONE or ERROR was delivered */
} uvr_npipe_input;

typedef struct uvr_npipe_reader {
  uvr_npipe_read_op op;
  uvr_npipe_input input;
  bool wanted;  /* between read_start and read_stop */
  bool running; /* inside uvr_npipe_run_reader: a read that finishes at once leaves the next one to its loop */
  uvrelay_npipe_read_cb cb;
  uvrelay_error_t unreported; /* a failure that was found while nothing was wanted; its code is 0 if there is none */
  uint64_t bytes;
} uvr_npipe_reader;

/* What the stream is doing for the writer. */
typedef enum uvr_npipe_write_op {
  UVR_NPIPE_WRITE_NONE,
  UVR_NPIPE_WRITE_STARTING, /* inside the stream's function, which may finish it at once */
  UVR_NPIPE_WRITE_PENDING
} uvr_npipe_write_op;

/* Whether more can be written. */
typedef enum uvr_npipe_output {
  UVR_NPIPE_OUTPUT_OPEN,
  UVR_NPIPE_OUTPUT_SHUT,  /* the owner has asked for the shutdown */
  UVR_NPIPE_OUTPUT_FAILED /* a write has failed */
} uvr_npipe_output;

typedef struct uvr_npipe_writer {
  uvr_npipe_write_op op; /* of the first in `queued` */
  uvr_npipe_output output;
  uvr_list queued; /* requests, in the order of their writing */
  uvr_list done;   /* requests that wait for their callbacks, which they all have */
  size_t queue_size;
  uint64_t bytes;
} uvr_npipe_writer;

struct uvrelay_npipe_s {
  uvr_context context;
  uvrelay_npipe_options_t options;
  uvrelay_error_t error;
  void *data;
  uvr_npipe_state state;
  uv_timer_t wakeup; /* 0 ms: callbacks of what is known already, and closing, come from the loop */
  uv_timer_cb on_wakeup;
  uvr_dial *dial;
  uvr_stream *stream;
  uvr_npipe_listener *listener;
  uvrelay_npipe_connect_cb connect_cb;
  uvrelay_npipe_connection_cb connection_cb;
  uvr_npipe_reader reader;
  uvr_npipe_writer writer;
  uvr_closing closing;
  uvrelay_npipe_close_cb close_cb;
  uvr_close_cb on_closed; /* the relay's */
  void *closed_user;
};

/* Makes on_wakeup run on the loop soon. */
static inline void uvr_npipe_wake(uvrelay_npipe_t *npipe)
{
  if (!uv_is_closing((uv_handle_t *)&npipe->wakeup)) {
    (void)uv_timer_start(&npipe->wakeup, npipe->on_wakeup, 0, 0);
  }
}

/* Whether the owner may use the stream: 0, or the code for its call to return. */
static inline int uvr_npipe_check_stream(const uvrelay_npipe_t *npipe)
{
  if (npipe->stream == NULL || npipe->state != UVR_NPIPE_OPEN) {
    return uvr_os_has_npipes() ? UV_ENOTCONN : UV_ENOTSUP;
  }
  return 0;
}

#endif
