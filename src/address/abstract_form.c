/* The form of an abstract Unix socket, see form.h: abstract:NAME. */
#include <stdio.h>
#include <string.h>

#include "address/form.h"

static int parse(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  (void)flags;
  size_t length = strlen(rest);
  if (length == 0) {
    return uvr_address_refuse(text, error, "has no socket name: write abstract:NAME");
  }
  if (strncmp(rest, "//", 2) == 0) {
    return uvr_address_refuse(text, error,
                              "has slashes after abstract:, which would be part of the name: write abstract:NAME");
  }
  if (length > UVR_ADDRESS_UNIX_MAX) {
    return uvr_address_refuse(
        text, error, "has a name of %u bytes, but the name of an abstract socket has at most %d: choose a shorter one",
        (unsigned)length, UVR_ADDRESS_UNIX_MAX);
  }
  memcpy(out->path, rest, length + 1);
  (void)snprintf(out->canonical, sizeof(out->canonical), "abstract:%s", rest);
  return 0;
}

const uvr_address_form uvr_abstract_form = {
    .kind = UVR_ADDRESS_ABSTRACT,
    .scheme = "abstract:",
    .example = "abstract:NAME",
    .traits = UVR_ADDRESS_HAS_PERMISSIONS | UVR_ADDRESS_HAS_OWNER | UVR_ADDRESS_HAS_PEER_UIDS,
    .parse = parse,
};
