/* A host that speaks to a pipe in message mode: it sends a request of several messages, half-closes, and gets the reply
 * later. Its peer is first a server on the same loop, then a thread in plain blocking Win32.
 *
 * The client starts first, so the library waits for the pipe. Then, whatever the peer: the request goes out by one
 * uvrelay_npipe_try_write() and writes of one and of several buffers; the reply's messages come in pieces no longer
 * than the buffer, the last of which tells the end of its message; then comes the end of input as an event of its own;
 * then the peer is gone.
 *
 * Where the system has no named pipes it says so and is done; see pipe_refusals.c for what does not work when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uvrelay/npipe.h>

#include "conversation.h"
#include "host.h"
#ifdef _WIN32
#include "pipe_server_win.h"
#endif

enum { CLIENT_BUFFER = 2048, SERVER_BUFFER = 1024, PAUSE_MS = 50, NAME_MAX_BYTES = 128 };

/* How far messages have come, which are read piece by piece. */
typedef struct receipt_s {
  messages_t expected;
  size_t buffer_size;
  size_t message;
  size_t place; /* in it */
  bool ended;
  bool gone;
} receipt_t;

typedef struct sender_s {
  messages_t messages;
  char *bytes[MESSAGES_MAX];
  size_t written; /* messages whose callback has come */
  bool shut;
} sender_t;

typedef struct talk_s {
  host_t host;
  char name[NAME_MAX_BYTES];
  uv_timer_t timer;
  /* The client. */
  uvrelay_npipe_t *client;
  sender_t request;
  receipt_t reply;
  uint64_t shut_at; /* uv_now() */
  /* The server on the same loop. */
  uvrelay_npipe_t *listener;
  uvrelay_npipe_t *peer;
  sender_t answer;
  receipt_t demand;
  bool paused;
  bool was_paused;
  unsigned timers;
  unsigned connected;
  unsigned accepted;
  unsigned closed;
} talk_t;

/* ---- messages ---- */

static size_t bytes_of(const messages_t *messages)
{
  size_t sum = 0;
  for (size_t i = 0; i < messages->count; i++) {
    sum += messages->sizes[i];
  }
  return sum;
}

static void receive(receipt_t *receipt, const uvrelay_npipe_read_t *read)
{
  CHECK(!receipt->gone);
  switch (read->event) {
  case UVRELAY_NPIPE_DATA:
    CHECK_CODE(read->status, 0);
    CHECK(!receipt->ended);
    CHECK(receipt->message < receipt->expected.count);
    CHECK(read->length > 0 && read->length <= receipt->buffer_size);
    CHECK(receipt->place + read->length <= receipt->expected.sizes[receipt->message]);
    host_verify(read->data, read->length, receipt->expected.seed + (unsigned)receipt->message, receipt->place);
    receipt->place += read->length;
    CHECK(read->end_of_message == (receipt->place == receipt->expected.sizes[receipt->message]));
    if (read->end_of_message) {
      receipt->message++;
      receipt->place = 0;
    }
    break;
  case UVRELAY_NPIPE_END_OF_INPUT:
    CHECK_CODE(read->status, UV_EOF);
    CHECK(read->length == 0 && !read->end_of_message);
    CHECK(!receipt->ended);
    CHECK(receipt->message == receipt->expected.count && receipt->place == 0);
    receipt->ended = true;
    break;
  case UVRELAY_NPIPE_GONE:
    CHECK_CODE(read->status, UV_EOF);
    CHECK(read->length == 0);
    receipt->gone = true;
    break;
  case UVRELAY_NPIPE_ERROR:
    CHECK_CODE(read->status, 0);
    break;
  }
}

static void on_written(uvrelay_npipe_t *npipe, int status, void *user)
{
  sender_t *sender = user;
  (void)npipe;
  CHECK_CODE(status, 0);
  CHECK(!sender->shut);
  CHECK(sender->written < sender->messages.count);
  free(sender->bytes[sender->written]); /* callbacks come in the order of the writes */
  sender->bytes[sender->written] = NULL;
  sender->written++;
}

