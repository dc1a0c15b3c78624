/* A security descriptor for the current user: see user_only_win.h. It is made step by step, because the functions that
 * do this in one call, such as SetEntriesInAcl, allocate memory by themselves. */
#include "endpoint/user_only_win.h"

#include <string.h>

/* What a process of a lower level may not do. Windows' own label for objects without one forbids writing only. */
#define NOT_FROM_BELOW (SYSTEM_MANDATORY_LABEL_NO_WRITE_UP | SYSTEM_MANDATORY_LABEL_NO_READ_UP)

static DWORD make_access(uvr_user_only *out)
{
  DWORD error = uvr_token_user(&out->owner);
  if (error != 0) {
    return error;
  }
  return InitializeAcl(&out->access.acl, sizeof(out->access), ACL_REVISION) &&
                 AddAccessAllowedAce(&out->access.acl, ACL_REVISION, FILE_ALL_ACCESS, &out->owner.sid)
             ? 0
             : GetLastError();
}

static DWORD make_label(uvr_user_only *out)
{
  uvr_sid_room level;
  DWORD error = uvr_token_integrity(&level);
  if (error != 0) {
    return error;
  }
  return InitializeAcl(&out->label.acl, sizeof(out->label), ACL_REVISION) &&
                 AddMandatoryAce(&out->label.acl, ACL_REVISION, 0, NOT_FROM_BELOW, &level.sid)
             ? 0
             : GetLastError();
}

DWORD uvr_user_only_init(uvr_user_only *out)
{
  memset(out, 0, sizeof(*out));
  DWORD error = make_access(out);
  if (error == 0) {
    error = make_label(out);
  }
  if (error != 0) {
    return error;
  }
  SECURITY_DESCRIPTOR *descriptor = &out->descriptor;
  if (!InitializeSecurityDescriptor(descriptor, SECURITY_DESCRIPTOR_REVISION) ||
      !SetSecurityDescriptorOwner(descriptor, &out->owner.sid, FALSE) ||
      !SetSecurityDescriptorDacl(descriptor, TRUE, &out->access.acl, FALSE) ||
      !SetSecurityDescriptorSacl(descriptor, TRUE, &out->label.acl, FALSE)) {
    return GetLastError();
  }
  out->attributes.nLength = sizeof(out->attributes);
  out->attributes.lpSecurityDescriptor = descriptor;
  return 0;
}
