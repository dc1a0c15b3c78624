/* Addresses of each kind, the options after them, and what ~/ and $NAME stand for.
 *
 * The first byte of the input says how the text after it is parsed: a letter from A on, whose bits are the flags, or a
 * digit: 0 for a listener with its options, 1 for a target with its options, 2 and 3 for the same after expanding, 4
 * for a bare path that is expanded. A text that is accepted and printed is parsed again and gives the same address. A
 * variable of Windows in it gets a few values, and leaves an address without variables, or as it was. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "address/address.h"
#include "address/expand.h"
#include "address/form.h"
#include "address/query.h"
#include "address/variables.h"
#include "base/text.h"

static bool is_zero(const void *memory, size_t size)
{
  const unsigned char *bytes = memory;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != 0) {
      return false;
    }
  }
  return true;
}

/* A text within its array, in UTF-8 and without control characters. */
static void check_text(const char *what, const char *text, size_t size)
{
  size_t length = strnlen(text, size);
  CHECK(length < size, "the %s does not end", what);
  for (size_t at = 0; at < length;) {
    uint32_t point = 0;
    size_t step = uvr_utf8_next(text + at, &point);
    CHECK(step > 0 && at + step <= length && !uvr_is_control(point), "the %s is bad at byte %u: %s", what, (unsigned)at,
          text);
    at += step;
  }
}

static bool begins_with_assuan(const char *text)
{
  return uvr_begins(text, "assuan:");
}

/* How it begins for people; a path with -a may stand as it is. */
static void check_canonical(const uvr_address *a, unsigned flags)
{
  static const char *const begins[] = {
      [UVR_ADDRESS_NPIPE] = "//", [UVR_ADDRESS_UNIX] = "unix:///",      [UVR_ADDRESS_TCP] = "tcp://",
      [UVR_ADDRESS_ASSUAN] = "",  [UVR_ADDRESS_ABSTRACT] = "abstract:", [UVR_ADDRESS_FD] = "fd://"};
  const char *plain = a->canonical + (a->via ? strlen("via:") : 0);
  bool bare = a->kind == UVR_ADDRESS_ASSUAN && (flags & UVR_ADDRESS_ASSUAN_PATH) == 0;
  const char *begin = !bare ? begins[a->kind] : a->has_variable ? "assuan:%" : "assuan:///";
  CHECK(!a->via || strncmp(a->canonical, "via:", 4) == 0, "a via: address is %s", a->canonical);
  CHECK(strncmp(plain, begin, strlen(begin)) == 0, "a canonical form is %s", a->canonical);
  CHECK(a->kind != UVR_ADDRESS_NPIPE || strchr(plain, '\\') == NULL, "a canonical form is %s", a->canonical);
}

static void check_address(const uvr_address *a, unsigned flags)
{
  check_text("canonical form", a->canonical, sizeof(a->canonical));
  check_text("path", a->path, sizeof(a->path));
  check_text("host", a->host, sizeof(a->host));
  CHECK(a->canonical[0] != '\0', "an address has no canonical form");
  CHECK(strlen(a->canonical) < UVR_ADDRESS_PATH_SIZE + sizeof("via:"), "the canonical form is too long");
  switch (a->kind) {
  case UVR_ADDRESS_NPIPE:
    CHECK(strncmp(a->path, "\\\\", 2) == 0 && strchr(a->path, '/') == NULL, "a pipe's path is %s", a->path);
    CHECK(strstr(strchr(a->path + 2, '\\') + 1, ".\\") == NULL && a->path[strlen(a->path) - 1] != '.',
          "a pipe's path leads elsewhere: %s", a->path);
    CHECK(uvr_utf16_units(a->path) <= UVR_ADDRESS_NPIPE_MAX, "a pipe's path is too long: %s", a->path);
    break;
  case UVR_ADDRESS_UNIX:
    CHECK(a->path[0] == '/' && strlen(a->path) <= UVR_ADDRESS_UNIX_MAX, "a socket's path is %s", a->path);
    break;
  case UVR_ADDRESS_TCP:
    CHECK(a->host[0] != '\0' && strcspn(a->host, "/\\ ?#@[]") == strlen(a->host), "a host is %s", a->host);
    CHECK(a->port != 0 || (flags & UVR_ADDRESS_LISTEN) != 0, "the port of a target is 0");
    break;
  case UVR_ADDRESS_ASSUAN:
    CHECK(a->path[0] != '\0', "a socket file has no path");
    break;
  case UVR_ADDRESS_ABSTRACT:
    CHECK(a->path[0] != '\0' && strlen(a->path) <= UVR_ADDRESS_UNIX_MAX, "an abstract name is %s", a->path);
    break;
  case UVR_ADDRESS_FD:
    CHECK((flags & UVR_ADDRESS_LISTEN) != 0, "a descriptor is no target");
    break;
  case UVR_ADDRESS_NONE:
    CHECK(false, "an address has no kind");
  }
  CHECK(!a->via || (flags & UVR_ADDRESS_VIA) != 0, "a via: address where none may stand");
  bool marked = a->has_variable || a->open_ended;
  CHECK(!marked || (flags & UVR_ADDRESS_LISTEN) == 0 || a->kind == UVR_ADDRESS_ASSUAN, "a listener is %s",
        a->canonical);
  CHECK(a->open_ended == (a->kind == UVR_ADDRESS_NPIPE && strchr(a->path, '*') != NULL), "a * is in %s", a->path);
  CHECK(!a->open_ended || strchr(a->path, '*')[1] == '\0', "a * is within %s", a->path);
  check_canonical(a, flags);
}

