/* A security descriptor that lets only the current user open an object. */
#ifndef UVR_ENDPOINT_USER_ONLY_WIN_H
#define UVR_ENDPOINT_USER_ONLY_WIN_H

#include <windows.h>

/* The size of an access control list with one entry, in bytes. */
#define UVR_USER_ONLY_SIZE (sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE)

/* Must not be copied, as it contains pointers into itself. */
typedef struct uvr_user_only {
  SECURITY_ATTRIBUTES attributes; /* for the call that makes the object, whose handle will not be inherited */
  SECURITY_DESCRIPTOR descriptor;
  union {
    ACL acl;
    BYTE room[UVR_USER_ONLY_SIZE];
  } list;
} uvr_user_only;

/* Grants all rights of a file to the user of this process, and none to others. Returns 0 or a Windows code. */
DWORD uvr_user_only_init(uvr_user_only *out);

#endif
