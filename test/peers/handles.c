/* Counts the handles that processes have open.
 *
 *   handles NAME...
 *
 * NAME is a program's file name, such as uvrelay.exe. Prints a line "NAME PROCESS COUNT" for each process of that name.
 * Each handle that can be duplicated counts: Wine's GetProcessHandleCount always gives 0, and to ask for the list of
 * all handles of the system can end Wine's server. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <windows.h>

#include <tlhelp32.h>

enum { FIRST = 4, STEP = 4, MISSES_MAX = 1024 }; /* a new handle gets the lowest value that is free */

static unsigned count_handles(HANDLE process)
{
  unsigned count = 0;
  unsigned misses = 0;
  for (uintptr_t value = FIRST; misses < MISSES_MAX; value += STEP) {
    HANDLE copy;
    if (DuplicateHandle(process, (HANDLE)value, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
      CloseHandle(copy);
      count++;
      misses = 0;
    } else {
      misses++;
    }
  }
  return count;
}

int main(int argc, char **argv)
{
  HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
  PROCESSENTRY32 entry = {.dwSize = sizeof entry};
  if (snapshot == INVALID_HANDLE_VALUE) {
    fprintf(stderr, "handles: the system does not list its processes\n");
    return 1;
  }
  for (BOOL more = Process32First(snapshot, &entry); more; more = Process32Next(snapshot, &entry)) {
    for (int i = 1; i < argc; i++) {
      HANDLE process =
          _stricmp(entry.szExeFile, argv[i]) == 0 ? OpenProcess(PROCESS_DUP_HANDLE, FALSE, entry.th32ProcessID) : NULL;
      if (process != NULL) {
        printf("%s %lu %u\n", argv[i], entry.th32ProcessID, count_handles(process));
        CloseHandle(process);
      }
    }
  }
  CloseHandle(snapshot);
  return 0;
}
