/* A TCP server of a few lines, on 127.0.0.1 and on the test's own loop: what it does with the bytes that come is the
 * test's to say. */
#ifndef TCP_PEER_H
#define TCP_PEER_H

#include "rig.h"

enum { PEER_CONNECTIONS = 16, PEER_RECEIVED_MAX = 4096 };

typedef struct peer peer;
typedef struct peer_connection peer_connection;
typedef void (*peer_cb)(peer_connection *connection);

struct peer_connection {
  uv_tcp_t tcp;
  peer *server;
  bool open;
  bool ended; /* its client sent its end of input, or reset it */
  size_t received;
  char data[PEER_RECEIVED_MAX]; /* the first of the bytes received */
  char chunk[PEER_RECEIVED_MAX];
};

struct peer {
  uv_tcp_t listener;
  bool listening;
  unsigned port;
  unsigned accepted;
  peer_connection connections[PEER_CONNECTIONS];
  peer_cb on_connect; /* any of these may be NULL */
  peer_cb on_data;    /* after each increase of `received` */
  peer_cb on_end;
  bool echo;
  void *user;
};

/* A port on which no process listens. */
unsigned peer_free_port(void);

/* Listens on `port`, or on any when it is 0. The peer, all zeros but for the callbacks, must outlive peer_close. */
void peer_listen(rig *r, peer *p, unsigned port);

/* Sends bytes; they are copied. */
void peer_send(peer_connection *connection, const void *data, size_t size);

void peer_hang_up(peer_connection *connection);

/* Closes everything; the loop must still be run. */
void peer_close(peer *p);

#endif
