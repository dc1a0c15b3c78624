/* Sockets that listen, on Unix.
 *
 * They are polled, and accepted from here, not by libuv, which closes connections when there are no more descriptors:
 * ours wait in the kernel until there are, for their targets, too.
 *
 * Ways to fail: the socket cannot be made, then nothing remains; a connection cannot be accepted, then it waits. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "endpoint/listen.h"
#include "endpoint/passed_socket_unix.h"
#include "endpoint/socket_file_unix.h"
#include "stream/uv.h"

enum { BACKLOG = 4096, SPARE_DESCRIPTORS = 6 };

struct uvr_socket_listener {
  uvr_context *context;
  const char *client_name;
  uvr_socket_client_cb on_client;
  void *user;
  uvr_close_cb on_close;
  void *close_user;
  uv_poll_t poll;
  int fd;
  int accepted;        /* a client for whom there was no memory yet, or -1 */
  uv_handle_type type; /* of its clients */
  bool polling;
  uvr_socket_file file;
  unsigned children; /* to be closed */
};

static int fail(uvrelay_error_t *error, const uvr_address *address, int code)
{
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "cannot listen on %s: %s%s", address->canonical,
                              uv_strerror(code), code == UV_EADDRINUSE ? ": choose another port" : "");
}

/* Clients. */

static void on_readable(uv_poll_t *poll, int status, int events)
{
  uvr_socket_listener *listener = poll->data;
  (void)status; /* an error shows at the next accept */
  (void)events;
  listener->on_client(listener->user, NULL);
}

void uvr_socket_pause(uvr_socket_listener *listener, bool pause)
{
  if (listener->polling == pause) {
    listener->polling = !pause;
    if (pause) {
      (void)uv_poll_stop(&listener->poll);
    } else {
      (void)uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    }
  }
}

/* Whether there are descriptors for a client, for its target, and a few more for whoever else needs some. */
static bool has_spare(const uv_loop_t *loop)
{
  int spare[SPARE_DESCRIPTORS];
  int count = 0;
  while (count < SPARE_DESCRIPTORS && (spare[count] = uvr_os_open_spare_fd(loop)) > 0) {
    count++;
  }
  bool enough = count == SPARE_DESCRIPTORS;
  while (count > 0) {
    uvr_os_close_spare_fd(&spare[--count]);
  }
  return enough;
}

static void on_child_closed(void *user)
{
  uvr_socket_listener *listener = user;
  if (--listener->children == 0) {
    uvr_close_cb on_close = listener->on_close;
    void *close_user = listener->close_user;
    uvr_free(&listener->context->memory, listener);
    on_close(close_user);
  }
}

static int make_stream(uvr_socket_listener *listener, int fd, uvr_stream **out)
{
  uvr_stream *stream;
  int code = uvr_stream_uv_new(listener->context, listener->type, listener->client_name, &stream);
  if (code != 0) {
    listener->accepted = fd;
    return code;
  }
  uv_stream_t *handle = uvr_stream_uv_handle(stream);
  code = listener->type == UV_TCP ? uv_tcp_open((uv_tcp_t *)handle, fd) : uv_pipe_open((uv_pipe_t *)handle, fd);
  if (code != 0) {
    (void)close(fd);
    listener->children++;
    uvr_stream_close(stream, UVR_CLOSE_NOW, on_child_closed, listener);
    return code;
  }
  if (listener->type == UV_TCP) {
    uvr_stream_uv_tune_tcp((uv_tcp_t *)handle);
  }
  *out = stream;
  return 0;
}

int uvr_socket_take(uvr_socket_listener *listener, uvr_stream **out, uvrelay_error_t *error)
{
  int fd = listener->accepted;
  int code = UV_EMFILE;
  listener->accepted = -1;
  if (fd >= 0) {
    code = make_stream(listener, fd, out);
  } else if (has_spare(listener->context->loop)) {
    do {
      fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    code = fd < 0 ? -errno : make_stream(listener, fd, out);
  }
  if (code != 0 && code != UV_EAGAIN) {
    (void)uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "%s has to wait: %s", listener->client_name,
                               uv_strerror(code));
  }
  return code;
}

