/* serve --background: see background.h. Its log goes to the file of --log-file, and else to one in the usual
 * place. */
#include "cli/serve/background.h"

#include <stdio.h>

#include <uv.h>

#include "cli/control/place.h"
#include "cli/os/paths.h"

enum { DIRECTORY_MODE = 0700 };

static bool is_separator(char c)
{
  return c == '/' || (c == '\\' && uvr_paths_separator() == '\\');
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

uvr_detach_result uvr_background_begin(uvr_server *server, uvr_detached *out, int *status, uvrelay_error_t *error)
{
  char directory[UVR_CONTROL_PATH_SIZE];
  char lock[UVR_CONTROL_PATH_SIZE + 32];
  char errors[UVR_PATH_SIZE + 8];
  uvr_control_place place;
  uvr_detach_options options = {.errors = errors};
  if (uvr_paths_log(server->usual_log, error) != 0) {
    return UVR_DETACH_FAILED;
  }
  make_directories(server->usual_log);
  (void)snprintf(errors, sizeof(errors), "%s.start", server->usual_log);
  if (server->given.log_file == NULL) { /* that of a configuration file goes before it */
    server->given.log_file = server->usual_log;
  }
  if (server->given.control && uvr_control_place_make(&place, NULL) == 0 && uvr_control_directory(directory) == 0) {
    (void)snprintf(lock, sizeof(lock), "%s%cbackground.lock", directory, uvr_paths_separator());
    options.lock = lock;
  }
  return uvr_detach(&options, out, status, error);
}
