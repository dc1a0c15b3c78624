/* Files on Unix: see place.h. */
#include "cli/doctor/place.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/accounts_unix.h"
#include "base/text.h"
#include "cli/child/own_program_unix.h"
#include "cli/child/trusted_file_unix.h"

void uvr_doctor_check_file(const char *path, uvr_check *check)
{
  struct stat status;
  char quoted[UVR_QUOTED_SIZE];
  char word[UVR_SHELL_WORD_SIZE];
  if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
    return;
  }
  if (!uvr_is_trusted(status.st_uid)) {
    uvr_check_worsen(check, UVR_CHECK_WARNING, "%s belongs to another user, number %u, who can change what is served",
                     uvr_quote(quoted, path), (unsigned)status.st_uid);
    uvr_check_add_remedy(check, "sudo chown \"$(id -u)\" %s", uvr_shell_word(word, path));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    uvr_check_worsen(check, UVR_CHECK_WARNING, "other users can write to %s and change what is served",
                     uvr_quote(quoted, path));
    uvr_check_add_remedy(check, "chmod go-w %s", uvr_shell_word(word, path));
  }
}

const char *uvr_doctor_own_command(char word[UVR_SHELL_WORD_SIZE])
{
  bool on_path = false;
  char *program = uvr_own_program(&on_path);
  (void)uvr_shell_word(word, on_path || program == NULL ? "uvrelay" : program);
  free(program);
  return word;
}

void uvr_doctor_add_setup_remedy(const char *own, uvr_check *check)
{
  if (own == NULL) {
    uvr_check_add_remedy(check, "# write the file, with a line LISTEN=TARGET for each route");
  } else {
    uvr_check_add_remedy(check, "%s setup", own);
  }
}
