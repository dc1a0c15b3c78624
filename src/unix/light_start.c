/* On Unix libuv starts quickly enough: see light_start.h. */
#include "../light_start.h"

void uvr_light_start(bool sockets)
{
  (void)sockets;
}
