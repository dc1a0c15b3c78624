/* The pair, over scripted streams: every way to end, each of them with several timings, cancelled after every turn
 * of the loop, and with every allocation failing in turn. Whatever happens, on_end comes once, then on_close once,
 * last, and nothing is left. Pairs whose right side is dialled are tried with a real server. */
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/dial.h"
#include "fake_stream.h"
#include "relay/pair.h"
#include "tcp_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STEPS(...)   ((const fake_step[]){__VA_ARGS__, {0}})
#define DATA(bytes)                                                                                                    \
  {                                                                                                                    \
    .size = (bytes)                                                                                                    \
  }
#define LATE(bytes)                                                                                                    \
  {                                                                                                                    \
    .size = (bytes), .turns = 20                                                                                       \
  }
#define PART(bytes)                                                                                                    \
  {                                                                                                                    \
    .size = (bytes), .part = true                                                                                      \
  }
#define REPLY(bytes, to)                                                                                               \
  {                                                                                                                    \
    .size = (bytes), .turns = 1, .after_written = (to)                                                                 \
  }
#define END                                                                                                            \
  {                                                                                                                    \
    .outcome = UVR_END_OF_INPUT                                                                                        \
  }
#define LATE_END                                                                                                       \
  {                                                                                                                    \
    .outcome = UVR_END_OF_INPUT, .turns = 20                                                                           \
  }
#define GONE                                                                                                           \
  {                                                                                                                    \
    .outcome = UVR_GONE                                                                                                \
  }
#define LATE_GONE                                                                                                      \
  {                                                                                                                    \
    .outcome = UVR_GONE, .turns = 20                                                                                   \
  }
#define FAILURE                                                                                                        \
  {                                                                                                                    \
    .outcome = UVR_FAILED                                                                                              \
  }

enum { TURNS_MAX = 120, GRACE_MS = 200, ANY = -1 };

/* -s and the like, in the program's terms. */
#define OPTIONS_NONE                                                                                                   \
  {                                                                                                                    \
    .eof_to_right = UVRELAY_EOF_NONE                                                                                   \
  }
#define OPTIONS_S                                                                                                      \
  {                                                                                                                    \
    0                                                                                                                  \
  }
#define OPTIONS_EI                                                                                                     \
  {                                                                                                                    \
    .end_after_left = true, .eof_to_right = UVRELAY_EOF_NONE                                                           \
  }
#define OPTIONS_EP                                                                                                     \
  {                                                                                                                    \
    .end_after_right = true, .eof_to_right = UVRELAY_EOF_NONE                                                          \
  }
/* Of a program on the library, which waits long for silence. */
#define OPTIONS_PATIENT                                                                                                \
  {                                                                                                                    \
    .linger_ms = 60000, .left_linger_ms = 60000, .told_linger_ms = 60000                                               \
  }

typedef struct scenario {
  const char *name;
  uvr_pair_options options;
  fake_script left;
  fake_script right;
  /* What must come of it. */
  bool stays;              /* it does not end by itself */
  bool grace;              /* it ends after the grace for the last writes and not before */
  uvrelay_reason_t reason; /* with a code: UVRELAY_REASON_FAILED */
  int side;                /* uvrelay_side_t, or ANY */
  int code;
  const char *text;
  uint64_t to_right;
  uint64_t to_left;
  int right_shutdowns; /* how often; or ANY */
  int left_shutdowns;
} scenario;

