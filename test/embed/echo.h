/* Servers that send back what comes, and an end for an end: the targets of the hosts' relays.
 *
 * echo.c is plain libuv and serves TCP and Unix sockets; echo_npipe.c serves a named pipe by uvrelay/npipe.h. */
#ifndef ECHO_H
#define ECHO_H

#include <uvrelay/npipe.h>

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ECHO_ADDRESS_MAX = 256, ECHO_CHUNK = 64 * 1024 };

typedef struct echo_s {
  uv_loop_t *loop;
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } listener;
  uvrelay_npipe_t *npipe; /* listens instead, if it is not NULL */
  uvrelay_npipe_options_t npipe_options;
  char address[ECHO_ADDRESS_MAX]; /* for uvrelay_address() */
  unsigned accepted;              /* clients so far */
  unsigned open;                  /* clients there are */
} echo_t;

/* On a free port of 127.0.0.1. */
void echo_listen_tcp(echo_t *echo, host_t *host);

/* On what this system has for programs of one computer: a named pipe in message mode, or else a Unix socket. */
void echo_listen_local(echo_t *echo, host_t *host);

/* Takes no more clients. Those there are go on to their end. */
void echo_close(echo_t *echo);

/* A name for a pipe that no other program uses, nor another server of this one. */
void echo_pipe_name(const void *server, char name[ECHO_ADDRESS_MAX]);

/* Of echo_npipe.c: returns false where there are no named pipes. */
bool echo_listen_npipe(echo_t *echo, host_t *host);

#ifdef __cplusplus
}
#endif

#endif