/* Queues messages; on_written() must come for each. */
static void write_messages(uvrelay_npipe_t *npipe, sender_t *sender, size_t from)
{
  sender->written = from;
  for (size_t i = from; i < sender->messages.count; i++) {
    size_t size = sender->messages.sizes[i];
    sender->bytes[i] = malloc(size);
    CHECK(sender->bytes[i] != NULL);
    host_fill(sender->bytes[i], size, sender->messages.seed + (unsigned)i, 0);
    /* One message, whatever the buffers; of the message of one byte two of them are empty. */
    unsigned third = (unsigned)size / 3;
    uv_buf_t bufs[3] = {uv_buf_init(sender->bytes[i], third), uv_buf_init(sender->bytes[i] + third, third),
                        uv_buf_init(sender->bytes[i] + 2 * third, (unsigned)size - 2 * third)};
    CHECK_CODE(uvrelay_npipe_write(npipe, bufs, 3, on_written, sender), 0);
  }
}

static void refuse_more(uvrelay_npipe_t *npipe, uvrelay_npipe_done_cb cb)
{
  char byte = 'x';
  uv_buf_t buf = uv_buf_init(&byte, 1);
  CHECK_CODE(uvrelay_npipe_write(npipe, &buf, 1, cb, NULL), UV_EPIPE);
  CHECK_CODE(uvrelay_npipe_try_write(npipe, &buf, 1), UV_EPIPE);
  CHECK_CODE(uvrelay_npipe_shutdown(npipe, cb, NULL), UV_EALREADY);
}

/* ---- the client ---- */

static void on_closed(uvrelay_npipe_t *npipe)
{
  talk_t *talk = uvrelay_npipe_get_data(npipe);
  CHECK(uvrelay_npipe_is_closing(npipe) == 1);
  talk->closed++;
}

static void on_reply(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read)
{
  talk_t *talk = uvrelay_npipe_get_data(npipe);
  receive(&talk->reply, read);
  if (read->event == UVRELAY_NPIPE_DATA) {
    CHECK(talk->request.shut);
    CHECK(uv_now(&talk->host.loop) - talk->shut_at >= CONVERSATION_LATE_MS / 2); /* it is late */
  }
  if (talk->reply.gone) {
    CHECK(talk->reply.ended);
    CHECK(uvrelay_npipe_bytes_read(npipe) == bytes_of(&talk->reply.expected));
    CHECK(uvrelay_npipe_bytes_written(npipe) == bytes_of(&talk->request.messages));
    CHECK_CODE(uvrelay_npipe_read_start(npipe, on_reply), UV_EOF);
    uvrelay_npipe_close(npipe, on_closed);
    if (talk->listener != NULL) {
      uvrelay_npipe_close(talk->listener, on_closed);
    }
  }
}

static void on_client_shut(uvrelay_npipe_t *npipe, int status, void *user)
{
  talk_t *talk = user;
  CHECK_CODE(status, 0);
  CHECK(talk->request.written == talk->request.messages.count);
  CHECK(uvrelay_npipe_write_queue_size(npipe) == 0);
  talk->request.shut = true;
  talk->shut_at = uv_now(&talk->host.loop);
}

static void on_connect(uvrelay_npipe_t *npipe, int status)
{
  talk_t *talk = uvrelay_npipe_get_data(npipe);
  char first[MESSAGE_SIZE_MAX];
  size_t size = talk->request.messages.sizes[0];
  uint32_t pid;
  CHECK_CODE(status, 0);
  talk->connected++;
  CHECK(uvrelay_npipe_is_message_mode(npipe) == 1);
  CHECK_CODE(uvrelay_npipe_peer_pid(npipe, &pid), 0);
  CHECK_CODE(uvrelay_npipe_connect(npipe, talk->name, on_connect), UV_EBUSY);

  /* Its bytes are copied; all other writes' must last. */
  uv_buf_t buf = uv_buf_init(first, (unsigned)size);
  host_fill(first, size, talk->request.messages.seed, 0);
  CHECK_CODE(uvrelay_npipe_try_write(npipe, &buf, 1), (int)size);
  memset(first, 0, size);
  write_messages(npipe, &talk->request, 1);
  CHECK(uvrelay_npipe_write_queue_size(npipe) + uvrelay_npipe_bytes_written(npipe) ==
        bytes_of(&talk->request.messages));
  CHECK_CODE(uvrelay_npipe_shutdown(npipe, on_client_shut, talk), 0);
  refuse_more(npipe, on_client_shut);
  CHECK_CODE(uvrelay_npipe_read_start(npipe, on_reply), 0);
  CHECK_CODE(uvrelay_npipe_read_start(npipe, on_reply), UV_EALREADY);
}

