/* Pipes that are found by the beginning of their names: which one is taken, what is left out, what is refused. The
 * pipes are real; the list of their names is given here, as Wine cannot list them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/npipe_find_win.h"
#include "mux_raw.h"

#include <windows.h>

#include <sddl.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { PIPES = 80, NAME = 160 };

/* The list. */

static struct {
  char names[PIPES][NAME];
  unsigned count;
  unsigned next;
  DWORD error; /* of the listing; 0: none */
  unsigned listed;
  unsigned open; /* searches */
} list;

static HANDLE give_next(WIN32_FIND_DATAW *entry)
{
  if (list.next >= list.count) {
    SetLastError(list.next == 0 ? ERROR_FILE_NOT_FOUND : ERROR_NO_MORE_FILES);
    return INVALID_HANDLE_VALUE;
  }
  memset(entry, 0, sizeof(*entry));
  (void)MultiByteToWideChar(CP_UTF8, 0, list.names[list.next++], -1, entry->cFileName, MAX_PATH);
  return &list;
}

static HANDLE WINAPI find_first(const WCHAR *path, WIN32_FIND_DATAW *entry)
{
  assert_int_equal(wcscmp(path, L"\\\\.\\pipe\\*"), 0);
  list.listed++;
  list.next = 0;
  if (list.error != 0) {
    SetLastError(list.error);
    return INVALID_HANDLE_VALUE;
  }
  HANDLE search = give_next(entry);
  list.open += search != INVALID_HANDLE_VALUE ? 1 : 0;
  return search;
}

static BOOL WINAPI find_next(HANDLE search, WIN32_FIND_DATAW *entry)
{
  assert_ptr_equal(search, &list);
  return give_next(entry) != INVALID_HANDLE_VALUE;
}

static BOOL WINAPI find_close(HANDLE search)
{
  assert_ptr_equal(search, &list);
  list.open--;
  return TRUE;
}

// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c): these names are the linker's
extern HANDLE(WINAPI *const __imp_FindFirstFileW)(const WCHAR *, WIN32_FIND_DATAW *);
extern BOOL(WINAPI *const __imp_FindNextFileW)(HANDLE, WIN32_FIND_DATAW *);
extern BOOL(WINAPI *const __imp_FindClose)(HANDLE);
HANDLE(WINAPI *const __imp_FindFirstFileW)(const WCHAR *, WIN32_FIND_DATAW *) = find_first;
BOOL(WINAPI *const __imp_FindNextFileW)(HANDLE, WIN32_FIND_DATAW *) = find_next;
BOOL(WINAPI *const __imp_FindClose)(HANDLE) = find_close;
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c)

/* Pipes. */

static HANDLE pipes[PIPES];

/* The beginning of the names of this process. */
static const char *beginning(void)
{
  static char text[64];
  (void)snprintf(text, sizeof(text), "uvrelay-find-%lu.", GetCurrentProcessId());
  return text;
}

static void forget_all(void)
{
  for (unsigned i = 0; i < PIPES; i++) {
    if (pipes[i] != NULL) {
      (void)CloseHandle(pipes[i]);
      pipes[i] = NULL;
    }
  }
  memset(&list, 0, sizeof(list));
}

static const char *list_name(const char *name)
{
  assert_true(list.count < PIPES);
  (void)snprintf(list.names[list.count], NAME, "%s", name);
  return list.names[list.count++];
}

/* Makes a pipe of this name with one instance, and lists it. With an owner, its clients have all rights. Returns NULL
 * if the system does not allow a pipe of another owner. */
static HANDLE add_pipe(const char *end, const char *owner)
{
  char name[NAME];
  char path[NAME + 16];
  char rights[100];
  WCHAR wide[NAME + 16];
  SECURITY_ATTRIBUTES security = {.nLength = sizeof(security)};
  (void)snprintf(name, sizeof(name), "%s%s", beginning(), end);
  (void)snprintf(path, sizeof(path), "\\\\.\\pipe\\%s", name);
  (void)snprintf(rights, sizeof(rights), "O:%sD:(A;;GA;;;WD)", owner != NULL ? owner : "");
  (void)MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, NAME + 16);
  if (owner != NULL) {
    assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA(rights, SDDL_REVISION_1,
                                                                     &security.lpSecurityDescriptor, NULL));
  }
  HANDLE pipe = CreateNamedPipeW(wide, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, 0, 1, 512, 512, 0,
                                 owner != NULL ? &security : NULL);
  if (owner != NULL) {
    LocalFree(security.lpSecurityDescriptor);
  }
  if (pipe == INVALID_HANDLE_VALUE) {
    assert_int_equal(GetLastError(), ERROR_INVALID_OWNER);
    return NULL;
  }
  pipes[list.count] = pipe;
  (void)list_name(name);
  return pipe;
}

