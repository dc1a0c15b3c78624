/* Sockets among the standard handles of Windows. What the parent has handed over is an ordinary handle; Winsock is
 * asked about a duplicate of it, so that what it remembers of the handle's number is forgotten when the duplicate is
 * closed as a socket. */
#ifndef UVR_STREAM_HANDLE_SOCKET_WIN_H
#define UVR_STREAM_HANDLE_SOCKET_WIN_H

#include <winsock2.h>

#include <stdbool.h>

typedef struct uvr_handle_socket {
  SOCKET socket;     /* a duplicate, to be closed by closesocket() */
  const char *unfit; /* why it is not a stream of bytes: see uvr_stdio_unfit() */
  bool is_tcp;
} uvr_handle_socket;

/* Whether it may be one: it says that it is a pipe, is not one, and may be both read from and written to. Most handles
 * are none, and then Winsock, which takes time to load, is not needed. */
bool uvr_handle_may_be_socket(HANDLE handle);

/* Duplicates it if it is one. Winsock must be initialised; if it is not, nothing is a socket. */
bool uvr_handle_socket_open(HANDLE handle, uvr_handle_socket *out);

#endif
