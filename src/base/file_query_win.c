/* Native queries: see file_query_win.h. */
#include "base/file_query_win.h"

#include <winternl.h>

/* FileModeInformation, FilePipeLocalInformation and their structs, from the driver kit, which may not be installed. */
#define FILE_MODE_INFORMATION_CLASS       ((FILE_INFORMATION_CLASS)16)
#define FILE_PIPE_LOCAL_INFORMATION_CLASS ((FILE_INFORMATION_CLASS)24)
#define MODE_SYNCHRONOUS                  (0x10UL | 0x20UL) /* FILE_SYNCHRONOUS_IO_ALERT, _NONALERT */
#define PIPE_CLOSING                      4UL               /* FILE_PIPE_CLOSING_STATE */
#define PIPE_FULL_DUPLEX                  2UL               /* FILE_PIPE_FULL_DUPLEX */

typedef struct file_mode_information {
  ULONG mode;
} file_mode_information;

typedef struct file_pipe_local_information {
  ULONG type;
  ULONG configuration;
  ULONG maximum_instances;
  ULONG current_instances;
  ULONG inbound_quota;
  ULONG read_data_available;
  ULONG outbound_quota;
  ULONG write_quota_available;
  ULONG state;
  ULONG end;
} file_pipe_local_information;

typedef NTSTATUS(NTAPI *query_information_file)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, FILE_INFORMATION_CLASS);

static bool query(HANDLE handle, FILE_INFORMATION_CLASS class, void *out, ULONG size)
{
  /* By its name, as not every toolchain has an import library for it. */
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  FARPROC found = ntdll == NULL ? NULL : GetProcAddress(ntdll, "NtQueryInformationFile");
  if (found == NULL) {
    return false;
  }
  query_information_file call = (query_information_file)(void (*)(void))found;
  IO_STATUS_BLOCK status;
  return call(handle, &status, out, size, class) >= 0;
}

bool uvr_file_is_overlapped(HANDLE file)
{
  file_mode_information info;
  return query(file, FILE_MODE_INFORMATION_CLASS, &info, sizeof(info)) && (info.mode & MODE_SYNCHRONOUS) == 0;
}

bool uvr_pipe_is_closing(HANDLE pipe)
{
  file_pipe_local_information info;
  return query(pipe, FILE_PIPE_LOCAL_INFORMATION_CLASS, &info, sizeof(info)) && info.state == PIPE_CLOSING;
}

bool uvr_pipe_is_one_way(HANDLE pipe)
{
  file_pipe_local_information info;
  return query(pipe, FILE_PIPE_LOCAL_INFORMATION_CLASS, &info, sizeof(info)) && info.configuration != PIPE_FULL_DUPLEX;
}
