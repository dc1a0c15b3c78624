/* libassuan's socket files: a TCP port on 127.0.0.1 and 16 secret bytes (the nonce) in a small file that represents a
 * socket. Pure: no I/O, no allocation. The nonce is never part of a message. */
#ifndef UVR_ADDRESS_ASSUAN_H
#define UVR_ADDRESS_ASSUAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define UVR_ASSUAN_NONCE_SIZE       16
#define UVR_ASSUAN_CREDENTIALS_SIZE 12

/* A socket file has at most 54 bytes. The caller reads up to UVR_ASSUAN_FILE_MAX + 1 bytes: a file that has more than
 * the maximum is refused. */
#define UVR_ASSUAN_FILE_MAX 128

typedef struct uvr_assuan {
  bool cygwin;   /* the server expects Cygwin's handshake: nonce and credentials in both directions */
  uint16_t port; /* on 127.0.0.1, 1 to 65535 */
  unsigned char nonce[UVR_ASSUAN_NONCE_SIZE];
} uvr_assuan;

/* Parses the contents of a socket file, libassuan's own or Cygwin's, which differ in their first bytes. `path` is only
 * for messages. Returns 0, or UV_EINVAL with *error (which may be NULL) filled in and *out all zero. The caller must
 * wipe `data`, and *out when it is no longer needed. */
int uvr_assuan_parse(const char *path, const void *data, size_t size, uvr_assuan *out, uvrelay_error_t *error);

/* What a Cygwin client sends once it has received the nonce: three little-endian 32-bit words. */
void uvr_assuan_credentials(unsigned char out[UVR_ASSUAN_CREDENTIALS_SIZE], uint32_t pid, uint32_t uid, uint32_t gid);

/* Overwrites a secret with zeros, in a way that the compiler cannot optimise away. */
void uvr_assuan_wipe(void *secret, size_t size);

#endif
