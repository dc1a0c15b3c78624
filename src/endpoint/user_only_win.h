/* Who may open what we make: the current user alone. */
#ifndef UVR_ENDPOINT_USER_ONLY_WIN_H
#define UVR_ENDPOINT_USER_ONLY_WIN_H

#include <windows.h>

/* An access control list with one entry. */
#define UVR_USER_ONLY_SIZE (sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE)

/* It points into itself: not to be copied. */
typedef struct uvr_user_only {
  SECURITY_ATTRIBUTES attributes; /* for the call that makes the object; handles are not inherited */
  SECURITY_DESCRIPTOR descriptor;
  union {
    ACL acl;
    BYTE room[UVR_USER_ONLY_SIZE];
  } list;
} uvr_user_only;

/* All rights of a file for the user of this process, and none for others. Returns 0 or a Windows code. */
DWORD uvr_user_only_init(uvr_user_only *out);

#endif
