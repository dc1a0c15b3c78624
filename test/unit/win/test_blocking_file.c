/* Calls that block on standard handles of Windows, where the system answers in ways that Wine's pipes never do, or that
 * depend on timing: an empty write to a pipe of the byte type, a pipe that accepts nothing or a part, one that stops
 * waiting in the middle. The pipes are real; the answers in between are this file's, which ReadFile and WriteFile give
 * instead of a call. */
#include <fcntl.h>
#include <io.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stream/blocking_file.h"

enum { ANSWERS_MAX = 8, TRIES_MAX = 100, BYTES = 20000 };

/* What the next calls return instead of asking the system. */
typedef struct answer {
  DWORD error;
  DWORD most; /* without an error: so many bytes at most, by a real call; 0: none, without one */
} answer;

static answer answers[ANSWERS_MAX];
static size_t answer_count;
static size_t answers_given;

static const answer *next_answer(void)
{
  return answers_given < answer_count ? &answers[answers_given++] : NULL;
}

static void set_answers(size_t count, const answer *list)
{
  memcpy(answers, list, count * sizeof(*list));
  answer_count = count;
  answers_given = 0;
}

typedef BOOL(WINAPI *read_file)(HANDLE, LPVOID, DWORD, LPDWORD, LPOVERLAPPED);
typedef BOOL(WINAPI *write_file)(HANDLE, LPCVOID, DWORD, LPDWORD, LPOVERLAPPED);
typedef void (*any_call)(void);

static any_call real(const char *name)
{
  return (any_call)GetProcAddress(GetModuleHandleW(L"kernel32.dll"), name);
}

static BOOL WINAPI my_read(HANDLE file, LPVOID data, DWORD size, LPDWORD bytes, LPOVERLAPPED overlapped)
{
  const answer *a = next_answer();
  if (a != NULL && (a->error != 0 || a->most == 0)) {
    *bytes = 0;
    SetLastError(a->error);
    return a->error == 0;
  }
  return ((read_file)real("ReadFile"))(file, data, a != NULL && a->most < size ? a->most : size, bytes, overlapped);
}

static BOOL WINAPI my_write(HANDLE file, LPCVOID data, DWORD size, LPDWORD bytes, LPOVERLAPPED overlapped)
{
  const answer *a = next_answer();
  if (a != NULL && (a->error != 0 || a->most == 0)) {
    *bytes = 0;
    SetLastError(a->error);
    return a->error == 0;
  }
  return ((write_file)real("WriteFile"))(file, data, a != NULL && a->most < size ? a->most : size, bytes, overlapped);
}

// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c): these names are the linker's
extern const read_file __imp_ReadFile;
extern const write_file __imp_WriteFile;
const read_file __imp_ReadFile = my_read;
const write_file __imp_WriteFile = my_write;
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c)

typedef struct ends {
  HANDLE ours;
  uv_file fd;
  uvr_blocking_file file;
} ends;

/* A pipe of the byte type whose reading end, or writing end, is under test. */
static ends make(bool reads, DWORD mode)
{
  HANDLE reading;
  HANDLE writing;
  assert_true(CreatePipe(&reading, &writing, NULL, BYTES * 2));
  ends e = {.ours = reads ? writing : reading};
  HANDLE theirs = reads ? reading : writing;
  assert_true(SetNamedPipeHandleState(theirs, &mode, NULL, NULL));
  e.fd = _open_osfhandle((intptr_t)theirs, _O_BINARY);
  assert_true(e.fd >= 0);
  e.file = uvr_blocking_file_of(e.fd, false);
  return e;
}

static void put(const ends *e, const char *text)
{
  DWORD bytes;
  assert_true(((write_file)real("WriteFile"))(e->ours, text, (DWORD)strlen(text), &bytes, NULL));
}

static void assert_read(ends *e, const char *text)
{
  char data[64];
  ssize_t count = uvr_blocking_file_read(&e->file, data, sizeof(data));
  assert_int_equal(count, strlen(text));
  assert_memory_equal(data, text, strlen(text));
}

static void test_an_empty_write_is_no_end(void **state)
{
  (void)state;
  ends e = make(true, PIPE_WAIT);
  set_answers(3, (const answer[]){{0, 0}, {0, 0}, {0, 2}});
  put(&e, "hello");
  assert_read(&e, "he");
  assert_int_equal(answers_given, 3);
  assert_read(&e, "llo");
  CloseHandle(e.ours);
  set_answers(1, (const answer[]){{0, 0}}); /* the writer has gone meanwhile */
  assert_int_equal(uvr_blocking_file_read(&e.file, (char[1]){0}, 1), 0);
  assert_int_equal(answers_given, 1);
  set_answers(0, NULL);
  assert_int_equal(uvr_blocking_file_read(&e.file, (char[1]){0}, 1), 0);
  _close(e.fd);
}

static void test_an_empty_pipe_that_does_not_wait_is_no_end(void **state)
{
  (void)state;
  ends e = make(true, PIPE_WAIT); /* somebody has changed it and back, so that its state tells nothing */
  set_answers(2, (const answer[]){{ERROR_NO_DATA, 0}, {ERROR_NO_DATA, 0}});
  put(&e, "hello");
  assert_read(&e, "hello");
  assert_int_equal(answers_given, 2);
  CloseHandle(e.ours);
  set_answers(1, (const answer[]){{ERROR_NO_DATA, 0}});
  assert_int_equal(uvr_blocking_file_read(&e.file, (char[1]){0}, 1), 0);
  _close(e.fd);
}

