/* Socket files of libassuan. The input is a file.
 *
 * A file is accepted only if it is written as libassuan or Cygwin write it; an error never has a part of it in it. */
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/assuan.h"

enum { SECRET = 6 };

static bool is_zero(const void *memory, size_t size)
{
  const unsigned char *bytes = memory;
  size_t i = 0;
  while (i < size && bytes[i] == 0) {
    i++;
  }
  return i == size;
}

/* The file as its programs write it must be the same, but for the end of Cygwin's. */
static void check_parsed(const uvr_assuan *parsed, const uint8_t *data, size_t size)
{
  char text[UVR_ASSUAN_FILE_MAX];
  CHECK(parsed->port > 0, "the port is 0");
  if (!parsed->cygwin) {
    int head = snprintf(text, sizeof(text), "%u\n", (unsigned)parsed->port);
    const uint8_t *end = memchr(data, '\n', size);
    CHECK(end != NULL, "a file without a line is taken");
    size_t line = (size_t)(end - data) + 1;
    CHECK(size == line + UVR_ASSUAN_NONCE_SIZE, "a file of %u bytes is taken", (unsigned)size);
    CHECK(memcmp(data + line, parsed->nonce, UVR_ASSUAN_NONCE_SIZE) == 0, "the nonce is another");
    CHECK(line >= (size_t)head && memcmp(data + line - head, text, (size_t)head) == 0, "the port is another");
    for (size_t i = 0; i + (size_t)head < line; i++) {
      CHECK(data[i] == '0', "a line is taken that begins with the byte %u", (unsigned)data[i]);
    }
    return;
  }
  uint32_t words[4];
  for (unsigned i = 0; i < 4; i++) {
    const unsigned char *at = parsed->nonce + 4 * (size_t)i;
    words[i] = (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
  }
  int length = snprintf(text, sizeof(text), "%u s %08X-%08X-%08X-%08X", (unsigned)parsed->port, words[0], words[1],
                        words[2], words[3]);
  const size_t mark = strlen("!<socket >");
  CHECK(size >= mark + (size_t)length && memcmp(data, "!<socket >", mark) == 0, "a file of another kind is taken");
  size_t zeros = mark;
  while (data[zeros] == '0') {
    zeros++;
  }
  CHECK(size == zeros + (size_t)length || size == zeros + (size_t)length + 1, "a file of %u bytes is taken",
        (unsigned)size);
  for (int i = 0; i < length; i++) {
    CHECK(toupper(data[zeros + (size_t)i]) == toupper((unsigned char)text[i]), "byte %d is another", i);
  }
}

/* No part of the file is in the error, the sentences of which have nothing in common with it by chance. */
static void check_secret(const char *text, const uint8_t *data, size_t size)
{
  static const char *const common[] = {"!<socket >", "%Assuan%", "socket=", "unix:///PATH", "gpgconf --list-dirs"};
  size_t length = strlen(text);
  for (size_t at = 0; at + SECRET <= size; at++) {
    bool known = false;
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
      known = known || strstr(common[i], (char[SECRET + 1]){(char)data[at], (char)data[at + 1], (char)data[at + 2],
                                                            (char)data[at + 3], (char)data[at + 4], (char)data[at + 5],
                                                            '\0'}) != NULL;
    }
    bool digits = true; /* nonces and ports are made of these; a word of the sentence may well be in the file */
    for (size_t i = 0; i < SECRET; i++) {
      digits = digits && (isxdigit(data[at + i]) || data[at + i] >= 0x80 || data[at + i] == '-');
    }
    CHECK(known || !digits || memmem(text, length, data + at, SECRET) == NULL, "the error has a part of the file: %s",
          text);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  /* With what a file may have at most, and one more: no more is ever read of one. */
  size = size > UVR_ASSUAN_FILE_MAX + 1 ? UVR_ASSUAN_FILE_MAX + 1 : size;
  uint8_t *copy = malloc(size > 0 ? size : 1);
  CHECK(copy != NULL, "there is no memory");
  memcpy(copy, data, size);
  uvr_assuan parsed;
  uvrelay_error_t error = {0};
  memset(&parsed, 0xA5, sizeof(parsed));
  int code = uvr_assuan_parse("/run/S.gpg-agent", copy, size, &parsed, &error);
  if (code == 0) {
    check_parsed(&parsed, copy, size);
  } else {
    fuzz_check_error(&error, UV_EINVAL);
    CHECK(is_zero(&parsed, sizeof(parsed)), "what is refused leaves a part of the nonce");
    CHECK(strstr(error.text, "/run/S.gpg-agent") != NULL, "the error does not name the file: %s", error.text);
    check_secret(error.text, copy, size);
  }
  uvr_assuan_wipe(&parsed, sizeof(parsed));
  CHECK(is_zero(&parsed, sizeof(parsed)), "the nonce is not wiped");
  free(copy);
  return 0;
}
