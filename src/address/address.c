/* Addresses: see address.h. A text is first checked as a whole (length, UTF-8, control characters), then taken
 * apart by the one form that its beginning tells. A text of no known form is looked at once more for the usual
 * mistakes, so that the refusal can say what was probably meant; such a suggestion is made only if it would itself
 * be accepted. */
#include "address/address.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"

#define LENGTH(literal)   (sizeof(literal) - 1)
#define SLASHES           "/\\"
#define ANY_FORM          "//./pipe/NAME for a named pipe, unix:///PATH, tcp://HOST:PORT or assuan:///PATH"
#define SCHEME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"
#define PORT_RANGE        "a port is a decimal number from 1 to 65535"
#define HOST_MAX          253 /* of DNS */
#define SUGGESTION_SIZE   112 /* a longer one would not fit into the error's text */
#define NO_FORM           1   /* what a form's parser returns for a text that is not its own */
#define TEXT_MAX          (UVR_ADDRESS_PATH_SIZE - 1)

static int refuse(const char *text, uvrelay_error_t *error, const char *format, ...) UVR_PRINTF(3, 4);

/* Refuses `text`; the format goes on after "the address TEXT ". */
static int refuse(const char *text, uvrelay_error_t *error, const char *format, ...)
{
  if (error == NULL) {
    return UV_EINVAL;
  }
  char why[UVRELAY_ERROR_TEXT_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(why, sizeof(why), format, args);
  va_end(args);
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the address %s %s", uvr_quote(quoted, text), why);
}

static bool is_slash(char c)
{
  return c == '/' || c == '\\';
}

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool is_drive(const char *text)
{
  return is_letter(text[0]) && text[1] == ':' && is_slash(text[2]);
}

/* Whether `text` begins with `word`, which is in lower case, in letters of either case. */
static bool begins(const char *text, const char *word)
{
  for (; *word != '\0'; text++, word++) {
    char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
    if (c != *word) {
      return false;
    }
  }
  return true;
}

static int check_text(const char *text, uvrelay_error_t *error)
{
  if (text == NULL || *text == '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the address is empty: write " ANY_FORM);
  }
  if (memchr(text, '\0', TEXT_MAX + 1) == NULL) {
    return refuse(text, error, "is too long: at most %d bytes are taken", (int)TEXT_MAX);
  }
  for (const char *next = text; *next != '\0';) {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(next, &point);
    if (length == 0) {
      return refuse(text, error, "has the byte 0x%02x, which is not UTF-8: write it in UTF-8",
                    (unsigned)(unsigned char)*next);
    }
    if (uvr_is_control(point)) {
      return refuse(text, error, "has the control character 0x%02x: leave it out", (unsigned)point);
    }
    next += length;
  }
  return 0;
}

/* A computer's name or IPv4 address. What is wrong with it, or NULL. */
static const char *host_fault(const char *host, size_t length)
{
  if (length == 0) {
    return "names no host";
  }
  if (length > HOST_MAX) {
    return "has a host name of more than 253 bytes";
  }
  bool letters = false;
  for (size_t i = 0; i < length; i++) {
    char c = host[i];
    if (c == '.' && (i == 0 || host[i - 1] == '.')) {
      return "has a host name with an empty part";
    }
    if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '_' && (unsigned char)c < 0x80) {
      return "has a host name with a character that no host name has";
    }
    letters = letters || (!is_digit(c) && c != '.');
  }
  if (host[0] == '-') {
    return "has a host name that begins with a hyphen";
  }
  if (!letters) {
    char copy[HOST_MAX + 1];
    struct in_addr ignored;
    memcpy(copy, host, length);
    copy[length] = '\0';
    if (uv_inet_pton(AF_INET, copy, &ignored) != 0) {
      return "has digits that are no IPv4 address";
    }
  }
  return NULL;
}

/* Why Windows would not open the pipe of this name, or something else instead, or NULL. It takes "." and ".."
 * for directories, which could lead out of //./pipe/ to a drive, and drops what ends a part in a dot. */
