/* What the parsers of the forms share: see form.h. */
#include "address/form.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"

#define HOST_MAX 253 /* of DNS */

static int refuse(const char *noun, const char *text, uvrelay_error_t *error, const char *format, va_list args)
{
  if (error == NULL) {
    return UV_EINVAL;
  }
  char why[UVRELAY_ERROR_TEXT_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  (void)vsnprintf(why, sizeof(why), format, args);
  return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the %s %s %s", noun, uvr_quote(quoted, text), why);
}

int uvr_address_refuse(const char *text, uvrelay_error_t *error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int code = refuse("address", text, error, format, args);
  va_end(args);
  return code;
}

int uvr_text_refuse(const char *noun, const char *text, uvrelay_error_t *error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int code = refuse(noun, text, error, format, args);
  va_end(args);
  return code;
}

bool uvr_is_slash(char c)
{
  return c == '/' || c == '\\';
}

bool uvr_is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool uvr_is_digit(char c)
{
  return c >= '0' && c <= '9';
}

bool uvr_is_drive(const char *text)
{
  return uvr_is_letter(text[0]) && text[1] == ':' && uvr_is_slash(text[2]);
}

const char *uvr_path_of(const char *rest)
{
  return rest[0] == '/' && rest[1] == '/' ? rest + 2 : rest;
}

bool uvr_begins(const char *text, const char *word)
{
  for (; *word != '\0'; text++, word++) {
    char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
    if (c != *word) {
      return false;
    }
  }
  return true;
}

size_t uvr_file_variable(const char *path)
{
  static const char *const names[] = {"%localappdata%", "%appdata%", "%userprofile%"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    size_t length = strlen(names[i]);
    if (uvr_begins(path, names[i]) && uvr_is_slash(path[length])) {
      return length;
    }
  }
  return 0;
}

const char *uvr_user_variable(const char *name)
{
  while (*name != '\0' && !uvr_begins(name, "%username%")) {
    name++;
  }
  return *name != '\0' ? name : NULL;
}

const char *uvr_host_fault(const char *host, size_t length)
{
  if (length == 0) {
    return "has no host";
  }
  if (length > HOST_MAX) {
    return "has a host name of more than 253 bytes";
  }
  bool letters = false;
  for (size_t i = 0; i < length; i++) {
    char c = host[i];
    if (c == '.' && (i == 0 || host[i - 1] == '.')) {
      return "has a host name with an empty part";
    }
    if (!uvr_is_letter(c) && !uvr_is_digit(c) && c != '.' && c != '-' && c != '_' && (unsigned char)c < 0x80) {
      return "has a host name with a character that host names cannot have";
    }
    letters = letters || (!uvr_is_digit(c) && c != '.');
  }
  if (host[0] == '-') {
    return "has a host name that begins with a hyphen";
  }
  if (!letters) {
    char copy[HOST_MAX + 1];
    struct in_addr ignored;
    memcpy(copy, host, length);
    copy[length] = '\0';
    if (uv_inet_pton(AF_INET, copy, &ignored) != 0) {
      return "has digits that are not an IPv4 address";
    }
  }
  return NULL;
}
