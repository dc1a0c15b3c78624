/* Owners on Windows: the owner in the security descriptor of a pipe or a file. A pipe has one descriptor, that of its
 * first instance, even if other users have made the others.
 *
 * Only SIDs are compared and shown, with the names of those that are the same everywhere: the names of others may have
 * to be asked of a domain's server, and the loop should not wait for that. */
#include <io.h>
#include <stdio.h>
#include <string.h>

#include "address/users.h"
#include "endpoint/owner.h"
#include "endpoint/sid_win.h"

enum { DESCRIPTION_SIZE = UVR_SID_SIZE + 40 };

static bool names(const char *list, const uvr_sid *owner, const uvr_sid *self)
{
  bool found = false;
  for (const char *next = list; next != NULL && !found;) {
    uvr_user user;
    if (!uvr_users_next(&next, &user)) {
      return false;
    }
    found = (user.kind == UVR_USER_SELF && uvr_sid_is_same(owner, self)) ||
            (user.kind == UVR_USER_SID && uvr_sid_is_same(owner, &user.sid));
  }
  return found;
}

static const char *describe(const uvr_sid *sid, char text[DESCRIPTION_SIZE])
{
  static const struct {
    const char *sid;
    const char *name;
  } known[] = {
      {"S-1-5-18", "the system"},      {"S-1-5-19", "LOCAL SERVICE"},
      {"S-1-5-20", "NETWORK SERVICE"}, {"S-1-5-32-544", "the administrators"},
      {"S-1-5-32-545", "the users"},
  };
  char plain[UVR_SID_SIZE];
  (void)uvr_sid_text(plain, sid);
  (void)snprintf(text, DESCRIPTION_SIZE, "%s", plain);
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (strcmp(plain, known[i].sid) == 0) {
      (void)snprintf(text, DESCRIPTION_SIZE, "%s (%s)", known[i].name, plain);
    }
  }
  return text;
}

static int fail(DWORD system, const char *name, uvrelay_error_t *error)
{
  char why[48];
  (void)snprintf(why, sizeof(why), "Windows error %lu", system);
  return uvr_owner_unknown(name, why, error);
}

static int check(HANDLE handle, const char *name, const char *list, uvrelay_error_t *error)
{
  uvr_sid owner;
  uvr_sid self;
  char owner_text[DESCRIPTION_SIZE];
  char self_text[DESCRIPTION_SIZE];
  DWORD system = uvr_sid_of_owner(handle, &owner);
  if (system == ERROR_INVALID_OWNER) { /* Wine's pipes have no owner unless their server says one */
    return uvr_owner_unknown(name, "it has no owner", error);
  }
  system = system == 0 ? uvr_sid_of_user(&self) : system;
  if (system != 0) {
    return fail(system, name, error);
  }
  return names(list, &owner, &self)
             ? 0
             : uvr_owner_refuse(name, describe(&owner, owner_text), list, describe(&self, self_text), error);
}

int uvr_owner_check_peer(uv_os_fd_t peer, const char *name, const char *list, uvrelay_error_t *error)
{
  return list == NULL || *list == '\0' ? 0 : check(peer, name, list, error);
}

int uvr_owner_check_file(uv_file file, const char *name, const char *list, uvrelay_error_t *error)
{
  return list == NULL || *list == '\0' ? 0 : check(uv_get_osfhandle(file), name, list, error);
}

int uvr_owner_check_here(const char *list, uvrelay_error_t *error)
{
  (void)list;
  (void)error;
  return 0;
}
