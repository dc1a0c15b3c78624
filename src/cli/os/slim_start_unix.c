/* On Unix libuv starts quickly enough: see slim_start.h. */
#include "cli/os/slim_start.h"

void uvr_slim_start(bool sockets)
{
  (void)sockets;
}
