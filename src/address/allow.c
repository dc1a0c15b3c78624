/* Patterns for addresses: see allow.h. */
#include "address/allow.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/form.h"
#include "address/query.h"
#include "base/text.h"

#define WILDCARDS "*?[\\"
#define TCP       "tcp://"
#define OPTION    "?impersonation="

/* How a pattern that begins with the scheme must go on, as the addresses do that it is compared with. */
static const struct {
  const char *scheme;
  const char *rest; /* NULL: no address has the scheme */
  const char *fault;
} forms[] = {
    {"unix:", "///", "a pattern for a Unix socket is unix:///PATH"},
    {"tcp:", "//", "a pattern for a TCP port is tcp://HOST:PORT"},
    {"assuan:", "///", "a pattern for a libassuan socket file is assuan:///PATH"},
    {"abstract:", "", "a pattern for an abstract socket is abstract:NAME"},
    {"npipe:", NULL, "a pattern for a pipe is //./pipe/NAME"},
    {"via:", NULL, "patterns have no via:, and a pattern for a pipe is //./pipe/NAME"},
    {"\\\\", NULL, "a pattern for a pipe is //./pipe/NAME"},
};

/* What is wrong with a pattern that begins with this scheme, but with which no address can begin; or NULL. */
static const char *scheme_fault(const char *pattern)
{
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    size_t length = strlen(forms[i].scheme);
    char scheme[sizeof("abstract:")];
    (void)snprintf(scheme, length + 1, "%s", pattern);
    if (uvr_is_same_word(scheme, forms[i].scheme)) {
      const char *rest = pattern + length;
      size_t alike = 0;
      while (forms[i].rest != NULL && rest[alike] != '\0' && rest[alike] == forms[i].rest[alike]) {
        alike++;
      }
      bool open = forms[i].rest != NULL && rest[alike] != '\0' &&
                  (forms[i].rest[alike] == '\0' || strchr(WILDCARDS, rest[alike]) != NULL);
      return open && strcmp(scheme, forms[i].scheme) == 0 ? NULL : forms[i].fault;
    }
  }
  return NULL;
}

/* Where the option begins, or the end of the text. Any other ? is a wildcard. */
static size_t find_option(const char *pattern)
{
  const char *found = NULL;
  for (const char *next = strstr(pattern, OPTION); next != NULL; next = strstr(next + 1, OPTION)) {
    found = next > pattern && next[-1] == '\\' ? found : next;
  }
  return found != NULL ? (size_t)(found - pattern) : strlen(pattern);
}

/* IP addresses. */

#define IP_SIZE 64

/* Writes an IP address in the one way that stands for all its spellings: one of IPv4 that is mapped to IPv6 as one of
 * IPv4. A zone is left out. Returns its family, or AF_UNSPEC if the text of this length is not one. */
static int write_ip(const char *host, size_t length, char out[IP_SIZE])
{
  static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
  char copy[IP_SIZE];
  unsigned char bytes[16];
  const char *zone = memchr(host, '%', length);
  length = zone != NULL ? (size_t)(zone - host) : length;
  if (length >= sizeof(copy)) {
    return AF_UNSPEC;
  }
  memcpy(copy, host, length);
  copy[length] = '\0';
  if (zone == NULL && uv_inet_pton(AF_INET, copy, bytes) == 0) {
    (void)uv_inet_ntop(AF_INET, bytes, out, IP_SIZE);
    return AF_INET;
  }
  if (uv_inet_pton(AF_INET6, copy, bytes) != 0) {
    return AF_UNSPEC;
  }
  bool is_mapped = memcmp(bytes, mapped, sizeof(mapped)) == 0;
  (void)uv_inet_ntop(is_mapped ? AF_INET : AF_INET6, is_mapped ? bytes + 12 : bytes, out, IP_SIZE);
  return is_mapped ? AF_INET : AF_INET6;
}

bool uvr_allow_is_ip(const uvr_address *address)
{
  char ip[IP_SIZE];
  return write_ip(address->host, strlen(address->host), ip) != AF_UNSPEC;
}

/* How long a dot is at the beginning of a name: 0 if there is none. A look-up takes these three for dots, too. */
static size_t dot_length(const char *text, size_t length)
{
  static const char *const others[] = {"\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1"};
  size_t found = length > 0 && *text == '.' ? 1 : 0;
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    found = length >= 3 && memcmp(text, others[i], 3) == 0 ? 3 : found;
  }
  return found;
}

