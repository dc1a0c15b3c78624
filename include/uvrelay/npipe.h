/** @file npipe.h
 * A Windows named pipe as a handle for programs on libuv. */
#ifndef UVRELAY_NPIPE_H
#define UVRELAY_NPIPE_H

#include "uvrelay/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup uvrelay_npipe a Windows named pipe as a handle for programs on libuv
 *
 * @details A Windows named pipe on the caller's loop, with what `uv_pipe_t` lacks: message mode that keeps
 * boundaries, half-close by a zero-byte message, a choice of impersonation level (anonymous by default), and retries
 * while a pipe is busy or absent.
 *
 * Create a handle with uvrelay_npipe_new(). It then connects, or listens, or receives a client through
 * uvrelay_npipe_accept(). Finally, close it once with uvrelay_npipe_close(), whatever has failed before.
 *
 * Call all functions from the thread that runs the loop. All callbacks run on that thread, within uv_run(), and
 * never before the function that requests them has returned. Callbacks may call any function, including
 * uvrelay_npipe_close(). Errors are negative libuv codes; uvrelay_npipe_error() has the detail of most.
 *
 * The handle keeps the loop alive while it connects, listens, reads, writes, shuts down or closes.
 *
 * Systems other than Windows have no such pipes. There, uvrelay_npipe_new(), uvrelay_npipe_close() and the query
 * functions work, and all functions that would use the system return `UV_ENOTSUP`.
 * @{ */

/** A named pipe. Its members are private; its memory belongs to the library. */
typedef struct uvrelay_npipe_s uvrelay_npipe_t;

/** Whether a pipe keeps message boundaries. */
typedef enum uvrelay_npipe_mode_e {
  UVRELAY_NPIPE_BYTE,   /**< a stream of bytes; an end of input cannot be sent */
  UVRELAY_NPIPE_MESSAGE /**< messages; one of zero bytes is the end of input */
} uvrelay_npipe_mode_t;

/** The options of uvrelay_npipe_new(). Set `size` and the options that you need, and leave the rest zero. */
typedef struct uvrelay_npipe_options_s {
  size_t size;                   /**< sizeof(uvrelay_npipe_options_t), which identifies the version */
  uvrelay_allocator_t allocator; /**< all zero: malloc and free are used */
  uvrelay_log_t log;             /**< all zero: nothing is logged */
  /** The largest read, and the longest message of uvrelay_npipe_try_write(), in bytes, 1024 to 16777216; 0: 65536. */
  size_t buffer_size;
  /* Connecting. */
  uvrelay_impersonation_t impersonation; /**< how far the server may act as this process */
  unsigned retry;                        /**< which failures are retried: bits of ::uvrelay_retry_t */
  uint32_t retry_first_ms; /**< the delay before the second attempt, doubled for each further one; 0: 10 */
  uint32_t retry_last_ms;  /**< the maximum delay; 0: 200 */
  uint64_t timeout_ms;     /**< the time limit for connecting, including all attempts; 0: no limit */
  /* Listening. */
  uvrelay_npipe_mode_t mode; /**< of the pipe that is created */
  uint32_t reserved;         /**< 0 */
  /** Connecting: which users may own the pipe, a list as for uvrelay_session_options_t::owner of uvrelay.h. If
   * another user owns it, or the owner cannot be determined, connecting fails with `UV_EPERM` before anything is
   * sent. Empty: the owner is not checked. */
  char owner[UVRELAY_USERS_SIZE];
} uvrelay_npipe_options_t;

/** Why a read callback is called. */
typedef enum uvrelay_npipe_event_e {
  UVRELAY_NPIPE_DATA,         /**< bytes were received */
  UVRELAY_NPIPE_END_OF_INPUT, /**< a zero-byte message: the peer will send no more, but may still read */
  UVRELAY_NPIPE_GONE,         /**< the peer has closed the pipe in an orderly way: reading has ended */
  UVRELAY_NPIPE_ERROR         /**< anything else: reading has ended */
} uvrelay_npipe_event_t;

/** What was read. Valid until the callback returns. */
typedef struct uvrelay_npipe_read_s {
  uvrelay_npipe_event_t event; /**< decides which of the other members are used */
  int status;         /**< 0; UV_EOF at the end of input and when the peer is gone; otherwise a negative code */
  const char *data;   /**< the bytes, which belong to the library; NULL if there are none */
  size_t length;      /**< the number of bytes; at least 1 with UVRELAY_NPIPE_DATA, otherwise 0 */
  int end_of_message; /**< in message mode: whether the last of these bytes ends a message; otherwise 0 */
} uvrelay_npipe_read_t;

/** Called when connecting is over: `status` is 0 or a negative code. */
typedef void (*uvrelay_npipe_connect_cb)(uvrelay_npipe_t *npipe, int status);
/** Called with `status` 0 for each client that uvrelay_npipe_accept() can accept, and with a negative code, for the
 * last time, when the pipe can accept no more clients. */
typedef void (*uvrelay_npipe_connection_cb)(uvrelay_npipe_t *server, int status);
/** Called for everything that is read. */
typedef void (*uvrelay_npipe_read_cb)(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read);
/** Called when a write or a shutdown is over: `status` is 0 or a negative code, `UV_ECANCELED` if the handle was closed
 * before it was done. */
typedef void (*uvrelay_npipe_done_cb)(uvrelay_npipe_t *npipe, int status, void *user);
/** Called when the handle is closed, as its last callback. The handle is still valid for uvrelay_npipe_get_data()
 * and is freed when the callback returns. */
typedef void (*uvrelay_npipe_close_cb)(uvrelay_npipe_t *npipe);

/** Creates a handle on `loop`.
 * @param[out] out the handle; NULL on failure
 * @param loop must outlive the handle
 * @param options copied; NULL: the defaults
 * @return 0; `UV_EINVAL`: an option is out of range; `UV_ENOMEM`. After a failure, there is nothing to close. */
UVRELAY_API int uvrelay_npipe_new(uvrelay_npipe_t **out, uv_loop_t *loop, const uvrelay_npipe_options_t *options);

/** Connects to a server's pipe, with the options. A pipe of message type is put into message mode if its server
 * allows that: see uvrelay_npipe_is_message_mode(). A one-way pipe is opened for its direction: see
 * uvrelay_npipe_is_readable() and uvrelay_npipe_is_writable().
 * @param npipe the handle
 * @param name `//./pipe/NAME`, `\\.\pipe\NAME`, `npipe:NAME`, or `//HOST/pipe/NAME` for another computer; UTF-8;
 *   copied
 * @param cb called once, unless the handle is closed first. Its status: `UV_ENOENT`: there is no such pipe,
 *   `UV_EBUSY`: all its instances are busy, `UV_EACCES`: access was denied, `UV_ETIMEDOUT`: the time limit has
 *   passed, or another code. After a failure, the handle may connect again.
 * @return 0; `UV_EINVAL`: the name is not valid; `UV_EBUSY`: the handle is already in use; `UV_ENOMEM`; `UV_ENOTSUP` */
UVRELAY_API int uvrelay_npipe_connect(uvrelay_npipe_t *npipe, const char *name, uvrelay_npipe_connect_cb cb);

/** Creates a pipe on this computer, in the mode of the options, and waits for its clients. Only the current user,
 * who owns the pipe, can connect, only from this computer, and only from processes with at least the integrity level
 * of this one: a pipe of an elevated process is for elevated clients only. The pipe must not exist yet, not even
 * without a server while a client still has it open (FILE_FLAG_FIRST_PIPE_INSTANCE; Wine before version 10 does not
 * check this).
 * @param npipe the handle
 * @param name as for uvrelay_npipe_connect(), without a host
 * @param backlog how many clients may be connected but not accepted yet, 1 to 64, which is the number of waiting
 *   instances
 * @param cb called for each client
 * @return 0; `UV_EINVAL`: the name or number is not valid; `UV_EBUSY`: the handle is already in use;
 *   `UV_EADDRINUSE`: the pipe exists; `UV_EACCES`; `UV_ENOMEM`; `UV_ENOTSUP`; or another code. After a failure, the
 *   handle may listen again. */
UVRELAY_API int uvrelay_npipe_listen(uvrelay_npipe_t *npipe, const char *name, unsigned backlog,
                                     uvrelay_npipe_connection_cb cb);

/** Accepts a client that a connection callback has reported. May also be called after that callback has returned.
 * @param server the handle that listens
 * @param client a new handle on the same loop, which becomes connected
 * @return 0; `UV_EAGAIN`: no client is waiting; `UV_EINVAL`: `server` does not listen, or `client` is on another
 *   loop; `UV_EBUSY`: `client` is already in use; `UV_ENOMEM` (the client is still waiting); `UV_ENOTSUP`. The
 *   detail is in uvrelay_npipe_error() of `server`. */
UVRELAY_API int uvrelay_npipe_accept(uvrelay_npipe_t *server, uvrelay_npipe_t *client);

/** Reads until uvrelay_npipe_read_stop() or the end. The order of events is: any number of UVRELAY_NPIPE_DATA, at
 * most one UVRELAY_NPIPE_END_OF_INPUT, then UVRELAY_NPIPE_GONE or UVRELAY_NPIPE_ERROR as the last one. In message
 * mode, a message longer than the buffer is delivered in several pieces, of which the last has `end_of_message` set.
 * @return 0; `UV_EINVAL`: there is no callback; `UV_EALREADY`: it is already reading; `UV_ENOTCONN`: it is not
 *   connected; `UV_EOF`: reading has ended; `UV_EPERM`: its server only reads from it, so only a write shows that
 *   the server is gone; `UV_ENOTSUP` */
UVRELAY_API int uvrelay_npipe_read_start(uvrelay_npipe_t *npipe, uvrelay_npipe_read_cb cb);

/** Stops reading: no read callback runs until uvrelay_npipe_read_start(). Nothing is lost: bytes that were already
 * read, at most one buffer, are kept until then. Has no effect if it is not reading. */
UVRELAY_API void uvrelay_npipe_read_stop(uvrelay_npipe_t *npipe);

/** Writes the buffers; in message mode, as one message. Writes are done one after another.
 * @param npipe the handle
 * @param bufs copied, but not the bytes that they point to, which must stay valid until the callback
 * @param nbufs the number of buffers; several are joined in memory of the allocator
 * @param cb called once, in the order of the writes; if the handle is closed first, with `UV_ECANCELED` before the
 *   close callback. Status 0 means that the system has accepted all bytes; after one failure, all later writes fail.
 *   May be NULL.
 * @param user passed to the callback
 * @return 0; `UV_EINVAL`: no bytes (uvrelay_npipe_shutdown() sends a zero-byte message), or more than 2147483647;
 *   `UV_ENOTCONN`; `UV_EPIPE`: a shutdown was requested, or the pipe has failed; `UV_EPERM`: its server only writes
 *   to it; `UV_ENOMEM`; `UV_ENOTSUP`. After a failure, the callback does not run. */
UVRELAY_API int uvrelay_npipe_write(uvrelay_npipe_t *npipe, const uv_buf_t bufs[], unsigned nbufs,
                                    uvrelay_npipe_done_cb cb, void *user);

/** Writes without a callback: copies at most `buffer_size` bytes, if nothing is queued. They are written before all
 * later writes, and count in uvrelay_npipe_write_queue_size() until the system has accepted them; if that fails,
 * later writes and reads report it.
 * @return the number of bytes that were accepted: in message mode all, as one message; in byte mode possibly fewer.
 *   `UV_EAGAIN`: writes are queued; `UV_EMSGSIZE`: the message is longer than `buffer_size`; otherwise as
 *   uvrelay_npipe_write() */
UVRELAY_API int uvrelay_npipe_try_write(uvrelay_npipe_t *npipe, const uv_buf_t bufs[], unsigned nbufs);

/** Half-closes the pipe: once all writes are done and the peer has read them (or 30 seconds have passed), sends a
 * zero-byte message. Reading continues. Nothing more can be written.
 * @param npipe the handle
 * @param cb called once, as for a write
 * @param user passed to the callback
 * @return 0; `UV_ENOTSUP`: the pipe is in byte mode, which has no half-close; `UV_ENOTCONN`; `UV_EALREADY`: it was
 *   already requested; `UV_EPIPE`: the pipe has failed; `UV_EPERM`: its server only writes to it; `UV_ENOMEM` */
UVRELAY_API int uvrelay_npipe_shutdown(uvrelay_npipe_t *npipe, uvrelay_npipe_done_cb cb, void *user);

/** Closes the handle in any state and abandons pending operations. The peer can still read what the system has
 * already accepted. Call this once; afterwards call other functions only from the callbacks that still run: those of
 * writes and of a shutdown, with `UV_ECANCELED` if they are not done, and then `cb`.
 * @param npipe the handle
 * @param cb called once, last; while a pipe on another computer is being opened, it is called only when that is
 *   over, because nothing can interrupt it. May be NULL. */
UVRELAY_API void uvrelay_npipe_close(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb cb);

/** Returns 1 if uvrelay_npipe_close() was called or the handle was given to a relay, otherwise 0. */
UVRELAY_API int uvrelay_npipe_is_closing(const uvrelay_npipe_t *npipe);

/** Returns 1 if the pipe is in message mode, otherwise 0; `UV_ENOTCONN` if it is neither connected nor listening. */
UVRELAY_API int uvrelay_npipe_is_message_mode(const uvrelay_npipe_t *npipe);

/** Returns 1 if the pipe can be read, 0 for a one-way pipe that its server only reads from (PIPE_ACCESS_INBOUND),
 * and `UV_ENOTCONN` if it is not connected. */
UVRELAY_API int uvrelay_npipe_is_readable(const uvrelay_npipe_t *npipe);

/** Returns 1 if the pipe can be written to, 0 for a one-way pipe that its server only writes to
 * (PIPE_ACCESS_OUTBOUND), and `UV_ENOTCONN` if it is not connected. */
UVRELAY_API int uvrelay_npipe_is_writable(const uvrelay_npipe_t *npipe);

/** Returns the process at the other end.
 * @param npipe the handle
 * @param[out] pid its id
 * @return 0; `UV_ENOTCONN`; `UV_ENOTSUP`; or the system's error. The ids of Wine are meaningless. */
UVRELAY_API int uvrelay_npipe_peer_pid(const uvrelay_npipe_t *npipe, uint32_t *pid);

/** Returns the number of bytes given to the read callback so far. */
UVRELAY_API uint64_t uvrelay_npipe_bytes_read(const uvrelay_npipe_t *npipe);

/** Returns the number of bytes that the system has accepted so far. */
UVRELAY_API uint64_t uvrelay_npipe_bytes_written(const uvrelay_npipe_t *npipe);

/** Returns the number of bytes given to uvrelay_npipe_write() and uvrelay_npipe_try_write() that are not written
 * yet. */
UVRELAY_API size_t uvrelay_npipe_write_queue_size(const uvrelay_npipe_t *npipe);

/** Returns the detail of the last failure to connect, listen or accept, or of one that a callback reported; its code
 * is 0 if there was none. Valid as long as the handle; the next failure changes it. */
UVRELAY_API const uvrelay_error_t *uvrelay_npipe_error(const uvrelay_npipe_t *npipe);

/** Returns the loop of the handle. */
UVRELAY_API uv_loop_t *uvrelay_npipe_get_loop(const uvrelay_npipe_t *npipe);

/** Returns the pointer that was given to uvrelay_npipe_set_data(), at first NULL. */
UVRELAY_API void *uvrelay_npipe_get_data(const uvrelay_npipe_t *npipe);

/** Stores a pointer for the caller; the library does not use it. */
UVRELAY_API void uvrelay_npipe_set_data(uvrelay_npipe_t *npipe, void *data);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
