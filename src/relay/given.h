/* What a session is given by the host of its relay: the options, and, by uvrelay_start, the endpoints. */
#ifndef UVR_RELAY_GIVEN_H
#define UVR_RELAY_GIVEN_H

#include "endpoint/dial.h"
#include "relay/opener.h"
#include "relay/pair.h"
#include "relay/relay.h"

/* Checked options: for the pair, and for dialling an address. */
typedef struct uvr_session_options {
  uvr_pair_options pair;
  uvr_dial_options dial;
} uvr_session_options;

/* Checks the public options of a session, which may be NULL for the defaults; all but `owner`, which *out only points
 * to. Returns 0 and *out, or UV_EINVAL. */
int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out);

/* What uvrelay_start is given. */
typedef struct uvr_given {
  uvr_opener left;
  uvr_opener right;
  uvr_session_options options;
  char *owner; /* who may own the addresses, if there is a list */
} uvr_given;

/* Takes it. Returns 0 and *out; or a code for uvrelay_start to return, with the relay's error set. */
int uvr_given_take(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                   const uvrelay_session_options_t *options, uvr_given **out);

/* Frees it, when the openers are closed and released. NULL is allowed. */
void uvr_given_free(uvrelay_t *relay, uvr_given *given);

/* The error of a session for which there is no memory. Returns UV_ENOMEM. */
int uvr_given_no_memory(uvrelay_error_t *error);

#endif
