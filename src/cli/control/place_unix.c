/* Places on Unix: ~/.uvrelay/run/NUMBER.sock. See place.h.
 *
 * A process that has died leaves its socket behind. A process that lists the places and is refused there removes it,
 * under the lock on the directory that a listener of uvrelay holds from making its file until it listens. */
#include "cli/control/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "address/types.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/control/place_names.h"

#define ENDING ".sock"

int uvr_control_directory(char path[UVR_CONTROL_PATH_SIZE])
{
  char home[UVR_CONTROL_PATH_SIZE];
  size_t size = sizeof(home);
  int code = uv_os_homedir(home, &size);
  if (code == 0 && home[0] != '/') {
    code = UV_ENOENT;
  }
  int length =
      code == 0 ? snprintf(path, UVR_CONTROL_PATH_SIZE, "%s/.uvrelay/run", strcmp(home, "/") == 0 ? "" : home) : 0;
  return code == 0 && length >= UVR_CONTROL_PATH_SIZE ? UV_ENAMETOOLONG : code;
}

/* Makes a directory if it is missing, and checks that it is the user's alone to write to. */
static int make_directory(const char *path, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  struct stat status;
  if ((mkdir(path, 0700) != 0 && errno != EEXIST) || stat(path, &status) != 0) {
    int code = -errno;
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot create the directory %s: %s",
                                uvr_quote(quoted, path), uv_strerror(code));
  }
  if (!S_ISDIR(status.st_mode)) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOTDIR, "cannot use %s: it is not a directory: remove it",
                         uvr_quote(quoted, path));
  }
  if (status.st_uid != geteuid()) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EPERM,
                         "cannot use the directory %s: it belongs to another user: set HOME to a directory of your own",
                         uvr_quote(quoted, path));
  }
  if ((status.st_mode & 022) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EPERM,
                         "cannot use the directory %s: other users can write to it: run chmod go-w on it",
                         uvr_quote(quoted, path));
  }
  return 0;
}

static int set_place(uvr_control_place *out, const char *directory, int process)
{
  int length = snprintf(out->address, sizeof(out->address), "unix://%s/%d" ENDING, directory, process);
  out->process = process;
  return length >= (int)sizeof(out->address) || length - (int)strlen("unix://") > UVR_ADDRESS_UNIX_MAX ? UV_ENAMETOOLONG
                                                                                                       : 0;
}

int uvr_control_place_make(uvr_control_place *out, uvrelay_error_t *error)
{
  char path[UVR_CONTROL_PATH_SIZE];
  char parent[UVR_CONTROL_PATH_SIZE];
  int code = uvr_control_directory(path);
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot determine the home directory: %s",
                                uv_strerror(code));
  }
  memcpy(parent, path, sizeof(parent));
  *strrchr(parent, '/') = '\0';
  code = make_directory(parent, error);
  code = code == 0 ? make_directory(path, error) : code;
  if (code == 0 && set_place(out, path, (int)getpid()) != 0) {
    char quoted[UVR_QUOTED_SIZE];
    code =
        uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENAMETOOLONG,
                      "cannot listen in the directory %s: its path is too long for a socket", uvr_quote(quoted, path));
  }
  return code;
}

/* The socket itself shows it. */
uv_file uvr_control_place_show(const uvr_control_place *place)
{
  (void)place;
  return UV_ENOENT;
}

void uvr_control_place_clear(uv_file file)
{
  (void)file;
}

/* It was not listed if no process listened there. */
void uvr_control_place_forget(const uvr_control_place *place)
{
  (void)place;
}

/* Connects without waiting. Returns 0 or the error's number. */
static int probe(const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof(name.sun_path)) {
    return ENAMETOOLONG;
  }
  memcpy(name.sun_path, path, length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int why = fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)) != 0 ? errno : 0;
  if (fd >= 0) {
    (void)close(fd);
  }
  return why;
}

/* Removes a socket on which no process listens. */
static void remove_stale(const char *directory, const char *path)
{
  struct stat status;
  int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
      status.st_uid == geteuid() && probe(path) == ECONNREFUSED) {
    (void)unlink(path);
  }
  if (lock >= 0) {
    (void)close(lock);
  }
}

typedef struct listing {
  const char *directory;
  uvr_control_place *places;
  size_t count;
} listing;

static void on_found(void *user, int process, const char *name)
{
  listing *self = user;
  (void)name;
  uvr_control_place *place = &self->places[self->count];
  if (set_place(place, self->directory, process) != 0) {
    return;
  }
  const char *path = place->address + strlen("unix://");
  int why = process == (int)getpid() ? 0 : probe(path);
  if (why == ECONNREFUSED) {
    remove_stale(self->directory, path);
  } else if (why == 0 || why == EAGAIN) {
    self->count++;
  }
}

size_t uvr_control_place_list(uvr_control_place **out)
{
  char path[UVR_CONTROL_PATH_SIZE];
  struct stat status;
  listing self = {.directory = path};
  *out = NULL;
  if (uvr_control_directory(path) != 0 || stat(path, &status) != 0 || status.st_uid != geteuid()) {
    return 0;
  }
  self.places = calloc(UVR_CONTROL_NAMES_MAX, sizeof(*self.places));
  if (self.places != NULL) {
    uvr_control_names_each(path, ENDING, on_found, &self);
  }
  *out = self.places;
  return self.count;
}

const char *uvr_control_advice(void)
{
  bool has_systemd = access("/run/systemd/system", F_OK) == 0;
  return has_systemd
             ? "start one with uvrelay serve, set it up with uvrelay setup, or run systemctl --user status uvrelay"
             : "start one with uvrelay serve, or set it up with uvrelay setup";
}
