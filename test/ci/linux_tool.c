/* Stands in for a tool of Windows, such as gcc.exe: see rehearse.sh. Runs the tool of Linux that has the same name, in
 * the directory that REHEARSAL names, with Windows' paths in its arguments, and in files of arguments, made Linux's.
 *
 * Under Wine a Windows program can start one of Linux, but can neither wait for it nor share a pipe with it. So the
 * tool is run by a script that leaves its output and its status in files, for which this waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

enum { NAME_SIZE = 1024, POLL_MS = 2 };

static char work[NAME_SIZE]; /* REHEARSAL/tool-ID, as Linux knows it; Z: before it, as Wine does */

static void fail(const char *what)
{
  fprintf(stderr, "linux_tool: %s (%lu)\n", what, GetLastError());
  exit(125);
}

static FILE *open_file(const char *extension, const char *mode)
{
  char path[NAME_SIZE + 16];
  snprintf(path, sizeof(path), "Z:%s%s", work, extension);
  return fopen(path, mode);
}

/* The whole content of a file, followed by a NUL, or NULL. */
static char *read_file(FILE *file)
{
  size_t length = 0, size = 4096, got;
  char *text = malloc(size + 1);
  while (file != NULL && text != NULL && (got = fread(text + length, 1, size - length, file)) > 0) {
    length += got;
    if (length == size) {
      size *= 2;
      text = realloc(text, size + 1);
    }
  }
  if (file == NULL || text == NULL) {
    free(text);
    return NULL;
  }
  (void)fclose(file);
  text[length] = '\0';
  return text;
}

/* Z:\a\b and a\b become /a/b and a/b. A backslash before a quote stays. */
static char *translate(char *text)
{
  char *to = text;
  for (const char *from = text; *from != '\0'; from++) {
    if ((*from == 'Z' || *from == 'z') && from[1] == ':' && (from[2] == '/' || from[2] == '\\')) {
      from++;
      continue;
    }
    *to++ = (char)(*from == '\\' && from[1] != '"' ? '/' : *from);
  }
  *to = '\0';
  return text;
}

static void write_quoted(FILE *script, const char *word)
{
  (void)fputc('\'', script);
  for (; *word != '\0'; word++) {
    if (*word == '\'') {
      (void)fputs("'\\''", script);
    } else {
      (void)fputc(*word, script);
    }
  }
  (void)fputs("' ", script);
}

static void write_argument(FILE *script, char *argument, int number)
{
  if (argument[0] != '@') {
    write_quoted(script, translate(argument));
    return;
  }
  char name[NAME_SIZE + 32];
  char extension[16];
  char *arguments = read_file(fopen(argument + 1, "rb"));
  snprintf(extension, sizeof(extension), ".%d", number);
  FILE *copy = open_file(extension, "wb");
  if (arguments == NULL || copy == NULL || fputs(translate(arguments), copy) < 0 || fclose(copy) != 0) {
    fail("cannot copy a file of arguments");
  }
  free(arguments);
  snprintf(name, sizeof(name), "@%s%s", work, extension);
  write_quoted(script, name);
}

static void write_script(const char *directory, const char *tool, int argc, char **argv)
{
  char here[NAME_SIZE];
  FILE *script = open_file(".sh", "wb");
  if (script == NULL || GetCurrentDirectoryA(sizeof(here), here) == 0) {
    fail("cannot write the script");
  }
  fprintf(script, "cd ");
  write_quoted(script, translate(here));
  fprintf(script, "\nexec >%s.out 2>%s.err </dev/null\n%s/linux/%s ", work, work, directory, tool);
  for (int i = 1; i < argc; i++) {
    write_argument(script, argv[i], i);
  }
  fprintf(script, "\necho $? >%s.part\nmv %s.part %s.status\n", work, work, work);
  if (fclose(script) != 0) {
    fail("cannot write the script");
  }
}

static void start_script(void)
{
  char command[NAME_SIZE + 32];
  STARTUPINFOA startup = {.cb = sizeof(startup)};
  PROCESS_INFORMATION process;
  snprintf(command, sizeof(command), "sh %s.sh", work);
  if (!CreateProcessA("Z:\\bin\\sh", command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) {
    fail("cannot start /bin/sh");
  }
}

static void copy_file(const char *extension, FILE *to)
{
  char *text = read_file(open_file(extension, "rb"));
  if (text != NULL) {
    (void)fputs(text, to);
    free(text);
  }
}

int main(int argc, char **argv)
{
  char self[NAME_SIZE];
  const char *directory = getenv("REHEARSAL");
  if (directory == NULL || GetModuleFileNameA(NULL, self, sizeof(self)) == 0) {
    fail("REHEARSAL is not set");
  }
  char *tool = strrchr(self, '\\') + 1;
  *strrchr(tool, '.') = '\0';
  snprintf(work, sizeof(work), "%s/runs/%lu-%lu", directory, GetCurrentProcessId(), GetTickCount());
  write_script(directory, tool, argc, argv);
  start_script();
  char *status;
  while ((status = read_file(open_file(".status", "rb"))) == NULL) {
    Sleep(POLL_MS);
  }
  copy_file(".out", stdout);
  copy_file(".err", stderr);
  return atoi(status);
}
