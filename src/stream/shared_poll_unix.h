/* Polling a descriptor that other processes may share. O_NONBLOCK belongs to the open file and not to the descriptor,
 * and uv_poll_init() sets it, so that calls of the other processes would fail with EAGAIN. Here libuv polls an epoll
 * descriptor of our own, and that one watches the shared descriptor, which stays as it is. */
#ifndef UVR_STREAM_SHARED_POLL_UNIX_H
#define UVR_STREAM_SHARED_POLL_UNIX_H

#include <uv.h>

typedef struct uvr_shared_poll {
  uv_poll_t handle; /* its `data` is the user's */
  int epoll;
} uvr_shared_poll;

/* Begins to watch `fd` for one event, UV_READABLE or UV_WRITABLE. Returns 0, or a negative code, and then nothing is to
 * be closed. */
int uvr_shared_poll_init(uvr_shared_poll *poll, uv_loop_t *loop, int fd, int event);

/* Calls `cb` whenever the event is there, errors included, until it is stopped. The arguments of the callback say
 * nothing more. Both may be called repeatedly. */
void uvr_shared_poll_start(uvr_shared_poll *poll, uv_poll_cb cb);
void uvr_shared_poll_stop(uvr_shared_poll *poll);

/* Closes it. The descriptor may be closed as soon as this has returned; `on_closed` is called later. */
void uvr_shared_poll_close(uvr_shared_poll *poll, uv_close_cb on_closed);

#endif
