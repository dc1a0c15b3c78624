/* Who may do what: how far a server may act as its client, who can open a pipe that uvrelay listens on, and whose pipe
 * it talks to. */
#include "native.h"

#include <stdio.h>
#include <string.h>

#include <aclapi.h>
#include <sddl.h>

/* ---- impersonation, as a server sees it ---- */

typedef enum seen { SEEN_ANONYMOUS, SEEN_IDENTIFICATION, SEEN_IMPERSONATION, SEEN_DELEGATION } seen;

/* The level at which the client of this pipe, which has sent something that was read, can be impersonated. */
static seen level_of_client(HANDLE pipe)
{
  HANDLE token;
  SECURITY_IMPERSONATION_LEVEL level = SecurityAnonymous;
  DWORD size;
  CHECK(ImpersonateNamedPipeClient(pipe), "cannot impersonate the client (error %lu)", GetLastError());
  BOOL opened = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token);
  DWORD error = GetLastError();
  CHECK(RevertToSelf(), "cannot stop impersonating (error %lu)", GetLastError());
  if (!opened) {
    CHECK(error == ERROR_CANT_OPEN_ANONYMOUS, "cannot open the client's token (error %lu)", error);
    return SEEN_ANONYMOUS;
  }
  CHECK(GetTokenInformation(token, TokenImpersonationLevel, &level, sizeof(level), &size),
        "cannot ask for the level (error %lu)", GetLastError());
  (void)CloseHandle(token);
  return (seen)level;
}

typedef struct asked {
  const char *flag;  /* of the one-shot program */
  const char *query; /* of a route */
  seen expected;
} asked;

static const asked levels[] = {
    {"", "", SEEN_ANONYMOUS},
    {"--impersonation=anonymous", "?impersonation=anonymous", SEEN_ANONYMOUS},
    {"--impersonation=identification", "?impersonation=identification", SEEN_IDENTIFICATION},
    {"--impersonation=impersonation", "?impersonation=impersonation", SEEN_IMPERSONATION},
    {"--impersonation=delegation", "?impersonation=delegation", SEEN_DELEGATION},
};

static void check_level(end *e, const asked *a)
{
  expect_text(e, "hello");
  seen level = level_of_client(e->pipe);
  note("the server sees level %d", (int)level);
  /* On one computer there is nothing to delegate to: a server may be shown the level before it. */
  bool fine = level == a->expected || (a->expected == SEEN_DELEGATION && level == SEEN_IMPERSONATION);
  CHECK(fine, "with \"%s\" the server sees level %d, not %d", a->flag, (int)level, (int)a->expected);
}

static void impersonation(int variant)
{
  const asked *a = &levels[variant];
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(NULL, "%s %s", a->flag, s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  check_level(&s.e, a);
}

static void impersonation_by_serve(int variant)
{
  const asked *a = &levels[variant];
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = serve(NULL, 1, "tcp://127.0.0.1:0=%s%s", s.name, a->query);
  end client = tcp_connect(port_of(p, 1));
  pipe_accept(&s);
  send_text(&client, "hello");
  check_level(&s.e, a);
}

static void impersonation_by_mux(int variant)
{
  const asked *a = &levels[variant];
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = serve(NULL, 1, "--via \"\\\"%s\\\" mux\" tcp://127.0.0.1:0=via:%s%s", uvrelay_exe, s.name, a->query);
  end client = tcp_connect(port_of(p, 1));
  pipe_accept(&s);
  send_text(&client, "hello");
  check_level(&s.e, a);
}

/* ---- tokens ---- */

static void *token_information(TOKEN_INFORMATION_CLASS what)
{
  HANDLE token;
  DWORD size = 1024;
  void *made = memory(size);
  CHECK(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) &&
            GetTokenInformation(token, what, made, size, &size),
        "cannot ask about the own token (error %lu)", GetLastError());
  (void)CloseHandle(token);
  return made;
}

static PSID own_user(void)
{
  return ((TOKEN_USER *)token_information(TokenUser))->User.Sid;
}

static const char *sid_text(PSID sid)
{
  char *shown;
  CHECK(ConvertSidToStringSidA(sid, &shown), "cannot show a SID (error %lu)", GetLastError());
  return shown;
}

