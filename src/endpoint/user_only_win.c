/* A security descriptor for the current user: see user_only_win.h. It is made step by step, because the functions that
 * do this in one call, such as SetEntriesInAcl, allocate memory by themselves. */
#include "endpoint/user_only_win.h"

#include <string.h>

typedef union token_user {
  TOKEN_USER user; /* points to its SID, which follows it */
  BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
} token_user;

static DWORD current_user(token_user *out)
{
  HANDLE token;
  DWORD size;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    return GetLastError();
  }
  DWORD error = GetTokenInformation(token, TokenUser, out, sizeof(*out), &size) ? 0 : GetLastError();
  (void)CloseHandle(token);
  return error;
}

DWORD uvr_user_only_init(uvr_user_only *out)
{
  token_user token = {.user = {{.Sid = NULL}}};
  DWORD error = current_user(&token);
  if (error != 0) {
    return error;
  }
  memset(out, 0, sizeof(*out));
  if (!InitializeAcl(&out->list.acl, sizeof(out->list), ACL_REVISION) ||
      !AddAccessAllowedAce(&out->list.acl, ACL_REVISION, FILE_ALL_ACCESS, token.user.User.Sid) ||
      !InitializeSecurityDescriptor(&out->descriptor, SECURITY_DESCRIPTOR_REVISION) ||
      !SetSecurityDescriptorDacl(&out->descriptor, TRUE, &out->list.acl, FALSE)) {
    return GetLastError();
  }
  out->attributes.nLength = sizeof(out->attributes);
  out->attributes.lpSecurityDescriptor = &out->descriptor;
  return 0;
}
