/* A pump: reads from one stream and writes to another, and never holds more than two buffers. If both streams keep
 * messages, each buffer is one message. */
#ifndef UVR_RELAY_PUMP_H
#define UVR_RELAY_PUMP_H

#include <stdint.h>

#include "stream/stream.h"

/* Why a pump stopped. If it is because of the source, everything that was read has been written. */
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
  void (*on_full)(uvr_pump *pump); /* both buffers are full; may be NULL, and may be set after the start */
  uvr_buffer_pool *buffers;        /* belongs to the source's context */
  uint64_t bytes;                  /* written to the sink, unless on a thread: use uvr_pump_bytes */
  uvr_buffer *ready;               /* was read and waits to be written */
  uvr_buffer *writing;             /* is being written by the sink */
  uvr_buffer *message;             /* the parts of an incomplete message */
  size_t message_size;             /* of the longest message */
  uint64_t active;                 /* loop time of the last read or write, ms; not updated by a thread */
  size_t busy;                     /* grows with large reads and shrinks with small ones */
  bool whole_messages;             /* both streams keep messages */
  bool splices;                    /* is counted by uvr_splice_begin */
  bool reading;
  bool source_ended;
  bool stopped; /* has reported its end, or uvr_pump_stop was called */
  bool running; /* inside `run`, which also does the next step after a callback that comes from there */
  uvr_outcome source_outcome;
  int source_code;
  uvrelay_error_t *source_error;  /* NULL if there is none, or if there was no memory for it */
  struct uvr_pump_thread *thread; /* NULL if the pump is not on a thread */
};

/* Begins to move bytes, on a thread of its own if context->threads and both streams allow it, and otherwise on the
 * loop. `on_end` is called once, perhaps before this returns, unless uvr_pump_stop is called first. */
void uvr_pump_start(uvr_pump *pump, uvr_context *context, uvr_stream *source, uvr_stream *sink, uvr_pump_cb on_end);

/* Stops the pump, which then starts and reports nothing more. Must be repeated while uvr_pump_is_inside is true for a
 * stream that is to be closed. */
void uvr_pump_stop(uvr_pump *pump);

/* Whether a thread is inside a call of the stream, which must not be closed then. */
bool uvr_pump_is_inside(const uvr_pump *pump, const uvr_stream *stream);

/* Whether something that was read is not written yet. */
bool uvr_pump_is_holding(const uvr_pump *pump);

/* The same, or whether the source has ended. */
bool uvr_pump_is_finishing(const uvr_pump *pump);

/* Whether both buffers are full, or a pipe is, so that nothing is read. */
bool uvr_pump_is_full(const uvr_pump *pump);

/* Returns a number that changes as long as the sink accepts bytes. */
uint64_t uvr_pump_progress(const uvr_pump *pump);

uint64_t uvr_pump_bytes(const uvr_pump *pump);

/* Frees the buffers and returns true, or returns false if a thread is still at work. Both streams must be closed, or
 * the pump never started. */
bool uvr_pump_clear(uvr_pump *pump);

#endif
