/* Who owns a socket or a socket file, as the library's users ask for it: sessions and routes whose targets belong to
 * the user that runs this test, and lists that name this user, others, or no one. Other users' sockets are tested with
 * the program, by tests that can be another user. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/accounts_unix.h"
#include "endpoint/owner.h"
#include "uvrelay.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* This user's number, and that of somebody else. */
static const char *own_number(char text[16])
{
  (void)snprintf(text, 16, "%lu", (unsigned long)geteuid());
  return text;
}

static const char *other_number(char text[16])
{
  (void)snprintf(text, 16, "%lu", (unsigned long)geteuid() + 1);
  return text;
}

static void test_accounts(void **state)
{
  (void)state;
  char name[33];
  uid_t uid = 12345;
  assert_true(uvr_account_find("root", &uid));
  assert_int_equal(uid, 0);
  assert_true(uvr_account_name(0, name, sizeof(name)));
  assert_string_equal(name, "root");
  uid = 12345;
  assert_false(uvr_account_find("", &uid));
  assert_false(uvr_account_find("roo", &uid));
  assert_false(uvr_account_find("root:x", &uid));
  assert_false(uvr_account_find("uvrelay-none", &uid));
  assert_int_equal(uid, 12345);
  assert_false(uvr_account_name(4000000001U, name, sizeof(name)));
}

static void test_list(void **state)
{
  (void)state;
  static const struct {
    const char *target;
    const char *list;
    const char *text; /* of the error; NULL: it is good */
  } cases[] = {
      {"unix:///x", "", NULL},
      {"tcp://127.0.0.1:1", "", NULL},
      {"unix:///x", "user", NULL},
      {"abstract:x", "root,4000000001", NULL},
      {"unix:///x", "S-1-5-18,root", NULL},
      {"assuan:///x", "user", NULL},
      {"via://./pipe/x", "system", NULL},
      {"via:assuan:///C:/x", "system", NULL},
      {"via:assuan:///x", "nobody-here", NULL}, /* the far end's to say */
      {"via:unix:///x", "nobody-here", NULL},
      {"tcp://127.0.0.1:1", "user", "the owner of a TCP port is not known"},
      {"via:tcp://127.0.0.1:1", "user", "the owner of a TCP port is not known"},
      {"unix:///x", "system,S-1-5-19", "no user in owner=system,S-1-5-19 can own unix:///x"},
      {"assuan:///x", "system", "no user in owner="},
      {"via:unix:///x", "system", "no user in owner="},
      {"via://./pipe/x", "root,1000,alice", "write user, system, admins or a SID"},
      {"unix:///x", "user,uvrelay-none", "the user uvrelay-none is not in /etc/passwd"},
      {"unix:///x", "user,", "the option owner is not a list of users"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    uvr_address target;
    uvrelay_error_t error = {0};
    assert_int_equal(uvr_address_parse(cases[i].target, UVR_ADDRESS_VIA, &target, NULL), 0);
    int code = uvr_owner_check_list(&target, cases[i].list, &error);
    if ((code == 0) != (cases[i].text == NULL)) {
      fail_msg("owner=%s of %s: %d %s", cases[i].list, cases[i].target, code, error.text);
    }
    assert_true(code == 0 || (code == UV_EINVAL && error.phase == UVRELAY_PHASE_ADDRESS));
    assert_true(code == 0 || strstr(error.text, cases[i].text) != NULL);
  }
}

/* Checks the owner of both kinds of things that this user owns. */
static int check(const int fds[2], int file, const char *list, uvrelay_error_t *error)
{
  int code = uvr_owner_check_peer(fds[0], "unix:///x", list, error);
  assert_int_equal(uvr_owner_check_file(file, "unix:///x", list, error), code);
  return code;
}

static void test_own(void **state)
{
  (void)state;
  char path[] = "/tmp/test-owner-XXXXXX";
  char own[16];
  char other[16];
  char list[64];
  int fds[2];
  uvrelay_error_t error = {0};
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(check(fds, file, NULL, &error), 0);
  assert_int_equal(check(fds, file, "", &error), 0);
  assert_int_equal(check(fds, file, "user", &error), 0);
  assert_int_equal(check(fds, file, own_number(own), &error), 0);
  (void)snprintf(list, sizeof(list), "S-1-5-18,%s,%s", other_number(other), own);
  assert_int_equal(check(fds, file, list, &error), 0);
  assert_int_equal(check(fds, file, "root", &error), geteuid() == 0 ? 0 : UV_EPERM);
  assert_int_equal(error.code, geteuid() == 0 ? 0 : UV_EPERM);
  assert_int_equal(check(fds, file, other, &error), UV_EPERM);
  assert_int_equal(error.phase, UVRELAY_PHASE_CONNECT);
  assert_non_null(strstr(error.text, "unix:///x belongs to "));
  assert_non_null(strstr(error.text, own));
  assert_non_null(strstr(error.text, "nothing was sent to it"));
  assert_null(strstr(error.text, "where user is"));
  assert_int_equal(check(fds, file, "system", &error), UV_EPERM);
  /* What does not tell who owns it is refused. */
  int nothing = open("/dev/null", O_RDWR);
  assert_int_equal(uvr_owner_check_peer(nothing, "unix:///x", "user", &error), UV_EPERM);
  assert_non_null(strstr(error.text, "cannot determine the owner"));
  assert_int_equal(uvr_owner_check_file(-1, "unix:///x", "user", &error), UV_EPERM);
  (void)close(nothing);
  (void)close(file);
  (void)close(fds[0]);
  (void)close(fds[1]);
}

/* The library. */

typedef struct bench {
  uv_loop_t loop;
  uvrelay_t *relay;
  int listener;
  char address[64];
  unsigned done;
  int code;
  uint64_t sent;
} bench;

static void begin(bench *b)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  memset(b, 0, sizeof(*b));
  (void)snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "test-owner-%ld", (long)getpid());
  (void)snprintf(b->address, sizeof(b->address), "abstract:test-owner-%ld", (long)getpid());
  b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
  assert_int_equal(bind(b->listener, (struct sockaddr *)&name, length), 0);
  assert_int_equal(listen(b->listener, 8), 0);
  assert_int_equal(uv_loop_init(&b->loop), 0);
  assert_int_equal(uvrelay_new(&b->relay, &b->loop, NULL), 0);
}

