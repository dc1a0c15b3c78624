/* SIDs: see sid_win.h. */
#include "endpoint/sid_win.h"

#include "base/token_win.h"

static void read_sid(const SID *from, uvr_sid *to)
{
  *to = (uvr_sid){.count = from->SubAuthorityCount < UVR_SID_PARTS ? from->SubAuthorityCount : UVR_SID_PARTS};
  for (size_t i = 0; i < sizeof(from->IdentifierAuthority.Value); i++) {
    to->authority = to->authority << 8 | from->IdentifierAuthority.Value[i];
  }
  for (unsigned i = 0; i < to->count; i++) {
    to->parts[i] = from->SubAuthority[i];
  }
}

DWORD uvr_sid_of_user(uvr_sid *out)
{
  uvr_sid_room room;
  DWORD system = uvr_token_user(&room);
  if (system == 0) {
    read_sid(&room.sid, out);
  }
  return system;
}

DWORD uvr_sid_of_owner(HANDLE handle, uvr_sid *out)
{
  union {
    SECURITY_DESCRIPTOR descriptor;
    char room[sizeof(SECURITY_DESCRIPTOR) + SECURITY_MAX_SID_SIZE];
  } told;
  DWORD size;
  BOOL by_default;
  PSID owner = NULL;
  if (!GetKernelObjectSecurity(handle, OWNER_SECURITY_INFORMATION, &told, sizeof(told), &size) ||
      !GetSecurityDescriptorOwner(&told.descriptor, &owner, &by_default)) {
    return GetLastError();
  }
  if (owner == NULL) {
    return ERROR_INVALID_OWNER;
  }
  read_sid(owner, out);
  return 0;
}