static const scenario scenarios[] = {
    {.name = "both end, the left side first, and closing it shows it the end",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), DATA(20), END), .closing_ends = true},
     .right = {.reads = STEPS(REPLY(30, 30), END), .closing_ends = true},
     .to_right = 30,
     .to_left = 30,
     .right_shutdowns = 1,
     .left_shutdowns = 0},
    {.name = "both end, the right side first, and closing it shows it the end",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), LATE(20), LATE(30), END), .closing_ends = true},
     .right = {.reads = STEPS(DATA(30), END), .closing_ends = true},
     .to_right = 60,
     .to_left = 30,
     .right_shutdowns = 0,
     .left_shutdowns = 1},
    {.name = "both end, the left side first",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), DATA(20), END)},
     .right = {.reads = STEPS(REPLY(30, 30), END)},
     .to_right = 30,
     .to_left = 30,
     .right_shutdowns = 1,
     .left_shutdowns = ANY},
    {.name = "both end, the right side first: the left side's bytes go on until its own end",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), LATE(20), LATE(30), END)},
     .right = {.reads = STEPS(DATA(30), END)},
     .to_right = 60,
     .to_left = 30,
     .right_shutdowns = 1,
     .left_shutdowns = 1},
    {.name = "both end at once, with nothing said",
     .side = ANY,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(END)},
     .right = {.reads = STEPS(END)},
     .right_shutdowns = ANY,
     .left_shutdowns = ANY},
    {.name = "both end with long bytes before, on slow streams",
     .side = ANY,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(65536), DATA(65536), DATA(1), DATA(65536), END), .write_turns = 3},
     .right = {.reads = STEPS(DATA(65536), DATA(65535), DATA(65536), END), .write_turns = 2, .shutdown = {.turns = 3}},
     .to_right = 3 * 65536 + 1,
     .to_left = 3 * 65536 - 1,
     .right_shutdowns = 1,
     .left_shutdowns = 1},
    {.name = "half-close, and the reply comes late",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.reads = STEPS({.size = 5, .turns = 60, .after_written = 10}, LATE(6), LATE_END)},
     .to_right = 10,
     .to_left = 11,
     .right_shutdowns = 1,
     .left_shutdowns = 1},
    {.name = "half-close, the reply, then the right side is gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.reads = STEPS({.size = 5, .turns = 30, .after_written = 10}, LATE_GONE)},
     .to_right = 10,
     .to_left = 5,
     .right_shutdowns = 1},
    {.name = "half-close where the right side has none: stay",
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.no_half_close = true},
     .stays = true,
     .to_right = 10},
    {.name = "half-close where the right side has none: until it is gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.no_half_close = true, .reads = STEPS(REPLY(7, 10), LATE_GONE)},
     .to_right = 10,
     .to_left = 7},
    {.name = "half-close that takes for ever, and the right side is gone meanwhile",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.reads = STEPS(REPLY(7, 10), LATE_GONE), .shutdown = {.turns = FAKE_NEVER}},
     .to_right = 10,
     .to_left = 7,
     .right_shutdowns = 1},
    {.name = "half-close that fails",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.shutdown = {.outcome = UVR_FAILED, .turns = 2}},
     .code = UV_EIO,
     .text = "right: scripted failure, phase 6",
     .to_right = 10,
     .right_shutdowns = 1},
    {.name = "half-close to a side that is gone, which has left something to read",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.shutdown = {.outcome = UVR_GONE}, .reads = STEPS(LATE(9), LATE(9), GONE)},
     .to_right = 10,
     .to_left = 18,
     .right_shutdowns = 1},
    {.name = "the left side ends and no option says more: stay",
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), END)},
     .stays = true,
     .to_right = 10},
    {.name = "the left side ends and no option says more: until the right side ends",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.reads = STEPS(LATE(40), LATE_END)},
     .to_right = 10,
     .to_left = 40,
     .left_shutdowns = 1},
    {.name = "the left side ends and no option says more: until the right side is gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.reads = STEPS(LATE(40), LATE_GONE)},
     .to_right = 10,
     .to_left = 40},
    {.name = "-ei: the left side's end is the end, once all is written",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_EI,
     .left = {.reads = STEPS(DATA(10), DATA(20), DATA(30), END)},
     .right = {.write_turns = 7},
     .to_right = 60},
    {.name = "-ei with -s: without the half-close",
     .side = UVRELAY_LEFT,
     .options = {.end_after_left = true},
     .left = {.reads = STEPS(DATA(10), DATA(20), END)},
     .right = {.write_turns = 2},
     .to_right = 30},
    {.name = "-ep: the right side's end is the end, once all is written",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_EP,
     .left = {.write_turns = 7},
     .right = {.reads = STEPS(DATA(10), DATA(20), DATA(30), END)},
     .to_left = 60},
    {.name = "the right side ends: the output is closed and the input goes on; stay",
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), LATE(20))},
     .right = {.reads = STEPS(DATA(30), END)},
     .stays = true,
     .to_right = 30,
     .to_left = 30,
     .left_shutdowns = 1},
    {.name = "the right side ends, and later it is gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10))},
     .right = {.reads = STEPS(DATA(30), END), .lost = {.outcome = UVR_GONE, .turns = 20}},
     .to_right = 10,
     .to_left = 30,
     .left_shutdowns = 1},
    {.name = "both end, and the right side goes before it is known that it was told",
     .reason = UVRELAY_REASON_ENDED,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.npipe = true,
               .reads = STEPS(DATA(30), END),
               .shutdown = {.turns = FAKE_NEVER},
               .lost = {.outcome = UVR_GONE, .turns = 20}},
     .to_right = 10,
     .to_left = 30,
     .right_shutdowns = 1,
     .left_shutdowns = 1},
    {.name = "both end, and the left side goes before it is known that it was told",
     .reason = UVRELAY_REASON_ENDED,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.npipe = true,
              .reads = STEPS(DATA(10), END),
              .shutdown = {.turns = FAKE_NEVER},
              .lost = {.outcome = UVR_GONE, .turns = 20}},
     .right = {.reads = STEPS(DATA(30), END)},
     .to_right = 10,
     .to_left = 30,
     .right_shutdowns = 1,
     .left_shutdowns = 1},
    {.name = "the right side ends, and later it breaks the rules",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10))},
     .right = {.reads = STEPS(DATA(30), END), .lost = {.outcome = UVR_FAILED, .turns = 20}},
     .code = UV_EIO,
     .text = "right: scripted failure, phase 5",
     .to_right = 10,
     .to_left = 30,
     .left_shutdowns = 1},
    {.name = "the right side ends, and writing finds it gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), LATE(20), LATE(20))},
     .right = {.reads = STEPS(DATA(30), END), .writes_done = 1, .write_end = GONE},
     .to_right = 10,
     .to_left = 30,
     .left_shutdowns = 1},
    {.name = "the right side ends and the left side has no half-close",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), LATE(20), END), .no_half_close = true},
     .right = {.reads = STEPS(DATA(30), END)},
     .to_right = 30,
     .to_left = 30},
    {.name = "the output's closing fails",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.shutdown = {.outcome = UVR_FAILED, .turns = 1}},
     .right = {.reads = STEPS(DATA(30), END)},
     .code = UV_EIO,
     .text = "left: scripted failure, phase 6",
     .to_left = 30,
     .left_shutdowns = 1},
    {.name = "the output's closing finds no reader: the input goes on",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), LATE(20), END), .shutdown = {.outcome = UVR_GONE, .turns = 1}},
     .right = {.reads = STEPS(DATA(30), END)},
     .to_right = 30,
     .to_left = 30,
     .left_shutdowns = 1},
    {.name = "the right side is gone: what it gave is written first",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.write_turns = 5},
     .right = {.reads = STEPS(DATA(30), DATA(65536), DATA(5), GONE)},
     .to_left = 65571},
    {.name = "the right side is gone for writing and has left something to read, and its end",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), DATA(20))},
     .right = {.reads = STEPS(LATE(50), LATE(60), END), .writes_done = 1, .write_end = GONE},
     .to_right = 10,
     .to_left = 110,
     .left_shutdowns = ANY},
    {.name = "the right side is gone for writing and has left something to read",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), DATA(20), END), .write_turns = 3},
     .right = {.reads = STEPS(LATE(50), LATE(60), GONE), .write_end = GONE},
     .to_left = 110},
    {.name = "the left side is gone on reading",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), DATA(20), GONE)},
     .right = {.write_turns = 2},
     .to_right = 30},
    {.name = "nobody reads the output, and the input is a file of its own",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.ends_when_lost = true, .reads = STEPS(DATA(10)), .write_end = GONE},
     .right = {.reads = STEPS(LATE(30))},
     .to_right = 10},
    {.name = "nobody reads the output, as the watch tells, and the input is a file of its own",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.ends_when_lost = true, .reads = STEPS(DATA(10)), .lost = {.outcome = UVR_GONE, .turns = 25}},
     .to_right = 10},
    {.name = "nobody reads the output, the input has ended, and the half-close is done",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.ends_when_lost = true, .reads = STEPS(DATA(10), END), .lost = {.outcome = UVR_GONE, .turns = 25}},
     .to_right = 10,
     .right_shutdowns = 1},
    {.name = "nobody reads the output, the input has ended, and its last bytes are on their way",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.ends_when_lost = true, .reads = STEPS(DATA(30), END), .lost = {.outcome = UVR_GONE, .turns = 15}},
     .right = {.write_turns = 40},
     .to_right = 30},
    {.name = "nobody reads the output, the input has ended, and its last bytes are never taken",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.ends_when_lost = true,
              .reads = STEPS(DATA(10), DATA(20), END),
              .lost = {.outcome = UVR_GONE, .turns = 15}},
     .right = {.writes_done = 1, .write_end = {.outcome = UVR_FAILED, .turns = FAKE_NEVER}},
     .grace = true,
     .to_right = 10},
    {.name = "nobody reads the output, and what the input gave before is on its way",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.ends_when_lost = true, .reads = STEPS(DATA(10), DATA(20)), .lost = {.outcome = UVR_GONE, .turns = 15}},
     .right = {.write_turns = 20},
     .grace = true,
     .to_right = 30},
    {.name = "the left socket is gone for writing: what it gave is passed on until its end",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), LATE(20), LATE(30), LATE_END), .write_end = GONE},
     .right = {.reads = STEPS(LATE(5), DATA(5))},
     .to_right = 60},
    {.name = "the left socket is gone, as the watch tells: what it gave is passed on until its end",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), LATE(20), LATE(30), LATE_END), .lost = {.outcome = UVR_GONE, .turns = 3}},
     .to_right = 60,
     /* Nothing more of this is written, and the half-close is not waited for. */
     .right = {.reads = STEPS(LATE(30), LATE(30)), .shutdown = {.turns = FAKE_NEVER}},
     .right_shutdowns = ANY},
    {.name = "the left socket is gone for writing, twice told",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), LATE(20), LATE_END),
              .write_end = GONE,
              .lost = {.outcome = UVR_GONE, .turns = 30}},
     .right = {.reads = STEPS(LATE(5))},
     .to_right = 30},
    {.name = "the left socket is gone for writing and gives neither bytes nor an end",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10)), .write_end = GONE},
     .right = {.reads = STEPS(LATE(5), DATA(5))},
     .grace = true,
     .to_right = 10},
    {.name = "the left socket is gone for writing, and then the right side, too",
     .reason = UVRELAY_REASON_GONE,
     .side = ANY,
     .options = OPTIONS_NONE,
     .left = {.reads = STEPS(DATA(10), {.size = 20, .turns = 60}), .write_end = GONE},
     .right = {.reads = STEPS(LATE(5)), .writes_done = 1, .write_end = GONE},
     .to_right = 10},
    {.name = "messages, both ways, in parts",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_S,
     .left = {.keeps_messages = true,
              .npipe = true,
              .reads = STEPS(PART(1000), PART(65536), DATA(5), DATA(7), PART(1), DATA(1), END),
              .write_turns = 2},
     .right = {.keeps_messages = true, .npipe = true, .reads = STEPS(REPLY(30, 7), PART(65536), DATA(3), LATE_END)},
     .to_right = 66550,
     .to_left = 65569,
     .right_shutdowns = 1,
     .left_shutdowns = 1},
    {.name = "a message without its end",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.keeps_messages = true, .npipe = true, .reads = STEPS(DATA(10), PART(20), PART(30), END)},
     .right = {.keeps_messages = true, .npipe = true},
     .code = UV_EPROTO,
     .text = "left ended in the middle of a message (EPROTO)",
     .to_right = 10},
    {.name = "the left pipe has ended, and then it is gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.npipe = true, .reads = STEPS(DATA(10), END), .lost = LATE_GONE},
     .right = {.reads = STEPS(DATA(30))},
     .to_right = 10,
     .to_left = 30,
     .right_shutdowns = 1},
    {.name = "the left pipe has ended, and then it breaks the rules",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.npipe = true, .reads = STEPS(DATA(10), END), .lost = {.outcome = UVR_FAILED, .turns = 20}},
     .right = {.reads = STEPS(DATA(30))},
     .code = UV_EIO,
     .text = "left: scripted failure, phase 5",
     .to_right = 10,
     .to_left = 30,
     .right_shutdowns = 1},
    {.name = "silence that is waited for, and the right side ends after all",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_PATIENT,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.no_half_close = true, .reads = STEPS(REPLY(30, 10), LATE(5), LATE_END)},
     .to_right = 10,
     .to_left = 35,
     .left_shutdowns = 1},
    {.name = "silence that is waited for, and the right side is gone",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_PATIENT,
     .left = {.reads = STEPS(DATA(10), END)},
     .right = {.no_half_close = true, .reads = STEPS(REPLY(30, 10), LATE_GONE)},
     .to_right = 10,
     .to_left = 30},
    {.name = "silence that is waited for, and nobody reads the output",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_PATIENT,
     .left = {.reads = STEPS(DATA(10), END), .writes_done = 1, .write_end = GONE},
     .right = {.no_half_close = true, .reads = STEPS(REPLY(30, 10), LATE(5))},
     .to_right = 10,
     .to_left = 30},
    {.name = "silence of the left side that is waited for, and it fails",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_PATIENT,
     .left = {.no_half_close = true, .reads = STEPS(DATA(10), {.outcome = UVR_FAILED, .turns = 30})},
     .right = {.reads = STEPS(DATA(30), END)},
     .code = UV_EIO,
     .to_right = 10,
     .to_left = 30},
    {.name = "the left side has ended, and is gone before the right side is told of the end",
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), END), .write_end = GONE},
     .right = {.reads = STEPS(REPLY(30, 10)), .shutdown = {.turns = 20}},
     .to_right = 10,
     .right_shutdowns = 1},
    {.name = "reading from the left side fails: what it gave is written",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_S,
     .left = {.reads = STEPS(DATA(10), DATA(20), FAILURE)},
     .right = {.write_turns = 4},
     .code = UV_EIO,
     .text = "left: scripted failure, phase 4",
     .to_right = 30},
    {.name = "writing to the left side fails",
     .side = UVRELAY_LEFT,
     .options = OPTIONS_NONE,
     .left = {.writes_done = 1, .write_end = FAILURE},
     .right = {.reads = STEPS(DATA(10), DATA(20), DATA(30), END)},
     .code = UV_EIO,
     .text = "left: scripted failure, phase 5",
     .to_left = 10},
    {.name = "reading from the right side fails: what it gave is written",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_NONE,
     .left = {.write_turns = 4},
     .right = {.reads = STEPS(DATA(10), DATA(20), FAILURE)},
     .code = UV_EIO,
     .text = "right: scripted failure, phase 4",
     .to_left = 30},
    {.name = "writing to the right side fails",
     .side = UVRELAY_RIGHT,
     .options = OPTIONS_EI,
     .left = {.reads = STEPS(DATA(10), DATA(20), DATA(30), END)},
     .right = {.writes_done = 2, .write_end = FAILURE},
     .code = UV_EIO,
     .text = "right: scripted failure, phase 5",
     .to_right = 30},
};

