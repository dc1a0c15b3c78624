/* What every host here has: a loop, a check that ends the program, a watchdog, and an allocator that counts.
 *
 * A host opens with host_open(), runs its loop as it likes, and ends with host_close(), which fails if anything of it
 * is left: a handle on the loop, or a block that the library did not give back. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uvrelay.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fails the program unless it is true. */
#define CHECK(condition) ((condition) ? (void)0 : host_fail(__FILE__, __LINE__, #condition))

/* The same for a call that returns a libuv code. */
#define CHECK_CODE(call, expected) host_check_code(__FILE__, __LINE__, #call, (call), (expected))

typedef struct host_s {
  uv_loop_t loop;
  uv_timer_t watchdog;
  uv_thread_t thread; /* the loop's */
  size_t blocks;      /* that the library has */
  size_t allocated;   /* blocks it has ever had */
  size_t lines;       /* that the library logged */
} host_t;

/* Opens the loop, for the thread that calls this. If it is not closed in time, the program fails. */
void host_open(host_t *host);

/* To be called when the loop has run until it had nothing to do. */
void host_close(host_t *host);

/* For the library's options: both check that they are called on the loop's thread. Blocks are filled when they come and
 * when they go, so that no code can go on using what they held. Lines are printed if HOST_VERBOSE is set. */
uvrelay_allocator_t host_allocator(host_t *host);
uvrelay_log_t host_log(host_t *host);

/* Listens on a free port of 127.0.0.1, and tells which. */
int host_listen(uv_loop_t *loop, uv_tcp_t *listener, uv_connection_cb cb);

/* A byte that tells its place in a stream or message, and which one it is. */
char host_byte(unsigned seed, uint64_t place);
void host_fill(char *to, size_t length, unsigned seed, uint64_t place);
void host_verify(const char *data, size_t length, unsigned seed, uint64_t place);

/* Fails unless a session came to its regular end and `bytes` went each way. */
void host_check_ended(const uvrelay_result_t *result, uint64_t bytes);

void host_fail(const char *file, int line, const char *what);
void host_check_code(const char *file, int line, const char *call, int code, int expected);

#ifdef __cplusplus
}
#endif

#endif
