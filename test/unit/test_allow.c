/* Patterns of what a far end may connect to: which addresses each matches in whatever spelling, which may match only
 * when a name was looked up, how a pattern's fixed part may be replaced by where it leads to, and what is wrong with
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address/allow.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uvr_allow *allow(const char *pattern)
{
  uvr_allow *made = NULL;
  const uvrelay_allocator_t memory = uvr_memory_default();
  if (uvr_allow_fault(pattern) != NULL) {
    fail_msg("%s: %s", pattern, uvr_allow_fault(pattern));
  }
  assert_int_equal(uvr_allow_new(&memory, pattern, &made), 0);
  assert_string_equal(made->text, pattern);
  return made;
}

static void discard(uvr_allow *made)
{
  const uvrelay_allocator_t memory = uvr_memory_default();
  uvr_free(&memory, made);
}

static uvr_address address_of(const char *text)
{
  uvr_address address;
  uvrelay_error_t error;
  if (uvr_address_parse(text, 0, &address, &error) != 0) {
    fail_msg("%s", error.text);
  }
  return address;
}

static const struct {
  const char *pattern;
  const char *address;
  char matches; /* y, n, or ?: when it was looked up, it may */
} cases[] = {
    {"*", "tcp://10.0.0.1:80", 'y'},
    {"*", "tcp://evil.example:80", 'y'},
    {"*", "unix:///x", 'y'},
    {"*", "//host/pipe/x", 'y'},
    {"*", "abstract:x", 'y'},
    {"tcp:*", "tcp://h:80", 'y'},
    {"tcp://*", "tcp://[::1]:80", 'y'},
    {"tcp://*:80", "tcp://h:80", 'y'},
    {"tcp://*:80", "tcp://h:8080", 'n'},
    {"*:80", "tcp://h:80", 'y'},
    /* Addresses are no names. */
    {"tcp://10.*:*", "tcp://10.0.0.1:80", 'y'},
    {"tcp://10.*:*", "tcp://10.evil.example:80", '?'},
    {"tcp://10.*:80", "tcp://10.evil.example:81", 'n'},
    {"tcp://10.*", "tcp://10.evil.example:80", '?'},
    {"tcp://10.*", "tcp://10.1.2.3:80", 'y'},
    {"*10.*", "tcp://10.evil.example:80", '?'},
    {"*/10.*:80", "tcp://10.evil.example:80", '?'},
    {"?cp://10.*:80", "tcp://10.evil.example:80", '?'},
    {"tcp://[0-9]*:80", "tcp://1and1.example:80", '?'},
    {"tcp://[0-9]*:80", "tcp://1.2.3.4:80", 'y'},
    {"tcp://[!a-z]*:80", "tcp://10.evil.example:80", '?'},
    {"tcp://[!a-z]*:80", "tcp://10.0.0.1:80", 'y'},
    {"tcp://\\10.*:80", "tcp://10.evil.example:80", '?'},
    {"tcp://[*]:80", "tcp://[::1]:80", 'y'},
    {"tcp://[*]:80", "tcp://10.0.0.1:80", 'n'},
    {"tcp://[*]:80", "tcp://a.example:80", '?'},
    {"tcp://?.*:80", "tcp://a.example:80", '?'},
    {"tcp://*.*.*.*:80", "tcp://a.b.c.d:80", '?'},
    {"tcp://*.*.*.*:80", "tcp://[::1.2.3.4]:80", 'n'},
    {"tcp://127.0.0.1:80", "tcp://localhost:80", '?'},
    {"tcp://127.0.0.1:80", "tcp://127.0.0.1:80", 'y'},
    {"tcp://127.0.0.1:80", "tcp://0x7f.1:80", '?'},
    {"tcp://127.0.0.1:80", "tcp://[::ffff:127.0.0.1]:80", 'y'},
    {"tcp://127.0.0.1:80", "tcp://[::FFFF:7f00:1]:80", 'y'},
    {"tcp://[::ffff:127.0.0.1]:80", "tcp://127.0.0.1:80", 'y'},
    {"tcp://[::1]:80", "tcp://[0:0::1]:80", 'y'},
    {"tcp://[0:0::1]:80", "tcp://[::1]:80", 'y'},
    {"tcp://\\[::1\\]:80", "tcp://[::1]:80", 'y'},
    {"tcp://[::1]:80", "tcp://[::2]:80", 'n'},
    {"tcp://[::1]:80", "tcp://a.example:80", '?'},
    {"tcp://[::1]:8*", "tcp://[::1]:8080", 'y'},
    {"tcp://[FE80::*]:80", "tcp://[fe80::1%eth0]:80", 'y'},
    {"tcp://[fe80::1]:80", "tcp://[fe80::1%eth0]:80", 'y'},
    {"tcp://[fe80::1%eth0]:80", "tcp://[fe80::1%eth0]:80", 'y'},
    {"tcp://[fe80::1%eth0]:80", "tcp://[fe80::1%eth1]:80", 'n'},
    {"tcp://[2001:db8:*]:80", "tcp://[2001:DB8::1]:80", 'y'},
    {"tcp://[2001:db8:*]:80", "tcp://[2001:db9::1]:80", 'n'},
    {"tcp://[2001:db8:*]:80", "tcp://10.0.0.1:80", 'n'},
    /* Names are no addresses. */
    {"tcp://*.example:80", "tcp://a.example:80", 'y'},
    {"tcp://*.example:80", "tcp://A.Example:80", 'y'},
    {"tcp://*.Example:80", "tcp://a.example.:80", 'y'},
    {"tcp://a.example.:80", "tcp://a.example:80", 'y'},
    {"tcp://a.example:80", "tcp://b.example:80", 'n'},
    {"tcp://a.example:80", "tcp://a.example.evil.example:80", 'n'},
    {"tcp://[!a]*.example:80", "tcp://10.0.0.1:80", 'n'},
    {"tcp://[!a]*.example:80", "tcp://b.example:80", 'y'},
    {"tcp://localhost:80", "tcp://127.0.0.1:80", 'n'},
    {"tcp://[a-z0-9]*:80", "tcp://0x7f.1:80", 'n'},
    {"tcp://[a-z0-9]*:80", "tcp://0X7F000001.:80", 'n'},
    {"tcp://[a-z0-9]*:80",
     "tcp://127\xe3\x80\x82"
     "0\xef\xbc\x8e"
     "0\xef\xbd\xa1"
     "1:80",
     'n'},
    {"tcp://[a-z0-9]*:80", "tcp://0x7f.example:80", 'y'},
    {"tcp://[a-z0-9]*:80", "tcp://1and1:80", 'y'},
    {"tcp://[a-z0-9]*:80", "tcp://0x7g:80", 'y'},
    {"tcp://*:80", "tcp://0x7f.1:80", 'y'},
    {"//[a-z0-9]*/pipe/x", "//0x7f.1/pipe/x", 'n'},
    {"tcp://[ab]x:80", "tcp://ax:80", 'y'},
    /* Pipes. */
    {"//./pipe/docker*", "//./pipe/docker_engine", 'y'},
    {"//./pipe/docker*", "//./PIPE/DOCKER_engine", 'y'},
    {"//./pipe/Docker*", "npipe:docker", 'y'},
    {"//./pipe/[!d]*", "//./pipe/Docker", 'n'},
    {"//./pipe/x", "//localhost/pipe/x", 'n'},
    {"//./pipe/x", "//127.0.0.1/pipe/x", 'n'},
    {"//./pipe/*", "\\\\?\\pipe\\x", 'y'},
    {"//*/pipe/x", "//host/pipe/x", 'y'},
    {"//*/pipe/x", "//./pipe/x", 'y'},
    {"//10.*/pipe/x", "//10.0.0.1/pipe/x", 'y'},
    {"//10.*/pipe/x", "//10.evil.example/pipe/x", 'n'},
    {"//10.*", "//10.evil.example/pipe/x", 'n'},
    {"//*.example/pipe/x", "//A.example/pipe/x", 'y'},
    {"//a*/pipe/x", "//10.0.0.1/pipe/x", 'n'},
    {"*/pipe/x", "//./pipe/x", 'y'},
    {"*/pipe/x", "//host/pipe/x", 'n'},
    {"//./pipe/a?impersonation=b", "//./pipe/aximpersonation=b", 'n'},
    {"//./pipe/x?impersonation=delegation", "//./pipe/x", 'y'},
    {"//./pipe/\\?impersonation=x", "//./pipe/x", 'n'},
    /* Files and names that have upper and lower case. */
    {"unix:///run/*", "unix:///run/a/b", 'y'},
    {"unix:///run/*", "unix:///RUN/a", 'n'},
    {"unix:///10.*", "tcp://10.evil.example:80", 'n'},
    {"unix:*", "unix:///x", 'y'},
    {"unix:*", "assuan:///x", 'n'},
    {"assuan:///C:/Users/N/*", "assuan:///c:/users/n/x", 'y'},
    {"assuan:///C:/Users/N/*", "assuan:c:\\users\\n\\x", 'y'},
    {"assuan:///home/*", "assuan:///Home/x", 'n'},
    {"abstract:a*", "abstract:ab", 'y'},
    {"abstract:a*", "abstract:Ab", 'n'},
};

