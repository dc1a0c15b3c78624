/* The other end of message_pipe.c on Windows: a server of one client in a thread of its own, in plain blocking Win32,
 * which shares nothing with the library. */
#ifndef PIPE_SERVER_WIN_H
#define PIPE_SERVER_WIN_H

#include "conversation.h"

typedef struct pipe_server_s {
  void *pipe; /* a HANDLE */
  uv_thread_t thread;
} pipe_server_t;

/* Makes the pipe; then its thread waits for a client, checks its request, and replies. */
void pipe_server_start(pipe_server_t *server, const char *name);

/* Waits for the end of the thread. */
void pipe_server_join(pipe_server_t *server);

#endif
