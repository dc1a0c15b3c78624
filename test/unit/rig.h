/* What the tests of the core stand on: a loop, an environment whose allocator counts, can fail and spoils what is
 * freed, and ways to run the loop that cannot hang. Used by one thread. */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"

enum {
  RIG_SOON_MS = 10000, /* what happens at once has happened by then, however busy the machine; only a fault is later */
  RIG_PATIENCE_MS = 30000 /* no test waits longer for anything */
};

typedef struct rig {
  uv_loop_t loop;
  uvr_context context;
  uv_timer_t guard;
  bool guard_fired;
  bool clock_closed;
  size_t blocks;      /* allocated and not given back */
  size_t bytes;       /* in them */
  size_t bytes_max;   /* the most that there were; may be set back by the test */
  size_t allocations; /* so far */
  size_t fail_at;     /* which allocation fails, counted from 1; 0: none */
  bool failed;        /* it did */
  size_t buffers;     /* of the blocks, relay buffers, in use or in the pool */
  void *freed;        /* blocks kept back, to see whether anybody still writes to them */
  uint64_t random;
} rig;

void rig_init(rig *r);

/* Asserts that everything was closed and given back. */
void rig_clear(rig *r);

/* The next of a repeatable series of numbers, below `limit`. */
unsigned rig_random(rig *r, unsigned limit);

/* Relay buffers that somebody holds. */
size_t rig_buffers_held(const rig *r);

/* Whether the data is that of a buffer that lies in the pool, where it must not be used. */
bool rig_buffer_is_free(const rig *r, const char *data);

/* Runs the loop until nothing is left to come. */
void rig_run(rig *r);

/* Runs the loop `turns` times without waiting. */
void rig_turns(rig *r, unsigned turns);

/* What is tried at every turn of the loop, call or allocation is tried at every third one on Windows, where Wine makes
 * each try take ten times as long. What it tests is the same on both systems. */
#ifdef _WIN32
enum { RIG_STRIDE = 3 };
#else
enum { RIG_STRIDE = 1 };
#endif

/* Runs the loop until *flag is true; false when it is not within RIG_PATIENCE_MS or nothing is left to come. */
bool rig_run_until(rig *r, const bool *flag);

/* Runs the loop for so long, whatever happens. */
void rig_run_ms(rig *r, uint64_t ms);

/* Byte number `position` of the stream of test data that `seed` names. */
char rig_byte(unsigned seed, uint64_t position);

#endif
