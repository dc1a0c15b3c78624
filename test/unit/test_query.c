/* The options of a route: each by its name, for each side, with values that are taken and values that are refused; and
 * addresses with options after them. What is refused leaves everything as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address/query.h"

#define LONG_NAME "123456789.123456789.123456789.123456789.123456789.123456789.123"

#define L UVRELAY_LEFT
#define R UVRELAY_RIGHT
#define N UVRELAY_SIDE_NONE

typedef uvrelay_route_options_t options_t;

static char anything;

/* Members that no option is named after have odd values, to see who touches them. */
static options_t sentinels(void)
{
  return (options_t){.size = sizeof(options_t),
                     .timeout_ms = 11,
                     .linger_ms = 12,
                     .idle_ms = 13,
                     .max = 14,
                     .permissions = 015,
                     .message_mode = 16,
                     .impersonation = (uvrelay_impersonation_t)17,
                     .eof_to_client = (uvrelay_eof_t)18,
                     .eof_to_target = (uvrelay_eof_t)19,
                     .allow_remote = 20,
                     .user = &anything,
                     .owner = "before",
                     .peer_uid = "earlier",
                     .name = "first",
                     .via = (uvrelay_mux_t *)&anything};
}

static void assert_same(const options_t *a, const options_t *b)
{
  assert_int_equal(a->size, b->size);
  assert_true(a->timeout_ms == b->timeout_ms);
  assert_true(a->linger_ms == b->linger_ms);
  assert_int_equal(a->wait_for_absent, b->wait_for_absent);
  assert_true(a->idle_ms == b->idle_ms);
  assert_int_equal(a->max, b->max);
  assert_int_equal(a->permissions, b->permissions);
  assert_int_equal(a->message_mode, b->message_mode);
  assert_int_equal(a->impersonation, b->impersonation);
  assert_int_equal(a->eof_to_client, b->eof_to_client);
  assert_int_equal(a->eof_to_target, b->eof_to_target);
  assert_int_equal(a->allow_remote, b->allow_remote);
  assert_true(a->event_cb == b->event_cb);
  assert_ptr_equal(a->user, b->user);
  assert_string_equal(a->owner, b->owner);
  assert_string_equal(a->name, b->name);
  assert_string_equal(a->peer_uid, b->peer_uid);
  assert_ptr_equal(a->via, b->via);
}

static bool allows(const char *name, uvrelay_side_t side)
{
  bool listener = strcmp(name, "perm") == 0 || strcmp(name, "mode") == 0 || strcmp(name, "peer-uid") == 0;
  bool target = strcmp(name, "impersonation") == 0 || strcmp(name, "absent") == 0 || strcmp(name, "owner") == 0;
  return side == N || (side == L && !target) || (side == R && !listener);
}

static void expect(options_t *o, uvrelay_side_t side, const char *name, uint64_t value)
{
  if (strcmp(name, "timeout") == 0) {
    o->timeout_ms = value;
  } else if (strcmp(name, "linger") == 0) {
    o->linger_ms = value;
  } else if (strcmp(name, "idle") == 0) {
    o->idle_ms = value;
  } else if (strcmp(name, "max") == 0) {
    o->max = (unsigned)value;
  } else if (strcmp(name, "perm") == 0) {
    o->permissions = (unsigned)value;
  } else if (strcmp(name, "mode") == 0) {
    o->message_mode = (int)value;
  } else if (strcmp(name, "impersonation") == 0) {
    o->impersonation = (uvrelay_impersonation_t)value;
  } else if (strcmp(name, "absent") == 0) {
    o->wait_for_absent = (int)value;
  } else if (strcmp(name, "owner") == 0) {
    (void)strcpy(o->owner, value == 0 ? "" : value == 1 ? "user" : "S-1-5-18,root,user");
  } else if (strcmp(name, "name") == 0) {
    (void)strcpy(o->name, value == 0 ? "a" : value == 1 ? "0-A_b.c" : LONG_NAME);
  } else if (strcmp(name, "peer-uid") == 0) {
    (void)strcpy(o->peer_uid, value == 0 ? "" : value == 1 ? "user" : "alice,1000,S-1-5-18");
  } else {
    assert_string_equal(name, "eof");
    o->eof_to_client = side == R ? o->eof_to_client : (uvrelay_eof_t)value;
    o->eof_to_target = side == L ? o->eof_to_target : (uvrelay_eof_t)value;
  }
}

