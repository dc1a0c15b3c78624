/* Addresses: text such as "//./pipe/x" or "tcp://localhost:80", parsed into what a dialler or a listener needs. Pure:
 * no I/O, no allocation, the same on every system. Whether this system can dial an address is not decided here. */
#ifndef UVR_ADDRESS_ADDRESS_H
#define UVR_ADDRESS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "address/types.h"
#include "base/error.h"

/* Parses an address:
 *   //./pipe/NAME, \\.\pipe\NAME, \\?\pipe\NAME, //HOST/pipe/NAME   slashes of either kind, repeated ones count once
 *   npipe:////./pipe/NAME, npipe:////HOST/pipe/NAME, npipe:NAME     Docker's form, and a bare name
 *   npipe://./pipe/NAME, npipe:\\.\pipe\NAME
 *   unix:///PATH, unix:/PATH
 *   tcp://HOST:PORT, tcp:HOST:PORT                                  a name, IPv4 or [IPv6%ZONE]
 *   assuan:///PATH, assuan:/PATH, assuan:C:/PATH                    a slash before a drive letter is dropped
 *   assuan:%LOCALAPPDATA%/PATH                                      also %APPDATA%, %USERPROFILE%: see variables.h
 *   abstract:NAME
 *   fd://NAME                                                       with UVR_ADDRESS_LISTEN; a name or a number
 *   via:ADDRESS                                                     with UVR_ADDRESS_VIA; one of the others
 * A pipe's name may have %USERNAME% in it, and a * at its end, unless it is a listener's.
 * Scheme names and "pipe" may be in upper or lower case; nothing is %-decoded. Returns 0, or UV_EINVAL with *error
 * (which may be NULL) saying what is wrong and what to write instead, and *out all zero. `text` may be NULL, which is
 * refused like an empty one. */
int uvr_address_parse(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error);

/* Marks a target as one that the far end of a mux is to connect to. */
void uvr_address_set_via(uvr_address *address);

/* Whether it is a socket file on a Windows drive, or in a directory that only Windows knows. */
bool uvr_address_is_windows_file(const uvr_address *address);

/* Whether it is a socket file that Windows would look for on another computer, or on what is not a drive. */
bool uvr_address_is_remote_file(const uvr_address *address);

/* Whether addresses of its kind have this. */
bool uvr_address_has(const uvr_address *address, uvr_address_trait trait);

/* Gives an address that has a port, a TCP one, another port. */
void uvr_address_set_port(uvr_address *address, uint16_t port);

#endif