/* Whether a client is or has been connected. */
static bool is_connected(HANDLE pipe)
{
  OVERLAPPED overlapped = {.hEvent = NULL};
  if (ConnectNamedPipe(pipe, &overlapped) || GetLastError() != ERROR_IO_PENDING) {
    return GetLastError() == ERROR_PIPE_CONNECTED || GetLastError() == ERROR_NO_DATA;
  }
  DWORD ignored;
  (void)CancelIo(pipe);
  (void)GetOverlappedResult(pipe, &overlapped, &ignored, TRUE);
  return false;
}

/* Looking. */

#define SYSTEM "S-1-5-18"
#define OTHER  "S-1-5-21-1-2-3-1001"

typedef struct found {
  int code;
  uvr_address address;
  uvrelay_error_t error;
} found;

static found look_with(const char *name, const uvr_connect_options *options)
{
  char text[NAME];
  uvr_address address;
  uv_os_fd_t file = NULL;
  found out = {.code = 0};
  (void)snprintf(text, sizeof(text), "//./pipe/%s", name);
  assert_int_equal(uvr_address_parse(text, 0, &address, NULL), 0);
  assert_true(address.open_ended);
  out.code = uvr_npipe_find(&address, options, &out.address, &file, &out.error);
  assert_int_equal(file != NULL, out.code == 0);
  assert_int_equal(list.open, 0);
  if (file != NULL) {
    (void)CloseHandle(file);
  }
  return out;
}

/* Looks for a pipe whose name begins as those that are made here, and then so. */
static found look(const char *end, const char *owner)
{
  char name[NAME];
  const uvr_connect_options options = {.owner = owner};
  (void)snprintf(name, sizeof(name), "%s%s*", beginning(), end);
  return look_with(name, &options);
}

static void assert_found(const found *f, const char *end)
{
  char expected[NAME];
  (void)snprintf(expected, sizeof(expected), "//./pipe/%s%s", beginning(), end);
  if (f->code != 0) {
    fail_msg("%s: %s", expected, f->error.text);
  }
  assert_string_equal(f->address.canonical, expected);
}

static void assert_not(const found *f, int code, const char *words)
{
  assert_int_equal(f->code, code);
  assert_int_equal(f->error.code, code);
  if (strstr(f->error.text, words) == NULL) {
    fail_msg("no \"%s\" in: %s", words, f->error.text);
  }
}

static void test_one(void **state)
{
  (void)state;
  (void)list_name("something else");
  HANDLE other = add_pipe("b.1", NULL);
  HANDLE meant = add_pipe("a.\xC3\xA4-0123456789abcdef", NULL);
  (void)list_name("");
  found f = look("a.", NULL);
  assert_found(&f, "a.\xC3\xA4-0123456789abcdef");
  assert_true(is_connected(meant));
  assert_false(is_connected(other));
  assert_int_equal(list.listed, 1);
}

/* What the * stands for may be empty, and case is ignored as Windows does. */
static void test_case_and_empty_rest(void **state)
{
  (void)state;
  (void)add_pipe("PAGEant.\xC3\x84.X", NULL);
  found f = look("pageANT.\xC3\xA4.", NULL);
  assert_found(&f, "PAGEant.\xC3\x84.X");
  forget_all();
  (void)add_pipe("whole", NULL);
  f = look("whole", NULL);
  assert_found(&f, "whole");
  f = look("wholer", NULL);
  assert_not(&f, UV_ENOENT, "no pipe");
}

static void test_none(void **state)
{
  (void)state;
  char expected[NAME];
  (void)snprintf(expected, sizeof(expected), "there is no pipe whose name begins with //./pipe/%sa.", beginning());
  found f = look("a.", NULL);
  assert_not(&f, UV_ENOENT, expected);
  assert_true(uvr_error_is_absence(&f.error)); /* so that it can be waited for */
  HANDLE other = add_pipe("b.", NULL);
  f = look("a.", "user");
  assert_not(&f, UV_ENOENT, expected);
  assert_false(is_connected(other));
}

/* What cannot be written as an address, and what has the marks of an address that is not meant literally. */
static void test_odd_names(void **state)
{
  (void)state;
  static const char *const odd[] = {"a.*", "a.x*", "a.?", "a.%USERNAME%", "a.x.", "a.\x01", "a.\"", "a.b\\..\\c"};
  for (size_t i = 0; i < COUNT(odd); i++) {
    char name[NAME];
    (void)snprintf(name, sizeof(name), "%s%s", beginning(), odd[i]);
    (void)list_name(name);
  }
  found f = look("a.", NULL);
  assert_not(&f, UV_ENOENT, "no pipe");
  (void)add_pipe("a.good", NULL);
  f = look("a.", NULL);
  assert_found(&f, "a.good");
}

