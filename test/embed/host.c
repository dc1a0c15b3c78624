/* See host.h. A program fails by its exit code: 1 for a check, 3 when its time is over. */
#include "host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A libuv handle made of FREED, should one be left on its loop, is not one that uv_loop_close() overlooks. */
enum { WATCHDOG_MS = 60000, FRESH = 0xA5, FREED = 0xCD };

static const uint64_t GUARD = 0x5AFE5AFE5AFE5AFEu;

/* Lies before each block, whose alignment it keeps. */
typedef union block_u {
  struct {
    size_t size;
    uint64_t guard;
  } head;
  max_align_t align;
} block_t;

void host_fail(const char *file, int line, const char *what)
{
  (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
  (void)fflush(NULL);
  _Exit(1);
}

static const char *name_of(int code)
{
  return code < 0 ? uv_err_name(code) : "no error";
}

void host_check_code(const char *file, int line, const char *call, int code, int expected)
{
  if (code != expected) {
    (void)fprintf(stderr, "%s:%d: %s gave %d (%s), not %d (%s)\n", file, line, call, code, name_of(code), expected,
                  name_of(expected));
    (void)fflush(NULL);
    _Exit(1);
  }
}

void host_check_ended(const uvrelay_result_t *result, uint64_t bytes)
{
  if (result->reason != UVRELAY_REASON_ENDED || result->to_right != bytes || result->to_left != bytes) {
    (void)fprintf(stderr, "reason %d, side %d, %llu bytes to the right, %llu to the left, not %llu; %s: %s\n",
                  (int)result->reason, (int)result->side, (unsigned long long)result->to_right,
                  (unsigned long long)result->to_left, (unsigned long long)bytes, name_of(result->error.code),
                  result->error.text);
    (void)fflush(NULL);
    _Exit(1);
  }
  CHECK_CODE(result->error.code, 0);
}

static void on_watchdog(uv_timer_t *timer)
{
  uv_print_all_handles(timer->loop, stderr);
  (void)fprintf(stderr, "not over after %d seconds\n", WATCHDOG_MS / 1000);
  (void)fflush(NULL);
  _Exit(3);
}

void host_open(host_t *host)
{
  memset(host, 0, sizeof(*host));
#ifdef SIGPIPE
  (void)signal(SIGPIPE, SIG_IGN); /* as every Unix program on libuv must */
#endif
  host->thread = uv_thread_self();
  CHECK_CODE(uv_loop_init(&host->loop), 0);
  CHECK_CODE(uv_timer_init(&host->loop, &host->watchdog), 0);
  CHECK_CODE(uv_timer_start(&host->watchdog, on_watchdog, WATCHDOG_MS, 0), 0);
  uv_unref((uv_handle_t *)&host->watchdog);
}

void host_close(host_t *host)
{
  CHECK(uv_run(&host->loop, UV_RUN_NOWAIT) == 0);
  uv_close((uv_handle_t *)&host->watchdog, NULL);
  CHECK(uv_run(&host->loop, UV_RUN_DEFAULT) == 0);
  CHECK_CODE(uv_loop_close(&host->loop), 0);
  CHECK(host->blocks == 0);
}

static void check_thread(const host_t *host)
{
  uv_thread_t self = uv_thread_self();
  CHECK(uv_thread_equal(&self, &host->thread));
}

static void *allocate(void *user, size_t size)
{
  host_t *host = user;
  check_thread(host);
  block_t *block = malloc(sizeof(*block) + size + sizeof(GUARD));
  CHECK(block != NULL);
  block->head.size = size;
  block->head.guard = GUARD;
  memset(block + 1, FRESH, size);
  memcpy((char *)(block + 1) + size, &GUARD, sizeof(GUARD));
  host->blocks++;
  host->allocated++;
  return block + 1;
}

static void release(void *user, void *memory)
{
  host_t *host = user;
  check_thread(host);
  block_t *block = (block_t *)memory - 1;
  CHECK(block->head.guard == GUARD); /* else it is none of ours, or freed already */
  CHECK(memcmp((char *)memory + block->head.size, &GUARD, sizeof(GUARD)) == 0);
  CHECK(host->blocks > 0);
  host->blocks--;
  memset(block, FREED, sizeof(*block) + block->head.size + sizeof(GUARD));
  free(block);
}

uvrelay_allocator_t host_allocator(host_t *host)
{
  uvrelay_allocator_t allocator = {allocate, release, host};
  return allocator;
}

static void write_line(void *user, const char *line)
{
  host_t *host = user;
  check_thread(host);
  CHECK(strchr(line, '\n') == NULL);
  host->lines++;
  if (getenv("HOST_VERBOSE") != NULL) {
    (void)fprintf(stderr, "  log: %s\n", line);
  }
}

uvrelay_log_t host_log(host_t *host)
{
  uvrelay_log_t log = {write_line, host};
  return log;
}

int host_listen(uv_loop_t *loop, uv_tcp_t *listener, uv_connection_cb cb)
{
  struct sockaddr_in address;
  int length = (int)sizeof(address);
  CHECK_CODE(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  CHECK_CODE(uv_tcp_init(loop, listener), 0);
  CHECK_CODE(uv_tcp_bind(listener, (const struct sockaddr *)(const void *)&address, 0), 0);
  CHECK_CODE(uv_listen((uv_stream_t *)listener, 16, cb), 0);
  CHECK_CODE(uv_tcp_getsockname(listener, (struct sockaddr *)(void *)&address, &length), 0);
  const unsigned char *port = (const unsigned char *)&address.sin_port; /* most significant byte first */
  return port[0] << 8 | port[1];
}

char host_byte(unsigned seed, uint64_t place)
{
  uint32_t mixed = ((uint32_t)place + seed * 0x01000193u) * 0x9E3779B1u;
  return (char)(mixed >> 24 & 0x7F);
}

void host_fill(char *to, size_t length, unsigned seed, uint64_t place)
{
  for (size_t i = 0; i < length; i++) {
    to[i] = host_byte(seed, place + i);
  }
}

void host_verify(const char *data, size_t length, unsigned seed, uint64_t place)
{
  for (size_t i = 0; i < length; i++) {
    CHECK(data[i] == host_byte(seed, place + i));
  }
}
