/* The form of a Unix socket, see form.h: unix:///PATH or unix:/PATH. */
#include <stdio.h>
#include <string.h>

#include "address/form.h"

/* A question mark is part of the path: query.c has cut the options off before. */
static int parse(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  (void)flags;
  const char *path = uvr_path_of(rest);
  if (rest[strspn(rest, "/")] == '@') {
    return uvr_address_refuse(text, error,
                              "has an @ at the start of its path: write abstract:NAME for an abstract socket");
  }
  if (*path != '/') {
    return uvr_address_refuse(text, error, "has no absolute path: write unix:///PATH, with three slashes");
  }
  size_t length = strlen(path);
  if (path[strspn(path, "/")] == '\0') {
    return uvr_address_refuse(text, error, "has no path: write unix:///PATH");
  }
  if (path[length - 1] == '/') {
    return uvr_address_refuse(text, error, "ends in a slash, so it is a directory: write the path of the socket in it");
  }
  if (length > UVR_ADDRESS_UNIX_MAX) {
    return uvr_address_refuse(text, error,
                              "has a path of %u bytes, but the path of a Unix socket has at most %d: use a shorter "
                              "path, such as a symbolic link to its directory",
                              (unsigned)length, UVR_ADDRESS_UNIX_MAX);
  }
  memcpy(out->path, path, length + 1);
  (void)snprintf(out->canonical, sizeof(out->canonical), "unix://%s", path);
  return 0;
}

const uvr_address_form uvr_unix_form = {
    .kind = UVR_ADDRESS_UNIX,
    .scheme = "unix:",
    .example = "unix:///PATH",
    .traits = UVR_ADDRESS_HAS_PERMISSIONS | UVR_ADDRESS_HAS_OWNER | UVR_ADDRESS_HAS_PEER_UIDS,
    .parse = parse,
};
