/* What takes the place of a standard descriptor that is closed or has moved. */
#ifndef UVR_STREAM_NOTHING_UNIX_H
#define UVR_STREAM_NOTHING_UNIX_H

/* Opens the lowest free descriptor on something that is empty and, with O_RDONLY, cannot be written to; it is closed on
 * exec. `mode` is O_RDONLY or O_RDWR. Returns the descriptor, or -1. */
int uvr_open_nothing(int mode);

#endif
