/* Structs of options that the public API takes: a caller built with an older or a newer header is understood. */
#ifndef UVR_BASE_ABI_H
#define UVR_BASE_ABI_H

#include <stddef.h>

/* Copies options into *own, `own_size` bytes, both of which begin with their size. NULL, and what an older struct does
 * not have, is zero. Returns UV_EINVAL when `given` is no such struct, or is a newer one that asks for something that
 * this library does not know. */
int uvr_abi_copy(void *own, size_t own_size, const void *given);

#endif
