/* The sides of sessions and muxes: see side.h.
 *
 * Ways to fail: an endpoint that cannot be used is refused when it is taken, and stays its owner's; standard
 * descriptors that cannot be opened are closed, and the side has failed. */
#include "relay/opener.h"

#include "base/abi.h"
#include "base/os.h"
#include "npipe/handle.h"
#include "relay/relay.h"
#include "stream/stdio.h"
#include "stream/stdio_os.h"
#include "stream/uv.h"

/* Taking. */

bool uvr_side_is_stream(const uvr_side *side, const uv_stream_t *stream)
{
  return side->endpoint.type == UVRELAY_STREAM && side->endpoint.stream == stream;
}

/* libuv calls a TCP handle readable and writable while it is still connecting. */
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
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the stream is in a session already");
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

/* An address of the far end's is told apart by its text, or by what this system cannot do. */
static int check_address(uvrelay_t *relay, uvr_side *side)
{
  side->address = uvr_alloc(&relay->context.memory, sizeof(*side->address));
  if (side->address == NULL) {
    return UV_ENOMEM;
  }
  int code = uvr_address_parse(side->endpoint.address, UVR_ADDRESS_VIA, side->address, &relay->error);
  bool may_go_via = side->address->via || side->endpoint.via != NULL;
  return code != 0 || !may_go_via ? code
                                  : uvr_relay_choose_via(relay, side->address, side->endpoint.via, &relay->error);
}

int uvr_side_take(uvrelay_t *relay, uvr_side *side, const uvrelay_endpoint_t *given, const char *name)
{
  int code = uvr_abi_copy(&side->endpoint, sizeof(side->endpoint), given);
  if (code != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "%s has no valid size", name);
  }
  const uvrelay_endpoint_t *endpoint = &side->endpoint;
  switch (endpoint->type) {
  case UVRELAY_ADDRESS:
    return check_address(relay, side);
  case UVRELAY_STREAM:
    code = check_stream(relay, endpoint->stream);
    return code != 0
               ? code
               : uvr_stream_uv_adopt(&relay->context, endpoint->stream, endpoint->stream_closed, name, &side->stream);
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

void uvr_side_give_back(uvrelay_t *relay, uvr_side *side)
{
  if (side->stream != NULL) {
    uvr_stream_uv_give_back(side->stream);
  }
  uvr_side_clear(&relay->context.memory, side);
}

void uvr_side_begin(uvr_side *side)
{
  if (side->endpoint.type == UVRELAY_NPIPE) {
    uvr_npipe_give(side->endpoint.npipe);
  }
}

/* Opening. */

/* The numbers of the standard descriptors must stay taken: libuv does not close them, and others would be given them.
 */
static uv_file take_fd(uv_file fd)
{
  return fd >= 0 && fd <= 2 ? uvr_stdio_take(fd) : fd;
}

static uvr_side_state open_stdio(uvr_context *context, uvr_side *side, uvrelay_error_t *error)
{
  uv_file input = take_fd(side->endpoint.input);
  uv_file output = take_fd(side->endpoint.output);
  side->endpoint.input = -1; /* they are closed even if this fails */
  side->endpoint.output = -1;
  return uvr_stream_stdio_new(context, input, output, &side->stream, error) == 0 ? UVR_SIDE_OPEN : UVR_SIDE_FAILED;
}

uvr_side_state uvr_side_open(uvr_context *context, uvr_side *side, uvrelay_error_t *error)
{
  if (side->stream != NULL) {
    return UVR_SIDE_OPEN;
  }
  switch (side->endpoint.type) {
  case UVRELAY_NPIPE:
    side->stream = uvr_npipe_take_stream(side->endpoint.npipe);
    return side->stream != NULL ? UVR_SIDE_OPEN : UVR_SIDE_WAITS;
  case UVRELAY_STDIO:
    return open_stdio(context, side, error);
  case UVRELAY_ADDRESS:
  case UVRELAY_STREAM: /* has it from the start */
    break;
  }
  return UVR_SIDE_ADDRESS;
}

/* Closing. */

bool uvr_side_close(uvr_side *side, uvr_close_cb on_close, void *user)
{
  uvr_stream *stream = side->stream;
  side->stream = NULL;
  if (stream != NULL) {
    uvr_stream_close(stream, UVR_CLOSE_NOW, on_close, user);
  } else if (side->endpoint.type == UVRELAY_STDIO) {
    uvr_stream_stdio_discard(take_fd(side->endpoint.input), take_fd(side->endpoint.output));
    side->endpoint.input = -1;
    side->endpoint.output = -1;
  }
  return stream != NULL;
}

/* A named pipe's handle is the last of it to go, as its stream works with the handle's memory. */
bool uvr_side_release(uvr_side *side, uvr_close_cb on_close, void *user)
{
  if (side->endpoint.type != UVRELAY_NPIPE) {
    return false;
  }
  uvr_npipe_release(side->endpoint.npipe, side->endpoint.npipe_closed, on_close, user);
  return true;
}

void uvr_side_clear(const uvrelay_allocator_t *memory, uvr_side *side)
{
  uvr_free(memory, side->address);
  side->address = NULL;
}