static void test_matches(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    if (strstr(cases[i].pattern, "impersonation=b") != NULL) {
      assert_non_null(uvr_allow_fault(cases[i].pattern)); /* the ? is no wildcard there */
      continue;
    }
    uvr_allow *made = allow(cases[i].pattern);
    uvr_address address = address_of(cases[i].address);
    bool matches = uvr_allow_matches(made, &address);
    bool may_match =
        address.kind == UVR_ADDRESS_TCP && !uvr_allow_is_ip(&address) && uvr_allow_may_match(made, &address);
    char got = matches ? 'y' : may_match ? '?' : 'n';
    if (got != cases[i].matches) {
      fail_msg("%s and %s: %c", cases[i].pattern, cases[i].address, got);
    }
    discard(made);
  }
}

static const struct {
  const char *pattern;
  const char *fixed; /* NULL: there is none */
  const char *real;
  const char *path;
  bool matches;
} links[] = {
    {"unix:///var/run/*", "/var/run", "/run", "/run/x", true},
    {"unix:///var/run/*", "/var/run", "/run", "/runaway/x", false},
    {"unix:///var/run/*", "/var/run", "/run", "/var/run/x", false},
    {"unix:///var/run/x", "/var/run/x", "/run/x", "/run/x", true},
    {"unix:///var/run/x", "/var/run/x", "/run/x", "/run/x/y", false},
    {"unix:///var/run/x", "/var/run/x", "/run/x", "/run/xy", false},
    {"unix:///link/a?b", "/link", "/", "/axb", true},
    {"unix:///a/b[cd]/*", "/a", "/", "/bc/x", true},
    {"unix:///a/\\[/x", "/a", "/z", "/z/[/x", true},
    {"unix:///*", NULL, NULL, NULL, false},
    {"unix:*", NULL, NULL, NULL, false},
    {"assuan:///a/*", NULL, NULL, NULL, false},
    {"*", NULL, NULL, NULL, false},
};

