/* A kind of endpoint: how addresses of one kind are connected to and listened on. Each kind is a constant in a file of
 * its own and a row of the tables in kinds_unix.c and kinds_win.c. How its addresses are written is defined in
 * address/.
 */
#ifndef UVR_ENDPOINT_KIND_H
#define UVR_ENDPOINT_KIND_H

#include "address/address.h"
#include "endpoint/acceptor.h"
#include "endpoint/attempt.h"

typedef struct uvr_kind {
  /* Why addresses of this kind cannot be connected to on this system and what to do instead, as the end of a sentence.
   * NULL if they can be, or if why_no_target decides. */
  const char *no_target;
  const char *no_listener; /* the same for listening */

  const uvr_connector *connector;
  const char *(*why_no_target)(const uvr_address *address); /* the same as no_target for one address; may be NULL */

  /* Listens as the request says. Returns 0 and *out; or a negative code and *error, and leaves nothing behind. */
  int (*listen)(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error);

  /* Whether a client of `target` would arrive at `listener`, however the two are spelled. Both are of this kind.
   * Nothing on the network is asked. If this is NULL, their paths are compared. */
  bool (*same_place)(const uvr_address *target, const uvr_address *listener);
} uvr_kind;

/* Returns what the kind of an address is on this system. */
const uvr_kind *uvr_kind_of(const uvr_address *address);

extern const uvr_kind uvr_tcp_kind;
extern const uvr_kind uvr_assuan_kind;
extern const uvr_kind uvr_npipe_kind;    /* Windows only */
extern const uvr_kind uvr_unix_kind;     /* Unix only */
extern const uvr_kind uvr_fd_kind;       /* Unix only */
extern const uvr_kind uvr_abstract_kind; /* Unix only */

#endif
