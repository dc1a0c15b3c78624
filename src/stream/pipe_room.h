/* How much a pipe of the system holds before its writer must wait. */
#ifndef UVR_STREAM_PIPE_ROOM_H
#define UVR_STREAM_PIPE_ROOM_H

#include <stdbool.h>

#include <uv.h>

/* What is known of the pipe. Zeroed at first. */
typedef struct uvr_pipe_room {
  int usual;  /* bytes that it held at first; 0: not known yet */
  bool wide;  /* it has been given more */
  bool fixed; /* it is no pipe, or the system does not allow it */
} uvr_pipe_room;

/* Gives the pipe that `handle` writes to more room, or as much as it had at first. Where that is not possible, it does
 * nothing. A pipe that holds too much to become smaller can be made so later. */
void uvr_pipe_room_set(uvr_pipe_room *room, const uv_stream_t *handle, bool wide);

#endif
