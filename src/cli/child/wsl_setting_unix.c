/* Settings: see wsl_setting_unix.h. */
#include "cli/child/wsl_setting_unix.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Removes blanks around a text. */
static char *trim(char *text)
{
  while (isspace((unsigned char)*text)) {
    text++;
  }
  size_t length = strlen(text);
  while (length > 0 && isspace((unsigned char)text[length - 1])) {
    text[--length] = '\0';
  }
  return text;
}

void uvr_wsl_setting(const char *etc, const char *name, const char *section, const char *key,
                     char value[UVR_WSL_SETTING_SIZE])
{
  char path[PATH_MAX];
  char line[UVR_WSL_SETTING_SIZE];
  bool within = section == NULL;
  int length = snprintf(path, sizeof(path), "%s/%s", etc, name);
  FILE *file = length > 0 && (size_t)length < sizeof(path) ? fopen(path, "re") : NULL;
  *value = '\0';
  while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
    char *text = trim(line);
    size_t end = strlen(text);
    char *equals = strchr(text, '=');
    if (section != NULL && text[0] == '[' && end > 1 && text[end - 1] == ']') {
      text[end - 1] = '\0';
      within = strcasecmp(trim(text + 1), section) == 0;
    } else if (within && equals != NULL && text[0] != '#') {
      *equals = '\0';
      char *given = trim(equals + 1);
      size_t size = strlen(given);
      bool quoted = size > 1 && given[0] == '"' && given[size - 1] == '"';
      if (strcasecmp(trim(text), key) == 0) {
        (void)snprintf(value, UVR_WSL_SETTING_SIZE, "%.*s", (int)(quoted ? size - 2 : size),
                       quoted ? given + 1 : given);
      }
    }
  }
  if (file != NULL) {
    (void)fclose(file);
  }
}
