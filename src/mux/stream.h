/* A stream of a mux, as a stream like any other. */
#ifndef UVR_MUX_STREAM_H
#define UVR_MUX_STREAM_H

#include "mux/core.h"
#include "stream/stream.h"

typedef struct uvr_mux_stream uvr_mux_stream;
struct uvr_mux_stream {
  uvr_stream base;
  uvr_mux *mux;
  uvr_mux_carrier *carrier; /* over which it is open; NULL: over none yet */
  uvr_yamux_stream yamux;
  uv_timer_t timer; /* brings what must come later; while closing: patience */
  bool reading;     /* its callbacks are awaited */
  bool writing;
  bool shutting;
  bool watching;
  bool shut; /* shutdown was asked for */
  bool closing;
  bool finishing;
  bool counted;    /* as a connection over its carrier */
  size_t given[2]; /* lengths of the last two buffers that were read, the last one first */

  /* While it is being connected: near.c. */
  uvr_list_node waiting; /* in the mux's list */
  char *line;            /* that is read: UVR_MUX_LINE_MAX bytes and a NUL; ours */
  size_t line_length;
  void (*on_line)(uvr_mux_stream *stream, int code);
  char *request; /* in the same memory */
  uvr_via_cb on_result;
  void *result_user;
  char name[];
};

/* Makes one, open over no carrier, with no line. NULL: no memory. */
uvr_mux_stream *uvr_mux_stream_new(uvr_mux *mux, const char *name);

/* It is open, or about to be, over this carrier, in its member `yamux`. */
void uvr_mux_stream_use(uvr_mux_stream *stream, uvr_mux_carrier *carrier);

/* It is not, any more: what was read and written is forgotten. Only with nothing under way. */
void uvr_mux_stream_leave(uvr_mux_stream *stream);

/* It is connected: there is no line any more. */
void uvr_mux_stream_connected(uvr_mux_stream *stream);

/* Takes uvr_stream_watch back. */
void uvr_mux_stream_unwatch(uvr_mux_stream *stream);

/* For the events of yamux. */
void uvr_mux_stream_readable(uvr_yamux_stream *stream);
void uvr_mux_stream_written(uvr_yamux_stream *stream);

/* Reads a line of at most UVR_MUX_LINE_MAX bytes into `line`, which it must have, without the newline. What comes
 * behind stays to be read. on_line comes once, perhaps before this returns, unless the stream is closed before: code 0,
 * or why there is none: UV_EOF, UV_EMSGSIZE, UV_EPROTO (a NUL in it), or as reading failed. */
typedef void (*uvr_mux_stream_line_cb)(uvr_mux_stream *stream, int code);
void uvr_mux_stream_read_line(uvr_mux_stream *stream, uvr_mux_stream_line_cb on_line);

#endif
