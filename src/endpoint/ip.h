/* IP addresses: which of them only this computer reaches, and which lead to the same socket. */
#ifndef UVR_ENDPOINT_IP_H
#define UVR_ENDPOINT_IP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "address/address.h"

/* Whether only this computer can connect to it: the loopback network. */
bool uvr_ip_is_loopback(const struct sockaddr *address);

uint16_t uvr_ip_port(const struct sockaddr *address);

/* Whether a connection to `target` would arrive at a socket that listens on `listener`. Ports are not compared. */
bool uvr_ip_leads_to(const struct sockaddr *target, const struct sockaddr *listener);

/* The IP address of a TCP address, which must be written as one, or as localhost: 127.0.0.1. A zone that is not known
 * here is left out. False: it is a name. */
bool uvr_ip_of_address(const uvr_address *address, struct sockaddr_storage *out);

/* The TCP address of an IP address. */
void uvr_ip_to_address(const struct sockaddr *ip, uvr_address *out);

/* Returns UV_EACCES and the reason why `name` may not be listened on. */
int uvr_ip_refuse_remote(const char *name, uvrelay_error_t *error);

#endif
