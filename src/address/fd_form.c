/* The form of a listening socket that was passed to the program, see form.h: fd://NAME, fd://NUMBER. */
#include <stdio.h>
#include <string.h>

#include "address/form.h"

static int parse(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  (void)flags;
  const char *name = rest + 2;
  if (strncmp(rest, "//", 2) != 0 || *name == '\0' || strpbrk(name, "/\\:") != NULL) {
    return uvr_address_refuse(text, error,
                              "has no descriptor: write fd://NAME, with a name from LISTEN_FDNAMES, or fd://NUMBER");
  }
  (void)snprintf(out->path, sizeof(out->path), "%s", name);
  (void)snprintf(out->canonical, sizeof(out->canonical), "fd://%s", name);
  return 0;
}

const uvr_address_form uvr_fd_form = {
    .kind = UVR_ADDRESS_FD,
    .scheme = "fd:",
    .example = "fd://NAME",
    .traits = UVR_ADDRESS_HAS_PEER_UIDS,
    .listen_only = true,
    .parse = parse,
};
