/* A user of the public named pipe handle, with a scripted stream inside: calls it, and looks at all that it calls back
 * for: never from within a call, in order, whole, once, and nothing after the end. */
#ifndef NPIPE_USER_H
#define NPIPE_USER_H

#include "fake_stream.h"
#include "npipe/handle.h"

enum { USER_SEED = 1, USER_WRITE_SEED = 2, USER_WRITES_MAX = 256, USER_EVENTS_MAX = 64 };

typedef struct npipe_user {
  rig *r;
  rig own; /* which it is, unless it is shared */
  uvrelay_npipe_t *np;
  fake *f;
  bool in_call;
  unsigned callbacks;
  unsigned close_at;                     /* in the callback of this number */
  void (*in_read)(struct npipe_user *u); /* called in each read callback, if not NULL */
  void *data;                            /* for that */
  rig dice;                              /* what read callbacks do at random; 0: nothing */
  bool stop_always;                      /* what they do in any case */

  bool reading;
  unsigned events;
  uvrelay_npipe_read_t event[USER_EVENTS_MAX]; /* without their data */
  uint64_t received;
  uint64_t ends_of_messages[USER_EVENTS_MAX]; /* where they are in the bytes received */
  size_t messages;
  unsigned input_ends;
  unsigned overs;

  uint64_t offered; /* bytes of accepted writes */
  size_t sizes[USER_WRITES_MAX];
  size_t size_count;
  unsigned accepted; /* writes and shutdowns with a callback */
  unsigned done;     /* callbacks */
  int statuses[USER_WRITES_MAX];
  unsigned more_writes; /* that callbacks are to make, of `more_size` bytes */
  size_t more_size;
  bool shut;

  bool closing;
  unsigned begun; /* operations of the stream, until then */
  unsigned closes;
} npipe_user;

/* Makes a handle on the rig, or on one of its own if that is NULL. `buffer_size` is the handle's option. */
void user_init(npipe_user *u, rig *shared, size_t buffer_size);

/* Makes another handle; the code of uvrelay_npipe_new. */
int user_new_handle(npipe_user *u, size_t buffer_size);

/* Connects it to a fake that is as a named pipe, with test data of USER_SEED. */
void user_connect(npipe_user *u, const fake_script *script);

/* Both, on a rig of its own. */
void user_init_connected(npipe_user *u, const fake_script *script);

/* Closes it, if it is open, runs the loop to its end and asserts that all was as it must be. */
void user_clear(npipe_user *u);
void user_close(npipe_user *u);

/* The public functions; their code. What is written is test data of USER_WRITE_SEED, in as many buffers. */
int user_start(npipe_user *u);
void user_stop(npipe_user *u);
int user_write(npipe_user *u, size_t size, unsigned parts);
int user_try_write(npipe_user *u, size_t size);
int user_shut_down(npipe_user *u);

/* Asserts that bytes_written and write_queue_size are right, now. */
void user_check_numbers(const npipe_user *u);

/* What is returned where a stream is needed and there is none. */
int user_no_stream(void);

#endif
