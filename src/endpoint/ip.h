/* IP addresses: which of them only this computer can connect to, and which lead to the same socket. */
#ifndef UVR_ENDPOINT_IP_H
#define UVR_ENDPOINT_IP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "address/address.h"

/* Whether it is in the loopback network, so that only this computer can connect to it. */
bool uvr_ip_is_loopback(const struct sockaddr *address);

uint16_t uvr_ip_port(const struct sockaddr *address);
void uvr_ip_set_port(struct sockaddr *address, uint16_t port);

/* Whether a connection to `target` would arrive at a socket that listens on `listener`. Ports are not compared. */
bool uvr_ip_leads_to(const struct sockaddr *target, const struct sockaddr *listener);

/* How many IP addresses a host may have that are known without a look-up. */
#define UVR_IP_MAX 2

/* Finds the IP addresses of a TCP address without asking anybody: localhost is 127.0.0.1 and ::1. A zone that is not
 * known here is left out. Returns how many there are; 0 if the host is another name. */
size_t uvr_ip_of_address(const uvr_address *address, struct sockaddr_storage out[UVR_IP_MAX]);

/* Makes the TCP address that an IP address and its port stand for. */
void uvr_ip_to_address(const struct sockaddr *ip, uvr_address *out);

/* Sets *error to say that `name` may not be listened on, because other computers could reach it. Returns UV_EACCES. */
int uvr_ip_refuse_remote(const char *name, uvrelay_error_t *error);

#endif
