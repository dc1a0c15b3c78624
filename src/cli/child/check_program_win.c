/* What Windows starts: see check_program.h. Programs for Windows whose name has an extension, and batch files, which
 * cmd.exe runs. */
#include "cli/child/check_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/command_line_win.h"

static int refuse(const char *name, uvrelay_error_t *error, const char *why)
{
  char quoted[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EFTYPE, "cannot execute the program %s: %s",
                       uvr_quote(quoted, name), why);
}

/* The name of the file, without its directory. */
static const char *base_name(const char *file)
{
  const char *slash = strrchr(file, '\\');
  const char *other = strrchr(file, '/');
  slash = slash == NULL || (other != NULL && other > slash) ? other : slash;
  return slash == NULL ? file : slash + 1;
}

/* The extension, without its dot, or "". */
static const char *extension_of(const char *file)
{
  const char *dot = strrchr(base_name(file), '.');
  return dot == NULL ? "" : dot + 1;
}

/* Writes the path that WSL has for an absolute path of Windows, or PATH if it may have none. */
static void write_linux_path(char *out, size_t size, const char *file)
{
  const char *rest = NULL;
  static const char *const prefixes[] = {"\\\\wsl$\\", "\\\\wsl.localhost\\"};
  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
    size_t length = strlen(prefixes[i]);
    if (_strnicmp(file, prefixes[i], length) == 0) {
      rest = strchr(file + length, '\\'); /* after the distribution */
    }
  }
  if (rest != NULL) {
    (void)snprintf(out, size, "%s", rest);
  } else if (file[0] != '\0' && file[1] == ':' && file[2] == '\\') {
    (void)snprintf(out, size, "/mnt/%c%s", file[0] | 0x20, file + 2);
  } else {
    (void)snprintf(out, size, "PATH");
  }
  for (char *c = out; *c != '\0'; c++) {
    *c = *c == '\\' ? '/' : *c;
  }
}

static int check_windows(const char *name, const char *file, const uvr_program_head *head, uvrelay_error_t *error)
{
  char why[256];
  size_t start = (size_t)uvr_program_number(head, 60, 4, false);
  bool in_head = start > 0 && head->length >= 24 && start <= head->length - 24;
  if (!in_head && head->length < sizeof(head->bytes)) {
    return refuse(name, error, "it is not a complete program");
  }
  if (in_head && memcmp(head->bytes + start, "PE\0\0", 4) != 0) {
    return refuse(name, error, "it is for DOS");
  }
  if (in_head && (uvr_program_number(head, start + 22, 2, false) & 0x2000) != 0) {
    return refuse(name, error, "it is a library (DLL)");
  }
  if (strchr(base_name(file), '.') == NULL) {
    (void)snprintf(why, sizeof(why), "its name has no extension, so Windows does not start it: rename it to %.100s.exe",
                   base_name(file));
    return refuse(name, error, why);
  }
  return 0;
}

/* A script or any other text. */
static int check_text(const char *name, const char *file, const uvr_program_head *head, uvrelay_error_t *error)
{
  static const struct {
    const char *extension, *interpreter;
  } known[] = {{"ps1", "powershell.exe -File"},
               {"py", "py.exe"},
               {"js", "node.exe"},
               {"mjs", "node.exe"},
               {"pl", "perl.exe"},
               {"rb", "ruby.exe"},
               {"vbs", "cscript.exe //nologo"},
               {"sh", "wsl.exe -e sh"}};
  char why[512];
  char path[256];
  const char *extension = extension_of(file);
  const char *interpreter = NULL;
  if (uvr_is_batch_file(file)) {
    return 0;
  }
  write_linux_path(path, sizeof(path), file);
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    interpreter = uvr_is_same_word(extension, known[i].extension) ? known[i].interpreter : interpreter;
  }
  char *line = uvr_program_interpreter(head);
  if (line != NULL) {
    line[strcspn(line, "\r")] = '\0'; /* it may have been written on Windows */
  }
  if (line != NULL && *line != '\0') {
    (void)snprintf(why, sizeof(why),
                   "it is a script for %.60s: write \"wsl.exe -e %.200s\", or put its interpreter before it", line,
                   path);
  } else if (interpreter != NULL && strncmp(interpreter, "wsl.exe", 7) == 0) {
    (void)snprintf(why, sizeof(why), "it is a script: write \"%s %.200s\"", interpreter, path);
  } else if (interpreter != NULL) {
    (void)snprintf(why, sizeof(why), "it is a script: write \"%s PATH\"", interpreter);
  } else {
    (void)snprintf(why, sizeof(why), "it is a text, not a program: put the program that reads it before it");
  }
  free(line);
  return refuse(name, error, why);
}

int uvr_program_check(const char *name, const char *file, uvrelay_error_t *error)
{
  char why[512];
  char path[256];
  uvr_program_head head;
  uvr_program_read(file, &head);
  switch (head.kind) {
  case UVR_PROGRAM_EMPTY:
    return refuse(name, error, "it is empty");
  case UVR_PROGRAM_ELF:
    write_linux_path(path, sizeof(path), file);
    (void)snprintf(why, sizeof(why), "it is for Linux: write \"wsl.exe -e %.200s mux\"", path);
    return refuse(name, error, why);
  case UVR_PROGRAM_WINDOWS:
    return check_windows(name, file, &head, error);
  case UVR_PROGRAM_SCRIPT:
  case UVR_PROGRAM_TEXT:
    return check_text(name, file, &head, error);
  case UVR_PROGRAM_BINARY:
    return refuse(name, error, "it is not a program");
  case UVR_PROGRAM_UNKNOWN: /* such as an alias of the Store, which cannot be read and can be started */
    break;
  }
  return 0;
}

int uvr_program_check_words(const char *file, char *const words[], uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char also[UVR_QUOTED_SIZE];
  const char *wrong = uvr_is_batch_file(file) && !uvr_is_batch_word(file) ? file : NULL;
  for (size_t i = 1; uvr_is_batch_file(file) && wrong == NULL && words[i] != NULL; i++) {
    wrong = uvr_is_batch_word(words[i]) ? NULL : words[i];
  }
  return wrong == NULL ? 0
                       : uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                                       "cannot execute the program %s: it is a batch file, and %s has a character that "
                                       "cmd.exe would change (a percent sign, a double quote or the end of a line): "
                                       "put it into the batch file, or use a program",
                                       uvr_quote(quoted, words[0]), uvr_quote(also, wrong));
}

const char *uvr_program_obstacle(const char *file)
{
  (void)file;
  return NULL;
}

const char *uvr_program_doubt(const char *file, long long status)
{
  (void)file;
  (void)status;
  return NULL;
}

bool uvr_program_is_foreign_path(const char *line, uvrelay_error_t *error)
{
  char path[256];
  char quoted[UVR_QUOTED_SIZE];
  line += strspn(line, " \t\r\n");
  const char quote = *line == '"' || *line == '\'' ? *line++ : ' ';
  if (*line != '/' || line[1] == '/') {
    return false;
  }
  size_t length = strcspn(line, quote == '"' ? "\"" : quote == '\'' ? "'" : " \t\r\n");
  (void)snprintf(path, sizeof(path), "%.*s", (int)(length < 200 ? length : 200), line);
  (void)uvr_error_set(
      error, UVRELAY_PHASE_NONE, UV_ENOENT,
      "cannot find the program %s: there is no such file; for a Linux program, write \"wsl.exe -e %s ...\"",
      uvr_quote(quoted, path), path);
  return true;
}
