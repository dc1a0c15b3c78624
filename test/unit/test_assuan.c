/* The parser of socket files: both formats, every refusal with its sentence, every length at its border, and a
 * long run of damaged files, of which none may crash it or bring a byte of the file into a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "address/address.h"
#include "address/assuan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH         "C:/x/S.gpg-agent"
#define NONCE        "\x01\x23\x45\x67\x89\xAB\xCD\xEF\x10\x32\x54\x76\x98\xBA\xDC\xFE"
#define WORDS        "67452301-efcdab89-76543210-fedcba98"
#define BYTES(text)  text, sizeof(text) - 1

/* Parses a copy that ends where its memory ends, so that a sanitizer sees the first byte read too far. */
static int parse(const void *data, size_t size, uvr_assuan *out, uvrelay_error_t *error)
{
  unsigned char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, data, size);
  memset(out, 0x55, sizeof(*out));
  int result = uvr_assuan_parse(PATH, copy, size, out, error);
  free(copy);
  return result;
}

static const struct taken {
  const char *data;
  size_t size;
  bool cygwin;
  uint16_t port;
  const char *nonce;
} taken[] = {
    {BYTES("1\n" NONCE), false, 1, NONCE},
    {BYTES("49152\n" NONCE), false, 49152, NONCE},
    {BYTES("65535\n" NONCE), false, 65535, NONCE},
    {BYTES("00080\n" NONCE), false, 80, NONCE},
    {BYTES("80\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"), false, 80, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"},
    {BYTES("80\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false, 80, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
    {BYTES("80\n0123456789\r\n!<so"), false, 80, "0123456789\r\n!<so"},
    {BYTES("!<socket >1 s " WORDS), true, 1, NONCE},
    {BYTES("!<socket >65535 s " WORDS), true, 65535, NONCE},
    {BYTES("!<socket >49152 s " WORDS "\0"), true, 49152, NONCE},
    {BYTES("!<socket >49152 s " WORDS "\n"), true, 49152, NONCE},
    {BYTES("!<socket >80 s 67452301-EFCDAB89-76543210-FeDcBa98"), true, 80, NONCE},
    {BYTES("!<socket >80 s 00000000-00000000-00000000-00000001"), true, 80, "\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0"},
};

static void test_taken(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(taken); i++) {
    uvr_assuan out;
    uvrelay_error_t error = {0};
    if (parse(taken[i].data, taken[i].size, &out, &error) != 0) {
      fail_msg("case %u: %s", (unsigned)i, error.text);
    }
    assert_int_equal(error.code, 0);
    assert_int_equal(out.cygwin, taken[i].cygwin);
    assert_int_equal(out.port, taken[i].port);
    assert_memory_equal(out.nonce, taken[i].nonce, UVR_ASSUAN_NONCE_SIZE);
  }
}

#define EMPTY    "is empty: restart the agent, which then rewrites the file"
#define NO_PORT  "has no port in its first line: restart the agent, which then rewrites the file"
#define PORT_0   "has port 0, which nothing can listen on: restart the agent, which then rewrites the file"
#define PORT_BIG "has a port above 65535: restart the agent, which then rewrites the file"
#define FIRST    "has something other than a port in its first line: restart the agent, which then rewrites the file"
#define RETURN                                                                                                         \
  "has a carriage return after its port, because something changed its line endings: restart the agent, which then "   \
  "rewrites the file"
#define NO_NONCE "ends after its port, without the nonce: restart the agent, which then rewrites the file"
#define SHORT    "has a nonce that is too short, less than 16 bytes: restart the agent, which then rewrites the file"
#define LONG     "has a nonce that is too long, more than 16 bytes: restart the agent, which then rewrites the file"
#define OTHER    "is not a libassuan socket file: gpgconf --list-dirs shows where they are"
#define LARGE    "is too large for a libassuan socket file: gpgconf --list-dirs shows where they are"
#define NO_S     "lacks the s of a stream socket after its port: restart the agent, which then rewrites the file"
#define DATAGRAM "is for a datagram socket, but only stream sockets can be relayed: choose another"
#define BAD_WORDS                                                                                                      \
  "has no nonce of four groups of eight hexadecimal digits: restart the agent, which then rewrites the file"
#define TRAILING "continues after its nonce: restart the agent, which then rewrites the file"
#define REDIRECT                                                                                                       \
  "is a redirect to a Unix socket, for programs on the same side as the socket: use the path in its socket= line, as " \
  "unix:///PATH"

static const struct refused {
  const char *data;
  size_t size;
  const char *why;
} refused[] = {
    {BYTES(""), EMPTY},
    /* libassuan's own format */
    {BYTES("\n" NONCE), NO_PORT},
    {BYTES(" 80\n" NONCE), NO_PORT},
    {BYTES("\t80\n" NONCE), NO_PORT},
    {BYTES("+80\n" NONCE), NO_PORT},
    {BYTES("-80\n" NONCE), NO_PORT},
    {BYTES("\r\n80\n" NONCE), NO_PORT},
    {BYTES("0\n" NONCE), PORT_0},
    {BYTES("000\n" NONCE), PORT_0},
    {BYTES("65536\n" NONCE), PORT_BIG},
    {BYTES("655350\n" NONCE), PORT_BIG},
    {BYTES("4294967376\n" NONCE), PORT_BIG},
    {BYTES("18446744073709551696\n" NONCE), PORT_BIG},
    {BYTES("80 \n" NONCE), FIRST},
    {BYTES("80x\n" NONCE), FIRST},
    {BYTES("80" NONCE), FIRST},
    {BYTES("80\0\n" NONCE), FIRST},
    {BYTES("80\r"), FIRST},
    {BYTES("8.0\n" NONCE), FIRST},
    {BYTES("80\r\n" NONCE), RETURN},
    {BYTES("80"), NO_NONCE},
    {BYTES("8"), NO_NONCE},
    {BYTES("80\n"), SHORT},
    {BYTES("80\n0123456789abcde"), SHORT},
    {BYTES("80\n" NONCE "\n"), LONG},
    {BYTES("80\n" NONCE "\0"), LONG},
    {BYTES("x"), OTHER},
    {BYTES("\0" NONCE), OTHER},
    {BYTES("#!/bin/sh\n"), OTHER},
    {BYTES("!<symlink>x"), OTHER},
    {BYTES("!<socket "), OTHER},
    {BYTES("MZ\x90"), OTHER},
    {BYTES("\xEF\xBB\xBF"
           "80\n" NONCE),
     OTHER},
    /* Cygwin's */
    {BYTES("!<socket >"), NO_PORT},
    {BYTES("!<socket >s " WORDS), NO_PORT},
    {BYTES("!<socket > 80 s " WORDS), NO_PORT},
    {BYTES("!<socket >-80 s " WORDS), NO_PORT},
    {BYTES("!<socket >0 s " WORDS), PORT_0},
    {BYTES("!<socket >65536 s " WORDS), PORT_BIG},
    {BYTES("!<socket >80"), NO_S},
    {BYTES("!<socket >80 " WORDS), NO_S},
    {BYTES("!<socket >80 s"), NO_S},
    {BYTES("!<socket >80  s " WORDS), NO_S},
    {BYTES("!<socket >80 S " WORDS), NO_S},
    {BYTES("!<socket >80s " WORDS), NO_S},
    {BYTES("!<socket >80 d " WORDS), DATAGRAM},
    {BYTES("!<socket >80 s "), BAD_WORDS},
    {BYTES("!<socket >80 s  " WORDS), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301-efcdab89-76543210"), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301-efcdab89-76543210-"), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301-efcdab89-76543210-fedcba9"), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301-efcdab8-976543210-fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301-efcdab89-76543210-fedcba9g"), BAD_WORDS},
    {BYTES("!<socket >80 s 6745230/-efcdab89-76543210-fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 6745230:-efcdab89-76543210-fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 6745230@-efcdab89-76543210-fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 6745230`-efcdab89-76543210-fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301 efcdab89 76543210 fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 67452301efcdab8976543210fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s 0x452301-efcdab89-76543210-fedcba98"), BAD_WORDS},
    {BYTES("!<socket >80 s " WORDS "0"), TRAILING},
    {BYTES("!<socket >80 s " WORDS "-00000000"), TRAILING},
    {BYTES("!<socket >80 s " WORDS " "), TRAILING},
    {BYTES("!<socket >80 s " WORDS "\r\n"), TRAILING},
    {BYTES("!<socket >80 s " WORDS "\n\0"), TRAILING},
    {BYTES("!<socket >80 s " WORDS "\0\0"), TRAILING},
    /* redirects */
    {BYTES("%Assuan%"), REDIRECT},
    {BYTES("%Assuan%\nsocket=/run/user/1000/gnupg/S.gpg-agent\n"), REDIRECT},
    {BYTES("%Assuan"), OTHER},
};

