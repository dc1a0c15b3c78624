/* The calls that can fail, on Windows: see fault.h. Only what the library itself calls is failed here, by its address
 * in the table of imports: CMake reads the names from the lines that begin with WIN or UV and renames __imp_ReadFile to
 * __imp_fault_ReadFile. What libuv does by itself is libuv's.
 *
 * Not here is what only fails where its caller errs, as uv_timer_init and uv_async_init do; and CancelIoEx, which fails
 * only where there is nothing left to cancel. And nothing says that the peer has left, as that would not be so: later
 * calls would contradict. */
#include "fault.h"

#include <winsock2.h>

#include <fcntl.h>
#include <io.h>
#include <string.h>
#include <windows.h>

#include <uv.h>

/* clang-format off */
/* One that returns `failure` and sets the last error. */
#define WIN(type, name, parameters, arguments, failure, ...)                                                           \
  static type WINAPI fault_##name parameters                                                                           \
  {                                                                                                                    \
    static const fault_way ways_[] = {__VA_ARGS__};                                                                    \
    const fault_way *way_ = fault_of(#name, ways_, COUNT(ways_));                                                      \
    if (way_ != NULL) {                                                                                                \
      SetLastError((DWORD)way_->code);                                                                                 \
      return failure;                                                                                                  \
    }                                                                                                                  \
    return name arguments;                                                                                             \
  }                                                                                                                    \
  extern void *const __imp_fault_##name;                                                                               \
  void *const __imp_fault_##name = (void *)(uintptr_t)fault_##name;

/* One of libuv's, which returns its code. */
#define UV(type, name, parameters, arguments, ...)                                                                     \
  type fault_##name parameters;                                                                                        \
  type fault_##name parameters                                                                                         \
  {                                                                                                                    \
    static const fault_way ways_[] = {__VA_ARGS__};                                                                    \
    const fault_way *way_ = fault_of(#name, ways_, COUNT(ways_));                                                      \
    return way_ != NULL ? way_->code : name arguments;                                                                 \
  }

/* One with a uv_fs_t, in the state that libuv leaves it in. */
#define UV_FS(name, parameters, arguments, ...)                                                                        \
  int fault_##name parameters;                                                                                         \
  int fault_##name parameters                                                                                          \
  {                                                                                                                    \
    static const fault_way ways_[] = {__VA_ARGS__};                                                                    \
    const fault_way *way_ = fault_of(#name, ways_, COUNT(ways_));                                                      \
    if (way_ != NULL) {                                                                                                \
      memset(request, 0, sizeof(*request));                                                                            \
      request->type = UV_FS;                                                                                           \
      request->result = way_->code;                                                                                    \
      return way_->code;                                                                                               \
    }                                                                                                                  \
    return name arguments;                                                                                             \
  }

/* Named pipes. */

WIN(HANDLE, CreateFileW,
    (LPCWSTR path, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD how, DWORD flags, HANDLE template),
    (path, access, share, security, how, flags, template), INVALID_HANDLE_VALUE,
    FAILS(ERROR_FILE_NOT_FOUND), FAILS(ERROR_ACCESS_DENIED), FAILS(ERROR_NO_SYSTEM_RESOURCES), FAILS(ERROR_PIPE_BUSY))
WIN(HANDLE, CreateNamedPipeW,
    (LPCWSTR path, DWORD access, DWORD mode, DWORD most, DWORD out, DWORD in, DWORD timeout,
     LPSECURITY_ATTRIBUTES security),
    (path, access, mode, most, out, in, timeout, security), INVALID_HANDLE_VALUE,
    FAILS(ERROR_NO_SYSTEM_RESOURCES), FAILS(ERROR_ACCESS_DENIED), FAILS(ERROR_PIPE_BUSY))
WIN(BOOL, ConnectNamedPipe, (HANDLE pipe, LPOVERLAPPED overlapped), (pipe, overlapped), FALSE,
    FAILS(ERROR_NO_SYSTEM_RESOURCES), FAILS(ERROR_NOT_ENOUGH_MEMORY))
WIN(BOOL, WriteFile, (HANDLE file, LPCVOID data, DWORD size, LPDWORD written, LPOVERLAPPED overlapped),
    (file, data, size, written, overlapped), FALSE,
    FAILS(ERROR_NO_SYSTEM_RESOURCES))
WIN(BOOL, FlushFileBuffers, (HANDLE file), (file), FALSE, FAILS(ERROR_NO_SYSTEM_RESOURCES))
WIN(BOOL, SetNamedPipeHandleState, (HANDLE pipe, LPDWORD mode, LPDWORD count, LPDWORD timeout),
    (pipe, mode, count, timeout), FALSE, FAILS(ERROR_ACCESS_DENIED))
WIN(BOOL, GetNamedPipeInfo, (HANDLE pipe, LPDWORD flags, LPDWORD out, LPDWORD in, LPDWORD most),
    (pipe, flags, out, in, most), FALSE, FAILS(ERROR_ACCESS_DENIED))
WIN(BOOL, GetOverlappedResult, (HANDLE file, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait),
    (file, overlapped, bytes, wait), FALSE, FAILS(ERROR_NO_SYSTEM_RESOURCES))
WIN(BOOL, SetFileCompletionNotificationModes, (HANDLE file, UCHAR flags), (file, flags), FALSE,
    REPEATS(ERROR_INVALID_FUNCTION))

/* A short one gets one byte: of a message, the rest is read afterwards. */
static BOOL WINAPI fault_ReadFile(HANDLE file, LPVOID data, DWORD size, LPDWORD bytes, LPOVERLAPPED overlapped)
{
  static const fault_way ways[] = {SHORT_ONE, FAILS(ERROR_NO_SYSTEM_RESOURCES)};
  const fault_way *way = fault_of("ReadFile", ways, COUNT(ways));
  if (way != NULL && way->kind == FAULT_FAILS) {
    SetLastError((DWORD)way->code);
    return FALSE;
  }
  return ReadFile(file, data, way != NULL && size > 1 ? 1 : size, bytes, overlapped);
}
extern void *const __imp_fault_ReadFile;
void *const __imp_fault_ReadFile = (void *)(uintptr_t)fault_ReadFile;

/* Sockets. */

WIN(int, shutdown, (SOCKET socket, int how), (socket, how), SOCKET_ERROR, FAILS(WSAENOBUFS))

/* The port, events and threads. */

WIN(HANDLE, CreateIoCompletionPort, (HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads),
    (file, port, key, threads), NULL, FAILS(ERROR_NO_SYSTEM_RESOURCES))
WIN(HANDLE, CreateEventW, (LPSECURITY_ATTRIBUTES security, BOOL manual, BOOL state, LPCWSTR name),
    (security, manual, state, name), NULL, FAILS(ERROR_NO_SYSTEM_RESOURCES))
WIN(BOOL, DuplicateHandle,
    (HANDLE from, HANDLE handle, HANDLE to, LPHANDLE out, DWORD access, BOOL inherit, DWORD options),
    (from, handle, to, out, access, inherit, options), FALSE, FAILS(ERROR_NO_SYSTEM_RESOURCES))
WIN(BOOL, QueueUserWorkItem, (LPTHREAD_START_ROUTINE run, PVOID argument, ULONG flags), (run, argument, flags), FALSE,
    FAILS(ERROR_NOT_ENOUGH_MEMORY))

/* Who may connect. */

WIN(BOOL, OpenProcessToken, (HANDLE process, DWORD access, PHANDLE token), (process, access, token), FALSE,
    FAILS(ERROR_ACCESS_DENIED))
WIN(BOOL, GetTokenInformation, (HANDLE token, TOKEN_INFORMATION_CLASS kind, LPVOID to, DWORD size, PDWORD needed),
    (token, kind, to, size, needed), FALSE, FAILS(ERROR_NOT_ENOUGH_MEMORY))
WIN(BOOL, InitializeAcl, (PACL acl, DWORD size, DWORD revision), (acl, size, revision), FALSE,
    FAILS(ERROR_INSUFFICIENT_BUFFER))
WIN(BOOL, AddAccessAllowedAce, (PACL acl, DWORD revision, DWORD mask, PSID sid), (acl, revision, mask, sid), FALSE,
    FAILS(ERROR_ALLOTTED_SPACE_EXCEEDED))
WIN(BOOL, InitializeSecurityDescriptor, (PSECURITY_DESCRIPTOR descriptor, DWORD revision), (descriptor, revision),
    FALSE, FAILS(ERROR_UNKNOWN_REVISION))
WIN(BOOL, SetSecurityDescriptorDacl, (PSECURITY_DESCRIPTOR descriptor, BOOL present, PACL acl, BOOL defaulted),
    (descriptor, present, acl, defaulted), FALSE, FAILS(ERROR_INVALID_SECURITY_DESCR))

/* libuv. */

UV(int, uv_tcp_init, (uv_loop_t *loop, uv_tcp_t *tcp), (loop, tcp), FAILS(UV_ENOMEM))
UV(int, uv_tcp_init_ex, (uv_loop_t *loop, uv_tcp_t *tcp, unsigned flags), (loop, tcp, flags), FAILS(UV_ENOBUFS))
UV(int, uv_pipe_init, (uv_loop_t *loop, uv_pipe_t *pipe, int ipc), (loop, pipe, ipc), FAILS(UV_ENOMEM))
UV(int, uv_pipe_open, (uv_pipe_t *pipe, uv_file fd), (pipe, fd), FAILS(UV_ENOMEM))
UV(int, uv_tcp_bind, (uv_tcp_t *tcp, const struct sockaddr *to, unsigned flags), (tcp, to, flags),
   FAILS(UV_EADDRINUSE), FAILS(UV_EACCES))
UV(int, uv_listen, (uv_stream_t *stream, int backlog, uv_connection_cb cb), (stream, backlog, cb),
   FAILS(UV_EADDRINUSE), FAILS(UV_ENOBUFS))
UV(int, uv_tcp_getsockname, (const uv_tcp_t *tcp, struct sockaddr *to, int *size), (tcp, to, size), FAILS(UV_ENOBUFS))
UV(int, uv_tcp_connect, (uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *to, uv_connect_cb cb),
   (request, tcp, to, cb), FAILS(UV_EADDRNOTAVAIL), FAILS(UV_ENOBUFS))
UV(int, uv_tcp_nodelay, (uv_tcp_t *tcp, int on), (tcp, on), REPEATS(UV_ENOBUFS))
UV(int, uv_tcp_keepalive, (uv_tcp_t *tcp, int on, unsigned delay), (tcp, on, delay), REPEATS(UV_ENOBUFS))
UV(int, uv_tcp_close_reset, (uv_tcp_t *tcp, uv_close_cb cb), (tcp, cb), FAILS(UV_ENOTCONN))
UV(int, uv_read_start, (uv_stream_t *stream, uv_alloc_cb on_alloc, uv_read_cb on_read), (stream, on_alloc, on_read),
   FAILS(UV_ENOBUFS))
UV(int, uv_try_write, (uv_stream_t *stream, const uv_buf_t bufs[], unsigned count), (stream, bufs, count),
   REPEATS(UV_EAGAIN), FAILS(UV_ENOBUFS))
UV(int, uv_write, (uv_write_t *request, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count, uv_write_cb cb),
   (request, stream, bufs, count, cb), FAILS(UV_ENOBUFS))
UV(int, uv_mutex_init, (uv_mutex_t *mutex), (mutex), FAILS(UV_ENOMEM))
/* The client is lost then, as in libuv. */
int fault_uv_accept(uv_stream_t *server, uv_stream_t *client);
int fault_uv_accept(uv_stream_t *server, uv_stream_t *client)
{
  static const fault_way ways[] = {FAILS(UV_ENOBUFS)};
  const fault_way *way = fault_of("uv_accept", ways, COUNT(ways));
  int code = uv_accept(server, client);
  return way != NULL ? way->code : code;
}

UV_FS(uv_fs_open, (uv_loop_t *loop, uv_fs_t *request, const char *path, int flags, int mode, uv_fs_cb cb),
   (loop, request, path, flags, mode, cb), FAILS(UV_EMFILE), FAILS(UV_EACCES))
UV_FS(uv_fs_stat, (uv_loop_t *loop, uv_fs_t *request, const char *path, uv_fs_cb cb), (loop, request, path, cb),
   FAILS(UV_EACCES))
UV_FS(uv_fs_read,
   (uv_loop_t *loop, uv_fs_t *request, uv_file fd, const uv_buf_t bufs[], unsigned count, int64_t offset, uv_fs_cb cb),
   (loop, request, fd, bufs, count, offset, cb), FAILS(UV_EIO))
UV_FS(uv_fs_write,
   (uv_loop_t *loop, uv_fs_t *request, uv_file fd, const uv_buf_t bufs[], unsigned count, int64_t offset, uv_fs_cb cb),
   (loop, request, fd, bufs, count, offset, cb), FAILS(UV_ENOSPC))
/* clang-format on */
