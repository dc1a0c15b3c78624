/* The near end of a mux: asking the far end for connections.
 *
 * Happy path: a stream waits in the mux's list until there is a carrier that is up and has room. Then it is opened over
 * that carrier, `CONNECT ADDRESS` is written, and the answer is read. After OK the stream is connected. If the carrier
 * ends before the answer is received, the stream waits again, before those that were never opened, as if nothing had
 * happened.
 *
 * Ways to fail: the far end answers ERR with a reason; the answer is neither OK nor ERR, or too long; the stream ends
 * or is reset before the answer; the mux is being closed. */
#include "mux/near.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "address/query.h"
#include "base/text.h"
#include "mux/stream.h"

enum { LINGER_LONGEST_MS = 86400000 };

static void report(uvr_mux_stream *s, const uvrelay_error_t *error)
{
  if (uvr_list_has(&s->waiting)) {
    uvr_list_remove(&s->waiting);
  }
  if (error == NULL) {
    uvr_mux_stream_set_connected(s);
  } else {
    uvr_free(&s->base.context->memory, s->line);
    s->line = NULL;
    s->request = NULL;
  }
  s->on_result(s->result_user, error);
}

/* The answer. */

/* Returns the code of libuv with this name, or UV_UNKNOWN. */

static int code_of(const char *name, size_t length)
{
  static const struct {
    const char *name;
    int code;
  } codes[] = {
#define ENTRY(name, text) {#name, UV_##name},
      UV_ERRNO_MAP(ENTRY)
#undef ENTRY
  };
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    if (strlen(codes[i].name) == length && memcmp(codes[i].name, name, length) == 0) {
      return codes[i].code;
    }
  }
  return UV_UNKNOWN;
}

/* Whether a text of the far end is valid UTF-8 without hidden characters, so that it can be shown as it is. */
static bool is_plain(const char *text)
{
  uint32_t point = 0;
  size_t length = 1;
  while (*text != '\0' && length > 0) {
    length = uvr_utf8_next(text, &point);
    length = length > 0 && uvr_is_hidden(point) ? 0 : length;
    text += length;
  }
  return *text == '\0';
}

/* Parses OK, or ERR CODE TEXT. Returns 0, or the code with *error. */
static int parse_answer(const uvr_mux_stream *s, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *line = s->line;
  if (strcmp(line, "OK") == 0) {
    return 0;
  }
  if (strncmp(line, "ERR ", 4) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EPROTO,
                         "the far end answered %s, which is neither OK nor ERR, to the request for %s",
                         uvr_quote(quoted, line), s->base.name);
  }
  size_t length = strcspn(line + 4, " ");
  const char *text = line + 4 + length;
  int code = code_of(line + 4, length);
  text = *text == ' ' && text[1] != '\0' ? text + 1 : uv_strerror(code);
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, code, "far end: %.400s",
                       is_plain(text) ? text : uvr_quote(quoted, text));
}

/* There is no answer. */
static void fail(uvr_mux_stream *s, int code)
{
  uvrelay_error_t error;
  if (uvr_mux_carrier_fault(s->carrier) != NULL) {
    uvr_mux_stream_unbind(s);
    uvr_list_remove(&s->waiting);
    uvr_list_prepend(&s->mux->waiting, &s->waiting);
    uvr_mux_wake(s->mux);
    return;
  }
  (void)uvr_error_set(&error, UVRELAY_PHASE_CONNECT, code == UV_EOF ? UV_ECONNRESET : code,
                      "the far end gave no valid answer to the request for %s%s", s->base.name,
                      code == UV_EMSGSIZE ? ": it is too long"
                      : code == UV_EPROTO ? ": it contains a NUL"
                      : code == UV_EOF    ? ": it ended the connection"
                                          : ": it reset the connection, perhaps because too many are open");
  report(s, &error);
}

static void on_answer(uvr_mux_stream *s, int code)
{
  uvrelay_error_t error;
  if (code != 0) {
    fail(s, code);
    return;
  }
  report(s, parse_answer(s, &error) == 0 ? NULL : &error);
}

static void on_request_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_mux_stream *s = user;
  if (outcome != UVR_DONE) {
    fail(s, error->code);
    return;
  }
  uvr_mux_stream_read_line(s, on_answer);
}

static void send_request(uvr_mux_stream *s)
{
  uvr_stream_write(&s->base, s->request, strlen(s->request), on_request_written, s);
}

static void fail_waiting(uvr_mux *mux)
{
  uvrelay_error_t error;
  uvr_list_node *first;
  (void)uvr_error_set(&error, UVRELAY_PHASE_CONNECT, UV_ESHUTDOWN, "the mux is closed");
  while ((first = uvr_list_pop(&mux->waiting)) != NULL) {
    report(UVR_LISTED(first, uvr_mux_stream, waiting), &error);
  }
}

