/** @file common.h
 * What uvrelay.h and uvrelay/npipe.h share: errors, memory, the log, and retries. */
#ifndef UVRELAY_COMMON_H
#define UVRELAY_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

/** @addtogroup uvrelay
 * @{ */

/** Marks a function of the library. For a shared library, define UVRELAY_SHARED; the CMake package and uvrelay.pc do
 * this. */
#if defined(_WIN32) && defined(UVRELAY_BUILDING_SHARED)
#define UVRELAY_API __declspec(dllexport)
#elif defined(_WIN32) && defined(UVRELAY_SHARED)
#define UVRELAY_API __declspec(dllimport)
#elif defined(__GNUC__) && (defined(UVRELAY_BUILDING_SHARED) || defined(UVRELAY_SHARED))
#define UVRELAY_API __attribute__((visibility("default")))
#else
#define UVRELAY_API
#endif

/** The size of an error's text in bytes, including the NUL. */
#define UVRELAY_ERROR_TEXT_SIZE 512

/** The size of a list of users in bytes, including the NUL: uvrelay_route_options_t::owner and others. */
#define UVRELAY_USERS_SIZE 256

/** The size of a route's name in bytes, including the NUL. */
#define UVRELAY_NAME_SIZE 64

/** The phase in which an error happened. */
typedef enum uvrelay_phase_e {
  UVRELAY_PHASE_NONE,      /**< none of the others: an invalid argument, not enough memory, or a stopped relay */
  UVRELAY_PHASE_ADDRESS,   /**< parsing an address, or looking up its host */
  UVRELAY_PHASE_CONNECT,   /**< connecting to a target */
  UVRELAY_PHASE_HANDSHAKE, /**< authenticating to the server of a socket file */
  UVRELAY_PHASE_READ,      /**< reading */
  UVRELAY_PHASE_WRITE,     /**< writing */
  UVRELAY_PHASE_SHUTDOWN,  /**< notifying the peer of the end of input */
  UVRELAY_PHASE_LISTEN     /**< waiting for clients */
} uvrelay_phase_t;

/** The detail of an error, for code that acts on it and for people who read it. */
typedef struct uvrelay_error_s {
  int code;              /**< a negative libuv code (UV_ENOENT); 0: no error, and the other members are not used */
  unsigned long system;  /**< the underlying Windows error code (231), or 0 */
  uvrelay_phase_t phase; /**< when it happened */
  char text[UVRELAY_ERROR_TEXT_SIZE]; /**< what, where and why, in UTF-8: a sentence without a full stop */
} uvrelay_error_t;

/** Allocates the library's memory, but not that of libuv. All zero: malloc and free are used. Its functions are
 * called on the loop's thread. */
typedef struct uvrelay_allocator_s {
  /** Like malloc: returns `size` bytes, aligned for every type, or NULL. */
  void *(*allocate)(void *user, size_t size);
  /** Like free; `block` came from `allocate` and is never NULL. */
  void (*release)(void *user, void *block);
  /** Passed to both. */
  void *user;
} uvrelay_allocator_t;

/** Receives the log, line by line. All zero: nothing is logged. Called on the loop's thread. */
typedef struct uvrelay_log_s {
  /** Receives one line of UTF-8, without a newline, that is valid until the call returns. */
  void (*write)(void *user, const char *line);
  /** Passed to it. */
  void *user;
} uvrelay_log_t;

/** How far the server of a named pipe may act as this process: SECURITY_IMPERSONATION_LEVEL of Windows. */
typedef enum uvrelay_impersonation_e {
  UVRELAY_IMPERSONATION_ANONYMOUS = 0,      /**< it cannot identify its client: the default */
  UVRELAY_IMPERSONATION_IDENTIFICATION = 1, /**< it may identify its client */
  UVRELAY_IMPERSONATION_IMPERSONATION = 2,  /**< it may act as its client on this computer */
  UVRELAY_IMPERSONATION_DELEGATION = 3      /**< it may also do so on other computers */
} uvrelay_impersonation_t;

/** Which failures to connect are retried until `timeout_ms` has passed: these bits, combined with or. No other
 * failures are retried. */
typedef enum uvrelay_retry_e {
  UVRELAY_RETRY_NEVER = 0,  /**< none: the default */
  UVRELAY_RETRY_BUSY = 1,   /**< all instances of the pipe are busy (ERROR_PIPE_BUSY), the backlog of the Unix socket is
                               full, or this process has no more descriptors */
  UVRELAY_RETRY_ABSENT = 2, /**< the pipe, socket or socket file does not exist, or the port refuses */
  UVRELAY_RETRY_ALL = 3     /**< both */
} uvrelay_retry_t;

/** @} */

#endif