/* What is added to a scenario's own timing. */
typedef struct timing {
  unsigned left_slower;
  unsigned right_slower;
  unsigned left_close;
  unsigned right_close;
} timing;

static const timing timings[] = {{0, 0, 0, 0}, {1, 0, 3, 0}, {0, 1, 0, 3}, {2, 2, 1, 2}};

typedef struct bench {
  rig r;
  fake *left;
  fake *right;
  uvr_pair *pair;
  uvr_dial *dial; /* of the right side */
  uvr_closing closing;
  uvrelay_result_t result;
  unsigned ends;
  unsigned closes;
  bool closed;
  bool again; /* on_end starts another pair */
  struct bench *next;
} bench;

static void on_close(void *user)
{
  bench *b = user;
  assert_int_equal(b->ends, 1);
  assert_int_equal(b->closes, 0);
  assert_true(b->left->closed); /* last */
  assert_true(b->right == NULL || b->right->closed);
  b->closes++;
  b->closed = true;
  b->pair = NULL;
}

static void on_end(void *user, const uvrelay_result_t *result)
{
  bench *b = user;
  assert_int_equal(b->ends, 0);
  assert_int_equal(b->closes, 0);
  assert_true(b->left->closing);
  assert_true(b->right == NULL || b->right->closing);
  b->ends++;
  b->result = *result;
}

