/* serve, and a route's listener: see listener_unix.h. */
#include "cli/doctor/listener_unix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/accounts_unix.h"
#include "base/text.h"
#include "cli/child/trusted_file_unix.h"
#include "cli/doctor/holder_unix.h"
#include "cli/doctor/served_unix.h"

#define UNIT "/systemd/user/uvrelay.service"

/* The units of systemd that make a socket, by the end of its path. */
static const struct {
  const char *end;
  const char *unit;
} units[] = {
    {"/S.gpg-agent", "gpg-agent.socket"},
    {"/S.gpg-agent.ssh", "gpg-agent-ssh.socket"},
    {"/S.gpg-agent.extra", "gpg-agent-extra.socket"},
    {"/S.gpg-agent.browser", "gpg-agent-browser.socket"},
    {"/S.dirmngr", "dirmngr.socket"},
    {"/S.keyboxd", "keyboxd.socket"},
    {"/docker.sock", "docker.socket"},
    {"/openssh_agent", "ssh-agent.socket"},
};

static const char *unit_of(const char *path)
{
  size_t length = strlen(path);
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    size_t size = strlen(units[i].end);
    if (length >= size && strcmp(path + length - size, units[i].end) == 0) {
      return units[i].unit;
    }
  }
  return NULL;
}

/* Whether systemd can know the unit of serve, by its file. */
static bool has_unit(void)
{
  static const char *const places[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"};
  char path[UVR_PATH_SIZE];
  size_t length = uvr_paths_config(path, NULL) == 0 ? strlen(path) - strlen("/uvrelay/routes.conf") : 0;
  (void)snprintf(path + length, sizeof(path) - length, "%s", UNIT);
  bool has = length > 0 && access(path, F_OK) == 0; /* the user's own are beside the directory of routes.conf */
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !has; i++) {
    (void)snprintf(path, sizeof(path), "%s%s", places[i], UNIT);
    has = access(path, F_OK) == 0;
  }
  return has;
}

/* How to start serve with the routes that are looked at. */
static void add_start_remedy(const uvr_doctor *doctor, uvr_check *check)
{
  struct stat status;
  char word[UVR_SHELL_WORD_SIZE];
  bool has_systemd = stat(doctor->wsl.systemd, &status) == 0;
  if (has_systemd && doctor->given.config_count == 0 && has_unit()) {
    uvr_check_add_remedy(check, "systemctl --user restart uvrelay");
  } else if (doctor->given.config_count == 1) {
    uvr_check_add_remedy(check, "%s serve --background --config=%s", doctor->own,
                         uvr_shell_word(word, doctor->given.configs[0]));
  } else {
    uvr_check_add_remedy(check, "%s serve --background", doctor->own);
  }
}

static void say_free(const uvr_doctor *doctor, const char *what, uvr_check *check)
{
  if (doctor->given.route_count > 0) { /* of the command line: they may well not be served yet */
    uvr_check_set(check, UVR_CHECK_OK, "%s: it is free", what);
  } else if (doctor->lacks_serve) {
    uvr_check_set(check, UVR_CHECK_SKIPPED, "see serve above");
  } else {
    uvr_check_set(check, UVR_CHECK_BAD, "%s: the running uvrelay serve does not have this route", what);
    uvr_check_add_remedy(check, "%s reload", doctor->own);
  }
}

static void say_held_by_systemd(const char *path, const uvr_holder *holder, uvr_check *check)
{
  const char *unit = unit_of(path);
  if (unit == NULL) {
    uvr_check_set(check, UVR_CHECK_BAD, "a systemd socket unit (process %d) is listening there", holder->process);
    uvr_check_add_remedy(check, "# find out which unit it is, and mask it:");
    uvr_check_add_remedy(check, "systemctl --user list-sockets");
    return;
  }
  uvr_check_set(check, UVR_CHECK_BAD, "systemd's %s (process %d) is listening there, for a Linux program", unit,
                holder->process);
  uvr_check_add_remedy(check, "systemctl --user mask --now %s", unit);
}

