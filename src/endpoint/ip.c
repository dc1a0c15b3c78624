/* IP addresses: see ip.h. */
#include "endpoint/ip.h"

#include <string.h>

#include "base/error.h"
#include "base/os.h"
#include "base/text.h"

/* An address of either family. An IPv4 address is mapped to IPv6: its four bytes follow the 12 bytes of `mapped`. */
typedef struct ip_bytes {
  unsigned char all[16];
} ip_bytes;

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static ip_bytes bytes_of(const struct sockaddr *address)
{
  ip_bytes bytes;
  if (address->sa_family == AF_INET) {
    memcpy(bytes.all, mapped, sizeof(mapped));
    memcpy(bytes.all + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
  } else {
    memcpy(bytes.all, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
  }
  return bytes;
}

static bool is_ipv4(const ip_bytes *bytes)
{
  return memcmp(bytes->all, mapped, sizeof(mapped)) == 0;
}

static bool is_loopback(const ip_bytes *bytes)
{
  static const unsigned char one[16] = {[15] = 1};
  return is_ipv4(bytes) ? bytes->all[12] == 127 : memcmp(bytes->all, one, sizeof(one)) == 0;
}

/* 0.0.0.0 or [::] */
static bool is_wildcard(const ip_bytes *bytes)
{
  static const unsigned char zeros[16] = {0};
  size_t from = is_ipv4(bytes) ? 12 : 0;
  return memcmp(bytes->all + from, zeros, sizeof(zeros) - from) == 0;
}

/* Whether an interface of this computer has it. */
static bool is_own(const struct sockaddr *address)
{
  if (address->sa_family == AF_INET) {
    struct sockaddr_in ip = *(const struct sockaddr_in *)address;
    ip.sin_port = 0;
    return uvr_os_has_ip((const struct sockaddr *)&ip, sizeof(ip));
  }
  struct sockaddr_in6 ip = *(const struct sockaddr_in6 *)address;
  ip.sin6_port = 0;
  return uvr_os_has_ip((const struct sockaddr *)&ip, sizeof(ip));
}

bool uvr_ip_is_loopback(const struct sockaddr *address)
{
  ip_bytes bytes = bytes_of(address);
  return is_loopback(&bytes);
}

uint16_t uvr_ip_port(const struct sockaddr *address)
{
  return ntohs(address->sa_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                             : ((const struct sockaddr_in6 *)address)->sin6_port);
}

void uvr_ip_set_port(struct sockaddr *address, uint16_t port)
{
  if (address->sa_family == AF_INET) {
    ((struct sockaddr_in *)address)->sin_port = htons(port);
  } else {
    ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
  }
}

/* The zone's number; 0: none is given. */
static uint32_t zone_of(const struct sockaddr *address)
{
  return address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_scope_id : 0;
}

bool uvr_ip_leads_to(const struct sockaddr *target, const struct sockaddr *listener)
{
  uint32_t to_zone = zone_of(target);
  uint32_t at_zone = zone_of(listener);
  ip_bytes to = bytes_of(target);
  ip_bytes at = bytes_of(listener);
  if (is_ipv4(&to) != is_ipv4(&at) || (to_zone != 0 && at_zone != 0 && to_zone != at_zone)) {
    return false; /* a listener on IPv6 accepts IPv6 only */
  }
  if (is_wildcard(&to)) { /* systems that can connect to a wildcard address connect to the loopback address */
    return is_wildcard(&at) || is_loopback(&at);
  }
  return is_wildcard(&at) ? is_loopback(&to) || is_own(target) : memcmp(to.all, at.all, sizeof(to.all)) == 0;
}

static bool parse(const char *host, uint16_t port, struct sockaddr_storage *out)
{
  memset(out, 0, sizeof(*out));
  return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
         uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}

size_t uvr_ip_of_address(const uvr_address *address, struct sockaddr_storage out[UVR_IP_MAX])
{
  if (uvr_is_same_word(address->host, "localhost")) {
    (void)parse("127.0.0.1", address->port, &out[0]);
    (void)parse("::1", address->port, &out[1]);
    return 2;
  }
  return parse(address->host, address->port, &out[0]) ? 1 : 0;
}

void uvr_ip_to_address(const struct sockaddr *ip, uvr_address *out)
{
  memset(out, 0, sizeof(*out));
  out->kind = UVR_ADDRESS_TCP;
  (void)uv_ip_name(ip, out->host, sizeof(out->host));
  size_t length = strlen(out->host);
  size_t room = sizeof(out->host) - length - 1;
  if (zone_of(ip) != 0 && uv_if_indextoiid(zone_of(ip), out->host + length + 1, &room) == 0) {
    out->host[length] = '%';
  }
  uvr_address_set_port(out, uvr_ip_port(ip));
}

int uvr_ip_refuse_remote(const char *name, uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EACCES,
                       "%s could be reached from other computers, which could then use the target: listen on 127.0.0.1 "
                       "or [::1], or allow it (--allow-remote)",
                       name);
}
