/* Variables of Windows in addresses: see variables.h. What has been filled in is parsed as if it had been written so,
 * so that nothing gets into an address that could not be written there. */
#include "address/variables.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/address.h"
#include "address/form.h"
#include "base/text.h"

enum { NAME_SIZE = 32, VALUE_SIZE = 2 * UVR_ADDRESS_PATH_SIZE };

/* Looks a variable up whose name, between percent signs, has `length` bytes with them. */
static int look_up(const uvr_address *address, const char *name, size_t length,
                   int (*variable)(const char *name, char *buffer, size_t *size), char value[VALUE_SIZE],
                   uvrelay_error_t *error)
{
  char plain[NAME_SIZE];
  size_t size = VALUE_SIZE;
  (void)snprintf(plain, sizeof(plain), "%.*s", (int)length - 2, name + 1);
  int code = variable(plain, value, &size);
  if (code == 0 && size > 0) {
    return 0;
  }
  return uvr_address_refuse(address->canonical, error, "has the variable %.*s, which %s: write the %s", (int)length,
                            name,
                            code == UV_ENOENT ? "is not set"
                            : code == 0       ? "is empty"
                                              : "is too long",
                            address->kind == UVR_ADDRESS_NPIPE ? "name itself" : "whole path");
}

/* Parses what has been filled in, and keeps the rest of the address. */
static int parse_again(uvr_address *address, const char *text, uvrelay_error_t *error)
{
  uvr_address filled;
  int code = uvr_address_parse(text, 0, &filled, error);
  if (code == 0) {
    *address = filled;
  }
  return code;
}

/* A directory becomes the beginning of a path. */
static int fill_in_path(uvr_address *address, int (*variable)(const char *name, char *buffer, size_t *size),
                        uvrelay_error_t *error)
{
  char value[VALUE_SIZE];
  char text[VALUE_SIZE + UVR_ADDRESS_CANONICAL_SIZE];
  size_t length = uvr_file_variable(address->path);
  int code = look_up(address, address->path, length, variable, value, error);
  if (code != 0) {
    return code;
  }
  for (char *c = value; *c != '\0'; c++) {
    *c = *c == '\\' ? '/' : *c;
  }
  size_t used = strlen(value);
  while (used > 0 && value[used - 1] == '/') {
    value[--used] = '\0';
  }
  bool elsewhere = value[0] == '/' && value[1] == '/'; /* a directory on another computer */
  if (!elsewhere && !(uvr_is_letter(value[0]) && value[1] == ':' && (value[2] == '/' || value[2] == '\0'))) {
    return uvr_address_refuse(address->canonical, error,
                              "has the variable %.*s, whose value is not a whole path: write the path itself",
                              (int)length, address->path);
  }
  (void)snprintf(text, sizeof(text), "assuan://%s%s%s", elsewhere ? "" : "/", value, address->path + length);
  return parse_again(address, text, error);
}

/* The user's name becomes a part of a pipe's. */
static int fill_in_name(uvr_address *address, int (*variable)(const char *name, char *buffer, size_t *size),
                        uvrelay_error_t *error)
{
  const size_t length = strlen(UVR_USER_VARIABLE);
  char value[VALUE_SIZE];
  char text[VALUE_SIZE + UVR_ADDRESS_CANONICAL_SIZE];
  const char *next = address->path;
  int code = look_up(address, uvr_user_variable(next), length, variable, value, error);
  if (code != 0) {
    return code;
  }
  if (strpbrk(value, UVR_SLASHES "*?\"<>%") != NULL) {
    return uvr_address_refuse(
        address->canonical, error,
        "has the variable %s, whose value has a character that user names cannot have: write the name itself",
        UVR_USER_VARIABLE);
  }
  size_t used = 0;
  for (const char *found = uvr_user_variable(next); found != NULL; found = uvr_user_variable(next)) {
    int added = snprintf(text + used, sizeof(text) - used, "%.*s%s", (int)(found - next), next, value);
    used += (size_t)added;
    next = found + length;
    if (used >= sizeof(text)) {
      return uvr_address_refuse(address->canonical, error, "is too long with the value of %s: write the name itself",
                                UVR_USER_VARIABLE);
    }
  }
  if (snprintf(text + used, sizeof(text) - used, "%s", next) >= (int)(sizeof(text) - used)) {
    return uvr_address_refuse(address->canonical, error, "is too long with the value of %s: write the name itself",
                              UVR_USER_VARIABLE);
  }
  return parse_again(address, text, error);
}

int uvr_address_fill_in(uvr_address *address, int (*variable)(const char *name, char *buffer, size_t *size),
                        uvrelay_error_t *error)
{
  if (!address->has_variable) {
    return 0;
  }
  return address->kind == UVR_ADDRESS_NPIPE ? fill_in_name(address, variable, error)
                                            : fill_in_path(address, variable, error);
}