static const char *pipe_name_fault(const char *name)
{
  if (strpbrk(name, "*?\"<>") != NULL) {
    return "has a wildcard in the pipe's name, one of * ? \" < >";
  }
  size_t part = 0;
  for (size_t i = 0;; i++) {
    if (is_slash(name[i]) || name[i] == '\0') {
      if (i > part && name[i - 1] == '.') {
        return "has a part that ends in a dot in the pipe's name, which Windows would drop";
      }
      if (name[i] == '\0') {
        break;
      }
      part = i + 1;
    }
  }
  char last = name[strlen(name) - 1];
  if (is_slash(last)) {
    return "ends in a slash, which no pipe's name does";
  }
  return last == ' ' ? "ends in a blank, which Windows would drop" : NULL;
}

/* The pipe `name` on `host`, "." being this computer. `text` is the whole address. */
static int set_pipe(const char *text, const char *host, size_t host_length, const char *name, uvr_address *out,
                    uvrelay_error_t *error)
{
  if (*name == '\0') {
    return refuse(text, error, "names no pipe: write //./pipe/NAME");
  }
  const char *fault = pipe_name_fault(name);
  if (fault != NULL) {
    return refuse(text, error, "%s: write //./pipe/NAME with the name that its server gave it", fault);
  }

  int head = snprintf(out->path, sizeof(out->path), "\\\\%.*s\\pipe\\", (int)host_length, host);
  size_t used = (size_t)head;
  for (; *name != '\0' && used < sizeof(out->path) - 1; name++) {
    if (!is_slash(*name)) {
      out->path[used++] = *name;
    } else if (out->path[used - 1] != '\\') {
      out->path[used++] = '\\';
    }
  }
  out->path[used] = '\0';
  size_t units = uvr_utf16_units(out->path);
  /* What did not fit has more units than are allowed, however few of its bytes make one. */
  if (*name != '\0' || units > UVR_ADDRESS_NPIPE_MAX) {
    return refuse(text, error, "is too long for a pipe: Windows takes %d characters, //./pipe/ included",
                  UVR_ADDRESS_NPIPE_MAX);
  }
  out->kind = UVR_ADDRESS_NPIPE;
  for (size_t i = 0; i <= used; i++) {
    out->canonical[i] = out->path[i];
    if (out->path[i] == '\\') {
      out->canonical[i] = '/';
    }
  }
  if (host_length != 1 || *host != '.') {
    memcpy(out->host, host, host_length);
  }
  return 0;
}

/* A pipe's full name from its two leading slashes on; `name` lies within `text`, the whole address. */
static int parse_pipe_path(const char *text, const char *name, uvr_address *out, uvrelay_error_t *error)
{
  const char *host = name + strspn(name, SLASHES);
  size_t host_length = strcspn(host, SLASHES);
  const char *pipe = host + host_length + strspn(host + host_length, SLASHES);
  bool here = host_length == 1 && (*host == '.' || *host == '?');
  if (!begins(pipe, "pipe") || (pipe[4] != '\0' && !is_slash(pipe[4]))) {
    return refuse(text, error, "is no pipe's name: write //./pipe/NAME or //HOST/pipe/NAME");
  }
  if (host - name != 2) {
    return refuse(text, error, "begins with %d slashes instead of two: write //./pipe/NAME", (int)(host - name));
  }
  if (!here) {
    const char *fault = host_fault(host, host_length);
    if (fault != NULL) {
      return refuse(text, error, "%s: write //HOST/pipe/NAME", fault);
    }
  }
  pipe += LENGTH("pipe");
  pipe += strspn(pipe, SLASHES);
  return set_pipe(text, here ? "." : host, host_length, pipe, out, error);
}

/* npipe:////./pipe/NAME or npipe:NAME */
static int parse_npipe(const char *text, const char *rest, uvr_address *out, uvrelay_error_t *error)
{
  size_t slashes = strspn(rest, SLASHES);
  if (slashes == 0) {
    return set_pipe(text, ".", 1, rest, out, error);
  }
  if (slashes != 4) {
    return refuse(text, error, "has %u slashes after npipe: instead of four: write npipe:////./pipe/NAME",
                  (unsigned)slashes);
  }
  return parse_pipe_path(text, rest + 2, out, error);
}

