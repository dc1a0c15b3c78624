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
 * @details Relays bytes in both directions between any two of the following: a target that has an address, a
 * connected `uv_stream_t`, a named pipe of uvrelay/npipe.h, and a pair of descriptors such as standard input and
 * output.
 *
 * A ::uvrelay_t owns the relays of one loop. Each uvrelay_route_add() listens, and every client gets a session. Each
 * uvrelay_start() creates one session: it connects what is not connected yet, moves bytes, passes on each end of
 * input, and calls back when it is over and has released everything.
 *
 * The library runs on the caller's loop and thread. It creates no threads: blocking work runs in libuv's thread pool
 * and, on Windows, in the system's thread pool (name look-ups, files, pipes on other computers, and the flush before
 * a zero-byte message). It installs no signal handlers (on Unix the program must ignore SIGPIPE, as for all uses of
 * libuv), writes only to descriptors that it was given, never ends the process, and has no mutable globals. Relays
 * on different loops are independent.
 *
 * On Unix, look-ups use up to half of libuv's pool, and socket files up to a quarter. When that many do not answer,
 * further ones wait, so a program with many such targets should give the pool more threads (`UV_THREADPOOL_SIZE`).
 *
 * Call all functions except uvrelay_version() from the thread that runs the loop. All callbacks run on that thread,
 * within uv_run(), and never before the function that requests them has returned. Callbacks may call any function,
 * including uvrelay_close().
 *
 * Bytes are never dropped, reordered or invented, and memory is bounded: a session holds at most two buffers per
 * direction (`buffer_size`). Between two pipes in message mode, each buffer can hold a whole message
 * (`message_size`), and half as much again while a message grows. An idle session holds no buffers, except on
 * Windows one per pipe, of 1 KiB unless the last read was larger. When its sink accepts no more bytes, a session
 * stops reading from its source. Sessions and listening routes keep the loop alive; a relay without any does not.
 * @{ */

/** The relays of one loop. Its members are private. */
typedef struct uvrelay_s uvrelay_t;

/** One relay between two sides. Its members are private. */
typedef struct uvrelay_session_s uvrelay_session_t;

/** One end of many connections over one stream: see uvrelay/mux.h. Its members are private. */
typedef struct uvrelay_mux_s uvrelay_mux_t;

/** The options of uvrelay_new(). Set `size` and the options that you need, and leave the rest zero. */
typedef struct uvrelay_options_s {
  size_t size;                   /**< sizeof(uvrelay_options_t), which identifies the version */
  uvrelay_allocator_t allocator; /**< all zero: malloc and free are used */
  uvrelay_log_t log;             /**< all zero: nothing is logged */
  size_t buffer_size;            /**< the size of a relay buffer in bytes, 1024 to 16777216; 0: 65536 */
  /** The longest message, in bytes, that stays whole between two pipes in message mode, up to 1073741824; a longer
   * one ends its session with `UV_EMSGSIZE`. 0: 16777216. */
  size_t message_size;
  /** 1: on Windows, `assuan:` may refer to a file on another computer (`//HOST/...`), to which Windows sends the
   * user's credentials when it opens the file. 0: that is refused with `UV_EACCES`. */
  int allow_remote_files;
  /** Receives the few lines about what a relay cannot do for its peers, such as passing on descriptors (at most one
   * line per side of a session) or accepting a client without enough memory. All zero: these lines go to `log`. */
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
  UVRELAY_ADDRESS, /**< a target to connect to */
  UVRELAY_STREAM,  /**< a connected libuv stream */
  UVRELAY_NPIPE,   /**< a connected named pipe */
  UVRELAY_STDIO    /**< one descriptor to read from and one to write to */
} uvrelay_endpoint_type_t;

/** A side of a session. Create it with uvrelay_address(), uvrelay_stream(), uvrelay_npipe() or uvrelay_stdio(). */
typedef struct uvrelay_endpoint_s {
  size_t size;                  /**< sizeof(uvrelay_endpoint_t), which identifies the version */
  uvrelay_endpoint_type_t type; /**< decides which of the other members are used */
  /** An address in UTF-8, which is copied. In a pipe's name, `%USERNAME%` stands for the user's name, and a final
   * `*` for the rest of the name of the only pipe that begins that way. Variables and the `*` are resolved on the
   * system that connects, the `*` at each attempt.
   *  - `//./pipe/NAME`, `\\.\pipe\NAME`, `npipe:////./pipe/NAME`, `npipe://./pipe/NAME`, `npipe:NAME`,
   *    `//HOST/pipe/NAME`: a named pipe (Windows)
   *  - `unix:///PATH` or `unix:/PATH`: a Unix socket (Unix)
   *  - `tcp://HOST:PORT` or `tcp:HOST:PORT`: a TCP port; HOST is a name, an IPv4 address or an IPv6 address in
   *    brackets
   *  - `assuan:///PATH`, `assuan:/PATH` or `assuan:C:/PATH`: a libassuan (GnuPG) socket file
   *  - `assuan:%LOCALAPPDATA%/PATH`, also with `%APPDATA%` or `%USERPROFILE%`: such a file in a directory of the
   *    Windows user
   *  - `abstract:NAME`: an abstract Unix socket (Linux)
   *  - `via:ADDRESS`: any of these, connected to by the far end of `via` */
  const char *address;
  /** A connected `uv_tcp_t` or `uv_pipe_t` on the relay's loop that is not reading, writing or closing and is not
   * used by anything else. The session uses it, including its `data`, and closes it. No other process may share the
   * socket of a `uv_tcp_t`: see SO_LINGER at uvrelay_start(). */
  uv_stream_t *stream;
  /** Called when the stream is closed, with its original `data`, before the session's done callback; its memory then
   * belongs to the caller again. May be NULL. */
  uv_close_cb stream_closed;
  /** A connected pipe on the relay's loop, without queued writes. The session uses and closes it; do not use it for
   * anything else. */
  uvrelay_npipe_t *npipe;
  /** Called when the pipe is closed, before the session's done callback. May be NULL. */
  uvrelay_npipe_close_cb npipe_closed;
  /** A C library descriptor to read from, or -1: the input has already ended. The session closes it; the numbers 0,
   * 1 and 2 stay open and refer to the null device. Files, consoles and, on Windows, non-overlapped pipes and
   * sockets are read and written on libuv's thread pool: while a read or write is pending it occupies a buffer and
   * one of the pool's threads, and no close, cancel or stop completes before it returns. On Windows a socket becomes
   * non-blocking, and a pipe in `PIPE_NOWAIT` mode becomes blocking until the session closes it. */
  uv_file input;
  /** The same, to write to, or -1: writing fails. It must differ from `input`. */
  uv_file output;
  /** The near end of a mux of the same relay, for addresses that begin with `via:` or that this system cannot
   * connect to, such as a named pipe on Unix. NULL: there is none. */
  uvrelay_mux_t *via;
} uvrelay_endpoint_t;

/** How one side's end of input is passed on to the other. */
typedef enum uvrelay_eof_e {
  UVRELAY_EOF_AUTO,   /**< as its kind allows: a socket is half-closed, a pipe in message mode receives a zero-byte
                         message, and a pipe in byte mode receives nothing */
  UVRELAY_EOF_MARKER, /**< the same, but a pipe in byte mode also receives a zero-byte write, which its reader must
                         interpret as the end */
  UVRELAY_EOF_NONE    /**< it is not passed on: see `linger_ms` */
} uvrelay_eof_t;

/** The options of a session. Set `size` and the options that you need, and leave the rest zero. */
typedef struct uvrelay_session_options_s {
  size_t size; /**< sizeof(uvrelay_session_options_t), which identifies the version */
  /* Connecting, for each side that is an address. */
  uvrelay_impersonation_t impersonation; /**< how far the server of a named pipe may act as this process */
  unsigned retry;                        /**< which failures are retried: bits of ::uvrelay_retry_t */
  uint32_t retry_first_ms; /**< the delay before the second attempt, doubled for each further one; 0: 10 */
  uint32_t retry_last_ms;  /**< the maximum delay; 0: 200 */
  uint64_t timeout_ms;     /**< the time limit for connecting a side, including all attempts; 0: no limit */
  /* Ending. */
  /** If a side's end of input cannot be passed on because the other side has no half-close (a pipe in byte mode),
   * the session ends after that other side has been silent for this time. The same applies when the left side is a
   * pipe that received a zero-byte message, which its reader may ignore, and the right side is on TCP, where it may
   * be gone unnoticed. UINT64_MAX: never. 0: 25000 for a silent right side, whose answer may be late; 1000 for a
   * silent left side, or 5000 if it received a zero-byte message. */
  uint64_t linger_ms;
  int end_after_left;         /**< 1: the left side's end of input ends the session once all its bytes are written */
  int end_after_right;        /**< 1: the same for the right side */
  uvrelay_eof_t eof_to_left;  /**< how the right side's end of input is passed on to the left side */
  uvrelay_eof_t eof_to_right; /**< how the left side's end of input is passed on to the right side */
  uint64_t idle_ms;           /**< ends the session after this time without a byte in either direction; 0: never */
  /** Which users may own the target, for each side that is an address: a list separated by commas, such as
   * `user,system`. If another user owns it, or the owner cannot be determined, connecting fails with `UV_EPERM` and
   * no byte is sent. Empty: the owner is not checked.
   *
   * For a named pipe, this is the owner in its security descriptor: `user` (the user who runs this process),
   * `system` (S-1-5-18), `admins` (S-1-5-32-544, the default owner of what system services and elevated processes
   * create), or a SID. For a Unix socket, it is the user whose process listens on it: `user` (the effective user),
   * `root`, a number, or a name from /etc/passwd. For `assuan:`, it is the owner of the socket file. Words for the
   * other system match no user; a list that matches no user is refused with `UV_EINVAL`, and so is a target on TCP. */
  char owner[UVRELAY_USERS_SIZE];
} uvrelay_session_options_t;

/** Why a session has ended. */
typedef enum uvrelay_reason_e {
  UVRELAY_REASON_ENDED,   /**< both sides have ended their input, or one did whose end ends the session */
  UVRELAY_REASON_GONE,    /**< one side closed in an orderly way; what it had sent was passed on first */
  UVRELAY_REASON_SILENT,  /**< one side has ended and the other was silent for linger_ms; or both were silent for
                             idle_ms, and the side is UVRELAY_SIDE_NONE */
  UVRELAY_REASON_STOPPED, /**< uvrelay_session_cancel(), uvrelay_stop() or uvrelay_close() ended it: UV_ECANCELED */
  UVRELAY_REASON_FAILED   /**< an error */
} uvrelay_reason_t;

/** How a session has ended. Valid until the callback returns. */
typedef struct uvrelay_result_s {
  uvrelay_reason_t reason; /**< why */
  uvrelay_side_t side;     /**< which side ended last, is gone, is silent, or failed; UVRELAY_SIDE_NONE if neither */
  uvrelay_error_t error;   /**< its code is 0 except with UVRELAY_REASON_FAILED and UVRELAY_REASON_STOPPED; its text
                              always says why */
  uint64_t to_right;       /**< bytes written to the right side */
  uint64_t to_left;        /**< bytes written to the left side */
  uint64_t duration_ms;    /**< from the start of the session until both its sides were closed */
} uvrelay_result_t;

/** The counters of a relay. */
typedef struct uvrelay_counters_s {
  size_t active;     /**< sessions whose done callback has not run yet */
  uint64_t started;  /**< sessions started */
  uint64_t failed;   /**< how many of the finished ones ended with UVRELAY_REASON_FAILED */
  uint64_t to_right; /**< bytes written to right sides, including those of active sessions */
  uint64_t to_left;  /**< bytes written to left sides, including those of active sessions */
} uvrelay_counters_t;

/** A listener, and the target to which each of its clients is relayed. Its members are private. */
typedef struct uvrelay_route_s uvrelay_route_t;

/** What happens on a route. */
typedef enum uvrelay_event_type_e {
  UVRELAY_EVENT_OPENED,  /**< a client was accepted: a session has started and connects to the target */
  UVRELAY_EVENT_CLOSED,  /**< that session is over */
  UVRELAY_EVENT_PAUSED,  /**< no clients are accepted for now: the error says why */
  UVRELAY_EVENT_RESUMED, /**< clients are accepted again */
  UVRELAY_EVENT_FAILED,  /**< clients are no longer accepted: the error says why; open sessions stay open */
  UVRELAY_EVENT_REFUSED  /**< a client was closed because its user may not connect: the error says who */
} uvrelay_event_type_t;

/** The process at the other end of a client's connection, as the system reported it when the client was accepted. A
 * process can pass its end on to others. */
typedef struct uvrelay_peer_s {
  uint32_t pid; /**< its id; 0: not known. On Unix, the process that connected, as seen from here */
  int64_t uid;  /**< on Unix, its effective user when it connected; -1: not known */
} uvrelay_peer_t;

/** One event of a route. Valid until the callback returns. */
typedef struct uvrelay_event_s {
  uvrelay_event_type_t type;      /**< what has happened */
  uint64_t number;                /**< OPENED, CLOSED, REFUSED: which of the route's clients, counted from 1 */
  uvrelay_session_t *session;     /**< OPENED, CLOSED: its session; with CLOSED it only identifies the session */
  const uvrelay_result_t *result; /**< CLOSED: how it ended; the left side is the client, the right side the target */
  const uvrelay_error_t *error;   /**< PAUSED, FAILED, REFUSED: why */
  const uvrelay_peer_t *peer;     /**< OPENED, CLOSED, REFUSED: the client's process, for Unix sockets and named pipes;
                                     NULL if it is not known */
} uvrelay_event_t;

/** Called from the loop for each event of a route, for the last time before the close callback of the route or the
 * relay. */
typedef void (*uvrelay_event_cb)(uvrelay_route_t *route, const uvrelay_event_t *event, void *user);

/** Called when a route has ended. */
typedef void (*uvrelay_route_cb)(uvrelay_route_t *route, void *user);

/** The options of a route. Set `size` and the options that you need, and leave the rest zero. Most can also be set
 * by name: with uvrelay_route_option() and in the query of each address. */
typedef struct uvrelay_route_options_s {
  size_t size;          /**< sizeof(uvrelay_route_options_t), which identifies the version */
  uint64_t timeout_ms;  /**< the time limit for connecting to the target; a busy one is retried until then. 0: 30000;
                           UINT64_MAX: no limit */
  uint64_t linger_ms;   /**< see uvrelay_session_options_t::linger_ms */
  uint64_t idle_ms;     /**< see uvrelay_session_options_t::idle_ms */
  unsigned max;         /**< the number of sessions at a time; further clients wait to be accepted; 0: 1024 */
  unsigned permissions; /**< the permissions of a Unix socket's file; 0: 0600 */
  int message_mode;     /**< 1: a listening named pipe is of message type */
  uvrelay_impersonation_t impersonation; /**< how far the server of a named pipe may act as this process */
  uvrelay_eof_t eof_to_client;           /**< how the target's end of input is passed on to the client */
  uvrelay_eof_t eof_to_target;           /**< how the client's end of input is passed on to the target */
  int allow_remote; /**< 1: a TCP port may be open to other computers; all that can reach it can use the target */
  uvrelay_event_cb event_cb; /**< may be NULL */
  void *user;                /**< passed to it */
  uvrelay_mux_t *via;        /**< see uvrelay_endpoint_t::via */
  /** 1: also wait for an absent target (::UVRELAY_RETRY_ABSENT), for `timeout_ms`. If the client leaves meanwhile,
   * its session ends; uvrelay_stop() and uvrelay_route_remove() end it at once. */
  int wait_for_absent;
  /** Which users may own the target: a list as for uvrelay_session_options_t::owner. Empty: the owner is not
   * checked. */
  char owner[UVRELAY_USERS_SIZE];
  /** Which users' processes may be clients of a Unix socket, whether it has a file, is abstract, or was passed on: a
   * list as for `owner`, of `user` (the effective user of this process), `root`, numbers and names. Other clients
   * are closed at once, which is an event and counts as a failure. Empty: all that can open the socket. For an
   * abstract socket this list overrides `permissions`, which decide only if it is empty. Refused with `UV_EINVAL`
   * for other listeners. */
  char peer_uid[UVRELAY_USERS_SIZE];
  /** The host's name for the route, returned by uvrelay_route_get_name(): letters, digits, hyphens, underscores and
   * dots, beginning with a letter or a digit. The library does not use it, and several routes may share one. Empty:
   * no name. */
  char name[UVRELAY_NAME_SIZE];
} uvrelay_route_options_t;

/** The counters of a route. */
typedef struct uvrelay_route_counters_s {
  size_t open;        /**< sessions that have not ended */
  uint64_t total;     /**< sessions started, and clients refused */
  uint64_t failed;    /**< how many of the finished ones ended with UVRELAY_REASON_FAILED or were refused */
  uint64_t to_target; /**< bytes written to targets, including those of open sessions */
  uint64_t to_client; /**< bytes written to clients, including those of open sessions */
} uvrelay_route_counters_t;

/** Called when a session is over, both its sides are closed, and everything is released: `session` only identifies
 * which one it was. */
typedef void (*uvrelay_done_cb)(uvrelay_session_t *session, const uvrelay_result_t *result, void *user);
/** Called when a relay is stopped or closed. */
typedef void (*uvrelay_cb)(uvrelay_t *relay);

/** Creates a relay on `loop`, without any sessions.
 * @param[out] out the relay; NULL on failure
 * @param loop must outlive it
 * @param options copied; NULL: the defaults
 * @return 0; `UV_EINVAL`: an option is out of range; `UV_ENOMEM`. After a failure, there is nothing to close. */
UVRELAY_API int uvrelay_new(uvrelay_t **out, uv_loop_t *loop, const uvrelay_options_t *options);

/** Starts a session between two sides.
 *
 * An end of input on one side half-closes the other side after all its bytes. The session ends when both sides have
 * ended, when one is gone or fails, or as the options say, but only after what was read has been written, if the
 * other side still accepts it.
 *
 * If a session fails or is cancelled after bytes were sent over a TCP side, that side is reset, so that its peer
 * does not mistake them for the complete data. The same happens if `idle_ms` ends the session while there is more to
 * write to that side, and if the process ends before the session does and before that side was half-closed (through
 * SO_LINGER, which the session sets and later restores).
 *
 * Between two pipes in message mode, messages keep their boundaries. A socket that still sends when the session has
 * ended is closed when it ends, too, or after 2 seconds, so that it receives all that was written to it; a cancel
 * ends that wait. While the right side is being connected, the left side is watched only with UVRELAY_RETRY_ABSENT,
 * which ends the session if the left side leaves (a TCP peer can leave unnoticed); with other retries, set
 * `timeout_ms`.
 * @param relay the relay
 * @param left,right copied, but not what they point to, which belongs to the session if this succeeds and otherwise
 *   stays the caller's. Addresses are copied.
 * @param options copied; NULL: the defaults
 * @param cb called once, when the session is over; may be NULL
 * @param user passed to the callback
 * @param[out] out the session, valid until the done callback returns; may be NULL
 * @return 0; `UV_EINVAL`: an address is not valid, a stream or pipe is not in the required state, or an option is
 *   out of range; `UV_ENOTCONN`: a pipe or stream is not connected; `UV_EBUSY`: a pipe or stream is in use;
 *   `UV_EOF`, `UV_EPIPE`: the pipe's input has ended, or its output; `UV_ESHUTDOWN`: the relay is stopped;
 *   `UV_ENOMEM`. uvrelay_error() has the detail. The callback reports all other failures. */
UVRELAY_API int uvrelay_start(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                              const uvrelay_session_options_t *options, uvrelay_done_cb cb, void *user,
                              uvrelay_session_t **out);

/** Ends a session soon, even if reads or writes are pending. Its done callback still runs, with
 * UVRELAY_REASON_STOPPED unless the session was already over. May be called more than once, but not after the done
 * callback. */
UVRELAY_API void uvrelay_session_cancel(uvrelay_session_t *session);

/** Returns how many bytes a session has written to each of its sides so far, without pending writes.
 * @param session the session
 * @param[out] to_right,to_left the numbers of bytes; each may be NULL */
UVRELAY_API void uvrelay_session_bytes(const uvrelay_session_t *session, uint64_t *to_right, uint64_t *to_left);

/** Starts to listen, and relays each client to the target in a session of its own, whose left side is the client. A
 * busy target is retried until `timeout_ms` has passed, and so is an absent one with `wait_for_absent`; other
 * failures to connect end the session at once. When the process has no more descriptors, or `max` sessions are open,
 * clients wait to be accepted.
 *
 * Both addresses are as for uvrelay_endpoint_t::address. Options may follow each one, as `?NAME=VALUE&NAME=VALUE`:
 * those of uvrelay_route_option(), which take precedence over `options`. Paths therefore cannot contain a `?` here.
 *
 * @param relay the relay
 * @param listen where to listen, in UTF-8:
 *  - `unix:///PATH`: a Unix socket. Its file is created with its permissions, replaces a socket on which nothing is
 *    listening (UV_EADDRINUSE if something is; UV_EEXIST if the file is not a socket), and is removed at the end.
 *  - `tcp://HOST:PORT`: an IPv4 address, an IPv6 address in brackets, or localhost, which is both 127.0.0.1 and
 *    [::1], with the same port, if the system has both. Port 0: any free port, see uvrelay_route_get_listen().
 *    Addresses outside the loopback network need `allow_remote`; without it they fail with UV_EACCES.
 *  - `npipe:////./pipe/NAME` and the other forms (Windows): a pipe that only this user can open, only from this
 *    computer, and only from processes of the same or a higher integrity level.
 *  - `abstract:NAME` (Linux): a Unix socket without a file, whose permissions can be 0600, for processes of this
 *    user only, or 0666, for all processes; or `peer_uid` lists the users.
 *  - `fd://NAME`, `fd://NUMBER` (Unix): a listening socket passed by systemd, by its name in LISTEN_FDNAMES or its
 *    descriptor number. The route closes it; its number stays occupied and refers to the null device. Its blocking
 *    mode is never changed, because other processes may share it; instead, a job in libuv's thread pool accepts on
 *    it. If another process accepts the client that the job was for, the job waits for the next client, even after
 *    the route has ended: it then keeps the loop alive, and closes that client.
 * @param target where to connect to: any target, but not `fd:`. If it goes through `via`, the near end retries a
 *   busy target, and the options `impersonation`, `linger` and `eof` are sent with the address.
 * @param options copied; NULL: the defaults
 * @param[out] out the route, valid until its close callback or the relay's; may be NULL
 * @return 0: it is listening; otherwise a negative code, with the detail in uvrelay_error(): `UV_EINVAL`: an address
 *   or an option is wrong; `UV_ENOTSUP`: not on this system; `UV_ESHUTDOWN`: the relay is stopped; `UV_ENOMEM`; or
 *   the system's error */
UVRELAY_API int uvrelay_route_add(uvrelay_t *relay, const char *listen, const char *target,
                                  const uvrelay_route_options_t *options, uvrelay_route_t **out);

/** Stops listening and ends the route. Its sessions continue until they end by themselves or `timeout_ms` has
 * passed; then they are cancelled. May be called again with another timeout, but not after the callback.
 * uvrelay_stop() also stops listening, and uvrelay_close() ends all routes; routes that were not removed get no
 * callback then.
 * @param route the route
 * @param timeout_ms 0: cancel them at once; UINT64_MAX: never
 * @param cb called once, later, when only the route's memory is left, which is freed when the callback returns; the
 *   callback given last counts. May be NULL.
 * @param user passed to it */
UVRELAY_API void uvrelay_route_remove(uvrelay_route_t *route, uint64_t timeout_ms, uvrelay_route_cb cb, void *user);

/** Replaces a route with a new one that takes over its listener, so that no client is refused meanwhile: clients
 * accepted from now on are relayed to the new target, with the new options. The old route ends like one that is
 * removed, and its sessions continue in the same way. The new route's counters begin at 0.
 * @param route the route that ends if this succeeds; otherwise it continues unchanged
 * @param listen,target,options as for uvrelay_route_add()
 * @param timeout_ms,cb,user as for uvrelay_route_remove(), for the route that ends
 * @param[out] out the new route; may be NULL
 * @return 0; `UV_ENOTSUP`: the listener cannot be taken over, because its address or its own options differ (`perm`,
 *   `mode`, `peer-uid`, `allow_remote`), only one of the two targets goes through `via`, or the route no longer
 *   listens: remove it and add a new one; otherwise as uvrelay_route_add() */
UVRELAY_API int uvrelay_route_replace(uvrelay_route_t *route, const char *listen, const char *target,
                                      const uvrelay_route_options_t *options, uint64_t timeout_ms, uvrelay_route_cb cb,
                                      void *user, uvrelay_route_t **out);

/** Sets an option by name, from text. Durations are in seconds ("2.5") or have a unit ("500ms", "90s", "5m", "2h"),
 * up to a day; "off" means no limit where that is possible.
 *
 * For the whole route: `timeout`, `linger`, `idle`, `max`, `name`. Of the listener: `perm` (octal, "0600"), `mode`
 * ("byte" or "message"), `peer-uid` (a list of users, or "any"). Of the target: `impersonation` ("anonymous",
 * "identification", "impersonation", "delegation"), `absent` ("wait" or "fail"), `owner` (a list of users, or
 * "any"). Of each: `eof` ("auto", "marker", "none"), how the other side's end of input is passed on to it.
 * @param options options whose `size` is set
 * @param side UVRELAY_LEFT: the listener; UVRELAY_RIGHT: the target; UVRELAY_SIDE_NONE: both
 * @param name the option's name
 * @param value its value
 * @param[out] error what is wrong; may be NULL
 * @return 0 or `UV_EINVAL` */
UVRELAY_API int uvrelay_route_option(uvrelay_route_options_t *options, uvrelay_side_t side, const char *name,
                                     const char *value, uvrelay_error_t *error);

/** Returns where the route listens, in canonical form without options, with the port that was chosen for 0. */
UVRELAY_API const char *uvrelay_route_get_listen(const uvrelay_route_t *route);

/** Returns the target's address, in canonical form without options; `via:ADDRESS` if it goes through a mux. */
UVRELAY_API const char *uvrelay_route_get_target(const uvrelay_route_t *route);

/** Returns the route's name from its options or addresses; empty if it has none. */
UVRELAY_API const char *uvrelay_route_get_name(const uvrelay_route_t *route);

/** What the route has done so far.
 * @param route the route
 * @param[out] out filled in
 * @param size sizeof(uvrelay_route_counters_t), which identifies the version: no more than that is written */
UVRELAY_API void uvrelay_route_get_counters(const uvrelay_route_t *route, uvrelay_route_counters_t *out, size_t size);

/** Returns the last error of the route's listener or of one of its sessions; its code is 0 if there was none. */
UVRELAY_API const uvrelay_error_t *uvrelay_route_error(const uvrelay_route_t *route);

/** Drains the relay: it stops listening and starts no more sessions; open sessions continue until they end by
 * themselves or `timeout_ms` has passed, and then they are cancelled.
 * @param relay the relay
 * @param timeout_ms 0: cancel them at once; UINT64_MAX: never
 * @param cb called once, later, when no session is left and no route listens; not if the relay is closed first. May
 *   be NULL.
 * @return 0; `UV_EALREADY`: it was already stopped */
UVRELAY_API int uvrelay_stop(uvrelay_t *relay, uint64_t timeout_ms, uvrelay_cb cb);

/** Cancels all sessions, ends all routes and frees the relay. Close it before uv_loop_close(), and do not close its
 * handles with uv_walk() and uv_close(). Call this once; afterwards call other functions with the relay only from
 * the done callbacks that still run.
 * @param relay the relay
 * @param cb called once, later, after all done callbacks. If a name look-up, a socket file or a pipe on another
 *   computer does not answer, it is called only when the system gives up, because nothing can interrupt that. The
 *   relay is still valid for uvrelay_get_data() and is freed when the callback returns. May be NULL. */
UVRELAY_API void uvrelay_close(uvrelay_t *relay, uvrelay_cb cb);

/** What the relay has done so far.
 * @param relay the relay
 * @param[out] out filled in
 * @param size sizeof(uvrelay_counters_t), which identifies the version: no more than that is written */
UVRELAY_API void uvrelay_get_counters(const uvrelay_t *relay, uvrelay_counters_t *out, size_t size);

/** Returns the detail of the last failure of uvrelay_start() or uvrelay_route_add(); its code is 0 if there was
 * none. Valid as long as the relay; the next failure changes it. */
UVRELAY_API const uvrelay_error_t *uvrelay_error(const uvrelay_t *relay);

/** Returns the loop of the relay. */
UVRELAY_API uv_loop_t *uvrelay_get_loop(const uvrelay_t *relay);

/** Returns the pointer that was given to uvrelay_set_data(), at first NULL. */
UVRELAY_API void *uvrelay_get_data(const uvrelay_t *relay);

/** Stores a pointer for the caller; the library does not use it. */
UVRELAY_API void uvrelay_set_data(uvrelay_t *relay, void *data);

/** Returns the version of the library in use, such as "0.1.0", which can differ from UVRELAY_VERSION in the header.
 * Can be called from any thread. */
UVRELAY_API const char *uvrelay_version(void);

/** Returns a side that is a target to connect to.
 * @param address see uvrelay_endpoint_t::address */
static inline uvrelay_endpoint_t uvrelay_address(const char *address)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_ADDRESS, address, NULL, NULL, NULL, NULL, -1, -1, NULL};
  return endpoint;
}

/** Returns a side that is a libuv stream.
 * @param stream see uvrelay_endpoint_t::stream
 * @param closed see uvrelay_endpoint_t::stream_closed */
static inline uvrelay_endpoint_t uvrelay_stream(uv_stream_t *stream, uv_close_cb closed)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_STREAM, NULL, stream, closed, NULL, NULL, -1, -1, NULL};
  return endpoint;
}

/** Returns a side that is a named pipe.
 * @param npipe see uvrelay_endpoint_t::npipe
 * @param closed see uvrelay_endpoint_t::npipe_closed */
static inline uvrelay_endpoint_t uvrelay_npipe(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb closed)
{
  uvrelay_endpoint_t endpoint = {sizeof(endpoint), UVRELAY_NPIPE, NULL, NULL, NULL, npipe, closed, -1, -1, NULL};
  return endpoint;
}

/** Returns a side that is a pair of descriptors.
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