static const char *value; /* of all variables */

static int windows_variable(const char *name, char *buffer, size_t *size)
{
  CHECK(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == strlen(name), "the variable %s", name);
  size_t length = strlen(value);
  if (length >= *size) {
    return UV_ENOBUFS;
  }
  memcpy(buffer, value, length + 1);
  *size = length;
  return 0;
}

static void check_filled_in(const uvr_address *a, unsigned flags)
{
  static char long_value[2100];
  static const char *const values[] = {
      "C:\\Users\\\xC3\xA4 b", "D:", "\\\\server\\share\\", "me", "%USERNAME%", "*", "", long_value};
  memset(long_value, 'x', sizeof(long_value) - 1);
  memcpy(long_value, "C:/", 3);
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    uvr_address filled = *a;
    uvrelay_error_t error;
    value = values[i];
    if (uvr_address_fill_in(&filled, windows_variable, &error) == 0) {
      CHECK(!filled.has_variable && filled.kind == a->kind && filled.open_ended == a->open_ended, "%s became %s",
            a->canonical, filled.canonical);
      check_address(&filled, a->has_variable ? 0 : flags);
    } else {
      CHECK(memcmp(&filled, a, sizeof(filled)) == 0, "%s became %s", a->canonical, filled.canonical);
    }
  }
}

/* Printed, and parsed again. */
static void check_again(const uvr_address *a, unsigned flags)
{
  uvr_address again;
  uvrelay_error_t error;
  int code = uvr_address_parse(a->canonical, flags, &again, &error);
  CHECK(code == 0, "%s is not accepted again: %s", a->canonical, error.text);
  CHECK(memcmp(a, &again, sizeof(again)) == 0, "%s is parsed again as %s", a->canonical, again.canonical);
}

static void check_refusal(const uvr_address *a, const uvrelay_error_t *error)
{
  fuzz_check_error(error, UV_EINVAL);
  CHECK(error->phase == UVRELAY_PHASE_ADDRESS, "the phase is %d", (int)error->phase);
  CHECK(is_zero(a, sizeof(*a)), "a refused address is not all zero");
}

static void parse(const char *text, unsigned flags)
{
  uvr_address a;
  uvrelay_error_t error = {0};
  memset(&a, 0xA5, sizeof(a));
  int code = uvr_address_parse(text, flags, &a, &error);
  if (code != 0) {
    CHECK(code == UV_EINVAL, "the code is %d", code);
    check_refusal(&a, &error);
    CHECK(uvr_address_parse(text, flags, &a, NULL) == UV_EINVAL, "without an error it is accepted");
    return;
  }
  check_address(&a, flags);
  check_again(&a, flags);
  if ((flags & UVR_ADDRESS_ASSUAN_PATH) == 0) {
    CHECK(!uvr_address_is_remote_file(&a) || begins_with_assuan(a.via ? a.canonical + 4 : a.canonical),
          "a remote file is %s", a.canonical);
  }
  if (!a.via) {
    check_filled_in(&a, flags);
  }
  uvr_address changed = a;
  uvr_address_set_port(&changed, 12345);
  CHECK(a.kind == UVR_ADDRESS_TCP || memcmp(&a, &changed, sizeof(a)) == 0, "%s has a port", a.canonical);
  if (a.kind == UVR_ADDRESS_TCP && !a.via) {
    check_again(&changed, flags);
  }
}

