/* The security descriptor of a pipe that is listened on: whose it is, who may open it, and from how trusted a process.
 * Then what the system makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "uvrelay/npipe.h" /* before windows.h, as it includes winsock2.h */

#include "endpoint/user_only_win.h"

#include <sddl.h>

typedef union security {
  SECURITY_DESCRIPTOR descriptor;
  char room[1024];
} security;

/* What the token says, asked for here once more. */
static void token_sid(TOKEN_INFORMATION_CLASS what, char text[128])
{
  HANDLE token;
  union {
    SID_AND_ATTRIBUTES told;
    char room[256];
  } answer;
  DWORD size;
  char *sid = NULL;
  assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
  assert_true(GetTokenInformation(token, what, &answer, sizeof(answer), &size));
  assert_true(ConvertSidToStringSidA(answer.told.Sid, &sid));
  (void)snprintf(text, 128, "%s", sid);
  (void)LocalFree(sid);
  (void)CloseHandle(token);
}

static SYSTEM_MANDATORY_LABEL_ACE *label_of(SECURITY_DESCRIPTOR *descriptor)
{
  BOOL present = FALSE;
  BOOL by_default;
  ACL *list = NULL;
  void *entry = NULL;
  assert_true(GetSecurityDescriptorSacl(descriptor, &present, &list, &by_default));
  return present && list != NULL && list->AceCount == 1 && GetAce(list, 0, &entry) ? entry : NULL;
}

static void assert_label(SYSTEM_MANDATORY_LABEL_ACE *label)
{
  char level[128];
  char *sid = NULL;
  assert_non_null(label);
  assert_int_equal(label->Header.AceType, SYSTEM_MANDATORY_LABEL_ACE_TYPE);
  assert_int_equal(label->Header.AceFlags, 0);
  assert_int_equal(label->Mask, SYSTEM_MANDATORY_LABEL_NO_WRITE_UP | SYSTEM_MANDATORY_LABEL_NO_READ_UP);
  token_sid(TokenIntegrityLevel, level);
  assert_true(ConvertSidToStringSidA(&label->SidStart, &sid));
  assert_string_equal(sid, level);
  (void)LocalFree(sid);
}

/* The whole of it, as Windows writes it. */
static void test_text(void **state)
{
  (void)state;
  uvr_user_only own;
  char user[128];
  char expected[512];
  char *text = NULL;
  const SECURITY_INFORMATION all = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  memset(&own, 0xA5, sizeof(own));
  assert_int_equal(uvr_user_only_init(&own), 0);
  assert_true(IsValidSecurityDescriptor(&own.descriptor));
  assert_int_equal(own.attributes.nLength, sizeof(own.attributes));
  assert_ptr_equal(own.attributes.lpSecurityDescriptor, &own.descriptor);
  assert_false(own.attributes.bInheritHandle);
  token_sid(TokenUser, user);
  (void)snprintf(expected, sizeof(expected), "O:%sD:(A;;FA;;;%s)", user, user);
  assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorA(&own.descriptor, SDDL_REVISION_1, all, &text, NULL));
  assert_string_equal(text, expected);
  (void)LocalFree(text);
  assert_label(label_of(&own.descriptor));
}

static HANDLE make_pipe(const char *name, uvr_user_only *own)
{
  return CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 2, 4096, 4096, 0,
                          &own->attributes);
}

/* The user of this process can make such a pipe and open it, without any privilege. */
static void test_pipe(void **state)
{
  (void)state;
  uvr_user_only own;
  char name[64];
  char user[128];
  char *owner = NULL;
  security told;
  PSID sid = NULL;
  BOOL by_default;
  DWORD size;
  (void)snprintf(name, sizeof(name), "\\\\.\\pipe\\test-user-only-%lu", (unsigned long)GetCurrentProcessId());
  assert_int_equal(uvr_user_only_init(&own), 0);
  HANDLE pipe = make_pipe(name, &own);
  assert_true(pipe != INVALID_HANDLE_VALUE);
  HANDLE client = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                              FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
  assert_true(client != INVALID_HANDLE_VALUE);
  assert_true(GetKernelObjectSecurity(client, OWNER_SECURITY_INFORMATION, &told, sizeof(told), &size));
  assert_true(GetSecurityDescriptorOwner(&told.descriptor, &sid, &by_default));
  assert_true(ConvertSidToStringSidA(sid, &owner));
  token_sid(TokenUser, user);
  assert_string_equal(owner, user);
  (void)LocalFree(owner);
  /* What Windows keeps must be what was asked for. Wine 8 keeps no label, so that there nothing more can be tested. */
  if (GetKernelObjectSecurity(client, LABEL_SECURITY_INFORMATION, &told, sizeof(told), &size) &&
      label_of(&told.descriptor) != NULL) {
    assert_label(label_of(&told.descriptor));
  } else {
    print_message("this system keeps no integrity labels of pipes\n");
  }
  (void)CloseHandle(client);
  (void)CloseHandle(pipe);
}

/* Whose a pipe is, the public handle of one can ask, too. */

typedef struct connecting {
  uvrelay_error_t error;
  int status;
} connecting;

static void on_connected(uvrelay_npipe_t *npipe, int status)
{
  connecting *c = uvrelay_npipe_get_data(npipe);
  c->status = status;
  c->error = *uvrelay_npipe_error(npipe);
  uvrelay_npipe_close(npipe, NULL);
}

static connecting connect_to(const char *name, const char *owner)
{
  uv_loop_t loop;
  uvrelay_npipe_t *npipe;
  connecting c = {.status = 1};
  uvrelay_npipe_options_t options = {.size = sizeof(options)};
  (void)snprintf(options.owner, sizeof(options.owner), "%s", owner);
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uvrelay_npipe_new(&npipe, &loop, &options), 0);
  uvrelay_npipe_set_data(npipe, &c);
  assert_int_equal(uvrelay_npipe_connect(npipe, name, on_connected), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  return c;
}

static void test_owner(void **state)
{
  (void)state;
  uvr_user_only own;
  char user[128];
  char text[512];
  assert_int_equal(uvr_user_only_init(&own), 0);
  token_sid(TokenUser, user);
  const struct {
    const char *owner;
    int status;
  } cases[] = {
      {"", 0}, {"user", 0}, {user, 0}, {"system,user", 0}, {"system", UV_EPERM}, {"S-1-5-21-1,admins", UV_EPERM}};
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "\\\\.\\pipe\\test-owner-%lu-%u", (unsigned long)GetCurrentProcessId(), i);
    HANDLE pipe = make_pipe(name, &own);
    assert_true(pipe != INVALID_HANDLE_VALUE);
    connecting c = connect_to(name, cases[i].owner);
    assert_int_equal(c.status, cases[i].status);
    (void)snprintf(text, sizeof(text), " belongs to %s, but owner=%s is required: nothing was sent", user,
                   cases[i].owner);
    assert_true(c.status == 0 || strstr(c.error.text, text) != NULL);
    (void)CloseHandle(pipe);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_pipe),
      cmocka_unit_test(test_owner),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
