/* Structs that begin with their size: see abi.h. */
#include "base/abi.h"

#include <string.h>

#include <uv.h>

int uvr_abi_copy(void *own, size_t own_size, const void *given)
{
  size_t size = sizeof(size);
  memset(own, 0, own_size);
  if (given != NULL) {
    memcpy(&size, given, sizeof(size));
    if (size < sizeof(size)) {
      return UV_EINVAL;
    }
    const unsigned char *bytes = given;
    for (size_t i = own_size; i < size; i++) {
      if (bytes[i] != 0) {
        return UV_EINVAL;
      }
    }
    memcpy(own, given, size < own_size ? size : own_size);
  }
  memcpy(own, &own_size, sizeof(own_size));
  return 0;
}
