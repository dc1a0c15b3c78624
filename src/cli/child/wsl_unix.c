/* WSL: see wsl.h.
 *
 * How it works: to start a Windows program, the kernel hands it to WSL's /init, which sends a request to the socket
 * that WSL_INTEROP names; see wsl_interop_unix.c.
 *
 * Ways to fail: there is no uvrelay.exe; no process listens on any socket. Without a drive the current directory stays
 * as it is. */
#include "cli/child/wsl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/find_program.h"
#include "cli/child/program_head.h"
#include "cli/child/trusted_file_unix.h"
#include "cli/child/wsl_drives_unix.h"
#include "cli/child/wsl_handler_unix.h"
#include "cli/child/wsl_interop_unix.h"
#include "cli/child/wsl_setting_unix.h"

/* Where no process listens, and only root's could. */
static const char NOWHERE[] = "/dev/null";

void uvr_wsl_init(uvr_wsl *self)
{
  *self = (uvr_wsl){
      .run = "/run/WSL",
      .virtiofs = "/run/wsl/virtiofs",
      .proc = "/proc",
      .mount = "/mnt/c",
      .path = getenv("PATH"),
      .home = getenv("HOME"),
      .interop = getenv("WSL_INTEROP"),
      .distro_name = getenv("WSL_DISTRO_NAME"),
      .etc = "/etc",
      .systemd = "/run/systemd/system",
      .process = getpid(),
  };
}

