/* Windows drives: see wsl_drives_unix.h. A line of the mount table mounts a drive when it looks like one of
 *   C:\134 /mnt/c drvfs ...                        (WSL 1; C: is written as well)
 *   C:\134 /mnt/c 9p ...aname=drvfs;path=C:\;...   (WSL 2; the source may be another word)
 *   TAG /mnt/c virtiofs ...                        (WSL 2; TAG is a link in /run/wsl/virtiofs to C:\)
 *
 * Ways to fail: there is no table, no memory, or a line is not understood. The drive is then not found. */
#include "cli/child/wsl_drives_unix.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* Decodes \ooo, as which the mount table writes blanks and backslashes. */
static void unescape(char *text)
{
  char *to = text;
  for (; *text != '\0'; to++) {
    unsigned value;
    char digits[4] = {0};
    bool escaped = *text == '\\' && strnlen(text, 4) == 4;
    if (escaped) {
      memcpy(digits, text + 1, 3);
      escaped = uvr_number_parse(digits, 8, 255, &value);
    }
    *to = escaped ? (char)value : *text;
    text += escaped ? 4 : 1;
  }
  *to = '\0';
}

static bool is_drive(const char *path)
{
  return path[0] != '\0' && isalpha((unsigned char)path[0]) && path[1] == ':';
}

static bool is_drive_c(const char *path)
{
  return is_drive(path) && (path[0] == 'C' || path[0] == 'c') && strlen(path + 2) <= 1 &&
         strchr("\\/", path[2]) != NULL;
}

/* Writes to `path` which Windows path is mounted, or nothing if that is not a path of a drive. */
static void mounted_path(const char *virtiofs, const char *source, const char *type, const char *options, char *path,
                         size_t size)
{
  static const char shared[] = "aname=drvfs;path=";
  const char *option = strstr(options, shared);
  *path = '\0';
  if (strcmp(type, "virtiofs") == 0) {
    char link[PATH_MAX];
    int needed = snprintf(link, sizeof(link), "%s/%s", virtiofs, source);
    bool fits = needed > 0 && (size_t)needed < sizeof(link) && strchr(source, '/') == NULL;
    ssize_t length = fits ? readlink(link, path, size - 1) : -1;
    path[length < 0 ? 0 : length] = '\0';
  } else if (strcmp(type, "9p") == 0 && option != NULL) {
    option += sizeof(shared) - 1;
    (void)snprintf(path, size, "%.*s", (int)strcspn(option, ";,"), option);
  } else if (strcmp(type, "9p") == 0 || strcmp(type, "drvfs") == 0) {
    (void)snprintf(path, size, "%s", source);
  }
  if (!is_drive(path)) {
    *path = '\0';
  }
}