/* What holds for every refusal. Returns the sentence's part that says why. */
static const char *assert_refused(int result, const uvr_assuan *out, const uvrelay_error_t *error)
{
  static const char start[] = "the socket file \"" PATH "\" ";
  static const uvr_assuan zero;
  assert_int_equal(result, UV_EINVAL);
  assert_int_equal(error->code, UV_EINVAL);
  assert_int_equal(error->system, 0);
  assert_int_equal(error->phase, UVRELAY_PHASE_ADDRESS);
  assert_memory_equal(error->text, start, sizeof(start) - 1);
  assert_true(strlen(error->text) < UVRELAY_ERROR_TEXT_SIZE - 1);
  assert_int_equal(out->cygwin, zero.cygwin);
  assert_int_equal(out->port, 0);
  assert_memory_equal(out->nonce, zero.nonce, sizeof(zero.nonce));
  return error->text + sizeof(start) - 1;
}

static void test_refused(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(refused); i++) {
    uvr_assuan out;
    uvrelay_error_t error = {0};
    int result = parse(refused[i].data, refused[i].size, &out, &error);
    if (result == 0) {
      fail_msg("taken: case %u, which %s", (unsigned)i, refused[i].why);
    }
    assert_string_equal(assert_refused(result, &out, &error), refused[i].why);
    assert_int_equal(parse(refused[i].data, refused[i].size, &out, NULL), UV_EINVAL);
  }
}

