/* Presets on Windows: see presets.h. Most presets lead from WSL to programs of Windows, and so are in presets_unix.c.
 * The other way round, only Docker's socket is in a place that is known beforehand, and its clients, which learn from a
 * variable where the engine is, signal the end of their input by an empty message. */
#include "cli/input/presets.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

static const uvr_preset presets[] = {
    {"docker", "the Docker engine in WSL, for Docker clients on Windows", "//./pipe/docker_wsl?mode=message",
     "via:unix:///run/docker.sock?owner=root", "DOCKER_HOST", "npipe://"},
};

const uvr_preset *uvr_presets_here(size_t *count, const char *const **others)
{
  static const char *const names[] = {"ssh-agent", "gpg-agent", "gpg-ssh", "pageant", NULL};
  *others = names;
  *count = sizeof(presets) / sizeof(presets[0]);
  return presets;
}

int uvr_preset_find_listen(const uvr_preset *self, char out[UVR_PRESET_LISTEN_SIZE], uvrelay_error_t *error)
{
  *out = '\0';
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                       "the preset @%s has no listener on Windows: write "
                       "LISTEN=@%s",
                       self->name, self->name);
}
