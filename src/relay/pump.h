/* One direction of a relay: reads from one stream, writes to another, and never holds more than two buffers. Where both
 * keep messages each of these is one message. */
#ifndef UVR_RELAY_PUMP_H
#define UVR_RELAY_PUMP_H

#include <stdint.h>

#include "stream/stream.h"

/* Why a pump stopped. With the source's ends everything that was read has been written. */
typedef enum uvr_pump_end {
  UVR_PUMP_SOURCE_ENDED, /* end of input */
  UVR_PUMP_SOURCE_GONE,
  UVR_PUMP_SOURCE_FAILED,
  UVR_PUMP_SINK_GONE,
  UVR_PUMP_SINK_FAILED
} uvr_pump_end;

typedef struct uvr_pump uvr_pump;
typedef void (*uvr_pump_cb)(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error);

struct uvr_pump {
  uvr_stream *source;
  uvr_stream *sink;
  uvr_pump_cb on_end;
  void (*on_full)(uvr_pump *pump); /* both buffers are; may be NULL, and set after the start */
  uvr_buffer_pool *buffers;        /* the source's */
  uint64_t bytes;                  /* written to the sink; use uvr_pump_bytes */
  uvr_buffer *ready;               /* read, and waiting for `writing` */
  uvr_buffer *writing;             /* lent to the sink */
  uvr_buffer *message;             /* the first parts of one whose last part is yet to come */
  size_t message_size;             /* of the longest message */
  uint64_t active;                 /* loop time of the last read or write, ms; not of a job */
  bool whole_messages;             /* both streams keep messages */
  bool reading;
  bool source_ended;
  bool stopped; /* has reported, or was told to stop */
  bool running; /* inside `run`: callbacks that come early leave the next step to it */
  uvr_outcome source_outcome;
  int source_code;
  uvrelay_error_t *source_error; /* NULL: none, or there was no memory for it */
  struct uvr_pump_thread *job;   /* pump_job.c; NULL: not on a thread */
};

/* Begins to move bytes, on a thread of the pool where context->threads and both streams allow it, else on the loop.
 * `on_end` comes once, perhaps before this returns, unless uvr_pump_stop comes first. */
void uvr_pump_start(uvr_pump *pump, uvr_context *context, uvr_stream *source, uvr_stream *sink, uvr_pump_cb on_end);

/* Starts nothing more and reports nothing more. To be repeated while uvr_pump_is_inside is true of a stream that is to
 * be closed. */
void uvr_pump_stop(uvr_pump *pump);

/* Whether a thread is inside a call of the stream, which then may not be closed. */
bool uvr_pump_is_inside(const uvr_pump *pump, const uvr_stream *stream);

/* Whether something that was read is not yet written, or nothing more is to be read. */
bool uvr_pump_is_finishing(const uvr_pump *pump);

/* Whether both buffers are full, so that nothing is read. */
bool uvr_pump_is_full(const uvr_pump *pump);

/* A number that changes as long as the sink takes something. */
uint64_t uvr_pump_progress(const uvr_pump *pump);

uint64_t uvr_pump_bytes(const uvr_pump *pump);

/* Gives the buffers back and returns true, or returns false when a thread is still at work. Only when both streams
 * are closed, or were never given. */
bool uvr_pump_clear(uvr_pump *pump);

#endif