static const uvrelay_side_t all_sides[] = {N, L, R};

static const struct {
  const char *name;
  const char *value;
  uint64_t expected;
} good[] = {
    {"timeout", "1", 1000},
    {"timeout", "2.5", 2500},
    {"timeout", "0.001", 1},
    {"timeout", "0.0001", 1},
    {"timeout", ".5", 500},
    {"timeout", "86400", 86400000},
    {"timeout", "off", UINT64_MAX},
    {"timeout", "500ms", 500},
    {"timeout", "0.5ms", 1},
    {"timeout", "90s", 90000},
    {"timeout", "1m", 60000},
    {"timeout", "1.5m", 90000},
    {"timeout", ".25h", 900000},
    {"timeout", "24h", 86400000},
    {"timeout", "86400000ms", 86400000},
    {"linger", "3m", 180000},
    {"idle", "2h", 7200000},
    {"linger", "0.25", 250},
    {"linger", "86400", 86400000},
    {"linger", "off", UINT64_MAX},
    {"idle", "60", 60000},
    {"idle", "86400", 86400000},
    {"idle", "off", 0},
    {"max", "1", 1},
    {"max", "007", 7},
    {"max", "1000000", 1000000},
    {"perm", "0600", 0600},
    {"perm", "666", 0666},
    {"perm", "0777", 0777},
    {"perm", "1", 01},
    {"mode", "byte", 0},
    {"mode", "message", 1},
    {"impersonation", "anonymous", UVRELAY_IMPERSONATION_ANONYMOUS},
    {"impersonation", "identification", UVRELAY_IMPERSONATION_IDENTIFICATION},
    {"impersonation", "impersonation", UVRELAY_IMPERSONATION_IMPERSONATION},
    {"impersonation", "delegation", UVRELAY_IMPERSONATION_DELEGATION},
    {"eof", "auto", UVRELAY_EOF_AUTO},
    {"eof", "marker", UVRELAY_EOF_MARKER},
    {"eof", "none", UVRELAY_EOF_NONE},
    {"absent", "wait", 1},
    {"absent", "fail", 0},
    {"owner", "any", 0},
    {"owner", "user", 1},
    {"owner", "S-1-5-18,root,user", 2},
    {"peer-uid", "ANY", 0},
    {"peer-uid", "user", 1},
    {"name", "a", 0},
    {"name", "0-A_b.c", 1},
    {"name", LONG_NAME, 2},
    {"peer-uid", "alice,1000,S-1-5-18", 2},
};

static void test_good(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    for (size_t s = 0; s < 3; s++) {
      uvrelay_side_t side = all_sides[s];
      options_t options = sentinels();
      options_t expected = options;
      uvrelay_error_t error = {.code = 1};
      int code = uvrelay_route_option(&options, side, good[i].name, good[i].value, &error);
      assert_int_equal(code, allows(good[i].name, side) ? 0 : UV_EINVAL);
      if (code == 0) {
        expect(&expected, side, good[i].name, good[i].expected);
        assert_int_equal(error.code, 1); /* untouched */
      } else {
        assert_int_equal(error.code, UV_EINVAL);
        assert_int_equal(error.phase, UVRELAY_PHASE_ADDRESS);
        assert_non_null(strstr(error.text, good[i].name));
        assert_non_null(strstr(error.text, " is allowed only for "));
      }
      assert_same(&options, &expected);
    }
  }
}

