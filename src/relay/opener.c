/* From a public endpoint to a stream: see opener.h.
 *
 * Happy path: the endpoint is checked and adopted; the adoption becomes final; the stream is made, or the address is
 * dialled by the opener's owner; when all is closed, the endpoint is released.
 *
 * Ways to fail: an endpoint that cannot be used is not adopted and still belongs to the host; standard descriptors that
 * cannot be opened are closed, and opening fails. */
#include "relay/opener.h"

#include "base/abi.h"
#include "base/os.h"
#include "npipe/handle.h"
#include "relay/through_mux.h"
#include "stream/stdio.h"
#include "stream/stdio_os.h"
#include "stream/uv.h"

/* Adopting. */

bool uvr_opener_is_stream(const uvr_opener *opener, const uv_stream_t *stream)
{
  return opener->endpoint.type == UVRELAY_STREAM && opener->endpoint.stream == stream;
}

/* libuv reports a TCP handle as readable and writable while it is still connecting. */
static bool is_connected(const uv_stream_t *stream)
{
  struct sockaddr_storage address;
  int size = sizeof(address);
  return uv_is_readable(stream) && uv_is_writable(stream) &&
         (stream->type != UV_TCP ||
          uv_tcp_getpeername((const uv_tcp_t *)stream, (struct sockaddr *)&address, &size) == 0);
}

static int check_stream(uvrelay_t *relay, const uv_stream_t *stream)
{
  if (stream == NULL || stream->loop != relay->context.loop || uv_is_closing((const uv_handle_t *)stream) ||
      (stream->type != UV_TCP && stream->type != UV_NAMED_PIPE)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL,
                         "the stream is not an open TCP or pipe handle of the relay's loop");
  }
  if (uvr_relay_uses_stream(relay, stream)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the stream is already in a session");
  }
  if (!is_connected(stream)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ENOTCONN,
                         "the stream is not connected, or cannot be both read and written");
  }
  if (uv_is_active((const uv_handle_t *)stream) || uv_stream_get_write_queue_size(stream) > 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the stream is being read or written");
  }
  return 0;
}

/* An address goes through a mux if its text says so or if this system cannot connect to it. */
static int check_address(uvrelay_t *relay, uvr_opener *opener)
{
  uvr_address *address = uvr_alloc(&relay->context.memory, sizeof(*address));
  if (address == NULL) {
    return UV_ENOMEM;
  }
  opener->own_address = address;
  opener->address = address;
  int code = uvr_address_parse(opener->endpoint.address, UVR_ADDRESS_VIA, address, &relay->error);
  bool may_go_via = address->via || opener->endpoint.via != NULL;
  return code != 0 || !may_go_via ? code
                                  : uvr_choose_mux(relay, address, opener->endpoint.via, &opener->via, &relay->error);
}

int uvr_opener_adopt(uvrelay_t *relay, uvr_opener *opener, const uvrelay_endpoint_t *given, const char *name)
{
  int code = uvr_abi_copy(&opener->endpoint, sizeof(opener->endpoint), given);
  if (code != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "the size of %s is invalid", name);
  }
  const uvrelay_endpoint_t *endpoint = &opener->endpoint;
  switch (endpoint->type) {
  case UVRELAY_ADDRESS:
    return check_address(relay, opener);
  case UVRELAY_STREAM:
    code = check_stream(relay, endpoint->stream);
    return code != 0
               ? code
               : uvr_stream_uv_adopt(&relay->context, endpoint->stream, endpoint->stream_closed, name, &opener->stream);
  case UVRELAY_NPIPE:
    code = endpoint->npipe != NULL ? uvr_npipe_check_gift(endpoint->npipe, relay->context.loop) : UV_EINVAL;
    return code == 0 ? 0
                     : uvr_error_set_system(&relay->error, UVRELAY_PHASE_NONE, code, 0,
                                            "the named pipe cannot be relayed: %s", uv_strerror(code));
  case UVRELAY_STDIO:
    return endpoint->input != endpoint->output || endpoint->input < 0
               ? 0
               : uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL,
                               "one descriptor cannot be both input and output");
  }
  return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "%d is not a type of endpoint",
                       (int)endpoint->type);
}

void uvr_opener_give_back(uvrelay_t *relay, uvr_opener *opener)
{
  if (opener->stream != NULL) {
    uvr_stream_uv_give_back(opener->stream);
  }
  uvr_opener_forget_address(&relay->context.memory, opener);
}

void uvr_opener_commit(uvr_opener *opener)
{
  if (opener->endpoint.type == UVRELAY_NPIPE) {
    uvr_npipe_give(opener->endpoint.npipe);
  }
  uvr_via_ref(opener->via);
}

/* Opening. */

/* The numbers of the standard descriptors must stay in use, as libuv does not close them and any other file could get
 * them. So the file moves to another descriptor. */
static uv_file detach_fd(uv_file fd)
{
  return fd >= 0 && fd <= 2 ? uvr_stdio_detach(fd) : fd;
}

static uvr_opening open_stdio(uvr_context *context, uvr_opener *opener, uvrelay_error_t *error)
{
  uv_file input = detach_fd(opener->endpoint.input);
  uv_file output = detach_fd(opener->endpoint.output);
  opener->endpoint.input = -1; /* the descriptors are closed even if this fails */
  opener->endpoint.output = -1;
  return uvr_stream_stdio_new(context, input, output, &opener->stream, error) == 0 ? UVR_OPENING_DONE
                                                                                   : UVR_OPENING_FAILED;
}

uvr_opening uvr_opener_open(uvr_context *context, uvr_opener *opener, uvrelay_error_t *error)
{
  if (opener->stream != NULL) {
    return UVR_OPENING_DONE;
  }
  switch (opener->endpoint.type) {
  case UVRELAY_NPIPE:
    opener->stream = uvr_npipe_detach_stream(opener->endpoint.npipe);
    return opener->stream != NULL ? UVR_OPENING_DONE : UVR_OPENING_WAITS;
  case UVRELAY_STDIO:
    return open_stdio(context, opener, error);
  case UVRELAY_ADDRESS:
  case UVRELAY_STREAM: /* was adopted with its stream */
    break;
  }
  return UVR_OPENING_ADDRESS;
}

/* Closing. */

void uvr_opener_forget_address(const uvrelay_allocator_t *memory, uvr_opener *opener)
{
  uvr_free(memory, opener->own_address);
  opener->own_address = NULL;
  opener->address = NULL;
}

void uvr_opener_close(uvr_opener *opener, uvr_closing *closing)
{
  uvr_stream *stream = opener->stream;
  opener->stream = NULL;
  if (stream != NULL) {
    uvr_stream_close(stream, UVR_CLOSE_NOW, uvr_closing_add(closing), closing);
  } else if (opener->endpoint.type == UVRELAY_STDIO) {
    uvr_stream_stdio_discard(detach_fd(opener->endpoint.input), detach_fd(opener->endpoint.output));
    opener->endpoint.input = -1;
    opener->endpoint.output = -1;
  }
}

/* A named pipe's handle is released last, as its stream uses the handle's memory. */
void uvr_opener_release(uvr_opener *opener, uvr_closing *closing)
{
  if (opener->endpoint.type == UVRELAY_NPIPE) {
    uvr_npipe_release(opener->endpoint.npipe, opener->endpoint.npipe_closed, uvr_closing_add(closing), closing);
  }
}

void uvr_opener_clear(const uvrelay_allocator_t *memory, uvr_opener *opener)
{
  uvr_opener_forget_address(memory, opener);
  uvr_via_unref(opener->via);
  opener->via = NULL;
}
