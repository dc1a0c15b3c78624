/* A serve in the background: see background_unix.h. It is known by the socket at which it can be asked, and by its
 * command line. */
#include "cli/setup/background_unix.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "cli/input/file.h"
#include "cli/os/paths.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/text_unix.h"
#include "cli/setup/tool_unix.h"

/* A serve that is stopped may take 5 s for its connections and 7 s for its far end. */
enum { PATIENCE = 200, PAUSE_NS = 100000000, PROCESSES_MAX = 64 };

static void rest(void)
{
  const struct timespec pause = {.tv_nsec = PAUSE_NS};
  (void)nanosleep(&pause, NULL);
}

/* The process that listens at a socket, or 0. */
static pid_t listener_at(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct ucred peer = {.pid = 0};
  socklen_t size = sizeof(peer);
  if (strlen(path) >= sizeof(address.sun_path)) {
    return 0;
  }
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                   getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
  if (fd >= 0) {
    (void)close(fd);
  }
  return connected ? peer.pid : 0;
}

/* Whether a process's command line is that of a serve in the background. */
static bool is_background(const uvr_job *job, pid_t process)
{
  bool serves = false;
  bool detached = false;
  char *words = NULL;
  size_t length = 0;
  char *path = uvr_setup_format("%s/%ld/cmdline", job->wsl.proc, (long)process);
  int code = path == NULL ? UV_ENOMEM : uvr_file_read(path, &words, &length);
  for (const char *word = words; code == 0 && word < words + length; word += strlen(word) + 1) {
    serves = serves || strcmp(word, "serve") == 0;
    detached = detached || strcmp(word, "--background") == 0 || strcmp(word, "-background") == 0;
  }
  free(path);
  free(words);
  return serves && detached;
}

/* Finds those that run. Returns how many there are. */
static size_t find(const uvr_job *job, pid_t processes[PROCESSES_MAX])
{
  size_t count = 0;
  char *directory = uvr_setup_format("%s/run", job->directory);
  DIR *entries = directory == NULL ? NULL : opendir(directory);
  const struct dirent *entry;
  while (entries != NULL && count < PROCESSES_MAX && (entry = readdir(entries)) != NULL) {
    char *path = entry->d_name[0] == '.' ? NULL : uvr_setup_format("%s/%s", directory, entry->d_name);
    pid_t process = path == NULL ? 0 : listener_at(path);
    if (process > 0 && is_background(job, process)) {
      processes[count++] = process;
    }
    free(path);
  }
  if (entries != NULL) {
    (void)closedir(entries);
  }
  free(directory);
  return count;
}

bool uvr_background_runs(const uvr_job *job)
{
  pid_t processes[PROCESSES_MAX];
  return find(job, processes) > 0;
}

/* Makes the log's directory, so that --remove finds it, and the log. */
static int record_log(uvr_job *job, uvrelay_error_t *error)
{
  char log[UVR_PATH_SIZE];
  int code = uvr_paths_log(log, error);
  if (code != 0 || uvr_setup_is_there(log)) {
    return code;
  }
  char *directory = strndup(log, (size_t)(strrchr(log, '/') - log));
  code = directory == NULL ? uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory")
                           : uvr_setup_make_directory(directory, &job->record, error);
  free(directory);
  return code == 0 ? uvr_record_add(&job->record, UVR_RECORD_FILE, log, error) : code;
}

int uvr_background_clean(uvr_job *job, uvrelay_error_t *error)
{
  char log[UVR_PATH_SIZE];
  char *lock = uvr_setup_format("%s/run/background.lock", job->directory);
  char *run = uvr_setup_format("%s/run", job->directory);
  bool runs = uvr_background_runs(job);
  if (lock == NULL || run == NULL) {
    free(lock);
    free(run);
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  }
  int code = runs ? 0 : uvr_setup_unlink(lock, false, error);
  if (code == 0 && !runs) {
    (void)rmdir(run); /* another serve of the user's may be in it */
  }
  if (code == 0 && uvr_paths_log(log, NULL) == 0 && uvr_record_has(&job->record, UVR_RECORD_FILE, log)) {
    char *old = uvr_setup_format("%s.1", log);
    code = uvr_setup_unlink(log, false, error);
    code = code == 0 && old != NULL ? uvr_setup_unlink(old, false, error) : code;
    code = code == 0 ? uvr_record_drop(&job->record, UVR_RECORD_FILE, log, error) : code;
    free(old);
  }
  free(lock);
  free(run);
  return code;
}

int uvr_background_start(uvr_job *job, uvrelay_error_t *error)
{
  char *config = uvr_setup_format("--config=%s", job->config);
  int code = config == NULL ? uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory")
                            : record_log(job, error);
  if (code != 0) {
    free(config);
    return code;
  }
  code = uvr_tool_run(job->program, (const char *const[]){"serve", "--background", config, NULL}, NULL, error);
  free(config);
  return code;
}

int uvr_background_stop(const uvr_job *job, uvrelay_error_t *error)
{
  pid_t processes[PROCESSES_MAX];
  size_t count = find(job, processes);
  for (size_t i = 0; i < count; i++) {
    if (kill(processes[i], SIGTERM) != 0 && errno != ESRCH) {
      return uvr_error_set_system(error, UVRELAY_PHASE_NONE, -errno, 0, "cannot stop process %ld: %s",
                                  (long)processes[i], uv_strerror(-errno));
    }
  }
  for (size_t i = 0; i < count; i++) {
    for (int turns = 0; kill(processes[i], 0) == 0 && is_background(job, processes[i]); turns++) {
      if (turns == PATIENCE) {
        return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ETIMEDOUT,
                             "the serve with process number %ld does not exit: type `kill -9 %ld`", (long)processes[i],
                             (long)processes[i]);
      }
      rest();
    }
  }
  return 0;
}

int uvr_background_reload_one(const uvr_job *job, long process, uvrelay_error_t *error)
{
  char *socket_path = uvr_setup_format("%s/run/%ld.sock", job->directory, process);
  char *number = uvr_setup_format("%ld", process);
  int code = socket_path == NULL || number == NULL ? UV_ENOMEM : 0;
  if (code == 0) {
    code = !uvr_setup_is_there(socket_path)
               ? UV_ENOTSUP
               : uvr_tool_run(job->program, (const char *const[]){"reload", number, NULL}, NULL, error);
  }
  free(socket_path);
  free(number);
  return code == UV_ENOMEM ? uvr_error_set(error, UVRELAY_PHASE_NONE, code, "not enough memory") : code;
}

int uvr_background_reload(const uvr_job *job, uvrelay_error_t *error)
{
  pid_t processes[PROCESSES_MAX];
  size_t count = find(job, processes);
  int code = 0;
  for (size_t i = 0; i < count && (code == 0 || code == UV_ENOTSUP); i++) {
    code = uvr_background_reload_one(job, (long)processes[i], error);
  }
  return code == UV_ENOTSUP ? 0 : code; /* it has ended meanwhile */
}
