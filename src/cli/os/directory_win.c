/* Making directories, on Windows: see directory.h. What is listened on there, pipes and ports, lies in none. */
#include "cli/os/directory.h"

#include <stddef.h>

int uvr_directory_make(const char *path, uvr_made_directories *made, uvrelay_error_t *error)
{
  (void)path;
  (void)made;
  (void)error;
  return 0;
}

int uvr_directory_make_for(const char *file, uvr_made_directories *made, uvrelay_error_t *error)
{
  return uvr_directory_make(file, made, error);
}

int uvr_directory_check_for(const char *file, uvrelay_error_t *error)
{
  return uvr_directory_make(file, NULL, error);
}

void uvr_made_directories_remove(uvr_made_directories *self)
{
  uvr_made_directories_clear(self);
}

void uvr_made_directories_clear(uvr_made_directories *self)
{
  *self = (uvr_made_directories){.count = 0};
}
