/* The form of a TCP address, see form.h: tcp://HOST:PORT or tcp:HOST:PORT. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/form.h"

#define PORT_RANGE "a port is a decimal number from 1 to 65535"

/* Parses [ADDRESS%ZONE] and sets *end after the closing bracket. Returns what is wrong, or NULL. The zone is not
 * decoded, as what %25 means differs from system to system. */
static const char *parse_ipv6(const char *bracket, uvr_address *out, const char **end)
{
  const char *inside = bracket + 1;
  size_t length = strcspn(inside, "]");
  size_t address = strcspn(inside, "]%");
  char copy[64];
  struct in6_addr ignored;
  if (inside[length] == '\0') {
    return "has no ] after the IPv6 address";
  }
  if (address >= sizeof(copy)) {
    return "has no IPv6 address between [ and ]";
  }
  memcpy(copy, inside, address);
  copy[address] = '\0';
  if (uv_inet_pton(AF_INET6, copy, &ignored) != 0) {
    return "has no IPv6 address between [ and ]";
  }
  if (address < length) {
    size_t zone = length - address - 1;
    if (zone == 0 || zone > 64 || strcspn(inside + address + 1, " /\\?#@:%[]\"<>") != zone) {
      return "has a bad zone after the % of its IPv6 address";
    }
  }
  memcpy(out->host, inside, length);
  *end = inside + length + 1;
  return NULL;
}

/* The port that the whole text is, or 0 if it is not one. */
static uint16_t parse_port(const char *digits)
{
  unsigned value = 0;
  for (; uvr_is_digit(*digits) && value <= UINT16_MAX; digits++) {
    value = value * 10 + (unsigned)(*digits - '0');
  }
  return *digits == '\0' && value <= UINT16_MAX ? (uint16_t)value : 0;
}

static void set_port(uvr_address *address, uint16_t port)
{
  address->port = port;
  (void)snprintf(address->canonical, sizeof(address->canonical),
                 strchr(address->host, ':') != NULL ? "tcp://[%s]:%u" : "tcp://%s:%u", address->host, (unsigned)port);
}

static int parse(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  const char *host = uvr_path_of(rest);
  const char *end = host + strcspn(host, ":");
  const char *fault = NULL;
  const char *odd = strpbrk(host, "/\\?#@");
  if (odd != NULL) {
    return uvr_address_refuse(text, error, "has %s, but only a host and a port are allowed: write tcp://HOST:PORT",
                              *odd == '@'   ? "a user's name"
                              : *odd == '?' ? "a query"
                              : *odd == '#' ? "a fragment"
                                            : "a path");
  }
  if (uvr_is_digit(*host) && host[strspn(host, "0123456789")] == '\0') {
    return uvr_address_refuse(text, error, "has no host before the port: write tcp://HOST:PORT");
  }
  if (*host == '[') {
    fault = parse_ipv6(host, out, &end);
  } else if (*end == ':' && strchr(end + 1, ':') != NULL) {
    fault = "has more than one colon, and IPv6 addresses need brackets";
  } else {
    fault = uvr_host_fault(host, (size_t)(end - host));
    if (fault == NULL) {
      memcpy(out->host, host, (size_t)(end - host));
    }
  }
  if (fault != NULL) {
    return uvr_address_refuse(text, error, "%s: write tcp://HOST:PORT or tcp://[IPV6]:PORT", fault);
  }
  if (*end == '\0' || (end[0] == ':' && end[1] == '\0')) {
    return uvr_address_refuse(text, error, "has no port: write tcp://HOST:PORT");
  }
  out->port = *end == ':' ? parse_port(end + 1) : 0;
  if (out->port == 0 && ((flags & UVR_ADDRESS_LISTEN) == 0 || strcmp(end, ":0") != 0)) {
    return uvr_address_refuse(text, error, "has a bad port: write tcp://HOST:PORT, where " PORT_RANGE);
  }
  set_port(out, out->port);
  return 0;
}

const uvr_address_form uvr_tcp_form = {
    .kind = UVR_ADDRESS_TCP,
    .scheme = "tcp:",
    .example = "tcp://HOST:PORT",
    .parse = parse,
    .set_port = set_port,
};
