/** @file version.h
 * The version of uvrelay. */
#ifndef UVRELAY_VERSION_H
#define UVRELAY_VERSION_H

/** @addtogroup uvrelay
 * @{ */

/** Changes with incompatible changes. */
#define UVRELAY_VERSION_MAJOR 0
/** Changes with additions; while the major number is 0, also with incompatible changes. */
#define UVRELAY_VERSION_MINOR 1
/** Changes with fixes. */
#define UVRELAY_VERSION_PATCH 0
/** The three numbers as text. */
#define UVRELAY_VERSION "0.1.0"

/** @} */

#endif
