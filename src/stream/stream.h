/* The stream interface: all that pumps and pairs know of a connection, of whatever kind it is.
 *
 * A stream has one owner and is used on the loop's thread. At most one read, one write and one shutdown are under way
 * at a time. Each is started by its function and finished by exactly one call of its callback, which may come before
 * the function returns. After uvr_stream_close the only callback is `on_close`, once, and never before uvr_stream_close
 * has returned; until then the stream may still use the data of a write that was under way. */
#ifndef UVR_STREAM_STREAM_H
#define UVR_STREAM_STREAM_H

#include "base/closing.h"
#include "base/context.h"
#include "base/error.h"

/* How an operation finished. The three ends must not be confused. */
typedef enum uvr_outcome {
  UVR_DONE,         /* a read has data; a write or a shutdown is complete */
  UVR_END_OF_INPUT, /* reading only: the peer will send nothing more but still listens */
  UVR_GONE,         /* the peer has left in an orderly way: nothing more can be written */
  UVR_FAILED        /* anything else: the error says what */
} uvr_outcome;

typedef struct uvr_stream uvr_stream;

/* `buffer` is set with UVR_DONE only, holds at least one byte, and belongs to the callee. `error` is set with UVR_GONE
 * and UVR_FAILED, and is valid during the call. */
typedef void (*uvr_read_cb)(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error);
typedef void (*uvr_done_cb)(void *user, uvr_outcome outcome, const uvrelay_error_t *error);

/* Reading and writing by calls that block, for a pump on a thread. A stream may offer them for each direction. Only one
 * thread may use a direction, and no other read or write of it may be under way. The loop's thread calls stop_read and
 * stop_write to make such a call return soon; as a stop before the call has begun is missed, it must be repeated until
 * the call has returned. */
typedef struct uvr_blocking_ops {
  uvr_outcome (*read)(uvr_stream *stream, uvr_buffer *buffer,
                      uvrelay_error_t *error); /* UVR_DONE: buffer->length bytes */
  uvr_outcome (*write)(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error);
  void (*stop_read)(uvr_stream *stream);  /* may be NULL: it cannot be stopped */
  void (*stop_write)(uvr_stream *stream); /* may be NULL, likewise */
} uvr_blocking_ops;

/* How a stream is closed. Kinds that have no reset, or never lose what was written, treat some of these alike. */
typedef enum uvr_close_how {
  UVR_CLOSE_NOW,             /* abandon what is under way */
  UVR_CLOSE_GENTLY,          /* let what was written arrive, even if the peer still sends; that may take a while */
  UVR_CLOSE_CUT,             /* what was written is incomplete: close with a reset */
  UVR_CLOSE_CUT_AFTER_WRITES /* let what was written arrive, then close with a reset */
} uvr_close_how;

static inline bool uvr_close_is_gentle(uvr_close_how how)
{
  return how == UVR_CLOSE_GENTLY || how == UVR_CLOSE_CUT_AFTER_WRITES;
}

static inline bool uvr_close_is_cut(uvr_close_how how)
{
  return how == UVR_CLOSE_CUT || how == UVR_CLOSE_CUT_AFTER_WRITES;
}

/* Whether the input has ended, as far as that shows without a read. */
typedef enum uvr_input_state {
  UVR_INPUT_OPEN, /* or nothing shows */
  UVR_INPUT_LAST, /* nothing more can be sent, but there may be something left to read */
  UVR_INPUT_OVER  /* the next read would be the end */
} uvr_input_state;

/* What all streams of a kind have in common: their operations, and then their traits. */
typedef struct uvr_stream_ops {
  void (*read)(uvr_stream *stream);
  void (*write)(uvr_stream *stream, const char *data, size_t length);
  void (*write_buffer)(uvr_stream *stream, uvr_buffer *buffer);               /* NULL: by one of the others */
  void (*write_piped)(uvr_stream *stream, uvr_buffer *buffer, size_t length); /* NULL: write_buffer, or no can_splice */
  bool (*await_writable)(uvr_stream *stream);                                 /* may be NULL */
  void (*shutdown)(uvr_stream *stream);
  void (*watch)(uvr_stream *stream); /* may be NULL */
  void (*arm)(uvr_stream *stream);   /* may be NULL */
  void (*close)(uvr_stream *stream, uvr_close_how how);
  void (*hurry)(uvr_stream *stream);                  /* may be NULL */
  bool (*has_delivered)(uvr_stream *stream);          /* may be NULL */
  bool (*is_lost)(uvr_stream *stream);                /* may be NULL */
  uvr_input_state (*input_state)(uvr_stream *stream); /* may be NULL */
  size_t (*unwritten)(uvr_stream *stream);            /* may be NULL */

  bool watches_any_time; /* watch it from the start: uvr_stream_watch notices what reading does not */
  bool can_mark_end;     /* shutdown may be called although can_half_close is false: not every reader knows the mark */
  bool never_sends;      /* its peer only receives: it must not be read */
  bool never_takes;      /* its peer only sends: each write fails */
} uvr_stream_ops;

