/* Presets: see presets.h. */
#include "cli/input/presets.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/expand.h"
#include "base/error.h"
#include "base/near_word.h"
#include "base/text.h"

_Static_assert(UVR_PRESET_LISTEN_SIZE == UVR_EXPANDED_SIZE, "what is expanded must fit");

const uvr_preset *uvr_presets(size_t *count)
{
  const char *const *others;
  return uvr_presets_here(count, &others);
}

const uvr_preset *uvr_presets_find(const char *name, size_t length)
{
  size_t count;
  const uvr_preset *presets = uvr_presets(&count);
  for (size_t i = 0; i < count; i++) {
    if (strlen(presets[i].name) == length && memcmp(presets[i].name, name, length) == 0) {
      return &presets[i];
    }
  }
  return NULL;
}

const char *uvr_presets_near(const char *name, size_t length)
{
  size_t count;
  const uvr_preset *presets = uvr_presets(&count);
  const char *found = NULL;
  unsigned least = UVR_NEAR_NOT;
  for (size_t i = 0; i < count; i++) {
    unsigned changes = uvr_near_word(name, length, presets[i].name);
    if (changes < least) {
      least = changes;
      found = presets[i].name;
    }
  }
  return found;
}

int uvr_presets_refuse(const char *name, size_t length, uvrelay_error_t *error)
{
  char text[64];
  char quoted[UVR_QUOTED_SIZE];
  char names[UVRELAY_ERROR_TEXT_SIZE / 2] = "";
  const char *const *others;
  size_t count;
  size_t used = 0;
  const uvr_preset *presets = uvr_presets_here(&count, &others);
  (void)snprintf(text, sizeof(text), "@%.*s", (int)(length < sizeof(text) ? length : sizeof(text)), name);
  uvr_utf8_trim(text);
  uvr_quote(quoted, text);
  for (; *others != NULL; others++) {
    if (strlen(*others) == length && memcmp(*others, name, length) == 0) {
      return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                           "the preset %s leads from WSL to Windows: run uvrelay serve in WSL; for the other "
                           "direction, uvrelay presets lists what there is",
                           quoted);
    }
  }
  const char *meant = uvr_presets_near(name, length);
  if (meant != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "there is no preset %s: did you mean @%s?", quoted,
                         meant);
  }
  for (size_t i = 0; i < count && used < sizeof(names); i++) {
    const char *joint = i == 0 ? "" : i + 1 == count ? " and " : ", ";
    used += (size_t)snprintf(names + used, sizeof(names) - used, "%s@%s", joint, presets[i].name);
  }
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                       "there is no preset %s: the presets are %s; uvrelay presets describes them", quoted, names);
}

int uvr_preset_listen(const uvr_preset *self, char out[UVR_PRESET_LISTEN_SIZE], uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir};
  size_t wrong = 0;
  return self->listen == NULL ? uvr_preset_find_listen(self, out, error)
                              : uvr_expand(&expander, self->listen, out, &wrong, error);
}
