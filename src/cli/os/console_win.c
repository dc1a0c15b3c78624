/* Hiding the console window: see console.h. */
#include "cli/os/console.h"

#include <stddef.h>

#include <windows.h>

const char *uvr_console_hide(void)
{
  HWND window = GetConsoleWindow();
  if (window == NULL) {
    return "this process has no console window to hide";
  }
  (void)ShowWindow(window, SW_HIDE);
  return NULL;
}
