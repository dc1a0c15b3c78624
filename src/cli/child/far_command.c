/* The far end's command: see far_command.h. */
#include "cli/child/far_command.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/check_program.h"
#include "cli/child/find_program.h"
#include "cli/child/wsl.h"

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

static int find_in_windows(const uvr_wsl *wsl, uvr_command *out, uvrelay_error_t *error)
{
  char *file = NULL;
  int code = uvr_wsl_find_far_end(wsl, &file, error);
  if (code == 0) {
    code = uvr_command_make(out, file, (const char *const[]){"uvrelay.exe", "mux", NULL}, error);
  }
  code = code == 0 ? uvr_program_check(file, file, error) : code;
  free(file);
  return code == 0 ? 0 : 1;
}

static int refuse(const uvr_config_route *route, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  if (route == NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "--eager starts a far end: name its command by --via=COMMAND");
  } else if (route->why_far == NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "%s goes through a far end: name its command by --via=COMMAND",
                        uvr_quote(quoted, route->target));
  } else {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "cannot connect to %s: %s, or give --via=COMMAND, which starts uvrelay mux there",
                        uvr_quote(quoted, route->target), route->why_far);
  }
  return 2;
}

int uvr_far_command_find(const char *line, const uvr_config_route *route, uvr_command *out, const char **shown,
                         uvrelay_error_t *error)
{
  uvr_wsl wsl;
  *shown = line;
  if (line != NULL) {
    return find_given(line, out, error);
  }
  *shown = "uvrelay.exe mux";
  uvr_wsl_init(&wsl);
  return uvr_wsl_is(&wsl) ? find_in_windows(&wsl, out, error) : refuse(route, error);
}
