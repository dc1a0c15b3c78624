/* The far end's command: see far_command.h. */
#include "cli/child/far_command.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/check_program.h"
#include "cli/child/far_default.h"
#include "cli/child/find_program.h"

static int find_given(const char *line, uvr_command *out, uvrelay_error_t *error)
{
  uvrelay_error_t why;
  char quoted[UVR_QUOTED_SIZE];
  int code = uvr_command_split(out, line, uvr_backslash_quotes(), &why);
  if (code == UV_EINVAL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, code, "bad value %s for --via: %s", uvr_quote(quoted, line),
                        why.text);
    return 2;
  }
  if (code != 0) {
    *error = why;
    return 1;
  }
  code = uvr_command_find(out, NULL, error);
  if (code == UV_ENOENT) {
    (void)uvr_program_is_foreign_path(line, error);
  }
  code = code == 0 ? uvr_program_check(out->argv[0], out->file, error) : code;
  code = code == 0 ? uvr_program_check_words(out->file, out->argv, error) : code;
  return code == 0 ? 0 : 1;
}

/* `why` is why the far end is not here that would be the default; NULL: none would be. */
static int refuse(const uvr_config_route *route, const char *why, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *colon = why != NULL ? ": " : "";
  why = why != NULL ? why : "";
  if (route == NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "--eager starts a far end%s%s: set its command with --via=COMMAND", colon, why);
  } else if (route->why_far == NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "%s goes through a far end%s%s: set its command with --via=COMMAND",
                        uvr_quote(quoted, route->target), colon, why);
  } else {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "cannot connect to %s: %s, or use --via=COMMAND, which starts uvrelay mux there%s%s",
                        uvr_quote(quoted, route->target), route->why_far, colon, why);
  }
  return 2;
}

int uvr_far_command_find(const char *line, const uvr_config_route *route, uvr_command *out, const char **shown,
                         uvrelay_error_t *error)
{
  const char *why = NULL;
  *shown = line;
  if (line != NULL) {
    return find_given(line, out, error);
  }
  switch (uvr_far_default_find(out, shown, &why, error)) {
  case UVR_FAR_DEFAULT_FOUND:
    return 0;
  case UVR_FAR_DEFAULT_FAILED:
    return 1;
  case UVR_FAR_DEFAULT_NONE:
    break;
  }
  return refuse(route, why, error);
}
