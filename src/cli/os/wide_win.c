/* Text for Windows: see wide_win.h. */
#include "cli/os/wide_win.h"

#include <stdlib.h>

#include <windows.h>

wchar_t *uvr_to_wide(const char *text)
{
  int size = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
  wchar_t *wide = size > 0 ? malloc((size_t)size * sizeof(*wide)) : NULL;
  if (wide != NULL) {
    (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, size);
  }
  return wide;
}

char *uvr_to_utf8(const wchar_t *wide)
{
  int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  char *text = size > 0 ? malloc((size_t)size) : NULL;
  if (text != NULL) {
    (void)WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
  }
  return text;
}
