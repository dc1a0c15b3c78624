/* TCP ports that listen, on Windows: libuv's, whose clients wait in it until they are taken. */
#include "endpoint/listen.h"
#include "stream/uv.h"

enum { BACKLOG = 4096 };

struct uvr_socket_listener {
  uvr_context *context;
  const char *client_name;
  uvr_socket_client_cb on_client;
  void *user;
  uvr_close_cb on_close;
  void *close_user;
  uv_tcp_t tcp;
  size_t waiting; /* clients that libuv has told of */
  bool paused;
  unsigned children; /* to be closed */
};

static int fail(uvrelay_error_t *error, const uvr_address *address, int code)
{
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "cannot listen on %s: %s%s", address->canonical,
                              uv_strerror(code), code == UV_EADDRINUSE ? ": choose another port" : "");
}

static void on_connection(uv_stream_t *server, int status)
{
  uvr_socket_listener *listener = server->data;
  if (status != 0) { /* libuv has given up listening */
    uvrelay_error_t error;
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_LISTEN, status, 0, "cannot wait for %s any more: %s",
                               listener->client_name, uv_strerror(status));
    listener->on_client(listener->user, &error);
    return;
  }
  listener->waiting++;
  if (!listener->paused) {
    listener->on_client(listener->user, NULL);
  }
}

/* Those that wait meanwhile the owner takes when it resumes. */
void uvr_socket_pause(uvr_socket_listener *listener, bool pause)
{
  listener->paused = pause;
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

int uvr_socket_take(uvr_socket_listener *listener, uvr_stream **out, uvrelay_error_t *error)
{
  while (listener->waiting > 0) {
    uvr_stream *stream;
    int code = uvr_stream_uv_new(listener->context, UV_TCP, listener->client_name, &stream);
    if (code != 0) {
      return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "%s has to wait: %s", listener->client_name,
                                  uv_strerror(code));
    }
    listener->waiting--;
    uv_tcp_t *client = (uv_tcp_t *)uvr_stream_uv_handle(stream);
    if (uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)client) == 0) {
      uvr_stream_uv_tune_tcp(client);
      *out = stream;
      return 0;
    }
    listener->children++; /* this one is gone */
    uvr_stream_close(stream, UVR_CLOSE_NOW, on_child_closed, listener);
  }
  return UV_EAGAIN;
}

static void on_tcp_closed(uv_handle_t *handle)
{
  on_child_closed(handle->data);
}

void uvr_socket_close(uvr_socket_listener *listener, uvr_close_cb on_close, void *user)
{
  listener->on_close = on_close;
  listener->close_user = user;
  uv_close((uv_handle_t *)&listener->tcp, on_tcp_closed);
}

static void ignore_close(void *user)
{
  (void)user;
}

int uvr_listen_socket(uvr_context *context, uvr_address *address, const struct sockaddr *ip,
                      const uvr_listen_options *options, const char *client_name, uvr_socket_client_cb on_client,
                      void *user, uvr_socket_listener **out, uvrelay_error_t *error)
{
  struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
  int length = sizeof(bound);
  (void)options;
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
  int code = uv_tcp_init_ex(context->loop, &listener->tcp, ip->sa_family);
  if (code != 0) {
    uvr_free(&context->memory, listener);
    return fail(error, address, code);
  }
  listener->tcp.data = listener;
  (void)uv_tcp_simultaneous_accepts(&listener->tcp, 0); /* of several libuv would take the last one first */
  code = uv_tcp_bind(&listener->tcp, ip, ip->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
  if (code == 0) {
    code = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
  }
  if (code == 0) {
    code = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound, &length);
  }
  if (code != 0) {
    uvr_socket_close(listener, ignore_close, NULL);
    return fail(error, address, code);
  }
  uvr_address_set_port(address, uvr_listen_port((const struct sockaddr *)&bound));
  *out = listener;
  return 0;
}
