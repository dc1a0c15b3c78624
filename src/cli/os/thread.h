/* Threads besides the one that runs the loop: thread_unix.c and thread_win.c. */
#ifndef UVR_CLI_OS_THREAD_H
#define UVR_CLI_OS_THREAD_H

#include <stddef.h>

#include <uv.h>

/* Starts a thread that gets no signals, so that those of the process are handled on the thread that runs the loop.
 * Returns 0 or libuv's code. */
int uvr_thread_start(uv_thread_t *out, size_t stack_size, uv_thread_cb run, void *user);

#endif
