/* Variables of Windows in addresses: what they become, and what is refused, with the address left as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "address/address.h"
#include "address/variables.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *value_of_all; /* NULL: none is set */
static char asked_for[64];

/* As uv_os_getenv. */
static int variable(const char *name, char *buffer, size_t *size)
{
  (void)snprintf(asked_for, sizeof(asked_for), "%s", name);
  if (value_of_all == NULL) {
    return UV_ENOENT;
  }
  size_t length = strlen(value_of_all);
  if (length >= *size) {
    *size = length + 1;
    return UV_ENOBUFS;
  }
  memcpy(buffer, value_of_all, length + 1);
  *size = length;
  return 0;
}

static int fill_in(const char *text, unsigned flags, const char *value, uvr_address *out, uvrelay_error_t *error)
{
  uvrelay_error_t ignored;
  value_of_all = value;
  asked_for[0] = '\0';
  memset(error, 0, sizeof(*error));
  assert_int_equal(uvr_address_parse(text, flags, out, &ignored), 0);
  return uvr_address_fill_in(out, variable, error);
}

static const struct filled {
  const char *text;
  const char *value;
  const char *canonical;
  const char *path;
} filled[] = {
    {"assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent", "C:\\Users\\J\xC3\xB6rg A\\AppData\\Local",
     "assuan:///C:/Users/J\xC3\xB6rg A/AppData/Local/gnupg/S.gpg-agent",
     "C:/Users/J\xC3\xB6rg A/AppData/Local/gnupg/S.gpg-agent"},
    {"assuan:%appdata%\\x", "C:\\A\\", "assuan:///C:/A\\x", "C:/A\\x"},
    {"assuan:%USERPROFILE%/x", "D:\\", "assuan:///D:/x", "D:/x"},
    {"assuan:%USERPROFILE%/x", "D:", "assuan:///D:/x", "D:/x"},
    {"assuan:%APPDATA%/x", "\\\\server\\share\\me", "assuan:////server/share/me/x", "//server/share/me/x"},
    {"assuan:%APPDATA%/%USERPROFILE%/x", "C:\\%APPDATA%", "assuan:///C:/%APPDATA%/%USERPROFILE%/x",
     "C:/%APPDATA%/%USERPROFILE%/x"}, /* once, at the beginning */
    {"npipe:%USERNAME%", "me", "//./pipe/me", "\\\\.\\pipe\\me"},
    {"//./pipe/pageant.%username%.*", "Max M", "//./pipe/pageant.Max M.*", "\\\\.\\pipe\\pageant.Max M.*"},
    {"//h/pipe/%USERNAME%-%UserName%", "\xC3\xB6", "//h/pipe/\xC3\xB6-\xC3\xB6", "\\\\h\\pipe\\\xC3\xB6-\xC3\xB6"},
    {"npipe:%USERNAME%%USERNAME%", "USERNAME", "//./pipe/USERNAMEUSERNAME", "\\\\.\\pipe\\USERNAMEUSERNAME"},
    {"npipe:x*", NULL, "//./pipe/x*", "\\\\.\\pipe\\x*"}, /* has none */
    {"assuan:///C:/%APPDATA%/x", NULL, "assuan:///C:/%APPDATA%/x", "C:/%APPDATA%/x"},
};

static void test_filled(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(filled); i++) {
    uvr_address out;
    uvrelay_error_t error;
    if (fill_in(filled[i].text, 0, filled[i].value, &out, &error) != 0) {
      fail_msg("%s: %s", filled[i].text, error.text);
    }
    assert_string_equal(out.canonical, filled[i].canonical);
    assert_string_equal(out.path, filled[i].path);
    assert_false(out.has_variable);
    assert_int_equal(out.open_ended, out.path[strlen(out.path) - 1] == '*');
    assert_int_equal(asked_for[0] != '\0', filled[i].value != NULL);
  }
}