static void test_fixed(void **state)
{
  (void)state;
  char path[UVR_ADDRESS_PATH_SIZE];
  for (size_t i = 0; i < COUNT(links); i++) {
    uvr_allow *made = allow(links[i].pattern);
    size_t length = uvr_allow_fixed(made, UVR_ADDRESS_UNIX, path);
    assert_string_equal(path, links[i].fixed != NULL ? links[i].fixed : "");
    assert_int_equal(length, strlen(path));
    if (links[i].fixed != NULL) {
      uvr_address address = {.kind = UVR_ADDRESS_UNIX};
      (void)snprintf(address.path, sizeof(address.path), "%s", links[i].path);
      if (uvr_allow_matches_below(made, length, links[i].real, &address) != links[i].matches) {
        fail_msg("%s and %s", links[i].pattern, links[i].path);
      }
    }
    discard(made);
  }
  uvr_allow *made = allow("assuan:///C:/Users/*");
  uvr_address address = {.kind = UVR_ADDRESS_ASSUAN, .path = "D:/Data/x"};
  assert_int_equal(uvr_allow_fixed(made, UVR_ADDRESS_ASSUAN, path), 8);
  assert_string_equal(path, "C:/Users");
  assert_true(uvr_allow_matches_below(made, 8, "d:/data", &address));
  discard(made);
  made = allow("assuan:///Z:/[ab]*"); /* a drive that leads elsewhere; never the current directory of one */
  assert_int_equal(uvr_allow_fixed(made, UVR_ADDRESS_ASSUAN, path), 2);
  assert_string_equal(path, "Z:/");
  assert_false(uvr_allow_matches_below(made, 2, "D:/Data", &address));
  (void)strcpy(address.path, "//host/share/abc");
  assert_true(uvr_allow_matches_below(made, 2, "//HOST/share/", &address));
  discard(made);
}

static void test_levels(void **state)
{
  (void)state;
  static const struct {
    const char *pattern;
    uvrelay_impersonation_t level;
  } levels[] = {
      {"//./pipe/x", UVRELAY_IMPERSONATION_ANONYMOUS},
      {"//./pipe/x?impersonation=anonymous", UVRELAY_IMPERSONATION_ANONYMOUS},
      {"//./pipe/x?impersonation=identification", UVRELAY_IMPERSONATION_IDENTIFICATION},
      {"//./pipe/?impersonation=x?impersonation=impersonation", UVRELAY_IMPERSONATION_IMPERSONATION},
      {"*?impersonation=delegation", UVRELAY_IMPERSONATION_DELEGATION},
  };
  for (size_t i = 0; i < COUNT(levels); i++) {
    uvr_allow *made = allow(levels[i].pattern);
    assert_int_equal(made->level, levels[i].level);
    discard(made);
  }
}

