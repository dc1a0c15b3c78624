/* The size of a pipe on Linux: see pipe_room.h. */
#include "stream/pipe_room.h"

#include <errno.h>
#include <fcntl.h>

enum { WIDE = 256 * 1024 /* bytes */ };

static bool set_size(int fd, int bytes)
{
  return fcntl(fd, F_SETPIPE_SZ, (long)bytes) >= 0;
}

void uvr_pipe_room_set(uvr_pipe_room *room, const uv_stream_t *handle, bool wide)
{
  int fd;
  if (room->fixed || room->wide == wide || uv_fileno((const uv_handle_t *)handle, &fd) != 0) {
    return;
  }
  if (room->usual == 0) {
    room->usual = fcntl(fd, F_GETPIPE_SZ, 0L);
    room->fixed = room->usual <= 0 || room->usual >= WIDE;
  }
  if (!room->fixed && set_size(fd, wide ? WIDE : room->usual)) {
    room->wide = wide;
  } else if (wide || errno != EBUSY) {
    room->fixed = true;
  }
}
