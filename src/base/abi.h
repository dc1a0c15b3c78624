/* Structs of options in the public API, from callers that may have been built with an older or a newer header. */
#ifndef UVR_BASE_ABI_H
#define UVR_BASE_ABI_H

#include <stddef.h>

/* Copies the struct `given` into *own, which has `own_size` bytes; both begin with their size. Members that an older
 * struct does not have become zero; so do all members if `given` is NULL. Returns UV_EINVAL if the size is not valid,
 * or if a newer struct sets members that this library does not know. */
int uvr_abi_copy(void *own, size_t own_size, const void *given);

#endif