/* DIRECTORY/NAME, to be freed, or NULL. */
static char *inside(const char *directory, const char *name)
{
  char *path = NULL;
  return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static bool is_set(const char *text)
{
  return text != NULL && *text != '\0';
}

/* Opens a file in `proc`, or returns NULL. */
static FILE *open_proc(const uvr_wsl *self, const char *name)
{
  char *path = inside(self->proc, name);
  FILE *file = path == NULL ? NULL : fopen(path, "re");
  free(path);
  return file;
}

bool uvr_wsl_is(const uvr_wsl *self)
{
  struct stat status;
  char release[256] = "";
  if (is_set(self->interop) || is_set(self->distro_name) ||
      (stat(self->run, &status) == 0 && S_ISDIR(status.st_mode))) {
    return true;
  }
  FILE *file = open_proc(self, "sys/kernel/osrelease");
  if (file != NULL) {
    release[fread(release, 1, sizeof(release) - 1, file)] = '\0';
    (void)fclose(file);
  }
  return strcasestr(release, "microsoft") != NULL;
}

/* The current directory. */

/* The directory of a file, after following links, or NULL. To be freed. */
static char *directory_of(const char *file)
{
  char *path = realpath(file, NULL);
  char *slash = path == NULL ? NULL : strrchr(path, '/');
  if (slash != NULL) {
    slash[slash == path ? 1 : 0] = '\0';
  }
  return path;
}

static bool can_be_in(const char *directory)
{
  struct stat status;
  return directory != NULL && stat(directory, &status) == 0 && S_ISDIR(status.st_mode) && access(directory, X_OK) == 0;
}

/* A directory on a Windows drive to start the program in, or NULL. To be freed. *off_drives: there are such drives, and
 * the program is on none of them. */
static char *choose_directory(const uvr_wsl *self, const char *file, bool *off_drives)
{
  char *own = directory_of(file);
  uvr_wsl_drives drives = uvr_wsl_find_drives(self->proc, self->virtiofs, own == NULL ? "" : own);
  const char *choice = own != NULL && drives.within && can_be_in(own) ? own
                       : can_be_in(drives.c)                          ? drives.c
                       : can_be_in(drives.first)                      ? drives.first
                       : can_be_in(self->mount)                       ? self->mount
                                                                      : NULL;
  char *directory = choice == NULL ? NULL : strdup(choice);
  *off_drives = own != NULL && drives.first != NULL && !drives.within;
  uvr_wsl_drives_clear(&drives);
  free(own);
  return directory;
}

/* The far end. */

/* The directory of this program, or NULL. To be freed. */
static char *own_directory(const uvr_wsl *self)
{
  char path[PATH_MAX];
  if (self->directory != NULL) {
    return strdup(self->directory);
  }
  char *link = inside(self->proc, "self/exe");
  ssize_t length = link == NULL ? -1 : readlink(link, path, sizeof(path) - 1);
  free(link);
  path[length < 0 ? 0 : length] = '\0';
  char *slash = strrchr(path, '/');
  if (slash == NULL) {
    return NULL;
  }
  slash[slash == path ? 1 : 0] = '\0';
  return strdup(path);
}

/* Searches one place, and returns whether the search is over. Keeps the error of the first file that exists but cannot
 * be executed. */
static bool find_in(const char *name, const char *path, char **file, int *code, uvrelay_error_t *error)
{
  uvrelay_error_t detail;
  int found = name == NULL ? UV_ENOMEM : uvr_find_program(name, path, file, &detail);
  if (found == UV_EACCES && *code == UV_ENOENT && error != NULL) {
    *error = detail;
  }
  if (found == 0 || (found == UV_EACCES && *code == UV_ENOENT)) {
    *code = found;
  }
  return found == 0;
}

static bool is_trusted_place(const char *path)
{
  struct stat status;
  return path != NULL && lstat(path, &status) == 0 && uvr_is_trusted(status.st_uid);
}

/* The file that setup's link leads to, or NULL. To be freed. It is found by its own name, as WSL takes the directory of
 * a program from the name by which it is started. */
static char *linked_by_setup(const uvr_wsl *self)
{
  char *link = is_set(self->home) ? inside(self->home, UVR_WSL_LINK) : NULL;
  char *directory = link == NULL ? NULL : strndup(link, (size_t)(strrchr(link, '/') - link));
  char *file = is_trusted_place(directory) && is_trusted_place(link) ? realpath(link, NULL) : NULL;
  free(link);
  free(directory);
  return file;
}

/* Whether a place belongs to root, to this user, or to the user who can replace this program. */
static bool is_trusted_like(const char *path, const char *directory)
{
  struct stat status;
  struct stat own;
  return path != NULL && stat(path, &status) == 0 &&
         (uvr_is_trusted(status.st_uid) || (stat(directory, &own) == 0 && own.st_uid == status.st_uid));
}

char *uvr_wsl_installed_program(const uvr_wsl *self)
{
  char *directory = own_directory(self);
  char *place = directory == NULL ? NULL : inside(directory, "../lib/uvrelay");
  char *file = place == NULL ? NULL : inside(place, "uvrelay.exe");
  bool trusted = is_trusted_like(place, directory) && is_trusted_like(file, directory);
  char *real = trusted ? realpath(file, NULL) : NULL;
  free(directory);
  free(place);
  free(file);
  return real;
}

int uvr_wsl_find_far_end(const uvr_wsl *self, char **file, uvrelay_error_t *error)
{
  static const char name[] = "uvrelay.exe";
  char quoted[UVR_QUOTED_SIZE];
  char where[UVR_QUOTED_SIZE];
  int code = UV_ENOENT;
  uvr_wsl_drives drives = uvr_wsl_find_drives(self->proc, self->virtiofs, "");
  char *directory = own_directory(self);
  char *beside = directory == NULL ? NULL : inside(directory, name);
  char *place = inside(drives.c != NULL ? drives.c : self->mount, UVR_WSL_PLACE);
  char *linked = linked_by_setup(self);
  char *installed = uvr_wsl_installed_program(self);
  *file = NULL;
  if (!(linked != NULL && find_in(linked, NULL, file, &code, error)) && !find_in(beside, NULL, file, &code, error) &&
      !(is_set(self->path) && find_in(name, self->path, file, &code, error)) &&
      !find_in(place, NULL, file, &code, error) &&
      !(installed != NULL && find_in(installed, NULL, file, &code, error)) && code == UV_ENOENT) {
    (void)uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0,
                               "cannot find %s: it is not beside this program (in %s), not in PATH, and there is no %s",
                               name, uvr_quote(quoted, directory == NULL ? "?" : directory),
                               uvr_quote(where, place == NULL ? UVR_WSL_PLACE : place));
  }
  uvr_wsl_drives_clear(&drives);
  free(directory);
  free(linked);
  free(beside);
  free(place);
  free(installed);
  return code;
}

/* Interop. */

/* The environment with another WSL_INTEROP, in one block, or NULL. To be freed. Its other texts are not copied. */
static char **make_environment(const char *interop)
{
  static const char name[] = "WSL_INTEROP=";
  size_t count = 0;
  size_t used = 0;
  while (environ != NULL && environ[count] != NULL) {
    count++;
  }
  size_t size = sizeof(name) + strlen(interop);
  char **environment = malloc((count + 2) * sizeof(*environment) + size);
  if (environment == NULL) {
    return NULL;
  }
  char *text = (char *)(environment + count + 2);
  (void)snprintf(text, size, "%s%s", name, interop);
  for (size_t i = 0; i < count; i++) {
    if (strncmp(environ[i], name, sizeof(name) - 1) != 0) {
      environment[used++] = environ[i];
    }
  }
  environment[used++] = text;
  environment[used] = NULL;
  return environment;
}

static int fail_interop(const uvr_wsl *self, unsigned foreign, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char others[64] = "";
  if (foreign > 0) {
    (void)snprintf(others, sizeof(others), " (%u of other users %s ignored)", foreign, foreign == 1 ? "is" : "are");
  }
  return uvr_error_set(
      error, UVRELAY_PHASE_NONE, UV_ENOENT,
      "nothing is listening at WSL_INTEROP (%s) or at another socket in %s that belongs to root or you%s",
      is_set(self->interop) ? uvr_quote(quoted, self->interop) : "not set", self->run, others);
}

