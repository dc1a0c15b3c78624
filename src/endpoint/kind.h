/* A kind of endpoint: a row of the tables in kinds_unix.c and kinds_win.c, and how its addresses are connected to and
 * listened on. Each kind is defined in a file of its own; what it is called in text is in address/. */
#ifndef UVR_ENDPOINT_KIND_H
#define UVR_ENDPOINT_KIND_H

#include "address/address.h"
#include "endpoint/acceptor.h"
#include "endpoint/attempt.h"

typedef struct uvr_kind {
  /* NULL: it can be connected to here, or `why_no_target` knows better. Else why not, and what to do instead: the end
   * of a sentence. */
  const char *no_target;
  const char *no_listener; /* the same for listening */

  const uvr_connector *connector;
  const char *(*why_no_target)(const uvr_address *address); /* may be NULL; as no_target, for a single address */

  /* Listens. See uvr_listen_request. Returns 0, or a negative code and *error, and then nothing is left. */
  int (*listen)(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error);

  /* Whether a client of `target` would arrive at `listener`, both of this kind and of this computer, whatever their
   * spelling. NULL: their paths are compared. Asks nobody on the network. */
  bool (*same_place)(const uvr_address *target, const uvr_address *listener);
} uvr_kind;

/* The kind of an address on this system. */
const uvr_kind *uvr_kind_of(const uvr_address *address);

extern const uvr_kind uvr_tcp_kind;
extern const uvr_kind uvr_assuan_kind;
extern const uvr_kind uvr_npipe_kind; /* Windows */
extern const uvr_kind uvr_unix_kind;  /* Unix, and so the others */
extern const uvr_kind uvr_fd_kind;
extern const uvr_kind uvr_abstract_kind;

#endif