/* unix:///PATH. What looks like a query is a part of the path. */
static int parse_unix(const char *text, const char *rest, uvr_address *out, uvrelay_error_t *error)
{
  if (strncmp(rest, "///", 3) != 0) {
    return refuse(text, error, "has no absolute path after unix://: write unix:///PATH, with three slashes");
  }
  const char *path = rest + 2;
  size_t length = strlen(path);
  if (path[strspn(path, "/")] == '\0') {
    return refuse(text, error, "names no socket: write unix:///PATH");
  }
  if (path[length - 1] == '/') {
    return refuse(text, error, "ends in a slash, so it names a directory: write the path of the socket in it");
  }
  if (length > UVR_ADDRESS_UNIX_MAX) {
    return refuse(text, error,
                  "has a path of %u bytes, but a Unix socket's has at most %d: link to it from a shorter one",
                  (unsigned)length, UVR_ADDRESS_UNIX_MAX);
  }
  out->kind = UVR_ADDRESS_UNIX;
  memcpy(out->path, path, length + 1);
  (void)snprintf(out->canonical, sizeof(out->canonical), "unix://%s", path);
  return 0;
}

/* [ADDRESS%ZONE], from its bracket on. The zone stays as it is: what %25 means differs from system to system. Sets
 * *end behind the bracket. What is wrong, or NULL. */
static const char *parse_ipv6(const char *bracket, uvr_address *out, const char **end)
{
  const char *inside = bracket + 1;
  size_t length = strcspn(inside, "]");
  size_t address = strcspn(inside, "]%");
  char copy[64];
  struct in6_addr ignored;
  if (inside[length] == '\0') {
    return "has no ] behind the IPv6 address";
  }
  if (address >= sizeof(copy)) {
    return "has no IPv6 address within [ and ]";
  }
  memcpy(copy, inside, address);
  copy[address] = '\0';
  if (uv_inet_pton(AF_INET6, copy, &ignored) != 0) {
    return "has no IPv6 address within [ and ]";
  }
  if (address < length) {
    size_t zone = length - address - 1;
    if (zone == 0 || zone > 64 || strcspn(inside + address + 1, " /\\?#@:%[]\"<>") != zone) {
      return "has a bad zone behind the % of its IPv6 address";
    }
  }
  memcpy(out->host, inside, length);
  *end = inside + length + 1;
  return NULL;
}

/* Reads a port that reaches to the text's end; 0 if that is no port. */
static uint16_t parse_port(const char *digits)
{
  unsigned value = 0;
  for (; is_digit(*digits) && value <= UINT16_MAX; digits++) {
    value = value * 10 + (unsigned)(*digits - '0');
  }
  return *digits == '\0' && value <= UINT16_MAX ? (uint16_t)value : 0;
}

/* fd://NAME, fd://NUMBER */
static int parse_fd(const char *text, const char *rest, uvr_address *out, uvrelay_error_t *error)
{
  const char *name = rest + 2;
  if (strncmp(rest, "//", 2) != 0 || *name == '\0' || strpbrk(name, "/\\:") != NULL) {
    return refuse(text, error, "names no descriptor: write fd://NAME, with a name of LISTEN_FDNAMES, or fd://NUMBER");
  }
  out->kind = UVR_ADDRESS_FD;
  (void)snprintf(out->path, sizeof(out->path), "%s", name);
  (void)snprintf(out->canonical, sizeof(out->canonical), "fd://%s", name);
  return 0;
}

static int refuse_port(const char *text, uvrelay_error_t *error)
{
  return refuse(text, error, "has a bad port: write tcp://HOST:PORT, where " PORT_RANGE);
}

void uvr_address_set_port(uvr_address *address, uint16_t port)
{
  address->port = port;
  (void)snprintf(address->canonical, sizeof(address->canonical),
                 strchr(address->host, ':') != NULL ? "tcp://[%s]:%u" : "tcp://%s:%u", address->host, (unsigned)port);
}

