/* A Windows named pipe as a stream: npipe_win.c. On Unix every call gives UV_ENOTSUP. */
#ifndef UVR_STREAM_NPIPE_H
#define UVR_STREAM_NPIPE_H

#include "stream/stream.h"

/* The operations of a named pipe's stream: those of every stream, and its own. */
typedef struct uvr_npipe_ops {
  uvr_stream_ops stream;
  void (*cancel_read)(uvr_stream *stream);
} uvr_npipe_ops;

/* Makes a stream of an open file, which belongs to the stream from then on. `name` is copied. Returns 0, or a negative
 * code and *error; then the file is closed. */
int uvr_npipe_stream(uvr_context *context, uv_os_fd_t file, const char *name, uvr_stream **out, uvrelay_error_t *error);

/* Asks a read or a watch that is under way to end soon. Its callback still comes, never before this returns, either
 * with what arrived meanwhile or with UVR_FAILED and UV_ECANCELED. No data is lost. The stream must be a named pipe's.
 */
static inline void uvr_npipe_cancel_read(uvr_stream *stream)
{
  const uvr_npipe_ops *ops = (const uvr_npipe_ops *)(const void *)stream->ops;
  ops->cancel_read(stream);
}

/* The id of the process at the other end of a stream that uvr_npipe_stream made. Returns 0 or a negative code. */
int uvr_npipe_peer_pid(const uvr_stream *stream, uint32_t *pid);

#endif
