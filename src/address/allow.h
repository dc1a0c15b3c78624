/* What the far end of a mux is allowed to connect to: patterns for addresses, each with the impersonation level that a
 * pipe's server may be granted at most. Pure, as addresses are: names are not looked up and links are not followed
 * here.
 *
 * A pattern is a shell pattern for the canonical form of an address. Its host decides what it is compared with, so that
 * tcp://10.*:80 does not match a name such as 10.example: one that consists of digits, dots and wildcards, or of an
 * IPv6 address in brackets, matches IP addresses only, which a name must first be looked up for; one of * alone matches
 * everything; any other matches names only, as they are written. */
#ifndef UVR_ADDRESS_ALLOW_H
#define UVR_ADDRESS_ALLOW_H

#include "address/address.h"
#include "base/memory.h"
#include "uvrelay/common.h"

typedef enum uvr_allow_host { UVR_ALLOW_ANY_HOST, UVR_ALLOW_NAME, UVR_ALLOW_IPV4, UVR_ALLOW_IPV6 } uvr_allow_host;

typedef struct uvr_allow {
  uvrelay_impersonation_t level;
  uvr_allow_host host;
  size_t port;  /* where the pattern for the port begins in `folded`; 0: it has none of its own */
  char *exact;  /* the pattern without its option */
  char *folded; /* the same where upper and lower case mean the same, and one spelling stands for all */
  char text[];  /* as it was given */
} uvr_allow;

/* What is wrong with a pattern, as the end of a sentence, or NULL: nothing can match it, or its option is not one. */
const char *uvr_allow_fault(const char *pattern);

/* Makes what a pattern without a fault says; *out is to be freed by uvr_free. Returns 0 or UV_ENOMEM. */
int uvr_allow_new(const uvrelay_allocator_t *memory, const char *pattern, uvr_allow **out);

/* Whether an address matches as it is written: a TCP one with a name is not looked up; a path must be one that no link
 * leads away from. */
bool uvr_allow_matches(const uvr_allow *allow, const uvr_address *address);

/* Whether a TCP address with a name may match when it has been looked up. */
bool uvr_allow_may_match(const uvr_allow *allow, const uvr_address *address);

/* Whether the host of a TCP address is an IP address, and no name. */
bool uvr_allow_is_ip(const uvr_address *address);

/* The part of a pattern for files that has no wildcards, up to the last slash, or all of it: which directory or file it
 * names may depend on links. Copies it to `path`, a drive followed by a slash, and returns its length in the
 * pattern; 0: there is none, or none of this kind of address. */
size_t uvr_allow_fixed(const uvr_allow *allow, uvr_address_kind kind, char path[UVR_ADDRESS_PATH_SIZE]);

/* The same as uvr_allow_matches, where the first `length` bytes of the pattern's path stand for the path `real`. */
bool uvr_allow_matches_below(const uvr_allow *allow, size_t length, const char *real, const uvr_address *address);

#endif