static uvr_pair_events events_of(bench *b)
{
  return (uvr_pair_events){.on_end = on_end, .on_close = on_close, .user = b};
}

static void bench_init(bench *b, const scenario *s, const timing *t)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  fake_script left = s->left;
  fake_script right = s->right;
  left.slower = t->left_slower;
  right.slower = t->right_slower;
  left.close_turns = t->left_close;
  right.close_turns = t->right_close;
  b->left = fake_new(&b->r, "left", 1, &left);
  b->right = fake_new(&b->r, "right", 2, &right);
}

static int start(bench *b, const scenario *s)
{
  uvr_pair_events events = events_of(b);
  return uvr_pair_start(&b->r.context, b->left->stream, b->right->stream, &s->options, &events, &b->pair);
}

static void bench_clear(bench *b)
{
  rig_run(&b->r); /* nothing comes late */
  fake_free(b->left);
  if (b->right != NULL) {
    fake_free(b->right);
  }
  rig_clear(&b->r);
}

/* What holds in whatever way a pair has ended. */
static void assert_clean(const bench *b)
{
  assert_int_equal(b->ends, 1);
  assert_int_equal(b->closes, 1);
  assert_true(b->left->closed && b->right->closed);
  fake_assert_relayed(b->left, b->right, b->right->taken);
  fake_assert_relayed(b->right, b->left, b->left->taken);
  assert_int_equal(b->result.to_right, b->right->taken);
  assert_int_equal(b->result.to_left, b->left->taken);
  /* Two buffers a direction. */
  assert_in_range(b->left->held_max, 0, 4);
  assert_in_range(b->right->held_max, 0, 4);
}

