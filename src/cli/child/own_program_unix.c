/* This program's file: see own_program_unix.h. */
#include "cli/child/own_program_unix.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/child/find_program.h"

/* What Linux adds to the name of a program whose file is gone, or another one by now. */
#define DELETED " (deleted)"

char *uvr_own_program(bool *on_path)
{
  char own[PATH_MAX];
  char real[PATH_MAX];
  char *found = NULL;
  ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
  own[length < 0 ? 0 : length] = '\0';
  size_t end = strlen(own) - (strlen(own) < sizeof(DELETED) ? 0 : sizeof(DELETED) - 1);
  if (strcmp(own + end, DELETED) == 0) {
    own[end] = '\0';
  }
  bool is_found =
      uvr_find_program("uvrelay", NULL, &found, NULL) == 0 && realpath(found, real) != NULL && strcmp(real, own) == 0;
  if (on_path != NULL) {
    *on_path = is_found;
  }
  if (is_found) {
    return found;
  }
  free(found);
  return *own == '\0' ? NULL : strdup(own);
}
