/* Lists of users: each word, what is none, the longest of everything, and on which systems a list names somebody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "address/users.h"

#define WINDOWS UVR_USERS_OF_WINDOWS
#define UNIX    UVR_USERS_OF_UNIX
#define BOTH    (WINDOWS | UNIX)

#define LONGEST_NAME "a2345678901234567890123456789012"
#define LONGEST_SID                                                                                                    \
  "S-1-0xFFFFFFFFFFFF-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-"        \
  "4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295"

static uvr_user only(const char *list)
{
  uvr_user user;
  assert_true(uvr_users_next(&list, &user));
  assert_null(list);
  return user;
}

static void assert_sid(const char *word, const char *expected)
{
  char text[UVR_SID_SIZE];
  uvr_user user = only(word);
  assert_int_equal(user.kind, UVR_USER_SID);
  assert_string_equal(uvr_sid_text(text, &user.sid), expected);
}

static void test_words(void **state)
{
  (void)state;
  assert_int_equal(only("user").kind, UVR_USER_SELF);
  assert_int_equal(only("USER").kind, UVR_USER_SELF);
  assert_sid("system", "S-1-5-18");
  assert_sid("System", "S-1-5-18");
  assert_sid("admins", "S-1-5-32-544");
  assert_int_equal(only("root").kind, UVR_USER_UID);
  assert_int_equal(only("root").uid, 0);
  assert_int_equal(only("1000").kind, UVR_USER_UID);
  assert_int_equal(only("1000").uid, 1000);
  assert_true(only("4294967294").uid == 4294967294U);
  assert_int_equal(only("alice").kind, UVR_USER_NAME);
  assert_string_equal(only("alice").name, "alice");
  assert_string_equal(only("_a-b.c9$").name, "_a-b.c9$");
  assert_string_equal(only(LONGEST_NAME).name, LONGEST_NAME);
  assert_string_equal(only("users").name, "users");
}

static void test_sids(void **state)
{
  (void)state;
  assert_sid("S-1-5-18", "S-1-5-18");
  assert_sid("s-1-5-18", "S-1-5-18");
  assert_sid("S-1-5-21-3623811015-3361044348-30300820-1013", "S-1-5-21-3623811015-3361044348-30300820-1013");
  assert_sid("S-1-0x5-18", "S-1-5-18");
  assert_sid("S-1-4294967296-1", "S-1-0x000100000000-1");
  assert_sid("S-1-0xabcDEF000000-1", "S-1-0xABCDEF000000-1");
  assert_sid(LONGEST_SID, LONGEST_SID);
  uvr_user system = only("S-1-5-18");
  uvr_user admins = only("S-1-5-32-544");
  uvr_user part = only("S-1-5-32");
  uvr_user other = only("S-1-6-18");
  uvr_user word = only("system");
  assert_true(uvr_sid_is_same(&system.sid, &word.sid));
  assert_false(uvr_sid_is_same(&system.sid, &admins.sid));
  assert_false(uvr_sid_is_same(&part.sid, &admins.sid));
  assert_false(uvr_sid_is_same(&system.sid, &other.sid));
}

static void test_what_is_none(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "",
      "any",
      "user,any",
      " user",
      "user ",
      "user, root",
      ",",
      "user,",
      ",user",
      "user,,root",
      "-1",
      "4294967295",
      "12x",
      "1.5",
      "S-1",
      "S-1-",
      "S-1-5",
      "S-1-5-",
      "S-1--1",
      "S-1-5-18x",
      "S-1-5-18-",
      "S-2-5-18",
      "S-15-18",
      "S-1-281474976710656-1",
      "S-1-0x",
      "S-1-0x-1",
      "S-1-5-a",
      "S-",
      "a$b",
      "$",
      ".a",
      "a b",
      "a\xC3\xA4",
      "a:b",
      "a/b",
      "S-1-5-4294967296",
      "a\\b",
      "user;root",
      "user&owner=",
      "9a",
      LONGEST_NAME "3",
      LONGEST_SID "-1",
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    if (uvr_users_check(bad[i]) != 0) {
      fail_msg("%s is taken for a list", bad[i]);
    }
  }
}

static void test_systems(void **state)
{
  (void)state;
  assert_int_equal(uvr_users_check("user"), BOTH);
  assert_int_equal(uvr_users_check("system"), WINDOWS);
  assert_int_equal(uvr_users_check("admins,S-1-5-18"), WINDOWS);
  assert_int_equal(uvr_users_check("root"), UNIX);
  assert_int_equal(uvr_users_check("1000,alice"), UNIX);
  assert_int_equal(uvr_users_check("S-1-5-18,root"), BOTH);
}

static void test_order(void **state)
{
  (void)state;
  uvr_user user;
  const char *list = "7,user,system";
  assert_true(uvr_users_next(&list, &user));
  assert_int_equal(user.uid, 7);
  assert_string_equal(list, "user,system");
  assert_true(uvr_users_next(&list, &user));
  assert_int_equal(user.kind, UVR_USER_SELF);
  assert_true(uvr_users_next(&list, &user));
  assert_int_equal(user.kind, UVR_USER_SID);
  assert_null(list);
}

/* The longest list that an option can hold, and one that is longer by a word. */
static void test_length(void **state)
{
  (void)state;
  char list[UVRELAY_USERS_SIZE];
  char value[UVRELAY_USERS_SIZE + 8] = "";
  for (size_t i = 0; i < (UVRELAY_USERS_SIZE - 1) / 5; i++) {
    (void)strcat(value, i == 0 ? "root" : ",root");
  }
  assert_true(strlen(value) + 1 <= sizeof(list) && strlen(value) + 6 > sizeof(list));
  assert_true(uvr_users_parse(value, list));
  assert_string_equal(list, value);
  (void)strcat(value, ",user");
  (void)strcpy(list, "before");
  assert_false(uvr_users_parse(value, list));
  assert_false(uvr_users_parse("a,,b", list));
  assert_false(uvr_users_parse("", list));
  assert_string_equal(list, "before");
  assert_true(uvr_users_parse("any", list));
  assert_string_equal(list, "");
  memset(list, 'a', sizeof(list)); /* has no end */
  assert_int_equal(uvr_users_check(list), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),   cmocka_unit_test(test_sids),  cmocka_unit_test(test_what_is_none),
      cmocka_unit_test(test_systems), cmocka_unit_test(test_order), cmocka_unit_test(test_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
