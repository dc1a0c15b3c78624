/* What went wrong with a process: see failure.h. */
#include "cli/child/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/child/check_program.h"

enum { SHELL_FAILED = 127 }; /* the status of a shell that cannot run something */

static bool is_there(const char *file)
{
  uv_fs_t request;
  int code = uv_fs_stat(NULL, &request, file, NULL);
  uv_fs_req_cleanup(&request);
  return code == 0;
}

static void set(uvrelay_error_t *error, int code, const char *name, const char *why)
{
  (void)uvr_error_set(error, UVRELAY_PHASE_CONNECT, code, "%s cannot be started: %s", name, why);
}

bool uvr_failure_to_start(const uvr_command *command, const char *name, const char *obstacle, int code,
                          uvrelay_error_t *error)
{
  uvrelay_error_t why;
  if (obstacle != NULL) {
    set(error, UV_EFTYPE, name, obstacle);
    return true;
  }
  if (uvr_program_check(command->argv[0], command->file, &why) != 0) {
    set(error, code, name, why.text);
    return true;
  }
  if (code == UV_ENOENT && is_there(command->file)) {
    set(error, code, name, "its file exists, but something that it needs does not");
    return true;
  }
  /* With glibc, a shell would have tried to read it. */
  const char *doubt = uvr_program_doubt(command->file, code == -ENOEXEC ? SHELL_FAILED : 0);
  (void)uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, code, 0, "%s cannot be started: %s", name,
                             doubt != NULL ? doubt : uv_strerror(code));
  return doubt != NULL || code == UV_EFTYPE || code == UV_EISDIR || code == UV_EACCES;
}

bool uvr_failure_by_exit(const uvr_command *command, const char *name, bool up, const uvr_child_exit *exit,
                         uvrelay_error_t *error)
{
  const char *doubt = up ? NULL : uvr_program_doubt(command->file, exit->status);
  const char *when = up ? "" : " at once";
  const size_t size = sizeof(error->text);
  if (exit->signal != 0) {
    (void)snprintf(error->text, size, "%s was killed%s by signal %d", name, when, exit->signal);
  } else if (exit->status > UINT16_MAX || exit->status < 0) { /* a Windows error */
    (void)snprintf(error->text, size, "%s exited%s with status 0x%08" PRIx64, name, when,
                   (uint64_t)exit->status & UINT32_MAX);
  } else {
    (void)snprintf(error->text, size, "%s exited%s with status %" PRId64, name, when, exit->status);
  }
  if (doubt != NULL) {
    size_t length = strlen(error->text);
    (void)snprintf(error->text + length, size - length, ", because %s", doubt);
  }
  return doubt != NULL;
}