static const struct {
  const char *name;
  const char *values[48]; /* NULL ends them */
} bad[] = {
    {"timeout",
     {"",
      "0",
      "0.0",
      ".",
      "-1",
      "+1",
      " 1",
      "1 ",
      "1e3",
      "0s",
      "0ms",
      "0h",
      "s",
      "ms",
      ".s",
      "-1s",
      "+1s",
      "5 s",
      "5s ",
      "5 ",
      "1M",
      "1S",
      "1Ms",
      "1min",
      "1sec",
      "1d",
      "1m30s",
      "1mm",
      "24.0000001h",
      "25h",
      "1441m",
      "86400001ms",
      "18446744073709551616h",
      "18446744073709551615ms",
      "5124095576030h",
      "0x10",
      "1,5",
      "1.5.5",
      "inf",
      "OFF",
      "on",
      "86400.001",
      "86401",
      "99999999999999999999999"}},
    {"linger", {"", "0", "-1", "86401", "never", "of", "offf"}},
    {"idle", {"", "0", "-1", "86401", "none", "Off"}},
    {"max",
     {"", "0", "000", "-1", "+1", " 1", "1 ", "1.5", "off", "0x10", "1000001", "4294967297", "18446744073709551617"}},
    {"perm", {"", "0", "0000", "8", "0608", "1000", "07777", "0x180", "-1", "rw", "u=rw", "37777777777600"}},
    {"mode", {"", "bytes", "Byte", "message ", "0"}},
    {"impersonation", {"", "Anonymous", "identify", "impersonation ", "4", "off"}},
    {"eof", {"", "Auto", "mark", "nones", "0", "off"}},
    {"absent", {"", "Wait", "yes", "1", "waits"}},
    {"owner", {"", "user,", "any,user", "a b", "S-1-5", "S-1-5-18x", "-1", "4294967296"}},
    {"name", {"", "-a", ".a", "_", "a b", "a/b", "\xC3\xA4", "a=b", "a:", LONG_NAME "x"}},
    {"peer-uid", {"", "user,", "system", "S-1-5-18,admins", "user root", "0x10"}},
};

static void test_bad(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    for (size_t v = 0; bad[i].values[v] != NULL; v++) {
      for (size_t s = 0; s < 3; s++) {
        options_t options = sentinels();
        const options_t expected = options;
        uvrelay_error_t error = {0};
        const char *value = bad[i].values[v];
        if (uvrelay_route_option(&options, all_sides[s], bad[i].name, value, &error) != UV_EINVAL) {
          fail_msg("%s=%s was taken", bad[i].name, value);
        }
        assert_same(&options, &expected);
        assert_int_equal(error.code, UV_EINVAL);
        assert_int_equal(error.phase, UVRELAY_PHASE_ADDRESS);
        assert_non_null(strstr(error.text, bad[i].name));
        if (allows(bad[i].name, all_sides[s])) {
          char quoted[64];
          (void)snprintf(quoted, sizeof(quoted), "has the bad value \"%s\": write ", value);
          assert_non_null(strstr(error.text, quoted));
        }
        assert_int_equal(uvrelay_route_option(&options, all_sides[s], bad[i].name, value, NULL), UV_EINVAL);
      }
    }
  }
}

static void test_unknown(void **state)
{
  (void)state;
  static const char *const names[] = {"",     "Timeout", "timeouts", "tim",  "timeout_ms", "allow_remote",
                                      "user", "size",    " ",        "prem", "impersonate"};
  static const char *const meant[] = {
      NULL, "mean timeout?", "mean timeout?",      "mean timeout?", "mean timeout?", NULL, NULL, NULL,
      NULL, "mean perm?",    "mean impersonation?"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    for (size_t s = 0; s < 3; s++) {
      options_t options = sentinels();
      const options_t expected = options;
      uvrelay_error_t error = {0};
      char quoted[64];
      (void)snprintf(quoted, sizeof(quoted), "there is no option \"%s\"", names[i]);
      assert_int_equal(uvrelay_route_option(&options, all_sides[s], names[i], "1", &error), UV_EINVAL);
      assert_int_equal(error.code, UV_EINVAL);
      assert_non_null(strstr(error.text, quoted));
      assert_non_null(strstr(
          error.text, meant[i] != NULL
                          ? meant[i]
                          : "timeout, linger, idle, max, perm, mode, impersonation, eof, absent, owner and peer-uid"));
      assert_int_equal(uvrelay_route_option(&options, all_sides[s], names[i], "1", NULL), UV_EINVAL);
      assert_same(&options, &expected);
    }
  }
}

/* Of a caller who does not know all members none is written beyond what he has, and none that he has not is set. */

