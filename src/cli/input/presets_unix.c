/* Presets on Linux, which lead from WSL to programs of Windows: see presets.h.
 *
 * owner= names whom the pipe or socket file must belong to: agents run as the user (or, started by an elevated program,
 * as one of the administrators), services belong to the system or the administrators. The ssh-agent's pipe takes no end
 * of input; as its clients leave altogether, the usual linger costs nothing. Docker may think about an answer for as
 * long as it likes. */
#include "cli/input/presets.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"

static const uvr_preset presets[] = {
    {"ssh-agent", "the Windows ssh-agent, or 1Password, Bitwarden, KeeAgent or GnuPG in its place",
     "unix://~/.uvrelay/ssh-agent.sock", "//./pipe/openssh-ssh-agent?owner=user,system,admins", "SSH_AUTH_SOCK", ""},
    {"docker", "the Docker engine on Windows", "unix://~/.uvrelay/docker.sock",
     "//./pipe/docker_engine?linger=off&owner=user,system,admins", "DOCKER_HOST", "unix://"},
    {"gpg-agent", "the gpg-agent of GnuPG for Windows, for gpg", NULL,
     "assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent?owner=user,admins", NULL, ""},
    {"gpg-ssh", "the ssh-agent inside the gpg-agent of GnuPG for Windows", "unix://~/.uvrelay/gpg-ssh.sock",
     "assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent.ssh?owner=user,admins", "SSH_AUTH_SOCK", ""},
    {"pageant", "PuTTY's Pageant", "unix://~/.uvrelay/pageant.sock", "//./pipe/pageant.*?owner=user", "SSH_AUTH_SOCK",
     ""},
};

const uvr_preset *uvr_presets_here(size_t *count, const char *const **others)
{
  static const char *const none[] = {NULL};
  *others = none;
  *count = sizeof(presets) / sizeof(presets[0]);
  return presets;
}

/* Whether it is a directory of this user, in which gpg can make its own. */
static bool is_own_directory(const char *path)
{
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == getuid();
}

/* Whether GNUPGHOME is another directory than gpg's own one. */
static bool has_other_home(const char *home)
{
  char value[UVR_PRESET_LISTEN_SIZE];
  char usual[UVR_PRESET_LISTEN_SIZE + sizeof("/.gnupg")];
  size_t size = sizeof(value);
  int code = uv_os_getenv("GNUPGHOME", value, &size);
  if (code == UV_ENOENT || (code == 0 && size == 0)) {
    return false;
  }
  while (code == 0 && size > 1 && value[size - 1] == '/') {
    value[--size] = '\0';
  }
  (void)snprintf(usual, sizeof(usual), "%s/.gnupg", home);
  return code != 0 || strcmp(value, usual) != 0;
}

/* Where gpg looks for its agent: below the first of the directories for a user's sockets that there is, or else in its
 * own directory. */
int uvr_preset_find_listen(const uvr_preset *self, char out[UVR_PRESET_LISTEN_SIZE], uvrelay_error_t *error)
{
  static const char *const places[] = {"/run/gnupg/user", "/run/user"};
  char home[UVR_PRESET_LISTEN_SIZE];
  size_t size = sizeof(home);
  int code = uv_os_homedir(home, &size);
  while (code == 0 && size > 1 && home[size - 1] == '/') {
    home[--size] = '\0';
  }
  if (code != 0 || home[0] != '/') {
    return uvr_error_set(
        error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
        "cannot determine where gpg looks for its agent, because the home directory %s: set HOME, or write LISTEN=@%s",
        code != 0 ? "cannot be found" : "is not absolute", self->name);
  }
  if (has_other_home(home)) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "cannot determine where gpg looks for its agent, because GNUPGHOME is set: write "
                         "unix://PATH=@%s, with the PATH that gpgconf --list-dirs agent-socket prints",
                         self->name);
  }
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/%lu", places[i], (unsigned long)getuid());
    if (is_own_directory(path)) {
      (void)snprintf(out, UVR_PRESET_LISTEN_SIZE, "unix://%s/gnupg/S.gpg-agent", path);
      return 0;
    }
  }
  int length = snprintf(out, UVR_PRESET_LISTEN_SIZE, "unix://%s/.gnupg/S.gpg-agent", home);
  return length > 0 && length < UVR_PRESET_LISTEN_SIZE
             ? 0
             : uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the path of the home directory is too long");
}
