/* uvrelay.exe: see windows_program_unix.h. */
#include "cli/doctor/windows_program_unix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"
#include "cli/child/check_program.h"
#include "cli/child/wsl_drives_unix.h"
#include "cli/doctor/place.h"
#include "cli/doctor/wsl_unix.h"
#include "cli/facts/ask_facts.h"
#include "uvrelay/version.h"

enum { FACTS_MS = 12000 };

/* Finds its file, and makes the command of it unless --via is given. Returns 0, or a negative code and *error. */
static int find_file(uvr_doctor *doctor, uvrelay_error_t *error)
{
  if (doctor->command.file != NULL) { /* of --via, or found already */
    doctor->windows_file = strdup(doctor->command.file);
    return doctor->windows_file == NULL ? uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory") : 0;
  }
  int code = uvr_wsl_find_far_end(&doctor->wsl, &doctor->windows_file, error);
  return code;
}

/* Setup copies one of the right version, if it can find one: that of a package is. */
static void add_update_remedy(const uvr_doctor *doctor, uvr_check *check)
{
  char *installed = uvr_wsl_installed_program(&doctor->wsl);
  if (installed == NULL || strcmp(installed, doctor->windows_file) == 0) {
    uvr_check_add_remedy(check, "# put uvrelay.exe of version %s beside this program, then", UVRELAY_VERSION);
  }
  free(installed);
  uvr_doctor_add_setup_remedy(doctor->own, check);
}

static void add_file_remedy(const uvr_doctor *doctor, int code, const uvrelay_error_t *error, uvr_check *check)
{
  char word[UVR_SHELL_WORD_SIZE];
  char path[UVR_SHELL_WORD_SIZE] = "";
  const char *quote = strchr(error->text, '"');
  if (code == UV_EACCES && quote != NULL) { /* the text quotes the file */
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(quote + 1, "\""), quote + 1);
    uvr_check_add_remedy(check, "chmod +x %s", uvr_shell_word(word, path));
  } else {
    uvr_check_add_remedy(check, "# put uvrelay.exe beside this program, then");
    uvr_doctor_add_setup_remedy(doctor->own, check);
  }
}

/* Whether it is a program for Windows, at least by its beginning. */
static bool check_head(const uvr_doctor *doctor, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  uvr_program_head head;
  uvr_program_read(doctor->windows_file, &head);
  if (head.kind == UVR_PROGRAM_WINDOWS || head.kind == UVR_PROGRAM_SCRIPT || head.kind == UVR_PROGRAM_UNKNOWN) {
    return true;
  }
  uvr_check_set(check, UVR_CHECK_BAD, "%s is %s", uvr_quote(quoted, doctor->windows_file),
                head.kind == UVR_PROGRAM_EMPTY ? "empty"
                : head.kind == UVR_PROGRAM_ELF ? "a Linux program, not a Windows program"
                                               : "damaged: not a Windows program");
  uvr_check_add_remedy(check, "# replace it with uvrelay.exe of version %s, then", UVRELAY_VERSION);
  uvr_doctor_add_setup_remedy(doctor->own, check);
  return false;
}

static void check_disk(const uvr_doctor *doctor, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  char *real = realpath(doctor->windows_file, NULL);
  uvr_wsl_drives drives =
      uvr_wsl_find_drives(doctor->wsl.proc, doctor->wsl.virtiofs, real == NULL ? doctor->windows_file : real);
  bool slow = drives.first != NULL && !drives.within;
  bool none = drives.first == NULL;
  uvr_wsl_drives_clear(&drives);
  free(real);
  (void)uvr_quote(quoted, doctor->windows_file);
  if (none) {
    uvr_check_set(check, UVR_CHECK_OK, "%s is on the Linux disk", quoted); /* the drive has a check of its own */
  } else if (slow) {
    uvr_check_set(check, UVR_CHECK_WARNING, "%s is on the Linux disk, from which Windows starts it slowly", quoted);
    uvr_doctor_add_setup_remedy(doctor->own, check);
  } else {
    uvr_check_set(check, UVR_CHECK_OK, "%s, on a Windows drive", quoted);
  }
}

void uvr_doctor_check_windows_file(uvr_doctor *doctor, uvr_check *check)
{
  uvrelay_error_t error;
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  int code = find_file(doctor, &error);
  if (code != 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s", error.text);
    add_file_remedy(doctor, code, &error, check);
    return;
  }
  if (check_head(doctor, check)) {
    check_disk(doctor, check);
  }
}

static const char *or_unknown(const char *text)
{
  return text == NULL || *text == '\0' ? "unknown" : text;
}

void uvr_doctor_check_windows_facts(uvr_doctor *doctor, uvr_check *check)
{
  uvr_facts facts;
  uvrelay_error_t error;
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  int code = uvr_facts_ask_within(doctor->windows_file, FACTS_MS, &facts, &error);
  if (code != 0) {
    /* One that is older may still be of use as the far end, as the next check tells. */
    uvr_check_set(check, code == UV_ENOSYS ? UVR_CHECK_WARNING : UVR_CHECK_BAD, "%s", error.text);
    if (code == UV_ETIMEDOUT) {
      uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
    } else {
      add_update_remedy(doctor, check);
    }
    return;
  }
  const char *version = or_unknown(uvr_facts_get(&facts, "version", NULL));
  const char *wine = uvr_facts_get(&facts, "wine", NULL);
  uvr_check_set(check, UVR_CHECK_OK, "uvrelay.exe %s, run by %s on Windows %s%s%s, answered in %" PRIu64 " ms", version,
                or_unknown(uvr_facts_get(&facts, "user", NULL)), or_unknown(uvr_facts_get(&facts, "windows", NULL)),
                wine == NULL ? "" : ", really Wine ", wine == NULL ? "" : wine, facts.duration_ms);
  if (strcmp(version, UVRELAY_VERSION) != 0) {
    uvr_check_set(check, UVR_CHECK_WARNING, "uvrelay.exe is version %s, and this program is version %s", version,
                  UVRELAY_VERSION);
    add_update_remedy(doctor, check);
  }
  uvr_facts_clear(&facts);
}