/* Every length of both formats but the right ones is refused. */
static void test_lengths(void **state)
{
  (void)state;
  static const char plain[] = "65535\n" NONCE "\n\n\n\n";
  static const char cygwin[] = "!<socket >65535 s " WORDS "\0\0\0\0";
  for (size_t size = 0; size < sizeof(plain); size++) {
    uvr_assuan out;
    assert_int_equal(parse(plain, size, &out, NULL), size == 22 ? 0 : UV_EINVAL);
  }
  for (size_t size = 0; size < sizeof(cygwin); size++) {
    uvr_assuan out;
    assert_int_equal(parse(cygwin, size, &out, NULL), size == 53 || size == 54 ? 0 : UV_EINVAL);
  }

  static const char redirect[] = "%Assuan%";
  static const char port_1[] = "1\n" NONCE;
  char large[UVR_ASSUAN_FILE_MAX + 1] = "80\n";
  uvr_assuan out;
  uvrelay_error_t error = {0};
  assert_string_equal(assert_refused(parse(large, sizeof(large) - 1, &out, &error), &out, &error), LONG);
  assert_string_equal(assert_refused(parse(large, sizeof(large), &out, &error), &out, &error), LARGE);
  /* Whatever its length, a redirect is said to be one. */
  memset(large, 'x', sizeof(large));
  memcpy(large, redirect, sizeof(redirect) - 1);
  assert_string_equal(assert_refused(parse(large, sizeof(large), &out, &error), &out, &error), REDIRECT);
  /* The longest port, with zeros in front, that still fits. */
  memset(large, '0', sizeof(large));
  memcpy(large + sizeof(large) - sizeof(port_1), port_1, sizeof(port_1) - 1);
  assert_int_equal(parse(large, sizeof(large) - 1, &out, &error), 0);
  assert_int_equal(out.port, 1);
}

/* A path from outside is made fit for a message. */
static void test_path(void **state)
{
  (void)state;
  uvr_assuan out;
  uvrelay_error_t error = {0};
  char path[UVR_ADDRESS_PATH_SIZE];
  memset(path, 'x', sizeof(path));
  path[sizeof(path) - 1] = '\0';
  path[1] = '\n';
  assert_int_equal(uvr_assuan_parse(path, "", 0, &out, &error), UV_EINVAL);
  assert_int_equal(strncmp(error.text, "the socket file \"x\\x0axxx", 24), 0);
  assert_non_null(strstr(error.text, "xxx...\" " EMPTY));
  assert_int_equal(uvr_assuan_parse(path, NULL, 0, &out, &error), UV_EINVAL);
}

