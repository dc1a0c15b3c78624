/* A named pipe's server in plain blocking Win32, on a thread of its own, for the tests of the client side; and a client
 * of the same kind, for the tests of the listening side. */
#ifndef NPIPE_SERVER_H
#define NPIPE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <winsock2.h>

#include <windows.h>

#define SERVER_NAME_MAX 96

typedef struct server server;
typedef void (*server_cb)(server *s); /* on the server's thread, with a client connected; it must not assert */

struct server {
  char path[SERVER_NAME_MAX]; /* \\.\pipe\NAME */
  char name[SERVER_NAME_MAX]; /* //./pipe/NAME */
  HANDLE pipe;
  HANDLE thread;
  HANDLE release; /* manual-reset: the test lets the server go on */
  server_cb serve;
  bool message;
  volatile LONG served;
  /* The server's record; to be read when it was joined. */
  DWORD error;       /* of its last call */
  size_t received;   /* bytes */
  unsigned messages; /* of at least one byte */
  unsigned ends;     /* zero-byte messages */
  bool changed;      /* a byte was not the test data's */
  void *user;
};

/* Starts a server with one instance, of message type and mode or of byte type; `buffer` is the size of the pipe's
 * buffers in bytes. */
void server_start(server *s, bool message, DWORD buffer, server_cb serve);

/* Starts a client instead: it opens `path`, a pipe of message type or of byte type, and waits while that is busy. What
 * is said of a server holds for it, too. */
void client_start(server *c, const char *path, bool message, server_cb serve);

/* Lets it go on from server_wait. */
void server_release(server *s);

/* Releases it, waits until its thread has ended, and closes everything. Fails the test when that takes too long. */
void server_join(server *s);

/* For `serve`: blocking, with the outcome in s->error. */
void server_wait(server *s);                                   /* for the release */
void server_write(server *s, const void *data, size_t size);   /* one message */
void server_write_data(server *s, uint64_t from, size_t size); /* test data of seed 2 */
void server_read_all(server *s);                               /* until an error; checks test data of seed 1 */
bool server_read_once(server *s);                              /* false: an error */

/* The highest value among many new handles of no meaning, which take every gap: it grows by 4 with each handle that
 * leaks. (A single new one would take the lowest gap, and see nothing of a leak above it.) */
uintptr_t highest_new_handle(void);

#endif
