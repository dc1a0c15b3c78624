/* Windows has no service manager that wants to know: see manager.h. */
#include "cli/serve/manager.h"

int uvr_manager_ready(uvr_server *server)
{
  (void)server;
  return 0;
}

void uvr_manager_changed(uvr_server *server)
{
  (void)server;
}

void uvr_manager_stopping(uvr_server *server, size_t open)
{
  (void)server;
  (void)open;
}

void uvr_manager_close(uvr_server *server)
{
  (void)server;
}
