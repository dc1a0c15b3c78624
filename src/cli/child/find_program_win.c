/* Finding a program: see find_program.h. A name with a slash or a drive is a path; any other name is searched for where
 * the system searches. Both are tried with ".exe" behind a name that has no extension. */
#include "cli/child/find_program.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

static wchar_t *to_wide(const char *text)
{
  int size = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
  wchar_t *wide = size > 0 ? malloc((size_t)size * sizeof(*wide)) : NULL;
  if (wide != NULL) {
    (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, size);
  }
  return wide;
}

static char *to_utf8(const wchar_t *wide)
{
  int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  char *text = size > 0 ? malloc((size_t)size) : NULL;
  if (text != NULL) {
    (void)WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
  }
  return text;
}

/* The absolute path of a file, with `extension` behind it. The file need not exist. To be freed. */
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

/* The file that the system finds by its name, or NULL. To be freed. */
static wchar_t *search(const wchar_t *name, const wchar_t *path)
{
  DWORD size = SearchPathW(path, name, L".exe", 0, NULL, NULL);
  wchar_t *file = size > 0 ? malloc(size * sizeof(*file)) : NULL;
  if (file != NULL && SearchPathW(path, name, L".exe", size, file, NULL) >= size) {
    free(file);
    return NULL;
  }
  return file;
}

static bool is_there(const wchar_t *path)
{
  return path != NULL && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

/* The program's file, or NULL. Sets *placed if the name is a path, so that nothing was searched. */
static wchar_t *find(const wchar_t *name, const wchar_t *path, bool *placed)
{
  *placed = wcspbrk(name, L"/\\:") != NULL;
  if (!*placed) {
    return search(name, path);
  }
  wchar_t *file = full_path(name, L"");
  if (!is_there(file)) {
    free(file);
    file = full_path(name, L".exe");
  }
  if (!is_there(file)) {
    free(file);
    return NULL;
  }
  return file;
}

int uvr_find_program(const char *name, const char *path, char **file, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  bool placed = false;
  wchar_t *wide_name = to_wide(name);
  wchar_t *wide_path = path != NULL ? to_wide(path) : NULL;
  *file = NULL;
  if (wide_name == NULL || (path != NULL && wide_path == NULL)) {
    free(wide_name);
    free(wide_path);
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory");
  }
  wchar_t *found = find(wide_name, wide_path, &placed);
  free(wide_name);
  free(wide_path);
  if (found == NULL) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, UV_ENOENT, ERROR_FILE_NOT_FOUND,
                                placed ? "cannot find the program %s: there is no such file"
                                       : "cannot find the program %s: it is in none of the directories of PATH",
                                uvr_quote(quoted, name));
  }
  DWORD attributes = GetFileAttributesW(found);
  *file = to_utf8(found);
  free(found);
  if (*file == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory");
  }
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
    free(*file);
    *file = NULL;
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, UV_EACCES, ERROR_ACCESS_DENIED,
                                "cannot execute the program %s: it is a directory", uvr_quote(quoted, name));
  }
  return 0;
}

bool uvr_backslash_quotes(void)
{
  return false;
}
