/* Tries the far end, by starting it and asking it for something that does not exist, and targets, by connections that
 * it closes at once. */
#ifndef UVR_CLI_DOCTOR_PROBE_H
#define UVR_CLI_DOCTOR_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address/address.h"
#include "cli/child/command.h"
#include "uvrelay.h"

/* All zero except for the first members. */
typedef struct uvr_probe_target {
  uvr_address address;
  uvrelay_route_options_t options; /* of its route; those for connecting count */
  bool tried;                      /* the result is there */
  uvrelay_error_t error;           /* its code is 0 if it was connected to */
  uint64_t took_us;
} uvr_probe_target;

/* The same. */
typedef struct uvr_probe {
  const uvr_command *command; /* of the far end, with its file; NULL: there is none */
  const char *name;           /* what messages call it */
  uint64_t ready_ms;          /* how long it may take until it says what it speaks */
  uint64_t targets_ms;        /* how long a connection may take */
  bool remote_files;          /* as --allow-remote-files */
  uvr_probe_target **targets; /* with a command, those that are marked `via`; without, those that are not */
  size_t count;
  bool up;               /* the far end has said what it speaks */
  uvrelay_error_t error; /* why it has not */
  uint64_t ready_us;     /* how long that took */
  bool answered;         /* it has answered questions */
  uint64_t answer_us;    /* how long that took: the median */
} uvr_probe;

/* Does all of this, ends the far end, and then returns. This takes ready_ms, targets_ms and three seconds at most,
 * unless the drives of Windows do not answer. */
void uvr_probe_run(uvr_probe *self);

#endif
