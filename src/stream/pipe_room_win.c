/* Windows' part of pipe_room.h: nothing is spliced there, and pipes keep their size. */
#include "stream/pipe_room.h"

void uvr_pipe_room_set(uvr_pipe_room *room, const uv_stream_t *handle, bool wide)
{
  (void)room;
  (void)handle;
  (void)wide;
}
