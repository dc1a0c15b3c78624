/* Windows has no event for it: see hangup.h. */
#include "stream/hangup.h"

int uvr_hangup_fd(const uv_stream_t *stream)
{
  (void)stream;
  return -1;
}

bool uvr_hangup_start(uvr_hangup *hangup, uvr_context *context, int fd, void (*on_hangup)(void *user), void *user)
{
  (void)hangup;
  (void)context;
  (void)fd;
  (void)on_hangup;
  (void)user;
  return false;
}

void uvr_hangup_mute(uvr_hangup *hangup)
{
  (void)hangup;
}

void uvr_hangup_stop(uvr_hangup *hangup, uvr_close_cb on_stopped, void *user)
{
  (void)hangup;
  on_stopped(user);
}
