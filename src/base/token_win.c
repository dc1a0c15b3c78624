/* The token of this process: see token_win.h. */
#include "base/token_win.h"

/* What the system tells is a SID_AND_ATTRIBUTES, whose SID follows it. TOKEN_USER and TOKEN_MANDATORY_LABEL are both
 * made of just that. */
static DWORD query(TOKEN_INFORMATION_CLASS what, uvr_sid_room *out)
{
  union {
    SID_AND_ATTRIBUTES told;
    BYTE room[sizeof(SID_AND_ATTRIBUTES) + SECURITY_MAX_SID_SIZE];
  } answer = {.told = {.Sid = NULL}};
  HANDLE token;
  DWORD size;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    return GetLastError();
  }
  BOOL ok = GetTokenInformation(token, what, &answer, sizeof(answer), &size) &&
            CopySid(sizeof(*out), &out->sid, answer.told.Sid);
  DWORD error = ok ? 0 : GetLastError();
  (void)CloseHandle(token);
  return error;
}

DWORD uvr_token_user(uvr_sid_room *user)
{
  return query(TokenUser, user);
}

DWORD uvr_token_integrity(uvr_sid_room *level)
{
  return query(TokenIntegrityLevel, level);
}
