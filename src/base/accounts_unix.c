/* Accounts: see accounts_unix.h. A line of /etc/passwd is NAME:PASSWORD:UID:GID:..., and the first that fits counts. */
#include "base/accounts_unix.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Returns the number of a line's account, and cuts the line after its name. */
static bool parse_line(char *line, uid_t *uid)
{
  unsigned number = 0;
  char *password = strchr(line, ':');
  char *digits = password == NULL ? NULL : strchr(password + 1, ':');
  if (digits == NULL) {
    return false;
  }
  *password = '\0';
  digits++;
  digits[strcspn(digits, ":\n")] = '\0';
  bool good = *line != '\0' && uvr_number_parse(digits, 10, UINT_MAX, &number);
  *uid = number;
  return good;
}

/* Finds the first line with this name, or with this number if the name is NULL. The caller frees *line, which begins
 * with the name. */
static bool find(const char *name, uid_t *uid, char **line)
{
  size_t size = 0;
  bool found = false;
  FILE *file = fopen("/etc/passwd", "re");
  *line = NULL;
  while (file != NULL && !found && getline(line, &size, file) > 0) {
    uid_t own = 0;
    found = parse_line(*line, &own) && (name == NULL ? own == *uid : strcmp(name, *line) == 0);
    *uid = found ? own : *uid;
  }
  if (file != NULL) {
    (void)fclose(file);
  }
  return found;
}

bool uvr_account_find(const char *name, uid_t *uid)
{
  char *line;
  uid_t own = 0;
  bool found = find(name, &own, &line);
  *uid = found ? own : *uid;
  free(line);
  return found;
}

bool uvr_account_name(uid_t uid, char *name, size_t size)
{
  char *line;
  bool found = find(NULL, &uid, &line);
  (void)snprintf(name, size, "%s", found ? line : "");
  free(line);
  return found;
}
