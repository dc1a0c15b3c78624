/* What yamux receives. */
#ifndef UVR_YAMUX_RECEIVE_H
#define UVR_YAMUX_RECEIVE_H

#include "base/error.h"
#include "yamux/types.h"

/* Handles bytes that have arrived. Returns how many of them were used: all, unless too many replies wait to be sent;
 * give it the rest again after the next fill. Returns UV_EPROTO and *error if the peer has broken the rules: then call
 * this no more, but send what uvr_yamux_fill returns, which ends with a go-away. */
int64_t uvr_yamux_receive(uvr_yamux *self, const char *data, size_t length, uvrelay_error_t *error);

/* The same with what a read has brought (see uvr_stream's read_before), from `*used` on, which it advances. Returns 0
 * or UV_EPROTO. A buffer that holds little but the data of one stream is not copied but becomes that stream's: then
 * `*buffer` is what is left to be handled, in a buffer of its own with its own `*used`, or NULL. */
int uvr_yamux_receive_buffer(uvr_yamux *self, uvr_buffer **buffer, size_t *used, uvrelay_error_t *error);

/* What the next read should ask for, so that the data of a long frame fills a buffer: returns how many bytes, and sets
 * `*before` to how many of them belong before the buffer's data. */
size_t uvr_yamux_best_read(const uvr_yamux *self, uint8_t *before);

/* How many bytes at most a read into a pipe may bring now; 0: the next read should not be one. After the first such
 * frame, uvr_yamux_best_read asks for each header alone. */
size_t uvr_yamux_best_piped(const uvr_yamux *self);

#endif
