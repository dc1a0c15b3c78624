/* Lists of users, as the system knows the users. */
#ifndef UVR_ENDPOINT_USERS_UNIX_H
#define UVR_ENDPOINT_USERS_UNIX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Whether the list names this user. The word user names the effective user of this process. */
bool uvr_users_name(const char *list, uid_t uid);

#define UVR_USER_TEXT_SIZE 96

/* Describes a user for a message: "alice (uid 1000)", or "user 1000" where there is no name. Returns `text`. */
const char *uvr_user_text(uid_t uid, char text[UVR_USER_TEXT_SIZE]);

/* Checks that all names in the list are of accounts. Returns 0, or UV_EINVAL and *error. */
int uvr_users_check_names(const char *list, uvrelay_error_t *error);

#endif
