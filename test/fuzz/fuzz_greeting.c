/* What the two ends of a mux say in text: greetings, requests, and the patterns that requests are compared with.
 *
 * The first byte chooses: "g", a greeting that comes in pieces, each behind a byte with its length; "r", a request, as
 * the far end reads it; "p", a pattern, a newline and a text. */
#include "fuzz.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "address/query.h"
#include "base/text.h"
#include "mux/greeting.h"

static const char greeting[] = UVR_MUX_GREETING;

/* What must become of these bytes, one by one. */
static uvr_mux_greeting_state expected_state(const char *text, size_t length)
{
  return length >= sizeof(greeting) - 1 && memcmp(text, greeting, sizeof(greeting) - 1) == 0 ? UVR_MUX_GREETING_WHOLE
         : length < sizeof(greeting) - 1 && memcmp(text, greeting, length) == 0              ? UVR_MUX_GREETING_PART
                                                                                             : UVR_MUX_GREETING_ALIEN;
}

static void check_description(const uvr_mux_greeting *g, uvr_mux_greeting_state state)
{
  uvrelay_error_t error = {.code = UV_EPROTO};
  uvr_mux_greeting_describe(g, state, "the far end", error.text, sizeof(error.text));
  fuzz_check_error(&error, UV_EPROTO);
  fuzz_check_shown(error.text, strlen(error.text));
  CHECK(strncmp(error.text, "the far end ", 12) == 0, "it says %s", error.text);
}

static void greet(fuzz_input *in)
{
  uvr_mux_greeting g = {.length = 0};
  char all[512];
  size_t length = 0;
  size_t whole = sizeof(greeting) - 1;
  uvr_mux_greeting_state state = UVR_MUX_GREETING_PART;
  while (state == UVR_MUX_GREETING_PART && in->size > 0) {
    size_t piece = 1 + fuzz_byte(in) % 48U;
    piece = piece < in->size ? piece : in->size;
    piece = piece < sizeof(all) - length ? piece : sizeof(all) - length;
    if (piece == 0) {
      return;
    }
    char *copy = malloc(piece);
    CHECK(copy != NULL, "there is no memory");
    memcpy(copy, in->data, piece);
    memcpy(all + length, in->data, piece);
    in->data += piece;
    in->size -= piece;
    size_t used = 0;
    state = uvr_mux_greeting_parse(&g, copy, piece, &used);
    free(copy);
    CHECK(used <= piece, "%u bytes of %u are used", (unsigned)used, (unsigned)piece);
    CHECK(g.length <= sizeof(g.text), "%u bytes are kept", (unsigned)g.length);
    if (state == UVR_MUX_GREETING_WHOLE) {
      CHECK(length + used == whole, "the greeting has %u bytes", (unsigned)(length + used));
    } else if (state == UVR_MUX_GREETING_PART) {
      CHECK(used == piece, "a part of the greeting is left over");
    }
    length += piece;
    uvr_mux_greeting_state expected = expected_state(all, length);
    /* Of another version it says so at its end only. */
    CHECK(state == expected || (expected == UVR_MUX_GREETING_ALIEN && state != UVR_MUX_GREETING_WHOLE),
          "the state is %d, not %d", (int)state, (int)expected);
    if (state == UVR_MUX_GREETING_VERSION || (state == UVR_MUX_GREETING_PART && expected == UVR_MUX_GREETING_ALIEN)) {
      CHECK(memcmp(all, greeting, 12) == 0 || (length < 12 && memcmp(all, greeting, length) == 0),
            "something else counts as another version");
    }
  }
  if (state == UVR_MUX_GREETING_VERSION || state == UVR_MUX_GREETING_ALIEN) {
    check_description(&g, state);
  }
}

static void request(fuzz_input *in)
{
  char *line = fuzz_text(in, '\n');
  unsigned given = 0;
  uvr_address address;
  uvrelay_error_t error = {0};
  uvrelay_route_options_t options = {.size = sizeof(options)};
  int code = uvr_route_address(line, UVRELAY_RIGHT, &options, &given, &address, &error);
  if (code != 0) {
    fuzz_check_error(&error, UV_EINVAL);
  } else {
    /* As patterns are written: an address matches itself where it has nothing special, and what begins like it. */
    char pattern[UVR_ADDRESS_CANONICAL_SIZE + 1];
    size_t length = strlen(address.canonical);
    memcpy(pattern, address.canonical, length + 1);
    bool special = strpbrk(pattern, "*?[\\") != NULL;
    CHECK(special || uvr_pattern_matches(pattern, address.canonical), "%s does not match itself", pattern);
    pattern[length / 2] = '*';
    pattern[length / 2 + 1] = '\0';
    CHECK(special || uvr_pattern_matches(pattern, address.canonical), "%s does not match %s", pattern,
          address.canonical);
    pattern[0] = pattern[0] == 'x' ? 'y' : 'x';
    CHECK(length < 2 || special || !uvr_pattern_matches(pattern, address.canonical), "%s matches %s", pattern,
          address.canonical);
  }
  free(line);
}

/* Of patterns that are plain the C library thinks the same. */
static void match(fuzz_input *in)
{
  char *pattern = fuzz_text(in, '\n');
  char *text = fuzz_text(in, '\n');
  bool matches = uvr_pattern_matches(pattern, text);
  bool plain = strpbrk(pattern, "[\\") == NULL;
  for (const char *next = pattern; *next != '\0'; next++) {
    plain = plain && (unsigned char)*next < 0x80;
  }
  for (const char *next = text; *next != '\0'; next++) {
    plain = plain && (unsigned char)*next < 0x80;
  }
  CHECK(!plain || strlen(pattern) > 60 || strlen(text) > 60 || matches == (fnmatch(pattern, text, 0) == 0),
        "%s and %s%s match", pattern, text, matches ? "" : " do not");
  CHECK(uvr_pattern_matches("*", text), "* does not match %s", text);
  free(pattern);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  fuzz_input in = {data, size};
  switch (fuzz_byte(&in)) {
  case 'g':
    greet(&in);
    break;
  case 'r':
    request(&in);
    break;
  default:
    match(&in);
  }
  return 0;
}
