/* Lists of users: see users_unix.h. */
#include "endpoint/users_unix.h"

#include <stdio.h>
#include <unistd.h>

#include "address/users.h"
#include "base/accounts_unix.h"

bool uvr_users_name(const char *list, uid_t uid)
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

const char *uvr_user_text(uid_t uid, char text[UVR_USER_TEXT_SIZE])
{
  char name[UVR_USER_NAME_SIZE];
  if (uvr_account_name(uid, name, sizeof(name))) {
    (void)snprintf(text, UVR_USER_TEXT_SIZE, "%s (uid %lu)", name, (unsigned long)uid);
  } else {
    (void)snprintf(text, UVR_USER_TEXT_SIZE, "user %lu", (unsigned long)uid);
  }
  return text;
}

int uvr_users_check_names(const char *list, uvrelay_error_t *error)
{
  for (const char *next = list; next != NULL;) {
    uvr_user user;
    uid_t uid = 0;
    if (uvr_users_next(&next, &user) && user.kind == UVR_USER_NAME && !uvr_account_find(user.name, &uid)) {
      return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                           "the user %s is not in /etc/passwd: write the user's number (id -u NAME)", user.name);
    }
  }
  return 0;
}