static int set_in(size_t size, const char *name, const char *value, size_t *touched, uvrelay_error_t *error)
{
  size_t room = size > sizeof(size_t) ? size : sizeof(size_t);
  unsigned char *options = calloc(1, room); /* a sanitizer sees who goes beyond */
  assert_non_null(options);
  memcpy(options, &size, sizeof(size));
  int code = uvrelay_route_option((options_t *)(void *)options, N, name, value, error);
  *touched = 0;
  for (size_t i = sizeof(size); i < room; i++) {
    *touched += options[i] != 0 ? 1 : 0;
  }
  assert_memory_equal(options, &size, sizeof(size));
  free(options);
  return code;
}

static void test_size(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    const char *value; /* which is not 0 */
    size_t offset;
    size_t end;
  } members[] = {
#define MEMBER(name, value, member)                                                                                    \
  {name, value, offsetof(options_t, member), offsetof(options_t, member) + sizeof(((options_t *)NULL)->member)}
      MEMBER("timeout", "1", timeout_ms),
      MEMBER("linger", "1", linger_ms),
      MEMBER("idle", "1", idle_ms),
      MEMBER("max", "1", max),
      MEMBER("perm", "1", permissions),
      MEMBER("mode", "message", message_mode),
      MEMBER("impersonation", "delegation", impersonation),
      MEMBER("eof", "none", eof_to_target),
      MEMBER("absent", "wait", wait_for_absent),
      MEMBER("owner", "S-1-5-18", owner),
      MEMBER("peer-uid", "root", peer_uid),
      MEMBER("name", "a", name),
  };
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
    for (size_t size = 0; size <= sizeof(options_t); size++) {
      uvrelay_error_t error = {0};
      size_t touched;
      int code = set_in(size, members[i].name, members[i].value, &touched, &error);
      bool refused = size <= members[i].offset; /* in between there is but a part of a number */
      assert_true(code == 0 ? size >= sizeof(size_t) && !refused : size < members[i].end);
      assert_true((code == 0) == (touched > 0));
      assert_true(code == 0 || strstr(error.text, "size") != NULL);
    }
  }
  struct {
    options_t known;
    uint64_t more;
  } newer = {.known = {.size = sizeof(newer)}, .more = 5};
  assert_int_equal(uvrelay_route_option(&newer.known, N, "max", "3", NULL), 0);
  assert_int_equal(newer.known.max, 3);
  assert_int_equal(newer.known.size, sizeof(newer));
  assert_int_equal(newer.more, 5);
}

/* Addresses. */

typedef struct address_case {
  const char *listen; /* NULL: only the target is read */
  const char *target; /* the same */
  const char *listen_canonical;
  const char *target_canonical;
  struct {
    const char *name;
    uvrelay_side_t side;
    uint64_t value;
  } set[4];
} address_case;

