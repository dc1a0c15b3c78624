/* What yamux sends. */
#ifndef UVR_YAMUX_SEND_H
#define UVR_YAMUX_SEND_H

#include "yamux/types.h"

/* What is to be sent next. */
typedef struct uvr_yamux_output {
  const char *data;
  size_t length; /* 0: there is nothing to send */
  size_t piped;  /* so many bytes from the pipe of `buffer` follow; then `data` is in the space */
  uvr_buffer
      *buffer; /* whose bytes they are: the caller puts it back when they are sent; NULL: they are in the space */
} uvr_yamux_output;

/* Returns the next whole frames, streams taking turns: as many as fit into the space, or a long one of a stream alone,
 * in the buffer that its owner has written. `size` is at least UVR_YAMUX_HEADER + UVR_YAMUX_FRAME_FIRST. */
uvr_yamux_output uvr_yamux_fill(uvr_yamux *self, char *space, size_t size);

/* Whether the next frame is a long one alone, and short ones of other streams may soon have to go before it: call
 * uvr_yamux_fill only when there is room for it. */
bool uvr_yamux_chooses_late(const uvr_yamux *self);

/* Whether what is sent is received so fast that frames whose data is in a pipe may be even longer. */
void uvr_yamux_set_fast(uvr_yamux *self, bool fast);

/* From now on frames stay long while other streams send little, as uvr_yamux_fill is called as late as it should. */
void uvr_yamux_keep_long(uvr_yamux *self);

#endif
