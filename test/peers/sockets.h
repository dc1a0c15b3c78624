/* Sockets as standard handles: pairs of connected TCP sockets, and sockets that are no connection. Plain Win32, and
 * none of the project's code. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <winsock2.h>

#include <string.h>
#include <ws2tcpip.h>

static inline int sockets_start(void)
{
  WSADATA data;
  return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

static inline SOCKET sockets_make(int type, int overlapped)
{
  return WSASocketW(AF_INET, type, 0, NULL, 0, overlapped ? WSA_FLAG_OVERLAPPED : 0);
}

/* Binds it to a port of the loopback interface that the system chooses. */
static inline int sockets_bind(SOCKET made, struct sockaddr_in *address)
{
  int length = sizeof *address;
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(made, (struct sockaddr *)address, length) == 0 &&
         getsockname(made, (struct sockaddr *)address, &length) == 0;
}

static inline int sockets_connect(SOCKET listener, SOCKET theirs, SOCKET *ours)
{
  struct sockaddr_in address;
  if (!sockets_bind(listener, &address) || listen(listener, 1) != 0 ||
      connect(theirs, (struct sockaddr *)&address, sizeof address) != 0)
    return 0;
  *ours = accept(listener, NULL, NULL);
  return *ours != INVALID_SOCKET;
}

/* A connection: the child's end, overlapped or not, and ours. */
static inline int sockets_pair(int overlapped, HANDLE *childs, HANDLE *ours)
{
  SOCKET listener = sockets_make(SOCK_STREAM, 1);
  SOCKET theirs = sockets_make(SOCK_STREAM, overlapped);
  SOCKET accepted = INVALID_SOCKET;
  int fine = listener != INVALID_SOCKET && theirs != INVALID_SOCKET && sockets_connect(listener, theirs, &accepted);
  if (listener != INVALID_SOCKET)
    closesocket(listener);
  *childs = (HANDLE)theirs;
  *ours = (HANDLE)accepted;
  return fine;
}

/* One that is no connection: WHAT is listening, unconnected or datagram. */
static inline int sockets_lone(const char *what, HANDLE *childs)
{
  struct sockaddr_in address;
  SOCKET made = sockets_make(strcmp(what, "datagram") == 0 ? SOCK_DGRAM : SOCK_STREAM, 1);
  *childs = (HANDLE)made;
  return made != INVALID_SOCKET && (strcmp(what, "unconnected") == 0 || sockets_bind(made, &address)) &&
         (strcmp(what, "listening") != 0 || listen(made, 1) == 0);
}

static inline int sockets_is_one(HANDLE handle)
{
  int type, length = sizeof type;
  return getsockopt((SOCKET)handle, SOL_SOCKET, SO_TYPE, (char *)&type, &length) == 0;
}

/* Reads as ReadFile does, from a pipe or our end of a connection; ERROR_HANDLE_EOF at the end of the latter. Returns 0
 * or an error. */
static inline DWORD sockets_or_pipe_read(HANDLE from, void *data, DWORD room, DWORD *got)
{
  *got = 0;
  if (!sockets_is_one(from))
    return ReadFile(from, data, room, got, NULL) ? 0 : GetLastError();
  int count = recv((SOCKET)from, data, (int)room, 0);
  *got = count > 0 ? (DWORD)count : 0;
  return count > 0 ? 0 : count == 0 ? ERROR_HANDLE_EOF : (DWORD)WSAGetLastError();
}

static inline DWORD sockets_or_pipe_write(HANDLE to, const void *data, DWORD length, DWORD *written)
{
  *written = 0;
  if (!sockets_is_one(to))
    return WriteFile(to, data, length, written, NULL) ? 0 : GetLastError();
  int count = send((SOCKET)to, data, (int)length, 0);
  *written = count > 0 ? (DWORD)count : 0;
  return count >= 0 ? 0 : (DWORD)WSAGetLastError();
}

/* Closes our end with a reset. */
static inline int sockets_reset(HANDLE ours)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  return setsockopt((SOCKET)ours, SOL_SOCKET, SO_LINGER, (const char *)&now, sizeof now) == 0 &&
         closesocket((SOCKET)ours) == 0;
}

#endif
