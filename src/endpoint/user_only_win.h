/* A security descriptor that lets only the current user open an object, and only from processes that are trusted as far
 * as this one. */
#ifndef UVR_ENDPOINT_USER_ONLY_WIN_H
#define UVR_ENDPOINT_USER_ONLY_WIN_H

#include <windows.h>

#include "base/token_win.h"

/* The size of an access control list with one entry, in bytes. The entries that are used here are of the same size. */
#define UVR_USER_ONLY_SIZE (sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE)

typedef union uvr_one_entry_list {
  ACL acl;
  BYTE room[UVR_USER_ONLY_SIZE];
} uvr_one_entry_list;

/* Must not be copied, as it contains pointers into itself. */
typedef struct uvr_user_only {
  SECURITY_ATTRIBUTES attributes; /* for the call that makes the object, whose handle will not be inherited */
  SECURITY_DESCRIPTOR descriptor;
  uvr_sid_room owner;
  uvr_one_entry_list access;
  uvr_one_entry_list label;
} uvr_user_only;

/* Grants all rights of a file to the user of this process, and none to others. The user is the owner, too: if nothing
 * were said, objects of an elevated process would belong to the group of administrators.
 *
 * The label is the integrity level of this process, and no process of a lower one may read or write. So what an
 * elevated process makes is closed to the user's other processes. A process needs no privilege to set a label of its
 * own level. Wine 8 accepts labels, keeps none and heeds none.
 *
 * Returns 0 or a Windows code. */
DWORD uvr_user_only_init(uvr_user_only *out);

#endif