static void end(bench *b)
{
  uvrelay_close(b->relay, NULL);
  assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&b->loop), 0);
  (void)close(b->listener);
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  bench *b = user;
  (void)session;
  b->done++;
  b->code = result->error.code;
  b->sent = result->to_right;
}

static int start(bench *b, const char *owner)
{
  uvrelay_endpoint_t left = uvrelay_stdio(-1, -1);
  uvrelay_endpoint_t right = uvrelay_address(b->address);
  uvrelay_session_options_t options = {.size = sizeof(options), .end_after_left = 1};
  (void)snprintf(options.owner, sizeof(options.owner), "%s", owner);
  int code = uvrelay_start(b->relay, &left, &right, &options, on_done, b, NULL);
  memset(&options, 'x', sizeof(options)); /* they were copied */
  return code;
}

static void test_session(void **state)
{
  (void)state;
  bench b;
  char other[16];
  begin(&b);
  assert_int_equal(start(&b, "user"), 0);
  (void)uv_run(&b.loop, UV_RUN_DEFAULT);
  assert_int_equal(b.done, 1);
  assert_int_equal(b.code, 0);
  assert_int_equal(start(&b, other_number(other)), 0);
  (void)uv_run(&b.loop, UV_RUN_DEFAULT);
  assert_int_equal(b.done, 2);
  assert_int_equal(b.code, UV_EPERM);
  assert_int_equal(start(&b, "system"), UV_EINVAL);
  assert_int_equal(uvrelay_error(b.relay)->code, UV_EINVAL);
  assert_int_equal(start(&b, "a,,b"), UV_EINVAL);
  (void)snprintf(b.address, sizeof(b.address), "tcp://127.0.0.1:1");
  assert_int_equal(start(&b, "user"), UV_EINVAL);
  assert_int_equal(b.done, 2);
  end(&b);
}

static void test_route(void **state)
{
  (void)state;
  bench b;
  uvrelay_route_options_t options = {.size = sizeof(options), .owner = "user"};
  begin(&b);
  assert_int_equal(uvrelay_route_add(b.relay, "tcp://127.0.0.1:0", "tcp://127.0.0.1:1", &options, NULL), UV_EINVAL);
  assert_non_null(strstr(uvrelay_error(b.relay)->text, "owner=user"));
  assert_int_equal(uvrelay_route_add(b.relay, "tcp://127.0.0.1:0", "tcp://127.0.0.1:1?owner=any", &options, NULL), 0);
  assert_int_equal(uvrelay_route_add(b.relay, "tcp://127.0.0.1:0", b.address, &options, NULL), 0);
  memset(options.owner, 'a', sizeof(options.owner)); /* without an end */
  assert_int_equal(uvrelay_route_add(b.relay, "tcp://127.0.0.1:0", b.address, &options, NULL), UV_EINVAL);
  end(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accounts), cmocka_unit_test(test_list),  cmocka_unit_test(test_own),
      cmocka_unit_test(test_session),  cmocka_unit_test(test_route),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