/* Opens waiting streams, in their order. Calls no owner of a stream. Returns whether none is left. */
static bool open_waiting(uvr_mux *mux)
{
  while (mux->carrier != NULL && uvr_mux_carrier_is_up(mux->carrier) && !uvr_list_is_empty(&mux->waiting)) {
    uvr_mux_stream *s = UVR_LISTED(uvr_list_first(&mux->waiting), uvr_mux_stream, waiting);
    uvr_mux_carrier_await(mux->carrier);
    if (!uvr_yamux_open(uvr_mux_carrier_yamux(mux->carrier), &s->yamux, s)) {
      break;
    }
    uvr_list_remove(&s->waiting);
    uvr_list_append(&mux->asked, &s->waiting);
    uvr_mux_stream_bind(s, mux->carrier);
    send_request(s);
  }
  return uvr_list_is_empty(&mux->waiting);
}

void uvr_mux_near_open_waiting(uvr_mux *mux)
{
  if (mux->closing) {
    fail_waiting(mux);
  } else {
    (void)open_waiting(mux);
  }
}

bool uvr_mux_near_is_awaited(const uvr_mux *mux)
{
  return !uvr_list_is_empty(&mux->waiting) || !uvr_list_is_empty(&mux->asked);
}

/* The request. */

_Static_assert(UVR_ADDRESS_CANONICAL_SIZE + UVRELAY_USERS_SIZE + 256 < UVR_MUX_LINE_MAX, "every request fits");

/* Appends a text, and returns where the next one is to go. */
static char *append(char *at, const char *text)
{
  size_t length = strlen(text);
  memcpy(at, text, length + 1);
  return at + length;
}

/* Writes the request, with those options that differ from the far end's defaults. */
static void write_request(const uvr_via_target *target, char request[UVR_MUX_LINE_MAX + 1])
{
  uint64_t linger_ms = target->linger_ms < LINGER_LONGEST_MS ? target->linger_ms : LINGER_LONGEST_MS;
  char *options = append(append(request, "CONNECT "), target->address->canonical + strlen("via:"));
  char *at = options;
  if (linger_ms == 0) {
    at = append(at, "&linger=off");
  } else if (linger_ms != UVR_MUX_LINGER_MS) {
    at += snprintf(at, 48, "&linger=%" PRIu64 ".%03" PRIu64, linger_ms / 1000, linger_ms % 1000);
  }
  if (target->level != UVRELAY_IMPERSONATION_ANONYMOUS &&
      uvr_address_has(target->address, UVR_ADDRESS_HAS_IMPERSONATION)) {
    at = append(append(at, "&impersonation="), uvr_impersonation_name(target->level));
  }
  if (target->owner != NULL && *target->owner != '\0') {
    at = append(append(at, "&owner="), target->owner);
  }
  if (target->eof == UVRELAY_EOF_MARKER && uvr_address_has(target->address, UVR_ADDRESS_HAS_END_MARKER)) {
    at = append(at, "&eof=marker");
  }
  if (target->waits_for_absent) {
    at = append(at, "&absent=wait");
  }
  if (at > options) {
    *options = '?';
  }
  (void)append(at, "\n");
}

static uvr_mux *mux_of(const uvr_via *via)
{
  return (uvr_mux *)via;
}

/* The far end hides what its own connection to the target hides. */
static bool is_tcp(const uvr_address *target)
{
  return target->kind == UVR_ADDRESS_TCP || target->kind == UVR_ADDRESS_ASSUAN;
}

static int near_connect(uvr_via *via, const uvr_via_target *target, uvr_via_cb on_result, void *user, uvr_stream **out)
{
  uvr_mux *mux = mux_of(via);
  const uvrelay_allocator_t *memory = &mux->context->memory;
  char *lines = memory->allocate(memory->user, (size_t)2 * (UVR_MUX_LINE_MAX + 1)); /* zeroing it would take long */
  uvr_mux_stream *s = lines == NULL ? NULL : uvr_mux_stream_new(mux, target->address->canonical);
  if (s == NULL) {
    uvr_free(memory, lines);
    return UV_ENOMEM;
  }
  s->base.may_hide_leaving = is_tcp(target->address);
  s->line = lines;
  s->request = lines + UVR_MUX_LINE_MAX + 1;
  write_request(target, s->request);
  s->on_result = on_result;
  s->result_user = user;
  uvr_list_append(&mux->waiting, &s->waiting);
  if (mux->detaching || mux->closing || !open_waiting(mux)) {
    uvr_mux_wake(mux);
  }
  *out = &s->base;
  return 0;
}

static const uvrelay_error_t *near_why(const uvr_via *via)
{
  return &((const uvr_mux *)via)->why;
}

static void near_ref(uvr_via *via)
{
  uvr_mux_ref(mux_of(via));
}

static void near_unref(uvr_via *via)
{
  uvr_mux_unref(mux_of(via));
}

const uvr_via_ops uvr_mux_near_ops = {.connect = near_connect, .why = near_why, .ref = near_ref, .unref = near_unref};
