/* The public named pipe handle, uvrelay_npipe_t: what its two files share, and how a relay takes one over. */
#ifndef UVR_NPIPE_HANDLE_H
#define UVR_NPIPE_HANDLE_H

#include "endpoint/dial.h"
#include "endpoint/npipe_listen.h"
#include "uvrelay/npipe.h"

/* A write, or (of no bytes) the shutdown. */
typedef struct uvr_npipe_request {
  struct uvr_npipe_request *next;
  const char *data; /* the caller's, or `copy` */
  size_t length;
  uvrelay_npipe_done_cb cb;
  void *user;
  int status;
  char copy[];
} uvr_npipe_request;

typedef struct uvr_npipe_requests {
  uvr_npipe_request *first;
  uvr_npipe_request **end;
} uvr_npipe_requests;

struct uvrelay_npipe_s {
  uvr_context context;
  uvrelay_npipe_options_t options;
  uvrelay_error_t error;
  void *data;
  uv_timer_t wakeup; /* brings what must come from the loop */
  uvr_dial *dial;
  uvr_stream *stream;
  uvr_npipe_listener *listener;
  unsigned children; /* being closed */
  uvrelay_npipe_connect_cb connect_cb;
  uvrelay_npipe_connection_cb connection_cb;

  /* Reading: read_write.c. */
  uvrelay_npipe_read_cb read_cb;
  bool reading;                /* wanted */
  bool read_pending;           /* the stream has a read or a watch of ours */
  bool cancelling;             /* and is asked to end it */
  bool read_running;           /* inside uvr_npipe_run_reads: what comes early leaves the next read to it */
  bool input_ended;            /* END_OF_INPUT was delivered */
  bool read_over;              /* GONE or ERROR was delivered */
  uvrelay_error_t watch_error; /* found while nobody wanted to read */
  uint64_t bytes_read;

  /* Writing: the same. */
  uvr_npipe_requests queued; /* the first is under way, if `writing` */
  uvr_npipe_requests done;   /* wait for their callbacks, which they all have */
  bool writing;
  bool issuing; /* the stream's function runs: its callback must not call ours */
  bool shut;    /* shutdown was asked for */
  int write_error;
  size_t queue_size;
  uint64_t bytes_written;

  /* Closing. */
  bool closing;
  bool closing_started;
  bool given; /* to a relay */
  uvrelay_npipe_close_cb close_cb;
  uvr_close_cb on_closed; /* the relay's */
  void *closed_user;
};

/* Makes the turn come. */
void uvr_npipe_wake(uvrelay_npipe_t *npipe);

/* In read_write.c, for handle.c. */
void uvr_npipe_requests_init(uvr_npipe_requests *requests);
void uvr_npipe_run_reads(uvrelay_npipe_t *npipe);
void uvr_npipe_run_writes(uvrelay_npipe_t *npipe);
void uvr_npipe_cancel_writes(uvrelay_npipe_t *npipe); /* the stream is closed */

/* Connects a handle that is in no use to a stream that was made with its context. */
void uvr_npipe_adopt(uvrelay_npipe_t *npipe, uvr_stream *stream);

/* Whether a relay on this loop could take it: 0, or a code that uvrelay_start returns. */
int uvr_npipe_check_gift(const uvrelay_npipe_t *npipe, const uv_loop_t *loop);

/* Gives it to a relay, which ends it by uvr_npipe_release. */
void uvr_npipe_give(uvrelay_npipe_t *npipe);

/* Takes the stream out of it, or returns NULL while a read that was cancelled has not ended: ask again. */
uvr_stream *uvr_npipe_take_stream(uvrelay_npipe_t *npipe);

/* Closes what is left of a handle that was given: `cb`, which may be NULL, then on_closed, later, last. The stream that
 * was taken must be closed already. */
void uvr_npipe_release(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb cb, uvr_close_cb on_closed, void *user);

#endif
