/* Counts the handles that processes have open.
 *
 *   handles NAME...
 *
 * NAME is a program's file name, such as uvrelay.exe. Prints a line "NAME PROCESS COUNT" for each process of that name.
 * (Wine's GetProcessHandleCount always gives 0, so all handles of the system are listed and counted.) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <tlhelp32.h>

enum { EXTENDED_HANDLES = 64 };

typedef struct handle_entry {
  void *object;
  ULONG_PTR process;
  ULONG_PTR value;
  ULONG access;
  USHORT trace;
  USHORT type;
  ULONG attributes;
  ULONG reserved;
} handle_entry;

typedef struct handle_list {
  ULONG_PTR count;
  ULONG_PTR reserved;
  handle_entry entries[];
} handle_list;

typedef LONG(WINAPI *query_fn)(int, void *, ULONG, ULONG *);

static handle_list *all_handles(void)
{
  union {
    FARPROC any;
    query_fn query;
  } call;
  call.any = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");
  handle_list *list = NULL;
  for (ULONG size = 1 << 16; size <= 1u << 26; size *= 2) {
    free(list);
    list = malloc(size);
    ULONG used = 0;
    if (list != NULL && call.query(EXTENDED_HANDLES, list, size, &used) >= 0)
      return list;
  }
  free(list);
  return NULL;
}

int main(int argc, char **argv)
{
  handle_list *list = all_handles();
  HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
  PROCESSENTRY32 process = {.dwSize = sizeof process};
  if (list == NULL || snapshot == INVALID_HANDLE_VALUE) {
    fprintf(stderr, "handles: the system does not list its handles\n");
    return 1;
  }
  for (BOOL more = Process32First(snapshot, &process); more; more = Process32Next(snapshot, &process)) {
    for (int i = 1; i < argc; i++) {
      if (_stricmp(process.szExeFile, argv[i]) == 0) {
        unsigned count = 0;
        for (ULONG_PTR n = 0; n < list->count; n++)
          count += list->entries[n].process == process.th32ProcessID;
        printf("%s %lu %u\n", argv[i], process.th32ProcessID, count);
      }
    }
  }
  CloseHandle(snapshot);
  free(list);
  return 0;
}
