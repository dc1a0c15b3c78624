/* The variables of Windows in addresses: in a socket file's path %LOCALAPPDATA%, %APPDATA% or %USERPROFILE% at the
 * beginning, and in a pipe's name %USERNAME%. They mean what they mean on the system that connects, so that users of
 * Linux need not know a directory of Windows. Pure: the caller says where they are looked up. */
#ifndef UVR_ADDRESS_VARIABLES_H
#define UVR_ADDRESS_VARIABLES_H

#include <stddef.h>

#include "address/types.h"
#include "base/error.h"

/* Replaces the variables of an address, if it has any. `variable` is as uv_os_getenv. Returns 0, and the address has
 * none left; or UV_EINVAL and *error, and the address is as before: a variable is not set, or its value makes no path
 * or name. */
int uvr_address_fill_in(uvr_address *address, int (*variable)(const char *name, char *buffer, size_t *size),
                        uvrelay_error_t *error);

#endif
