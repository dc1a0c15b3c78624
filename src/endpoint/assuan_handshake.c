/* The handshake for libassuan socket files.
 *
 * Happy path, plain files: the 16 bytes of the nonce are sent, and the server sends nothing back.
 *
 * Happy path, Cygwin files: the nonce is sent and received back, then our credentials are sent and the server's are
 * received. Cygwin's own servers exchange 12 bytes of credentials (pid, uid, gid), libassuan's emulation only 8, and
 * the socket file does not say which of them made it. Therefore 8 bytes are sent first. libassuan answers them with 8
 * bytes. A server that does not answer for a moment expects the other 4, which are then sent, and answers with 12.
 *
 * Ways to fail: the server ends the connection, as it does after a wrong nonce; it sends back another nonce; reading or
 * writing fails. No error message contains anything of the nonce. */
#include "endpoint/assuan_handshake.h"

#include <string.h>

enum { SHORT_CREDENTIALS = 8 };

static void read_more(uvr_handshake *handshake);

static void finish(uvr_handshake *handshake, uvr_buffer *rest, const uvrelay_error_t *error)
{
  handshake->state = UVR_HANDSHAKE_OVER;
  (void)uv_timer_stop(handshake->timer);
  handshake->on_done(handshake->user, rest, error);
}

static void fail(uvr_handshake *handshake, int code, const char *what)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_HANDSHAKE, code, "%s %s", handshake->stream->name, what);
  finish(handshake, NULL, &error);
}

static void transmit(uvr_handshake *handshake, const void *data, size_t size, uvr_done_cb on_sent)
{
  handshake->output->length = size;
  memcpy(handshake->output->data, data, size);
  handshake->writing = true;
  uvr_stream_write(handshake->stream, handshake->output->data, handshake->output->length, on_sent, handshake);
}

static bool check_sent(uvr_handshake *handshake, uvr_outcome outcome, const uvrelay_error_t *error)
{
  handshake->writing = false;
  if (outcome == UVR_DONE) {
    return true;
  }
  if (handshake->state != UVR_HANDSHAKE_OVER) {
    finish(handshake, NULL, error);
  }
  return false;
}

static void receive(uvr_handshake *handshake, uvr_handshake_state state, size_t wanted)
{
  handshake->state = state;
  handshake->wanted = wanted;
  handshake->have = 0;
  read_more(handshake);
}

static void on_rest_sent(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_handshake *handshake = user;
  if (check_sent(handshake, outcome, error) && handshake->state == UVR_HANDSHAKE_LAST_WRITE) {
    uvr_buffer *rest = handshake->rest;
    handshake->rest = NULL;
    finish(handshake, rest, NULL);
  } /* in the other states the answer is still being read */
}

static void send_credentials(uvr_handshake *handshake, size_t size, uvr_done_cb on_sent)
{
  unsigned char credentials[UVR_ASSUAN_CREDENTIALS_SIZE];
  uvr_assuan_credentials(credentials, (uint32_t)uv_os_getpid(), 0, 0);
  size_t from = handshake->sent;
  handshake->sent += size;
  transmit(handshake, credentials + from, size, on_sent);
}

static void on_no_answer(uv_timer_t *timer)
{
  uvr_handshake *handshake = timer->data;
  if (handshake->have == 0) {
    handshake->wanted = UVR_ASSUAN_CREDENTIALS_SIZE;
    send_credentials(handshake, UVR_ASSUAN_CREDENTIALS_SIZE - SHORT_CREDENTIALS, on_rest_sent);
  }
}

static void on_credentials_sent(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_handshake *handshake = user;
  if (check_sent(handshake, outcome, error)) {
    (void)uv_timer_start(handshake->timer, on_no_answer, handshake->context->patience.credentials_ms, 0);
    receive(handshake, UVR_HANDSHAKE_ANSWER, SHORT_CREDENTIALS);
  }
}

