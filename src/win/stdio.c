/* Standard handles on Windows: see stdio_system.h. */
#include "../stdio_system.h"

#include <io.h>
#include <windows.h>
#include <winternl.h>

/* From the driver kit's headers, which may be absent: FileModeInformation, FilePipeLocalInformation and their
 * contents. */
#define FILE_MODE_INFORMATION_CLASS       ((FILE_INFORMATION_CLASS)16)
#define FILE_PIPE_LOCAL_INFORMATION_CLASS ((FILE_INFORMATION_CLASS)24)
#define MODE_SYNCHRONOUS                  (0x10UL | 0x20UL) /* FILE_SYNCHRONOUS_IO_ALERT, _NONALERT */
#define PIPE_CLOSING                      4UL               /* FILE_PIPE_CLOSING_STATE */

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
  /* Asked of ntdll by name, as no import library that every toolchain has offers it. */
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  FARPROC found = ntdll == NULL ? NULL : GetProcAddress(ntdll, "NtQueryInformationFile");
  if (found == NULL) {
    return false;
  }
  query_information_file call = (query_information_file)(void (*)(void))found;
  IO_STATUS_BLOCK status;
  return call(handle, &status, out, size, class) >= 0;
}

static HANDLE handle_of(uv_file fd)
{
  return (HANDLE)_get_osfhandle(fd);
}

static bool is_open(HANDLE handle)
{
  /* -2 is what the C library says of a standard stream that the process was not given. */
  return handle != INVALID_HANDLE_VALUE && handle != NULL && handle != (HANDLE)(intptr_t)-2;
}

uvr_stdio_kind uvr_stdio_kind_of(uv_file fd)
{
  HANDLE handle = handle_of(fd);
  if (!is_open(handle)) {
    return UVR_STDIO_CLOSED;
  }
  file_mode_information mode;
  bool overlapped = GetFileType(handle) == FILE_TYPE_PIPE &&
                    query(handle, FILE_MODE_INFORMATION_CLASS, &mode, sizeof(mode)) &&
                    (mode.mode & MODE_SYNCHRONOUS) == 0;
  return overlapped ? UVR_STDIO_PIPE : UVR_STDIO_BLOCKING;
}

int uvr_stdio_state(uv_file fd)
{
  (void)fd;
  return -1;
}

void uvr_stdio_restore(uv_file fd, int state)
{
  (void)fd;
  (void)state;
}

bool uvr_stdio_reader_gone(uv_file fd)
{
  file_pipe_local_information info;
  return query(handle_of(fd), FILE_PIPE_LOCAL_INFORMATION_CLASS, &info, sizeof(info)) && info.state == PIPE_CLOSING;
}

void uvr_stdio_close(uv_file fd)
{
  (void)_close(fd);
}

uv_file uvr_stdio_take(uv_file fd)
{
  return fd;
}
