/* The owners of targets: see owner.h. */
#include "endpoint/owner.h"

#include "address/users.h"
#include "base/os.h"

enum { SHOWN = 120 }; /* bytes of a list in a message */

/* The systems whose users can own the target. Only a socket file may be on either. */
static unsigned systems_of(const uvr_address *target)
{
  unsigned here = uvr_os_has_npipes() ? UVR_USERS_OF_WINDOWS : UVR_USERS_OF_UNIX;
  switch (target->kind) {
  case UVR_ADDRESS_NPIPE:
    return UVR_USERS_OF_WINDOWS;
  case UVR_ADDRESS_ASSUAN:
    return target->via ? UVR_USERS_OF_WINDOWS | UVR_USERS_OF_UNIX : here;
  default:
    return UVR_USERS_OF_UNIX;
  }
}

int uvr_owner_check_list(const uvr_address *target, const char *list, uvrelay_error_t *error)
{
  if (list == NULL || *list == '\0') {
    return 0;
  }
  if (!uvr_address_has(target, UVR_ADDRESS_HAS_OWNER)) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "%.200s cannot have the option owner=%.*s, because the owner of a TCP port is not known: "
                         "write owner=any for this target",
                         target->canonical, SHOWN, list);
  }
  unsigned named = uvr_users_check(list);
  if (named == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the option owner is not a list of users: write %s",
                         UVR_USERS_FORM);
  }
  unsigned possible = systems_of(target);
  if ((named & possible) == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "no user in owner=%.*s can own %.200s: write %s",
                         SHOWN, list, target->canonical,
                         possible == UVR_USERS_OF_UNIX ? UVR_USERS_ON_UNIX : UVR_USERS_ON_WINDOWS);
  }
  return target->via ? 0 : uvr_owner_check_here(list, error);
}

int uvr_owner_check_peers(const uvr_address *listener, const char *list, uvrelay_error_t *error)
{
  if (*list == '\0') {
    return 0;
  }
  if (!uvr_address_has(listener, UVR_ADDRESS_HAS_PEER_UIDS)) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "%.200s cannot have the option peer-uid=%.*s, because the users of clients are known only on "
                         "Unix sockets: write peer-uid=any for this listener",
                         listener->canonical, SHOWN, list);
  }
  if ((uvr_users_check(list) & UVR_USERS_OF_UNIX) == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the option peer-uid has no Unix user: write %s",
                         UVR_USERS_PEERS_FORM);
  }
  return uvr_owner_check_here(list, error);
}

static bool has_self(const char *list)
{
  bool found = false;
  for (const char *next = list; next != NULL && !found;) {
    uvr_user user;
    found = uvr_users_next(&next, &user) && user.kind == UVR_USER_SELF;
  }
  return found;
}

int uvr_owner_refuse(const char *name, const char *owner, const char *list, const char *self, uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EPERM,
                       "%.150s belongs to %s, but owner=%.*s is required%s%s: nothing was sent to it", name, owner,
                       SHOWN, list, has_self(list) ? ", where user is " : "", has_self(list) ? self : "");
}

int uvr_owner_unknown(const char *name, const char *why, uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EPERM,
                       "cannot determine the owner of %.200s (%s), which owner= requires: nothing was sent to it", name,
                       why);
}
