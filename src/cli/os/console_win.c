/* Hiding the console window: see console.h.
 *
 * Only a window that no other process uses may be hidden: from a shell, or through WSL, it is the user's. A terminal
 * such as Windows Terminal shows the consoles of several programs in tabs of one window; the window that Windows gives
 * for such a console never shows itself, and hiding it minimises all of the terminal, even if we are alone in our
 * tab. */
#include "cli/os/console.h"

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include <windows.h>

static bool is_terminals(HWND window)
{
  WCHAR name[32] = L"";
  return GetClassNameW(window, name, sizeof(name) / sizeof(name[0])) > 0 && wcscmp(name, L"PseudoConsoleWindow") == 0;
}

const char *uvr_console_hide(void)
{
  DWORD process;
  DWORD processes = GetConsoleProcessList(&process, 1);
  HWND window = GetConsoleWindow();
  if (processes == 0 || window == NULL) {
    return "there is no console window to hide";
  }
  if (processes > 1) {
    return "the console window is not hidden, because other programs use it, too";
  }
  if (is_terminals(window)) {
    return "the window is not hidden, because it belongs to a terminal, which may have other tabs: for a window that "
           "can be hidden, start the program with conhost.exe";
  }
  (void)ShowWindow(window, SW_HIDE);
  return NULL;
}