static void assert_shutdowns(unsigned count, int wanted)
{
  if (wanted != ANY) {
    assert_int_equal(count, wanted);
  }
}

static void run_scenario(const scenario *s, const timing *t)
{
  bench b;
  bench_init(&b, s, t);
  b.r.context.patience.last_writes_ms = s->grace ? GRACE_MS : RIG_PATIENCE_MS;
  uv_update_time(&b.r.loop);
  uint64_t before = uv_hrtime();
  assert_int_equal(start(&b, s), 0);
  rig_run(&b.r);
  uint64_t ms = (uv_hrtime() - before) / 1000000;
  assert_int_equal(b.ends, s->stays ? 0 : 1);
  if (s->stays) {
    uvr_pair_cancel(b.pair);
    rig_run(&b.r);
  }
  assert_clean(&b);
  assert_int_equal(b.result.error.code, s->stays ? UV_ECANCELED : s->code);
  assert_int_equal(b.result.reason, s->stays       ? UVRELAY_REASON_STOPPED
                                    : s->code != 0 ? UVRELAY_REASON_FAILED
                                                   : s->reason);
  if (s->side != ANY) {
    assert_int_equal(b.result.side, s->side); /* 0, for none, where it stays */
  }
  if (s->text != NULL) {
    assert_string_equal(b.result.error.text, s->text);
  }
  assert_int_equal(b.right->taken, s->to_right);
  assert_int_equal(b.left->taken, s->to_left);
  assert_shutdowns(b.right->shutdowns, s->right_shutdowns);
  assert_shutdowns(b.left->shutdowns, s->left_shutdowns);
  if (b.right->shutdowns > 0) {
    assert_int_equal(b.right->ended_with, s->to_right); /* after all bytes */
  }
  if (b.left->shutdowns > 0) {
    assert_int_equal(b.left->ended_with, s->to_left);
  }
  assert_in_range(ms, s->grace ? GRACE_MS * 9 / 10 : 0, RIG_SOON_MS);
  bench_clear(&b);
}

