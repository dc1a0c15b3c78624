/** @file common.h
 * What uvrelay.h and uvrelay/npipe.h share: errors, memory, the log, and how to wait for a target. */
#ifndef UVRELAY_COMMON_H
#define UVRELAY_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

/** @addtogroup uvrelay
 * @{ */

/** Marks a function of the library. With a shared library UVRELAY_SHARED is to be defined, which the CMake package and
 * uvrelay.pc do. */
#if defined(_WIN32) && defined(UVRELAY_BUILDING_SHARED)
#define UVRELAY_API __declspec(dllexport)
#elif defined(_WIN32) && defined(UVRELAY_SHARED)
#define UVRELAY_API __declspec(dllimport)
#elif defined(__GNUC__) && (defined(UVRELAY_BUILDING_SHARED) || defined(UVRELAY_SHARED))
#define UVRELAY_API __attribute__((visibility("default")))
#else
#define UVRELAY_API
#endif

/** The size of an error's text in bytes, with its NUL. */
#define UVRELAY_ERROR_TEXT_SIZE 512

/** The size of a list of users in bytes, with its NUL: uvrelay_route_options_t::owner and others. */
#define UVRELAY_USERS_SIZE 256

/** The size of a route's name, in bytes with the NUL. */
#define UVRELAY_NAME_SIZE 64

/** During what an error happened. */
typedef enum uvrelay_phase_e {
  UVRELAY_PHASE_NONE,    /**< none of the others: what was given cannot be used, no memory, or the relay was stopped */
  UVRELAY_PHASE_ADDRESS, /**< reading an address, or looking its host up */
  UVRELAY_PHASE_CONNECT, /**< connecting to a target */
  UVRELAY_PHASE_HANDSHAKE, /**< proving who we are to a socket file's server */
  UVRELAY_PHASE_READ,      /**< reading */
  UVRELAY_PHASE_WRITE,     /**< writing */
  UVRELAY_PHASE_SHUTDOWN,  /**< telling the peer that no more will come */
  UVRELAY_PHASE_LISTEN     /**< waiting for clients */
} uvrelay_phase_t;

/** The detail of an error: for code that acts on it and for people who read it. */
typedef struct uvrelay_error_s {
  int code;                           /**< a negative libuv code (UV_ENOENT); 0: no error, the rest says nothing */
  unsigned long system;               /**< the Windows error code behind it (231), or 0 */
  uvrelay_phase_t phase;              /**< during what it happened */
  char text[UVRELAY_ERROR_TEXT_SIZE]; /**< what, where and why, in UTF-8: a sentence without its full stop */
} uvrelay_error_t;

/** Where the library's memory comes from; libuv's own comes from libuv. All zero: malloc and free. Its functions are
 * called on the loop's thread. */
typedef struct uvrelay_allocator_s {
  /** As malloc: `size` bytes, aligned for every type, or NULL. */
  void *(*allocate)(void *user, size_t size);
  /** As free; `block` came from `allocate` and is never NULL. */
  void (*release)(void *user, void *block);
  /** Given to both. */
  void *user;
} uvrelay_allocator_t;

/** Where it is told what happens, a line at a time. All zero: nowhere. Called on the loop's thread. */
typedef struct uvrelay_log_s {
  /** Gets one line of UTF-8, without a newline; it lasts as long as the call. */
  void (*write)(void *user, const char *line);
  /** Given to it. */
  void *user;
} uvrelay_log_t;

/** How far the server of a named pipe may act as this process: Windows' SECURITY_IMPERSONATION_LEVEL. */
typedef enum uvrelay_impersonation_e {
  UVRELAY_IMPERSONATION_ANONYMOUS = 0,      /**< it does not learn who its client is: the default */
  UVRELAY_IMPERSONATION_IDENTIFICATION = 1, /**< it may ask who its client is */
  UVRELAY_IMPERSONATION_IMPERSONATION = 2,  /**< it may act as its client on this computer */
  UVRELAY_IMPERSONATION_DELEGATION = 3      /**< and on others */
} uvrelay_impersonation_t;

/** Which failures to connect are tried again, until `timeout_ms` has passed: an or of these bits. No other failure ever
 * is. */
typedef enum uvrelay_retry_e {
  UVRELAY_RETRY_NEVER = 0,  /**< none: the default */
  UVRELAY_RETRY_BUSY = 1,   /**< all instances of the pipe are taken (ERROR_PIPE_BUSY), all places in the queue of the
                               Unix   socket, or all of this process's descriptors */
  UVRELAY_RETRY_ABSENT = 2, /**< there is no such pipe, socket or socket file, or its port refuses */
  UVRELAY_RETRY_ALL = 3     /**< both */
} uvrelay_retry_t;

/** @} */

#endif
