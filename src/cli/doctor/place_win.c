/* Files on Windows: see place.h. Who may write to one is in no few words there; the directory of the user's own
 * configuration is closed to others by Windows. */
#include "cli/doctor/place.h"

void uvr_doctor_check_file(const char *path, uvr_check *check)
{
  (void)path;
  (void)check;
}

const char *uvr_doctor_setup_remedy(void)
{
  return "# write the file: a line LISTEN=TARGET for each route";
}