/* Closing. */

static void on_poll_closed(uv_handle_t *handle)
{
  on_child_closed(handle->data);
}

void uvr_socket_close(uvr_socket_listener *listener, uvr_close_cb on_close, void *user)
{
  listener->on_close = on_close;
  listener->close_user = user;
  uvr_socket_file_remove(&listener->file);
  uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
  (void)close(listener->fd);
  if (listener->accepted >= 0) {
    (void)close(listener->accepted);
  }
}

/* Starting. */

static int open_tcp(uvr_address *address, const struct sockaddr *ip, uvrelay_error_t *error)
{
  struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
  socklen_t length = ip->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  socklen_t bound_length = sizeof(bound);
  int on = 1;
  int fd = socket(ip->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return fail(error, address, -errno);
  }
  bool ipv6 = ip->sa_family == AF_INET6; /* and nothing else, as on Windows */
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      (ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) || bind(fd, ip, length) != 0 ||
      listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&bound, &bound_length) != 0) {
    int code = fail(error, address, -errno);
    (void)close(fd);
    return code;
  }
  uvr_address_set_port(address, uvr_listen_port((const struct sockaddr *)&bound));
  return fd;
}

/* Its number stays taken but leads nowhere, so that no other route gets it, nor another socket by it. */
static int take_passed(int fd, const uvr_address *address, uvrelay_error_t *error)
{
  int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  int own = nowhere < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
  int code = own < 0 || dup3(nowhere, fd, O_CLOEXEC) < 0 ? fail(error, address, -errno) : own;
  if (nowhere >= 0) {
    (void)close(nowhere);
  }
  if (code < 0 && own >= 0) {
    (void)close(own);
  }
  return code;
}

static int open_passed(const uvr_address *address, bool allow_remote, uv_handle_type *type, uvrelay_error_t *error)
{
  int family = AF_UNIX;
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t length = sizeof(name);
  int fd = uvr_passed_socket(address, &family, error);
  if (fd < 0) {
    return fd;
  }
  *type = family == AF_UNIX ? UV_NAMED_PIPE : UV_TCP;
  if (family != AF_UNIX && !allow_remote &&
      (getsockname(fd, (struct sockaddr *)&name, &length) != 0 ||
       !uvr_listen_is_loopback((const struct sockaddr *)&name))) {
    return uvr_listen_refuse_remote(address->canonical, error);
  }
  return take_passed(fd, address, error);
}

int uvr_listen_socket(uvr_context *context, uvr_address *address, const struct sockaddr *ip,
                      const uvr_listen_options *options, const char *client_name, uvr_socket_client_cb on_client,
                      void *user, uvr_socket_listener **out, uvrelay_error_t *error)
{
  uvr_socket_listener *listener = uvr_alloc(&context->memory, sizeof(*listener));
  if (listener == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "there is no memory to listen on %s",
                         address->canonical);
  }
  listener->context = context;
  listener->client_name = client_name;
  listener->on_client = on_client;
  listener->user = user;
  listener->children = 1;
  listener->accepted = -1;
  listener->type = address->kind == UVR_ADDRESS_TCP ? UV_TCP : UV_NAMED_PIPE;
  int fd = address->kind == UVR_ADDRESS_TCP ? open_tcp(address, ip, error)
           : address->kind == UVR_ADDRESS_UNIX
               ? uvr_socket_file_listen(address, options->permissions, &listener->file, error)
               : open_passed(address, options->allow_remote, &listener->type, error);
  if (fd < 0) {
    uvr_free(&context->memory, listener);
    return fd;
  }
  listener->fd = fd;
  int code = uv_poll_init(context->loop, &listener->poll, fd);
  if (code != 0) {
    code = fail(error, address, code);
    uvr_socket_file_remove(&listener->file);
    (void)close(fd);
    uvr_free(&context->memory, listener);
    return code;
  }
  listener->poll.data = listener;
  uvr_socket_pause(listener, false);
  *out = listener;
  return 0;
}
