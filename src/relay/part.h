/* A part of a relay: a session, a route or a mux. The relay ends its parts and waits for them through this interface,
 * without knowing what they are. */
#ifndef UVR_RELAY_PART_H
#define UVR_RELAY_PART_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/list.h"

typedef struct uvr_part uvr_part;

typedef enum uvr_relay_state {
  UVR_RELAY_OPEN,
  UVR_RELAY_DRAINING,   /* nothing new may start */
  UVR_RELAY_CANCELLING, /* what is still open is cancelled */
  UVR_RELAY_CLOSING     /* everything is closed, and then the relay is freed */
} uvr_relay_state;

typedef struct uvr_part_ops {
  /* Does what the relay's state asks of its parts. Is called repeatedly once the relay is no longer open, and never
   * with an earlier state than before. */
  void (*end)(uvr_part *part, uvr_relay_state state);
  /* Whether a stop waits for the part. A close waits for all parts. */
  bool (*is_busy)(const uvr_part *part);
  /* Sets the numbers of bytes written so far, which are added to the relay's counters. May be NULL. */
  void (*bytes)(const uvr_part *part, uint64_t *to_right, uint64_t *to_left);
  /* Whether the part uses this stream of the host. May be NULL. */
  bool (*uses_stream)(const uvr_part *part, const uv_stream_t *stream);
  bool ends_last; /* other parts use this one, so that it is ended only when all parts without this mark are removed */
} uvr_part_ops;

struct uvr_part {
  const uvr_part_ops *ops;
  uvr_list_node node;
};

#endif
