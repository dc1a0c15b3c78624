/* Owners on Unix: the effective user of the process that listens on a socket (SO_PEERCRED), or a file's user. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address/users.h"
#include "base/accounts_unix.h"
#include "endpoint/owner.h"

enum { DESCRIPTION_SIZE = 96 };

/* Whether the list names this user. */
static bool names(const char *list, uid_t uid)
{
  bool found = false;
  for (const char *next = list; next != NULL && !found;) {
    uvr_user user;
    uid_t named = 0;
    if (!uvr_users_next(&next, &user)) {
      return false;
    }
    found = (user.kind == UVR_USER_SELF && uid == geteuid()) || (user.kind == UVR_USER_UID && uid == user.uid) ||
            (user.kind == UVR_USER_NAME && uvr_account_find(user.name, &named) && uid == named);
  }
  return found;
}

static const char *describe(uid_t uid, char text[DESCRIPTION_SIZE])
{
  char name[UVR_USER_NAME_SIZE];
  if (uvr_account_name(uid, name, sizeof(name))) {
    (void)snprintf(text, DESCRIPTION_SIZE, "%s (uid %lu)", name, (unsigned long)uid);
  } else {
    (void)snprintf(text, DESCRIPTION_SIZE, "user %lu", (unsigned long)uid);
  }
  return text;
}

static int check(uid_t uid, const char *name, const char *list, uvrelay_error_t *error)
{
  char owner[DESCRIPTION_SIZE];
  char self[DESCRIPTION_SIZE];
  return names(list, uid) ? 0 : uvr_owner_refuse(name, describe(uid, owner), list, describe(geteuid(), self), error);
}

int uvr_owner_check_peer(uv_os_fd_t peer, const char *name, const char *list, uvrelay_error_t *error)
{
  struct ucred told;
  socklen_t length = sizeof(told);
  if (list == NULL || *list == '\0') {
    return 0;
  }
  return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &told, &length) != 0
             ? uvr_owner_unknown(name, uv_err_name(-errno), error)
             : check(told.uid, name, list, error);
}

int uvr_owner_check_file(uv_file file, const char *name, const char *list, uvrelay_error_t *error)
{
  struct stat told;
  if (list == NULL || *list == '\0') {
    return 0;
  }
  return fstat(file, &told) != 0 ? uvr_owner_unknown(name, uv_err_name(-errno), error)
                                 : check(told.st_uid, name, list, error);
}

int uvr_owner_check_here(const char *list, uvrelay_error_t *error)
{
  for (const char *next = list; next != NULL;) {
    uvr_user user;
    uid_t uid = 0;
    if (uvr_users_next(&next, &user) && user.kind == UVR_USER_NAME && !uvr_account_find(user.name, &uid)) {
      return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                           "there is no user %s in /etc/passwd: write the number of the user (id -u NAME)", user.name);
    }
  }
  return 0;
}
