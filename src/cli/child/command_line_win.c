/* Command lines: see command_line_win.h. Programs split theirs by the rules of Microsoft's C runtime, in which a
 * backslash quotes only before a double quote. cmd.exe splits by other rules, in which nothing quotes a double quote
 * and a percent sign means a variable even within quotes. */
#include "cli/child/command_line_win.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <windows.h>

#include "base/text.h"
#include "cli/os/wide_win.h"

/* The directory is to be filled in; /d runs no AutoRun, /v:off leaves exclamation marks alone, /s keeps the quotes. */
static const wchar_t INTERPRETER[] = L"cmd.exe";
static const wchar_t OPTIONS[] = L"cmd.exe /d /v:off /s /c \"";

bool uvr_is_batch_file(const char *file)
{
  size_t length = strlen(file);
  return length > 4 && (uvr_is_same_word(file + length - 4, ".bat") || uvr_is_same_word(file + length - 4, ".cmd"));
}

bool uvr_is_batch_word(const char *word)
{
  return strpbrk(word, "\"%\r\n") == NULL;
}

/* Appends a word as the C runtime splits it. At the most, each character takes two, and there are two quotes. */
static wchar_t *add_word(wchar_t *out, const wchar_t *word)
{
  if (*word != L'\0' && wcspbrk(word, L" \t\n\v\"") == NULL) {
    return wcscpy(out, word) + wcslen(word);
  }
  *out++ = L'"';
  for (; *word != L'\0'; word++) {
    size_t backslashes = wcsspn(word, L"\\");
    const wchar_t *next = word + backslashes;
    size_t doubled = *next == L'"' || *next == L'\0' ? 2 * backslashes : backslashes;
    wmemset(out, L'\\', doubled);
    out += doubled;
    word = next;
    if (*word == L'\0') {
      break;
    }
    if (*word == L'"') {
      *out++ = L'\\';
    }
    *out++ = *word;
  }
  *out++ = L'"';
  return out;
}

/* Appends a word for cmd.exe, to which all but some characters may mean something. */
static wchar_t *add_batch_word(wchar_t *out, const wchar_t *word, bool quoted)
{
  for (const wchar_t *c = word; *c != L'\0'; c++) {
    quoted = quoted || (*c < 128 &&
                        wcschr(L"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:\\+", *c) == NULL);
  }
  bool quotes = quoted || *word == L'\0';
  if (quotes) {
    *out++ = L'"';
  }
  out = wcscpy(out, word) + wcslen(word);
  if (quotes) {
    *out++ = L'"';
  }
  return out;
}

/* cmd.exe of the system's directory. */
static wchar_t *find_interpreter(void)
{
  UINT size = GetSystemDirectoryW(NULL, 0);
  wchar_t *path = size > 0 ? malloc((size + sizeof(INTERPRETER) / sizeof(wchar_t) + 1) * sizeof(*path)) : NULL;
  if (path == NULL || GetSystemDirectoryW(path, size) >= size) {
    free(path);
    return NULL;
  }
  (void)wcscat(wcscat(path, L"\\"), INTERPRETER);
  return path;
}

static bool add_words(wchar_t *end, const char *file, char *const words[])
{
  bool batch = uvr_is_batch_file(file);
  wchar_t *begin = end;
  if (batch) {
    end = wcscpy(end, OPTIONS) + wcslen(OPTIONS);
  }
  for (size_t i = 0; words[i] != NULL; i++) {
    const char *text = batch && i == 0 ? file : words[i];
    wchar_t *word = uvr_to_wide(text);
    if (word == NULL || (batch && !uvr_is_batch_word(text))) {
      free(word);
      return false;
    }
    if (i > 0 && end > begin) {
      *end++ = L' ';
    }
    end = batch ? add_batch_word(end, word, i == 0) : add_word(end, word);
    free(word);
  }
  if (batch) {
    *end++ = L'"';
  }
  *end = L'\0';
  return true;
}

int uvr_command_line_make(const char *file, char *const words[], uvr_command_line *out)
{
  size_t room = strlen(file) + sizeof(OPTIONS) / sizeof(wchar_t) + 4;
  for (size_t i = 0; words[i] != NULL; i++) {
    room += 2 * strlen(words[i]) + 3;
  }
  *out = (uvr_command_line){.file = uvr_is_batch_file(file) ? find_interpreter() : uvr_to_wide(file),
                            .line = malloc(room * sizeof(wchar_t))};
  int code = out->file == NULL || out->line == NULL ? UV_ENOMEM : 0;
  code = code == 0 && !add_words(out->line, file, words) ? UV_EINVAL : code;
  if (code != 0) {
    uvr_command_line_clear(out);
  }
  return code;
}

void uvr_command_line_clear(uvr_command_line *self)
{
  free(self->file);
  free(self->line);
  *self = (uvr_command_line){.file = NULL};
}