static void test_scenarios(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    for (size_t t = 0; t < (scenarios[i].grace ? 1 : COUNT(timings)); t++) {
      print_message("%s (timing %u)\n", scenarios[i].name, (unsigned)t);
      run_scenario(&scenarios[i], &timings[t]);
    }
  }
}

/* Each scenario, cancelled after 0, 1, 2 ... turns until it ends by itself. */
static void test_cancel(void **state)
{
  (void)state;
  unsigned cancelled = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    bool over = false;
    unsigned limit = scenarios[i].stays || scenarios[i].grace ? TURNS_MAX / 3 : TURNS_MAX;
    for (unsigned turns = 0; turns < limit && !over; turns++) {
      bench b;
      bench_init(&b, &scenarios[i], &timings[turns % COUNT(timings)]);
      assert_int_equal(start(&b, &scenarios[i]), 0);
      rig_turns(&b.r, turns);
      over = b.ends > 0;
      if (!over) {
        uvr_pair_cancel(b.pair);
        assert_int_equal(b.ends, 1);
        assert_int_equal(b.result.error.code, UV_ECANCELED);
        assert_int_equal(b.result.reason, UVRELAY_REASON_STOPPED);
        assert_int_equal(b.result.side, UVRELAY_SIDE_NONE);
        cancelled++;
      }
      rig_run(&b.r);
      assert_clean(&b);
      bench_clear(&b);
    }
    assert_true(over || scenarios[i].stays || scenarios[i].grace);
  }
  assert_in_range(cancelled, COUNT(scenarios) * 10, COUNT(scenarios) * TURNS_MAX);
}

/* Each scenario with each of its allocations failing in turn. */
static void test_no_memory(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    bool failed = true;
    for (size_t n = 1; failed && !scenarios[i].grace; n++) {
      bench b;
      bench_init(&b, &scenarios[i], &timings[n % COUNT(timings)]);
      b.r.fail_at = b.r.allocations + n;
      int code = start(&b, &scenarios[i]);
      rig_run(&b.r);
      failed = b.r.failed;
      if (code != 0) {
        assert_int_equal(code, UV_ENOMEM);
        assert_true(failed);
        assert_int_equal(b.ends + b.closes, 0);
        assert_false(b.left->closed || b.right->closed); /* they are still ours */
        fake_close(b.left);
        fake_close(b.right);
      } else {
        if (b.ends == 0) {
          uvr_pair_cancel(b.pair);
          rig_run(&b.r);
        } else if (failed && b.result.error.code != 0 && b.result.error.code != scenarios[i].code) {
          assert_int_equal(b.result.error.code, UV_ENOMEM);
        }
        assert_clean(&b);
      }
      bench_clear(&b);
    }
  }
}

static void on_end_again(void *user, const uvrelay_result_t *result)
{
  bench *b = user;
  on_end(b, result);
  if (b->next != NULL) {
    uvr_pair_events events = {.on_end = on_end_again, .on_close = on_close, .user = b->next};
    assert_int_equal(uvr_pair_start(&b->r.context, b->next->left->stream, b->next->right->stream,
                                    &(uvr_pair_options){0}, &events, &b->next->pair),
                     0);
  }
}

