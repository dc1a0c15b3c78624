/* Asking who owns a pipe takes one more right, READ_CONTROL, which not every server grants. Wine grants all rights, so
 * the system's answers are given here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stream/npipe_open_win.h"

#include <windows.h>

enum { TRIES = 6 };

static struct {
  DWORD granted; /* by the server */
  DWORD asked[16];
  unsigned count;
} hooks;

typedef HANDLE(WINAPI *open_call)(const WCHAR *, DWORD, DWORD, SECURITY_ATTRIBUTES *, DWORD, DWORD, HANDLE);

/* The rights that generic ones stand for. */
static DWORD mapped(DWORD access)
{
  GENERIC_MAPPING mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
  MapGenericMask(&access, &mapping);
  return access;
}

static HANDLE WINAPI open_file(const WCHAR *path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD how,
                               DWORD flags, HANDLE from)
{
  (void)path, (void)share, (void)security, (void)how, (void)flags, (void)from;
  assert_true(hooks.count < sizeof(hooks.asked) / sizeof(hooks.asked[0]));
  hooks.asked[hooks.count++] = access;
  if ((mapped(access) & ~hooks.granted) != 0) {
    SetLastError(ERROR_ACCESS_DENIED);
    return INVALID_HANDLE_VALUE;
  }
  return CreateEventA(NULL, TRUE, FALSE, NULL); /* some handle */
}

// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c): this name is the linker's
extern const open_call __imp_CreateFileW;
const open_call __imp_CreateFileW = open_file;
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c)

static int open_with(DWORD granted, bool asks_owner, uvrelay_error_t *error)
{
  uv_os_fd_t file = NULL;
  memset(&hooks, 0, sizeof(hooks));
  hooks.granted = granted;
  int code = uvr_npipe_open("\\\\.\\pipe\\x", "//./pipe/x", UVRELAY_IMPERSONATION_ANONYMOUS, asks_owner, &file, error);
  if (code == 0) {
    uvr_npipe_discard(file);
  }
  return code;
}

/* What MySQL grants ordinary users. */
#define FEW (FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE)

static void test_granted(void **state)
{
  (void)state;
  uvrelay_error_t error = {0};
  assert_int_equal(open_with(FILE_ALL_ACCESS, true, &error), 0);
  assert_int_equal(hooks.count, 1);
  assert_int_equal(hooks.asked[0], GENERIC_READ | GENERIC_WRITE | READ_CONTROL);
  assert_int_equal(open_with(FEW | READ_CONTROL, true, &error), 0);
  assert_true((hooks.asked[hooks.count - 1] & READ_CONTROL) != 0);
}

static void test_denied(void **state)
{
  (void)state;
  uvrelay_error_t error = {0};
  assert_int_equal(open_with(FEW, true, &error), UV_EACCES);
  assert_int_equal(hooks.count, TRIES);
  for (unsigned i = 0; i < hooks.count; i++) {
    assert_true((hooks.asked[i] & READ_CONTROL) != 0); /* nothing is opened that could not be asked */
  }
  assert_int_equal(error.system, ERROR_ACCESS_DENIED);
  assert_non_null(strstr(error.text, "READ_CONTROL"));
}

static void test_not_asked(void **state)
{
  (void)state;
  uvrelay_error_t error = {0};
  assert_int_equal(open_with(FEW, false, &error), 0);
  for (unsigned i = 0; i < hooks.count; i++) {
    assert_int_equal(hooks.asked[i] & READ_CONTROL, 0);
  }
  assert_int_equal(open_with(FILE_READ_ATTRIBUTES, false, &error), UV_EACCES);
  assert_null(strstr(error.text, "READ_CONTROL"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_granted),
      cmocka_unit_test(test_denied),
      cmocka_unit_test(test_not_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
