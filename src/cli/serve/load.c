/* Reading the configuration: see load.h. */
#include "cli/serve/load.h"

#include <stdlib.h>

#include <uv.h>

#include "address/expand.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/input/file.h"

static int add_file(uvr_config *config, const char *name, uvr_place *place, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char *text = NULL;
  size_t length = 0;
  const uvr_expander expander = {.home = uv_os_homedir, .bare_path = true};
  char path[UVR_EXPANDED_SIZE];
  size_t wrong = 0;
  int code = uvr_expand(&expander, name, path, &wrong, error);
  if (code != 0) {
    return code;
  }
  code = uvr_file_read(path, &text, &length);
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot read the file %s: %s",
                                uvr_quote(quoted, name), uv_strerror(code));
  }
  code = uvr_config_add_file(config, name, text, length, place, error);
  free(text);
  return code;
}

int uvr_serve_load(uvr_serve_options *options, uvr_config *config, uvr_place *place, uvrelay_error_t *error)
{
  int code = 0;
  *place = (uvr_place){.file = NULL};
  config->options.size = sizeof(config->options);
  uvr_serve_options_apply(options, &config->options);
  for (unsigned i = 0; code == 0 && i < options->config_count; i++) {
    code = add_file(config, options->configs[i], place, error);
  }
  if (code == 0) {
    *place = (uvr_place){.file = NULL};
  }
  for (int i = 0; code == 0 && i < options->route_count; i++) {
    code = uvr_config_add_route(config, options->routes[i], error);
  }
  code = code == 0 ? uvr_config_check(config, place, error) : code;
  if (code == 0 && config->count == 0) {
    *place = (uvr_place){.file = NULL};
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "no route is given: %s has none",
                         options->config_count == 1 ? "the file" : "no file");
  }
  return code;
}
