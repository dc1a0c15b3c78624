/* Noticing hang-ups by an epoll descriptor of the context's: see hangup.h. What is in it is asked for no event, so that
 * it reports only EPOLLHUP and EPOLLERR, and libuv polls it as it does any other descriptor.
 *
 * Ways to fail: there is no memory or no descriptor. Epoll refuses what never hangs up, such as a file. */
#include "stream/hangup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct uvr_hangups {
  uv_poll_t poll;
  uvr_context *context;
  int epoll;
  unsigned users;
  uvr_close_cb on_stopped; /* of the last user */
  void *stopped_user;
} uvr_hangups;

enum { REPORTS_AT_ONCE = 64 };

int uvr_hangup_fd(const uv_stream_t *stream)
{
  int fd;
  return stream->type == UV_NAMED_PIPE && uv_fileno((const uv_handle_t *)stream, &fd) == 0 ? fd : -1;
}

void uvr_hangup_mute(uvr_hangup *hangup)
{
  if (hangup->shared != NULL && hangup->fd >= 0) {
    (void)epoll_ctl(hangup->shared->epoll, EPOLL_CTL_DEL, hangup->fd, NULL);
    hangup->fd = -1;
  }
}

/* One at a time, as each report may end the watching of others. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
  uvr_hangups *shared = poll->data;
  struct epoll_event event;
  (void)status;
  (void)events;
  for (unsigned i = 0;
       i < REPORTS_AT_ONCE && !uv_is_closing((uv_handle_t *)poll) && epoll_wait(shared->epoll, &event, 1, 0) == 1;
       i++) {
    uvr_hangup *hangup = event.data.ptr;
    uvr_hangup_mute(hangup);
    hangup->on_hangup(hangup->user);
  }
}

static uvr_hangups *new_shared(uvr_context *context)
{
  uvr_hangups *shared = uvr_alloc(&context->memory, sizeof(*shared));
  if (shared == NULL) {
    return NULL;
  }
  shared->context = context;
  shared->poll.data = shared;
  shared->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (shared->epoll >= 0 && uv_poll_init(context->loop, &shared->poll, shared->epoll) == 0) {
    (void)uv_poll_start(&shared->poll, UV_READABLE, on_poll);
    return shared;
  }
  if (shared->epoll >= 0) {
    (void)close(shared->epoll);
  }
  uvr_free(&context->memory, shared);
  return NULL;
}

static void on_closed(uv_handle_t *handle)
{
  uvr_hangups *shared = handle->data;
  uvr_close_cb on_stopped = shared->on_stopped;
  void *user = shared->stopped_user;
  uvr_free(&shared->context->memory, shared);
  on_stopped(user);
}

bool uvr_hangup_start(uvr_hangup *hangup, uvr_context *context, int fd, void (*on_hangup)(void *user), void *user)
{
  if (fd < 0) {
    return false;
  }
  struct epoll_event interest = {.events = 0, .data = {.ptr = hangup}};
  if (context->hangups == NULL) {
    context->hangups = new_shared(context);
    if (context->hangups == NULL) {
      return false;
    }
  }
  *hangup = (uvr_hangup){.shared = context->hangups, .fd = fd, .on_hangup = on_hangup, .user = user};
  hangup->shared->users++;
  if (epoll_ctl(hangup->shared->epoll, EPOLL_CTL_ADD, fd, &interest) == 0) {
    return true;
  }
  hangup->fd = -1;
  return errno == EPERM; /* for what never hangs up */
}

void uvr_hangup_stop(uvr_hangup *hangup, uvr_close_cb on_stopped, void *user)
{
  uvr_hangups *shared = hangup->shared;
  uvr_hangup_mute(hangup);
  hangup->shared = NULL;
  if (shared == NULL || --shared->users > 0) {
    on_stopped(user);
    return;
  }
  shared->context->hangups = NULL; /* the next one makes its own */
  shared->on_stopped = on_stopped;
  shared->stopped_user = user;
  uv_close((uv_handle_t *)&shared->poll, on_closed);
  (void)close(shared->epoll);
}