/* A token like ours to impersonate with. */
static HANDLE impersonation_token(HANDLE primary)
{
  HANDLE made;
  CHECK(DuplicateTokenEx(primary, TOKEN_ALL_ACCESS, NULL, SecurityImpersonation, TokenImpersonation, &made),
        "cannot copy a token (error %lu)", GetLastError());
  return made;
}

static HANDLE own_token(void)
{
  HANDLE token;
  CHECK(OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &token), "cannot open the own token (error %lu)",
        GetLastError());
  return token;
}

/* A token to which the own user is only somebody to deny things to, as all other users are to our pipe's list. */
static HANDLE stranger(void)
{
  HANDLE restricted;
  SID_AND_ATTRIBUTES user = {.Sid = own_user()};
  CHECK(CreateRestrictedToken(own_token(), DISABLE_MAX_PRIVILEGE, 1, &user, 0, NULL, 0, NULL, &restricted),
        "cannot make a restricted token (error %lu)", GetLastError());
  return impersonation_token(restricted);
}

/* A token of ours, but of a low integrity level, as a browser's sandbox has. */
static HANDLE low_token(void)
{
  HANDLE token = impersonation_token(own_token());
  TOKEN_MANDATORY_LABEL label = {.Label = {.Attributes = SE_GROUP_INTEGRITY}};
  CHECK(ConvertStringSidToSidW(L"S-1-16-4096", &label.Label.Sid) &&
            SetTokenInformation(token, TokenIntegrityLevel, &label, sizeof(label) + GetLengthSid(label.Label.Sid)),
        "cannot lower a token (error %lu)", GetLastError());
  return token;
}

typedef enum who { WHO_STRANGER, WHO_LOW, WHO_ANONYMOUS } who;

static void become(who other)
{
  if (other == WHO_ANONYMOUS) {
    CHECK(ImpersonateAnonymousToken(GetCurrentThread()), "cannot be anonymous (error %lu)", GetLastError());
  } else {
    HANDLE token = other == WHO_STRANGER ? stranger() : low_token();
    CHECK(SetThreadToken(NULL, token), "cannot take a token (error %lu)", GetLastError());
  }
}

/* Gives the error, or 0. A pipe that stays busy is one that cannot be opened. */
static DWORD try_to_open(const char *name, DWORD access)
{
  wchar_t *path = wide(name);
  uint64_t until = now_ms() + SOON / 4;
  for (;;) {
    HANDLE pipe = CreateFileW(path, access, 0, NULL, OPEN_EXISTING, 0, NULL);
    DWORD error = pipe != INVALID_HANDLE_VALUE ? 0 : GetLastError();
    if (error != ERROR_PIPE_BUSY || now_ms() > until) {
      if (error == 0) {
        (void)CloseHandle(pipe);
      }
      return error;
    }
    Sleep(5);
  }
}

/* ---- a pipe that uvrelay listens on ---- */

static const char *listening(program **p)
{
  const char *name = unique_pipe();
  program *made = serve(NULL, 1, "%s=tcp://127.0.0.1:9", name);
  if (p != NULL) {
    *p = made;
  }
  return name;
}

/* Each of these is refused what we are granted. */
static void others_are_refused(int other)
{
  static const DWORD rights[] = {GENERIC_READ | GENERIC_WRITE, FILE_READ_DATA | SYNCHRONIZE,
                                 FILE_WRITE_DATA | SYNCHRONIZE, WRITE_DAC};
  const char *name = listening(NULL);
  for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
    DWORD error = try_to_open(name, rights[i]);
    CHECK(error == 0, "we ourselves cannot open it with rights 0x%lx (error %lu)", rights[i], error);
    become((who)other);
    error = try_to_open(name, rights[i]);
    CHECK(RevertToSelf(), "cannot be ourselves again (error %lu)", GetLastError());
    CHECK(error == ERROR_ACCESS_DENIED, "opening it with rights 0x%lx gives error %lu, not 5", rights[i], error);
  }
}

static void others_make_no_instance(int other)
{
  const char *name = listening(NULL);
  wchar_t *path = wide(name);
  become((who)other);
  HANDLE pipe =
      CreateNamedPipeW(path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, NULL);
  DWORD error = GetLastError();
  CHECK(RevertToSelf(), "cannot be ourselves again (error %lu)", GetLastError());
  CHECK(pipe == INVALID_HANDLE_VALUE && error == ERROR_ACCESS_DENIED, "another user could make an instance (error %lu)",
        error);
}

