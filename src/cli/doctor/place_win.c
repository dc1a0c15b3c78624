/* Files on Windows: see place.h. Who may write to one cannot be said in a few words there; the directory of the user's
 * own configuration is closed to others by Windows. */
#include "cli/doctor/place.h"

#include <stdio.h>

void uvr_doctor_check_file(const char *path, uvr_check *check)
{
  (void)path;
  (void)check;
}

const char *uvr_doctor_own_command(char word[UVR_SHELL_WORD_SIZE])
{
  (void)snprintf(word, UVR_SHELL_WORD_SIZE, "uvrelay");
  return word;
}

void uvr_doctor_add_setup_remedy(const char *own, uvr_check *check)
{
  (void)own;
  uvr_check_add_remedy(check, "# write the file, with a line LISTEN=TARGET for each route");
}
