/* Sockets among the standard handles: see handle_socket_win.h. */
#include "stream/handle_socket_win.h"

#include <ws2tcpip.h>

#include <windows.h>

#include "base/file_query_win.h"

bool uvr_handle_may_be_socket(HANDLE handle)
{
  const DWORD both = FILE_READ_DATA | FILE_WRITE_DATA; /* Winsock opens each socket with both rights */
  return GetFileType(handle) == FILE_TYPE_PIPE && uvr_file_rights(handle, both) == both &&
         !GetNamedPipeInfo(handle, NULL, NULL, NULL, NULL) && GetLastError() != ERROR_ACCESS_DENIED;
}

/* Returns 0 if the socket does not have the option. */
static int option_of(SOCKET socket, int option)
{
  int value = 0;
  int length = sizeof(value);
  return getsockopt(socket, SOL_SOCKET, option, (char *)&value, &length) == 0 ? value : 0;
}

static const char *why_unfit(SOCKET socket)
{
  struct sockaddr_storage address;
  int length = sizeof(address);
  if (option_of(socket, SO_TYPE) != SOCK_STREAM) {
    return "a datagram socket, not a byte stream";
  }
  if (option_of(socket, SO_ACCEPTCONN) != 0) {
    return "a listening socket, not a connection";
  }
  return getpeername(socket, (struct sockaddr *)&address, &length) != 0 ? "a socket that is not connected" : NULL;
}

/* The way to duplicate a socket that Winsock documents. It makes Winsock know the handle that it is given, and so gets
 * a plain duplicate, which is closed again. */
static SOCKET duplicate(HANDLE handle)
{
  HANDLE self = GetCurrentProcess();
  HANDLE plain;
  WSAPROTOCOL_INFOW info;
  if (!DuplicateHandle(self, handle, self, &plain, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return INVALID_SOCKET;
  }
  SOCKET socket = INVALID_SOCKET;
  if (WSADuplicateSocketW((SOCKET)plain, GetCurrentProcessId(), &info) == 0) {
    socket = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
  }
  if (closesocket((SOCKET)plain) != 0) { /* it is not a socket; Wine says so of inherited ones, too */
    (void)CloseHandle(plain);
  }
  return socket;
}

bool uvr_handle_socket_open(HANDLE handle, uvr_handle_socket *out)
{
  SOCKET socket = uvr_handle_may_be_socket(handle) ? duplicate(handle) : INVALID_SOCKET;
  if (socket == INVALID_SOCKET) {
    return false;
  }
  struct sockaddr_storage address;
  int length = sizeof(address);
  bool is_ip = getsockname(socket, (struct sockaddr *)&address, &length) == 0 &&
               (address.ss_family == AF_INET || address.ss_family == AF_INET6);
  *out = (uvr_handle_socket){.socket = socket, .unfit = why_unfit(socket), .is_tcp = is_ip};
  return true;
}