static void test_an_error_is_an_error(void **state)
{
  (void)state;
  ends e = make(true, PIPE_WAIT);
  set_answers(1, (const answer[]){{ERROR_NO_SYSTEM_RESOURCES, 0}});
  assert_int_equal(uvr_blocking_file_read(&e.file, (char[1]){0}, 1), uv_translate_sys_error(ERROR_NO_SYSTEM_RESOURCES));
  _close(e.fd);
  assert_int_equal(uvr_blocking_file_read(&(uvr_blocking_file){.fd = -1}, (char[1]){0}, 1), UV_EBADF);
  CloseHandle(e.ours);
}

static void test_short_and_empty_writes_lose_nothing(void **state)
{
  static char data[BYTES];
  static char got[BYTES];
  (void)state;
  for (size_t i = 0; i < BYTES; i++) {
    data[i] = (char)(i % 251);
  }
  ends e = make(false, PIPE_WAIT);
  set_answers(6, (const answer[]){{0, 7000}, {0, 0}, {0, 1}, {0, 0}, {0, 0}, {0, 3}});
  assert_int_equal(uvr_blocking_file_write(&e.file, data, BYTES), 0);
  assert_int_equal(answers_given, 6);
  DWORD have = 0;
  for (unsigned i = 0; have < BYTES && i < TRIES_MAX; i++) {
    DWORD bytes = 0;
    assert_true(((read_file)real("ReadFile"))(e.ours, got + have, BYTES - have, &bytes, NULL));
    have += bytes;
  }
  assert_memory_equal(got, data, BYTES);
  CloseHandle(e.ours);
  set_answers(1, (const answer[]){{0, 0}}); /* nothing is accepted, and then the reader has gone */
  assert_int_equal(uvr_blocking_file_write(&e.file, data, 1), UV_EPIPE);
  const DWORD gone[] = {ERROR_NO_DATA, ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED};
  for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
    set_answers(1, (const answer[]){{gone[i], 0}});
    assert_int_equal(uvr_blocking_file_write(&e.file, data, 1), UV_EPIPE);
  }
  _close(e.fd);
}

static void test_what_is_no_pipe_and_accepts_nothing(void **state)
{
  (void)state;
  uv_file fd = _open("NUL", _O_WRONLY | _O_BINARY);
  uvr_blocking_file file = uvr_blocking_file_of(fd, false);
  set_answers(1, (const answer[]){{0, 0}});
  assert_int_equal(uvr_blocking_file_write(&file, "x", 1), UV_EIO);
  _close(fd);
}

/* A thread waits in a read, or tries again and again; it must come out, and later reads must not begin. */

static DWORD WINAPI read_in_thread(void *argument)
{
  char byte;
  ends *e = argument;
  return (DWORD)(int)uvr_blocking_file_read(&e->file, &byte, 1);
}

static void check_cancel(DWORD mode)
{
  ends e = make(true, mode);
  set_answers(0, NULL);
  HANDLE thread = CreateThread(NULL, 0, read_in_thread, &e, 0, NULL);
  assert_non_null(thread);
  Sleep(20);
  for (unsigned i = 0; WaitForSingleObject(thread, 10) != WAIT_OBJECT_0 && i < TRIES_MAX * 10; i++) {
    uvr_blocking_file_cancel(&e.file);
  }
  DWORD code = 0;
  assert_true(GetExitCodeThread(thread, &code));
  assert_int_equal((int)code, UV_ECANCELED);
  put(&e, "kept");
  assert_int_equal(uvr_blocking_file_read(&e.file, (char[4]){0}, 4), UV_ECANCELED);
  e.file.cancelled = 0;
  assert_read(&e, "kept");
  CloseHandle(thread);
  CloseHandle(e.ours);
  _close(e.fd);
}

static void test_cancel(void **state)
{
  (void)state;
  check_cancel(PIPE_WAIT);
  check_cancel(PIPE_NOWAIT);
}

/* What goes both ways and is not overlapped must not be waited in. */
static void test_a_read_that_only_looks(void **state)
{
  (void)state;
  ends e = make(true, PIPE_WAIT);
  e.file = uvr_blocking_file_of(e.fd, true);
  set_answers(1, (const answer[]){{ERROR_INVALID_FUNCTION, 0}});
  HANDLE thread = CreateThread(NULL, 0, read_in_thread, &e, 0, NULL);
  assert_non_null(thread);
  assert_int_equal(WaitForSingleObject(thread, 100), WAIT_TIMEOUT);
  assert_int_equal(answers_given, 0); /* no call yet */
  set_answers(0, NULL);
  put(&e, "x");
  assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
  DWORD code = 0;
  assert_true(GetExitCodeThread(thread, &code));
  assert_int_equal(code, 1);
  CloseHandle(thread);
  CloseHandle(e.ours);
  assert_int_equal(uvr_blocking_file_read(&e.file, (char[1]){0}, 1), 0);
  _close(e.fd);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_empty_write_is_no_end),
      cmocka_unit_test(test_an_empty_pipe_that_does_not_wait_is_no_end),
      cmocka_unit_test(test_an_error_is_an_error),
      cmocka_unit_test(test_short_and_empty_writes_lose_nothing),
      cmocka_unit_test(test_what_is_no_pipe_and_accepts_nothing),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_a_read_that_only_looks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
