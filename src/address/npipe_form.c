/* The form of a named pipe, see form.h: //./pipe/NAME and //HOST/pipe/NAME, also after npipe: or npipe://, and
 * npipe:NAME. In the name of a target, %USERNAME% stands for the user's name, and a * at the end for the rest of a
 * name. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "address/form.h"
#include "base/text.h"

/* Why Windows would open no pipe of this name, or something else in its place; NULL if it would open the pipe. Windows
 * treats "." and ".." as directories, which could lead out of //./pipe/ to a drive, and drops a dot at the end of a
 * part.
 */
static const char *pipe_name_fault(const char *name)
{
  const char *wildcard = strpbrk(name, "*?\"<>");
  if (wildcard != NULL && strcmp(wildcard, "*") != 0) {
    return *wildcard == '*' ? "has a wildcard before the end of the pipe's name, but only the last character can be a *"
                            : "has a wildcard in the pipe's name, one of ? \" < >";
  }
  size_t part = 0;
  for (size_t i = 0;; i++) {
    if (uvr_is_slash(name[i]) || name[i] == '\0') {
      if (i > part && name[i - 1] == '.') {
        return "has a part that ends in a dot in the pipe's name, which Windows would remove";
      }
      if (name[i] == '\0') {
        break;
      }
      part = i + 1;
    }
  }
  char last = name[strlen(name) - 1];
  if (uvr_is_slash(last)) {
    return "ends in a slash, but pipe names do not";
  }
  return last == ' ' ? "ends in a space, which Windows would remove" : NULL;
}

/* Marks what stands for something else in a pipe's name. Returns why it may not; or NULL. */
static const char *set_marks(const char *host, const char *name, unsigned flags, uvr_address *out)
{
  bool listens = (flags & UVR_ADDRESS_LISTEN) != 0;
  size_t length = strlen(name);
  out->has_variable = uvr_user_variable(name) != NULL;
  out->open_ended = name[length - 1] == '*';
  if (listens && (out->has_variable || out->open_ended)) {
    return out->open_ended ? "has a wildcard at the end of the pipe's name, which only targets can have"
                           : "has " UVR_USER_VARIABLE " in the pipe's name, which only targets can have";
  }
  if (out->open_ended && length == 1) {
    return "has a wildcard in place of the whole pipe name";
  }
  return out->open_ended && *host != '.' ? "has a wildcard, but the pipes of another computer cannot be listed" : NULL;
}

/* The pipe `name` on `host`, "." being this computer. `text` is the whole address. */
static int set_pipe(const char *text, const char *host, size_t host_length, const char *name, unsigned flags,
                    uvr_address *out, uvrelay_error_t *error)
{
  if (*name == '\0') {
    return uvr_address_refuse(text, error, "has no pipe name: write //./pipe/NAME");
  }
  const char *fault = pipe_name_fault(name);
  fault = fault != NULL ? fault : set_marks(host, name, flags, out);
  if (fault != NULL) {
    return uvr_address_refuse(text, error, "%s: write //./pipe/NAME, with the name that its server uses", fault);
  }

  int head = snprintf(out->path, sizeof(out->path), "\\\\%.*s\\pipe\\", (int)host_length, host);
  size_t used = (size_t)head;
  for (; *name != '\0' && used < sizeof(out->path) - 1; name++) {
    if (!uvr_is_slash(*name)) {
      out->path[used++] = *name;
    } else if (out->path[used - 1] != '\\') {
      out->path[used++] = '\\';
    }
  }
  out->path[used] = '\0';
  size_t units = uvr_utf16_units(out->path);
  /* A name that did not fit into out->path has more units than are allowed, even at four bytes for two units. */
  if (*name != '\0' || units > UVR_ADDRESS_NPIPE_MAX) {
    return uvr_address_refuse(text, error,
                              "is too long for a pipe: the limit of Windows is %d characters, including //./pipe/",
                              UVR_ADDRESS_NPIPE_MAX);
  }
  for (size_t i = 0; i <= used; i++) {
    out->canonical[i] = out->path[i];
    if (out->path[i] == '\\') {
      out->canonical[i] = '/';
    }
  }
  if (host_length != 1 || *host != '.') {
    memcpy(out->host, host, host_length);
  }
  return 0;
}

/* A pipe's full name, which begins with two slashes; `name` points into `text`, the whole address. */
static int parse_pipe_path(const char *text, const char *name, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  const char *host = name + strspn(name, UVR_SLASHES);
  size_t host_length = strcspn(host, UVR_SLASHES);
  const char *pipe = host + host_length + strspn(host + host_length, UVR_SLASHES);
  bool here = host_length == 1 && (*host == '.' || *host == '?');
  if (!uvr_begins(pipe, "pipe") || (pipe[4] != '\0' && !uvr_is_slash(pipe[4]))) {
    return uvr_address_refuse(text, error, "is not a pipe's name: write //./pipe/NAME or //HOST/pipe/NAME");
  }
  if (host - name != 2) {
    return uvr_address_refuse(text, error, "begins with %d slashes instead of two: write //./pipe/NAME",
                              (int)(host - name));
  }
  if (!here) {
    const char *fault = uvr_host_fault(host, host_length);
    if (fault != NULL) {
      return uvr_address_refuse(text, error, "%s: write //HOST/pipe/NAME", fault);
    }
  }
  pipe += strlen("pipe");
  pipe += strspn(pipe, UVR_SLASHES);
  return set_pipe(text, here ? "." : host, host_length, pipe, flags, out, error);
}

/* npipe:////./pipe/NAME, npipe://./pipe/NAME or npipe:NAME. What follows two slashes could be meant as a computer's
 * name or as a pipe's, so it is accepted as a whole path only. */
static int parse(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  size_t slashes = strspn(rest, UVR_SLASHES);
  if (slashes == 0) {
    return set_pipe(text, ".", 1, rest, flags, out, error);
  }
  if (slashes == 2 && rest[2] != '\0' && strpbrk(rest + 2, UVR_SLASHES) == NULL) {
    return uvr_address_refuse(text, error,
                              "has slashes between npipe: and the pipe's name: write npipe:NAME or //./pipe/NAME");
  }
  if (slashes != 2 && slashes != 4) {
    return uvr_address_refuse(
        text, error, "has neither two nor four slashes after npipe: write npipe:NAME or npipe:////./pipe/NAME");
  }
  return parse_pipe_path(text, rest + slashes - 2, flags, out, error);
}

/* //./pipe/NAME */
static int parse_bare(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  return uvr_is_slash(text[0]) && uvr_is_slash(text[1]) ? parse_pipe_path(text, text, flags, out, error)
                                                        : UVR_NOT_THIS_FORM;
}

const uvr_address_form uvr_npipe_form = {
    .kind = UVR_ADDRESS_NPIPE,
    .scheme = "npipe:",
    .example = "//./pipe/NAME for a named pipe",
    .traits = UVR_ADDRESS_HAS_MODE | UVR_ADDRESS_HAS_IMPERSONATION | UVR_ADDRESS_HAS_END_MARKER | UVR_ADDRESS_HAS_OWNER,
    .parse = parse,
    .parse_bare = parse_bare,
};
