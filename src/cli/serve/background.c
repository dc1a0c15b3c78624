/* serve --background: see background.h. Its log goes to the file of --log-file, and else to one in the usual place, of
 * which an earlier one is kept when it has become large. */
#include "cli/serve/background.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/control/place.h"
#include "cli/os/log_path.h"

enum { LOG_MAX = 1024 * 1024, DIRECTORY_MODE = 0700 };

static bool is_separator(char c)
{
  return c == '/' || (c == '\\' && uvr_log_path_separator() == '\\');
}

/* Makes the directories of a file's path that are missing. What cannot be made shows when the file is opened. */
static void make_directories(char *path)
{
  uv_fs_t request;
  for (char *next = path + 1; *next != '\0'; next++) {
    if (is_separator(*next)) {
      char kept = *next;
      *next = '\0';
      (void)uv_fs_mkdir(NULL, &request, path, DIRECTORY_MODE, NULL);
      uv_fs_req_cleanup(&request);
      *next = kept;
    }
  }
}

/* Keeps the log from growing without end. */
static void turn_over(const char *path)
{
  char old[UVR_PATH_SIZE + 2];
  uv_fs_t request;
  bool large = uv_fs_stat(NULL, &request, path, NULL) == 0 && request.statbuf.st_size > LOG_MAX;
  uv_fs_req_cleanup(&request);
  if (large) {
    (void)snprintf(old, sizeof(old), "%s.1", path);
    (void)uv_fs_rename(NULL, &request, path, old, NULL);
    uv_fs_req_cleanup(&request);
  }
}

uvr_detach_result uvr_background_begin(uvr_server *server, uvr_detached *out, int *status, uvrelay_error_t *error)
{
  char log[UVR_PATH_SIZE];
  char directory[UVR_CONTROL_PATH_SIZE];
  char lock[UVR_CONTROL_PATH_SIZE + 32];
  uvr_control_place place;
  uvr_detach_options options = {.log = NULL};
  if (server->given.log_file == NULL) {
    if (uvr_log_path(log, error) != 0) {
      return UVR_DETACH_FAILED;
    }
    make_directories(log);
    turn_over(log);
    options.log = log;
  }
  if (server->given.control && uvr_control_place_make(&place, NULL) == 0 && uvr_control_directory(directory) == 0) {
    (void)snprintf(lock, sizeof(lock), "%s%cbackground.lock", directory, uvr_log_path_separator());
    options.lock = lock;
  }
  return uvr_detach(&options, out, status, error);
}