/* Whether a host that is not a plain IP address consists of numbers, of base 10, 8 or 16, as in 0x7f.1: that is not a
 * name, as a look-up takes it for an IPv4 address. */
static bool is_numeric(const char *host, size_t length)
{
  while (length > 0) {
    bool hexadecimal = length > 1 && host[0] == '0' && (host[1] == 'x' || host[1] == 'X');
    size_t digits = hexadecimal ? 2 : 0;
    while (digits < length && (uvr_is_digit(host[digits]) ||
                               (hexadecimal && host[digits] != '\0' && strchr("abcdefABCDEF", host[digits]) != NULL))) {
      digits++;
    }
    size_t dot = dot_length(host + digits, length - digits);
    if (digits == 0 || (dot == 0 && digits < length)) {
      return false;
    }
    host += digits + dot;
    length -= digits + dot;
  }
  return true;
}

/* The pattern's host. */

typedef struct host_part {
  const char *begin;
  size_t length;
  const char *port; /* after the colon, or NULL */
} host_part;

static void fold(char *text)
{
  for (; *text != '\0'; text++) {
    *text = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
  }
}

static bool is_pipe(const char *pattern)
{
  return pattern[0] == '/' && pattern[1] == '/';
}

/* An IPv6 address in brackets looks like a set of bytes, and its brackets may be escaped. Returns its length without
 * them, and sets *end after them; or returns 0. */
static size_t find_ipv6(const char *host, const char **begin, const char **end)
{
  size_t escape = host[0] == '\\' ? 1 : 0;
  if (host[escape] != '[') {
    return 0;
  }
  *begin = host + escape + 1;
  size_t length = strspn(*begin, "0123456789abcdefABCDEF:.*?");
  length += (*begin)[length] == '%' ? strcspn(*begin + length, "]\\") : 0;
  const char *close = *begin + length;
  close += *close == '\\' ? 1 : 0;
  if (*close != ']' || (close[1] != '\0' && close[1] != ':' && close[1] != '*')) {
    return 0;
  }
  const char *colon = memchr(*begin, ':', length);
  const char *behind = colon != NULL ? colon + 1 : *begin;
  size_t left = (size_t)(*begin + length - behind);
  bool is_all = length == 1 && **begin == '*';
  bool is_set = colon == NULL ? !is_all : (memchr(behind, ':', left) == NULL && memchr(*begin, '*', length) == NULL);
  *end = close + 1;
  return is_set ? 0 : length;
}

static host_part find_host(const char *pattern)
{
  host_part host = {.begin = pattern};
  if (is_pipe(pattern)) {
    host.begin += 2;
    host.length = strcspn(host.begin, "/");
    return host;
  }
  const char *slash = strrchr(pattern, '/');
  size_t alike = 0;
  while (pattern[alike] != '\0' && pattern[alike] == TCP[alike]) {
    alike++;
  }
  host.begin = slash != NULL && slash + 1 > pattern + alike ? slash + 1 : pattern + alike;
  const char *inside;
  const char *end;
  const char *colon = find_ipv6(host.begin, &inside, &end) > 0 ? (*end == ':' ? end : NULL) : strrchr(host.begin, ':');
  host.length = colon != NULL ? (size_t)(colon - host.begin) : strlen(host.begin);
  host.port = colon != NULL ? colon + 1 : NULL;
  return host;
}

/* Whether the text of this length consists of digits, dots and wildcards. A set that excludes bytes is a wildcard. */
static bool is_ipv4_pattern(const char *text, size_t length)
{
  enum { OUTSIDE, IN_SET, IN_EXCLUDING_SET } where = OUTSIDE;
  for (size_t i = 0; i < length; i++) {
    bool plain = uvr_is_digit(text[i]) || text[i] == '.';
    if (where == OUTSIDE && text[i] == '[') {
      where = text[i + 1] == '!' || text[i + 1] == '^' ? IN_EXCLUDING_SET : IN_SET;
    } else if (where != OUTSIDE && text[i] == ']') {
      where = OUTSIDE;
    } else if (!plain && where != IN_EXCLUDING_SET && strchr(where == IN_SET ? "-" : "*?\\", text[i]) == NULL) {
      return false;
    }
  }
  return true;
}

