/* The names in the directory of places: see place_names.h. */
#include "cli/control/place_names.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

/* The number that the name is, followed by the ending; or 0. */
static int number_of(const char *name, const char *ending)
{
  size_t digits = strspn(name, "0123456789");
  if (digits == 0 || digits > 10 || *name == '0' || strcmp(name + digits, ending) != 0) {
    return 0;
  }
  unsigned long long number = strtoull(name, NULL, 10);
  return number <= INT_MAX ? (int)number : 0;
}

static int compare(const void *a, const void *b)
{
  int one = *(const int *)a;
  int two = *(const int *)b;
  return (one > two) - (one < two);
}

void uvr_control_names_each(const char *directory, const char *ending,
                            void (*found)(void *user, int process, const char *name), void *user)
{
  int numbers[UVR_CONTROL_NAMES_MAX] = {0};
  size_t count = 0;
  uv_fs_t request;
  uv_dirent_t entry;
  int code = uv_fs_scandir(NULL, &request, directory, 0, NULL);
  while (code >= 0 && count < UVR_CONTROL_NAMES_MAX && uv_fs_scandir_next(&request, &entry) == 0) {
    numbers[count] = number_of(entry.name, ending);
    count += numbers[count] > 0 ? 1 : 0;
  }
  uv_fs_req_cleanup(&request);
  qsort(numbers, count, sizeof(numbers[0]), compare);
  for (size_t i = 0; i < count; i++) {
    char name[32];
    (void)snprintf(name, sizeof(name), "%d%s", numbers[i], ending);
    found(user, numbers[i], name);
  }
}