/* The name is asked for without its percent signs. */
static void test_names(void **state)
{
  (void)state;
  uvr_address out;
  uvrelay_error_t error;
  assert_int_equal(fill_in("assuan:%LocalAppData%/x", 0, "C:\\", &out, &error), 0);
  assert_true(uvr_is_same_word(asked_for, "LOCALAPPDATA"));
  assert_int_equal(fill_in("%USERPROFILE%\\x", UVR_ADDRESS_ASSUAN_PATH, "C:\\", &out, &error), 0);
  assert_string_equal(asked_for, "USERPROFILE");
  assert_int_equal(fill_in("npipe:x-%username%-y", 0, "z", &out, &error), 0);
  assert_true(uvr_is_same_word(asked_for, "USERNAME"));
}

static char long_value[3000];

static const struct refused {
  const char *text;
  const char *value;
  const char *words;
} refused[] = {
    {"assuan:%LOCALAPPDATA%/x", NULL, "has the variable %LOCALAPPDATA%, which is not set"},
    {"assuan:%LOCALAPPDATA%/x", "", "which is empty"},
    {"assuan:%APPDATA%/x", long_value, "which is too long"},
    {"assuan:%APPDATA%/x", long_value + sizeof(long_value) - 1 - 1100, "too long"},
    {"assuan:%APPDATA%/x", "AppData", "not a whole path"},
    {"assuan:%APPDATA%/x", "\\AppData", "not a whole path"},
    {"assuan:%APPDATA%/x", "\\\\", "not a whole path"},
    {"assuan:%APPDATA%/x", "C:AppData", "not a whole path"},
    {"assuan:%APPDATA%/x", "tcp://h:1", "not a whole path"},
    {"assuan:%APPDATA%/x", "C:\\a\nb", "control character"},
    {"assuan:%APPDATA%/x", "C:\\a\xFF", "not UTF-8"},
    {"npipe:%USERNAME%", NULL, "has the variable %USERNAME%, which is not set"},
    {"npipe:%USERNAME%", "", "which is empty"},
    {"npipe:%USERNAME%", long_value, "which is too long"},
    {"npipe:%USERNAME%", long_value + sizeof(long_value) - 1 - 2000, "too long"},
    {"npipe:%USERNAME%%USERNAME%%USERNAME%", long_value + sizeof(long_value) - 1 - 1900, "too long"},
    {"npipe:%USERNAME%", "..", "ends in a dot"},
    {"npipe:%USERNAME%", "a\\b", "user names cannot have"},
    {"npipe:%USERNAME%", "a/b", "user names cannot have"},
    {"npipe:a%USERNAME%", "*", "user names cannot have"},
    {"npipe:%USERNAME%", "%USERNAME%", "user names cannot have"},
    {"npipe:%USERNAME%", "a\x01", "control character"},
};

static void test_refused(void **state)
{
  (void)state;
  memset(long_value, 'x', sizeof(long_value) - 1);
  for (size_t i = 0; i < COUNT(refused); i++) {
    uvr_address out;
    uvr_address before;
    uvrelay_error_t error;
    char value[sizeof(long_value)];
    const char *given = refused[i].value;
    if (given != NULL) {
      bool is_path = strncmp(refused[i].text, "assuan:", 7) == 0 && *given == 'x';
      (void)snprintf(value, sizeof(value), "%s%s", is_path ? "C:/" : "", given);
      given = value;
    }
    int code = fill_in(refused[i].text, 0, given, &out, &error);
    if (code != UV_EINVAL || strstr(error.text, refused[i].words) == NULL) {
      fail_msg("%s with %.40s: %d, %s", refused[i].text, refused[i].value, code, error.text);
    }
    assert_int_equal(error.phase, UVRELAY_PHASE_ADDRESS);
    assert_int_equal(uvr_address_parse(refused[i].text, 0, &before, NULL), 0);
    assert_memory_equal(&out, &before, sizeof(out));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_filled),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
