/* Notices that the other end of a descriptor is gone, without looking again and again. All that watch in one context
 * share one descriptor, which is open while there are any. */
#ifndef UVR_STREAM_HANGUP_H
#define UVR_STREAM_HANGUP_H

#include "base/closing.h"
#include "base/context.h"

struct uvr_hangups;

typedef struct uvr_hangup {
  struct uvr_hangups *shared; /* NULL: it does not watch */
  int fd;                     /* -1: nothing more will be reported */
  void (*on_hangup)(void *user);
  void *user;
} uvr_hangup;

/* The descriptor by which the peer's leaving can be noticed; -1 if the system does not report it. A TCP peer that has
 * ended its output leaves without another sign. */
int uvr_hangup_fd(const uv_stream_t *stream);

/* Watches a descriptor; `hangup` must be zeroed before. `on_hangup` is called from the loop, at most once, and never
 * for what cannot hang up, such as a file. Returns false if the system cannot watch it, or has no memory or descriptor
 * left for that; then somebody has to look. */
bool uvr_hangup_start(uvr_hangup *hangup, uvr_context *context, int fd, void (*on_hangup)(void *user), void *user);

/* Makes sure that on_hangup is not called afterwards. Must be called before the descriptor is closed. */
void uvr_hangup_mute(uvr_hangup *hangup);

/* Mutes it, ends the watching, if there is any, whatever uvr_hangup_start has returned, and calls `on_stopped`, which
 * may be before this returns. */
void uvr_hangup_stop(uvr_hangup *hangup, uvr_close_cb on_stopped, void *user);

#endif
