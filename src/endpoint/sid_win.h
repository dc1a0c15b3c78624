/* SIDs as Windows tells them, and those of the owner of an object and of the user. */
#ifndef UVR_ENDPOINT_SID_WIN_H
#define UVR_ENDPOINT_SID_WIN_H

#include "address/users.h" /* with libuv, which includes winsock2.h, as must be done before windows.h */

#include <windows.h>

/* The user that this process runs as. Returns 0 or a Windows code. */
DWORD uvr_sid_of_user(uvr_sid *out);

/* The owner of a file or a pipe, whose handle must have been opened with READ_CONTROL. Returns 0; or
 * ERROR_INVALID_OWNER if it has none, or another Windows code. */
DWORD uvr_sid_of_owner(HANDLE handle, uvr_sid *out);

#endif
