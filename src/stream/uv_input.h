/* The input of a libuv stream: one read at a time. */
#ifndef UVR_STREAM_UV_INPUT_H
#define UVR_STREAM_UV_INPUT_H

#include "stream/stream.h"

typedef struct uvr_uv_input {
  uvr_stream *stream;   /* whose on_read is called */
  uv_stream_t *handle;  /* its `data` is this struct */
  uvr_buffer *incoming; /* lent to libuv */
  bool by_libuv;        /* libuv reads, and not this process when libuv has found the stream readable */
  bool is_pipe;         /* which is not a socket: set by the first read on Unix */
  bool wanted;          /* a read is under way */
  bool reading;         /* between uv_read_start and uv_read_stop */
  bool used;            /* has brought bytes */
  unsigned looks;       /* at how many more reads of a Unix socket to look for descriptors */
  bool ended;           /* or has failed: no more input comes */
  bool failed;
  bool was_reset; /* a write has met a reset, which the system reports once only; set by the writer */
  void (*on_discarded)(uvr_stream *stream, size_t bytes); /* NULL until input is discarded */
} uvr_uv_input;

void uvr_uv_input_init(uvr_uv_input *input, uvr_stream *stream, uv_stream_t *handle);

/* Reads once, for uvr_stream_read. */
void uvr_uv_input_read(uvr_uv_input *input);

/* Stops reading at once; may be called repeatedly. */
void uvr_uv_input_stop(uvr_uv_input *input);

/* While the stream is being closed: reads and discards input until it is stopped. Calls on_discarded after each read
 * with the count of its bytes, and with 0 when the input has ended or failed; on_read is not called again. Returns
 * false if there is nothing to read. */
bool uvr_uv_input_discard(uvr_uv_input *input, void (*on_discarded)(uvr_stream *stream, size_t bytes));

#endif
