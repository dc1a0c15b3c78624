/* Owners on Unix: the effective user of the process that listens on a socket (SO_PEERCRED), or a file's user. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "endpoint/owner.h"
#include "endpoint/users_unix.h"

static int check(uid_t uid, const char *name, const char *list, uvrelay_error_t *error)
{
  char owner[UVR_USER_TEXT_SIZE];
  char self[UVR_USER_TEXT_SIZE];
  return uvr_users_name(list, uid)
             ? 0
             : uvr_owner_refuse(name, uvr_user_text(uid, owner), list, uvr_user_text(geteuid(), self), error);
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
  return uvr_users_check_names(list, error);
}
