/* Makes one call fail: a call of the system's or of libuv's, made by the library (or by libuv for the library), and
 * not by the test itself.
 *
 * How the calls get here: the tests named test_fault_* link copies of the library and of libuv in which objcopy has
 * renamed each call that has a wrapper in fault_calls.c (see fault.cmake). So what is tested is, byte for byte,
 * the code that is used; only whom it calls differs. The linker's --wrap would not do: it also takes the calls of the
 * tests' own peers, which would then fail instead.
 *
 * A descriptor is the library's if the library has opened it or has passed it to libuv. What libuv does with such a
 * descriptor may fail, from inside the loop, too.
 *
 * Use: a scenario is run with the first call failing in the first way, then in its other ways, then with the second
 * call failing, and so on, until a run makes fewer calls. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

/* What a call that fails does. */
typedef enum fault_kind {
  FAULT_FAILS,   /* returns an error */
  FAULT_REPEATS, /* returns an error that means "call again": nothing may be noticed */
  FAULT_SHORT    /* does the first byte's work only: nothing may be noticed */
} fault_kind;

typedef struct fault_way {
  fault_kind kind;
  int code; /* the system's or libuv's */
} fault_way;

/* For the wrappers: a call's ways, and how many there are. */
#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

#define FAILS(code)                                                                                                    \
  {                                                                                                                    \
    FAULT_FAILS, code                                                                                                  \
  }
#define REPEATS(code)                                                                                                  \
  {                                                                                                                    \
    FAULT_REPEATS, code                                                                                                \
  }
#define SHORT_ONE                                                                                                      \
  {                                                                                                                    \
    FAULT_SHORT, 0                                                                                                     \
  }

typedef struct fault_plan {
  unsigned at;      /* which call fails, counted from 1; 0: none */
  unsigned way;     /* in which of its ways, counted from 0 */
  const char *only; /* only calls of this name count; NULL: all */
} fault_plan;

/* Sets what is to fail, and forgets what was found before. */
void fault_plan_is(fault_plan plan);

/* Begins to count. */
void fault_arm(void);

/* No call fails from here on. What was found stays. */
void fault_disarm(void);

/* Whether the call was made, and has failed. */
bool fault_fired(void);

/* Whether nothing of it may be noticed. */
bool fault_is_harmless(void);

/* The error, the system's or libuv's. */
int fault_code(void);

/* What was made to fail, such as "call 12 of 14: connect, error 111"; also before it fires. */
const char *fault_text(void);

/* Goes on to the plan of the next run, after one. Returns false when it was the last one. */
bool fault_next(fault_plan *plan);

/* Runs a scenario once for each of its calls and each of their ways; it arms when all is prepared. Returns the number
 * of runs in which a call failed. */
unsigned fault_each(void (*scenario)(void *user), void *user);

/* To be used as the teardown of each test: tells what was made to fail when it failed. */
int fault_teardown(void **state);

/* For programs: called with fault_text() when the call is made, or with a text without a way when it has no such way.
 */
void fault_on_reached(void (*cb)(const char *text));

/* For the wrappers. */

/* Counts a call. Returns how it is to fail, or NULL. The ways of a call must not depend on anything but its arguments.
 */
const fault_way *fault_of(const char *call, const fault_way *ways, unsigned count);

/* The library calls libuv or the system, and has returned from there. Keeps errno. */
void fault_enter(void);
void fault_leave(void);

/* Whether the calling thread is between these. */
bool fault_is_inside(void);

/* Everything in the process is the library's. */
void fault_own_all(void);
bool fault_owns_all(void);

#endif
