/* The user of a named pipe handle: see npipe_user.h. */
#include "npipe_user.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/os.h"
#include "npipe/types.h"

/* A write or shutdown whose callback is to come. */
typedef struct record {
  npipe_user *u;
  unsigned index;
  char *data;
  size_t length;
} record;

/* What is returned where a stream is needed and there is none. */
int user_no_stream(void)
{
  return uvr_os_has_npipes() ? UV_ENOTCONN : UV_ENOTSUP;
}

static int leave(npipe_user *u, int code)
{
  u->in_call = false;
  return code;
}

static npipe_user *enter(npipe_user *u)
{
  assert_false(u->in_call);
  u->in_call = true;
  return u;
}

static unsigned begun(const npipe_user *u)
{
  return u->f != NULL ? u->f->reads + u->f->watches + u->f->writes + u->f->shutdowns : 0;
}

static void on_closed(uvrelay_npipe_t *np)
{
  npipe_user *u = uvrelay_npipe_get_data(np);
  assert_false(u->in_call);
  assert_true(u->closing);
  assert_int_equal(u->done, u->accepted); /* last */
  assert_true(u->f == NULL || u->f->closed);
  assert_int_equal(begun(u), u->begun); /* nothing more is begun */
  u->closes++;
  u->np = NULL;
}

void user_close(npipe_user *u)
{
  if (!u->closing) {
    u->closing = true;
    u->reading = false;
    u->begun = begun(u);
    enter(u);
    uvrelay_npipe_close(u->np, on_closed);
    leave(u, 0);
    assert_int_equal(uvrelay_npipe_is_closing(u->np), 1);
  }
}

static void begin_callback(npipe_user *u)
{
  assert_false(u->in_call);
  assert_int_equal(u->closes, 0);
  u->callbacks++;
}

static void end_callback(npipe_user *u)
{
  if (u->callbacks == u->close_at) {
    user_close(u);
  }
}

/* Reading. */

static void on_read(uvrelay_npipe_t *np, const uvrelay_npipe_read_t *read);

int user_start(npipe_user *u)
{
  int code = leave(u, uvrelay_npipe_read_start(enter(u)->np, on_read));
  u->reading = u->reading || code == 0;
  return code;
}

void user_stop(npipe_user *u)
{
  enter(u);
  uvrelay_npipe_read_stop(u->np);
  leave(u, 0);
  u->reading = false;
}

static void check_event(npipe_user *u, const uvrelay_npipe_read_t *read)
{
  assert_int_equal(u->overs, 0);
  assert_true((read->data != NULL) == (read->event == UVRELAY_NPIPE_DATA));
  switch (read->event) {
  case UVRELAY_NPIPE_DATA:
    assert_int_equal(u->input_ends, 0);
    assert_int_equal(read->status, 0);
    assert_true(read->length > 0);
    for (size_t i = 0; i < read->length; i++) {
      if (read->data[i] != rig_byte(USER_SEED, u->received + i)) {
        fail_msg("byte %u was changed on its way", (unsigned)(u->received + i));
      }
    }
    u->received += read->length;
    break;
  case UVRELAY_NPIPE_END_OF_INPUT:
    assert_int_equal(u->input_ends++, 0);
    assert_int_equal(read->status, UV_EOF);
    break;
  case UVRELAY_NPIPE_GONE:
    assert_int_equal(read->status, UV_EOF);
    u->overs++;
    break;
  case UVRELAY_NPIPE_ERROR:
    assert_in_range(-read->status, 1, 10000);
    assert_int_equal(uvrelay_npipe_error(u->np)->code, read->status);
    u->overs++;
    break;
  }
  assert_true(read->event == UVRELAY_NPIPE_DATA || (read->length == 0 && read->end_of_message == 0));
  assert_int_equal(uvrelay_npipe_bytes_read(u->np), u->received);
}

static void on_read(uvrelay_npipe_t *np, const uvrelay_npipe_read_t *read)
{
  npipe_user *u = uvrelay_npipe_get_data(np);
  begin_callback(u);
  assert_false(u->closing);
  assert_true(u->reading);
  check_event(u, read);
  u->event[u->events % USER_EVENTS_MAX] = *read;
  u->events++;
  if (read->end_of_message) {
    u->ends_of_messages[u->messages++ % USER_EVENTS_MAX] = u->received;
  }
  u->reading = u->overs == 0;
  if (u->in_read != NULL) {
    u->in_read(u);
  }
  unsigned chance = u->dice.random != 0 ? rig_random(&u->dice, 6) : UINT_MAX;
  if (chance < 3 || u->stop_always) {
    user_stop(u);
  }
  if (chance == 0 && u->overs == 0) {
    assert_int_equal(user_start(u), 0);
  }
  end_callback(u);
}

/* Writing. */

static void on_done(uvrelay_npipe_t *np, int status, void *user);

enum { PARTS_MAX = 8, GAP = 16 };

