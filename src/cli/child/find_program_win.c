/* Finding a program: see find_program.h. A name with a slash or a drive is a path; any other name is searched for in
 * PATH, but never in the current directory, where somebody may have put a program of that name. SearchPathW and
 * CreateProcessW would look there first.
 *
 * After the name, the extensions of PATHEXT are tried that CreateProcessW and cmd.exe start by themselves. */
#include "cli/child/find_program.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/os/wide_win.h"

/* The absolute path of a file, with `extension` after it. The file need not exist. To be freed. */
static wchar_t *full_path(const wchar_t *name, const wchar_t *extension)
{
  DWORD size = GetFullPathNameW(name, 0, NULL, NULL);
  wchar_t *path = size > 0 ? malloc((size + wcslen(extension)) * sizeof(*path)) : NULL;
  if (path == NULL || GetFullPathNameW(name, size, path, NULL) >= size) {
    free(path);
    return NULL;
  }
  (void)wcscat(path, extension);
  return path;
}

/* The value of a variable of the environment, or NULL. To be freed. */
static wchar_t *get_variable(const wchar_t *name)
{
  DWORD size = GetEnvironmentVariableW(name, NULL, 0);
  wchar_t *value = size > 0 ? malloc(size * sizeof(*value)) : NULL;
  if (value != NULL && GetEnvironmentVariableW(name, value, size) >= size) {
    free(value);
    return NULL;
  }
  return value;
}

/* What is at a path: whether it exists and is not a directory. */
static bool is_file(const wchar_t *path, bool *directory)
{
  DWORD attributes = GetFileAttributesW(path);
  bool there = attributes != INVALID_FILE_ATTRIBUTES;
  *directory = *directory || (there && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0);
  return there && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

/* The file of this path with an extension after it, or NULL. To be freed. */
static wchar_t *try_extension(const wchar_t *path, const wchar_t *extension, bool *directory)
{
  wchar_t *file = full_path(path, extension);
  if (file != NULL && !is_file(file, directory)) {
    free(file);
    return NULL;
  }
  return file;
}

/* The file of this path, as it is or with one of the extensions after it, or NULL. To be freed. */
static wchar_t *try_path(const wchar_t *path, bool as_it_is, const wchar_t *extensions, bool *directory)
{
  static const wchar_t *const started[] = {L".com", L".exe", L".bat", L".cmd"};
  wchar_t *file = as_it_is ? try_extension(path, L"", directory) : NULL;
  for (const wchar_t *next = extensions; file == NULL && *next != L'\0';) {
    size_t length = wcscspn(next, L";");
    for (size_t i = 0; file == NULL && i < sizeof(started) / sizeof(started[0]); i++) {
      bool same = length == wcslen(started[i]) && _wcsnicmp(next, started[i], length) == 0;
      file = same ? try_extension(path, started[i], directory) : NULL;
    }
    next += length + (next[length] == L';' ? 1 : 0);
  }
  return file;
}

/* Whether a directory of PATH is the same whatever the current directory is. */
static bool is_absolute(const wchar_t *path)
{
  bool drive = (path[0] >= L'A' && path[0] <= L'Z') || (path[0] >= L'a' && path[0] <= L'z');
  return (drive && path[1] == L':' && (path[2] == L'\\' || path[2] == L'/')) ||
         ((path[0] == L'\\' || path[0] == L'/') && (path[1] == L'\\' || path[1] == L'/'));
}

/* Copies the first directory of PATH, without its quotes, and returns what follows it. */
static const wchar_t *copy_directory(const wchar_t *search, wchar_t *directory)
{
  bool quoted = false;
  for (; *search != L'\0' && (quoted || *search != L';'); search++) {
    if (*search == L'"') {
      quoted = !quoted;
    } else {
      *directory++ = *search;
    }
  }
  *directory = L'\0';
  return *search == L';' ? search + 1 : search;
}

/* The file of this name in the directories of PATH, or NULL. To be freed. */
static wchar_t *search_for(const wchar_t *name, const wchar_t *search, const wchar_t *extensions)
{
  wchar_t *path = malloc((wcslen(search) + wcslen(name) + 2) * sizeof(*path));
  wchar_t *file = NULL;
  bool directory = false;
  while (path != NULL && file == NULL && *search != L'\0') {
    search = copy_directory(search, path);
    if (is_absolute(path)) {
      (void)wcscat(wcscat(path, L"\\"), name);
      file = try_path(path, wcschr(name, L'.') != NULL, extensions, &directory);
    }
  }
  free(path);
  return file;
}

static int refuse_path(const char *name, bool directory, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  return directory ? uvr_error_set_system(error, UVRELAY_PHASE_NONE, UV_EACCES, ERROR_ACCESS_DENIED,
                                          "cannot execute the program %s: it is a directory", uvr_quote(quoted, name))
                   : uvr_error_set_system(error, UVRELAY_PHASE_NONE, UV_ENOENT, ERROR_FILE_NOT_FOUND,
                                          "cannot find the program %s: there is no such file", uvr_quote(quoted, name));
}

/* `here`: the current directory has one. */
static int refuse_name(const char *name, const wchar_t *search, bool here, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char where[UVR_QUOTED_SIZE];
  char *text = uvr_to_utf8(search);
  (void)uvr_error_set_system(error, UVRELAY_PHASE_NONE, UV_ENOENT, ERROR_FILE_NOT_FOUND,
                             "cannot find the program %s: it is not in any directory of PATH, %s%s%.100s",
                             uvr_quote(quoted, name), uvr_quote(where, text == NULL ? "" : text),
                             here ? ", and the current directory is not searched: write .\\" : "", here ? name : "");
  free(text);
  return UV_ENOENT;
}

static wchar_t *find(const char *name, const wchar_t *wide, const wchar_t *search, uvrelay_error_t *error)
{
  wchar_t *found = get_variable(L"PATHEXT");
  const wchar_t *extensions = found != NULL ? found : L".COM;.EXE;.BAT;.CMD";
  bool directory = false;
  bool placed = wcspbrk(wide, L"/\\:") != NULL;
  wchar_t *file = placed ? try_path(wide, true, extensions, &directory) : search_for(wide, search, extensions);
  if (file == NULL && placed) {
    (void)refuse_path(name, directory, error);
  } else if (file == NULL) {
    wchar_t *here = try_path(wide, wcschr(wide, L'.') != NULL, extensions, &directory);
    (void)refuse_name(name, search, here != NULL, error);
    free(here);
  }
  free(found);
  return file;
}

int uvr_find_program(const char *name, const char *path, char **file, uvrelay_error_t *error)
{
  uvrelay_error_t why = {.code = UV_ENOMEM};
  wchar_t *wide = uvr_to_wide(name);
  wchar_t *search = path != NULL ? uvr_to_wide(path) : get_variable(L"PATH");
  *file = NULL;
  wchar_t *found = wide == NULL ? NULL : find(name, wide, search != NULL ? search : L"", &why);
  free(wide);
  free(search);
  *file = found == NULL ? NULL : uvr_to_utf8(found);
  if (*file == NULL && (found != NULL || why.code == UV_ENOMEM)) {
    (void)uvr_error_set(&why, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  }
  free(found);
  if (*file == NULL && error != NULL) {
    *error = why;
  }
  return *file == NULL ? why.code : 0;
}

bool uvr_backslash_quotes(void)
{
  return false;
}