/* serve listens, but its socket file may have been removed, as by `rm -r ~/.uvrelay`: no client finds it then. */
static void say_served(const uvr_doctor *doctor, const uvr_address *listener, int process, uvr_check *check)
{
  struct stat status;
  char quoted[UVR_QUOTED_SIZE];
  if (listener->kind == UVR_ADDRESS_UNIX && lstat(listener->path, &status) != 0 && errno == ENOENT) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s was removed while uvrelay serve is listening there, process %d",
                  uvr_quote(quoted, listener->path), process);
    uvr_check_add_remedy(check, "kill %d", process);
    add_start_remedy(doctor, check);
    return;
  }
  uvr_check_set(check, UVR_CHECK_OK, "uvrelay serve is listening, process %d", process);
}

/* Whose process it is cannot be seen: another user's, or an agent of GnuPG, which denies that to its own user. */
static void say_hidden(const char *path, uvr_check *check)
{
  const char *unit = unit_of(path);
  if (unit != NULL && strncmp(unit, "gpg-agent", strlen("gpg-agent")) == 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "another process is listening there, probably the Linux gpg-agent");
    uvr_check_add_remedy(check, "gpgconf --kill gpg-agent");
    return;
  }
  uvr_check_set(check, UVR_CHECK_BAD, "a process of another user is listening there");
  uvr_check_add_remedy(check, "# choose another address for the route, or stop that process");
}

static void say_held(const uvr_doctor *doctor, const uvr_address *listener, const uvr_holder *holder, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *path = listener->path;
  switch (holder->kind) {
  case UVR_HOLDER_SERVE:
    say_served(doctor, listener, holder->process, check);
    break;
  case UVR_HOLDER_SYSTEMD:
    say_held_by_systemd(path, holder, check);
    break;
  case UVR_HOLDER_HIDDEN:
    say_hidden(path, check);
    break;
  case UVR_HOLDER_OTHER:
  case UVR_HOLDER_NOBODY:
    uvr_check_set(check, UVR_CHECK_BAD, "another program is listening there: %s, process %d",
                  uvr_quote(quoted, holder->program), holder->process);
    uvr_check_add_remedy(check, "kill %d", holder->process);
    break;
  }
}

/* Directories. */

/* Writes the directory of a path. Returns `directory`. */
static char *parent_of(const char *path, char directory[UVR_ADDRESS_PATH_SIZE])
{
  (void)snprintf(directory, UVR_ADDRESS_PATH_SIZE, "%s", path);
  char *slash = strrchr(directory, '/');
  if (slash != NULL) {
    slash[slash == directory ? 1 : 0] = '\0';
  }
  return directory;
}

static void say_foreign_directory(const char *directory, uid_t owner, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  char name[64];
  if (!uvr_account_name(owner, name, sizeof(name))) {
    (void)snprintf(name, sizeof(name), "number %u", (unsigned)owner);
  }
  uvr_check_set(check, UVR_CHECK_BAD, "its directory %s belongs to the user %s, who can put another socket there",
                uvr_quote(quoted, directory), name);
  uvr_check_add_remedy(check, "# choose a directory of your own for the route");
}

/* Whether there is a directory to listen in that no other user can change. If not, the result is set. */
static bool check_directory(const char *path, uvr_check *check)
{
  char directory[UVR_ADDRESS_PATH_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  char word[UVR_SHELL_WORD_SIZE];
  struct stat status;
  (void)parent_of(path, directory);
  if (stat(directory, &status) != 0) {
    if (errno != ENOENT) {
      uvr_check_set(check, UVR_CHECK_BAD, "its directory %s cannot be checked: %s", uvr_quote(quoted, directory),
                    strerror(errno));
      return false;
    }
    return true; /* serve makes it */
  }
  (void)uvr_shell_word(word, directory);
  if (!S_ISDIR(status.st_mode)) {
    uvr_check_set(check, UVR_CHECK_BAD, "its directory %s is a file", uvr_quote(quoted, directory));
    uvr_check_add_remedy(check, "mv %s %s.old", word, word);
  } else if (!uvr_is_trusted(status.st_uid)) {
    say_foreign_directory(directory, status.st_uid, check);
  } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "other users can write to its directory %s and put another socket there",
                  uvr_quote(quoted, directory));
    uvr_check_add_remedy(check, "chmod go-w %s", word);
  } else if (access(directory, W_OK | X_OK) != 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "its directory %s cannot be written to: %s", uvr_quote(quoted, directory),
                  strerror(errno));
    uvr_check_add_remedy(check, "chmod u+wx %s", word);
  } else {
    return true;
  }
  return false;
}

