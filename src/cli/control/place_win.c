/* Places on Windows: a pipe that is called by the process's number, and an empty file of this number in
 * %LOCALAPPDATA%\uvrelay\run, as pipes are not listed everywhere (Wine does not). The system removes the file when the
 * process has ended, however that was. A process that connects to the pipe checks that it belongs to this user. See
 * place.h. */
#include "cli/control/place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/control/place_names.h"

int uvr_control_directory(char path[UVR_CONTROL_PATH_SIZE])
{
  char local[UVR_CONTROL_PATH_SIZE];
  size_t size = sizeof(local);
  int code = uv_os_getenv("LOCALAPPDATA", local, &size);
  if (code != 0 || local[0] == '\0') {
    return code != 0 ? code : UV_ENOENT;
  }
  return snprintf(path, UVR_CONTROL_PATH_SIZE, "%s\\uvrelay\\run", local) < UVR_CONTROL_PATH_SIZE ? 0 : UV_ENAMETOOLONG;
}

static void set_place(uvr_control_place *out, int process)
{
  out->process = process;
  (void)snprintf(out->address, sizeof(out->address), "//./pipe/uvrelay-serve-%d", process);
}

static int make_directory(const char *path)
{
  uv_fs_t request;
  int code = uv_fs_mkdir(NULL, &request, path, 0700, NULL);
  uv_fs_req_cleanup(&request);
  return code == UV_EEXIST ? 0 : code;
}

int uvr_control_place_make(uvr_control_place *out, uvrelay_error_t *error)
{
  char path[UVR_CONTROL_PATH_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  int code = uvr_control_directory(path);
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot determine LOCALAPPDATA: %s",
                                uv_strerror(code));
  }
  char *end = strrchr(path, '\\');
  *end = '\0';
  code = make_directory(path);
  *end = '\\';
  code = code == 0 ? make_directory(path) : code;
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot create the directory %s: %s",
                                uvr_quote(quoted, path), uv_strerror(code));
  }
  set_place(out, (int)uv_os_getpid());
  return 0;
}

static int name_file(const uvr_control_place *place, char file[UVR_CONTROL_PATH_SIZE + 16])
{
  char path[UVR_CONTROL_PATH_SIZE];
  int code = uvr_control_directory(path);
  if (code == 0) {
    (void)snprintf(file, UVR_CONTROL_PATH_SIZE + 16, "%s\\%d", path, place->process);
  }
  return code;
}

uv_file uvr_control_place_show(const uvr_control_place *place)
{
  char file[UVR_CONTROL_PATH_SIZE + 16];
  uv_fs_t request;
  int code = name_file(place, file);
  if (code != 0) {
    return code;
  }
  code = uv_fs_open(NULL, &request, file, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TEMPORARY, 0600, NULL);
  uv_fs_req_cleanup(&request);
  return code;
}

/* The computer has lost its power. A process that runs has made its pipe before its file. */
void uvr_control_place_forget(const uvr_control_place *place)
{
  char file[UVR_CONTROL_PATH_SIZE + 16];
  uv_fs_t request;
  if (name_file(place, file) == 0) {
    (void)uv_fs_unlink(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
  }
}

void uvr_control_place_clear(uv_file file)
{
  uv_fs_t request;
  if (file >= 0) {
    (void)uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
  }
}

typedef struct listing {
  uvr_control_place *places;
  size_t count;
} listing;

static void on_found(void *user, int process, const char *name)
{
  listing *self = user;
  (void)name;
  set_place(&self->places[self->count++], process);
}

size_t uvr_control_place_list(uvr_control_place **out)
{
  char path[UVR_CONTROL_PATH_SIZE];
  listing self = {.places = NULL};
  if (uvr_control_directory(path) == 0) {
    self.places = calloc(UVR_CONTROL_NAMES_MAX, sizeof(*self.places));
  }
  if (self.places != NULL) {
    uvr_control_names_each(path, "", on_found, &self);
  }
  *out = self.places;
  return self.count;
}

const char *uvr_control_advice(void)
{
  return "start one with uvrelay.exe serve, or at each logon with uvrelay.exe setup --logon";
}