static void test_credentials(void **state)
{
  (void)state;
  unsigned char out[UVR_ASSUAN_CREDENTIALS_SIZE + 1];
  memset(out, 0x55, sizeof(out));
  uvr_assuan_credentials(out, 0x01020304, 0xFFFFFFFF, 0x80);
  assert_memory_equal(out, "\x04\x03\x02\x01\xFF\xFF\xFF\xFF\x80\x00\x00\x00\x55", sizeof(out));
}

static void test_wipe(void **state)
{
  (void)state;
  char secret[] = "0123456789";
  uvr_assuan_wipe(secret + 1, 8);
  assert_memory_equal(secret,
                      "0\0\0\0\0\0\0\0\0"
                      "9",
                      sizeof(secret));
  uvr_assuan_wipe(secret, 0);
  assert_int_equal(secret[0], '0');
}

static uint32_t next_random(uint32_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  *seed ^= *seed << 5;
  return *seed;
}

/* A refusal must be word for word one of the known sentences, so no byte of the file is in it. */
static void assert_known(const char *why)
{
  bool known = strcmp(why, LARGE) == 0;
  for (size_t i = 0; i < COUNT(refused); i++) {
    known = known || strcmp(why, refused[i].why) == 0;
  }
  if (!known) {
    fail_msg("a sentence that no other test knows: %s", why);
  }
}

static void test_damaged(void **state)
{
  (void)state;
  static const char bytes[] = "0123456789abcdefABCDEFgs -+\n\r\0!<>%\xFF";
  uint32_t seed = 20240607;
  size_t ends[2] = {0, 0};
  for (int round = 0; round < 60000; round++) {
    char data[300];
    bool right = round % 2 == 0;
    size_t pick = next_random(&seed) % (right ? COUNT(taken) : COUNT(refused));
    const char *from = right ? taken[pick].data : refused[pick].data;
    size_t size = right ? taken[pick].size : refused[pick].size;
    memcpy(data, from, size);
    for (uint32_t changes = next_random(&seed) % 4; changes > 0; changes--) {
      size_t at = next_random(&seed) % (size + 1);
      char byte = bytes[next_random(&seed) % (sizeof(bytes) - 1)];
      switch (next_random(&seed) % 5) {
      case 0:
        memmove(data + at + 1, data + at, size - at);
        data[at] = byte;
        size++;
        break;
      case 1:
        size -= at < size;
        memmove(data + at, data + at + 1, size - (at < size ? at : size));
        break;
      case 2:
        size = at;
        break;
      case 3:
        memmove(data + size, data, size < 100 ? size : 0);
        size += size < 100 ? size : 0;
        break;
      default:
        data[at < size ? at : 0] = byte;
        break;
      }
    }
    uvr_assuan out;
    uvrelay_error_t error = {0};
    int result = parse(data, size, &out, &error);
    if (result == 0) {
      assert_int_not_equal(out.port, 0);
    } else {
      assert_known(assert_refused(result, &out, &error));
    }
    ends[result == 0]++;
  }
  assert_true(ends[0] > 5000 && ends[1] > 5000);
}

static void test_rubbish(void **state)
{
  (void)state;
  uint32_t seed = 11;
  for (int round = 0; round < 20000; round++) {
    unsigned char data[200] = {0};
    size_t size = next_random(&seed) % sizeof(data);
    for (size_t i = 0; i < size; i++) {
      data[i] = (unsigned char)next_random(&seed);
    }
    uvr_assuan out;
    uvrelay_error_t error = {0};
    int result = parse(data, size, &out, &error);
    if (result != 0) {
      assert_known(assert_refused(result, &out, &error));
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_taken),   cmocka_unit_test(test_refused),     cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_path),    cmocka_unit_test(test_credentials), cmocka_unit_test(test_wipe),
      cmocka_unit_test(test_damaged), cmocka_unit_test(test_rubbish),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
