/* A TCP client, in plain libuv, of something that echoes: it sends bytes that tell their place, half-closes, and fails
 * the program unless exactly these bytes come back, and after them the end.
 *
 * It either connects, or waits to be connected to, which suits a relay that is to connect both its sides. */
#ifndef CLIENT_H
#define CLIENT_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CLIENT_CHUNK = 64 * 1024, CLIENT_ADDRESS_MAX = 64 };

typedef struct client_s client_t;
typedef void (*client_cb)(client_t *client);

struct client_s {
  uv_tcp_t listener;
  uv_tcp_t socket;
  uv_connect_t connect;
  uv_write_t write;
  uv_shutdown_t shutdown;
  char address[CLIENT_ADDRESS_MAX]; /* where it waits: tcp://127.0.0.1:PORT */
  unsigned seed;
  uint64_t size; /* to send */
  uint64_t sent;
  uint64_t received;
  bool refused; /* no answer will come: the connection will end with nothing received */
  bool shut;    /* its half-close is done */
  client_cb closed;
  void *user;
  char outgoing[CLIENT_CHUNK];
  char incoming[CLIENT_CHUNK];
};

/* Both set all members that are not mentioned. `closed` is called once, last: the memory is the caller's again. */
void client_connect(client_t *client, uv_loop_t *loop, int port, unsigned seed, uint64_t size, client_cb closed);
void client_wait(client_t *client, uv_loop_t *loop, unsigned seed, uint64_t size, client_cb closed);

#ifdef __cplusplus
}
#endif

#endif