static const address_case good_addresses[] = {
    {"tcp://127.0.0.1:0", "tcp://localhost:80", "tcp://127.0.0.1:0", "tcp://localhost:80", {{0}}},
    {"TCP://[::1]:1?max=3", "unix:///a/b", "tcp://[::1]:1", "unix:///a/b", {{"max", N, 3}}},
    {"tcp://127.0.0.1:1?max=3&idle=2",
     "assuan:///a?linger=off&timeout=off",
     "tcp://127.0.0.1:1",
     "assuan:///a",
     {{"max", N, 3}, {"idle", N, 2000}, {"linger", N, UINT64_MAX}, {"timeout", N, UINT64_MAX}}},
    {"unix:///s?perm=0660&eof=none",
     "npipe:x?impersonation=identification&eof=marker",
     "unix:///s",
     "//./pipe/x",
     {{"perm", L, 0660}, {"eof", L, UVRELAY_EOF_NONE}, {"impersonation", R, 1}, {"eof", R, UVRELAY_EOF_MARKER}}},
    {"npipe:////./pipe/x?mode=message&eof=marker",
     "//host/pipe/y?max=7",
     "//./pipe/x",
     "//host/pipe/y",
     {{"mode", L, 1}, {"eof", L, UVRELAY_EOF_MARKER}, {"max", N, 7}}},
    {"unix:///s?name=a", "unix:///t?max=7", "unix:///s", "unix:///t", {{"name", N, 0}, {"max", N, 7}}},
    {"//./pipe/x?mode=byte", NULL, "//./pipe/x", NULL, {{"mode", L, 0}}},
    {"\\\\.\\pipe\\x?mode=message", NULL, "//./pipe/x", NULL, {{"mode", L, 1}}},
    {"\\\\?\\pipe\\x?mode=message", "//?/pipe/y?max=1", "//./pipe/x", "//./pipe/y", {{"mode", L, 1}, {"max", N, 1}}},
    {"fd://3?max=1", "tcp://[fe80::1%eth0]:9", "fd://3", "tcp://[fe80::1%eth0]:9", {{"max", N, 1}}},
    {"fd://name", NULL, "fd://name", NULL, {{0}}},
    {"unix:///s=t?max=2", NULL, "unix:///s=t", NULL, {{"max", N, 2}}},
    {"unix:///s&t?max=2", NULL, "unix:///s&t", NULL, {{"max", N, 2}}},
    {"unix:///s", "via:tcp://localhost:80?max=1", "unix:///s", "via:tcp://localhost:80", {{"max", N, 1}}},
    {"unix:///s",
     "via:npipe:x?impersonation=identification&eof=marker&linger=2",
     "unix:///s",
     "via://./pipe/x",
     {{"impersonation", R, 1}, {"eof", R, UVRELAY_EOF_MARKER}, {"linger", N, 2000}}},
    {"unix:///s", "via:\\\\?\\pipe\\y", "unix:///s", "via://./pipe/y", {{0}}},
    {"unix:///s", "via:\\\\?\\pipe\\y?max=1", "unix:///s", "via://./pipe/y", {{"max", N, 1}}},
    {"unix:///s", "VIA://?/pipe/y?max=1", "unix:///s", "via://./pipe/y", {{"max", N, 1}}},
    {"unix:///s?peer-uid=user&perm=0666", NULL, "unix:///s", NULL, {{"peer-uid", L, 1}, {"perm", L, 0666}}},
    {"abstract:s?peer-uid=user", NULL, "abstract:s", NULL, {{"peer-uid", L, 1}}},
    {"fd://3?peer-uid=alice,1000,S-1-5-18", NULL, "fd://3", NULL, {{"peer-uid", L, 2}}},
    {"tcp://127.0.0.1:1?peer-uid=any", NULL, "tcp://127.0.0.1:1", NULL, {{"peer-uid", L, 0}}},
    {"unix:///s", "npipe:x?owner=user", "unix:///s", "//./pipe/x", {{"owner", R, 1}}},
    {"unix:///s", "abstract:x?owner=user&max=1", "unix:///s", "abstract:x", {{"owner", R, 1}, {"max", N, 1}}},
    {"unix:///s", "unix:///t?owner=S-1-5-18,root,user", "unix:///s", "unix:///t", {{"owner", R, 2}}},
    {"unix:///s", "via:assuan:///t?owner=user", "unix:///s", "via:assuan:///t", {{"owner", R, 1}}},
    {"unix:///s", "tcp://127.0.0.1:1?owner=any", "unix:///s", "tcp://127.0.0.1:1", {{"owner", R, 0}}},
    {"unix:///s", "via:assuan:///C:/x?timeout=1", "unix:///s", "via:assuan:///C:/x", {{"timeout", N, 1000}}},
};

static void test_addresses(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(good_addresses) / sizeof(good_addresses[0]); i++) {
    const address_case *c = &good_addresses[i];
    options_t options = sentinels();
    options_t expected = options;
    uvr_address listen;
    uvr_address target;
    unsigned given = 0;
    uvrelay_error_t error = {0};
    if (uvr_route_address(c->listen, L, &options, &given, &listen, &error) != 0 ||
        (c->target != NULL && uvr_route_address(c->target, R, &options, &given, &target, &error) != 0)) {
      fail_msg("%s=%s: %s", c->listen, c->target != NULL ? c->target : "", error.text);
    }
    assert_string_equal(listen.canonical, c->listen_canonical);
    if (c->target != NULL) {
      assert_string_equal(target.canonical, c->target_canonical);
    }
    for (size_t s = 0; s < 4 && c->set[s].name != NULL; s++) {
      expect(&expected, c->set[s].side, c->set[s].name, c->set[s].value);
    }
    assert_same(&options, &expected);
  }
}

