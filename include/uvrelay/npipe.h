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
 * @details A Windows named pipe on the caller's loop, with what `uv_pipe_t` cannot do: message mode with its
 * boundaries, half-close by a zero-byte message, a chosen impersonation level (anonymous unless asked otherwise),
 * waiting for a pipe that is busy or absent.
 *
 * A handle is made by uvrelay_npipe_new(). Then it either connects, or listens, or is given a client by
 * uvrelay_npipe_accept(); and in the end it is closed, once, by uvrelay_npipe_close(), whatever has failed before.
 *
 * All functions are to be called from the thread that runs the loop, and all callbacks come from there, from within
 * uv_run() and never before the function that asks for them has returned. From any callback any function may be
 * called, uvrelay_npipe_close() included. Errors are negative libuv codes; uvrelay_npipe_error() has the detail of
 * most.
 *
 * The handle keeps the loop alive while it connects, listens, reads, writes, shuts down or closes.
 *
 * Other systems than Windows have no such pipes: there uvrelay_npipe_new(), uvrelay_npipe_close() and the questions
 * work, and all that would touch the system returns `UV_ENOTSUP`.
 * @{ */

/** A named pipe. Its contents are private; its memory is the library's. */
typedef struct uvrelay_npipe_s uvrelay_npipe_t;

/** Whether a pipe keeps messages apart. */
typedef enum uvrelay_npipe_mode_e {
  UVRELAY_NPIPE_BYTE,   /**< a stream of bytes; an end of input cannot be sent */
  UVRELAY_NPIPE_MESSAGE /**< messages; one of zero bytes is the end of input */
} uvrelay_npipe_mode_t;

/** The options of uvrelay_npipe_new(). To be all zero but for `size` and what is wanted. */
typedef struct uvrelay_npipe_options_s {
  size_t size;                   /**< sizeof(uvrelay_npipe_options_t), by which versions are told apart */
  uvrelay_allocator_t allocator; /**< all zero: malloc and free */
  uvrelay_log_t log;             /**< all zero: silence */
  /** The largest read, and the longest message of uvrelay_npipe_try_write(), in bytes, 1024 to 16777216; 0: 65536. */
  size_t buffer_size;
  /* Connecting. */
  uvrelay_impersonation_t impersonation; /**< what the server may do as this process */
  unsigned retry;                        /**< which failures are tried again: bits of ::uvrelay_retry_t */
  uint32_t retry_first_ms;               /**< from the first attempt to the second; doubled for each one after; 0: 10 */
  uint32_t retry_last_ms;                /**< but never longer than this; 0: 200 */
  uint64_t timeout_ms;                   /**< for connecting, all attempts together; 0: no limit */
  /* Listening. */
  uvrelay_npipe_mode_t mode; /**< of the pipe that is made */
  uint32_t reserved;         /**< 0 */
  /** Connecting: who may own the pipe, a list of users as for uvrelay_session_options_t::owner of uvrelay.h. If
   * somebody else does, or the system does not tell who, connecting fails with `UV_EPERM`, before anything is sent.
   * Empty: it is not asked. */
  char owner[UVRELAY_USERS_SIZE];
} uvrelay_npipe_options_t;

/** What a read callback is called for. */
typedef enum uvrelay_npipe_event_e {
  UVRELAY_NPIPE_DATA,         /**< bytes came */
  UVRELAY_NPIPE_END_OF_INPUT, /**< a zero-byte message: the peer will send no more, but may still read */
  UVRELAY_NPIPE_GONE,         /**< the peer has closed the pipe, in an orderly way: the end of reading */
  UVRELAY_NPIPE_ERROR         /**< anything else: the end of reading */
} uvrelay_npipe_event_t;

/** What was read. Lasts as long as the callback. */
typedef struct uvrelay_npipe_read_s {
  uvrelay_npipe_event_t event; /**< decides which of the other members say something */
  int status;                  /**< 0; UV_EOF at the end of input and when the peer is gone; else a negative code */
  const char *data;            /**< the bytes, of the library's; NULL if there are none */
  size_t length;               /**< how many; at least 1 with UVRELAY_NPIPE_DATA, else 0 */
  int end_of_message;          /**< in message mode: whether the last of these bytes ends a message; else 0 */
} uvrelay_npipe_read_t;

/** Called when connecting is over: `status` is 0 or a negative code. */
typedef void (*uvrelay_npipe_connect_cb)(uvrelay_npipe_t *npipe, int status);
/** Called for each client that may be taken by uvrelay_npipe_accept(), with `status` 0; with a negative code when the
 * pipe can take no more clients: the last call. */
typedef void (*uvrelay_npipe_connection_cb)(uvrelay_npipe_t *server, int status);
/** Called for all that is read. */
typedef void (*uvrelay_npipe_read_cb)(uvrelay_npipe_t *npipe, const uvrelay_npipe_read_t *read);
/** Called when a write or a shutdown is over: `status` is 0 or a negative code, `UV_ECANCELED` if the handle was closed
 * before it was done. */
typedef void (*uvrelay_npipe_done_cb)(uvrelay_npipe_t *npipe, int status, void *user);
/** Called when the handle is closed: its last callback. The handle is still there for uvrelay_npipe_get_data() and
 * gone when the callback returns. */
typedef void (*uvrelay_npipe_close_cb)(uvrelay_npipe_t *npipe);

/** Makes a handle on `loop`.
 * @param[out] out the handle; NULL on failure
 * @param loop must outlive the handle
 * @param options copied; NULL: all defaults
 * @return 0; `UV_EINVAL`: an option is out of its range; `UV_ENOMEM`. After a failure there is nothing to close. */
UVRELAY_API int uvrelay_npipe_new(uvrelay_npipe_t **out, uv_loop_t *loop, const uvrelay_npipe_options_t *options);

/** Connects to a server's pipe, with the access of the options. A pipe of message type is put into message mode,
 * where its server allows that: uvrelay_npipe_is_message_mode() tells. A pipe that its server made for one direction is
 * opened for that one: uvrelay_npipe_is_readable() and uvrelay_npipe_is_writable() tell.
 * @param npipe the handle
 * @param name `//./pipe/NAME`, `\\.\pipe\NAME`, `npipe:NAME`, or `//HOST/pipe/NAME` for another computer; UTF-8; copied
 * @param cb called once, unless the handle is closed first. Its status: `UV_ENOENT`: there is no such pipe, `UV_EBUSY`:
 *   all its instances are taken, `UV_EACCES`: access was denied, `UV_ETIMEDOUT`: the time was over, or another. After a
 *   failure the handle may connect again.
 * @return 0; `UV_EINVAL`: not such a name; `UV_EBUSY`: the handle is in use already; `UV_ENOMEM`; `UV_ENOTSUP` */
UVRELAY_API int uvrelay_npipe_connect(uvrelay_npipe_t *npipe, const char *name, uvrelay_npipe_connect_cb cb);

/** Makes a pipe of this computer, of the options' mode, and waits for its clients. Only the current user may connect,
 * who is the pipe's owner, and nobody from another computer, and no process of a lower integrity level than this one: a
 * pipe of an elevated process is for elevated clients only. The pipe must not exist yet, not even one that nobody
 * serves any more but a client still has open (FILE_FLAG_FIRST_PIPE_INSTANCE; Wine before version 10 does not look).
 * @param npipe the handle
 * @param name as for uvrelay_npipe_connect(), without a host
 * @param backlog how many clients may be connected without having been accepted, 1 to 64: so many instances wait
 * @param cb called for each client
 * @return 0; `UV_EINVAL`: not such a name or number; `UV_EBUSY`: the handle is in use already; `UV_EADDRINUSE`: the
 *   pipe exists; `UV_EACCES`; `UV_ENOMEM`; `UV_ENOTSUP`; or another. After a failure the handle may listen again. */
UVRELAY_API int uvrelay_npipe_listen(uvrelay_npipe_t *npipe, const char *name, unsigned backlog,
                                     uvrelay_npipe_connection_cb cb);

/** Takes a client that a connection callback told of. May also be called later than in that callback.
 * @param server the handle that listens
 * @param client a new handle on the same loop, which is connected then
 * @return 0; `UV_EAGAIN`: no client waits; `UV_EINVAL`: `server` does not listen, or `client` has another loop;
 *   `UV_EBUSY`: `client` is in use already; `UV_ENOMEM` (the client still waits); `UV_ENOTSUP`. The detail is with
 *   `server`. */
UVRELAY_API int uvrelay_npipe_accept(uvrelay_npipe_t *server, uvrelay_npipe_t *client);

/** Reads all that comes, until uvrelay_npipe_read_stop() or the end. The order of events is: any number of
 * UVRELAY_NPIPE_DATA, at most one UVRELAY_NPIPE_END_OF_INPUT, then UVRELAY_NPIPE_GONE or UVRELAY_NPIPE_ERROR, after
 * which none comes. In message mode a message longer than the buffer comes in several pieces, the last of which has
 * `end_of_message`.
 * @return 0; `UV_EINVAL`: there is no callback; `UV_EALREADY`: it reads already; `UV_ENOTCONN`: it is not connected;
 * `UV_EOF`: reading has ended; `UV_EPERM`: its server only reads from it, so that only a write shows when it is gone;
 * `UV_ENOTSUP` */
UVRELAY_API int uvrelay_npipe_read_start(uvrelay_npipe_t *npipe, uvrelay_npipe_read_cb cb);

/** Stops reading: no read callback comes until uvrelay_npipe_read_start(). Nothing is lost: what was read already, at
 * most a buffer, is kept until then. Harmless when nothing is read. */
UVRELAY_API void uvrelay_npipe_read_stop(uvrelay_npipe_t *npipe);

/** Writes; in message mode, one message made of all the buffers in their order. Writes are done one after another.
 * @param npipe the handle
 * @param bufs copied, but not the bytes that they point to: these must last until the callback
 * @param nbufs how many. More than one are put together in memory of the allocator.
 * @param cb called once, in the order of the writes; after uvrelay_npipe_close(), if it was not done before, with
 *   `UV_ECANCELED`, before the close callback. NULL is allowed. Status 0 means that the system took all; one failure
 * makes all later writes fail.
 * @param user given to the callback
 * @return 0; `UV_EINVAL`: no bytes at all (a zero-byte message is uvrelay_npipe_shutdown()), or more than 2147483647;
 *   `UV_ENOTCONN`; `UV_EPIPE`: shutdown was asked for, or the pipe has failed; `UV_EPERM`: its server only writes to
 *   it; `UV_ENOMEM`; `UV_ENOTSUP`. After a failure no callback comes. */
UVRELAY_API int uvrelay_npipe_write(uvrelay_npipe_t *npipe, const uv_buf_t bufs[], unsigned nbufs,
                                    uvrelay_npipe_done_cb cb, void *user);

/** Writes without a callback: copies at most `buffer_size` bytes, if nothing is queued. They go out before all later
 * writes, and count in uvrelay_npipe_write_queue_size() until the system has taken them; should that fail, later writes
 * and reading tell.
 * @return how many bytes were taken: in message mode all, as one message; in byte mode perhaps fewer. `UV_EAGAIN`:
 *   writes are queued; `UV_EMSGSIZE`: the message is longer than `buffer_size`; else as uvrelay_npipe_write() */
UVRELAY_API int uvrelay_npipe_try_write(uvrelay_npipe_t *npipe, const uv_buf_t bufs[], unsigned nbufs);

/** Half-close: once all writes are done and the peer has read them (or 30 seconds have passed), sends a zero-byte
 * message. Reading goes on. Nothing can be written any more.
 * @param npipe the handle
 * @param cb called once, as for a write
 * @param user given to the callback
 * @return 0; `UV_ENOTSUP`: the pipe is in byte mode, which has no half-close; `UV_ENOTCONN`; `UV_EALREADY`: it was
 * asked for already; `UV_EPIPE`: the pipe has failed; `UV_EPERM`: its server only writes to it; `UV_ENOMEM` */
UVRELAY_API int uvrelay_npipe_shutdown(uvrelay_npipe_t *npipe, uvrelay_npipe_done_cb cb, void *user);

/** Closes the handle in whatever state it is, and abandons what is under way. What the system has taken already the
 * peer can still read. To be called once; afterwards no other function may be called but from the callbacks that still
 * come: those of writes and of a shutdown, with `UV_ECANCELED` if they are not done, and
 * then `cb`.
 * @param npipe the handle
 * @param cb called once, last; while a pipe of another computer is being opened, only when that is over, as nothing can
 *   interrupt it. NULL is allowed */
UVRELAY_API void uvrelay_npipe_close(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb cb);

/** Whether uvrelay_npipe_close() was called, or the handle was given to a relay: 1 or 0. */
UVRELAY_API int uvrelay_npipe_is_closing(const uvrelay_npipe_t *npipe);

/** Whether it is in message mode: 1 or 0; `UV_ENOTCONN` when it is neither connected nor listening. */
UVRELAY_API int uvrelay_npipe_is_message_mode(const uvrelay_npipe_t *npipe);

/** Whether it can be read: 1, or 0 for a one-way pipe that its server only reads from (PIPE_ACCESS_INBOUND);
 * `UV_ENOTCONN` when it is not connected. */
UVRELAY_API int uvrelay_npipe_is_readable(const uvrelay_npipe_t *npipe);

/** Whether it can be written to: 1, or 0 for a one-way pipe that its server only writes to (PIPE_ACCESS_OUTBOUND);
 * `UV_ENOTCONN` when it is not connected. */
UVRELAY_API int uvrelay_npipe_is_writable(const uvrelay_npipe_t *npipe);

/** The process at the other end.
 * @param npipe the handle
 * @param[out] pid its id
 * @return 0; `UV_ENOTCONN`; `UV_ENOTSUP`; or what the system gave. Wine gives ids of no meaning. */
UVRELAY_API int uvrelay_npipe_peer_pid(const uvrelay_npipe_t *npipe, uint32_t *pid);

/** Bytes given to the read callback so far. */
UVRELAY_API uint64_t uvrelay_npipe_bytes_read(const uvrelay_npipe_t *npipe);

/** Bytes that the system has taken so far. */
UVRELAY_API uint64_t uvrelay_npipe_bytes_written(const uvrelay_npipe_t *npipe);

/** Bytes that were given to uvrelay_npipe_write() and uvrelay_npipe_try_write() and are not written yet. */
UVRELAY_API size_t uvrelay_npipe_write_queue_size(const uvrelay_npipe_t *npipe);

/** The detail of the last failure to connect, listen or accept, or that a callback told of; its code is 0 if there was
 * none. Lasts as long as the handle, and changes
 * with the next failure. */
UVRELAY_API const uvrelay_error_t *uvrelay_npipe_error(const uvrelay_npipe_t *npipe);

/** The loop of the handle. */
UVRELAY_API uv_loop_t *uvrelay_npipe_get_loop(const uvrelay_npipe_t *npipe);

/** What uvrelay_npipe_set_data() was given, at first NULL. */
UVRELAY_API void *uvrelay_npipe_get_data(const uvrelay_npipe_t *npipe);

/** Keeps a pointer for the caller, who alone uses it. */
UVRELAY_API void uvrelay_npipe_set_data(uvrelay_npipe_t *npipe, void *data);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
