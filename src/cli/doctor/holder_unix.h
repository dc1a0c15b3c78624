/* Who listens at a place of this system: which process, and what it is. */
#ifndef UVR_CLI_DOCTOR_HOLDER_UNIX_H
#define UVR_CLI_DOCTOR_HOLDER_UNIX_H

#include <stdbool.h>
#include <stdint.h>

#include "address/address.h"

typedef enum uvr_holder_kind {
  UVR_HOLDER_NOBODY,
  UVR_HOLDER_HIDDEN,  /* a process of another user, about which nothing more can be seen */
  UVR_HOLDER_SERVE,   /* uvrelay serve, of this user */
  UVR_HOLDER_SYSTEMD, /* systemd, which waits for the first client to start a service */
  UVR_HOLDER_OTHER    /* another process */
} uvr_holder_kind;

typedef struct uvr_holder {
  uvr_holder_kind kind;
  int process;      /* its number, or 0 */
  char program[64]; /* its name */
} uvr_holder;

/* The number of a process of this user that is uvrelay serve, the highest one; 0: none runs. */
int uvr_holder_find_serve(const char *proc);

/* Looks for it in `proc`, the directory of processes. */
void uvr_holder_find(const char *proc, const uvr_address *listener, uvr_holder *out);

#endif
