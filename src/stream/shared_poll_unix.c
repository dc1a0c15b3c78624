/* Polling a descriptor that other processes may share: see shared_poll_unix.h. An epoll descriptor is readable as long
 * as one of the descriptors in it is ready, so it need never be waited on itself. */
#include "stream/shared_poll_unix.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int uvr_shared_poll_init(uvr_shared_poll *poll, uv_loop_t *loop, int fd, int event)
{
  struct epoll_event interest = {.events = event == UV_READABLE ? EPOLLIN : EPOLLOUT};
  poll->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (poll->epoll < 0) {
    return uv_translate_sys_error(errno);
  }
  int code = epoll_ctl(poll->epoll, EPOLL_CTL_ADD, fd, &interest) != 0 ? uv_translate_sys_error(errno)
                                                                       : uv_poll_init(loop, &poll->handle, poll->epoll);
  if (code != 0) {
    (void)close(poll->epoll);
  }
  return code;
}

void uvr_shared_poll_start(uvr_shared_poll *poll, uv_poll_cb cb)
{
  if (!uv_is_active((uv_handle_t *)&poll->handle)) {
    (void)uv_poll_start(&poll->handle, UV_READABLE, cb);
  }
}

void uvr_shared_poll_stop(uvr_shared_poll *poll)
{
  if (uv_is_active((uv_handle_t *)&poll->handle)) {
    (void)uv_poll_stop(&poll->handle);
  }
}

void uvr_shared_poll_close(uvr_shared_poll *poll, uv_close_cb on_closed)
{
  uv_close((uv_handle_t *)&poll->handle, on_closed);
  (void)close(poll->epoll);
}