static void test_several(void **state)
{
  (void)state;
  HANDLE first = add_pipe("a.1", NULL);
  HANDLE second = add_pipe("a.2", NULL);
  char expected[2 * NAME];
  (void)snprintf(expected, sizeof(expected), "//./pipe/%sa.1, //./pipe/%sa.2: write the whole name", beginning(),
                 beginning());
  found f = look("a.", NULL);
  assert_not(&f, UV_EINVAL, expected);
  assert_non_null(strstr(f.error.text, "owner=user"));
  assert_false(is_connected(first)); /* no pipe was asked for anything */
  assert_false(is_connected(second));
  f = look("a.2", NULL);
  assert_found(&f, "a.2");
}

static void test_very_many(void **state)
{
  (void)state;
  for (unsigned i = 0; i < PIPES; i++) {
    char name[NAME];
    (void)snprintf(name, sizeof(name), "%sa.%u", beginning(), i);
    (void)list_name(name);
  }
  found f = look("a.", NULL);
  assert_not(&f, UV_EINVAL, "...: write the whole name");
  assert_true(list.next < PIPES);
  f = look("a.", "user"); /* none of them is there any longer */
  assert_not(&f, UV_ENOENT, "there is no pipe");
}

/* Somebody else's do not count, wherever they are in the list. */
static void test_owner(void **state)
{
  (void)state;
  static const char *const owners[] = {OTHER, SYSTEM, OTHER};
  char end[] = "a.0";
  for (size_t i = 0; i < COUNT(owners); i++) {
    end[2] = (char)('0' + i);
    if (add_pipe(end, owners[i]) == NULL) {
      skip();
    }
  }
  found f = look("a.", "system");
  assert_found(&f, "a.1");
  assert_true(is_connected(pipes[1]));
  forget_all();
  (void)add_pipe("a.0", SYSTEM);
  (void)add_pipe("a.1", OTHER);
  f = look("a.", "user,system");
  assert_found(&f, "a.0");
}

static void test_owner_of_none(void **state)
{
  (void)state;
  if (add_pipe("a.0", OTHER) == NULL) {
    skip();
  }
  found f = look("a.", "system,user");
  assert_not(&f, UV_EPERM, "a.0 belongs to " OTHER ", but owner=system,user is required");
}

static void test_owner_of_several(void **state)
{
  (void)state;
  if (add_pipe("a.0", SYSTEM) == NULL || add_pipe("a.1", OTHER) == NULL || add_pipe("a.2", SYSTEM) == NULL) {
    skip();
  }
  found f = look("a.", "system");
  assert_not(&f, UV_EINVAL, "a.0, //");
  assert_non_null(strstr(f.error.text, "a.2: write the whole name"));
  assert_null(strstr(f.error.text, "owner=user"));
  assert_null(strstr(f.error.text, "a.1"));
}

/* A busy one is waited for, unless another one fits. */
static void test_busy(void **state)
{
  (void)state;
  if (add_pipe("a.0", SYSTEM) == NULL) {
    skip();
  }
  found first = look("a.", "system");
  assert_found(&first, "a.0");
  uvr_address address;
  uv_os_fd_t held = NULL;
  uvrelay_error_t error;
  assert_true(DisconnectNamedPipe(pipes[0]));
  assert_false(is_connected(pipes[0]));
  assert_int_equal(uvr_address_parse(first.address.canonical, 0, &address, NULL), 0);
  assert_int_equal(uvr_npipe_open_owned(address.path, address.canonical, 0, NULL, &held, &error), 0);
  (void)add_pipe("a.1", OTHER);
  found f = look("a.", "system");
  assert_not(&f, UV_EBUSY, "a.0 are busy");
  (void)add_pipe("a.2", SYSTEM);
  f = look("a.", "system");
  assert_found(&f, "a.2");
  (void)CloseHandle(held);
}

/* What may not be connected to is neither opened nor reported. */

static char allowed_end;
static int asked_about_itself;

static int check(void *user, const uvr_address *place, uvrelay_error_t *error)
{
  (void)user;
  if (place->open_ended) {
    asked_about_itself++;
    return allowed_end == '*' ? 0 : uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, "it is not allowed");
  }
  char last = place->canonical[strlen(place->canonical) - 1];
  return allowed_end == last
             ? 0
             : uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, "%s is a secret", place->canonical);
}