/* tcp://HOST:PORT */
static int parse_tcp(const char *text, const char *rest, uvr_address *out, uvrelay_error_t *error)
{
  if (strncmp(rest, "//", 2) != 0) {
    return refuse(text, error, "has no // behind its scheme: write tcp://HOST:PORT");
  }
  const char *host = rest + 2;
  const char *end = host + strcspn(host, ":");
  const char *fault = NULL;
  const char *odd = strpbrk(host, "/\\?#@");
  if (odd != NULL) {
    return refuse(text, error, "has %s where only a host and a port may stand: write tcp://HOST:PORT",
                  *odd == '@'   ? "a user's name"
                  : *odd == '?' ? "a query"
                  : *odd == '#' ? "a fragment"
                                : "a path");
  }
  if (*host == '[') {
    fault = parse_ipv6(host, out, &end);
  } else if (*end == ':' && strchr(end + 1, ':') != NULL) {
    fault = "has more than one colon, and an IPv6 address must stand in brackets";
  } else {
    fault = host_fault(host, (size_t)(end - host));
    if (fault == NULL) {
      memcpy(out->host, host, (size_t)(end - host));
    }
  }
  if (fault != NULL) {
    return refuse(text, error, "%s: write tcp://HOST:PORT or tcp://[IPV6]:PORT", fault);
  }
  if (*end == '\0' || (end[0] == ':' && end[1] == '\0')) {
    return refuse(text, error, "has no port: write tcp://HOST:PORT");
  }
  out->port = *end == ':' ? parse_port(end + 1) : 0;
  if (out->port == 0 && strcmp(end, ":0") != 0) {
    return refuse_port(text, error);
  }
  out->kind = UVR_ADDRESS_TCP;
  uvr_address_set_port(out, out->port);
  return 0;
}

static void set_assuan(const char *path, uvr_address *out)
{
  /* A path that the scheme's form can't say, a relative one or /C:/x, stands for itself. */
  bool plain = *path == '/' ? is_drive(path + 1) : !is_drive(path);
  const char *scheme = plain ? "" : *path == '/' ? "assuan://" : "assuan:///";
  out->kind = UVR_ADDRESS_ASSUAN;
  (void)snprintf(out->path, sizeof(out->path), "%s", path);
  (void)snprintf(out->canonical, sizeof(out->canonical), "%s%s", scheme, path);
}

/* assuan:///PATH */
static int parse_assuan(const char *text, const char *rest, uvr_address *out, uvrelay_error_t *error)
{
  if (strncmp(rest, "///", 3) != 0) {
    return refuse(text, error, "has no absolute path after assuan://: write assuan:///PATH, with three slashes");
  }
  const char *path = is_drive(rest + 3) ? rest + 3 : rest + 2;
  if (path[strspn(path, SLASHES)] == '\0') {
    return refuse(text, error, "names no file: write assuan:///PATH");
  }
  set_assuan(path, out);
  return 0;
}

static const struct {
  const char *name;
  int (*parse)(const char *text, const char *rest, uvr_address *out, uvrelay_error_t *error);
} schemes[] = {
    {"npipe:", parse_npipe},
    {"unix:", parse_unix},
    {"tcp:", parse_tcp},
    {"assuan:", parse_assuan},
};

/* A text whose beginning tells its form; NO_FORM for others. */
static int parse_form(const char *text, uvr_address *out, uvrelay_error_t *error)
{
  if (is_slash(text[0]) && is_slash(text[1])) {
    return parse_pipe_path(text, text, out, error);
  }
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    if (begins(text, schemes[i].name)) {
      return schemes[i].parse(text, text + strlen(schemes[i].name), out, error);
    }
  }
  return NO_FORM;
}

/* `start` and `rest` put together, if that is an address and not too long to show, else `otherwise`. */
static const char *suggest(char suggestion[SUGGESTION_SIZE], const char *start, const char *rest, const char *otherwise)
{
  uvr_address ignored;
  memset(&ignored, 0, sizeof(ignored));
  int length = snprintf(suggestion, SUGGESTION_SIZE, "%s%s", start, rest);
  bool good = length > 0 && length < SUGGESTION_SIZE && parse_form(suggestion, &ignored, NULL) == 0 &&
              (ignored.kind != UVR_ADDRESS_TCP || ignored.port > 0);
  return good ? suggestion : otherwise;
}

/* The pipe's name in //./pipe/NAME that lost slashes on its way, to a shell (which eats backslashes) or to MSYS
 * (which takes // for an escaped /, and puts its own directory before a /), or NULL. */
static const char *damaged_pipe_name(const char *text)
{
  if (is_drive(text)) {
    for (; *text != '\0'; text++) {
      if (is_slash(text[0]) && begins(text + 1, "pipe") && is_slash(text[5])) {
        return text + 6;
      }
    }
    return NULL;
  }
  text += is_slash(*text) ? 1 : 0;
  if (*text != '.') {
    return NULL;
  }
  size_t before = strspn(text + 1, SLASHES);
  text += 1 + before;
  if (!begins(text, "pipe")) {
    return NULL;
  }
  text += LENGTH("pipe");
  size_t after = strspn(text, SLASHES);
  /* A shell eats all backslashes or none; ./pipeline is something else. */
  return (before == 0) == (after == 0) ? text + after : NULL;
}

