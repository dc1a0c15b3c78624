/* Native queries: see file_query_win.h. */
#include "base/file_query_win.h"

#include <winternl.h>

/* FileAccessInformation, FileModeInformation, FilePipeLocalInformation and their structs, from the driver kit, which
 * may not be installed. */
#define FILE_ACCESS_INFORMATION_CLASS     ((FILE_INFORMATION_CLASS)8)
#define FILE_MODE_INFORMATION_CLASS       ((FILE_INFORMATION_CLASS)16)
#define FILE_PIPE_LOCAL_INFORMATION_CLASS ((FILE_INFORMATION_CLASS)24)
#define MODE_SYNCHRONOUS                  (0x10UL | 0x20UL)       /* FILE_SYNCHRONOUS_IO_ALERT, _NONALERT */
#define PIPE_DISCONNECTED                 1UL                     /* FILE_PIPE_DISCONNECTED_STATE */
#define PIPE_CLOSING                      4UL                     /* FILE_PIPE_CLOSING_STATE */
#define PIPE_INBOUND                      0UL                     /* FILE_PIPE_INBOUND: to the server */
#define PIPE_OUTBOUND                     1UL                     /* FILE_PIPE_OUTBOUND */
#define PIPE_FULL_DUPLEX                  2UL                     /* FILE_PIPE_FULL_DUPLEX */
#define PIPE_SERVER                       1UL                     /* FILE_PIPE_SERVER_END */
#define STATUS_IS_DISCONNECTED            ((NTSTATUS)0xC00000B0L) /* STATUS_PIPE_DISCONNECTED */
#define STATUS_IS_BROKEN                  ((NTSTATUS)0xC000014BL) /* STATUS_PIPE_BROKEN */

typedef struct file_access_information {
  ACCESS_MASK rights;
} file_access_information;

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

static NTSTATUS query_status(HANDLE handle, FILE_INFORMATION_CLASS class, void *out, ULONG size)
{
  /* By its name, as not every toolchain has an import library for it. */
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  FARPROC found = ntdll == NULL ? NULL : GetProcAddress(ntdll, "NtQueryInformationFile");
  if (found == NULL) {
    return -1;
  }
  query_information_file call = (query_information_file)(void (*)(void))found;
  IO_STATUS_BLOCK status;
  return call(handle, &status, out, size, class);
}

static bool query(HANDLE handle, FILE_INFORMATION_CLASS class, void *out, ULONG size)
{
  return query_status(handle, class, out, size) >= 0;
}

bool uvr_file_is_overlapped(HANDLE file)
{
  file_mode_information info;
  return query(file, FILE_MODE_INFORMATION_CLASS, &info, sizeof(info)) && (info.mode & MODE_SYNCHRONOUS) == 0;
}

typedef BOOL(WINAPI *compare_handles)(HANDLE, HANDLE);

bool uvr_file_is_same(HANDLE one, HANDLE other)
{
  /* Since Windows 10. */
  HMODULE base = GetModuleHandleW(L"kernelbase.dll");
  FARPROC found = base == NULL ? NULL : GetProcAddress(base, "CompareObjectHandles");
  compare_handles call = found == NULL ? NULL : (compare_handles)(void (*)(void))found;
  return one == other || (call != NULL && call(one, other));
}

bool uvr_pipe_is_over(HANDLE pipe)
{
  file_pipe_local_information info;
  NTSTATUS status = query_status(pipe, FILE_PIPE_LOCAL_INFORMATION_CLASS, &info, sizeof(info));
  return status >= 0 ? info.state == PIPE_CLOSING || info.state == PIPE_DISCONNECTED
                     : status == STATUS_IS_DISCONNECTED || status == STATUS_IS_BROKEN;
}

uvr_pipe_ways uvr_pipe_ways_of(HANDLE pipe)
{
  file_pipe_local_information info;
  if (!query(pipe, FILE_PIPE_LOCAL_INFORMATION_CLASS, &info, sizeof(info)) || info.configuration > PIPE_FULL_DUPLEX) {
    return (uvr_pipe_ways){.in = true, .out = true};
  }
  bool to_server = info.configuration != PIPE_OUTBOUND;
  bool from_server = info.configuration != PIPE_INBOUND;
  return info.end == PIPE_SERVER ? (uvr_pipe_ways){.known = true, .in = to_server, .out = from_server}
                                 : (uvr_pipe_ways){.known = true, .in = from_server, .out = to_server};
}

DWORD uvr_file_rights(HANDLE file, DWORD wanted)
{
  file_access_information info;
  return query(file, FILE_ACCESS_INFORMATION_CLASS, &info, sizeof(info)) ? info.rights & wanted : wanted;
}
