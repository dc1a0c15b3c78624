/* What may block for long while a target is connected to, and so runs on libuv's thread pool: looking up a host's name,
 * reading a file, opening a pipe of another computer.
 *
 * The pool's few threads are shared with everything else that the process does there, such as reading and writing
 * standard input and output. So that one place that does not answer holds up nothing else:
 * - one name is looked up only once at a time: whoever asks meanwhile gets the same result; and a look-up that failed
 * is not repeated at once;
 * - look-ups together occupy at most half of the pool, as libuv sees to;
 * - of the other requests, only one for each place runs at a time, and together they occupy at most a quarter of the
 *   pool. The others wait for their turn. */
#ifndef UVR_ENDPOINT_OFFLOAD_H
#define UVR_ENDPOINT_OFFLOAD_H

#include <stdbool.h>

#include <uv.h>

#include "address/types.h"
#include "base/closing.h"
#include "base/context.h"
#include "base/list.h"

/* What the requests of one relay share. */
typedef struct uvr_offload uvr_offload;

/* Returns NULL when there is no memory. */
uvr_offload *uvr_offload_new(const uvrelay_allocator_t *memory);

/* Frees it when every request is over, as one that runs cannot be interrupted. Then calls on_closed, perhaps before
 * this returns. No request may be started any more, and those that were started must have their result or be abandoned.
 */
void uvr_offload_close(uvr_offload *offload, uvr_close_cb on_closed, void *user);

/* Looking up a host's name. */

/* `addresses` is valid during the call; their ports are 0. It is NULL if `code` is not 0. */
typedef void (*uvr_look_up_cb)(void *user, int code, const struct addrinfo *addresses);

/* One who waits for the addresses of a name. It is all zero before the start, after the result, and when abandoned. */
typedef struct uvr_look_up {
  uvr_list_node node;
  struct uvr_look_up_request *request;
  uvr_look_up_cb on_result;
  void *user;
} uvr_look_up;

/* Looks up a name. on_result is called once, perhaps before this returns, if a failure is remembered. Returns 0; or a
 * negative code, and then on_result is not called. */
int uvr_look_up_start(uvr_context *context, uvr_look_up *look_up, const char *host, uvr_look_up_cb on_result,
                      void *user);

/* on_result will not be called any more. Does nothing if it is not waited for. */
void uvr_look_up_abandon(uvr_look_up *look_up);

/* Anything else. A job's struct begins with a uvr_job; its result is a part of it, too, as it may run for longer than
 * its owner lives. */

typedef struct uvr_job uvr_job;

typedef struct uvr_job_ops {
  size_t size;                                /* of the job's struct, in bytes */
  void (*run)(uvr_job *job);                  /* on a thread of the pool */
  void (*on_done)(void *owner, uvr_job *job); /* on the loop; the owner takes the result, and forgets the job */
  /* Wipes or closes what the owner did not take. The job is freed then. May be NULL. */
  void (*clear)(uvr_job *job);
} uvr_job_ops;

struct uvr_job {
  uvr_list_node node;
  const uvr_job_ops *ops;
  uvr_context *context;
  uv_work_t request;
  char place[UVR_ADDRESS_PATH_SIZE]; /* what may not answer */
  void *owner;                       /* NULL: abandoned */
  bool running;
};

/* Makes a job; what only its kind has is all zero. Returns NULL when there is no memory. */
uvr_job *uvr_job_new(uvr_context *context, const uvr_job_ops *ops, const char *place, void *owner);

/* Begins with the job when it is its turn. on_done is called once, later, unless the job is abandoned. */
void uvr_job_start(uvr_job *job);

/* on_done will not be called any more, and the job is freed, perhaps later. */
void uvr_job_abandon(uvr_job *job);

#endif