struct uvr_stream {
  const uvr_stream_ops *ops;
  const uvr_blocking_ops *blocking;
  bool reads_blocking;  /* blocking->read may be used */
  bool writes_blocking; /* blocking->write may be used */
  uvr_context *context;
  const char *name; /* for messages: //./pipe/x; lasts as long as the stream */
  bool can_half_close;
  bool keeps_messages;
  bool can_splice;     /* buffers with a pipe can be written, and read while `splices` is set: see base/buffer.h */
  bool splices;        /* set by the reader, if it can use such buffers */
  bool prefers_copies; /* buffers with a pipe can be written, but others do better now */
  bool wide;           /* set by the writer: where such buffers are written to a pipe, that should hold much */
  bool is_tcp;
  bool closing_ends;     /* after its end of input, closing it shows the peer the end, as half-closing does */
  bool ends_when_lost;   /* UVR_GONE on writing leaves nothing worth reading */
  bool may_hide_leaving; /* after its end of input the peer may have left, and the watch may not notice that */

  size_t read_most; /* bytes: the reader wants no more from one read. More than the pool's large buffers have: it wants
                       larger ones. 0: it does not mind. Some kinds do not know of it. */
  uint8_t read_before; /* bytes: the reader wants so many of a read's bytes in the buffer's headroom, which ends where
                          the data begins. It finds in `before` how many are there, as some kinds do not know of it. */
  size_t read_kept;    /* bytes of earlier reads that the reader has not done with when it asks for the next one */
  size_t read_most_piped;  /* bytes: a read into a pipe may bring no more. 0: it does not mind. A stream of a mux does
                              not know of it */
  size_t write_best;       /* bytes: a write of this length costs least; changes as the stream is used. 0: any */
  size_t write_best_piped; /* the same for a write from a pipe */

  uvr_buffer *unread; /* the next read returns this */
  bool end_unread;    /* and then the end of input */
  uvr_read_cb on_read;
  void *read_user;
  uvr_done_cb on_write;
  void *write_user;
  uvr_done_cb on_shutdown;
  void *shutdown_user;
  uvr_done_cb on_lost;
  void *lost_user;
  uvr_close_cb on_close;
  void *close_user;
};

/* Reads once: the callback gets some bytes, or an end. */
static inline void uvr_stream_read(uvr_stream *stream, uvr_read_cb on_read, void *user)
{
  stream->on_read = on_read;
  stream->read_user = user;
  if (stream->unread != NULL) {
    uvr_buffer *buffer = stream->unread;
    stream->unread = NULL;
    on_read(user, UVR_DONE, buffer, NULL);
  } else if (stream->end_unread) {
    stream->end_unread = false;
    on_read(user, UVR_END_OF_INPUT, NULL, NULL);
  } else {
    stream->ops->read(stream);
  }
}

/* Puts back bytes that were read but not used: the next read returns them. The buffer, which must not be empty and must
 * be from the stream's own pool, belongs to the stream again. Only one buffer, and only with no read under way. */
static inline void uvr_stream_unread(uvr_stream *stream, uvr_buffer *buffer)
{
  stream->unread = buffer;
}

/* Puts back an end of input: the next read returns it. */
static inline void uvr_stream_unread_end(uvr_stream *stream)
{
  stream->end_unread = true;
}

/* Writes all of the data, at least one byte, which stays the caller's and must stay valid until the callback. If the
 * stream keeps messages, the data is one message. */
static inline void uvr_stream_write(uvr_stream *stream, const char *data, size_t length, uvr_done_cb on_write,
                                    void *user)
{
  stream->on_write = on_write;
  stream->write_user = user;
  stream->ops->write(stream, data, length);
}

/* Writes all of a buffer, which is the caller's again at the callback, but may be held longer (uvr_buffer_hold). Until
 * then the stream may overwrite what precedes the bytes that it has not sent yet. The buffer may have a pipe if the
 * stream has can_splice. */
static inline void uvr_stream_write_buffer(uvr_stream *stream, uvr_buffer *buffer, uvr_done_cb on_write, void *user)
{
  stream->on_write = on_write;
  stream->write_user = user;
  if (stream->ops->write_buffer != NULL) {
    stream->ops->write_buffer(stream, buffer);
  } else if (buffer->splice != NULL) {
    stream->ops->write_piped(stream, buffer, buffer->length);
  } else {
    stream->ops->write(stream, buffer->data, buffer->length);
  }
}

/* Writes the next `length` bytes of a buffer with a pipe. The stream has can_splice, or had it when the buffer was
 * read, and no write_buffer of its own. */
static inline void uvr_stream_write_piped(uvr_stream *stream, uvr_buffer *buffer, size_t length, uvr_done_cb on_write,
                                          void *user)
{
  stream->on_write = on_write;
  stream->write_user = user;
  stream->ops->write_piped(stream, buffer, length);
}

/* Waits until a write would not have to wait, or would fail, and then calls `on_writable` with UVR_DONE, later: counts
 * as a write. Returns false where that is not possible, and then does not call it. */
static inline bool uvr_stream_await_writable(uvr_stream *stream, uvr_done_cb on_writable, void *user)
{
  stream->on_write = on_writable;
  stream->write_user = user;
  return stream->ops->await_writable != NULL && stream->ops->await_writable(stream);
}