static const struct {
  uvrelay_side_t side; /* of the one that is refused; with R and a listener that goes before */
  const char *listen;
  const char *target;
  const char *text; /* a part of what is said */
} bad_addresses[] = {
    /* No address at all. */
    {L, NULL, NULL, "empty"},
    {L, "", NULL, "empty"},
    {L, "?max=1", NULL, "empty"},
    {L, "x?max=1", NULL, "\"x\""},
    {R, NULL, NULL, "empty"},
    {R, NULL, "?max=1", "empty"},
    {R, NULL, "via:", "empty"},
    {R, NULL, "via:?max=1", "empty"},
    {R, NULL, "via:via:tcp://127.0.0.1:1?max=1", "remove it"},
    {R, NULL, "via:tcp://127.0.0.1:1?mode=byte", "only for listeners on named pipes"},
    {R, NULL, "via:tcp://127.0.0.1:1?eof=marker", "for named pipes"},
    {R, NULL, "via:tcp://127.0.0.1:1?x", "there is no option \"x\""},
    {L, "via:tcp://127.0.0.1:1", NULL, "remove it"},
    {L, "via:tcp://127.0.0.1:1?max=1", NULL, "remove it"},
    /* Only a listener's. */
    {R, NULL, "tcp://127.0.0.1:0", "port"},
    {R, NULL, "tcp://127.0.0.1:0?max=1", "port"},
    {R, NULL, "fd://3", "only be listened on"},
    {L, "tcp://127.0.0.1:65536?max=1", NULL, "port"},
    {L, "tcp://127.0.0.1:00", NULL, "port"},
    {L, "fd:3", NULL, "fd://NAME"},
    {L, "fd://", NULL, "fd://NAME"},
    {L, "fd://a/b", NULL, "fd://NAME"},
    {L, "fd://a:b", NULL, "fd://NAME"},
    /* Of another kind, or another side's. */
    {L, "tcp://127.0.0.1:1?perm=0600", NULL, "for listeners on Unix sockets"},
    {L, "fd://3?perm=0600", NULL, "for listeners on Unix sockets"},
    {L, "npipe:x?perm=0600", NULL, "for listeners on Unix sockets"},
    {R, NULL, "unix:///s?perm=0600", "perm is allowed only for"},
    {R, NULL, "abstract:s?perm=0600", "perm is allowed only for"},
    {L, "tcp://127.0.0.1:1?mode=byte", NULL, "for listeners on named pipes"},
    {L, "unix:///s?mode=byte", NULL, "for listeners on named pipes"},
    {R, NULL, "npipe:x?mode=byte", "mode is allowed only for"},
    {R, NULL, "tcp://127.0.0.1:1?impersonation=anonymous", "for targets that are named pipes"},
    {L, "npipe:x?impersonation=anonymous", NULL, "impersonation is allowed only for"},
    {L, "tcp://127.0.0.1:1?eof=marker", NULL, "eof=marker"},
    {L, "unix:///s?eof=marker", NULL, "eof=marker"},
    {R, NULL, "assuan:///s?eof=marker", "eof=marker"},
    {R, NULL, "tcp://127.0.0.1:1?owner=user", "owner, which is allowed only for"},
    {R, NULL, "via:tcp://127.0.0.1:1?owner=user", "owner, which is allowed only for"},
    {L, "unix:///s?owner=user", NULL, "owner is allowed only for"},
    {L, "tcp://127.0.0.1:1?peer-uid=user", NULL, "peer-uid, which is allowed only for listeners on Unix sockets"},
    {L, "npipe:x?peer-uid=user", NULL, "peer-uid, which is allowed only for"},
    {R, NULL, "unix:///s?peer-uid=user", "peer-uid is allowed only for"},
    /* Twice. */
    {R, NULL, "npipe:x?owner=any&owner=user", "owner of //./pipe/x is given twice"},
    {L, "tcp://127.0.0.1:1?max=1&max=1", NULL, "max of tcp://127.0.0.1:1 is given twice"},
    {L, "tcp://127.0.0.1:1?max=1&idle=1&max=2", NULL, "max of tcp://127.0.0.1:1 is given twice"},
    {R, "tcp://127.0.0.1:1?max=1", "tcp://127.0.0.1:2?max=1", "max of tcp://127.0.0.1:2 is given twice"},
    {R, "tcp://127.0.0.1:1?timeout=1", "tcp://127.0.0.1:2?timeout=1", "twice"},
    {R, "tcp://127.0.0.1:1?linger=1", "tcp://127.0.0.1:2?linger=1", "twice"},
    {R, "tcp://127.0.0.1:1?idle=1", "tcp://127.0.0.1:2?idle=off", "twice"},
    {L, "unix:///s?perm=1&perm=1", NULL, "twice"},
    {L, "npipe:x?mode=byte&mode=message", NULL, "twice"},
    {L, "tcp://127.0.0.1:1?eof=none&eof=auto", NULL, "twice"},
    {R, "tcp://127.0.0.1:1?eof=none", "tcp://127.0.0.1:2?eof=none&eof=none", "twice"},
    {R, NULL, "npipe:x?impersonation=anonymous&impersonation=anonymous", "twice"},
    /* Empty, without a value, unknown, bad. */
    {L, "tcp://127.0.0.1:1?", NULL, "there is no option \"\""},
    {L, "tcp://127.0.0.1:1?max=1&", NULL, "there is no option \"\""},
    {L, "tcp://127.0.0.1:1?&max=1", NULL, "there is no option \"\""},
    {L, "tcp://127.0.0.1:1?max=1&&idle=1", NULL, "there is no option \"\""},
    {L, "tcp://127.0.0.1:1?=1", NULL, "there is no option \"\""},
    {L, "tcp://127.0.0.1:1?max", NULL, "max of tcp://127.0.0.1:1 has no value: write max=VALUE"},
    {L, "tcp://127.0.0.1:1?max&idle=1", NULL, "max of tcp://127.0.0.1:1 has no value"},
    {L, "tcp://127.0.0.1:1?max=", NULL, "bad value \"\""},
    {L, "tcp://127.0.0.1:1?max=1?idle=1", NULL, "bad value \"1?idle=1\""},
    {L, "tcp://127.0.0.1:1?max=1=1", NULL, "bad value \"1=1\""},
    {L, "tcp://127.0.0.1:1?MAX=1", NULL, "there is no option \"MAX\""},
    {L, "tcp://127.0.0.1:1?allow_remote=1", NULL, "there is no option \"allow_remote\""},
    {L, "tcp://127.0.0.1:1?x", NULL, "there is no option \"x\""},
    {L, "tcp://127.0.0.1:1?x\n=1", NULL, "there is no option \"x\\x0a\""},
    {L, "tcp://127.0.0.1:1?max=\xff", NULL, "bad value \"\\xff\""},
};

