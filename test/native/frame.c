/* What scenarios say and share: see native.h. A scenario's lines go to main.c through standard output. */
#include "native.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096, WORDS_A_BLOCK = 512 };

static void say(const char *what, const char *format, va_list args)
{
  static HANDLE out; /* as it was at first: a console that is attached to may replace it */
  char line[LINE];
  DWORD written;
  if (out == NULL) {
    out = GetStdHandle(STD_OUTPUT_HANDLE);
  }
  int used = snprintf(line, sizeof(line), "%s ", what);
  (void)vsnprintf(line + used, sizeof(line) - (size_t)used - 2, format, args);
  for (char *at = line; *at != '\0'; at++) {
    if (*at == '\n' || *at == '\r') {
      *at = '|'; /* it is one line */
    }
  }
  size_t length = strlen(line);
  line[length] = '\n';
  (void)WriteFile(out, line, (DWORD)length + 1, &written, NULL);
}

_Noreturn void fail(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  say("failed", format, args);
  va_end(args);
  ExitProcess(1);
}

_Noreturn void skip(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  say("skipped", format, args);
  va_end(args);
  ExitProcess(0);
}

void step(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  say("step", format, args);
  va_end(args);
}

void note(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  say("note", format, args);
  va_end(args);
}

uint64_t now_ms(void)
{
  return GetTickCount64();
}

void *memory(size_t size)
{
  void *made = calloc(1, size);
  CHECK(made != NULL, "there is no memory");
  return made;
}

char *text(const char *format, ...)
{
  char line[LINE];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  size_t length = strlen(line) + 1;
  return memcpy(memory(length), line, length);
}

wchar_t *wide(const char *utf8)
{
  int length = MultiByteToWideChar(CP_UTF8, 0, utf8, -1, NULL, 0);
  wchar_t *made = memory((size_t)length * sizeof(wchar_t));
  (void)MultiByteToWideChar(CP_UTF8, 0, utf8, -1, made, length);
  return made;
}

bool under_wine(void)
{
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  return ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

/* Eight bytes of a pattern: those of splitmix64, which differ at every place. */
static uint64_t pattern_word(uint64_t seed, uint64_t number)
{
  uint64_t z = (seed << 40) + (number + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

void pattern_fill(uint64_t seed, uint64_t position, void *to, size_t length)
{
  char *out = to;
  while (length > 0) {
    uint64_t word = pattern_word(seed, position / 8);
    size_t offset = (size_t)(position % 8);
    size_t part = 8 - offset < length ? 8 - offset : length;
    memcpy(out, (const char *)&word + offset, part);
    out += part;
    position += part;
    length -= part;
  }
}

bool pattern_matches(uint64_t seed, uint64_t position, const void *bytes, size_t length)
{
  uint64_t words[WORDS_A_BLOCK];
  const char *at = bytes;
  while (length > 0) {
    size_t part = length < sizeof(words) ? length : sizeof(words);
    pattern_fill(seed, position, words, part);
    if (memcmp(words, at, part) != 0) {
      return false;
    }
    at += part;
    position += part;
    length -= part;
  }
  return true;
}

typedef struct task {
  void (*run)(void *);
  void *argument;
} task;

static DWORD WINAPI run_task(void *argument)
{
  task *t = argument;
  t->run(t->argument);
  return 0;
}

HANDLE background(void (*run)(void *), void *argument)
{
  task *t = memory(sizeof(*t));
  t->run = run;
  t->argument = argument;
  HANDLE thread = CreateThread(NULL, 256 * 1024, run_task, t, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  CHECK(thread != NULL, "cannot start a thread (error %lu)", GetLastError());
  return thread;
}

void join(HANDLE thread)
{
  (void)WaitForSingleObject(thread, INFINITE);
  (void)CloseHandle(thread);
}