/* The path of a Unix socket on which no process listens. */
static void check_path(const uvr_doctor *doctor, const char *path, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  char word[UVR_SHELL_WORD_SIZE];
  char text[UVR_QUOTED_SIZE + 64];
  struct stat status;
  (void)uvr_quote(quoted, path);
  if (lstat(path, &status) != 0) {
    (void)snprintf(text, sizeof(text), "%s does not exist", quoted);
    say_free(doctor, text, check);
  } else if (S_ISSOCK(status.st_mode)) {
    (void)snprintf(text, sizeof(text), "%s is left over: nothing is listening there", quoted);
    say_free(doctor, text, check);
  } else {
    (void)uvr_shell_word(word, path);
    uvr_check_set(check, UVR_CHECK_BAD, "%s is in the way: it is not a socket", quoted);
    uvr_check_add_remedy(check, "mv %s %s.old", word, word);
  }
}

void uvr_doctor_check_listener(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check)
{
  uvr_holder holder;
  const uvr_address *listener = &route->config->listener;
  if (listener->kind == UVR_ADDRESS_FD) {
    uvr_check_set(check, UVR_CHECK_OK, "systemd passes it when it starts uvrelay");
    return;
  }
  if (listener->kind == UVR_ADDRESS_UNIX && !check_directory(listener->path, check)) {
    return;
  }
  uvr_holder_find(doctor->wsl.proc, listener, &holder);
  if (holder.kind != UVR_HOLDER_NOBODY) {
    say_held(doctor, listener, &holder, check);
    if (holder.kind == UVR_HOLDER_SERVE && check->state == UVR_CHECK_OK) {
      uvr_doctor_ask_served(doctor, route, holder.process, check);
    }
  } else if (listener->kind == UVR_ADDRESS_UNIX) {
    check_path(doctor, listener->path, check);
  } else {
    say_free(doctor, "nothing is listening there", check);
  }
}

/* The first route whose listener could not be made, or NULL. */
static const uvr_doctor_route *find_obstacle(const uvr_doctor *doctor)
{
  for (size_t i = 0; i < doctor->config.count; i++) {
    uvr_check check = {.state = UVR_CHECK_NONE};
    uvr_doctor_check_listener(doctor, &doctor->routes[i], &check);
    if (check.state == UVR_CHECK_BAD) {
      return &doctor->routes[i];
    }
  }
  return NULL;
}

void uvr_doctor_check_serve(uvr_doctor *doctor, uvr_check *check)
{
  if (doctor->given.route_count > 0 || doctor->config.count == 0) {
    return;
  }
  int process = uvr_holder_find_serve(doctor->wsl.proc);
  doctor->lacks_serve = process == 0;
  if (process != 0) {
    uvr_check_set(check, UVR_CHECK_OK, "uvrelay serve is running, process %d", process);
    return;
  }
  const uvr_doctor_route *obstacle = find_obstacle(doctor);
  if (obstacle != NULL) {
    uvr_check_set(check, UVR_CHECK_SKIPPED, "none is running: see listener of %s below", obstacle->name);
    return;
  }
  uvr_check_set(check, UVR_CHECK_BAD, "no uvrelay serve of this user is running");
  add_start_remedy(doctor, check);
}