/* What would silently allow nothing. */
static void test_faults(void **state)
{
  (void)state;
  static const char *const faults[][2] = {
      {"", "empty"},
      {"?impersonation=anonymous", "empty"},
      {"//./pipe/x?impersonation=", "impersonation levels are"},
      {"//./pipe/x?impersonation=all", "impersonation levels are"},
      {"tcp://h:1?impersonation=delegation", "only the server of a pipe"},
      {"unix:///x?impersonation=delegation", "only the server of a pipe"},
      {"tcp://h", "tcp://HOST:PORT"},
      {"tcp://h:99999", "from 1 to 65535"},
      {"tcp://h:", "from 1 to 65535"},
      {"tcp://h:x", "from 1 to 65535"},
      {"tcp://10.1:80", "neither an IPv4 address nor a name"},
      {"tcp://0x7f.1:80", "neither an IPv4 address nor a name"},
      {"tcp://256.0.0.1:80", "neither an IPv4 address nor a name"},
      {"tcp://127.0.0.1.:80", "neither an IPv4 address nor a name"},
      {"tcp://[::g]:80", NULL},
      {"tcp://[1:2:3]:80", "no IPv6 address"},
      {"tcp://[::ffff:10.*]:80", "without ::ffff:"},
      {"via:tcp://h:1", "have no via:"},
      {"npipe:x", "//./pipe/NAME"},
      {"abstract:", "abstract:NAME"},
      {"ABSTRACT:x", "abstract:NAME"},
      {"docker_engine", "no known scheme"},
      {"/run/x.sock", "no known scheme"},
      {"localhost:80", "no known scheme"},
      {"http://*", "no known scheme"},
      {"fd:*", "no known scheme"},
      {"u", "no known scheme"},
      {"abstract:*", NULL},
      {"a*", NULL},
      {"[tu]*", NULL},
  };
  for (size_t i = 0; i < COUNT(faults); i++) {
    const char *fault = uvr_allow_fault(faults[i][0]);
    if (faults[i][1] == NULL ? fault != NULL : fault == NULL || strstr(fault, faults[i][1]) == NULL) {
      fail_msg("%s: %s", faults[i][0], fault != NULL ? fault : "no fault");
    }
  }
}

/* Nothing is read or written out of bounds, whatever the pattern; and none for addresses ever matches a name. */
static void test_random(void **state)
{
  (void)state;
  static const char *const pieces[] = {"tcp://",    "//",   "unix://", "assuan://", "[",     "]",
                                       "\\",        "::",   "1",       "10",        ".",     "*",
                                       "?",         ":",    "80",      "%",         "eth0",  "/",
                                       "C:",        "pipe", "!",       "-",         "ffff:", "?impersonation=",
                                       "example",   "a",    "\xff",    "abstract:", "@",     "//./",
                                       "delegation"};
  static const char *const addresses[] = {"tcp://10.0.0.1:80", "tcp://[fe80::1%eth0]:1", "tcp://10.example:80",
                                          "//./pipe/x",        "//10.0.0.1/pipe/x",      "//10.example/pipe/x",
                                          "unix:///x/y",       "assuan:///C:/x/y",       "abstract:a"};
  uint64_t random = 1;
  for (unsigned round = 0; round < 100000; round++) {
    char pattern[200] = "";
    for (unsigned i = 0; i < 1 + round % 8; i++) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      (void)strcat(pattern, pieces[(random >> 33) % COUNT(pieces)]);
    }
    char *exact = malloc(strlen(pattern) + 1);
    assert_non_null(exact);
    (void)strcpy(exact, pattern);
    const uvrelay_allocator_t memory = uvr_memory_default();
    uvr_allow *made = NULL;
    bool bad = uvr_allow_fault(exact) != NULL;
    assert_int_equal(uvr_allow_new(&memory, exact, &made), 0);
    free(exact);
    for (size_t i = 0; i < COUNT(addresses) && !bad; i++) {
      char path[UVR_ADDRESS_PATH_SIZE];
      uvr_address address = address_of(addresses[i]);
      bool matches = uvr_allow_matches(made, &address);
      bool for_ip = made->host == UVR_ALLOW_IPV4 || made->host == UVR_ALLOW_IPV6;
      if (matches && for_ip && strstr(addresses[i], "10.example") != NULL) {
        fail_msg("%s matches %s", pattern, addresses[i]);
      }
      if (address.kind == UVR_ADDRESS_UNIX || address.kind == UVR_ADDRESS_ASSUAN) {
        size_t length = uvr_allow_fixed(made, address.kind, path);
        (void)(length > 0 && uvr_allow_matches_below(made, length, "/x", &address));
      }
    }
    discard(made);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matches), cmocka_unit_test(test_fixed),  cmocka_unit_test(test_levels),
      cmocka_unit_test(test_faults),  cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
