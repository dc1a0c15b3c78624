/* Readiness, sent to a socket by path, to an abstract one, to one without a reader, to none, and to what cannot be
 * one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/os/notify_unix.c" /* NOLINT(bugprone-suspicious-include) */

/* Binds a datagram socket, sends a state to it, and reads that. */
static void check(const char *variable, const struct sockaddr_un *address, size_t length)
{
  char got[64] = "";
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_true(fd >= 0);
  assert_int_equal(
      bind(fd, (const struct sockaddr *)address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)), 0);
  assert_int_equal(setenv("NOTIFY_SOCKET", variable, 1), 0);
  assert_int_equal(uvr_notify("READY=1"), 0);
  assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), 7);
  assert_string_equal(got, "READY=1");
  assert_int_equal(close(fd), 0);
}

static void test_path(void **state)
{
  (void)state;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char directory[] = "/tmp/uvrelay-notify-XXXXXX";
  assert_non_null(mkdtemp(directory));
  (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", directory);
  check(address.sun_path, &address, strlen(address.sun_path) + 1);
  assert_int_equal(unlink(address.sun_path), 0);
  assert_int_equal(uvr_notify("READY=1"), UV_ENOENT);
  assert_int_equal(rmdir(directory), 0);
}

static void test_abstract(void **state)
{
  (void)state;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char name[64];
  int length = snprintf(name, sizeof(name), "@uvrelay-notify-%ld", (long)getpid());
  memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
  check(name, &address, (size_t)length);
  assert_int_equal(uvr_notify("READY=1"), UV_ECONNREFUSED);
}

static void test_full(void **state)
{
  (void)state;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char name[64];
  int length = snprintf(name, sizeof(name), "@uvrelay-notify-full-%ld", (long)getpid());
  memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
  while (sendto(filler, "x", 1, 0, (const struct sockaddr *)&address, size) == 1) {
  }
  assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
  assert_int_equal(uvr_notify("READY=1"), UV_ETIMEDOUT);
  assert_int_equal(close(filler), 0);
  assert_int_equal(close(fd), 0);
}

static void test_none(void **state)
{
  (void)state;
  char name[200];
  assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
  assert_int_equal(uvr_notify("READY=1"), 0);
  assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
  assert_int_equal(uvr_notify("READY=1"), 0);
  assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
  assert_int_equal(uvr_notify("READY=1"), UV_EAFNOSUPPORT);
  assert_int_equal(setenv("NOTIFY_SOCKET", "@", 1), 0);
  assert_int_equal(uvr_notify("READY=1"), UV_EAFNOSUPPORT);
  memset(name, 'x', sizeof(name) - 1);
  name[0] = '/';
  name[sizeof(name) - 1] = '\0';
  assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
  assert_int_equal(uvr_notify("READY=1"), UV_ENAMETOOLONG);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_path),
      cmocka_unit_test(test_abstract),
      cmocka_unit_test(test_full),
      cmocka_unit_test(test_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
