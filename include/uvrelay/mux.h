/** @file mux.h
 * Many connections over one stream: yamux, with a line of text that says where each is to lead. */
#ifndef UVRELAY_MUX_H
#define UVRELAY_MUX_H

#include "../uvrelay.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup uvrelay_mux many connections over one stream
 *
 * @details A ::uvrelay_mux_t is one end of a multiplexed connection. The near end asks for connections, the far end
 * makes them and relays. Between them is any stream, the carrier: a child's standard input and output, a socket, a
 * named pipe. docs/mux-protocol.md says what is spoken there.
 *
 * The near end: uvrelay_mux_new() with UVRELAY_MUX_NEAR, then the mux as `via` of routes and endpoints. When the first
 * connection needs it the event UVRELAY_MUX_EVENT_NEEDED comes; the host gets a carrier and gives it to
 * uvrelay_mux_attach(). When that carrier breaks, all connections over it fail and UVRELAY_MUX_EVENT_DOWN comes; those
 * that are made meanwhile wait, until their timeout, for the next one that is attached.
 *
 * The far end: uvrelay_mux_new() with UVRELAY_MUX_FAR, then uvrelay_mux_attach(). Each connection that is asked for is
 * a session of the relay, whose left side is the near end.
 *
 * Memory is bounded: all streams of a mux together hold at most `window_total` bytes that have come and were not taken
 * yet, besides one 64 KiB buffer each way and, for each open connection, at most four relay buffers of 16 KiB. A
 * connection whose reader stops stalls only itself.
 *
 * A mux that has a carrier keeps the loop alive, and one without does not. Threads, callbacks and errors are as for all
 * of the library.
 * @{ */

/** Which end of the multiplexed connection a mux is. */
typedef enum uvrelay_mux_role_e {
  UVRELAY_MUX_NEAR, /**< asks for connections: the client of yamux */
  UVRELAY_MUX_FAR   /**< makes them: the server of yamux */
} uvrelay_mux_role_t;

/** What happens to a mux. */
typedef enum uvrelay_mux_event_type_e {
  UVRELAY_MUX_EVENT_NEEDED,  /**< near end: a connection waits and there is no carrier. Once, until one was attached. */
  UVRELAY_MUX_EVENT_UP,      /**< the other end has said that it speaks this protocol: connections can be made */
  UVRELAY_MUX_EVENT_DOWN,    /**< the carrier is closed; what went over it has failed. The error says why. */
  UVRELAY_MUX_EVENT_REFUSED, /**< far end: it could not make a connection that was asked for. The error says why. */
  UVRELAY_MUX_EVENT_OPENED,  /**< far end: it has made one, and now relays */
  UVRELAY_MUX_EVENT_CLOSED   /**< far end: such a session is over */
} uvrelay_mux_event_type_t;

/** How a carrier came to its end. */
typedef enum uvrelay_mux_down_e {
  UVRELAY_MUX_DOWN_ENDED,   /**< it has ended, or the other end said that it goes away, in an orderly way */
  UVRELAY_MUX_DOWN_EARLY,   /**< it ended or broke before the other end had said what it speaks */
  UVRELAY_MUX_DOWN_ALIEN,   /**< the other end said something else than the line of this protocol */
  UVRELAY_MUX_DOWN_VERSION, /**< the other end speaks another version of it */
  UVRELAY_MUX_DOWN_SILENT,  /**< the other end did not answer a ping in time */
  UVRELAY_MUX_DOWN_BROKEN,  /**< reading or writing failed, or the other end broke the protocol's rules */
  UVRELAY_MUX_DOWN_DETACHED /**< uvrelay_mux_detach() or a close took it away */
} uvrelay_mux_down_t;

/** One thing that has happened to a mux. Lasts as long as the callback. */
typedef struct uvrelay_mux_event_s {
  uvrelay_mux_event_type_t type;  /**< what has happened */
  uvrelay_mux_down_t down;        /**< DOWN: how */
  size_t streams;                 /**< DOWN: how many connections failed by it */
  const char *address;            /**< REFUSED, OPENED, CLOSED: the target, as the near end gave it */
  uvrelay_session_t *session;     /**< OPENED, CLOSED: the session, which with CLOSED serves only to tell which */
  const uvrelay_result_t *result; /**< CLOSED: how it ended */
  const uvrelay_error_t *error;   /**< DOWN, REFUSED: why; with DOWN_ENDED and DOWN_DETACHED its code is 0 */
} uvrelay_mux_event_t;

/** Called from the loop, later, for each event of a mux, the last time before its close callback. */
typedef void (*uvrelay_mux_event_cb)(uvrelay_mux_t *mux, const uvrelay_mux_event_t *event, void *user);

/** Called when a mux is gone. */
typedef void (*uvrelay_mux_cb)(uvrelay_mux_t *mux, void *user);

/** The options of uvrelay_mux_new(). To be all zero but for `size` and what is wanted. */
typedef struct uvrelay_mux_options_s {
  size_t size; /**< sizeof(uvrelay_mux_options_t), by which versions are told apart */
  /** What may be held of bytes that have come and were not taken yet, in bytes, for all connections together, 131072 or
   * more. Each 32768 of its first half lets one more connection be open (with the default 1024; further ones wait); a
   * quarter is for windows that grow. 0: 67108864. */
  uint64_t window_total;
  /** Near end: how long nothing may come from a far end of which nothing is expected before it is pinged. One that was
   * sent something since the last ping, or that a connection waits for, is pinged when nothing has come for 2 seconds.
   * 0: 30000; UINT64_MAX: no pings. */
  uint64_t ping_ms;
  uint64_t ping_timeout_ms; /**< near end: how long nothing may come after a ping; 0: 5000 */
  uint64_t greeting_ms;     /**< how long the other end may take to say what it speaks; 0: 15000 */
  /** Far end: shell patterns (`*`, `?`, `[...]`), of which one must match the canonical form of an address, without its
   * options, that is asked for. A host of digits, dots and wildcards, or an IPv6 address in brackets, matches IP
   * addresses only: a name is looked up for it, and connected to at those of its addresses that match. A host of `*`
   * alone matches everything, and any other one names only, as they are written. The path of a socket or socket file is
   * matched by where it really is, so that no link below the pattern's first wildcard leads out; a `..` is refused. For
   * a pipe upper and lower case are the same, and its server may be granted no more than
   * #UVRELAY_IMPERSONATION_ANONYMOUS, or what a `?impersonation=LEVEL` behind the pattern says. A pattern that
   * begins as no address does, such as `npipe:x`, is out of range. Copied. */
  const char *const *allow;
  size_t allow_count;            /**< how many; 0: every address is allowed */
  uvrelay_mux_event_cb event_cb; /**< NULL is allowed */
  void *user;                    /**< given to it */
} uvrelay_mux_options_t;

/** Makes one end of a multiplexed connection, as yet without a carrier.
 * @param[out] out the mux, valid until its close callback or the relay's; NULL on failure
 * @param relay whose sessions and routes use it
 * @param role which end it is
 * @param options copied; NULL: all defaults
 * @return 0; `UV_EINVAL`: an option is out of its range; `UV_ESHUTDOWN`: the relay is stopped; `UV_ENOMEM`.
 *   uvrelay_error() has the detail. */
UVRELAY_API int uvrelay_mux_new(uvrelay_mux_t **out, uvrelay_t *relay, uvrelay_mux_role_t role,
                                const uvrelay_mux_options_t *options);

/** Gives the mux a carrier, over which it says at once what it speaks. Whatever happens to the carrier afterwards is
 * told by UVRELAY_MUX_EVENT_DOWN.
 * @param mux without a carrier, so at first, and from within UVRELAY_MUX_EVENT_DOWN on
 * @param carrier copied, but not what it points to, which belongs to the mux when this succeeds. An address is dialled
 *   once, within `greeting_ms`.
 * @return 0; `UV_EBUSY`: it has a carrier; `UV_ESHUTDOWN`: it is being closed; and what uvrelay_start() says of its
 * sides. uvrelay_error() has the detail. After uvrelay_stop() it still works, for the connections that wait. */
UVRELAY_API int uvrelay_mux_attach(uvrelay_mux_t *mux, const uvrelay_endpoint_t *carrier);

/** Closes the carrier, if there is one. UVRELAY_MUX_EVENT_DOWN comes as ever. */
UVRELAY_API void uvrelay_mux_detach(uvrelay_mux_t *mux);

/** Tells the connections that wait for a carrier why there is none, for the message of those that give up. They go on
 * to wait.
 * @param mux without a carrier
 * @param why copied */
UVRELAY_API void uvrelay_mux_explain(uvrelay_mux_t *mux, const uvrelay_error_t *why);

/** How many connections wait for a carrier, so that a host that has lost one can tell whether another is needed.
 * @param mux the near end; a far end has none */
UVRELAY_API size_t uvrelay_mux_waiting(const uvrelay_mux_t *mux);

/** Ends the mux: closes the carrier, and with it every connection; what waits for it, or asks for it later, fails with
 * `UV_ESHUTDOWN`. uvrelay_close() ends all muxes; those that were not closed have no callback then.
 * @param mux the mux; not after it was closed
 * @param cb called once, later, when nothing is left of the mux but its memory, which is gone when the callback
 * returns. NULL is allowed. Until the routes that use it are removed that is not yet the case.
 * @param user given to it */
UVRELAY_API void uvrelay_mux_close(uvrelay_mux_t *mux, uvrelay_mux_cb cb, void *user);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
