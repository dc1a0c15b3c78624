/* The far end of serve: see far_end.h. */
#include "cli/serve/far_end.h"

#include "cli/child/far_command.h"
#include "cli/serve/manager.h"
#include "cli/serve/routes.h"

int uvr_far_end_find(uvr_server *server, const uvr_serve_options *options, const uvr_config *config, uvr_place *place,
                     uvrelay_error_t *error)
{
  const uvr_config_route *first = uvr_config_first_far(config);
  *place = (uvr_place){.file = NULL};
  if (server->command.argc > 0 || (options->via == NULL && !options->eager && first == NULL)) {
    return 0;
  }
  int status = uvr_far_command_find(options->via, first, &server->command, &server->command_line, error);
  if (status != 0) {
    uvr_command_clear(&server->command);
  }
  if (status != 0 && (options->via != NULL || first != NULL)) {
    *place = options->via != NULL ? config->via_place : first->place;
  }
  return status;
}

static void on_change(void *user)
{
  uvr_manager_changed(user);
}

int uvr_far_end_make(uvr_server *server, const uvr_serve_options *options, uvrelay_error_t *error)
{
  const uvr_supervisor_options with = {.command = &server->command,
                                       .line = server->command_line,
                                       .report = &server->log.report,
                                       .eager = options->eager,
                                       .window_total = options->window_total,
                                       .on_change = on_change,
                                       .count_received = uvr_routes_count_received,
                                       .user = server};
  if (server->command.argc == 0 || (server->supervised && !server->spare)) {
    return 0;
  }
  if (server->supervised) {
    uvr_supervisor_set_options(&server->supervisor, &with);
    return 0;
  }
  int code = uvr_supervisor_init(&server->supervisor, server->relay, &with);
  if (code != 0) {
    *error = *uvrelay_error(server->relay);
    return code;
  }
  (void)uv_os_setenv("WSL_UTF8", "1"); /* without it wsl.exe writes UTF-16 */
  server->supervised = true;
  return 0;
}