/* The next `size` bytes of the test data, in parts that do not lie side by side, and some of which are empty. */
static char *make_data(const npipe_user *u, size_t size, unsigned parts, uv_buf_t bufs[PARTS_MAX])
{
  char *data = malloc(size + PARTS_MAX * GAP);
  assert_non_null(data);
  size_t done = 0;
  for (unsigned i = 0; i < parts; i++) {
    size_t length = i + 1 == parts ? size - done : (size - done) * (i % 3) / 2;
    bufs[i] = uv_buf_init(data + done + (size_t)i * GAP, (unsigned)length);
    for (size_t n = 0; n < length; n++) {
      bufs[i].base[n] = rig_byte(USER_WRITE_SEED, u->offered + done + n);
    }
    done += length;
  }
  return data;
}

static void note_write(npipe_user *u, size_t size)
{
  assert_in_range(u->size_count, 0, USER_WRITES_MAX - 1);
  u->sizes[u->size_count++] = size;
  u->offered += size;
}

int user_write(npipe_user *u, size_t size, unsigned parts)
{
  uv_buf_t bufs[PARTS_MAX];
  record *w = calloc(1, sizeof(*w));
  assert_non_null(w);
  *w = (record){.u = u, .index = u->accepted, .data = make_data(u, size, parts, bufs), .length = size};
  int code = leave(u, uvrelay_npipe_write(enter(u)->np, bufs, parts, on_done, w));
  memset(bufs, 0x5A, sizeof(bufs)); /* they were copied */
  if (code != 0) {
    free(w->data);
    free(w);
    return code;
  }
  note_write(u, size);
  u->accepted++;
  return 0;
}

int user_try_write(npipe_user *u, size_t size)
{
  uv_buf_t bufs[PARTS_MAX];
  unsigned parts = size % 2 == 0 ? 1 : 4;
  char *data = make_data(u, size, parts, bufs);
  int code = leave(u, uvrelay_npipe_try_write(enter(u)->np, bufs, parts));
  memset(data, 0x5A, size); /* it was copied */
  free(data);
  if (code > 0) {
    note_write(u, (size_t)code);
  }
  return code;
}

int user_shut_down(npipe_user *u)
{
  record *w = calloc(1, sizeof(*w));
  assert_non_null(w);
  *w = (record){.u = u, .index = u->accepted};
  int code = leave(u, uvrelay_npipe_shutdown(enter(u)->np, on_done, w));
  if (code != 0) {
    free(w);
    return code;
  }
  u->shut = true;
  u->accepted++;
  return 0;
}

void user_check_numbers(const npipe_user *u)
{
  if (u->f != NULL && u->f->script.write_end.outcome == UVR_DONE && !u->closing) {
    assert_int_equal(uvrelay_npipe_bytes_written(u->np), u->f->taken);
    assert_int_equal(uvrelay_npipe_write_queue_size(u->np), u->offered - u->f->taken);
  }
}

static void on_done(uvrelay_npipe_t *np, int status, void *user)
{
  record *w = user;
  npipe_user *u = uvrelay_npipe_get_data(np);
  begin_callback(u);
  assert_ptr_equal(w->u, u);
  assert_int_equal(w->index, u->done); /* in their order */
  u->statuses[u->done % USER_WRITES_MAX] = status;
  u->done++;
  user_check_numbers(u);
  if (w->data != NULL) {
    memset(w->data, 0x5A, w->length); /* ours again */
    free(w->data);
  }
  free(w);
  if (u->more_writes > 0 && !u->closing && status == 0) {
    u->more_writes--;
    assert_int_equal(user_write(u, u->more_size, u->more_writes % 2 == 0 ? 1 : 3), 0);
  }
  end_callback(u);
}

static void check_written(const npipe_user *u)
{
  for (uint64_t i = 0; i < u->f->taken; i++) {
    if (u->f->written[i] != rig_byte(USER_WRITE_SEED, i)) {
      fail_msg("byte %u was changed on its way", (unsigned)i);
    }
  }
  for (size_t i = 0; i < u->f->message_count; i++) {
    assert_int_equal(u->f->messages[i], u->sizes[i]); /* each is one message */
  }
}

/* Making. */

int user_new_handle(npipe_user *u, size_t buffer_size)
{
  uvrelay_npipe_options_t options = {
      .size = sizeof(options), .allocator = u->r->context.memory, .buffer_size = buffer_size};
  return uvrelay_npipe_new(&u->np, &u->r->loop, &options);
}

void user_init(npipe_user *u, rig *shared, size_t buffer_size)
{
  memset(u, 0, sizeof(*u));
  u->r = shared;
  if (shared == NULL) {
    u->r = &u->own;
    rig_init(u->r);
  }
  assert_int_equal(user_new_handle(u, buffer_size), 0);
  uvrelay_npipe_set_data(u->np, u);
}

void user_connect(npipe_user *u, const fake_script *script)
{
  fake_script own = *script;
  own.npipe = true;
  u->f = fake_new_in(u->r, &u->np->context, "pipe", USER_SEED, &own);
  uvr_npipe_adopt(u->np, u->f->stream);
}

void user_init_connected(npipe_user *u, const fake_script *script)
{
  user_init(u, NULL, 0);
  user_connect(u, script);
}

void user_clear(npipe_user *u)
{
  user_close(u);
  unsigned events = u->events;
  rig_run(u->r);
  assert_int_equal(u->closes, 1);
  assert_int_equal(u->events, events);
  assert_int_equal(u->done, u->accepted);
  if (u->f != NULL) {
    check_written(u);
    fake_free(u->f);
  }
  if (u->r == &u->own) {
    rig_clear(u->r);
  }
}