static uvr_allow_host class_of(const host_part *host)
{
  const char *inside;
  const char *end;
  if (strspn(host->begin, "*") >= host->length) {
    return UVR_ALLOW_ANY_HOST;
  }
  if (find_ipv6(host->begin, &inside, &end) > 0) {
    return UVR_ALLOW_IPV6;
  }
  return is_ipv4_pattern(host->begin, host->length) ? UVR_ALLOW_IPV4 : UVR_ALLOW_NAME;
}

/* Whether addresses may begin as the pattern does. */
static bool may_begin(const char *pattern, const char *scheme)
{
  size_t alike = 0;
  while (scheme[alike] != '\0' && pattern[alike] == scheme[alike]) {
    alike++;
  }
  return scheme[alike] == '\0' || (pattern[alike] != '\0' && strchr(WILDCARDS, pattern[alike]) != NULL);
}

/* Faults. */

static const char *port_fault(const char *port)
{
  unsigned number;
  bool open = port[strcspn(port, WILDCARDS)] != '\0';
  return open || (uvr_number_parse(port, 10, UINT16_MAX, &number) && number > 0) ? NULL
                                                                                 : "a port is a number from 1 to 65535";
}

static const char *tcp_fault(const char *pattern)
{
  char ip[IP_SIZE];
  const char *inside;
  const char *end;
  host_part host = find_host(pattern);
  size_t length = find_ipv6(host.begin, &inside, &end);
  if (length > 0 && memchr(inside, '*', length) == NULL && memchr(inside, '?', length) == NULL &&
      write_ip(inside, length, ip) == AF_UNSPEC) {
    return "it has no IPv6 address between [ and ]";
  }
  if (length > 0 && uvr_begins(inside, "::ffff:") && memchr(inside, '*', length) != NULL) {
    return "write an IPv4 address without ::ffff:";
  }
  if (strcspn(host.begin, WILDCARDS) >= host.length && is_numeric(host.begin, host.length) &&
      write_ip(host.begin, host.length, ip) == AF_UNSPEC) {
    return "its host is neither an IPv4 address nor a name";
  }
  if (host.port != NULL) {
    return port_fault(host.port);
  }
  return pattern[strcspn(pattern, WILDCARDS)] == '\0' ? "a pattern for a TCP port is tcp://HOST:PORT" : NULL;
}

const char *uvr_allow_fault(const char *pattern)
{
  uvrelay_impersonation_t level;
  char copy[16];
  size_t option = find_option(pattern);
  if (option == 0) {
    return "it is empty";
  }
  (void)snprintf(copy, sizeof(copy), "%.*s", (int)(option < sizeof(copy) ? option : sizeof(copy)), pattern);
  if (pattern[option] != '\0' && !uvr_impersonation_parse(pattern + option + strlen(OPTION), &level)) {
    return "impersonation levels are " UVR_IMPERSONATION_LEVELS;
  }
  if (pattern[option] != '\0' && !may_begin(copy, "//")) {
    return "only the server of a pipe (//./pipe/NAME) can impersonate";
  }
  const char *fault = scheme_fault(pattern);
  bool begins = may_begin(pattern, "//");
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    begins = begins || (forms[i].rest != NULL && may_begin(pattern, forms[i].scheme));
  }
  if (fault == NULL && !begins) {
    return "it has no known scheme: patterns are for //./pipe/NAME, unix:///PATH, tcp://HOST:PORT, assuan:///PATH or "
           "abstract:NAME";
  }
  return fault != NULL || !uvr_begins(pattern, TCP) ? fault : tcp_fault(pattern);
}

/* Making. */