static bool is_within(const char *path, const char *directory)
{
  size_t length = strlen(directory);
  length -= length > 0 && directory[length - 1] == '/' ? 1 : 0;
  return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* A line of the table. */
typedef struct mount {
  char windows[PATH_MAX]; /* the Windows path that is mounted; empty: none is */
  const char *target;     /* where; in the line */
} mount;

static bool parse_line(const char *virtiofs, char *line, mount *out)
{
  char *rest = NULL;
  char *source = strtok_r(line, " \n", &rest);
  char *target = strtok_r(NULL, " \n", &rest);
  char *type = strtok_r(NULL, " \n", &rest);
  char *options = strtok_r(NULL, " \n", &rest);
  if (options == NULL) {
    return false;
  }
  unescape(source);
  unescape(target);
  unescape(options);
  mounted_path(virtiofs, source, type, options, out->windows, sizeof(out->windows));
  out->target = target;
  return true;
}

static void parse_mount(const char *virtiofs, char *line, const char *asked, size_t *longest, uvr_wsl_drives *drives)
{
  mount found = {.windows = ""};
  if (!parse_line(virtiofs, line, &found)) {
    return;
  }
  if (is_within(asked, found.target) && strlen(found.target) >= *longest) { /* a later mount hides an earlier one */
    *longest = strlen(found.target);
    drives->within = *found.windows != '\0';
  }
  if (*found.windows != '\0' && drives->first == NULL) {
    drives->first = strdup(found.target);
  }
  if (is_drive_c(found.windows) && drives->c == NULL) {
    drives->c = strdup(found.target);
  }
}

static FILE *open_table(const char *proc)
{
  char name[PATH_MAX];
  (void)snprintf(name, sizeof(name), "%s/mounts", proc);
  return fopen(name, "re");
}

uvr_wsl_drives uvr_wsl_find_drives(const char *proc, const char *virtiofs, const char *asked)
{
  uvr_wsl_drives drives = {.c = NULL};
  FILE *file = open_table(proc);
  char *line = NULL;
  size_t size = 0;
  size_t longest = 0;
  while (file != NULL && getline(&line, &size, file) > 0) {
    parse_mount(virtiofs, line, asked, &longest, &drives);
  }
  free(line);
  if (file != NULL) {
    (void)fclose(file);
  }
  return drives;
}

void uvr_wsl_drives_clear(uvr_wsl_drives *drives)
{
  free(drives->c);
  free(drives->first);
}

static bool is_same(char one, char other)
{
  one = one == '\\' ? '/' : (char)tolower((unsigned char)one);
  other = other == '\\' ? '/' : (char)tolower((unsigned char)other);
  return one == other;
}

/* What of a Windows path lies below another one, beginning with its separator or empty; NULL: it does not. */
static const char *below(const char *windows, const char *mounted)
{
  while (*mounted != '\0' && is_same(*windows, *mounted)) {
    windows++;
    mounted++;
  }
  if (strchr("\\/", *mounted) != NULL && (*mounted == '\0' || mounted[1] == '\0') && *windows == '\0') {
    return windows; /* the very directory, with or without a separator at its end */
  }
  if (*mounted != '\0') {
    return NULL;
  }
  bool separated = strchr("\\/", windows[-1]) != NULL;
  return separated ? windows - 1 : strchr("\\/", *windows) != NULL ? windows : NULL;
}

char *uvr_wsl_find_path(const char *proc, const char *virtiofs, const char *windows)
{
  FILE *file = open_table(proc);
  char *line = NULL;
  size_t size = 0;
  size_t shortest = SIZE_MAX;
  char *path = NULL;
  mount found = {.windows = ""};
  while (file != NULL && is_drive(windows) && getline(&line, &size, file) > 0) {
    const char *rest =
        parse_line(virtiofs, line, &found) && *found.windows != '\0' ? below(windows, found.windows) : NULL;
    if (rest == NULL || strlen(rest) >= shortest) {
      continue;
    }
    shortest = strlen(rest);
    size_t length = strlen(found.target);
    length -= length > 0 && found.target[length - 1] == '/' ? 1 : 0;
    free(path);
    path = NULL;
    if (asprintf(&path, "%.*s%s", (int)length, found.target, rest) < 0) {
      path = NULL;
      break;
    }
  }
  for (char *c = path; c != NULL && *c != '\0'; c++) {
    *c = *c == '\\' ? '/' : *c;
  }
  free(line);
  if (file != NULL) {
    (void)fclose(file);
  }
  return path;
}

char *uvr_wsl_find_windows_path(const char *proc, const char *virtiofs, const char *path)
{
  FILE *file = open_table(proc);
  char *line = NULL;
  size_t size = 0;
  size_t longest = 0;
  char *windows = NULL;
  mount found;
  while (file != NULL && getline(&line, &size, file) > 0) {
    if (!parse_line(virtiofs, line, &found) || !is_within(path, found.target) || strlen(found.target) < longest) {
      continue;
    }
    longest = strlen(found.target); /* a later mount hides an earlier one */
    free(windows);
    windows = NULL;
    size_t own = strlen(found.windows);
    own -= own > 0 && strchr("\\/", found.windows[own - 1]) != NULL ? 1 : 0;
    size_t start = longest - (longest > 0 && found.target[longest - 1] == '/' ? 1 : 0);
    if (own > 0 && asprintf(&windows, "%.*s%s", (int)own, found.windows, path + start) < 0) {
      windows = NULL;
    }
  }
  for (char *c = windows; c != NULL && *c != '\0'; c++) {
    *c = *c == '\\' ? '/' : *c;
  }
  free(line);
  if (file != NULL) {
    (void)fclose(file);
  }
  return windows;
}
