/** @file mux.h
 * Many connections over one stream: yamux, with a line of text that says where each connection leads. */
#ifndef UVRELAY_MUX_H
#define UVRELAY_MUX_H

#include "../uvrelay.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup uvrelay_mux many connections over one stream
 *
 * @details A ::uvrelay_mux_t is one end of a multiplexed connection. The near end requests connections; the far end
 * makes and relays them. The stream between them, the carrier, can be a child's standard input and output, a socket,
 * or a named pipe. docs/mux-protocol.md describes the protocol.
 *
 * For the near end, call uvrelay_mux_new() with UVRELAY_MUX_NEAR and use the mux as `via` of routes and endpoints.
 * The first connection that needs it causes the event UVRELAY_MUX_EVENT_NEEDED; the host then creates a carrier and
 * passes it to uvrelay_mux_attach(). When that carrier breaks, all connections over it fail and
 * UVRELAY_MUX_EVENT_DOWN follows; new connections wait, until their timeout, for the next carrier.
 *
 * For the far end, call uvrelay_mux_new() with UVRELAY_MUX_FAR, then uvrelay_mux_attach(). Each requested connection
 * is a session of the relay whose left side is the near end.
 *
 * Memory is bounded: all streams of a mux together hold at most `window_total` bytes that were received but not
 * delivered yet, in at most a third more memory, besides one 64 KiB buffer per direction and, for each open connection,
 * at most four relay buffers of 16 KiB, or of 64 KiB once its window has grown (on Windows: of 256 KiB, while no more
 * than 8 connections are open). On Linux, fast connections have their bytes in pipes of the system instead, of which
 * all connections of a relay together have at most 96 of 256 KiB. A connection whose reader stops stalls only itself.
 *
 * A mux keeps the loop alive only while it has a carrier. Threads, callbacks and errors are as in the rest of the
 * library.
 * @{ */

/** Which end of the multiplexed connection a mux is. */
typedef enum uvrelay_mux_role_e {
  UVRELAY_MUX_NEAR, /**< requests connections: the client of yamux */
  UVRELAY_MUX_FAR   /**< makes them: the server of yamux */
} uvrelay_mux_role_t;

/** What happens to a mux. */
typedef enum uvrelay_mux_event_type_e {
  UVRELAY_MUX_EVENT_NEEDED,  /**< near end: a connection is waiting and there is no carrier; sent once until one is
                                attached */
  UVRELAY_MUX_EVENT_UP,      /**< the other end has sent its protocol version: connections can be made */
  UVRELAY_MUX_EVENT_DOWN,    /**< the carrier is closed, and its connections have failed: the error says why */
  UVRELAY_MUX_EVENT_REFUSED, /**< far end: a requested connection could not be made: the error says why */
  UVRELAY_MUX_EVENT_OPENED,  /**< far end: a requested connection is made and relayed */
  UVRELAY_MUX_EVENT_CLOSED   /**< far end: its session is over */
} uvrelay_mux_event_type_t;

/** How a carrier came to its end. */
typedef enum uvrelay_mux_down_e {
  UVRELAY_MUX_DOWN_ENDED,   /**< it ended, or the other end closed the session, in an orderly way */
  UVRELAY_MUX_DOWN_EARLY,   /**< it ended or broke before the other end sent its protocol version */
  UVRELAY_MUX_DOWN_ALIEN,   /**< the other end sent something other than a version of this protocol */
  UVRELAY_MUX_DOWN_VERSION, /**< the other end uses another version of this protocol */
  UVRELAY_MUX_DOWN_SILENT,  /**< the other end did not answer a ping in time */
  UVRELAY_MUX_DOWN_BROKEN,  /**< reading or writing failed, or the other end violated the protocol */
  UVRELAY_MUX_DOWN_DETACHED /**< uvrelay_mux_detach() or a close removed it */
} uvrelay_mux_down_t;

/** One event of a mux. Valid until the callback returns. */
typedef struct uvrelay_mux_event_s {
  uvrelay_mux_event_type_t type;  /**< what has happened */
  uvrelay_mux_down_t down;        /**< DOWN: how */
  size_t streams;                 /**< DOWN: how many connections failed with it */
  const char *address;            /**< REFUSED, OPENED, CLOSED: the target, as the near end gave it */
  uvrelay_session_t *session;     /**< OPENED, CLOSED: the session; with CLOSED it only identifies the session */
  const uvrelay_result_t *result; /**< CLOSED: how it ended */
  const uvrelay_error_t *error;   /**< DOWN, REFUSED: why; with DOWN_ENDED and DOWN_DETACHED its code is 0 */
} uvrelay_mux_event_t;

/** Called from the loop for each event of a mux, for the last time before its close callback. */
typedef void (*uvrelay_mux_event_cb)(uvrelay_mux_t *mux, const uvrelay_mux_event_t *event, void *user);

/** Called when a mux has ended. */
typedef void (*uvrelay_mux_cb)(uvrelay_mux_t *mux, void *user);

/** The options of uvrelay_mux_new(). Set `size` and the options that you need, and leave the rest zero. */
typedef struct uvrelay_mux_options_s {
  size_t size; /**< sizeof(uvrelay_mux_options_t), which identifies the version */
  /** The limit, in bytes, for data that was received but not delivered yet, for all connections together: 131072 or
   * more. Each 32768 bytes of its first half allow one more open connection (1024 with the default; further ones
   * wait); a quarter is for windows that grow. 0: 67108864. */
  uint64_t window_total;
  /** Near end: after how long without any data an idle far end is pinged. A far end that was sent data since the
   * last ping, or that a connection is waiting for, is pinged after 2 seconds without data. 0: 30000; UINT64_MAX: no
   * pings. */
  uint64_t ping_ms;
  uint64_t ping_timeout_ms; /**< near end: how long to wait for data after a ping; 0: 5000 */
  uint64_t greeting_ms;     /**< how long to wait for the other end's protocol version; 0: 15000 */
  /** Far end: shell patterns (`*`, `?`, `[...]`). At least one must match the canonical form, without options, of
   * each requested address. A host of digits, dots and wildcards, or an IPv6 address in brackets, matches only IP
   * addresses: names are looked up, and only those of their addresses that match are connected to. A host of only
   * `*` matches all hosts; any other host matches only names, as they are written. The path of a socket or socket
   * file is matched after links are resolved, so that no link below the pattern's first wildcard leads out of it; a
   * path with `..` is refused. For pipes, upper and lower case are the same, and the impersonation level is limited
   * to #UVRELAY_IMPERSONATION_ANONYMOUS or to the `?impersonation=LEVEL` after the pattern. A pattern without a
   * known scheme, such as `npipe:x`, is out of range. Copied. */
  const char *const *allow;
  size_t allow_count;            /**< the number of patterns; 0: every address is allowed */
  uvrelay_mux_event_cb event_cb; /**< may be NULL */
  void *user;                    /**< passed to it */
} uvrelay_mux_options_t;

/** Creates one end of a multiplexed connection, without a carrier.
 * @param[out] out the mux, valid until its close callback or the relay's; NULL on failure
 * @param relay the relay whose sessions and routes use it
 * @param role which end it is
 * @param options copied; NULL: the defaults
 * @return 0; `UV_EINVAL`: an option is out of range; `UV_ESHUTDOWN`: the relay is stopped; `UV_ENOMEM`.
 *   uvrelay_error() has the detail. */
UVRELAY_API int uvrelay_mux_new(uvrelay_mux_t **out, uvrelay_t *relay, uvrelay_mux_role_t role,
                                const uvrelay_mux_options_t *options);

/** Gives the mux a carrier, over which it sends its protocol version at once. UVRELAY_MUX_EVENT_DOWN reports the end
 * of the carrier.
 * @param mux a mux without a carrier: a new one, or one that reports or has reported UVRELAY_MUX_EVENT_DOWN
 * @param carrier copied, but not what it points to, which belongs to the mux if this succeeds. An address is
 *   connected to once, within `greeting_ms`.
 * @return 0; `UV_EBUSY`: it already has a carrier; `UV_ESHUTDOWN`: it is closing; or the errors of uvrelay_start()
 *   for its sides. uvrelay_error() has the detail. After uvrelay_stop() this still works, for the connections that
 *   are waiting. */
UVRELAY_API int uvrelay_mux_attach(uvrelay_mux_t *mux, const uvrelay_endpoint_t *carrier);

/** Closes the carrier, if there is one. UVRELAY_MUX_EVENT_DOWN follows as usual. */
UVRELAY_API void uvrelay_mux_detach(uvrelay_mux_t *mux);

/** Sets the reason why there is no carrier, for the error messages of waiting connections that time out. They
 * continue to wait.
 * @param mux a mux without a carrier
 * @param why copied */
UVRELAY_API void uvrelay_mux_explain(uvrelay_mux_t *mux, const uvrelay_error_t *why);

/** Returns how many connections are waiting for a carrier, so that a host that has lost one knows whether another is
 * needed.
 * @param mux the near end; for a far end the result is 0 */
UVRELAY_API size_t uvrelay_mux_waiting(const uvrelay_mux_t *mux);

/** Ends the mux: closes the carrier and with it every connection. Connections that are waiting or are requested
 * later fail with `UV_ESHUTDOWN`. uvrelay_close() ends all muxes; muxes that were not closed get no callback then.
 * @param mux the mux; it must not be closed yet
 * @param cb called once, later, when only the mux's memory is left, which is freed when the callback returns. It is
 *   not called before the routes that use the mux are removed. May be NULL.
 * @param user passed to it */
UVRELAY_API void uvrelay_mux_close(uvrelay_mux_t *mux, uvrelay_mux_cb cb, void *user);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