static void test_bad_addresses(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++) {
    options_t options = sentinels();
    uvr_address address;
    unsigned given = 0;
    uvrelay_error_t error = {0};
    uvrelay_side_t side = bad_addresses[i].side;
    const char *text = side == L ? bad_addresses[i].listen : bad_addresses[i].target;
    if (side == R && bad_addresses[i].listen != NULL) {
      assert_int_equal(uvr_route_address(bad_addresses[i].listen, L, &options, &given, &address, &error), 0);
    }
    unsigned before = given;
    if (uvr_route_address(text, side, &options, &given, &address, &error) != UV_EINVAL) {
      fail_msg("%s was taken", text);
    }
    assert_int_equal(error.code, UV_EINVAL);
    assert_int_equal(error.phase, UVRELAY_PHASE_ADDRESS);
    if (strstr(error.text, bad_addresses[i].text) == NULL) {
      fail_msg("%s: %s", text != NULL ? text : "NULL", error.text);
    }
    options = sentinels();
    assert_int_equal(uvr_route_address(text, side, &options, &before, &address, NULL), UV_EINVAL);
  }
}

/* The query's options are cut at a length; what is just not too long is read. */
static void test_long_option(void **state)
{
  (void)state;
  const size_t longest = 32 + UVRELAY_USERS_SIZE;
  for (size_t digits = 60; digits < longest + 50; digits++) {
    char text[512] = "tcp://127.0.0.1:1?idle=1&max=";
    size_t before = strlen(text);
    memset(text + before, '0', digits);
    text[before + digits - 1] = '5';
    text[before + digits] = '\0';
    options_t options = sentinels();
    uvr_address address;
    unsigned given = 0;
    uvrelay_error_t error = {0};
    int code = uvr_route_address(text, L, &options, &given, &address, &error);
    bool fits = strlen("max=") + digits < longest;
    assert_int_equal(code, fits ? 0 : UV_EINVAL);
    assert_int_equal(options.max, fits ? 5 : 14);
    assert_true(fits || strstr(error.text, "too long") != NULL);
  }
}

