/* The ground of the core's tests: see rig.h. */
#include "rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/offload.h"

/* gcc's way to say that the address sanitizer is there, and clang's. */
#ifdef __SANITIZE_ADDRESS__
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

/* Before each block; 32 bytes, to keep malloc's alignment. */
typedef struct block {
  uint64_t size;
  uint64_t magic;
  struct block *next; /* of those kept back */
  uint64_t unused;
} block;

enum { SPOILT = 0x5A, MUX_BUFFER = 16 * 1024 };

static const uint64_t LIVE = 0x6c697665626c6f63;
static const uint64_t DEAD = 0x64656164626c6f63;

static bool is_buffer(uint64_t size)
{
  return size == sizeof(uvr_buffer) + UVR_BUFFER_SMALL || size == sizeof(uvr_buffer) + UVR_BUFFER_LARGE;
}

static void *allocate(void *user, size_t size)
{
  rig *r = user;
  if (++r->allocations == r->fail_at) {
    r->failed = true;
    return NULL;
  }
  block *b = malloc(sizeof(*b) + size);
  assert_non_null(b);
  *b = (block){.size = size, .magic = LIVE};
  memset(b + 1, 0xA5, size);
  r->blocks++;
  r->bytes += size;
  r->bytes_max = r->bytes > r->bytes_max ? r->bytes : r->bytes_max;
  r->buffers += is_buffer(size) ? 1U : 0U;
  return b + 1;
}

static void release(void *user, void *memory)
{
  rig *r = user;
  block *b = (block *)memory - 1;
  if (b->magic != LIVE) {
    fail_msg("%s", b->magic == DEAD ? "a block is freed twice" : "what is freed was not allocated here");
  }
  r->blocks--;
  r->bytes -= b->size;
  r->buffers -= is_buffer(b->size) ? 1U : 0U;
  b->magic = DEAD;
  memset(memory, SPOILT, b->size);
#ifdef ADDRESS_SANITIZER
  free(b); /* the sanitizer sees who touches it */
#else
  if (is_buffer(b->size) || b->size == sizeof(uvr_buffer) + MUX_BUFFER) { /* there are too many */
    free(b);
    return;
  }
  b->next = r->freed;
  r->freed = b;
#endif
}

static void check_freed(rig *r)
{
  for (block *b = r->freed; b != NULL; b = r->freed) {
    const unsigned char *bytes = (const unsigned char *)(b + 1);
    r->freed = b->next;
    for (uint64_t i = 0; i < b->size; i++) {
      if (bytes[i] != SPOILT) {
        fail_msg("a block of %u bytes was written to after it was freed", (unsigned)b->size);
      }
    }
    free(b);
  }
}

static void on_guard(uv_timer_t *timer)
{
  rig *r = timer->data;
  r->guard_fired = true;
  uv_stop(&r->loop);
}

void rig_init(rig *r)
{
#ifdef SIGPIPE
  (void)signal(SIGPIPE, SIG_IGN); /* as every program with sockets must */
#endif
  memset(r, 0, sizeof(*r));
  assert_int_equal(uv_loop_init(&r->loop), 0);
  uvrelay_allocator_t memory = {.allocate = allocate, .release = release, .user = r};
  uvrelay_log_t log = {0};
  assert_int_equal(uvr_context_init(&r->context, &r->loop, &memory, &log), 0);
  r->context.offload = uvr_offload_new(&memory);
  assert_non_null(r->context.offload);
  assert_int_equal(uv_timer_init(&r->loop, &r->guard), 0);
  r->guard.data = r;
  uv_unref((uv_handle_t *)&r->guard);
  r->random = 1;
}

static void on_offload_closed(void *user)
{
  ((rig *)user)->context.offload = NULL;
}

static void on_clock_closed(void *user)
{
  ((rig *)user)->clock_closed = true;
}

void rig_clear(rig *r)
{
  uv_close((uv_handle_t *)&r->guard, NULL);
  uvr_offload_close(r->context.offload, on_offload_closed, r);
  uvr_clock_close(r->context.clock, on_clock_closed, r);
  (void)uv_run(&r->loop, UV_RUN_DEFAULT);
  assert_null(r->context.offload);
  assert_true(r->clock_closed);
  assert_int_equal(rig_buffers_held(r), 0);
  uvr_context_clear(&r->context);
  check_freed(r);
  if (r->blocks != 0) {
    fail_msg("%u blocks of memory were not given back", (unsigned)r->blocks);
  }
  assert_int_equal(uv_loop_close(&r->loop), 0); /* UV_EBUSY: a handle was not closed */
}

unsigned rig_random(rig *r, unsigned limit)
{
  r->random = r->random * 6364136223846793005U + 1442695040888963407U;
  return (unsigned)(r->random >> 33) % limit;
}

size_t rig_buffers_held(const rig *r)
{
  return r->buffers - r->context.buffers.small_count - r->context.buffers.large_count;
}

static bool is_in(const uvr_buffer *list, const char *data)
{
  for (const uvr_buffer *b = list; b != NULL; b = b->next) {
    if (data >= b->data && data < b->data + b->capacity) {
      return true;
    }
  }
  return false;
}

bool rig_buffer_is_free(const rig *r, const char *data)
{
  return is_in(r->context.buffers.small_free, data) || is_in(r->context.buffers.large_free, data);
}

/* Before 1.45 libuv calls timers first and then waits for something else, so the guard comes again. */
static void start_guard(rig *r, uint64_t ms)
{
  uv_update_time(&r->loop);
  r->guard_fired = false;
  assert_int_equal(uv_timer_start(&r->guard, on_guard, ms, ms + 1), 0);
}

void rig_run(rig *r)
{
  start_guard(r, RIG_PATIENCE_MS);
  (void)uv_run(&r->loop, UV_RUN_DEFAULT);
  (void)uv_timer_stop(&r->guard);
  if (r->guard_fired) {
    fail_msg("%s", "the loop still runs");
  }
}

void rig_turns(rig *r, unsigned turns)
{
  for (unsigned i = 0; i < turns; i++) {
    (void)uv_run(&r->loop, UV_RUN_NOWAIT);
  }
}

bool rig_run_until(rig *r, const bool *flag)
{
  /* See start_guard: what sets the flag may be a timer, too. */
  const uint64_t end = uv_hrtime() + (uint64_t)RIG_PATIENCE_MS * 1000000;
  bool alive = true;
  while (!*flag && alive && uv_hrtime() < end) {
    start_guard(r, 20);
    alive = uv_run(&r->loop, UV_RUN_ONCE) != 0;
  }
  (void)uv_timer_stop(&r->guard);
  return *flag;
}

void rig_run_ms(rig *r, uint64_t ms)
{
  uv_ref((uv_handle_t *)&r->guard);
  start_guard(r, ms);
  while (!r->guard_fired) {
    (void)uv_run(&r->loop, UV_RUN_ONCE);
  }
  (void)uv_timer_stop(&r->guard);
  uv_unref((uv_handle_t *)&r->guard);
}

char rig_byte(unsigned seed, uint64_t position)
{
  uint64_t x = (position / 7 + seed) * 0x9E3779B97F4A7C15U;
  return (char)(x >> (8 * (position % 7)));
}