/* An address with its options. */
static void parse_route(const char *text, uvrelay_side_t side)
{
  unsigned given = 0;
  uvr_address a;
  uvrelay_error_t error = {0};
  uvrelay_route_options_t options = {.size = sizeof(options)};
  int code = uvr_route_address(text, side, &options, &given, &a, &error);
  CHECK(options.size == sizeof(options), "the size has changed");
  CHECK(options.permissions <= 0777, "the permissions are %o", options.permissions);
  CHECK(options.max <= 1000000, "the maximum is %u", options.max);
  CHECK((unsigned)options.impersonation <= 3 && (unsigned)options.eof_to_client <= 2 &&
            (unsigned)options.eof_to_target <= 2,
        "a value is none of its names");
  CHECK(side == UVRELAY_LEFT || options.permissions == 0, "a target has permissions");
  if (code != 0) {
    fuzz_check_error(&error, UV_EINVAL);
    return;
  }
  unsigned flags = side == UVRELAY_LEFT ? UVR_ADDRESS_LISTEN : UVR_ADDRESS_VIA;
  check_address(&a, flags);
  CHECK(options.permissions == 0 || uvr_address_has(&a, UVR_ADDRESS_HAS_PERMISSIONS), "%s has permissions",
        a.canonical);
  CHECK(options.impersonation == 0 || uvr_address_has(&a, UVR_ADDRESS_HAS_IMPERSONATION), "%s has a level",
        a.canonical);
  /* Each option may be given once. */
  if (strchr(text, '&') == NULL && given != 0) {
    CHECK((given & (given - 1)) == 0, "one option counts as several");
  }
  if (strchr(a.canonical, '?') == NULL) {
    check_again(&a, flags);
  }
}

static int home(char *buffer, size_t *size)
{
  static const char path[] = "/home/somebody/";
  CHECK(*size >= sizeof(path), "there is no room for the home directory");
  memcpy(buffer, path, sizeof(path));
  *size = sizeof(path) - 1;
  return 0;
}

/* LONG and EMPTY, NAME, and no other. */
static int variable(const char *name, char *buffer, size_t *size)
{
  CHECK(*name != '\0', "a variable has no name");
  size_t length = strcmp(name, "LONG") == 0 ? 4000 : strcmp(name, "NAME") == 0 ? 3 : 0;
  if (length == 0 && strcmp(name, "EMPTY") != 0) {
    return UV_ENOENT;
  }
  if (length >= *size) {
    return UV_ENOBUFS;
  }
  memset(buffer, '$', length);
  buffer[length] = '\0';
  *size = length;
  return 0;
}

static void expand(const char *text, bool with_variables, bool bare_path, int side)
{
  const uvr_expander expander = {.home = home, .variable = with_variables ? variable : NULL, .bare_path = bare_path};
  char *out = malloc(UVR_EXPANDED_SIZE);
  CHECK(out != NULL, "there is no memory");
  size_t wrong = 0;
  uvrelay_error_t error = {0};
  int code = uvr_expand(&expander, text, out, &wrong, &error);
  if (code != 0) {
    fuzz_check_error(&error, UV_EINVAL);
    CHECK(wrong < strlen(text) || *text == '\0', "the fault is at byte %u of %s", (unsigned)wrong, text);
  } else {
    CHECK(strlen(out) < UVR_EXPANDED_SIZE, "the text is too long");
    if (strchr(text, '~') == NULL && (!with_variables || strchr(text, '$') == NULL)) {
      CHECK(strcmp(text, out) == 0, "%s became %s", text, out);
    }
    if (side >= 0) {
      parse_route(out, side == 0 ? UVRELAY_LEFT : UVRELAY_RIGHT);
    } else {
      parse(out, UVR_ADDRESS_ASSUAN_PATH);
    }
  }
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  fuzz_input in = {data, size};
  unsigned how = fuzz_byte(&in);
  char *text = fuzz_text(&in, '\0');
  switch (how) {
  case '0':
  case '1':
    parse_route(text, how == '0' ? UVRELAY_LEFT : UVRELAY_RIGHT);
    break;
  case '2':
  case '3':
    expand(text, true, false, (int)how - '2');
    break;
  case '4':
    expand(text, false, true, -1);
    break;
  default:
    parse(text, how & 7U);
  }
  free(text);
  return 0;
}