static void test_check(void **state)
{
  (void)state;
  char name[NAME];
  uvr_connect_options options = {.check = check, .check_real = true};
  HANDLE first = add_pipe("a.0", NULL);
  HANDLE second = add_pipe("a.1", NULL);
  (void)snprintf(name, sizeof(name), "%sa.*", beginning());
  allowed_end = '1';
  found f = look_with(name, &options);
  assert_found(&f, "a.1");
  assert_false(is_connected(first));
  assert_true(is_connected(second));
  asked_about_itself = 0;
  allowed_end = '2';
  f = look_with(name, &options);
  assert_not(&f, UV_EACCES, "it is not allowed");
  assert_int_equal(asked_about_itself, 1);
  (void)snprintf(name, sizeof(name), "%sb.*", beginning());
  f = look_with(name, &options);
  assert_not(&f, UV_EACCES, "it is not allowed"); /* the same, where there is none */
  allowed_end = '*';
  f = look_with(name, &options);
  assert_not(&f, UV_ENOENT, "there is no pipe");
  options.check_real = false; /* of serve, which looks for rings */
  allowed_end = '2';
  (void)snprintf(name, sizeof(name), "%sa.1*", beginning());
  f = look_with(name, &options);
  assert_not(&f, UV_EACCES, "a.1 is a secret");
}

static void test_no_list(void **state)
{
  (void)state;
  list.error = ERROR_BAD_DEV_TYPE; /* as Wine says */
  found f = look("a.", NULL);
  assert_int_equal(f.error.system, ERROR_BAD_DEV_TYPE);
  assert_int_equal(f.code, f.error.code);
  assert_non_null(strstr(f.error.text, "cannot list the pipes"));
}

/* By the far end of a mux, which has a list of what it may connect to. */

static void ask(const char *end, const char *const patterns[], size_t count, const char *answer)
{
  char line[2 * NAME];
  const uvrelay_mux_options_t options = {.size = sizeof(options), .allow = patterns, .allow_count = count};
  route_host *h = mux_host_new(NULL, &options);
  mux_raw *raw = raw_new(h, h->muxes.far_end.mux);
  raw_greet(raw, true);
  ROUTE_WAIT(h, h->muxes.far_end.ups == 1);
  (void)snprintf(line, sizeof(line), "CONNECT //./pipe/%s%s\n", beginning(), end);
  raw_frame(raw, Y_UPDATE, Y_SYN, 1, 0);
  raw_data(raw, 0, 1, line);
  ROUTE_WAIT(h, strstr(raw->talk, "\\n") != NULL);
  if (strstr(raw->talk, answer) == NULL) {
    fail_msg("no %s in %s", answer, raw->talk);
  }
  raw_free(raw);
  route_host_free(h);
}

static void test_mux(void **state)
{
  (void)state;
  char one[NAME];
  char all[NAME];
  (void)snprintf(one, sizeof(one), "//./pipe/%sa.1", beginning());
  (void)snprintf(all, sizeof(all), "//./pipe/%sa.*?impersonation=identification", beginning());
  HANDLE first = add_pipe("a.0", NULL);
  HANDLE second = add_pipe("a.1", NULL);
  ask("a.*", (const char *[]){one}, 1, "1\"OK\\n");
  assert_false(is_connected(first));
  assert_true(is_connected(second));
  (void)DisconnectNamedPipe(second);
  assert_false(is_connected(second));
  ask("a.*", (const char *[]){all}, 1, "ERR EINVAL more than one pipe");
  ask("a.0*?impersonation=impersonation", (const char *[]){all}, 1, "not allowed with impersonation=impersonation");
  ask("a.0*?impersonation=identification", (const char *[]){all}, 1, "1\"OK\\n");
  ask("b.*", (const char *[]){one}, 1, "ERR EACCES");
  ask("a.2*", (const char *[]){all}, 1, "ERR ENOENT there is no pipe");
  ask("a.*", (const char *[]){"//./pipe/docker_engine"}, 1, "a.* is not allowed: the patterns are");
}

static int clear(void **state)
{
  (void)state;
  forget_all();
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_one, clear),
      cmocka_unit_test_teardown(test_case_and_empty_rest, clear),
      cmocka_unit_test_teardown(test_none, clear),
      cmocka_unit_test_teardown(test_odd_names, clear),
      cmocka_unit_test_teardown(test_several, clear),
      cmocka_unit_test_teardown(test_very_many, clear),
      cmocka_unit_test_teardown(test_owner, clear),
      cmocka_unit_test_teardown(test_owner_of_none, clear),
      cmocka_unit_test_teardown(test_owner_of_several, clear),
      cmocka_unit_test_teardown(test_busy, clear),
      cmocka_unit_test_teardown(test_check, clear),
      cmocka_unit_test_teardown(test_no_list, clear),
      cmocka_unit_test_teardown(test_mux, clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
