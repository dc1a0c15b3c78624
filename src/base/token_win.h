/* Who this process is to Windows: the user in its token, and how far the token is trusted. */
#ifndef UVR_BASE_TOKEN_WIN_H
#define UVR_BASE_TOKEN_WIN_H

#include <windows.h>

/* A SID together with its memory. */
typedef union uvr_sid_room {
  SID sid;
  BYTE bytes[SECURITY_MAX_SID_SIZE];
} uvr_sid_room;

/* Sets *user to the user that this process runs as. Returns 0 or a Windows code. */
DWORD uvr_token_user(uvr_sid_room *user);

/* Sets *level to the integrity level of this process, such as S-1-16-8192 (medium) or S-1-16-12288 (high: an elevated
 * process). Returns 0 or a Windows code. */
DWORD uvr_token_integrity(uvr_sid_room *level);

#endif
