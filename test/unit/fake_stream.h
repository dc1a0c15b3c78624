/* A stream that follows a script, records what is done with it, and fails the test when its user breaks the rules of
 * stream.h. */
#ifndef FAKE_STREAM_H
#define FAKE_STREAM_H

#include "rig.h"
#include "stream/npipe.h"

#define FAKE_NEVER UINT_MAX

/* One read, or one of the other operations. A read that is UVR_DONE with no bytes is the end of the script: it never
 * finishes. */
typedef struct fake_step {
  uvr_outcome outcome;
  unsigned turns;       /* of the loop until the callback; 0: before the call returns; FAKE_NEVER */
  size_t size;          /* reading: how many bytes, of the fake's own stream of test data */
  bool part;            /* reading, where messages are kept: these bytes do not end theirs */
  const char *data;     /* reading: or these */
  size_t after_written; /* reading: the turns begin when the fake was written so many bytes */
  int code;             /* of UVR_GONE and UVR_FAILED; 0: UV_EPIPE and UV_EIO */
} fake_step;

typedef struct fake_script {
  bool no_half_close;
  bool can_mark_end; /* it may be shut down although it has no half-close */
  bool closing_ends;
  bool ends_when_lost;
  bool keeps_messages;
  bool may_hide_leaving;
  bool never_sends; /* as a one-way pipe: it must not be read */
  bool never_takes; /* each write fails with UV_EPERM */
  bool npipe;       /* as a named pipe: it may be watched only after its end of input, and it offers to cancel */
  bool holds_loop;  /* what is under way keeps the loop running */
  uvr_input_state input_state; /* before the first read */
  const fake_step *reads;      /* ends as said above; NULL: none ever finishes */
  unsigned write_turns;        /* for each write that is UVR_DONE */
  unsigned writes_done;        /* so many, then `write_end` if it is not UVR_DONE */
  fake_step write_end;
  fake_step shutdown;
  fake_step lost; /* the watch's; UVR_DONE: never */
  /* A read or watch that is cancelled finishes after so many turns, at least 1, unless its own are over before. What it
   * then finishes with is, of so many cancels, in one at random what the script has for it, as if that had come just
   * now, and else UV_ECANCELED. 0: always that. */
  unsigned cancel_turns;
  unsigned cancels_late;
  unsigned close_turns;
  unsigned slower;       /* turns that are added to each operation's */
  unsigned random_turns; /* 0, or turns below this instead of the given 0s */
} fake_script;

typedef enum fake_call { FAKE_IDLE, FAKE_READ, FAKE_WRITE, FAKE_SHUTDOWN, FAKE_LOST, FAKE_CLOSE } fake_call;

typedef struct fake_pending {
  bool active;
  bool counting;
  unsigned turns;
  fake_step step;
} fake_pending;

/* Lasts until fake_free; the stream inside it is freed when it is closed, as every stream is. */
typedef struct fake {
  rig *rig;
  uvr_stream *stream; /* NULL once closed */
  const char *name;
  fake_script script;
  unsigned seed; /* of its test data */
  uv_idle_t idle;
  uv_prepare_t hold; /* keeps the loop running, and does nothing */
  unsigned handles;  /* that are open */

  fake_pending read;
  fake_pending write;
  fake_pending shutdown;
  fake_pending lost;
  fake_pending close;
  const fake_step *next_read;
  bool read_scripted; /* what is being read is in the script */
  bool cancelling;    /* the read or the watch */
  bool watching;
  uvr_buffer *incoming;
  const char *outgoing;
  size_t outgoing_length;
  uint64_t outgoing_hash;

  fake_call calling;     /* whose callback runs now */
  unsigned reads;        /* begun */
  unsigned reads_nested; /* callbacks of reads that run, one within the other */
  unsigned reads_nested_max;
  unsigned writes; /* begun */
  unsigned writes_finished;
  unsigned shutdowns;
  unsigned watches;
  unsigned cancels;
  unsigned late_cancels; /* of these, that finished with what came meanwhile */
  bool read_ended;       /* an end was reported */
  bool input_ended;      /* the end of input was */
  uint64_t given;        /* bytes read from it */
  uint64_t taken;        /* bytes written to it */
  char *written;         /* these bytes, first to last */
  size_t *messages;      /* the sizes of the writes they came in */
  size_t message_count;
  uint64_t ended_with; /* `taken` at the shutdown */
  bool closing;
  bool closed;
  size_t held_max; /* rig_buffers_held at its highest */
} fake;

/* A new fake, named for messages. `seed` makes its test data. */
fake *fake_new(rig *r, const char *name, unsigned seed, const fake_script *script);

/* The same with another environment than the rig's, on the rig's loop. */
fake *fake_new_in(rig *r, uvr_context *context, const char *name, unsigned seed, const fake_script *script);

/* Asserts that the stream was closed. */
void fake_free(fake *f);

/* Lets a write or read that never finishes finish now. */
void fake_finish_write(fake *f, uvr_outcome outcome);
void fake_finish_read(fake *f, const fake_step *step);

/* Asserts that what was written to `sink` is the test data of `source` from its start, `size` bytes in all. */
void fake_assert_relayed(const fake *source, const fake *sink, uint64_t size);

/* Closes the stream and runs the loop until it is. */
void fake_close(fake *f);

#endif
