/** @file version.h
 * The version of uvrelay, written in this one place. */
#ifndef UVRELAY_VERSION_H
#define UVRELAY_VERSION_H

/** @addtogroup uvrelay
 * @{ */

/** Changes when something incompatible does. */
#define UVRELAY_VERSION_MAJOR 0
/** Changes when something is added; while the major number is 0, also when something incompatible changes. */
#define UVRELAY_VERSION_MINOR 1
/** Changes with corrections. */
#define UVRELAY_VERSION_PATCH 0
/** All three as text. */
#define UVRELAY_VERSION "0.1.0"

/** @} */

#endif