/* A pair that starts others from its on_end, one of them ending before it has started. */
static void test_start_from_on_end(void **state)
{
  (void)state;
  fake_script ends = {.reads = STEPS(DATA(10), GONE)};
  fake_script ends_late = {.reads = STEPS(DATA(10), LATE_GONE)};
  bench all[3];
  memset(all, 0, sizeof(all));
  rig_init(&all[0].r);
  for (unsigned i = 0; i < 3; i++) {
    all[i].left = fake_new(&all[0].r, "left", 1, &(fake_script){0});
    all[i].right = fake_new(&all[0].r, "right", 2, i == 1 ? &ends : &ends_late);
    all[i].next = i < 2 ? &all[i + 1] : NULL;
  }
  /* They share a rig, which is the first one's. */
  uvr_context *context = &all[0].r.context;
  uvr_pair_events events = {.on_end = on_end_again, .on_close = on_close, .user = &all[0]};
  all[1].next = NULL;
  assert_int_equal(
      uvr_pair_start(context, all[0].left->stream, all[0].right->stream, &(uvr_pair_options){0}, &events, &all[0].pair),
      0);
  events.user = &all[2];
  assert_int_equal(
      uvr_pair_start(context, all[2].left->stream, all[2].right->stream, &(uvr_pair_options){0}, &events, &all[2].pair),
      0);
  rig_run(&all[0].r);
  for (unsigned i = 0; i < 3; i++) {
    assert_clean(&all[i]);
    assert_int_equal(all[i].result.error.code, 0);
    assert_int_equal(all[i].result.to_left, 10);
    fake_free(all[i].left);
    fake_free(all[i].right);
  }
  rig_clear(&all[0].r);
}

/* The events need no listener. */
static void test_no_events(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(scenarios); i += 3) {
    if (scenarios[i].stays || scenarios[i].grace) {
      continue;
    }
    bench b;
    bench_init(&b, &scenarios[i], &timings[0]);
    assert_int_equal(uvr_pair_start(&b.r.context, b.left->stream, b.right->stream, &scenarios[i].options,
                                    &(uvr_pair_events){0}, &b.pair),
                     0);
    rig_run(&b.r);
    bench_clear(&b);
  }
}

/* Pairs whose right side is dialled, to a real server that echoes. */

static uvr_address tcp_address(unsigned port)
{
  char text[64];
  (void)snprintf(text, sizeof(text), "tcp://127.0.0.1:%u", port);
  uvr_address address;
  assert_int_equal(uvr_address_parse(text, 0, &address, NULL), 0);
  return address;
}

static const fake_script dialling_left = {
    .reads = (const fake_step[]){{.size = 5000}, {.size = 65536, .turns = 3}, {.outcome = UVR_END_OF_INPUT}}};

static void on_all_closed(void *user)
{
  on_close(user);
}

static void close_dial(bench *b)
{
  if (b->dial != NULL) {
    uvr_dial *dial = b->dial;
    b->dial = NULL;
    uvr_dial_close(dial, uvr_closing_add(&b->closing), &b->closing);
  }
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  bench *b = user;
  uvr_dial *dial = b->dial;
  uvr_close_cb on_dial_closed = uvr_closing_add(&b->closing);
  b->dial = NULL;
  if (stream != NULL) {
    uvr_pair_connect(b->pair, stream);
  } else {
    uvr_pair_fail(b->pair, error);
  }
  uvr_dial_close(dial, on_dial_closed, &b->closing);
}

static void on_dialled_end(void *user, const uvrelay_result_t *result)
{
  bench *b = user;
  on_end(b, result);
  uvr_closing_begin(&b->closing, on_all_closed, b);
  close_dial(b);
}

static void on_dialled_close(void *user)
{
  uvr_closing_end(&((bench *)user)->closing);
}

/* Starts a pair of b->left and what is dialled. */
static int dial_pair(bench *b, const uvr_address *address, const uvr_dial_options *options)
{
  const uvr_pair_events events = {.on_end = on_dialled_end, .on_close = on_dialled_close, .user = b};
  int code = uvr_pair_start(&b->r.context, b->left->stream, NULL, &(uvr_pair_options){0}, &events, &b->pair);
  if (code == 0) {
    b->dial = uvr_dial_start(&b->r.context, address, options, on_dialled, b);
    if (b->dial == NULL) {
      uvr_pair_fail(b->pair, &(uvrelay_error_t){.code = UV_ENOMEM});
    }
  }
  return code;
}

static int start_dialled(bench *b, const uvr_address *address, const fake_script *left)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->left = fake_new(&b->r, "left", 1, left);
  return dial_pair(b, address, &(uvr_dial_options){0});
}