static void test_long_address(void **state)
{
  (void)state;
  static const char *const queries[] = {"", "?max=2"};
  for (size_t length = UVR_ADDRESS_PATH_SIZE - 20; length < UVR_ADDRESS_PATH_SIZE + 20; length++) {
    for (size_t q = 0; q < 2; q++) {
      char *text = malloc(length + strlen(queries[q]) + 1); /* a sanitizer sees who goes beyond */
      assert_non_null(text);
      memset(text, 'x', length);
      memcpy(text, "assuan:///", strlen("assuan:///"));
      strcpy(text + length, queries[q]);
      options_t options = sentinels();
      uvr_address plain;
      uvr_address address;
      unsigned given = 0;
      uvrelay_error_t error = {0};
      int code = uvr_route_address(text, R, &options, &given, &address, &error);
      text[length] = '\0';
      assert_int_equal(code, uvr_address_parse(text, 0, &plain, NULL)); /* the query does not count */
      assert_int_equal(options.max, code == 0 && q == 1 ? 2 : 14);
      assert_true(code == 0 || (code == UV_EINVAL && strstr(error.text, "long") != NULL));
      if (code == 0) {
        assert_string_equal(address.canonical, plain.canonical);
      }
      free(text);
    }
  }
}

/* A via: in front does not count either. */
static void test_long_via(void **state)
{
  (void)state;
  for (size_t length = UVR_ADDRESS_PATH_SIZE - 10; length < UVR_ADDRESS_PATH_SIZE + 10; length++) {
    for (int q = 0; q < 2; q++) {
      const char *query = q == 0 ? "" : "?max=2";
      char *text = malloc(4 + length + strlen(query) + 1);
      assert_non_null(text);
      memset(text, 'x', 4 + length);
      memcpy(text, "via:assuan:///", strlen("via:assuan:///"));
      strcpy(text + 4 + length, query);
      options_t options = sentinels();
      uvr_address address;
      unsigned given = 0;
      int code = uvr_route_address(text, R, &options, &given, &address, NULL);
      if ((code == 0) != (length < UVR_ADDRESS_PATH_SIZE)) {
        fail_msg("%u bytes%s: %d", (unsigned)length, query, code);
      }
      assert_int_equal(options.max, code == 0 && q == 1 ? 2 : 14);
      assert_true(code != 0 || (address.via && strlen(address.canonical) == 4 + length));
      free(text);
    }
  }
}

/* The name of each level is parsed as that level. */
static void test_impersonation(void **state)
{
  (void)state;
  uvrelay_impersonation_t parsed = UVRELAY_IMPERSONATION_ANONYMOUS;
  for (int level = UVRELAY_IMPERSONATION_ANONYMOUS; level <= UVRELAY_IMPERSONATION_DELEGATION; level++) {
    const char *name = uvr_impersonation_name((uvrelay_impersonation_t)level);
    assert_true(uvr_impersonation_parse(name, &parsed));
    assert_int_equal(parsed, level);
  }
  assert_string_equal(uvr_impersonation_name(UVRELAY_IMPERSONATION_DELEGATION), "delegation");
  assert_false(uvr_impersonation_parse("", &parsed));
  assert_false(uvr_impersonation_parse("Anonymous", &parsed));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),          cmocka_unit_test(test_bad),          cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_size),          cmocka_unit_test(test_addresses),    cmocka_unit_test(test_bad_addresses),
      cmocka_unit_test(test_long_option),   cmocka_unit_test(test_long_address), cmocka_unit_test(test_long_via),
      cmocka_unit_test(test_impersonation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
