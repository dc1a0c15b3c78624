/* Addresses: text such as "//./pipe/x" or "tcp://localhost:80" made into what a dialler needs. Pure: no I/O,
 * no allocation, the same on every system; whether a kind can be dialled here is for the dialler to say. */
#ifndef UVR_ADDRESS_ADDRESS_H
#define UVR_ADDRESS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum uvr_address_kind {
  UVR_ADDRESS_NONE, /* what a failed parse leaves */
  UVR_ADDRESS_NPIPE,
  UVR_ADDRESS_UNIX,
  UVR_ADDRESS_TCP,
  UVR_ADDRESS_ASSUAN,
  UVR_ADDRESS_FD /* only to listen on */
} uvr_address_kind;

/* Sizes in bytes, each with the NUL. */
#define UVR_ADDRESS_PATH_SIZE      1024
#define UVR_ADDRESS_HOST_SIZE      256
#define UVR_ADDRESS_CANONICAL_SIZE (UVR_ADDRESS_PATH_SIZE + 16)

/* Longest Unix socket path that every system takes, in bytes without the NUL. */
#define UVR_ADDRESS_UNIX_MAX 107
/* Longest pipe name that Windows takes, \\.\pipe\ included, in UTF-16 units. */
#define UVR_ADDRESS_NPIPE_MAX 256

/* An address that was accepted. All text is valid UTF-8 without control characters. It owns nothing, so it may
 * be copied by assignment and needs no freeing. */
typedef struct uvr_address {
  uvr_address_kind kind;
  bool via;      /* the far end of a mux is to connect to it */
  uint16_t port; /* TCP only, 1 to 65535; a listener's may be 0 */
  /* For people: //./pipe/NAME, //HOST/pipe/NAME, unix:///PATH, tcp://HOST:PORT, assuan:///PATH or fd://NAME, or via:
   * and one of these; for what only UVR_ADDRESS_ASSUAN_PATH lets in, relative paths above all, the path. Parses again
   * to the same address, given the same flags. */
  char canonical[UVR_ADDRESS_CANONICAL_SIZE];
  /* NPIPE: the Windows name, \\.\pipe\NAME or \\HOST\pipe\NAME; UNIX: the socket's path; ASSUAN: the path of the
   * socket file as the system wants it, C:/x or /home/x; FD: its name or number; TCP: empty. */
  char path[UVR_ADDRESS_PATH_SIZE];
  /* TCP: a name, an IPv4 address or an IPv6 address without brackets but with its zone, if any. NPIPE: the
   * computer, or empty for this one. Else empty. */
  char host[UVR_ADDRESS_HOST_SIZE];
} uvr_address;

/* The text is the path of a libassuan socket file (the program's -a), unless it begins with assuan: anyway. */
#define UVR_ADDRESS_ASSUAN_PATH 1U
/* The text is a listener's address: fd://NAME is one, too, and a TCP port may be 0. */
#define UVR_ADDRESS_LISTEN 2U
/* The text is a target's address: via:ADDRESS is one, too. */
#define UVR_ADDRESS_VIA 4U

/* Reads an address:
 *   //./pipe/NAME, \\.\pipe\NAME, \\?\pipe\NAME, //HOST/pipe/NAME   slashes of either kind, repeated ones count once
 *   npipe:////./pipe/NAME, npipe:////HOST/pipe/NAME, npipe:NAME     Docker's form, and a bare name
 *   unix:///PATH
 *   tcp://HOST:PORT                                                 a name, IPv4 or [IPv6%ZONE]
 *   assuan:///PATH                                                  a slash before a drive letter is dropped
 *   fd://NAME                                                       with UVR_ADDRESS_LISTEN; a name or a number
 *   via:ADDRESS                                                     with UVR_ADDRESS_VIA; one of the others
 * Scheme names and "pipe" are taken in upper and lower case; nothing is %-decoded. Returns 0, or UV_EINVAL with
 * *error (which may be NULL) saying what is wrong and what to write instead, and *out all zero. `text` may be NULL,
 * which is refused like an empty one. */
int uvr_address_parse(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error);

/* Has the far end of a mux connect to a target. */
void uvr_address_set_via(uvr_address *address);

/* Whether it is a socket file on a Windows drive. */
bool uvr_address_is_windows_file(const uvr_address *address);

/* Gives a TCP address another port. */
void uvr_address_set_port(uvr_address *address, uint16_t port);

#endif