/* Without a socket, WSL_INTEROP must lead to something, or /init would look in `run` by itself, and it takes the
 * sockets of other users as well. At NOWHERE its attempt fails. */
static int choose_interop(const uvr_wsl *self, uvr_wsl_start *start, uvrelay_error_t *error)
{
  char path[32];
  unsigned foreign = 0;
  const uvr_wsl_interop search = {
      .run = self->run, .proc = self->proc, .given = self->interop, .process = self->process};
  int found = uvr_wsl_interop_find(&search, &foreign);
  (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", UVR_WSL_SOCKET);
  start->environment = make_environment(found >= 0 ? path : NOWHERE);
  start->has_socket = found >= 0;
  start->socket = found;
  if (start->environment == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  }
  return found >= 0 ? 0 : fail_interop(self, foreign, error);
}

char *uvr_wsl_windows_path(const uvr_wsl *self, const char *path)
{
  return uvr_wsl_find_windows_path(self->proc, self->virtiofs, path);
}

bool uvr_wsl_may_concern(const char *file)
{
  size_t length = strlen(file);
  return length > 4 && strcasecmp(file + length - 4, ".exe") == 0;
}

/* What the kernel lacks for Windows programs. Returns 0 or UV_ENOTSUP and *error, and *start's remedy. */
static int check_handler(const uvr_wsl *self, uvr_wsl_start *start, uvrelay_error_t *error)
{
  uvr_wsl_handler handler;
  char text[384];
  char remedy[160];
  char enabled[UVR_WSL_SETTING_SIZE];
  uvr_wsl_handler_look(self->proc, &handler);
  if (!uvr_wsl_handler_is_lost(&handler)) {
    return 0;
  }
  uvr_wsl_setting(self->etc, "wsl.conf", "interop", "enabled", enabled);
  if (strcasecmp(enabled, "false") == 0) {
    (void)snprintf(start->remedy, sizeof(start->remedy),
                   "write enabled=true there, type wsl.exe --shutdown in Windows, and open WSL again");
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOTSUP,
                         "the kernel does not start Windows programs, because %s/wsl.conf has enabled=false below "
                         "[interop]",
                         self->etc);
  }
  (void)snprintf(start->remedy, sizeof(start->remedy), "to fix it, type %s",
                 uvr_wsl_handler_remedy(&handler, remedy, sizeof(remedy)));
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOTSUP, "%s", uvr_wsl_handler_text(&handler, text, sizeof(text)));
}

int uvr_wsl_prepare(const uvr_wsl *self, const char *file, uvr_wsl_start *start, uvrelay_error_t *error)
{
  uvr_program_head head;
  *start = (uvr_wsl_start){.directory = NULL};
  if (!uvr_wsl_may_concern(file) || !uvr_wsl_is(self)) {
    return 0;
  }
  uvr_program_read(file, &head);
  bool is_windows = head.kind == UVR_PROGRAM_WINDOWS;
  start->directory = choose_directory(self, file, &start->on_linux_disk);
  start->on_linux_disk = start->on_linux_disk && is_windows;
  int code = choose_interop(self, start, error);
  if (code == UV_ENOENT && is_windows) {
    start->refused = true;
    (void)snprintf(start->remedy, sizeof(start->remedy),
                   "open a new WSL terminal, or type wsl.exe --shutdown in Windows and open WSL again");
  }
  if (is_windows && check_handler(self, start, error) != 0) {
    code = UV_ENOTSUP;
    start->refused = start->lasting = true;
  }
  return code;
}

const char *uvr_wsl_explain(const char *line)
{
  static const struct {
    const char *part;
    const char *meaning;
  } known[] = {
      {"accept4 failed 110",
       "Windows did not answer WSL in time: type wsl.exe --shutdown in Windows, then open WSL again"},
      {"UtilConnectUnix", "nothing is listening at WSL's interop socket: open a new WSL terminal"},
      {"UtilConnectToInteropServer", "nothing is listening at WSL's interop socket: open a new WSL terminal"},
      {"uvrelay.exe: Invalid argument",
       "Windows does not recognize it as a program: it is damaged, so copy it there again"},
      {"UtilBindVsockAnyPort",
       "WSL has run out of connections to Windows: type wsl.exe --shutdown in Windows, then open WSL again"},
  };
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (strstr(line, known[i].part) != NULL) {
      return known[i].meaning;
    }
  }
  return NULL;
}

void uvr_wsl_start_clear(uvr_wsl_start *start)
{
  free(start->directory);
  free(start->environment);
  if (start->has_socket) {
    (void)close(start->socket);
  }
  *start = (uvr_wsl_start){.directory = NULL};
}
