/* Socket files: see assuan.h. A file is libassuan's own, "PORT\n" and 16 raw bytes, or Cygwin's,
 * "!<socket >PORT s XXXXXXXX-XXXXXXXX-XXXXXXXX-XXXXXXXX"; anything else is refused. Only what
 * programs write is accepted: no blanks, signs or other line ends, which some readers would ignore. An error never
 * quotes the file's contents, as any part of them could contain a part of the nonce. */
#include "address/assuan.h"

#include <string.h>

#include <uv.h>

#include "base/text.h"

#define LENGTH(literal) (sizeof(literal) - 1)
#define REDIRECT        "%Assuan%"
#define CYGWIN          "!<socket >"
#define RESTART         "restart the agent, which then rewrites the file"
#define NO_SOCKET_FILE  "is not a libassuan socket file: gpgconf --list-dirs shows where they are"

void uvr_assuan_wipe(void *secret, size_t size)
{
  volatile unsigned char *bytes = secret;
  while (size > 0) {
    bytes[--size] = 0;
  }
}

static void put_word(unsigned char *out, uint32_t word)
{
  for (size_t i = 0; i < 4; i++) {
    out[i] = (unsigned char)(word >> (8 * i));
  }
}

void uvr_assuan_credentials(unsigned char out[UVR_ASSUAN_CREDENTIALS_SIZE], uint32_t pid, uint32_t uid, uint32_t gid)
{
  put_word(out, pid);
  put_word(out + 4, uid);
  put_word(out + 8, gid);
}

/* The part of the file that is not parsed yet. */
typedef struct input {
  const unsigned char *next;
  size_t size;
} input;

static void skip(input *in, size_t count)
{
  in->next += count;
  in->size -= count;
}

static bool starts_with(const input *in, const char *word)
{
  size_t length = strlen(word);
  return in->size >= length && memcmp(in->next, word, length) == 0;
}

static bool accept_word(input *in, const char *word)
{
  if (!starts_with(in, word)) {
    return false;
  }
  skip(in, strlen(word));
  return true;
}

/* Parses a port. Returns what is wrong, or NULL. */
static const char *parse_port(input *in, uint16_t *port)
{
  uint32_t value = 0;
  size_t digits = 0;
  for (; digits < in->size && in->next[digits] >= '0' && in->next[digits] <= '9'; digits++) {
    if (value <= UINT16_MAX) {
      value = value * 10 + (uint32_t)(in->next[digits] - '0');
    }
  }
  if (digits == 0) {
    return "has no port in its first line: " RESTART;
  }
  if (value == 0) {
    return "has port 0, which nothing can listen on: " RESTART;
  }
  if (value > UINT16_MAX) {
    return "has a port above 65535: " RESTART;
  }
  skip(in, digits);
  *port = (uint16_t)value;
  return NULL;
}

static const char *parse_plain(input in, uvr_assuan *out)
{
  const unsigned char first = in.next[0];
  /* No damaged port, but another kind of file. */
  if (strchr("\n\r\t +-0123456789", first) == NULL || first == '\0') {
    return NO_SOCKET_FILE;
  }
  const char *fault = parse_port(&in, &out->port);
  if (fault != NULL) {
    return fault;
  }
  if (starts_with(&in, "\r\n")) {
    return "has a carriage return after its port, because something changed its line endings: " RESTART;
  }
  if (in.size == 0) {
    return "ends after its port, without the nonce: " RESTART;
  }
  if (!accept_word(&in, "\n")) {
    return "has something other than a port in its first line: " RESTART;
  }
  if (in.size != UVR_ASSUAN_NONCE_SIZE) {
    return in.size < UVR_ASSUAN_NONCE_SIZE ? "has a nonce that is too short, less than 16 bytes: " RESTART
                                           : "has a nonce that is too long, more than 16 bytes: " RESTART;
  }
  memcpy(out->nonce, in.next, UVR_ASSUAN_NONCE_SIZE);
  return NULL;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(unsigned char c)
{
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Parses eight hexadecimal digits and stores their value in little-endian order. */
static bool parse_word(input *in, unsigned char *bytes)
{
  uint32_t word = 0;
  for (size_t i = 0; i < 8; i++) {
    int digit = i < in->size ? hex_digit(in->next[i]) : -1;
    if (digit < 0) {
      return false;
    }
    word = word << 4 | (uint32_t)digit;
  }
  skip(in, 8);
  put_word(bytes, word);
  return true;
}

/* Parses a Cygwin socket file, from the text after its mark. */
static const char *parse_cygwin(input in, uvr_assuan *out)
{
  out->cygwin = true;
  const char *fault = parse_port(&in, &out->port);
  if (fault != NULL) {
    return fault;
  }
  if (starts_with(&in, " d ")) {
    return "is for a datagram socket, but only stream sockets can be relayed: choose another";
  }
  if (!accept_word(&in, " s ")) {
    return "lacks the s of a stream socket after its port: " RESTART;
  }
  for (size_t i = 0; i < 4; i++) {
    if ((i > 0 && !accept_word(&in, "-")) || !parse_word(&in, out->nonce + 4 * i)) {
      return "has no nonce of four groups of eight hexadecimal digits: " RESTART;
    }
  }
  bool ended = in.size == 0 || (in.size == 1 && (in.next[0] == '\0' || in.next[0] == '\n'));
  return ended ? NULL : "continues after its nonce: " RESTART;
}

static const char *parse(input in, uvr_assuan *out)
{
  if (in.size == 0) {
    return "is empty: " RESTART;
  }
  if (starts_with(&in, REDIRECT)) {
    return "is a redirect to a Unix socket, for programs on the same side as the socket: use the path in its socket= "
           "line, as unix:///PATH";
  }
  if (in.size > UVR_ASSUAN_FILE_MAX) {
    return "is too large for a libassuan socket file: gpgconf --list-dirs shows where they are";
  }
  return accept_word(&in, CYGWIN) ? parse_cygwin(in, out) : parse_plain(in, out);
}

int uvr_assuan_parse(const char *path, const void *data, size_t size, uvr_assuan *out, uvrelay_error_t *error)
{
  memset(out, 0, sizeof(*out));
  const char *fault = parse((input){.next = data, .size = size}, out);
  if (fault == NULL) {
    return 0;
  }
  char quoted[UVR_QUOTED_SIZE];
  uvr_assuan_wipe(out, sizeof(*out));
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the socket file %s %s", uvr_quote(quoted, path),
                       fault);
}