/* Writes the pattern in lower case, and its host as addresses have it. */
static void write_folded(uvr_allow *allow)
{
  char ip[IP_SIZE];
  const char *inside;
  const char *end;
  host_part host = find_host(allow->exact);
  size_t before = (size_t)(host.begin - allow->exact);
  size_t length = find_ipv6(host.begin, &inside, &end);
  allow->host = class_of(&host);
  memcpy(allow->folded, allow->exact, strlen(allow->exact) + 1);
  if (is_pipe(allow->exact) || !may_begin(allow->exact, TCP)) {
    fold(allow->folded);
    return;
  }
  bool open = length > 0 ? memchr(inside, '*', length) != NULL || memchr(inside, '?', length) != NULL
                         : strcspn(host.begin, WILDCARDS) < host.length;
  int family = open ? AF_UNSPEC : write_ip(length > 0 ? inside : host.begin, length > 0 ? length : host.length, ip);
  char *out = allow->folded + before;
  if (length > 0 && family != AF_INET) {
    const char *zone = memchr(inside, '%', length);
    int zone_length = zone != NULL ? (int)(inside + length - zone) : 0;
    out += sprintf(out, "\\[%.*s%.*s\\]", (int)(open ? length : strlen(ip)), open ? inside : ip, open ? 0 : zone_length,
                   open ? "" : zone);
  } else if (family == AF_INET) {
    allow->host = UVR_ALLOW_IPV4;
    out += sprintf(out, "%s", ip);
  } else {
    out += host.length;
    out -= allow->host == UVR_ALLOW_NAME && host.length > 1 && out[-1] == '.' ? 1 : 0;
  }
  const char *rest = host.begin + host.length;
  memmove(out, rest, strlen(rest) + 1);
  allow->port = host.port != NULL ? (size_t)(out - allow->folded) + 1 : 0;
  fold(allow->folded);
}

int uvr_allow_new(const uvrelay_allocator_t *memory, const char *pattern, uvr_allow **out)
{
  size_t size = strlen(pattern) + 1;
  uvr_allow *allow = uvr_alloc(memory, sizeof(*allow) + 3 * size + IP_SIZE);
  if (allow == NULL) {
    return UV_ENOMEM;
  }
  allow->exact = allow->text + size;
  allow->folded = allow->exact + size;
  memcpy(allow->text, pattern, size);
  memcpy(allow->exact, pattern, size);
  size_t option = find_option(pattern);
  allow->exact[option] = '\0';
  if (pattern[option] != '\0') {
    (void)uvr_impersonation_parse(pattern + option + strlen(OPTION), &allow->level);
  }
  write_folded(allow);
  *out = allow;
  return 0;
}

/* Matching. */

static bool tcp_matches(const uvr_allow *allow, const uvr_address *address)
{
  char host[UVR_ADDRESS_HOST_SIZE + IP_SIZE];
  char text[sizeof(host) + 16];
  char ip[IP_SIZE];
  int family = write_ip(address->host, strlen(address->host), ip);
  uvr_allow_host is = family == AF_INET ? UVR_ALLOW_IPV4 : family == AF_INET6 ? UVR_ALLOW_IPV6 : UVR_ALLOW_NAME;
  if (allow->host != UVR_ALLOW_ANY_HOST &&
      (allow->host != is || (is == UVR_ALLOW_NAME && is_numeric(address->host, strlen(address->host))))) {
    return false;
  }
  const char *zone = strchr(allow->folded, '%') != NULL ? strchr(address->host, '%') : NULL;
  if (is == UVR_ALLOW_IPV6) {
    (void)snprintf(host, sizeof(host), "[%s%s]", ip, zone != NULL ? zone : "");
  } else {
    (void)snprintf(host, sizeof(host), "%s", is == UVR_ALLOW_IPV4 ? ip : address->host);
  }
  size_t length = strlen(host);
  if (is == UVR_ALLOW_NAME && host[length - 1] == '.') {
    host[length - 1] = '\0';
  }
  (void)snprintf(text, sizeof(text), TCP "%s:%u", host, (unsigned)address->port);
  fold(text);
  return uvr_pattern_matches(allow->folded, text);
}

static bool npipe_matches(const uvr_allow *allow, const uvr_address *address)
{
  char text[UVR_ADDRESS_CANONICAL_SIZE];
  if (address->host[0] != '\0' && allow->host != UVR_ALLOW_ANY_HOST) {
    bool is_ip = uvr_allow_is_ip(address) || is_numeric(address->host, strlen(address->host));
    uvr_allow_host is = is_ip ? UVR_ALLOW_IPV4 : UVR_ALLOW_NAME;
    if (!is_pipe(allow->exact) || allow->host != is) {
      return false;
    }
  }
  (void)snprintf(text, sizeof(text), "%s", address->canonical);
  fold(text);
  return uvr_pattern_matches(allow->folded, text);
}