static uvrelay_npipe_options_t npipe_options(talk_t *talk)
{
  uvrelay_npipe_options_t options = {.size = sizeof(options)};
  options.allocator = host_allocator(&talk->host);
  options.log = host_log(&talk->host);
  return options;
}

static uvrelay_npipe_t *new_npipe(talk_t *talk, const uvrelay_npipe_options_t *options)
{
  uvrelay_npipe_t *npipe = NULL;
  CHECK_CODE(uvrelay_npipe_new(&npipe, &talk->host.loop, options), 0);
  uvrelay_npipe_set_data(npipe, talk);
  return npipe;
}

static talk_t *open_talk(const char *name)
{
  talk_t *talk = calloc(1, sizeof(*talk));
  CHECK(talk != NULL);
  host_open(&talk->host);
  (void)snprintf(talk->name, sizeof(talk->name), "//./pipe/uvrelay-embed-%d-%s", (int)uv_os_getpid(), name);
  return talk;
}

static void close_talk(talk_t *talk)
{
  CHECK(uv_run(&talk->host.loop, UV_RUN_DEFAULT) == 0);
  host_close(&talk->host);
  free(talk);
}

static void start_client(talk_t *talk)
{
  uvrelay_npipe_options_t options = npipe_options(talk);
  options.buffer_size = CLIENT_BUFFER;
  options.retry = UVRELAY_RETRY_ABSENT;
  options.timeout_ms = 20000;
  options.impersonation = UVRELAY_IMPERSONATION_IDENTIFICATION;
  talk->request.messages = conversation_request();
  talk->reply.expected = conversation_reply();
  talk->reply.buffer_size = CLIENT_BUFFER;
  talk->client = new_npipe(talk, &options);
  CHECK_CODE(uvrelay_npipe_connect(talk->client, talk->name, on_connect), 0);
}

static void check_client(const talk_t *talk)
{
  CHECK(talk->connected == 1);
  CHECK(talk->request.written == talk->request.messages.count && talk->request.shut);
  CHECK(talk->reply.message == talk->reply.expected.count && talk->reply.ended && talk->reply.gone);
}

/* ---- the server on the same loop ---- */

static void on_demand(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read);

static void on_peer_shut(uvrelay_npipe_t *npipe, int status, void *user)
{
  talk_t *talk = user;
  CHECK_CODE(status, 0);
  talk->answer.shut = true;
  uvrelay_npipe_close(npipe, on_closed);
}

static void on_late(uv_timer_t *timer)
{
  talk_t *talk = timer->data;
  talk->timers++;
  uv_close((uv_handle_t *)timer, NULL);
  write_messages(talk->peer, &talk->answer, 0);
  CHECK_CODE(uvrelay_npipe_shutdown(talk->peer, on_peer_shut, talk), 0);
}

static void on_pause_over(uv_timer_t *timer)
{
  talk_t *talk = timer->data;
  talk->timers++;
  talk->paused = false;
  CHECK_CODE(uvrelay_npipe_read_start(talk->peer, on_demand), 0);
}

static void on_demand(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read)
{
  talk_t *talk = uvrelay_npipe_get_data(npipe);
  CHECK(npipe == talk->peer);
  CHECK(!talk->paused);
  receive(&talk->demand, read);
  CHECK(!talk->demand.gone);
  if (talk->demand.place > 0 && !talk->was_paused) { /* in the middle of a message */
    talk->paused = true;
    talk->was_paused = true;
    uvrelay_npipe_read_stop(npipe);
    CHECK_CODE(uv_timer_start(&talk->timer, on_pause_over, PAUSE_MS, 0), 0);
  } else if (talk->demand.ended) {
    CHECK_CODE(uv_timer_start(&talk->timer, on_late, CONVERSATION_LATE_MS, 0), 0);
  }
}

