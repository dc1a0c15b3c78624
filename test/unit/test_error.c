/* Errors: what is stored, the cause that is appended, the names of Windows' codes, and texts that don't fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "base/error.h"

static void test_set(void **state)
{
  (void)state;
  uvrelay_error_t error;
  memset(&error, 0x55, sizeof(error));
  assert_int_equal(uvr_error_set(&error, UVRELAY_PHASE_READ, UV_EOF, "%s %d", "text", 7), UV_EOF);
  assert_int_equal(error.code, UV_EOF);
  assert_int_equal(error.system, 0);
  assert_int_equal(error.phase, UVRELAY_PHASE_READ);
  assert_string_equal(error.text, "text 7");
}

static void test_set_system(void **state)
{
  (void)state;
  uvrelay_error_t error;
  memset(&error, 0x55, sizeof(error));
  int result =
      uvr_error_set_system(&error, UVRELAY_PHASE_CONNECT, UV_EBUSY, 231, "all instances of %s are busy", "//./pipe/x");
  assert_int_equal(result, UV_EBUSY);
  assert_int_equal(error.code, UV_EBUSY);
  assert_int_equal(error.system, 231);
  assert_int_equal(error.phase, UVRELAY_PHASE_CONNECT);
  assert_string_equal(error.text, "all instances of //./pipe/x are busy (ERROR_PIPE_BUSY, 231)");

  /* Without a Windows code, libuv's name is the cause. */
  assert_int_equal(uvr_error_set_system(&error, UVRELAY_PHASE_WRITE, UV_ECONNREFUSED, 0, "no"), UV_ECONNREFUSED);
  assert_int_equal(error.system, 0);
  assert_string_equal(error.text, "no (ECONNREFUSED)");

  /* A Windows code without a name here is still told. */
  assert_int_equal(uvr_error_set_system(&error, UVRELAY_PHASE_WRITE, UV_UNKNOWN, 4294967295UL, "no"), UV_UNKNOWN);
  assert_int_equal(error.system, 4294967295UL);
  assert_string_equal(error.text, "no (Windows error 4294967295)");
}

/* A text that is too long is cut between two characters. */
static void test_cut(void **state)
{
  (void)state;
  uvrelay_error_t error;
  char text[UVRELAY_ERROR_TEXT_SIZE + 4];
  for (size_t shift = 0; shift < 4; shift++) {
    memset(text, 'x', shift);
    for (size_t i = shift; i + 4 < sizeof(text); i += 4) {
      memcpy(text + i, "\xF0\x9F\x98\x80", 5);
    }
    assert_int_equal(uvr_error_set(&error, UVRELAY_PHASE_READ, UV_EIO, "%s", text), UV_EIO);
    size_t length = strlen(error.text);
    assert_in_range(length, UVRELAY_ERROR_TEXT_SIZE - 4, UVRELAY_ERROR_TEXT_SIZE - 1);
    assert_int_equal((length - shift) % 4, 0);
    assert_int_equal(uvr_error_set_system(&error, UVRELAY_PHASE_READ, UV_EIO, 0, "%s", text), UV_EIO);
    assert_memory_equal(error.text, text, length);
    assert_true(error.text[length] == '\0' || error.text[length] == ' ');
  }
}

static void test_null(void **state)
{
  (void)state;
  assert_int_equal(uvr_error_set(NULL, UVRELAY_PHASE_READ, UV_EIO, "%s", "x"), UV_EIO);
  assert_int_equal(uvr_error_set_system(NULL, UVRELAY_PHASE_READ, UV_EIO, 5, "%s", "x"), UV_EIO);
}

/* The names that messages promise, by Windows' own numbers. */
static void test_names(void **state)
{
  (void)state;
  static const struct {
    unsigned long code;
    const char *name;
  } names[] = {
      {2, "ERROR_FILE_NOT_FOUND"},       {3, "ERROR_PATH_NOT_FOUND"},     {5, "ERROR_ACCESS_DENIED"},
      {6, "ERROR_INVALID_HANDLE"},       {53, "ERROR_BAD_NETPATH"},       {64, "ERROR_NETNAME_DELETED"},
      {67, "ERROR_BAD_NET_NAME"},        {87, "ERROR_INVALID_PARAMETER"}, {109, "ERROR_BROKEN_PIPE"},
      {121, "ERROR_SEM_TIMEOUT"},        {123, "ERROR_INVALID_NAME"},     {161, "ERROR_BAD_PATHNAME"},
      {230, "ERROR_BAD_PIPE"},           {231, "ERROR_PIPE_BUSY"},        {232, "ERROR_NO_DATA"},
      {233, "ERROR_PIPE_NOT_CONNECTED"}, {234, "ERROR_MORE_DATA"},        {995, "ERROR_OPERATION_ABORTED"},
      {1326, "ERROR_LOGON_FAILURE"},
  };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    assert_non_null(uvr_error_system_name(names[i].code));
    assert_string_equal(uvr_error_system_name(names[i].code), names[i].name);
  }
  assert_null(uvr_error_system_name(0));
  assert_null(uvr_error_system_name(1));
  assert_null(uvr_error_system_name(99999));
}

/* Texts of every length about the maximum: never more than fits, never without an end. */
static void test_lengths(void **state)
{
  (void)state;
  char text[UVRELAY_ERROR_TEXT_SIZE + 100];
  for (size_t length = UVRELAY_ERROR_TEXT_SIZE - 40; length < sizeof(text); length++) {
    struct {
      uvrelay_error_t error;
      char guard;
    } room;
    memset(text, 'x', length);
    text[length] = '\0';
    room.guard = '!';
    size_t fits = UVRELAY_ERROR_TEXT_SIZE - 1;

    uvr_error_set(&room.error, UVRELAY_PHASE_READ, UV_EIO, "%s", text);
    assert_int_equal(strlen(room.error.text), length < fits ? length : fits);
    assert_int_equal(strspn(room.error.text, "x"), strlen(room.error.text));

    uvr_error_set_system(&room.error, UVRELAY_PHASE_READ, UV_EIO, 5, "%s", text);
    size_t whole = length + strlen(" (ERROR_ACCESS_DENIED, 5)");
    assert_int_equal(strlen(room.error.text), whole < fits ? whole : fits);
    assert_int_equal(room.guard, '!');
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_set),  cmocka_unit_test(test_set_system), cmocka_unit_test(test_cut),
      cmocka_unit_test(test_null), cmocka_unit_test(test_names),      cmocka_unit_test(test_lengths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