/* Windows does not distinguish upper and lower case in the names of files. */
static bool ignores_case(const uvr_address *address)
{
  return uvr_is_drive(address->path) || address->path[0] == '\\' || uvr_address_is_remote_file(address);
}

static const char *scheme_of(uvr_address_kind kind)
{
  return kind == UVR_ADDRESS_UNIX ? "unix://" : "assuan://";
}

static void write_path(const uvr_address *address, char path[UVR_ADDRESS_PATH_SIZE])
{
  (void)snprintf(path, UVR_ADDRESS_PATH_SIZE, "%s", address->path);
  if (ignores_case(address)) {
    fold(path);
    for (char *slash = strchr(path, '\\'); slash != NULL; slash = strchr(slash, '\\')) {
      *slash = '/';
    }
  }
}

static bool file_matches(const uvr_allow *allow, const uvr_address *address)
{
  char path[UVR_ADDRESS_PATH_SIZE];
  char text[UVR_ADDRESS_CANONICAL_SIZE];
  write_path(address, path);
  (void)snprintf(text, sizeof(text), "%s%s%s", scheme_of(address->kind), *path == '/' ? "" : "/", path);
  return uvr_pattern_matches(ignores_case(address) ? allow->folded : allow->exact, text);
}

bool uvr_allow_matches(const uvr_allow *allow, const uvr_address *address)
{
  switch (address->kind) {
  case UVR_ADDRESS_TCP:
    return tcp_matches(allow, address);
  case UVR_ADDRESS_NPIPE:
    return npipe_matches(allow, address);
  case UVR_ADDRESS_UNIX:
  case UVR_ADDRESS_ASSUAN:
    return file_matches(allow, address);
  default:
    return uvr_pattern_matches(allow->exact, address->canonical);
  }
}

bool uvr_allow_may_match(const uvr_allow *allow, const uvr_address *address)
{
  char port[8];
  (void)snprintf(port, sizeof(port), "%u", (unsigned)address->port);
  return (allow->host == UVR_ALLOW_IPV4 || allow->host == UVR_ALLOW_IPV6) && may_begin(allow->exact, TCP) &&
         (allow->port == 0 || uvr_pattern_matches(allow->folded + allow->port, port));
}

/* Where the path begins in a pattern for files of this kind, or NULL. */
static const char *path_in(const char *pattern, uvr_address_kind kind)
{
  const char *scheme = scheme_of(kind);
  const char *path = pattern + strlen(scheme);
  if (strncmp(pattern, scheme, strlen(scheme)) != 0 || *path != '/') {
    return NULL;
  }
  return kind == UVR_ADDRESS_ASSUAN && uvr_is_drive(path + 1) ? path + 1 : path;
}

size_t uvr_allow_fixed(const uvr_allow *allow, uvr_address_kind kind, char path[UVR_ADDRESS_PATH_SIZE])
{
  const char *begin = path_in(allow->exact, kind);
  size_t length = begin != NULL ? strcspn(begin, WILDCARDS) : 0;
  if (begin != NULL && begin[length] != '\0') {
    while (length > 0 && begin[length] != '/') {
      length--;
    }
  }
  if (length >= UVR_ADDRESS_PATH_SIZE) {
    return 0;
  }
  memcpy(path, begin != NULL ? begin : "", length);
  path[length] = '\0';
  if (length == 2 && uvr_is_drive(begin)) {
    memcpy(path + length, "/", sizeof("/")); /* C: alone would be the current directory of the drive */
  }
  return length;
}

bool uvr_allow_matches_below(const uvr_allow *allow, size_t length, const char *real, const uvr_address *address)
{
  uvr_address stem = {.kind = address->kind};
  char path[UVR_ADDRESS_PATH_SIZE];
  char below[UVR_ADDRESS_PATH_SIZE];
  const char *rest = path_in(ignores_case(address) ? allow->folded : allow->exact, address->kind);
  (void)snprintf(stem.path, sizeof(stem.path), "%s", real);
  write_path(&stem, below);
  write_path(address, path);
  size_t common = strlen(below);
  while (common > 0 && below[common - 1] == '/') {
    common--; /* of the root */
  }
  return rest != NULL && strncmp(path, below, common) == 0 && uvr_pattern_matches(rest + length, path + common);
}