static void on_nonce_sent(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_handshake *handshake = user;
  if (!check_sent(handshake, outcome, error)) {
    return;
  }
  if (handshake->file.cygwin) {
    receive(handshake, UVR_HANDSHAKE_ECHO, UVR_ASSUAN_NONCE_SIZE);
  } else {
    finish(handshake, NULL, NULL);
  }
}

/* Everything that the state waits for has been received. `rest` holds what followed it, or is NULL. */
static void step(uvr_handshake *handshake, uvr_buffer *rest)
{
  if (handshake->state == UVR_HANDSHAKE_ANSWER && handshake->writing) {
    handshake->state = UVR_HANDSHAKE_LAST_WRITE; /* the stream's next owner may write at once */
    handshake->rest = rest;
    return;
  }
  if (handshake->state == UVR_HANDSHAKE_ANSWER) {
    finish(handshake, rest, NULL);
    return;
  }
  bool same = memcmp(handshake->input, handshake->file.nonce, UVR_ASSUAN_NONCE_SIZE) == 0;
  if (rest != NULL || !same) {
    uvr_buffer_put(&handshake->context->buffers, rest);
    fail(handshake, UV_EPROTO, "does not answer like the server of this socket file, which may be out of date");
    return;
  }
  handshake->state = UVR_HANDSHAKE_CREDENTIALS;
  send_credentials(handshake, SHORT_CREDENTIALS, on_credentials_sent);
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvr_handshake *handshake = user;
  if (handshake->state == UVR_HANDSHAKE_OVER) {
    uvr_buffer_put(&handshake->context->buffers, buffer);
    return;
  }
  if (outcome == UVR_FAILED && error->code != UV_ECONNRESET) {
    finish(handshake, NULL, error);
    return;
  }
  if (outcome != UVR_DONE) {
    fail(handshake, UV_EPROTO, "ended the connection during the handshake, so the socket file may be out of date");
    return;
  }
  size_t take = handshake->wanted - handshake->have;
  take = buffer->length < take ? buffer->length : take;
  memcpy(handshake->input + handshake->have, buffer->data, take);
  handshake->have += take;
  uvr_assuan_wipe(buffer->data, take); /* this may be the nonce, and buffers are reused */
  buffer->length -= take;
  memmove(buffer->data, buffer->data + take, buffer->length);
  if (buffer->length == 0) {
    uvr_buffer_put(&handshake->context->buffers, buffer);
    buffer = NULL;
  }
  if (handshake->have == handshake->wanted) {
    step(handshake, buffer);
  } else {
    read_more(handshake);
  }
}

static void read_more(uvr_handshake *handshake)
{
  uvr_stream_read(handshake->stream, on_read, handshake);
}

void uvr_handshake_start(uvr_handshake *handshake, uvr_stream *stream, uv_timer_t *timer, const uvr_assuan *file,
                         uvr_handshake_cb on_done, void *user)
{
  *handshake = (uvr_handshake){
      .context = stream->context, .stream = stream, .timer = timer, .file = *file, .on_done = on_done, .user = user};
  handshake->output = uvr_buffer_get(&stream->context->buffers, UVR_BUFFER_SMALL);
  if (handshake->output == NULL) {
    fail(handshake, UV_ENOMEM, "cannot be sent the nonce, because there is not enough memory");
    return;
  }
  transmit(handshake, file->nonce, UVR_ASSUAN_NONCE_SIZE, on_nonce_sent);
}

void uvr_handshake_stop(uvr_handshake *handshake)
{
  if (handshake->context == NULL) {
    return;
  }
  handshake->state = UVR_HANDSHAKE_OVER;
  uvr_buffer_put(&handshake->context->buffers, handshake->rest);
  handshake->rest = NULL;
  uvr_assuan_wipe(&handshake->file, sizeof(handshake->file));
  uvr_assuan_wipe(handshake->input, sizeof(handshake->input));
  if (handshake->output != NULL) {
    uvr_assuan_wipe(handshake->output->data, UVR_ASSUAN_NONCE_SIZE);
    uvr_buffer_put(&handshake->context->buffers, handshake->output);
    handshake->output = NULL;
  }
}