/* One entry, which grants the user everything; and no other user is the owner. */
static void list_of_rights(int variant)
{
  (void)variant;
  const char *name = listening(NULL);
  PSID owner = NULL;
  PACL list = NULL;
  PSECURITY_DESCRIPTOR all = NULL;
  HANDLE pipe = pipe_try(name, GENERIC_READ | GENERIC_WRITE | READ_CONTROL, 0);
  CHECK(pipe != INVALID_HANDLE_VALUE, "cannot open %s (error %lu)", name, GetLastError());
  DWORD error = GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner,
                                NULL, &list, NULL, &all);
  CHECK(error == 0, "cannot ask who may open it (error %lu)", error);
  CHECK(owner != NULL && EqualSid(owner, own_user()), "it belongs to %s", owner != NULL ? sid_text(owner) : "nobody");
  CHECK(list != NULL && list->AceCount == 1, "its list has %d entries, not 1", list != NULL ? list->AceCount : -1);
  ACCESS_ALLOWED_ACE *entry;
  CHECK(GetAce(list, 0, (void **)&entry), "cannot read its list (error %lu)", GetLastError());
  CHECK(entry->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && EqualSid((PSID)&entry->SidStart, own_user()) &&
            (entry->Mask & FILE_ALL_ACCESS) == FILE_ALL_ACCESS,
        "its entry is of type %d, for %s, with rights 0x%lx", entry->Header.AceType, sid_text((PSID)&entry->SidStart),
        entry->Mask);
}

/* Processes of a lower integrity level may neither read nor write. */
static void label(int variant)
{
  (void)variant;
  const char *name = listening(NULL);
  PACL list = NULL;
  PSECURITY_DESCRIPTOR all = NULL;
  HANDLE pipe = pipe_try(name, GENERIC_READ | GENERIC_WRITE | READ_CONTROL, 0);
  CHECK(pipe != INVALID_HANDLE_VALUE, "cannot open %s (error %lu)", name, GetLastError());
  DWORD error = GetSecurityInfo(pipe, SE_KERNEL_OBJECT, LABEL_SECURITY_INFORMATION, NULL, NULL, NULL, &list, &all);
  SYSTEM_MANDATORY_LABEL_ACE *entry;
  CHECK(error == 0 && list != NULL && GetAce(list, 0, (void **)&entry), "it has no label (error %lu)", error);
  DWORD both = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP | SYSTEM_MANDATORY_LABEL_NO_READ_UP;
  PSID own = ((TOKEN_MANDATORY_LABEL *)token_information(TokenIntegrityLevel))->Label.Sid;
  CHECK(entry->Header.AceType == SYSTEM_MANDATORY_LABEL_ACE_TYPE && (entry->Mask & both) == both &&
            EqualSid((PSID)&entry->SidStart, own),
        "its label is %s with 0x%lx", sid_text((PSID)&entry->SidStart), entry->Mask);
}

/* By the way that clients from other computers come, even if they come from this one. */
static DWORD through_the_network(const char *host, const char *name)
{
  return try_to_open(text("//%s/pipe/%s", host, strrchr(name, '/') + 1), GENERIC_READ | GENERIC_WRITE);
}

static void remote_clients(int by_name)
{
  char host[256] = "127.0.0.1";
  DWORD size = sizeof(host);
  if (by_name) {
    CHECK(GetComputerNameA(host, &size), "this computer has no name (error %lu)", GetLastError());
  }
  pipe_server open_to_all = {.instances = PIPE_UNLIMITED_INSTANCES};
  pipe_listen(&open_to_all, BYTE_PIPE);
  DWORD error = through_the_network(host, open_to_all.name);
  if (error != 0) {
    skip("this computer lets nobody reach its pipes as //%s/pipe/... (error %lu)", host, error);
  }
  error = through_the_network(host, listening(NULL));
  CHECK(error != 0, "a client that comes through the network was let in");
  note("it is refused with error %lu", error);
}

/* ---- names that somebody has taken ---- */

static void skip_without_first_instance(void)
{
  pipe_server s = {.instances = PIPE_UNLIMITED_INSTANCES};
  pipe_listen(&s, BYTE_PIPE);
  HANDLE second = CreateNamedPipeW(wide(s.name), PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, s.mode,
                                   PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, NULL);
  bool works = second == INVALID_HANDLE_VALUE;
  if (!works && under_wine()) {
    skip("this version of Wine ignores FILE_FLAG_FIRST_PIPE_INSTANCE");
  }
  CHECK(works, "the system lets two be the first");
}