/* Says why a text of no known form is refused, guessing at what was meant. */
static int refuse_form(const char *text, uvrelay_error_t *error)
{
  char one[SUGGESTION_SIZE];
  char two[SUGGESTION_SIZE];
  const char *name = damaged_pipe_name(text);
  if (name != NULL) {
    return refuse(text, error,
                  "seems to be a pipe's name that a shell altered: write %s, which shells leave alone, or %s",
                  suggest(one, "npipe:", name, "npipe:NAME"), suggest(two, "//./pipe/", name, "//./pipe/NAME"));
  }
  if (is_drive(text)) {
    return refuse(text, error, "is the path of a file: if that is a libassuan socket file, add -a or write %s",
                  suggest(one, "assuan:///", text, "assuan:///PATH"));
  }
  if (*text == '/') {
    return refuse(text, error,
                  "is a path without a scheme: write %s for a Unix socket, or %s for a libassuan socket file",
                  suggest(one, "unix://", text, "unix:///PATH"), suggest(two, "assuan://", text, "assuan:///PATH"));
  }
  if (suggest(one, "tcp://", text, NULL) != NULL) {
    return refuse(text, error, "has no scheme: write %s", one);
  }
  size_t scheme = strspn(text, SCHEME_CHARACTERS);
  if (is_letter(*text) && text[scheme] == ':') {
    return refuse(text, error, "has an unknown scheme: the schemes are npipe, unix, tcp and assuan");
  }
  return refuse(text, error, "has no scheme: write " ANY_FORM);
}

/* A path as it stands, but not what is plainly something else. */
static int parse_assuan_path(const char *text, uvr_address *out, uvrelay_error_t *error)
{
  if (begins(text, "assuan:")) {
    return parse_form(text, out, error);
  }
  uvr_address ignored;
  memset(&ignored, 0, sizeof(ignored));
  bool other = begins(text, "npipe:") || begins(text, "unix:") || begins(text, "tcp:");
  if (other || parse_form(text, &ignored, NULL) == 0) {
    return refuse(text, error, "is not the path of a libassuan socket file: leave -a out");
  }
  if (text[strspn(text, SLASHES)] == '\0') {
    return refuse(text, error, "names no file: write the path of a libassuan socket file");
  }
  set_assuan(text, out);
  return 0;
}

void uvr_address_set_via(uvr_address *address)
{
  char plain[UVR_ADDRESS_CANONICAL_SIZE];
  memcpy(plain, address->canonical, sizeof(plain));
  address->via = true;
  (void)snprintf(address->canonical, sizeof(address->canonical), "via:%.*s",
                 (int)(sizeof(address->canonical) - sizeof("via:")), plain);
}

bool uvr_address_is_windows_file(const uvr_address *address)
{
  return address->kind == UVR_ADDRESS_ASSUAN && is_drive(address->path);
}

int uvr_address_parse(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  memset(out, 0, sizeof(*out));
  if ((flags & UVR_ADDRESS_VIA) != 0 && text != NULL && begins(text, "via:")) {
    int code = uvr_address_parse(text + LENGTH("via:"), flags & ~UVR_ADDRESS_VIA, out, error);
    if (code == 0) {
      uvr_address_set_via(out);
    }
    return code;
  }
  bool listen = (flags & UVR_ADDRESS_LISTEN) != 0;
  int result = check_text(text, error);
  if (result == 0 && (flags & UVR_ADDRESS_ASSUAN_PATH) != 0) {
    result = parse_assuan_path(text, out, error);
  } else if (result == 0 && listen && begins(text, "fd:")) {
    result = parse_fd(text, text + LENGTH("fd:"), out, error);
  } else if (result == 0) {
    result = parse_form(text, out, error);
  }
  if (result == NO_FORM) {
    result = refuse_form(text, error);
  }
  if (result == 0 && out->kind == UVR_ADDRESS_TCP && out->port == 0 && !listen) {
    result = refuse_port(text, error);
  }
  if (result != 0) {
    memset(out, 0, sizeof(*out));
  }
  return result;
}
