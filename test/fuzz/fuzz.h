/* What the fuzzers share: checks that hold in every build, and an input that is taken bit by bit. A fuzzer is a
 * function of its input alone: no clock, no randomness of its own, and all memory is given back after each run. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"

/* Ends the process with a message, which libFuzzer takes as a finding, unless the condition holds. */
#define CHECK(condition, ...)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                                          \
    }                                                                                                                  \
  } while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...) UVR_PRINTF(4, 5);

/* What is left of the input. */
typedef struct fuzz_input {
  const uint8_t *data;
  size_t size;
} fuzz_input;

/* The next byte; 0 when there is none. */
unsigned fuzz_byte(fuzz_input *in);

/* A number below `limit`, which is at most 65536. */
unsigned fuzz_below(fuzz_input *in, unsigned limit);

/* A copy of the text up to the next separator or the end of the input, without NULs; moves after it. To be freed. */
char *fuzz_text(fuzz_input *in, char separator);

/* Checks that an error is of this code and has a sentence of one line without control characters. */
void fuzz_check_error(const uvrelay_error_t *error, int code);

/* Checks that a text is UTF-8 and has no hidden character, as all that is written to a terminal must be. */
void fuzz_check_shown(const char *text, size_t length);

/* Checks lines of the log, each with its newline: text without hidden characters, or JSON objects. */
void fuzz_check_lines(const char *text, size_t length, bool json);

/* From now on the loops' clock stands still, at the same time in each run, but for these two. */
void fuzz_clock_stop(void);
void fuzz_clock_advance(uint64_t ms);

/* One turn of the loop without waiting: the clock goes on to the next timer if nothing else is to come before. Returns
 * false if nothing is to come at all. */
bool fuzz_turn(uv_loop_t *loop);

/* libFuzzer calls it for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
