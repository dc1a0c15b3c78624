/* What a relay ends and waits for: its sessions, its routes, its muxes. The relay knows none of them by name. */
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
  UVR_RELAY_CANCELLING, /* and what there is is to end */
  UVR_RELAY_CLOSING     /* for good */
} uvr_relay_state;

typedef struct uvr_part_ops {
  /* The relay is no longer open: does what its state, which only grows, asks for. Called again and again. */
  void (*end)(uvr_part *part, uvr_relay_state state);
  /* Whether a stop has to wait for it. A close waits for all parts. */
  bool (*is_busy)(const uvr_part *part);
  /* Bytes written so far, to be added to the relay's own counters. May be NULL. */
  void (*bytes)(const uvr_part *part, uint64_t *to_right, uint64_t *to_left);
  /* Whether it uses this stream of the host's. May be NULL. */
  bool (*uses_stream)(const uvr_part *part, const uv_stream_t *stream);
  /* A close ends it when those that do not say so are gone: they use it. */
  bool ends_last;
} uvr_part_ops;

struct uvr_part {
  const uvr_part_ops *ops;
  uvr_list_node node;
};

#endif
