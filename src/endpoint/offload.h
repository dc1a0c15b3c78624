/* What may block for long while a target is connected to, and so is done on threads: jobs, such as reading a file or
 * opening a pipe of another computer, and looking up names (look_up.h).
 *
 * Threads are few, and shared with everything else that the process does there, such as reading and writing standard
 * input and output. So that one place that does not answer holds up nothing else, only one job for each place runs at a
 * time, and no more in all than uvr_long_call_max(). The others wait for their turn. */
#ifndef UVR_ENDPOINT_OFFLOAD_H
#define UVR_ENDPOINT_OFFLOAD_H

#include "address/types.h"
#include "base/closing.h"
#include "base/context.h"
#include "base/error.h"
#include "base/list.h"
#include "base/long_call.h"

/* A look-up that has failed a moment ago. */
typedef struct uvr_failed_look_up {
  char host[UVR_ADDRESS_HOST_SIZE];
  int code;
  uint64_t until; /* loop time, ms; 0: unused */
} uvr_failed_look_up;

#define UVR_FAILED_LOOK_UPS 8

/* What the dials of one relay share. */
typedef struct uvr_offload {
  uvrelay_allocator_t memory;
  uvr_list running; /* uvr_job */
  uvr_list waiting; /* uvr_job */
  unsigned running_count;
  uvr_list look_ups; /* under way: see look_up.c */
  uvr_failed_look_up failed[UVR_FAILED_LOOK_UPS];
  unsigned next_failed; /* is replaced next */
  uvr_closing closing;  /* counts what runs */
  uvr_close_cb on_closed;
  void *user;
} uvr_offload;

/* Returns NULL when there is no memory. */
uvr_offload *uvr_offload_new(const uvrelay_allocator_t *memory);

/* Frees it when everything that runs is over, as that cannot be interrupted. Then calls on_closed, perhaps before this
 * returns. Nothing may be started afterwards, and what was started must have its result or be abandoned. */
void uvr_offload_close(uvr_offload *offload, uvr_close_cb on_closed, void *user);

/* A job's struct begins with a uvr_job. The result is a part of it, too, as it may run for longer than its owner
 * exists. */
typedef struct uvr_job uvr_job;

typedef struct uvr_job_ops {
  size_t size;                                /* of the job's struct, in bytes */
  void (*run)(uvr_job *job);                  /* on a thread */
  void (*on_done)(void *owner, uvr_job *job); /* on the loop; the owner takes the result, and forgets the job */
  /* Wipes or closes what the owner did not take. The job is freed then. May be NULL. */
  void (*clear)(uvr_job *job);
} uvr_job_ops;

struct uvr_job {
  uvr_list_node node;
  const uvr_job_ops *ops;
  uvr_context *context;
  uvr_long_call call;
  char place[UVR_ADDRESS_PATH_SIZE]; /* what may not answer */
  int code;                          /* what `run` has resulted in; not 0: *error says why */
  uvrelay_error_t error;
  void *owner; /* NULL: abandoned */
  bool running;
};

/* Makes a job; what only its kind has is all zero. Returns NULL when there is no memory. */
uvr_job *uvr_job_new(uvr_context *context, const uvr_job_ops *ops, const char *place, void *owner);

/* Begins with the job when it is its turn. on_done is called once, later, unless the job is abandoned. */
void uvr_job_start(uvr_job *job);

/* on_done will not be called afterwards, and the job is freed, perhaps later. */
void uvr_job_abandon(uvr_job *job);

#endif
