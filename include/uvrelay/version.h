/* The version of uvrelay, written in this one place. */
#ifndef UVRELAY_VERSION_H
#define UVRELAY_VERSION_H

#define UVRELAY_VERSION_MAJOR 0
#define UVRELAY_VERSION_MINOR 1
#define UVRELAY_VERSION_PATCH 0
#define UVRELAY_VERSION       "0.1.0"

#endif
