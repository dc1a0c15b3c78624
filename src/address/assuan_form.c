/* The form of a libassuan socket file, see form.h: assuan:///PATH, assuan:/PATH, or with UVR_ADDRESS_ASSUAN_PATH any
 * path. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "address/form.h"

static void set_path(const char *path, uvr_address *out)
{
  /* A path that cannot be written with the scheme, a relative one or /C:/x, is shown as it stands. */
  bool plain = *path == '/' ? uvr_is_drive(path + 1) : !uvr_is_drive(path);
  const char *scheme = plain ? "" : *path == '/' ? "assuan://" : "assuan:///";
  (void)snprintf(out->path, sizeof(out->path), "%s", path);
  (void)snprintf(out->canonical, sizeof(out->canonical), "%s%s", scheme, path);
}

/* A path as it stands. */
static int parse_path(const char *text, uvr_address *out, uvrelay_error_t *error)
{
  if (text[strspn(text, UVR_SLASHES)] == '\0') {
    return uvr_address_refuse(text, error, "names no file: write the path of a libassuan socket file");
  }
  set_path(text, out);
  return 0;
}

/* With UVR_ADDRESS_ASSUAN_PATH, `rest` may be a path of any form. */
static int parse(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  if ((flags & UVR_ADDRESS_ASSUAN_PATH) != 0) {
    return parse_path(rest, out, error);
  }
  const char *path = uvr_path_of(rest);
  if (*path != '/' && !uvr_is_drive(path)) {
    return uvr_address_refuse(text, error, "has no absolute path: write assuan:///PATH, with three slashes");
  }
  path += *path == '/' && uvr_is_drive(path + 1) ? 1 : 0;
  if (path[strspn(path, UVR_SLASHES)] == '\0') {
    return uvr_address_refuse(text, error, "names no file: write assuan:///PATH");
  }
  set_path(path, out);
  return 0;
}

const uvr_address_form uvr_assuan_form = {
    .kind = UVR_ADDRESS_ASSUAN,
    .scheme = "assuan:",
    .example = "assuan:///PATH",
    .traits = UVR_ADDRESS_HAS_OWNER,
    .parse = parse,
};
