/** @file uvrelay.h
 * Relays between named pipes, sockets, standard input and output, on a libuv loop. */
#ifndef UVRELAY_H
#define UVRELAY_H

#include "uvrelay/common.h"
#include "uvrelay/npipe.h"
#include "uvrelay/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup uvrelay relays between named pipes, sockets, standard input and output, on a libuv loop
 *
 * @details Relays bytes, both ways, between any two of: a target that an address names, a connected `uv_stream_t`, a
 * named pipe of uvrelay/npipe.h, a pair of descriptors such as standard input and output.
 *
 * A ::uvrelay_t stands for the relays of one loop. Each uvrelay_route_add() listens, and each client gets a session.
 * Each uvrelay_start() makes a session: it connects what is to be connected, moves bytes, passes each end of input on,
 * and calls back when it is over and nothing of it is left.
 *
 * The library runs on the caller's loop and thread. It makes no thread (what blocks goes to libuv's thread pool, and on
 * Windows look-ups of names, files, pipes of other computers and the flush before a zero-byte message to the system's),
 * installs no signal handler (on Unix the program must ignore SIGPIPE, as with all of libuv), writes to no descriptor
 * that it was not given, does not end the process and keeps no mutable global; relays on different loops know nothing
 * of each other.
 *
 * On Unix, look-ups take up to half of libuv's pool, and socket files a quarter. When so many of them do not answer,
 * further ones wait, so a program with many such targets gives the pool more threads (`UV_THREADPOOL_SIZE`).
 *
 * All functions but uvrelay_version() are to be called from the thread that runs the loop, and all callbacks come from
 * there, from within uv_run() and never before the function that asks for them has returned. From any callback any
 * function may be called, uvrelay_close() included.
 *
 * Bytes are never dropped, reordered or invented, and memory is bounded: a session holds at most two buffers a
 * direction (`buffer_size`), which between two pipes in message mode may each hold a whole message (`message_size`),
 * and half as much again while a message grows. An idle one holds none; on Windows one for a pipe, of 1 KiB unless the
 * last read was larger. When its sink does not take more a session stops reading its source. Sessions keep the loop
 * alive, and so do routes that listen; a relay without any does not.
 * @{ */

/** The relays of one loop. Its contents are private. */
typedef struct uvrelay_s uvrelay_t;

/** One relay between two sides. Its contents are private. */
typedef struct uvrelay_session_s uvrelay_session_t;

/** One end of many connections over one stream: uvrelay/mux.h. Its contents are private. */
typedef struct uvrelay_mux_s uvrelay_mux_t;

/** The options of uvrelay_new(). To be all zero but for `size` and what is wanted. */
typedef struct uvrelay_options_s {
  size_t size;                   /**< sizeof(uvrelay_options_t), by which versions are told apart */
  uvrelay_allocator_t allocator; /**< all zero: malloc and free */
  uvrelay_log_t log;             /**< all zero: silence */
  size_t buffer_size;            /**< of a relay buffer, in bytes, 1024 to 16777216; 0: 65536 */
  /** The longest message that is kept whole between two pipes in message mode, in bytes, up to 1073741824; a longer one
   * ends its session with `UV_EMSGSIZE`. 0: 16777216. */
  size_t message_size;
  /** 1: on Windows, `assuan:` may name a file of another computer (`//HOST/...`), which is sent the user's credentials
   * when the file is opened. 0: that is refused with `UV_EACCES`. */
  int allow_remote_files;
  /** Gets the few lines that concern what a relay cannot do for its peers, such as passing on descriptors, one a side
   * of a session at most, or keeping a client for which there is no memory. All zero: they go to `log`. */
  uvrelay_log_t warnings;
} uvrelay_options_t;

/** The two sides of a session. */
typedef enum uvrelay_side_e {
  UVRELAY_SIDE_NONE, /**< neither */
  UVRELAY_LEFT,      /**< the first side given to uvrelay_start() */
  UVRELAY_RIGHT      /**< the second */
} uvrelay_side_t;

/** What a side of a session is. */
typedef enum uvrelay_endpoint_type_e {
  UVRELAY_ADDRESS, /**< a target that is to be connected to */
  UVRELAY_STREAM,  /**< a connected libuv stream */
  UVRELAY_NPIPE,   /**< a connected named pipe */
  UVRELAY_STDIO    /**< one descriptor to read from and one to write to */
} uvrelay_endpoint_type_t;

/** A side of a session. Best made by uvrelay_address(), uvrelay_stream(), uvrelay_npipe() and uvrelay_stdio(). */
typedef struct uvrelay_endpoint_s {
  size_t size;                  /**< sizeof(uvrelay_endpoint_t), by which versions are told apart */
  uvrelay_endpoint_type_t type; /**< decides which of the other members say something */
  /** An address, in UTF-8, which is copied. In a pipe's name, `%USERNAME%` stands for the user's name, and a `*` at the
   * end for the rest of the name of the one pipe that begins so. Such variables and the `*` are resolved on the system
   * that connects, the pipe at each attempt.
   *  - `//./pipe/NAME`, `\\.\pipe\NAME`, `npipe:////./pipe/NAME`, `npipe://./pipe/NAME`, `npipe:NAME`,
   *    `//HOST/pipe/NAME`: a named pipe (Windows)
   *  - `unix:///PATH` or `unix:/PATH`: a Unix socket (Unix)
   *  - `tcp://HOST:PORT` or `tcp:HOST:PORT`: a TCP port; HOST is a name, an IPv4 address or an IPv6 address in brackets
   *  - `assuan:///PATH`, `assuan:/PATH` or `assuan:C:/PATH`: a libassuan (GnuPG) socket file
   *  - `assuan:%LOCALAPPDATA%/PATH`, also with `%APPDATA%` or `%USERPROFILE%`: such a file in a directory of Windows'
   *    user
   *  - `abstract:NAME`: an abstract Unix socket (Linux)
   *  - `via:ADDRESS`: any of these, connected to by the far end of `via` */
  const char *address;
  /** A `uv_tcp_t` or `uv_pipe_t`, connected, on the relay's loop, neither reading, writing nor closing, and
   * given to nobody else. The session uses it, its `data` included, and closes it. No other process may have the
   * socket of a `uv_tcp_t`: see uvrelay_start() on SO_LINGER. */
  uv_stream_t *stream;
  /** Called when the stream is closed, with its `data` as it was given, before the session's done callback: its memory
   * is the caller's again. NULL is allowed. */
  uv_close_cb stream_closed;
  /** A connected pipe on the relay's loop, with no writes queued. The session uses and closes it; nothing else may be
   * done with it any more. */
  uvrelay_npipe_t *npipe;
  /** Called when the pipe is closed, before the session's done callback. NULL is allowed. */
  uvrelay_npipe_close_cb npipe_closed;
  /** A descriptor of the C library, to read from, or -1: no input, which has ended. The session closes it; of 0, 1 and
   * 2 it leaves the number open, leading to the null device. A file, a console, and on Windows a pipe or socket that is
   * not overlapped, is read and written on libuv's thread pool: it occupies a buffer and one of the pool's threads
   * while a read or write waits, and no close, cancel or stop can be done before that has ended. A socket on Windows
   * becomes non-blocking; a pipe there that does not wait (`PIPE_NOWAIT`) waits until the session closes it. */
  uv_file input;
  /** The same, to write to, or -1: writing fails. Another one than `input`. */
  uv_file output;
  /** The near end of a mux of the same relay, for an address that begins with `via:` or that this system cannot connect
   * to, such as a named pipe on Unix. NULL: there is none. */
  uvrelay_mux_t *via;
} uvrelay_endpoint_t;

/** How one side's end of input is passed on to the other. */
typedef enum uvrelay_eof_e {
  UVRELAY_EOF_AUTO,   /**< as its kind can: a socket is half-closed, a pipe in message mode gets a zero-byte message, a
                         pipe in byte mode nothing */
  UVRELAY_EOF_MARKER, /**< the same, but a pipe in byte mode gets a zero-byte write, too, which its reader must know to
                         be the end */
  UVRELAY_EOF_NONE    /**< not at all: see `linger_ms` */
} uvrelay_eof_t;

/** The options of a session. To be all zero but for `size` and what is wanted. */
typedef struct uvrelay_session_options_s {
  size_t size; /**< sizeof(uvrelay_session_options_t), by which versions are told apart */
  /* Connecting, for each side that is an address. */
  uvrelay_impersonation_t impersonation; /**< what the server of a named pipe may do as this process */
  unsigned retry;                        /**< which failures are tried again: bits of ::uvrelay_retry_t */
  uint32_t retry_first_ms;               /**< from the first attempt to the second; doubled for each one after; 0: 10 */
  uint32_t retry_last_ms;                /**< but never longer than this; 0: 200 */
  uint64_t timeout_ms;                   /**< for connecting a side, all attempts together; 0: no limit */
  /* Ending. */
  /** Where a side's end of input cannot be passed on, because the other side has no half-close (a pipe in byte mode),
   * the session ends when that other side has been silent for so long. It also does when the left side is a pipe that
   * was told of the end by a zero-byte message, which its reader may take for nothing, and the right side, over TCP,
   * may be gone without showing it. UINT64_MAX: never. 0: 25000 for a silent right side, as its answer may be late;
   * 1000 for a left one, 5000 if it was told. */
  uint64_t linger_ms;
  int end_after_left;         /**< 1: the left side's end of input ends the session, once all its bytes are written */
  int end_after_right;        /**< 1: the same for the right side's */
  uvrelay_eof_t eof_to_left;  /**< how the left side is told of the right side's end of input */
  uvrelay_eof_t eof_to_right; /**< how the right side is told of the left side's */
  uint64_t idle_ms;           /**< ends the session when no byte was moved either way for so long. 0: never. */
  /** Who may own the target, for each side that is an address: words with commas between them, such as `user,system`.
   * If somebody else owns it, or the system does not tell who does, connecting fails with `UV_EPERM` and no byte is
   * sent. Empty: it is not asked.
   *
   * For a named pipe, the owner in its security descriptor: `user` (the user who runs this process), `system`
   * (S-1-5-18), `admins` (S-1-5-32-544, to whom belongs what services of the system and elevated processes make unless
   * they say otherwise), or a SID. For a Unix socket, the user whose process listens on it: `user` (the effective
   * user), `root`, a number, or a name, which is looked for in /etc/passwd. For `assuan:`, the owner of the socket
   * file. Words of the other system name nobody; a list that names nobody, or a target on TCP, is refused with
   * `UV_EINVAL`. */
  char owner[UVRELAY_USERS_SIZE];
} uvrelay_session_options_t;

/** Why a session has ended. */
typedef enum uvrelay_reason_e {
  UVRELAY_REASON_ENDED,   /**< both sides have ended their input, or one whose end was to be the end of all */
  UVRELAY_REASON_GONE,    /**< one side is gone, in an orderly way; what it had sent was passed on first */
  UVRELAY_REASON_SILENT,  /**< one side has ended, and the other one was silent for linger_ms;
                             or both were for idle_ms, then the side is UVRELAY_SIDE_NONE */
  UVRELAY_REASON_STOPPED, /**< uvrelay_session_cancel(), uvrelay_stop() or uvrelay_close() ended it: UV_ECANCELED */
  UVRELAY_REASON_FAILED   /**< an error */
} uvrelay_reason_t;

/** How a session has ended. Lasts as long as the callback. */
typedef struct uvrelay_result_s {
  uvrelay_reason_t reason; /**< why */
  uvrelay_side_t
      side; /**< which side ended last, is gone, is silent, or failed; UVRELAY_SIDE_NONE if none of the two did */
  uvrelay_error_t error; /**< its code is 0 but with UVRELAY_REASON_FAILED and UVRELAY_REASON_STOPPED; its text says why
                            in any case */
  uint64_t to_right;     /**< bytes written to the right side */
  uint64_t to_left;      /**< bytes written to the left side */
  uint64_t duration_ms;  /**< from the start of the session until both its sides were closed */
} uvrelay_result_t;

/** What a relay has done so far. */
typedef struct uvrelay_counters_s {
  size_t active;     /**< sessions whose done callback has not come */
  uint64_t started;  /**< sessions started */
  uint64_t failed;   /**< of those that are over, how many ended with UVRELAY_REASON_FAILED */
  uint64_t to_right; /**< bytes written to right sides, those of active sessions included */
  uint64_t to_left;  /**< bytes written to left sides, those of active sessions included */
} uvrelay_counters_t;

/** A listener, and the target to which each of its clients is relayed. Its contents are private. */
typedef struct uvrelay_route_s uvrelay_route_t;

/** What happens on a route. */
typedef enum uvrelay_event_type_e {
  UVRELAY_EVENT_OPENED,  /**< a client was accepted: a session has started, its target is now connected to */
  UVRELAY_EVENT_CLOSED,  /**< that session is over */
  UVRELAY_EVENT_PAUSED,  /**< no client is accepted for the time being: the error says why */
  UVRELAY_EVENT_RESUMED, /**< clients are accepted again */
  UVRELAY_EVENT_FAILED,  /**< no client will be accepted any more: the error says why. What is open stays so. */
  UVRELAY_EVENT_REFUSED  /**< a client was closed, as it is of a user who may not connect: the error says who */
} uvrelay_event_type_t;

/** The process at the other end of a client's connection, as the system told when it was accepted. A process can pass
 * its end on to others. */
typedef struct uvrelay_peer_s {
  uint32_t pid; /**< its id; 0: not known. On Unix, that of the process that has connected, as seen from here */
  int64_t uid;  /**< on Unix the effective user that it had when it connected; -1: not known */
} uvrelay_peer_t;

/** One thing that has happened on a route. Lasts as long as the callback. */
typedef struct uvrelay_event_s {
  uvrelay_event_type_t type;      /**< what has happened */
  uint64_t number;                /**< OPENED, CLOSED, REFUSED: which of the route's clients, counted from 1 */
  uvrelay_session_t *session;     /**< OPENED, CLOSED: its session, which with CLOSED serves only to tell which one */
  const uvrelay_result_t *result; /**< CLOSED: how it ended; its left side is the client, its right one the target */
  const uvrelay_error_t *error;   /**< PAUSED, FAILED, REFUSED: why */
  const uvrelay_peer_t *peer;     /**< OPENED, CLOSED, REFUSED: the client's process, of a Unix socket or a named pipe;
                                     NULL if nothing is known of it */
} uvrelay_event_t;

/** Called from the loop, later, for each event of a route, the last time before the route's or the relay's close
 * callback. */
typedef void (*uvrelay_event_cb)(uvrelay_route_t *route, const uvrelay_event_t *event, void *user);

/** Called when a route is gone. */
typedef void (*uvrelay_route_cb)(uvrelay_route_t *route, void *user);

/** The options of a route. To be all zero but for `size` and what is wanted. Most can be set by name, too:
 * uvrelay_route_option(), and in the query of each address. */
typedef struct uvrelay_route_options_s {
  size_t size;          /**< sizeof(uvrelay_route_options_t), by which versions are told apart */
  uint64_t timeout_ms;  /**< for connecting to the target; a busy one is tried again for so long. 0: 30000; UINT64_MAX:
                           no limit. */
  uint64_t linger_ms;   /**< see uvrelay_session_options_t::linger_ms */
  uint64_t idle_ms;     /**< see uvrelay_session_options_t::idle_ms */
  unsigned max;         /**< so many sessions at a time, further clients wait to be accepted; 0: 1024 */
  unsigned permissions; /**< of a Unix socket's file; 0: 0600 */
  int message_mode;     /**< 1: a named pipe that is listened on is of message type */
  uvrelay_impersonation_t impersonation; /**< what the server of a named pipe may do as this process */
  uvrelay_eof_t eof_to_client;           /**< how a client is told of its target's end of input */
  uvrelay_eof_t eof_to_target;           /**< how a target is told of its client's */
  int allow_remote; /**< 1: a TCP port may be open to other computers, whoever can reach it may use the target */
  uvrelay_event_cb event_cb; /**< NULL is allowed */
  void *user;                /**< given to it */
  uvrelay_mux_t *via;        /**< see uvrelay_endpoint_t::via */
  /** 1: a target that is absent (::UVRELAY_RETRY_ABSENT) is waited for, too, for `timeout_ms`. A client that leaves
   * meanwhile ends its session, and so does uvrelay_stop() or uvrelay_route_remove(), at once. */
  int wait_for_absent;
  /** Who may own the target: a list of users as for uvrelay_session_options_t::owner. Empty: it is not asked. */
  char owner[UVRELAY_USERS_SIZE];
  /** Which users' processes may be clients of a Unix socket, whether it has a file, is abstract, or was passed on: a
   * list as for `owner`, of `user` (the effective user of this process), `root`, numbers and names. Others are closed
   * at once, which is an event and counts as a failure. Empty: everybody who can open the socket. For an abstract
   * socket, where `permissions` decide if this is empty, they do not count if it is not. Refused with `UV_EINVAL` for
   * other listeners. */
  char peer_uid[UVRELAY_USERS_SIZE];
  /** How the host calls the route, for uvrelay_route_get_name(): letters, digits, hyphens, underscores and dots, the
   * first one being a letter or a digit. The library makes no use of it; two routes may have the same. Empty: it has
   * none. */
  char name[UVRELAY_NAME_SIZE];
} uvrelay_route_options_t;

/** What a route has done so far. */
typedef struct uvrelay_route_counters_s {
  size_t open;        /**< sessions that are not over */
  uint64_t total;     /**< sessions started, and clients refused */
  uint64_t failed;    /**< of those that are over, how many ended with UVRELAY_REASON_FAILED or were refused */
  uint64_t to_target; /**< bytes written to targets, those of open sessions included */
  uint64_t to_client; /**< bytes written to clients, those of open sessions included */
} uvrelay_route_counters_t;

/** Called when a session is over, both its sides are closed, and nothing of it is left: `session` serves only to tell
 * which one it was. */
typedef void (*uvrelay_done_cb)(uvrelay_session_t *session, const uvrelay_result_t *result, void *user);
/** Called when a relay is stopped or closed. */
typedef void (*uvrelay_cb)(uvrelay_t *relay);

/** Makes the relays of `loop`, as yet none.
 * @param[out] out the relay; NULL on failure
 * @param loop must outlive it
 * @param options copied; NULL: all defaults
 * @return 0; `UV_EINVAL`: an option is out of its range; `UV_ENOMEM`. After a failure there is nothing to close. */
UVRELAY_API int uvrelay_new(uvrelay_t **out, uv_loop_t *loop, const uvrelay_options_t *options);

/** Starts a session between two sides.
 *
 * End of input on one side half-closes the other after all its bytes. The session ends when both sides have ended, when
 * one is gone or fails, or as the options say; and only after what was read has been written, if the other side still
 * takes it. Where it fails or is cancelled after bytes have gone over a TCP side, that is reset, so that they do not
 * look like all; so it is when `idle_ms` ends the session while something is still to be written to it, and when the
 * process ends before the session does and before that side was half-closed (SO_LINGER, which the session sets
 * meanwhile and puts back). Between two pipes in message mode each message stays one. A socket that still sends when
 * the session has ended is closed only after it has ended, too, or 2 seconds, so that it gets all that was written to
 * it; a cancel ends that wait. While the right side is being connected, the left one is looked at only with
 * UVRELAY_RETRY_ABSENT, which ends the session if that one has left (a TCP peer may hide it); else, with retries, set a
 * `timeout_ms`.
 * @param relay the relay
 * @param left,right copied, but not what they point to. When this succeeds these belong to the session; else to the
 *   caller as before. An address is copied.
 * @param options copied; NULL: all defaults
 * @param cb called once, when the session is over; NULL is allowed
 * @param user given to the callback
 * @param[out] out the session, valid until the done callback returns; NULL is allowed
 * @return 0; `UV_EINVAL`: an address cannot be read, a stream or pipe is not as it must be, an option is out of its
 *   range; `UV_ENOTCONN`: a pipe or stream is not connected; `UV_EBUSY`: a pipe or stream is in use; `UV_EOF`,
 * `UV_EPIPE`: the pipe's input has ended, or its output; `UV_ESHUTDOWN`: the relay is stopped; `UV_ENOMEM`.
 * uvrelay_error() has the detail. All other failures are told by the callback. */
UVRELAY_API int uvrelay_start(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                              const uvrelay_session_options_t *options, uvrelay_done_cb cb, void *user,
                              uvrelay_session_t **out);

/** Ends a session soon, whatever is under way; its done callback comes as ever, with UVRELAY_REASON_STOPPED unless it
 * was over already. May be called more than once, but not after the done callback. */
UVRELAY_API void uvrelay_session_cancel(uvrelay_session_t *session);

/** How many bytes a session has written to each of its sides so far; a write that is not done does not count.
 * @param session the session
 * @param[out] to_right,to_left the numbers; each may be NULL */
UVRELAY_API void uvrelay_session_bytes(const uvrelay_session_t *session, uint64_t *to_right, uint64_t *to_left);

/** Begins to listen, and relays each client to the target, in a session of its own, of which the client is the left
 * side. A target that is busy is tried again until `timeout_ms` has passed, and so is one that is absent, with
 * `wait_for_absent`; another one that cannot be reached ends the session at once. Where a process has no more
 * descriptors, or `max` sessions are open, clients wait to be accepted.
 *
 * Both addresses are as for uvrelay_endpoint_t::address. Each may have options behind it, `?NAME=VALUE&NAME=VALUE`,
 * which are those of uvrelay_route_option() and go before `options`; so a `?` cannot be in a path here.
 *
 * @param relay the relay
 * @param listen where to listen, in UTF-8:
 *  - `unix:///PATH`: a Unix socket. Its file is made with its permissions, replaces one that nobody listens on any more
 *    (UV_EADDRINUSE if somebody does; a file that is no socket is left alone: UV_EEXIST), and is removed at the end.
 *  - `tcp://HOST:PORT`: an IPv4 address, an IPv6 address in brackets, or localhost, which is 127.0.0.1 and [::1], with
 *    the same port, where the system has both. Port 0: any that is free, see uvrelay_route_get_listen(). If it is not
 * of the loopback network, UV_EACCES without `allow_remote`.
 *  - `npipe:////./pipe/NAME` and the other forms (Windows): a pipe that only this user may open, from this computer
 *    only, by processes of the same integrity level or a higher one only.
 *  - `abstract:NAME` (Linux): a Unix socket without a file, whose permissions may be 0600, for processes of this user
 *    only, or 0666, for all; or `peer_uid` says who.
 *  - `fd://NAME`, `fd://NUMBER` (Unix): a listening socket that systemd passes on, by the name in LISTEN_FDNAMES or the
 *    number of the descriptor. The route closes it; its number stays taken, leading to the null device. Whether it is
 *    blocking is never changed, as other processes may share it: it is accepted on by a job of libuv's thread pool.
 *    Where another process takes the client that the job was for, the job waits for the next one, even after the
 *    route has ended: then it keeps the loop alive, and closes that client.
 * @param target where to connect to: any target but a listener's `fd:`. If it goes through `via`, the far end has
 *   nothing to wait for while a busy target is tried again, and the options `impersonation`, `linger` and `eof` go with
 *   the address.
 * @param options copied; NULL: all defaults
 * @param[out] out the route, valid until its close callback or the relay's; NULL is allowed
 * @return 0: it listens; else a negative code, of which uvrelay_error() has the detail: `UV_EINVAL`: an address or an
 *   option is wrong; `UV_ENOTSUP`: not on this system; `UV_ESHUTDOWN`: the relay is stopped; `UV_ENOMEM`; and what the
 *   system says */
UVRELAY_API int uvrelay_route_add(uvrelay_t *relay, const char *listen, const char *target,
                                  const uvrelay_route_options_t *options, uvrelay_route_t **out);

/** Stops to listen and ends the route. Its sessions may go on until they end by themselves or `timeout_ms` has passed;
 * then they are cancelled. May be called again with another timeout, but not after the callback. uvrelay_stop() stops
 * to listen, too, and uvrelay_close() ends all routes; those that were not removed have no callback then.
 * @param route the route
 * @param timeout_ms 0: cancel them at once; UINT64_MAX: never
 * @param cb called once, later, when nothing of the route is left but its memory, which is gone when the callback
 *   returns; the last one counts. NULL is allowed.
 * @param user given to it */
UVRELAY_API void uvrelay_route_remove(uvrelay_route_t *route, uint64_t timeout_ms, uvrelay_route_cb cb, void *user);

/** Puts a new route in the place of another one, whose listener it takes over, so that no client is refused meanwhile:
 * those that are accepted from now on are relayed to the new target, with the new options. The other route ends like
 * one that is removed, and its sessions may go on as there. The new one's counters begin at 0.
 * @param route the route that ends, if this succeeds; else it goes on as it was
 * @param listen,target,options as for uvrelay_route_add()
 * @param timeout_ms,cb,user as for uvrelay_route_remove(), for the route that ends
 * @param[out] out the new route; NULL is allowed
 * @return 0; `UV_ENOTSUP`: the listener cannot be taken over, as it is another address, its own options are others
 *   (`perm`, `mode`, `peer-uid`, `allow_remote`), only one of the two targets is connected to through `via`, or the
 * route does not listen any more: remove it and add one; else as uvrelay_route_add() */
UVRELAY_API int uvrelay_route_replace(uvrelay_route_t *route, const char *listen, const char *target,
                                      const uvrelay_route_options_t *options, uint64_t timeout_ms, uvrelay_route_cb cb,
                                      void *user, uvrelay_route_t **out);

/** Sets an option by its name, from text. Durations are in seconds, "2.5", or have a unit, "500ms", "90s", "5m", "2h",
 * up to a day; "off" is no limit where there can be none.
 *
 * For the whole route: `timeout`, `linger`, `idle`, `max`, `name`. Of the listener: `perm` (octal, "0600"), `mode`
 * ("byte" or "message"), `peer-uid` (a list of users, or "any"). Of the target: `impersonation` ("anonymous",
 * "identification", "impersonation", "delegation"), `absent` ("wait" or "fail"), `owner` (a list of users, or "any").
 * Of each: `eof`
 * ("auto", "marker", "none"), how it is told of the other one's end.
 * @param options with a valid size
 * @param side UVRELAY_LEFT: the listener; UVRELAY_RIGHT: the target; UVRELAY_SIDE_NONE: both
 * @param name the option's name
 * @param value its value
 * @param[out] error what is wrong; NULL is allowed
 * @return 0 or `UV_EINVAL` */
UVRELAY_API int uvrelay_route_option(uvrelay_route_options_t *options, uvrelay_side_t side, const char *name,
                                     const char *value, uvrelay_error_t *error);

/** Where the route listens, in its canonical form without options: with the port that was chosen instead of 0. */
UVRELAY_API const char *uvrelay_route_get_listen(const uvrelay_route_t *route);

/** The target's address, in its canonical form without options; `via:ADDRESS` if it goes through a mux. */
UVRELAY_API const char *uvrelay_route_get_target(const uvrelay_route_t *route);

/** The route's name, as its options or its addresses have it; empty if it has none. */
UVRELAY_API const char *uvrelay_route_get_name(const uvrelay_route_t *route);

/** What the route has done so far.
 * @param route the route
 * @param[out] out filled in
 * @param size sizeof(uvrelay_route_counters_t), by which versions are told apart: no more than that is written */
UVRELAY_API void uvrelay_route_get_counters(const uvrelay_route_t *route, uvrelay_route_counters_t *out, size_t size);

/** The last error of the route's listener or of one of its sessions; its code is 0 if there was none. */
UVRELAY_API const uvrelay_error_t *uvrelay_route_error(const uvrelay_route_t *route);

/** Drains: nothing is listened on any more, no session can be started, and those there are may go on until they end by
 * themselves or `timeout_ms` has passed; then they are cancelled.
 * @param relay the relay
 * @param timeout_ms 0: cancel them at once; UINT64_MAX: never
 * @param cb called once, later, when no session is left and no route listens; not if the relay is closed first. NULL is
 *   allowed.
 * @return 0; `UV_EALREADY`: it was stopped already */
UVRELAY_API int uvrelay_stop(uvrelay_t *relay, uint64_t timeout_ms, uvrelay_cb cb);

/** Cancels all sessions, ends all routes and frees the relay. It must have been closed before uv_loop_close(), and its
 * handles are not for a host's own uv_walk() and uv_close(). To be called once; afterwards no other function may be
 * called with it but from the done callbacks that still come.
 * @param relay the relay
 * @param cb called once, later, after all done callbacks, last: if a look-up of a name, a socket file or a pipe of
 *   another computer does not answer, only when the system has given that up, as nothing can interrupt it. The relay is
 *   still there for uvrelay_get_data() and gone when the callback returns. NULL is allowed. */
UVRELAY_API void uvrelay_close(uvrelay_t *relay, uvrelay_cb cb);

/** What the relay has done so far.
 * @param relay the relay
 * @param[out] out filled in
 * @param size sizeof(uvrelay_counters_t), by which versions are told apart: no more than that is written */
UVRELAY_API void uvrelay_get_counters(const uvrelay_t *relay, uvrelay_counters_t *out, size_t size);

/** The detail of the last failure of uvrelay_start() or uvrelay_route_add(); its code is 0 if there was none. Lasts as
 * long as the relay, and changes with the next failure. */
UVRELAY_API const uvrelay_error_t *uvrelay_error(const uvrelay_t *relay);

/** The loop of the relay. */
UVRELAY_API uv_loop_t *uvrelay_get_loop(const uvrelay_t *relay);

/** What uvrelay_set_data() was given, at first NULL. */
UVRELAY_API void *uvrelay_get_data(const uvrelay_t *relay);

/** Keeps a pointer for the caller, who alone uses it. */
UVRELAY_API void uvrelay_set_data(uvrelay_t *relay, void *data);

/** The version of the library in use, "0.1.0", which may be another than UVRELAY_VERSION, that of the header. From any
 * thread. */
UVRELAY_API const char *uvrelay_version(void);

/** A side that is to be connected to.
 * @param address see uvrelay_endpoint_t::address */
static inline uvrelay_endpoint_t uvrelay_address(const char *address)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_ADDRESS, address, NULL, NULL, NULL, NULL, -1, -1, NULL};
  return endpoint;
}

/** A side that is a libuv stream.
 * @param stream see uvrelay_endpoint_t::stream
 * @param closed see uvrelay_endpoint_t::stream_closed */
static inline uvrelay_endpoint_t uvrelay_stream(uv_stream_t *stream, uv_close_cb closed)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_STREAM, NULL, stream, closed, NULL, NULL, -1, -1, NULL};
  return endpoint;
}

/** A side that is a named pipe.
 * @param npipe see uvrelay_endpoint_t::npipe
 * @param closed see uvrelay_endpoint_t::npipe_closed */
static inline uvrelay_endpoint_t uvrelay_npipe(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb closed)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_NPIPE, NULL, NULL, NULL, npipe, closed, -1, -1, NULL};
  return endpoint;
}

/** A side that is a pair of descriptors.
 * @param input see uvrelay_endpoint_t::input
 * @param output see uvrelay_endpoint_t::output */
static inline uvrelay_endpoint_t uvrelay_stdio(uv_file input, uv_file output)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_STDIO, NULL, NULL, NULL, NULL, NULL, input, output, NULL};
  return endpoint;
}

/** @} */

#ifdef __cplusplus
}
#endif

#endif
