/* Presets: see presets.h. */
#include "cli/input/presets.h"

#include <string.h>

static const uvr_preset presets[] = {
    {"ssh-agent", "the ssh-agent of Windows, or 1Password, Bitwarden or KeePassXC in its place",
     "unix://~/.uvrelay/ssh-agent.sock", "//./pipe/openssh-ssh-agent?owner=user,system,admins", "SSH_AUTH_SOCK", ""},
    {"docker", "Docker's engine", "unix://~/.uvrelay/docker.sock", "//./pipe/docker_engine?linger=off", "DOCKER_HOST", "unix://"},
    {"gpg-agent", "gpg-agent", "unix://~/.gnupg/S.gpg-agent", "//./pipe/gpghack", NULL, ""},
};

const uvr_preset *uvr_presets(size_t *count)
{
  *count = sizeof(presets) / sizeof(presets[0]);
  return presets;
}

const uvr_preset *uvr_presets_find(const char *name, size_t length)
{
  for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
    if (strlen(presets[i].name) == length && memcmp(presets[i].name, name, length) == 0) {
      return &presets[i];
    }
  }
  return NULL;
}
