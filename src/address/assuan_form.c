/* The form of a libassuan socket file, see form.h: assuan:///PATH, assuan:/PATH, or with UVR_ADDRESS_ASSUAN_PATH any
 * path. The path may begin with a variable of Windows, as in assuan:%LOCALAPPDATA%/PATH. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "address/form.h"

static void set_path(const char *path, uvr_address *out)
{
  /* A path that cannot be written with the scheme, a relative one or /C:/x, is shown as it is written. */
  bool plain = *path == '/' ? uvr_is_drive(path + 1) : !uvr_is_drive(path);
  const char *scheme = plain ? "" : *path == '/' ? "assuan://" : "assuan:///";
  (void)snprintf(out->path, sizeof(out->path), "%s", path);
  (void)snprintf(out->canonical, sizeof(out->canonical), "%s%s", scheme, path);
}

/* A path that begins with a variable of this length. */
static int parse_variable_path(const char *text, const char *path, size_t variable, uvr_address *out,
                               uvrelay_error_t *error)
{
  if (path[variable + strspn(path + variable, UVR_SLASHES)] == '\0') {
    return uvr_address_refuse(text, error, "has no path: write assuan:%%LOCALAPPDATA%%/PATH");
  }
  out->has_variable = true;
  (void)snprintf(out->path, sizeof(out->path), "%s", path);
  (void)snprintf(out->canonical, sizeof(out->canonical), "assuan:%s", path);
  return 0;
}

/* A path as it is written. */
static int parse_path(const char *text, uvr_address *out, uvrelay_error_t *error)
{
  size_t variable = uvr_file_variable(text);
  if (variable > 0) {
    return parse_variable_path(text, text, variable, out, error);
  }
  if (text[strspn(text, UVR_SLASHES)] == '\0') {
    return uvr_address_refuse(text, error, "has no path: write the path of a libassuan socket file");
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
  size_t variable = uvr_file_variable(rest);
  if (variable > 0) {
    return parse_variable_path(text, rest, variable, out, error);
  }
  if (*rest == '%') {
    return uvr_address_refuse(text, error, "has a %% at the start of its path: write %s, followed by a slash",
                              UVR_FILE_VARIABLES);
  }
  const char *path = uvr_path_of(rest);
  if (*path != '/' && !uvr_is_drive(path)) {
    return uvr_address_refuse(text, error, "has no absolute path: write assuan:///PATH, with three slashes");
  }
  path += *path == '/' && uvr_is_drive(path + 1) ? 1 : 0;
  if (path[strspn(path, UVR_SLASHES)] == '\0') {
    return uvr_address_refuse(text, error, "has no path: write assuan:///PATH");
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
