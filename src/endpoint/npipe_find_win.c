/* Finding a pipe by the beginning of its name: see npipe_find_win.h.
 *
 * Normal case: all pipes of this computer are listed, one of them begins like this, and it is opened.
 *
 * With the option `owner`, each that begins like this is opened while the list is read, as only then its owner shows;
 * those that belong to somebody else are closed again, with nothing sent to them. So no one can keep a user from an
 * agent by making a pipe whose name begins in the same way. One that is busy does not count if another one fits.
 *
 * Ways to fail: there is none, or more than one; that one cannot be used; the pipes cannot be listed. A client that may
 * not connect to any pipe that begins like this (options->check) is not told whether there is one. */
#include "endpoint/npipe_find_win.h"

#include <stdio.h>
#include <string.h>

#include "base/pipe_list_win.h"
#include "endpoint/owner.h"
#include "stream/npipe_open_win.h"

#include <windows.h>

#define PIPES "//./pipe/"

enum { MOST = 64, SHOWN = 300 };

int uvr_npipe_open_owned(const char *path, const char *name, uvrelay_impersonation_t level, const char *owner,
                         uv_os_fd_t *file, uvrelay_error_t *error)
{
  bool asked = owner != NULL && *owner != '\0';
  int code = uvr_npipe_open(path, name, level, asked, file, error);
  if (code == 0) {
    code = uvr_owner_check_peer(*file, name, owner, error);
    if (code != 0) {
      uvr_npipe_discard(*file);
      *file = NULL;
    }
  }
  return code;
}

typedef struct search {
  const uvr_connect_options *options;
  WCHAR beginning[UVR_ADDRESS_PATH_SIZE]; /* of the name, without \\.\pipe\ */
  int length;
  bool asks_owner;
  unsigned tried;      /* pipes that begin like this and may be connected to */
  unsigned fitting;    /* those of them that may be meant */
  uvr_address *found;  /* the first of these */
  uv_os_fd_t file;     /* it, open, if the owner is asked; or NULL */
  char list[SHOWN];    /* of these */
  bool refused;        /* a pipe that may not be connected to begins like this: */
  uvrelay_error_t why; /* why not; or why none of those that were tried can be used */
} search;

static bool begins_so(const search *self, const char *name)
{
  WCHAR wide[UVR_ADDRESS_PATH_SIZE];
  int size = MultiByteToWideChar(CP_UTF8, 0, name, -1, wide, UVR_ADDRESS_PATH_SIZE);
  return size > self->length &&
         CompareStringOrdinal(wide, self->length, self->beginning, self->length, TRUE) == CSTR_EQUAL;
}

/* The address of a pipe of this name. False for one that cannot be written as an address. */
static bool place_of(const char *name, uvr_address *place)
{
  char text[UVR_ADDRESS_PATH_SIZE + sizeof(PIPES)];
  (void)snprintf(text, sizeof(text), PIPES "%s", name);
  return uvr_address_parse(text, 0, place, NULL) == 0 && !place->has_variable && !place->open_ended;
}

static void add_fitting(search *self, const uvr_address *place)
{
  size_t used = strlen(self->list);
  (void)snprintf(self->list + used, sizeof(self->list) - used, "%s%s", self->fitting > 0 ? ", " : "", place->canonical);
  if (self->fitting == 0) {
    *self->found = *place;
  }
  self->fitting++;
}

/* Looks at the owner of a pipe that begins like this. */
static void try_pipe(search *self, const uvr_address *place)
{
  uvrelay_error_t error;
  uv_os_fd_t file = NULL;
  const uvr_connect_options *options = self->options;
  int code = uvr_npipe_open_owned(place->path, place->canonical, options->level, options->owner, &file, &error);
  if (code == 0 && self->file == NULL) {
    self->file = file;
  } else if (code == 0) {
    uvr_npipe_discard(file);
  } else if (self->why.code == 0 || code != UV_EPERM) {
    self->why = error; /* that one is busy says more than that another one is somebody else's */
  }
  if (code == 0) {
    add_fitting(self, place);
  }
}

static bool on_pipe(void *user, const char *name)
{
  search *self = user;
  const uvr_connect_options *options = self->options;
  uvr_address place;
  if (!begins_so(self, name) || !place_of(name, &place)) {
    return true;
  }
  if (options->check != NULL && options->check(options->check_user, &place, &self->why) != 0) {
    self->refused = true;
    return true;
  }
  if (self->tried == 0) {
    self->why.code = 0;
  }
  self->tried++;
  if (self->asks_owner) {
    try_pipe(self, &place);
  } else {
    add_fitting(self, &place);
  }
  return self->tried < MOST;
}

/* What the name begins with, for messages. */
static int length_of(const uvr_address *address)
{
  return (int)strlen(address->canonical) - 1;
}

static int fail_by_absence(const search *self, const uvr_address *address, uvrelay_error_t *error)
{
  const uvr_connect_options *options = self->options;
  if (options->check != NULL && options->check_real) {
    int code = options->check(options->check_user, address, error);
    if (code != 0) {
      return code;
    }
  } else if (self->refused) {
    *error = self->why;
    return error->code;
  }
  return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_ENOENT, ERROR_FILE_NOT_FOUND,
                              "there is no pipe whose name begins with %.*s", length_of(address), address->canonical);
}

static int fail_by_number(search *self, const uvr_address *address, uvrelay_error_t *error)
{
  if (self->file != NULL) {
    uvr_npipe_discard(self->file);
  }
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EINVAL,
                       "more than one pipe has a name that begins with %.*s: %s%s: write the whole name%s",
                       length_of(address), address->canonical, self->list,
                       strlen(self->list) == sizeof(self->list) - 1 ? "..." : "",
                       self->asks_owner ? "" : ", or owner=user if one of them is yours");
}

int uvr_npipe_find(const uvr_address *address, const uvr_connect_options *options, uvr_address *found, uv_os_fd_t *file,
                   uvrelay_error_t *error)
{
  search self = {.options = options, .found = found};
  self.asks_owner = options->owner != NULL && *options->owner != '\0';
  int size =
      MultiByteToWideChar(CP_UTF8, 0, address->path + sizeof(PIPES) - 1, -1, self.beginning, UVR_ADDRESS_PATH_SIZE);
  self.length = size - 2; /* without the * and the NUL */
  DWORD system = uvr_pipe_list(on_pipe, &self);
  *file = NULL;
  if (system != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, uv_translate_sys_error((int)system), system,
                                "cannot list the pipes of this computer to find the one that %s means",
                                address->canonical);
  }
  if (self.fitting > 1) {
    return fail_by_number(&self, address, error);
  }
  if (self.tried == 0) {
    return fail_by_absence(&self, address, error);
  }
  if (self.fitting == 0) {
    *error = self.why;
    return error->code;
  }
  if (self.file == NULL) {
    return uvr_npipe_open(found->path, found->canonical, options->level, false, file, error);
  }
  *file = self.file;
  return 0;
}