/* Half-close: after everything that was written, the peer sees the end of its input. Only where the stream has
 * can_half_close or uvr_stream_can_mark_end, only once, and with no write under way. */
static inline void uvr_stream_shutdown(uvr_stream *stream, uvr_done_cb on_shutdown, void *user)
{
  stream->on_shutdown = on_shutdown;
  stream->shutdown_user = user;
  stream->ops->shutdown(stream);
}

static inline bool uvr_stream_can_mark_end(const uvr_stream *stream)
{
  return stream->ops->can_mark_end;
}

static inline bool uvr_stream_watches_any_time(const uvr_stream *stream)
{
  return stream->ops->watches_any_time;
}

/* One-way pipes. */

static inline bool uvr_stream_never_sends(const uvr_stream *stream)
{
  return stream->ops->never_sends;
}

static inline bool uvr_stream_never_takes(const uvr_stream *stream)
{
  return stream->ops->never_takes;
}

/* Calls on_lost, once, when the peer leaves while nothing is read or written: with UVR_GONE, or with UVR_FAILED if the
 * peer breaks the rules. Named pipes, and sockets on Unix, notice that only after their end of input and may only then
 * be watched. Standard output, and a pipe that is only written to, notice it at any time (uvr_stream_watches_any_time);
 * a stream of a mux does, too, but there a read also notices it. On other streams the callback never comes. It comes
 * before this function returns only from a socket whose peer has left already. */
static inline void uvr_stream_watch(uvr_stream *stream, uvr_done_cb on_lost, void *user)
{
  stream->on_lost = on_lost;
  stream->lost_user = user;
  if (stream->ops->watch != NULL) {
    stream->ops->watch(stream);
  }
}

/* Makes the system show the peer that what it got is incomplete, if this process dies: until the stream is half-closed
 * or closed, the end of the process resets the connection. Only TCP can show that; other kinds do nothing. */
static inline void uvr_stream_arm(uvr_stream *stream)
{
  if (stream->ops->arm != NULL) {
    stream->ops->arm(stream);
  }
}

/* Must not be asked while a read is under way. Only sockets and standard input tell. */
static inline uvr_input_state uvr_stream_input_state(uvr_stream *stream)
{
  return stream->ops->input_state != NULL ? stream->ops->input_state(stream) : UVR_INPUT_OPEN;
}

/* Whether the stream can see now that the peer has left, without a read or a watch. */
static inline bool uvr_stream_is_lost(uvr_stream *stream)
{
  return stream->ops->is_lost != NULL && stream->ops->is_lost(stream);
}

/* How many bytes of a write that is under way the system has not accepted yet. 0 where that is unknown. */
static inline size_t uvr_stream_unwritten(uvr_stream *stream)
{
  return stream->ops->unwritten != NULL ? stream->ops->unwritten(stream) : 0;
}

/* Closes both directions, frees the stream, and calls on_close, later. */
static inline void uvr_stream_close(uvr_stream *stream, uvr_close_how how, uvr_close_cb on_close, void *user)
{
  stream->on_close = on_close;
  stream->close_user = user;
  uvr_buffer_put(&stream->context->buffers, stream->unread);
  stream->unread = NULL;
  stream->ops->close(stream, how);
}

/* Ends a gentle close that is under way now. Not after on_close. */
static inline void uvr_stream_hurry(uvr_stream *stream)
{
  if (stream->ops->hurry != NULL) {
    stream->ops->hurry(stream);
  }
}

/* While the stream is being closed: whether all that was written is known to have arrived, as far as closing gently can
 * wait for that. If so, the process may exit. */
static inline bool uvr_stream_has_delivered(uvr_stream *stream)
{
  return stream->ops->has_delivered == NULL || stream->ops->has_delivered(stream);
}

/* For the kinds. */

/* A buffer for a read, or NULL; where in it the bytes belong, and how many there may be: see read_most. */
static inline uvr_buffer *uvr_stream_get_buffer(const uvr_stream *stream, char **at, size_t *most)
{
  uvr_buffer_pool *pool = &stream->context->buffers;
  bool huge = stream->read_most > pool->large && pool->huge > pool->large;
  bool giant = stream->read_most > pool->huge && pool->giant > pool->huge;
  uvr_buffer *buffer = giant  ? uvr_buffer_get_giant(pool)
                       : huge ? uvr_buffer_get_huge(pool)
                              : uvr_buffer_get(pool, UVR_BUFFER_LARGE);
  if (buffer != NULL) {
    size_t room = buffer->capacity + stream->read_before;
    buffer->before = stream->read_before;
    *at = buffer->data - buffer->before;
    *most = stream->read_most > 0 && stream->read_most < room ? stream->read_most : room;
  }
  return buffer;
}

static inline void uvr_stream_warn_of_descriptors(const uvr_stream *stream)
{
  uvr_log_line(&stream->context->warnings,
               "%s sends descriptors (SCM_RIGHTS), which a byte relay cannot pass on: what needs them fails",
               stream->name);
}

#endif