static void on_connection(uvrelay_npipe_t *server, int status)
{
  talk_t *talk = uvrelay_npipe_get_data(server);
  uvrelay_npipe_options_t options = npipe_options(talk);
  CHECK_CODE(status, 0);
  talk->accepted++;
  options.buffer_size = SERVER_BUFFER;
  talk->peer = new_npipe(talk, &options);
  CHECK_CODE(uvrelay_npipe_accept(server, talk->peer), 0);
  CHECK_CODE(uvrelay_npipe_accept(server, talk->peer), UV_EBUSY);
  CHECK(uvrelay_npipe_is_message_mode(talk->peer) == 1);
  CHECK_CODE(uvrelay_npipe_read_start(talk->peer, on_demand), 0);
}

static void on_time_to_listen(uv_timer_t *timer)
{
  talk_t *talk = timer->data;
  uvrelay_npipe_options_t options = npipe_options(talk);
  talk->timers++;
  CHECK(talk->connected == 0); /* it waits for us */
  options.mode = UVRELAY_NPIPE_MESSAGE;
  options.buffer_size = SERVER_BUFFER;
  talk->listener = new_npipe(talk, &options);
  CHECK_CODE(uvrelay_npipe_listen(talk->listener, talk->name, 2, on_connection), 0);
  CHECK_CODE(uvrelay_npipe_listen(talk->listener, talk->name, 2, on_connection), UV_EBUSY);
  CHECK(uvrelay_npipe_is_message_mode(talk->listener) == 1);
}

static void talk_on_one_loop(void)
{
  talk_t *talk = open_talk("loop");
  talk->answer.messages = conversation_reply();
  talk->demand.expected = conversation_request();
  talk->demand.buffer_size = SERVER_BUFFER;
  CHECK_CODE(uv_timer_init(&talk->host.loop, &talk->timer), 0);
  talk->timer.data = talk;
  CHECK_CODE(uv_timer_start(&talk->timer, on_time_to_listen, PAUSE_MS, 0), 0);
  start_client(talk);
  CHECK(uv_run(&talk->host.loop, UV_RUN_DEFAULT) == 0);
  check_client(talk);
  CHECK(talk->was_paused);
  CHECK(talk->accepted == 1 && talk->timers == 3 && talk->closed == 3);
  CHECK(talk->demand.message == talk->demand.expected.count && talk->demand.ended);
  CHECK(talk->answer.written == talk->answer.messages.count && talk->answer.shut);
  close_talk(talk);
  (void)printf("with a server on the same loop: done\n");
}

/* ---- the server in a thread ---- */

#ifdef _WIN32
static void talk_to_thread(void)
{
  talk_t *talk = open_talk("thread");
  pipe_server_t server;
  pipe_server_start(&server, talk->name);
  start_client(talk);
  CHECK(uv_run(&talk->host.loop, UV_RUN_DEFAULT) == 0);
  check_client(talk);
  CHECK(talk->closed == 1);
  pipe_server_join(&server);
  close_talk(talk);
  (void)printf("with a thread in plain Win32: done\n");
}
#endif

/* ---- */

static void never_connected(uvrelay_npipe_t *npipe, int status)
{
  (void)npipe;
  (void)status;
  CHECK(false);
}

static bool has_pipes(void)
{
  talk_t *talk = open_talk("none");
  uvrelay_npipe_t *npipe = new_npipe(talk, NULL);
  int code = uvrelay_npipe_connect(npipe, talk->name, never_connected);
  CHECK(code == 0 || code == UV_ENOTSUP);
  uvrelay_npipe_close(npipe, on_closed);
  CHECK(uv_run(&talk->host.loop, UV_RUN_DEFAULT) == 0);
  CHECK(talk->closed == 1);
  close_talk(talk);
  return code == 0;
}

int main(void)
{
  if (!has_pipes()) {
    (void)printf("this system has no named pipes\n");
    return 0;
  }
  talk_on_one_loop();
#ifdef _WIN32
  talk_to_thread();
#endif
  return 0;
}