static void squatter(int variant)
{
  (void)variant;
  skip_without_first_instance();
  pipe_server s = {.instances = PIPE_UNLIMITED_INSTANCES};
  pipe_listen(&s, BYTE_PIPE);
  expect_refusal(start(NULL, "serve %s=tcp://127.0.0.1:9", s.name), 1, "the pipe", s.name, "already exists", NULL);
}

static void second_creator(int variant)
{
  (void)variant;
  skip_without_first_instance();
  int port = echo_server();
  const char *name = unique_pipe();
  (void)serve(NULL, 1, "%s=tcp://127.0.0.1:%d", name, port);
  expect_refusal(start(NULL, "serve %s=tcp://127.0.0.1:9", name), 1, "the pipe", name, "already exists", NULL);
  HANDLE pipe = CreateNamedPipeW(wide(name), PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_TYPE_BYTE,
                                 PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, NULL);
  CHECK(pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED,
        "a second first instance gives error %lu", GetLastError());
  end client = pipe_connect(name, BYTE_PIPE); /* the first serve goes on */
  send_text(&client, "hello");
  expect_text(&client, "hello");
}

/* Nothing is sent to a pipe of somebody else's. */
static void owner(int variant)
{
  static const char *const lists[] = {"user", "system,user", "S-1-5-19", "system"};
  bool named = variant < 2;
  PSECURITY_DESCRIPTOR descriptor;
  const char *sddl = text("O:%sD:(A;;GA;;;WD)", sid_text(own_user()));
  CHECK(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, &descriptor, NULL),
        "cannot make a security descriptor (error %lu)", GetLastError());
  SECURITY_ATTRIBUTES security = {.nLength = sizeof(security), .lpSecurityDescriptor = descriptor};
  pipe_server s = {.security = &security};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(NULL, "-ei --owner=%s %s", lists[variant], s.name);
  pipe_accept(&s);
  if (named) {
    send_text(&p->in, "secret");
    end_close(&p->in);
    expect_text(&s.e, "secret");
    expect_exit(p, 0);
  } else {
    (void)end_write(&p->in, "secret", 6);
    expect_end(&s.e, ERROR_BROKEN_PIPE);
    expect_refusal(p, 1, "belongs to", sid_text(own_user()), "nothing was sent to it", NULL);
  }
}

const scenario security_scenarios[] = {
    {"security/impersonation-default", impersonation, 0, 0, 0},
    {"security/impersonation-anonymous", impersonation, 1, 0, 0},
    {"security/impersonation-identification", impersonation, 2, 0, 0},
    {"security/impersonation-impersonation", impersonation, 3, 0, 0},
    {"security/impersonation-delegation", impersonation, 4, 0, 0},
    {"security/impersonation-by-serve-default", impersonation_by_serve, 0, 0, 0},
    {"security/impersonation-by-serve-identification", impersonation_by_serve, 2, 0, 0},
    {"security/impersonation-by-serve-impersonation", impersonation_by_serve, 3, 0, 0},
    {"security/impersonation-by-mux-default", impersonation_by_mux, 0, 0, 0},
    {"security/impersonation-by-mux-identification", impersonation_by_mux, 2, 0, 0},
    {"security/list-of-rights", list_of_rights, 0, 0, 0},
    {"security/label", label, 0, 0, 0},
    {"security/refused-to-a-stranger", others_are_refused, WHO_STRANGER, 0, 0},
    {"security/refused-to-low-integrity", others_are_refused, WHO_LOW, 0, 0},
    {"security/refused-to-anonymous", others_are_refused, WHO_ANONYMOUS, 0, 0},
    {"security/no-instance-by-a-stranger", others_make_no_instance, WHO_STRANGER, 0, 0},
    {"security/no-instance-by-low-integrity", others_make_no_instance, WHO_LOW, 0, 0},
    {"security/remote-by-address", remote_clients, 0, 0, 90},
    {"security/remote-by-name", remote_clients, 1, 0, 90},
    {"security/squatter", squatter, 0, 0, 0},
    {"security/second-creator", second_creator, 0, 0, 0},
    {"security/owner-is-named", owner, 0, 0, 0},
    {"security/owner-is-one-of-those-named", owner, 1, 0, 0},
    {"security/owner-is-another", owner, 2, 0, 0},
    {"security/owner-is-not-the-system", owner, 3, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
