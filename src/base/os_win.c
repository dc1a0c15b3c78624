/* Windows' part of os.h. */
#include "base/os.h"

#include "base/event_pool_win.h"

int uvr_os_new_events(const uvrelay_allocator_t *memory, struct uvr_event_pool **events)
{
  *events = uvr_event_pool_new(memory);
  return *events == NULL ? UV_ENOMEM : 0;
}

void uvr_os_free_events(struct uvr_event_pool *events)
{
  uvr_event_pool_free(events);
}

bool uvr_os_has_npipes(void)
{
  return true;
}

bool uvr_os_pipes_half_close(void)
{
  return false; /* uv_shutdown soon closes the whole pipe */
}

bool uvr_os_reads_streams(void)
{
  return false;
}

ssize_t uvr_os_read(const uv_stream_t *stream, char *data, size_t size, bool *is_pipe, bool *descriptors)
{
  (void)stream;
  (void)data;
  (void)size;
  (void)is_pipe;
  (void)descriptors;
  return UV_ENOSYS;
}

int uvr_os_shutdown(const uv_stream_t *stream)
{
  uv_os_fd_t handle;
  if (stream->type != UV_TCP) {
    return UV_ENOTSUP;
  }
  int code = uv_fileno((const uv_handle_t *)stream, &handle);
  return code != 0 ? code : shutdown((SOCKET)handle, SD_SEND) == 0 ? 0 : uv_translate_sys_error(WSAGetLastError());
}

/* Sends no bytes and looks at the result. WSAPoll would not do: it reports a half-closed connection like a lost one. A
 * peer that has closed both directions is noticed once something has been sent to it, which keep-alive does, too. */
int uvr_os_is_hung_up(const uv_stream_t *stream, bool output_ended)
{
  uv_os_fd_t handle;
  if (stream->type != UV_TCP) {
    return UV_ENOTSUP;
  }
  int code = uv_fileno((const uv_handle_t *)stream, &handle);
  if (code != 0) {
    return code;
  }
  if (send((SOCKET)handle, "", 0, 0) == 0) {
    return 0;
  }
  int error = WSAGetLastError();
  if (error == WSAESHUTDOWN) { /* which Wine says of a reset, too */
    return output_ended ? 0 : 1;
  }
  return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAENETRESET || error == WSAETIMEDOUT;
}

bool uvr_os_input_is_over(const uv_stream_t *stream)
{
  uv_os_fd_t handle;
  char byte;
  return stream->type == UV_TCP && uv_fileno((const uv_handle_t *)stream, &handle) == 0 &&
         recv((SOCKET)handle, &byte, 1, MSG_PEEK) == 0; /* libuv's sockets do not wait */
}

int uvr_os_pending_error(const uv_stream_t *stream)
{
  (void)stream; /* on Windows each read reports its own error */
  return 0;
}

bool uvr_os_get_linger(const uv_stream_t *stream, struct linger *out)
{
  uv_os_fd_t handle;
  int length = sizeof(*out);
  return uv_fileno((const uv_handle_t *)stream, &handle) == 0 &&
         getsockopt((SOCKET)handle, SOL_SOCKET, SO_LINGER, (char *)out, &length) == 0;
}

bool uvr_os_set_linger(const uv_stream_t *stream, const struct linger *linger)
{
  uv_os_fd_t handle;
  return uv_fileno((const uv_handle_t *)stream, &handle) == 0 &&
         setsockopt((SOCKET)handle, SOL_SOCKET, SO_LINGER, (const char *)linger, sizeof(*linger)) == 0;
}

/* Only SIO_TCP_INFO would tell, which old versions of Windows and Wine do not have. */
int uvr_os_unsent(const uv_stream_t *stream)
{
  (void)stream;
  return UV_ENOTSUP;
}

/* The system lets a socket be bound to its own addresses only. */
bool uvr_os_has_ip(const struct sockaddr *address, size_t length)
{
  SOCKET made = socket(address->sa_family, SOCK_DGRAM, 0);
  bool is_own = made != INVALID_SOCKET && bind(made, address, (int)length) == 0;
  if (made != INVALID_SOCKET) {
    (void)closesocket(made);
  }
  return is_own;
}

int uvr_os_connect(uv_tcp_t *tcp, const struct sockaddr *ip)
{
  (void)tcp;
  (void)ip;
  return UV_ENOSYS;
}

int uvr_os_open_spare_fd(const uv_loop_t *loop)
{
  (void)loop;
  return 0;
}

void uvr_os_close_spare_fd(int *spare_fd)
{
  *spare_fd = 0;
}
