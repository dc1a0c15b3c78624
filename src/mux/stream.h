/* A stream of a mux, with the interface of any other stream. */
#ifndef UVR_MUX_STREAM_H
#define UVR_MUX_STREAM_H

#include "mux/core.h"
#include "stream/stream.h"

typedef struct uvr_mux_stream uvr_mux_stream;
struct uvr_mux_stream {
  uvr_stream base;
  uvr_mux *mux;
  uvr_mux_carrier *carrier; /* the carrier that it is bound to, or NULL */
  uvr_yamux_stream yamux;
  uv_timer_t timer; /* reports a watch's result from the loop; while closing, limits how long that takes */
  bool reading;     /* a read is under way */
  bool writing;     /* a write is under way */
  bool shutting;    /* a shutdown is under way */
  bool watching;    /* a watch is under way */
  bool shut;        /* the end of the output was handed to yamux */
  bool closing;     /* the owner has closed it */
  bool finishing;   /* it is released by yamux and will be freed */
  bool counted;     /* it is counted as a connection over its carrier */
  size_t delivered; /* bytes that were read and do not count as consumed yet */

  /* While it is being connected: see near.c and far.c. */
  uvr_list_node waiting; /* in the mux's list `waiting` or `asked` */
  char *line;            /* the line being read: UVR_MUX_LINE_MAX bytes and a NUL; freed with the stream */
  size_t line_length;
  void (*on_line)(uvr_mux_stream *stream, int code);
  char *request; /* near end: the request, in the memory of `line` */
  uvr_via_cb on_result;
  void *result_user;
  char name[];
};

/* Makes a stream that is bound to no carrier and has no line. Returns NULL when there is no memory. */
uvr_mux_stream *uvr_mux_stream_new(uvr_mux *mux, const char *name);

/* Binds the stream to the carrier over which its member `yamux` is open or about to be. */
void uvr_mux_stream_bind(uvr_mux_stream *stream, uvr_mux_carrier *carrier);

/* Unbinds the stream from its carrier and forgets what was read and written. No read or write may be under way. */
void uvr_mux_stream_unbind(uvr_mux_stream *stream);

/* Marks the stream as connected: frees its line and counts it as a connection over its carrier. */
void uvr_mux_stream_set_connected(uvr_mux_stream *stream);

/* Cancels uvr_stream_watch. */
void uvr_mux_stream_unwatch(uvr_mux_stream *stream);

/* Handle the events of yamux. */
void uvr_mux_stream_readable(uvr_yamux_stream *stream);
void uvr_mux_stream_written(uvr_yamux_stream *stream);

/* Reads a line of at most UVR_MUX_LINE_MAX bytes into `line`, which must be set, without its newline. What follows the
 * line is left to be read. on_line is called once, perhaps before this returns, unless the stream is closed first.
 * `code` is 0; or UV_EOF, UV_EMSGSIZE (the line is too long), UV_EPROTO (it contains a NUL), or why reading failed. */
typedef void (*uvr_mux_stream_line_cb)(uvr_mux_stream *stream, int code);
void uvr_mux_stream_read_line(uvr_mux_stream *stream, uvr_mux_stream_line_cb on_line);

#endif
