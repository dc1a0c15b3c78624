/* There are no console windows on Unix: see console.h. */
#include "cli/os/console.h"

const char *uvr_console_hide(void)
{
  return "there is no console window to hide: only Windows has them";
}