static void test_dialled(void **state)
{
  (void)state;
  unsigned port = peer_free_port();
  uvr_address address = tcp_address(port);

  bool over = false;
  unsigned turns;
  for (turns = 0; turns < 1000 && !over; turns += turns < 12 ? 1 : 4) {
    bench b;
    peer server;
    memset(&server, 0, sizeof(server));
    server.echo = true;
    assert_int_equal(start_dialled(&b, &address, &dialling_left), 0);
    assert_int_equal(b.ends, 0); /* never before it has started */
    peer_listen(&b.r, &server, port);
    for (unsigned i = 0; i < turns && b.ends == 0; i++) {
      rig_turns(&b.r, 1);
      if (turns > 12) {
        uv_sleep(1);
      }
    }
    over = b.ends > 0;
    if (!over) {
      uvr_pair_cancel(b.pair);
      assert_int_equal(b.result.error.code, UV_ECANCELED);
    }
    assert_true(rig_run_until(&b.r, &b.closed));
    if (over) {
      assert_int_equal(b.result.error.code, 0);
      assert_int_equal(b.result.to_right, 70536);
      assert_int_equal(b.result.to_left, 70536);
      fake_assert_relayed(b.left, b.left, 70536);
      assert_int_equal(b.left->shutdowns, 1);
    }
    peer_close(&server);
    bench_clear(&b);
  }
  assert_true(over);
  assert_in_range(turns, 5, 1000);
}

static void test_dialled_no_memory(void **state)
{
  (void)state;
  bool failed = true;
  unsigned failures = 0;
  for (size_t n = 1; failed; n++) {
    bench b;
    peer server;
    memset(&server, 0, sizeof(server));
    server.echo = true;
    memset(&b, 0, sizeof(b));
    rig_init(&b.r);
    peer_listen(&b.r, &server, 0);
    uvr_address address = tcp_address(server.port);
    b.left = fake_new(&b.r, "left", 1, &dialling_left);
    b.r.fail_at = b.r.allocations + n;
    int code = dial_pair(&b, &address, &(uvr_dial_options){0});
    if (code == 0) {
      assert_true(rig_run_until(&b.r, &b.closed));
      if (b.r.failed) {
        assert_int_not_equal(b.result.error.code, 0);
      }
    } else {
      assert_int_equal(code, UV_ENOMEM);
      assert_false(b.left->closed); /* it is still ours */
      fake_close(b.left);
      assert_int_equal(b.ends + b.closes, 0);
    }
    failed = b.r.failed;
    failures += failed ? 1U : 0U;
    peer_close(&server);
    bench_clear(&b);
  }
  assert_in_range(failures, 5, 50);
}

static void test_dial_fails(void **state)
{
  (void)state;
  uvr_address address = tcp_address(peer_free_port());
  bench b;
  assert_int_equal(start_dialled(&b, &address, &(fake_script){.close_turns = 5}), 0);
  assert_true(rig_run_until(&b.r, &b.closed));
  assert_int_equal(b.result.error.code, UV_ECONNREFUSED);
  assert_int_equal(b.result.reason, UVRELAY_REASON_FAILED);
  assert_int_equal(b.result.side, UVRELAY_RIGHT);
  assert_int_equal(b.result.error.phase, UVRELAY_PHASE_CONNECT);
  assert_non_null(strstr(b.result.error.text, address.canonical));
  assert_int_equal(b.left->reads, 0); /* nothing is taken from the input before there is somebody to give it to */
  bench_clear(&b);
}

/* The left side is lost while the dial goes on. */
static void test_lost_while_dialling(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    uvr_address address = tcp_address(peer_free_port());
    bench b;
    memset(&b, 0, sizeof(b));
    rig_init(&b.r);
    b.r.context.patience.last_writes_ms = i == 0 ? RIG_PATIENCE_MS : GRACE_MS;
    fake_script left = {.ends_when_lost = i == 0, .lost = {.outcome = UVR_GONE, .turns = 5}};
    b.left = fake_new(&b.r, "left", 1, &left);
    uv_update_time(&b.r.loop);
    uint64_t before = uv_hrtime();
    assert_int_equal(dial_pair(&b, &address, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL}), 0); /* forever */
    assert_true(rig_run_until(&b.r, &b.closed));
    assert_int_equal(b.result.error.code, 0);
    assert_in_range((uv_hrtime() - before) / 1000000, i == 0 ? 0 : GRACE_MS * 9 / 10, RIG_SOON_MS);
    bench_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scenarios),           cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_no_memory),           cmocka_unit_test(test_start_from_on_end),
      cmocka_unit_test(test_no_events),           cmocka_unit_test(test_dialled),
      cmocka_unit_test(test_dialled_no_memory),   cmocka_unit_test(test_dial_fails),
      cmocka_unit_test(test_lost_while_dialling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
