/* The address parser: every form, every refusal with what its sentence must say, every length at its border, and
 * a long run of damaged addresses, of which none may crash it or get past its promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "address/address.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define A            UVR_ADDRESS_ASSUAN_PATH
#define V            UVR_ADDRESS_VIA

/* Parses a copy that ends where its memory ends, so that a sanitizer sees the first byte read too far. */
static int parse(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  size_t size = strlen(text) + 1;
  char *copy = malloc(size);
  assert_non_null(copy);
  memcpy(copy, text, size);
  memset(out, 0x55, sizeof(*out));
  int result = uvr_address_parse(copy, flags, out, error);
  free(copy);
  return result;
}

static void assert_printable(const char *text)
{
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    assert_true(*c >= 0x20 && *c != 0x7F);
  }
}

static void assert_all_zero(const uvr_address *address)
{
  static const uvr_address zero;
  assert_memory_equal(address, &zero, sizeof(zero));
}

/* What holds for every refusal. */
static void assert_refused(int result, const uvr_address *out, const uvrelay_error_t *error)
{
  assert_int_equal(result, UV_EINVAL);
  assert_int_equal(error->code, UV_EINVAL);
  assert_int_equal(error->system, 0);
  assert_int_equal(error->phase, UVRELAY_PHASE_ADDRESS);
  assert_int_equal(strncmp(error->text, "the address ", 12), 0);
  assert_true(strlen(error->text) < UVRELAY_ERROR_TEXT_SIZE - 1); /* else it may have been cut */
  assert_non_null(strstr(error->text, ": "));
  assert_printable(error->text);
  assert_all_zero(out);
}

/* What holds for every address that is taken. */
static void assert_taken(const uvr_address *out, unsigned flags)
{
  uvr_address again;
  uvrelay_error_t error = {0};
  assert_printable(out->canonical);
  assert_printable(out->path);
  assert_printable(out->host);
  assert_int_equal(out->kind == UVR_ADDRESS_TCP, out->port != 0);
  assert_int_equal(out->kind == UVR_ADDRESS_TCP, out->path[0] == '\0');
  assert_int_equal(parse(out->canonical, flags, &again, &error), 0);
  assert_int_equal(again.kind, out->kind);
  assert_int_equal(again.port, out->port);
  assert_string_equal(again.canonical, out->canonical);
  assert_string_equal(again.path, out->path);
  assert_string_equal(again.host, out->host);
  assert_int_equal(again.via, out->via);
  assert_true(!out->via || (flags & V) != 0);
  assert_int_equal((flags & V) != 0 && strncmp(out->canonical, "via:", 4) == 0, out->via);
}

static const struct taken {
  const char *text;
  unsigned flags;
  uvr_address_kind kind;
  uint16_t port;
  const char *canonical;
  const char *path;
  const char *host;
} taken[] = {
    {"//./pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"\\\\.\\pipe\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"/\\./pipe\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"\\\\.\\PIPE\\X", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/X", "\\\\.\\pipe\\X", ""},
    {"\\\\?\\pipe\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"//?/PiPe/x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"//./pipe/docker/x y", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/docker/x y", "\\\\.\\pipe\\docker\\x y", ""},
    {"//.//pipe//a//b", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/a/b", "\\\\.\\pipe\\a\\b", ""},
    {"//./pipe/.hidden..x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/.hidden..x", "\\\\.\\pipe\\.hidden..x", ""},
    {"//./pipe/{1-2}:%|'~", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/{1-2}:%|'~", "\\\\.\\pipe\\{1-2}:%|'~", ""},
    {"//./pipe/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 0, UVR_ADDRESS_NPIPE, 0,
     "//./pipe/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\\\\.\\pipe\\\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", ""},
    /* the first and last code points of each length, and about the gaps */
    {"npipe:\xC2\xA0-\xDF\xBF-\xE0\xA0\x80-\xED\x9F\xBF", 0, UVR_ADDRESS_NPIPE, 0,
     "//./pipe/\xC2\xA0-\xDF\xBF-\xE0\xA0\x80-\xED\x9F\xBF", "\\\\.\\pipe\\\xC2\xA0-\xDF\xBF-\xE0\xA0\x80-\xED\x9F\xBF",
     ""},
    {"npipe:\xEE\x80\x80-\xEF\xBF\xBF-\xF0\x90\x80\x80-\xF4\x8F\xBF\xBF", 0, UVR_ADDRESS_NPIPE, 0,
     "//./pipe/\xEE\x80\x80-\xEF\xBF\xBF-\xF0\x90\x80\x80-\xF4\x8F\xBF\xBF",
     "\\\\.\\pipe\\\xEE\x80\x80-\xEF\xBF\xBF-\xF0\x90\x80\x80-\xF4\x8F\xBF\xBF", ""},
    /* what stands for something else */
    {"//./pipe/pageant.me.*", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/pageant.me.*", "\\\\.\\pipe\\pageant.me.*", ""},
    {"npipe:a*", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/a*", "\\\\.\\pipe\\a*", ""},
    {"\\\\.\\pipe\\a\\*", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/a/*", "\\\\.\\pipe\\a\\*", ""},
    {"via:npipe:a*", V, UVR_ADDRESS_NPIPE, 0, "via://./pipe/a*", "\\\\.\\pipe\\a*", ""},
    {"npipe:pageant.%UserName%.*", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/pageant.%UserName%.*",
     "\\\\.\\pipe\\pageant.%UserName%.*", ""},
    {"//h/pipe/%USERNAME%", 0, UVR_ADDRESS_NPIPE, 0, "//h/pipe/%USERNAME%", "\\\\h\\pipe\\%USERNAME%", "h"},
    {"//./pipe/%USERNAME", UVR_ADDRESS_LISTEN, UVR_ADDRESS_NPIPE, 0, "//./pipe/%USERNAME", "\\\\.\\pipe\\%USERNAME",
     ""},
    {"assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent",
     "%LOCALAPPDATA%/gnupg/S.gpg-agent", ""},
    {"ASSUAN:%AppData%\\x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:%AppData%\\x", "%AppData%\\x", ""},
    {"via:assuan:%USERPROFILE%/%x%", V, UVR_ADDRESS_ASSUAN, 0, "via:assuan:%USERPROFILE%/%x%", "%USERPROFILE%/%x%", ""},
    {"%LOCALAPPDATA%\\gnupg\\S.gpg-agent", A, UVR_ADDRESS_ASSUAN, 0, "assuan:%LOCALAPPDATA%\\gnupg\\S.gpg-agent",
     "%LOCALAPPDATA%\\gnupg\\S.gpg-agent", ""},
    {"assuan:%APPDATA%/x", A, UVR_ADDRESS_ASSUAN, 0, "assuan:%APPDATA%/x", "%APPDATA%/x", ""},
    {"%LOCALAPPDATA%x", A, UVR_ADDRESS_ASSUAN, 0, "%LOCALAPPDATA%x", "%LOCALAPPDATA%x", ""},
    {"./%LOCALAPPDATA%/x", A, UVR_ADDRESS_ASSUAN, 0, "./%LOCALAPPDATA%/x", "./%LOCALAPPDATA%/x", ""},
    {"assuan:///%LOCALAPPDATA%/x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///%LOCALAPPDATA%/x", "/%LOCALAPPDATA%/x", ""},
    {"//h/pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//h/pipe/x", "\\\\h\\pipe\\x", "h"},
    {"//HOST/pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//HOST/pipe/x", "\\\\HOST\\pipe\\x", "HOST"},
    {"\\\\my_host-1.example\\pipe\\x\\y", 0, UVR_ADDRESS_NPIPE, 0, "//my_host-1.example/pipe/x/y",
     "\\\\my_host-1.example\\pipe\\x\\y", "my_host-1.example"},
    {"//10.0.0.1/pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//10.0.0.1/pipe/x", "\\\\10.0.0.1\\pipe\\x", "10.0.0.1"},
    {"npipe:////./pipe/docker_engine", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/docker_engine", "\\\\.\\pipe\\docker_engine",
     ""},
    {"npipe:////.//pipe//docker_engine", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/docker_engine",
     "\\\\.\\pipe\\docker_engine", ""},
    {"npipe:////HOST/pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//HOST/pipe/x", "\\\\HOST\\pipe\\x", "HOST"},
    {"npipe:x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"NPipe:docker/x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/docker/x", "\\\\.\\pipe\\docker\\x", ""},
    {"npipe:docker\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/docker/x", "\\\\.\\pipe\\docker\\x", ""},
    {"npipe:80", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/80", "\\\\.\\pipe\\80", ""},
    {"npipe://./pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"npipe:\\\\.\\pipe\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"NPIPE:\\/.\\pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"npipe:\\\\?\\pipe\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"npipe:\\\\\\\\.\\\\pipe\\\\x", 0, UVR_ADDRESS_NPIPE, 0, "//./pipe/x", "\\\\.\\pipe\\x", ""},
    {"npipe://HOST/pipe/x", 0, UVR_ADDRESS_NPIPE, 0, "//HOST/pipe/x", "\\\\HOST\\pipe\\x", "HOST"},
    {"via:npipe://./pipe/x", V, UVR_ADDRESS_NPIPE, 0, "via://./pipe/x", "\\\\.\\pipe\\x", ""},
    {"unix:/run/x.sock", 0, UVR_ADDRESS_UNIX, 0, "unix:///run/x.sock", "/run/x.sock", ""},
    {"UNIX:/a", UVR_ADDRESS_LISTEN, UVR_ADDRESS_UNIX, 0, "unix:///a", "/a", ""},
    {"assuan:/home/x/S.gpg-agent", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///home/x/S.gpg-agent", "/home/x/S.gpg-agent", ""},
    {"assuan:C:/x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"assuan:c:\\x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///c:\\x", "c:\\x", ""},
    {"assuan:/C:/x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"assuan://C:/x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"assuan:C:/x", A, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"tcp:localhost:80", 0, UVR_ADDRESS_TCP, 80, "tcp://localhost:80", "", "localhost"},
    {"TCP:[::1]:80", 0, UVR_ADDRESS_TCP, 80, "tcp://[::1]:80", "", "::1"},
    {"tcp:127.0.0.1:080", 0, UVR_ADDRESS_TCP, 80, "tcp://127.0.0.1:80", "", "127.0.0.1"},
    {"via:tcp:h:1", V, UVR_ADDRESS_TCP, 1, "via:tcp://h:1", "", "h"},
    {"unix:///run/x.sock", 0, UVR_ADDRESS_UNIX, 0, "unix:///run/x.sock", "/run/x.sock", ""},
    {"UNIX:///x?y=1%20 #*", 0, UVR_ADDRESS_UNIX, 0, "unix:///x?y=1%20 #*", "/x?y=1%20 #*", ""},
    {"unix:////x", 0, UVR_ADDRESS_UNIX, 0, "unix:////x", "//x", ""},
    {"abstract:x", 0, UVR_ADDRESS_ABSTRACT, 0, "abstract:x", "x", ""},
    {"Abstract:/tmp/.X11-unix/X0 @=", 0, UVR_ADDRESS_ABSTRACT, 0,
     "abstract:/tmp/.X11-unix/X0 @=", "/tmp/.X11-unix/X0 @=", ""},
    {"abstract:@x", UVR_ADDRESS_LISTEN, UVR_ADDRESS_ABSTRACT, 0, "abstract:@x", "@x", ""},
    {"via:abstract:x", V, UVR_ADDRESS_ABSTRACT, 0, "via:abstract:x", "x", ""},
    {"tcp://localhost:2375", 0, UVR_ADDRESS_TCP, 2375, "tcp://localhost:2375", "", "localhost"},
    {"TCP://a.b-c_d.:1", 0, UVR_ADDRESS_TCP, 1, "tcp://a.b-c_d.:1", "", "a.b-c_d."},
    {"tcp://azAZ09\xD0\x80:90", 0, UVR_ADDRESS_TCP, 90, "tcp://azAZ09\xD0\x80:90", "", "azAZ09\xD0\x80"},
    {"tcp://127.0.0.1:65535", 0, UVR_ADDRESS_TCP, 65535, "tcp://127.0.0.1:65535", "", "127.0.0.1"},
    {"tcp://h:00080", 0, UVR_ADDRESS_TCP, 80, "tcp://h:80", "", "h"},
    {"tcp://b\xC3\xBC"
     "cher.example:80",
     0, UVR_ADDRESS_TCP, 80,
     "tcp://b\xC3\xBC"
     "cher.example:80",
     "",
     "b\xC3\xBC"
     "cher.example"},
    {"tcp://[::1]:80", 0, UVR_ADDRESS_TCP, 80, "tcp://[::1]:80", "", "::1"},
    {"tcp://[::ffff:1.2.3.4]:80", 0, UVR_ADDRESS_TCP, 80, "tcp://[::ffff:1.2.3.4]:80", "", "::ffff:1.2.3.4"},
    {"tcp://[fe80::1%eth0]:80", 0, UVR_ADDRESS_TCP, 80, "tcp://[fe80::1%eth0]:80", "", "fe80::1%eth0"},
    {"tcp://[fe80::1%25]:80", 0, UVR_ADDRESS_TCP, 80, "tcp://[fe80::1%25]:80", "", "fe80::1%25"},
    {"assuan:///home/x/S.gpg-agent", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///home/x/S.gpg-agent", "/home/x/S.gpg-agent",
     ""},
    {"assuan:///C:/x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"Assuan:///c:\\x y\\z", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///c:\\x y\\z", "c:\\x y\\z", ""},
    {"assuan:///C:x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:x", "/C:x", ""},
    {"assuan:////server/share/x", 0, UVR_ADDRESS_ASSUAN, 0, "assuan:////server/share/x", "//server/share/x", ""},
    {"assuan:///C:/x", A, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"C:\\x\\S.gpg-agent", A, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:\\x\\S.gpg-agent", "C:\\x\\S.gpg-agent", ""},
    {"C:/x", A, UVR_ADDRESS_ASSUAN, 0, "assuan:///C:/x", "C:/x", ""},
    {"/home/x", A, UVR_ADDRESS_ASSUAN, 0, "assuan:///home/x", "/home/x", ""},
    {"/C:/x", A, UVR_ADDRESS_ASSUAN, 0, "/C:/x", "/C:/x", ""},
    {"S.gpg-agent", A, UVR_ADDRESS_ASSUAN, 0, "S.gpg-agent", "S.gpg-agent", ""},
    {"gnupg\\S.gpg-agent", A, UVR_ADDRESS_ASSUAN, 0, "gnupg\\S.gpg-agent", "gnupg\\S.gpg-agent", ""},
    {"\\\\server\\share\\x", A, UVR_ADDRESS_ASSUAN, 0, "\\\\server\\share\\x", "\\\\server\\share\\x", ""},
    {"\\\\?\\C:\\x", A, UVR_ADDRESS_ASSUAN, 0, "\\\\?\\C:\\x", "\\\\?\\C:\\x", ""},
    {"http://x", A, UVR_ADDRESS_ASSUAN, 0, "http://x", "http://x", ""},
    /* for the far end of a mux */
    {"via:tcp://localhost:1", V, UVR_ADDRESS_TCP, 1, "via:tcp://localhost:1", "", "localhost"},
    {"VIA:TCP://[::1]:080", V, UVR_ADDRESS_TCP, 80, "via:tcp://[::1]:80", "", "::1"},
    {"via:npipe:x", V, UVR_ADDRESS_NPIPE, 0, "via://./pipe/x", "\\\\.\\pipe\\x", ""},
    {"via:\\\\?\\pipe\\x", V, UVR_ADDRESS_NPIPE, 0, "via://./pipe/x", "\\\\.\\pipe\\x", ""},
    {"via://HOST/pipe/x", V, UVR_ADDRESS_NPIPE, 0, "via://HOST/pipe/x", "\\\\HOST\\pipe\\x", "HOST"},
    {"via:unix:///a b", V, UVR_ADDRESS_UNIX, 0, "via:unix:///a b", "/a b", ""},
    {"via:assuan:///C:/x", V, UVR_ADDRESS_ASSUAN, 0, "via:assuan:///C:/x", "C:/x", ""},
    {"tcp://localhost:1", V, UVR_ADDRESS_TCP, 1, "tcp://localhost:1", "", "localhost"},
    {"via:tcp://localhost:1", A, UVR_ADDRESS_ASSUAN, 0, "via:tcp://localhost:1", "via:tcp://localhost:1", ""},
};

static void test_taken(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(taken); i++) {
    uvr_address out;
    uvrelay_error_t error = {0};
    if (parse(taken[i].text, taken[i].flags, &out, &error) != 0) {
      fail_msg("%s: %s", taken[i].text, error.text);
    }
    assert_int_equal(error.code, 0);
    assert_int_equal(out.kind, taken[i].kind);
    assert_int_equal(out.port, taken[i].port);
    assert_string_equal(out.canonical, taken[i].canonical);
    assert_string_equal(out.path, taken[i].path);
    assert_string_equal(out.host, taken[i].host);
    assert_taken(&out, taken[i].flags);
  }
}

static const struct refused {
  const char *text;
  unsigned flags;
  const char *words[3]; /* must be in the sentence */
} refused[] = {
    {"", 0, {"is empty", "//./pipe/NAME", "tcp://HOST:PORT"}},
    {"", A, {"is empty"}},
    /* for the far end of a mux */
    {"via:", V, {"is empty"}},
    {"via:via:tcp://localhost:1", V, {"via:tcp://localhost:1", "begins with via:", "once"}},
    {"via:tcp://localhost:1", 0, {"via:tcp://localhost:1", "once, in the target of a route"}},
    {"via:tcp://localhost:0", V, {"port"}},
    {"via:fd://3", V, {"only be listened on"}},
    {"via:x", V, {"scheme"}},
    {"via: tcp://localhost:1", V, {"scheme"}},
    {"via:unix://x", V, {"unix:///PATH"}},
    {"vi:tcp://localhost:1", V, {"unknown scheme"}},
    /* pipes */
    {"//./pipe/", 0, {"\"//./pipe/\"", "has no pipe name", "write //./pipe/NAME"}},
    {"//./pipe", 0, {"has no pipe name"}},
    {"//HOST/pipe///", 0, {"has no pipe name"}},
    {"npipe:", 0, {"has no pipe name"}},
    {"npipe:////./pipe/", 0, {"has no pipe name"}},
    {"//", 0, {"not a pipe's name", "//./pipe/NAME"}},
    {"//./", 0, {"not a pipe's name"}},
    {"//./COM1", 0, {"not a pipe's name", "//./pipe/NAME"}},
    {"//./pipes/x", 0, {"not a pipe's name"}},
    {"//server/share/x", 0, {"not a pipe's name", "//HOST/pipe/NAME"}},
    {"npipe:////./pip/x", 0, {"not a pipe's name"}},
    {"///./pipe/x", 0, {"3 slashes instead of two", "write //./pipe/NAME"}},
    {"\\\\\\\\.\\\\pipe\\\\x", 0, {"4 slashes instead of two", "write //./pipe/NAME"}},
    {"npipe:/x", 0, {"neither two nor four slashes", "npipe:////./pipe/NAME"}},
    {"npipe://x", 0, {"slashes between npipe: and the pipe's name", "write npipe:NAME or //./pipe/NAME"}},
    {"npipe:\\\\x", 0, {"slashes between npipe: and the pipe's name"}},
    {"npipe://", 0, {"not a pipe's name"}},
    {"npipe://./x", 0, {"not a pipe's name"}},
    {"npipe://x/y", 0, {"not a pipe's name", "//HOST/pipe/NAME"}},
    {"npipe://./pipe/", 0, {"has no pipe name"}},
    {"npipe:./pipe/x", 0, {"ends in a dot"}},
    {"npipe:/./pipe/x", 0, {"neither two nor four slashes"}},
    {"npipe:///./pipe/x", 0, {"neither two nor four slashes"}},
    {"npipe://///./pipe/x", 0, {"neither two nor four slashes"}},
    {"//./pipe/*", 0, {"wildcard in place of the whole", "//./pipe/NAME"}},
    {"npipe:*", 0, {"wildcard in place of the whole"}},
    {"//./pipe/a**", 0, {"wildcard before the end", "//./pipe/NAME"}},
    {"//./pipe/a*b", 0, {"wildcard before the end"}},
    {"//./pipe/a*\\b*", 0, {"wildcard before the end"}},
    {"//./pipe/a*", UVR_ADDRESS_LISTEN, {"wildcard", "only targets can"}},
    {"npipe:a*", UVR_ADDRESS_LISTEN, {"wildcard", "only targets can"}},
    {"npipe:a-%username%", UVR_ADDRESS_LISTEN, {"%USERNAME%", "only targets can"}},
    {"//HOST/pipe/a*", 0, {"wildcard", "another computer"}},
    {"//HOST/pipe/*", 0, {"wildcard"}},
    {"//./pipe/a?b", 0, {"wildcard"}},
    {"//./pipe/<x", 0, {"wildcard"}},
    {"//./pipe/x>", 0, {"wildcard"}},
    {"npipe:\"x\"", 0, {"wildcard"}},
    {"//./pipe/.", 0, {"ends in a dot", "Windows would remove"}},
    {"//./pipe/..", 0, {"ends in a dot"}},
    {"//./pipe/../C:/x", 0, {"ends in a dot"}},
    {"npipe:a\\..\\..\\C:\\x", 0, {"ends in a dot"}},
    {"//./pipe/a/./b", 0, {"ends in a dot"}},
    {"//./pipe/x.", 0, {"ends in a dot"}},
    {"//./pipe/x./y", 0, {"ends in a dot"}},
    {"//./pipe/x/", 0, {"ends in a slash"}},
    {"npipe:x\\", 0, {"ends in a slash"}},
    {"//./pipe/x ", 0, {"ends in a space", "Windows would remove"}},
    {"//a b/pipe/x", 0, {"character that host names cannot have", "//HOST/pipe/NAME"}},
    {"//..x/pipe/x", 0, {"empty part"}},
    {"//-x/pipe/x", 0, {"begins with a hyphen"}},
    {"//1.2/pipe/x", 0, {"not an IPv4 address"}},
    /* mistakes on the way to a pipe's name */
    {"\\.pipex", 0, {"shell has altered", "write npipe:x,", "or //./pipe/x"}},
    {".pipex", 0, {"shell has altered", "write npipe:x,", "or //./pipe/x"}},
    {"/./pipe/x", 0, {"shell has altered", "write npipe:x,", "or //./pipe/x"}},
    {"\\.\\pipe\\docker\\x", 0, {"shell has altered", "write npipe:docker\\x,", "or //./pipe/docker\\x"}},
    {"./pipe/x", 0, {"shell has altered", "write npipe:x,"}},
    {".pipe", 0, {"shell has altered", "write npipe:NAME,", "or //./pipe/NAME"}},
    {"C:/Program Files/Git/./pipe/x", 0, {"shell has altered", "write npipe:x,", "or //./pipe/x"}},
    {"C:\\pipe\\..\\x", 0, {"shell has altered", "npipe:NAME", "//./pipe/NAME"}},
    /* other mistakes */
    {"C:\\Users\\x\\S.gpg-agent", 0, {"path of a file", "add -a", "write assuan:///C:/Users/x/S.gpg-agent"}},
    {"c:/x", 0, {"path of a file", "add -a", "write assuan:///c:/x"}},
    {"/run/x.sock", 0, {"without a scheme", "write unix:///run/x.sock for", "assuan:///run/x.sock"}},
    {"/run/", 0, {"without a scheme", "write unix:///PATH", "assuan:///run/"}},
    {"/", 0, {"without a scheme", "unix:///PATH", "assuan:///PATH"}},
    {"localhost:80", 0, {"no scheme", "write tcp://localhost:80"}},
    {"[::1]:80", 0, {"no scheme", "write tcp://[::1]:80"}},
    {"localhost:99999", 0, {"unknown scheme", "npipe, unix, tcp, assuan and abstract"}},
    {"gopher://x/", 0, {"unknown scheme", "npipe, unix, tcp, assuan and abstract"}},
    {"fd:x", 0, {"only be listened on"}},
    /* as socat and others write them */
    {"UNIX-CONNECT:/run/x,retry=3", 0, {"form of another program", "write unix:/run/x"}},
    {"UNIX-LISTEN:x,fork", 0, {"form of another program", "write unix:///PATH"}},
    {"TCP4:localhost:80", 0, {"write tcp://localhost:80"}},
    {"tcp6:[::1]:80", 0, {"write tcp://[::1]:80"}},
    {"TCP-LISTEN:80,fork", 0, {"write tcp://127.0.0.1:80"}},
    {"TCP6-LISTEN:x", 0, {"write tcp://[IPV6]:PORT"}},
    {"unix-abstract:x", 0, {"write abstract:x"}},
    {"ABSTRACT-CONNECT:x", 0, {"write abstract:x"}},
    {"@x", 0, {"write abstract:x"}},
    {"pipe://./pipe/x", 0, {"form of another program", "write //./pipe/x"}},
    {"x", 0, {"no scheme", "write //./pipe/x"}},
    {"x/y", 0, {"no scheme", "//./pipe/NAME", "assuan:///PATH"}},
    {"UNIX-CONNECT:\"/run/x\",retry=3", 0, {"form of another program", "write unix:/run/x"}},
    {"UNIX-CONNECT:\"/run/a b\"", 0, {"form of another program", "write unix:///PATH"}},
    {"TCP-LISTEN:80x,fork", 0, {"form of another program", "write tcp://HOST:PORT"}},
    {"TCP6-LISTEN:80,fork", 0, {"write tcp://[::1]:80"}},
    {"TCP:h:80,nodelay", 0, {"bad port", "such as tcp://h:80"}},
    {"EXEC:npiperelay.exe -ei -s //./pipe/x", 0, {"form of another program", "write //./pipe/x"}},
    {"EXEC:'uvrelay.exe \\\\.\\pipe\\x',nofork", 0, {"form of another program", "write //./pipe/x"}},
    {"EXEC:ls", 0, {"form of another program", "write //./pipe/NAME"}},
    {"uvrelay.exe -s //HOST/x", 0, {"no scheme", "tcp://HOST:PORT"}},
    {"uvrelay.exe -s //./pipe/x", 0, {"no scheme", "write //./pipe/x"}},
    {"pipe:x", 0, {"form of another program", "write //./pipe/x"}},
    {"pipe://x", 0, {"form of another program", "write //./pipe/x"}},
    {"pipe:\\\\.\\pipe\\a\\b", 0, {"form of another program", "write //./pipe/a/b"}},
    {"pipe://h/pipe/x", 0, {"form of another program", "write //h/pipe/x"}},
    {"npipe://x", 0, {"such as //./pipe/x"}},
    {"npipe:/x", 0, {"such as //./pipe/x"}},
    {"npip:x", 0, {"unknown scheme", "write //./pipe/x"}},
    {"npipe//./pipe/x", 0, {"no scheme", "write //./pipe/x"}},
    {"//pipe/x", 0, {"not a pipe's name", "such as //./pipe/x"}},
    {"\\\\.\\pipex", 0, {"not a pipe's name", "such as //./pipe/x"}},
    {"\\pipe\\x", 0, {"no scheme", "write //./pipe/x"}},
    {"pipe/x", 0, {"no scheme", "write //./pipe/x"}},
    {"\"//./pipe/x\"", 0, {"no scheme", "write //./pipe/x"}},
    {"//./pipe/x?timeout=5", 0, {"options after a ?", "write //./pipe/x"}},
    {"tcp://h:1?idle=5", 0, {"options after a ?", "write tcp://h:1"}},
    {"http://h", 0, {"form of another program", "write tcp://h:80"}},
    {"https://me@h/x?y#z", 0, {"form of another program", "write tcp://h:443"}},
    {"http://h:8080/x", 0, {"form of another program", "write tcp://h:8080"}},
    {"ssh://me@h", 0, {"form of another program", "write tcp://h:22"}},
    {"80", 0, {"no scheme", "write tcp://127.0.0.1:80"}},
    {":80", 0, {"no scheme", "write tcp://127.0.0.1:80"}},
    {"*:80", 0, {"no scheme", "write tcp://127.0.0.1:80"}},
    {"80", UVR_ADDRESS_LISTEN, {"no scheme", "write tcp://127.0.0.1:80"}},
    {"::1", 0, {"no scheme", "//./pipe/NAME"}},
    {"127.0.0.1", 0, {"no scheme", "//./pipe/NAME"}},
    {"tcp://::1:80", 0, {"brackets", "such as tcp://[::1]:80"}},
    {"tcp:///h:80", 0, {"a path", "such as tcp://h:80"}},
    {"tcp://me@h:80", 0, {"a user's name", "such as tcp://h:80"}},
    {"tcp://h 80", 0, {"such as tcp://h:80"}},
    {"tcp//h:80", 0, {"no scheme", "write tcp://h:80"}},
    {"tpc://h:80", 0, {"unknown scheme", "write tcp://h:80"}},
    {"udp://h:80", 0, {"unknown scheme", "npipe, unix, tcp, assuan and abstract"}},
    {"unix://run/x", 0, {"no absolute path", "such as unix:///run/x"}},
    {"unixs:///x", 0, {"unknown scheme", "write unix:///x"}},
    {"unix=/x", 0, {"no scheme", "write unix:/x"}},
    {"file:///x", 0, {"form of another program", "write unix:///x"}},
    {"~/x.sock", 0, {"no scheme", "write unix://~/x.sock"}},
    {"x.sock", 0, {"no scheme", "the whole path", "unix:///PATH"}},
    {"../x", 0, {"no scheme", "the whole path", "unix:///PATH"}},
    {"stdio", 0, {"no scheme", "standard input and output"}},
    {"-", 0, {"no scheme"}},
    {"\\x", 0, {"no scheme"}},
    {"./pipeline.sock", 0, {"no scheme"}},
    {"://x", 0, {"no scheme"}},
    {" //./pipe/x", 0, {"no scheme"}},
    /* unix */
    {"unix:", 0, {"no absolute path", "write unix:///PATH"}},
    {"unix:/", 0, {"has no path"}},
    {"unix:/run/", 0, {"ends in a slash"}},
    {"unix://~/x", 0, {"no absolute path"}},
    {"unix:~u/x", 0, {"no absolute path"}},
    {"unix:@x", 0, {"abstract:NAME"}},
    {"unix://@/x", 0, {"abstract:NAME"}},
    {"unix:x", 0, {"no absolute path"}},
    {"unix://run/x", 0, {"no absolute path"}},
    {"unix:\\\\\\x", 0, {"no absolute path"}},
    {"unix:///", 0, {"has no path"}},
    {"unix://///", 0, {"has no path"}},
    {"unix:///run/", 0, {"ends in a slash", "directory"}},
    /* abstract */
    {"abstract:", 0, {"has no socket name", "write abstract:NAME"}},
    {"abstract://x", 0, {"would be part of the name", "write abstract:NAME"}},
    {"abstract:x", A, {"remove -a"}},
    /* tcp */
    {"tcp:", 0, {"has no host", "write tcp://HOST:PORT"}},
    {"tcp:80", 0, {"no host before the port", "write tcp://HOST:PORT"}},
    {"tcp://80", 0, {"no host before the port"}},
    {"tcp:h", 0, {"has no port"}},
    {"tcp:/h:80", 0, {"a path", "write tcp://HOST:PORT"}},
    {"tcp:::1:80", 0, {"more than one colon"}},
    {"tcp://", 0, {"has no host"}},
    {"tcp://:80", 0, {"has no host"}},
    {"tcp://h", 0, {"has no port", "write tcp://HOST:PORT"}},
    {"tcp://h:", 0, {"has no port"}},
    {"tcp://[::1]", 0, {"has no port"}},
    {"tcp://[::1]:", 0, {"has no port"}},
    {"tcp://h:0", 0, {"bad port", "1 to 65535"}},
    {"tcp://h:000", 0, {"bad port"}},
    {"tcp://h:65536", 0, {"bad port"}},
    {"tcp://h:4294967376", 0, {"bad port"}},
    {"tcp://h:18446744073709551696", 0, {"bad port"}},
    {"tcp://h:abc", 0, {"bad port"}},
    {"tcp://h:80x", 0, {"bad port"}},
    {"tcp://h:0x50", 0, {"bad port"}},
    {"tcp://h:+1", 0, {"bad port"}},
    {"tcp://h:-1", 0, {"bad port"}},
    {"tcp://h: 1", 0, {"bad port"}},
    {"tcp://h:1 ", 0, {"bad port"}},
    {"tcp://[::1]80", 0, {"bad port"}},
    {"tcp://[::1] :80", 0, {"bad port"}},
    {"tcp://h:80#x", 0, {"a fragment"}},
    {"tcp://h:80/", 0, {"a path"}},
    {"tcp:///h:80", 0, {"a path"}},
    {"tcp://h\\x:80", 0, {"a path"}},
    {"tcp://user@h:80", 0, {"a user's name"}},
    {"tcp://::1:80", 0, {"more than one colon", "brackets", "tcp://[IPV6]:PORT"}},
    {"tcp://h:80:81", 0, {"more than one colon"}},
    {"tcp://[::1:80", 0, {"no ]"}},
    {"tcp://[", 0, {"no ]"}},
    {"tcp://[]:80", 0, {"no IPv6 address"}},
    {"tcp://[localhost]:80", 0, {"no IPv6 address"}},
    {"tcp://[127.0.0.1]:80", 0, {"no IPv6 address"}},
    {"tcp://[1::2::3]:80", 0, {"no IPv6 address"}},
    {"tcp://[1:2:3:4:5:6:7:8:9]:80", 0, {"no IPv6 address"}},
    {"tcp://[%eth0]:80", 0, {"no IPv6 address"}},
    {"tcp://[fe80::1%]:80", 0, {"bad zone"}},
    {"tcp://[fe80::1%a b]:80", 0, {"bad zone"}},
    {"tcp://[fe80::1%a%b]:80", 0, {"bad zone"}},
    {"tcp://256.1.1.1:80", 0, {"not an IPv4 address"}},
    {"tcp://1.2.3:80", 0, {"not an IPv4 address"}},
    {"tcp://1.2.3.4.:80", 0, {"not an IPv4 address"}},
    {"tcp://.h:80", 0, {"empty part"}},
    {"tcp://a..b:80", 0, {"empty part"}},
    {"tcp://-h:80", 0, {"begins with a hyphen"}},
    {"tcp://a b:80", 0, {"character that host names cannot have"}},
    {"tcp://*:80", 0, {"character that host names cannot have"}},
    /* assuan */
    {"assuan:", 0, {"no absolute path", "write assuan:///PATH"}},
    {"assuan:x", 0, {"no absolute path", "write assuan:///PATH"}},
    {"assuan:%TEMP%/x", 0, {"write %LOCALAPPDATA%, %APPDATA% or %USERPROFILE%"}},
    {"assuan:%LOCALAPPDATA%", 0, {"at the start of its path", "followed by a slash"}},
    {"assuan:%LOCALAPPDATA%x/y", 0, {"at the start of its path", "followed by a slash"}},
    {"assuan:%", 0, {"at the start of its path"}},
    {"%APPDATA%/", A, {"has no path"}},
    {"assuan:%APPDATA%/", 0, {"has no path", "write assuan:%LOCALAPPDATA%/PATH"}},
    {"assuan:%APPDATA%\\/", 0, {"has no path"}},
    {"assuan:C:x", 0, {"no absolute path"}},
    {"assuan://C:x", 0, {"no absolute path", "three slashes"}},
    {"assuan://x", A, {"no absolute path"}},
    {"assuan:~/x", 0, {"no absolute path"}},
    {"assuan:/", 0, {"has no path"}},
    {"assuan:///", 0, {"has no path"}},
    {"assuan:///\\/", 0, {"has no path"}},
    {"/", A, {"has no path"}},
    {"\\\\", A, {"has no path"}},
    {"//./pipe/x", A, {"not the path of a libassuan socket file", "remove -a"}},
    {"\\\\.\\pipe\\x", A, {"remove -a"}},
    {"npipe:/x", A, {"remove -a"}},
    {"unix:x", A, {"remove -a"}},
    {"npipe:x", A, {"remove -a"}},
    {"unix:///x", A, {"remove -a"}},
    {"tcp://h", A, {"remove -a"}},
    /* characters */
    {"//./pipe/a\x07"
     "b",
     0,
     {"\"//./pipe/a\\x07b\"", "control character 0x07", "remove it"}},
    {"//./pipe/x\n", 0, {"\"//./pipe/x\\x0a\"", "control character 0x0a"}},
    {"unix:///x\x7F", 0, {"control character 0x7f"}},
    {"\t", A, {"control character 0x09"}},
    {"npipe:\xC2\x85", 0, {"\"npipe:\\xc2\\x85\"", "control character 0x85"}},
    {"npipe:\x80", 0, {"\"npipe:\\x80\"", "byte 0x80", "not UTF-8"}},
    {"npipe:\xC3", 0, {"byte 0xc3", "not UTF-8"}},
    {"npipe:\xC0\xAF", 0, {"byte 0xc0"}},
    {"npipe:\xE0\x80\xAF", 0, {"byte 0xe0"}},
    {"npipe:\xED\xBF\xBF", 0, {"byte 0xed"}},
    {"npipe:\xC2\x9F", 0, {"control character 0x9f"}},
    {"npipe:\xED\xA0\x80", 0, {"byte 0xed"}},
    {"npipe:\xF0\x8F\xBF\xBF", 0, {"byte 0xf0"}},
    {"npipe:\xF4\x90\x80\x80", 0, {"byte 0xf4"}},
    {"npipe:\xF5\x80\x80\x80", 0, {"byte 0xf5"}},
    {"npipe:\xE2\x82", 0, {"byte 0xe2"}},
    {"C:\\\xE4.txt", A, {"byte 0xe4"}},
};

/* Every address that a refusal suggests must itself be one. */
static void assert_suggestions_work(const char *text)
{
  static const char *const starts[] = {"npipe:", "//./pipe/", "unix:///", "tcp://", "assuan:///", "abstract:"};
  const char *hint = strstr(text, ": write ");
  for (const char *blank = hint; blank != NULL; blank = strchr(blank + 1, ' ')) {
    const char *why = blank + 1;
    char one[UVRELAY_ERROR_TEXT_SIZE];
    size_t length = strcspn(why, " ,");
    memcpy(one, why, length);
    one[length] = '\0';
    for (size_t i = 0; i < COUNT(starts); i++) {
      uvr_address out;
      uvrelay_error_t error = {0};
      bool placeholder = strstr(one, "NAME") || strstr(one, "PATH") || strstr(one, "PORT");
      if (!placeholder && strncmp(one, starts[i], strlen(starts[i])) == 0 && parse(one, 0, &out, &error) != 0) {
        fail_msg("suggests %s in: %s", one, text);
      }
    }
  }
}

static void test_refused(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(refused); i++) {
    uvr_address out;
    uvrelay_error_t error = {0};
    int result = parse(refused[i].text, refused[i].flags, &out, &error);
    if (result == 0) {
      fail_msg("taken: %s", refused[i].text);
    }
    assert_refused(result, &out, &error);
    for (size_t k = 0; k < COUNT(refused[i].words) && refused[i].words[k] != NULL; k++) {
      if (strstr(error.text, refused[i].words[k]) == NULL) {
        fail_msg("\"%s\" is not in: %s", refused[i].words[k], error.text);
      }
    }
    assert_suggestions_work(error.text);
    assert_int_equal(parse(refused[i].text, refused[i].flags, &out, NULL), UV_EINVAL);
    assert_all_zero(&out);
  }
}

static void test_null(void **state)
{
  (void)state;
  uvr_address out;
  uvrelay_error_t error = {0};
  memset(&out, 0x55, sizeof(out));
  assert_refused(uvr_address_parse(NULL, 0, &out, &error), &out, &error);
  assert_non_null(strstr(error.text, "is empty"));
}

/* The text `head`, `count` times `unit`, `tail`, parsed: taken if `word` is NULL, else refused with that word. */
static void try_length(const char *head, const char *unit, size_t count, const char *tail, unsigned flags,
                       const char *word)
{
  char text[4096];
  size_t used = (size_t)snprintf(text, sizeof(text), "%s", head);
  for (size_t i = 0; i < count; i++) {
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", unit);
  }
  used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", tail);
  uvr_address out;
  uvrelay_error_t error = {0};
  int result = parse(text, flags, &out, &error);
  if (word == NULL) {
    assert_int_equal(result, 0);
    assert_taken(&out, flags);
  } else {
    assert_refused(result, &out, &error);
    assert_non_null(strstr(error.text, word));
    assert_int_equal(strstr(error.text, "...\"") != NULL, used > 128);
  }
}

static void test_lengths(void **state)
{
  (void)state;
  try_length("via:assuan:///", "x", UVR_ADDRESS_PATH_SIZE - 1 - strlen("assuan:///"), "", V,
             NULL); /* it does not count */
  try_length("via:assuan:///", "x", UVR_ADDRESS_PATH_SIZE - strlen("assuan:///"), "", V, "too long");
  try_length("via://./pipe/", "x", 247, "", V, NULL);
  const char *no_pipe = "too long for a pipe: the limit of Windows is 256 characters";
  try_length("//./pipe/", "x", 247, "", 0, NULL);
  try_length("//./pipe/", "x", 248, "", 0, no_pipe);
  try_length("npipe:", "x", 247, "", 0, NULL);
  try_length("npipe:", "x", 248, "", 0, no_pipe);
  try_length("npipe:////./pipe/", "x", 247, "", 0, NULL);
  try_length("npipe:////./pipe/", "x", 248, "", 0, no_pipe);
  try_length("//HOST/pipe/", "x", 244, "", 0, NULL);
  try_length("//HOST/pipe/", "x", 245, "", 0, no_pipe);
  try_length("//./pipe/", "\xC3\xA4", 247, "", 0, NULL);
  try_length("//./pipe/", "\xC3\xA4", 248, "", 0, no_pipe);
  try_length("//./pipe/", "\xE2\x82\xAC", 247, "", 0, NULL);
  try_length("//./pipe/", "\xE2\x82\xAC", 248, "", 0, no_pipe);
  try_length("//./pipe/", "\xF0\x9F\x98\x80", 123, "x", 0, NULL);
  try_length("//./pipe/", "\xF0\x9F\x98\x80", 124, "", 0, no_pipe);
  try_length("//./pipe/x", "/", 900, "y", 0, NULL); /* slashes count once */
  try_length("npipe:", "x", 1017, "", 0, no_pipe);
  try_length("npipe:", "x", 1018, "", 0, "too long: the limit is 1023 bytes");
  try_length("npipe:", "x", 4000, "", 0, "too long: the limit is 1023 bytes");
  try_length("abstract:", "x", 107, "", 0, NULL);
  try_length("abstract:", "x", 108, "", 0, "name of 108 bytes, but the name of an abstract socket has at most 107");
  try_length("unix:///", "x", 106, "", 0, NULL);
  try_length("unix:///", "x", 107, "", 0, "path of 108 bytes, but the path of a Unix socket has at most 107");
  try_length("tcp://", "x", 253, ":80", 0, NULL);
  try_length("tcp://", "x", 254, ":80", 0, "more than 253 bytes");
  try_length("tcp://", "1", 253, ":80", 0, "not an IPv4 address");
  try_length("tcp://[fe80::1%", "z", 64, "]:80", 0, NULL);
  try_length("tcp://[fe80::1%", "z", 1000, "]:80", 0, "bad zone");
  try_length("tcp://[fe80::1%", "z", 65, "]:80", 0, "bad zone");
  try_length("tcp://[", "1", 63, "]:80", 0, "no IPv6 address");
  try_length("tcp://[", "1", 64, "]:80", 0, "no IPv6 address");
  try_length("tcp://[", "1", 1000, "]:80", 0, "no IPv6 address");
  try_length("tcp://h:", "0", 900, "80", 0, NULL);
  try_length("assuan:///", "x", 1013, "", 0, NULL);
  try_length("assuan:///", "x", 1014, "", 0, "too long: the limit is 1023 bytes");
  try_length("", "x", 1023, "", A, NULL);
  try_length("", "x", 1024, "", A, "too long: the limit is 1023 bytes");
  try_length("C:/", "x", 1008, "", A, NULL);
  try_length("C:/", "x", 1010, "", A, NULL);
  try_length("C:/", "x", 1011, "", A, "including the scheme");
  try_length("/", "x", 1013, "", A, NULL);
  try_length("/", "x", 1014, "", A, "including the scheme");
  try_length("assuan:/", "x", 1013, "", 0, NULL);
  try_length("assuan:/", "x", 1014, "", 0, "including the scheme");
  try_length("assuan:C:/", "x", 1011, "", 0, "including the scheme");
  /* Too long to be suggested, and for the text to be shown whole. */
  try_length("/", "x", 500, "", 0, "write unix:///PATH for");
  try_length("/", "\xE2\x82\xAC", 300, "", 0, "assuan:///PATH for");
  try_length("C:/", "x", 500, "", 0, "write assuan:///PATH");
  try_length("C:/", "/", 97, "x", 0, "write assuan:///C:/"); /* a suggestion of 111 bytes, which just fits */
  try_length("C:/", "/", 98, "x", 0, "write assuan:///PATH");
  try_length(".pipe", "x", 500, "", 0, "write npipe:NAME,");
  try_length("", "x", 200, ":80", 0, "unknown scheme");
}

/* Whatever the kind and the length: what is accepted has a canonical form that is accepted, and is the same. */
static void test_every_length(void **state)
{
  (void)state;
  static const struct {
    const char *head;
    const char *tail;
    unsigned flags;
  } shapes[] = {
      {"//./pipe/", "", 0},
      {"\\\\HOST\\pipe\\", "", 0},
      {"npipe:", "", 0},
      {"npipe:////./pipe/", "", 0},
      {"npipe://./pipe/", "", 0},
      {"unix:///", "", 0},
      {"unix:/", "", 0},
      {"tcp://", ":80", 0},
      {"tcp:", ":80", 0},
      {"tcp:[fe80::1%", "]:80", 0},
      {"tcp:h:", "80", 0},
      {"assuan:///", "", 0},
      {"assuan:/", "", 0},
      {"assuan:C:/", "", 0},
      {"assuan:/C:/", "", 0},
      {"assuan:///C:\\", "", 0},
      {"abstract:", "", 0},
      {"/", "", A},
      {"", "", A},
      {"C:/", "", A},
      {"/C:/", "", A},
      {"\\\\", "", A},
      {"fd://", "", UVR_ADDRESS_LISTEN},
      {"via://./pipe/", "", V},
      {"via:unix:/", "", V},
      {"via:tcp:", ":1", V},
      {"via:assuan:/", "", V},
      {"via:assuan:C:/", "", V},
      {"via:abstract:", "", V},
  };
  static const char *const units[] = {"x", "0", "/", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (size_t i = 0; i < COUNT(shapes) * COUNT(units); i++) {
    char text[1300];
    const char *unit = units[i % COUNT(units)];
    size_t used = (size_t)snprintf(text, sizeof(text), "%s", shapes[i / COUNT(units)].head);
    unsigned flags = shapes[i / COUNT(units)].flags;
    while (used < 1200) {
      used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", unit);
      (void)snprintf(text + used, sizeof(text) - used, "%s", shapes[i / COUNT(units)].tail);
      uvr_address out;
      uvrelay_error_t error = {0};
      int result = parse(text, flags, &out, &error);
      if (result == 0) {
        assert_taken(&out, flags);
      } else {
        assert_refused(result, &out, &error);
      }
    }
  }
}

static void test_quote(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    const char *quoted;
  } cases[] = {
      {"", "\"\""},
      {"a\\b", "\"a\\b\""},
      {"\x1B[31m\r\n", "\"\\x1b[31m\\x0d\\x0a\""},
      {"\xC3\xA4", "\"\xC3\xA4\""},
      {"\xC2\x9B", "\"\\xc2\\x9b\""},
      {"\xFF\xC3", "\"\\xff\\xc3\""},
      {"a\xE2\x80\xAE"
       "b",
       "\"a\\xe2\\x80\\xaeb\""},
      {"\xE2\x81\xA6\xF3\xA0\x80\x81\xE2\x80\x8D", "\"\\xe2\\x81\\xa6\\xf3\\xa0\\x80\\x81\\xe2\\x80\\x8d\""},
      {"\xF0\x9F\x98", "\"\\xf0\\x9f\\x98\""},
  };
  char quoted[UVR_QUOTED_SIZE];
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_ptr_equal(uvr_quote(quoted, cases[i].text), quoted);
    assert_string_equal(quoted, cases[i].quoted);
  }

  /* Cut at the same place whatever is cut, never within a character. */
  static const char *const units[] = {"x", "\x01", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xFF"};
  for (size_t i = 0; i < COUNT(units); i++) {
    for (size_t count = 1; count < 200; count++) {
      char text[1000] = "";
      for (size_t k = 0; k < count; k++) {
        memcpy(text + k * strlen(units[i]), units[i], strlen(units[i]) + 1);
      }
      uvr_quote(quoted, text);
      size_t length = strlen(quoted);
      size_t shown = units[i][0] == '\x01' || units[i][0] == '\xFF' ? 4 : strlen(units[i]);
      bool cut = strstr(quoted, "...") != NULL;
      assert_true(length < UVR_QUOTED_SIZE);
      assert_int_equal(quoted[length - 1], '"');
      assert_int_equal(cut, 1 + count * shown > 128);
      assert_int_equal((length - 2 - (cut ? 3 : 0)) % shown, 0);
      assert_printable(quoted);
    }
  }
}

/* A small generator, so that each run tries the same. */
static uint32_t next_random(uint32_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  *seed ^= *seed << 5;
  return *seed;
}

/* Addresses with bytes changed, put in, left out, cut and joined. */
static void test_damaged(void **state)
{
  (void)state;
  static const char bytes[] =
      "/\\.:?[]%@#*pipe PIPE0123456789abcxyz-_\"<>~\x01\x7F\xC2\xC3\xA4\xE2\x82\xED\xF0\x9F\xFF";
  uint32_t seed = 20240607;
  size_t ends[2] = {0, 0};
  for (int round = 0; round < 60000; round++) {
    char text[3000];
    const char *parts[2];
    for (size_t i = 0; i < COUNT(parts); i++) {
      uint32_t pick = next_random(&seed) % (uint32_t)(COUNT(taken) + COUNT(refused));
      parts[i] = pick < COUNT(taken) ? taken[pick].text : refused[pick - COUNT(taken)].text;
    }
    (void)snprintf(text, sizeof(text), "%s%s", parts[0], next_random(&seed) % 2 == 0 ? "" : parts[1]);
    for (uint32_t changes = next_random(&seed) % 5; changes > 0; changes--) {
      size_t length = strlen(text);
      size_t at = next_random(&seed) % (length + 1);
      char byte = bytes[next_random(&seed) % (sizeof(bytes) - 1)];
      switch (next_random(&seed) % 4) {
      case 0:
        memmove(text + at + 1, text + at, length - at + 1);
        text[at] = byte;
        break;
      case 1:
        memmove(text + at, text + at + (at < length), length - at + (at == length));
        break;
      case 2:
        text[at] = at < length ? byte : '\0';
        break;
      default:
        text[at] = '\0';
        break;
      }
    }
    unsigned flags = next_random(&seed) % 4 == 0 ? A : 0;
    uvr_address out;
    uvrelay_error_t error = {0};
    int result = parse(text, flags, &out, &error);
    if (result == 0) {
      assert_taken(&out, flags);
    } else {
      assert_refused(result, &out, &error);
    }
    ends[result == 0]++;
  }
  /* Both ways were walked often. */
  assert_true(ends[0] > 5000 && ends[1] > 5000);
}

/* Bytes of every kind. */
static void test_rubbish(void **state)
{
  (void)state;
  uint32_t seed = 7;
  for (int round = 0; round < 20000; round++) {
    char text[1200];
    size_t length = next_random(&seed) % (round % 10 == 0 ? 1199 : 40);
    for (size_t i = 0; i < length; i++) {
      text[i] = (char)(1 + next_random(&seed) % 255);
    }
    text[length] = '\0';
    uvr_address out;
    uvrelay_error_t error = {0};
    int result = parse(text, next_random(&seed) % 2, &out, &error);
    if (result != 0) {
      assert_refused(result, &out, &error);
    }
  }
}

/* What a relay makes of an address that its system cannot dial. */
static void test_set_via(void **state)
{
  (void)state;
  char text[UVR_ADDRESS_PATH_SIZE];
  memset(text, 'x', sizeof(text));
  memcpy(text, "assuan:///", strlen("assuan:///"));
  text[sizeof(text) - 1] = '\0';
  const char *const texts[] = {"//./pipe/x", "tcp://localhost:1", text};
  for (size_t i = 0; i < COUNT(texts); i++) {
    char expected[UVR_ADDRESS_CANONICAL_SIZE];
    uvr_address out;
    uvrelay_error_t error = {0};
    assert_int_equal(parse(texts[i], 0, &out, &error), 0);
    assert_false(out.via);
    (void)snprintf(expected, sizeof(expected), "via:%s", texts[i]);
    uvr_address_set_via(&out);
    assert_true(out.via);
    assert_string_equal(out.canonical, expected);
    assert_taken(&out, V);
  }
}

static void test_windows_file(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    unsigned flags;
    bool is;
  } files[] = {
      {"assuan:///C:/x", 0, true},
      {"assuan:///c:\\x", 0, true},
      {"assuan:///home/x", 0, false},
      {"assuan:///1:/x", 0, false},
      {"assuan:%APPDATA%/x", 0, true},
      {"via:assuan:%APPDATA%/x", V, true},
      {"npipe:%USERNAME%", 0, false},
      {"C:/x", A, true},
      {"C:x", A, false},
      {"x", A, false},
      {"via:assuan:///C:/x", V, true},
      {"unix:///C:/x", 0, false},
      {"//./pipe/C:/x", 0, false},
      {"tcp://c:1", 0, false},
  };
  for (size_t i = 0; i < COUNT(files); i++) {
    uvr_address out;
    uvrelay_error_t error = {0};
    if (parse(files[i].text, files[i].flags, &out, &error) != 0) {
      fail_msg("%s: %s", files[i].text, error.text);
    }
    if (uvr_address_is_windows_file(&out) != files[i].is) {
      fail_msg("%s", files[i].text);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_taken),        cmocka_unit_test(test_refused), cmocka_unit_test(test_null),
      cmocka_unit_test(test_lengths),      cmocka_unit_test(test_quote),   cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_every_length), cmocka_unit_test(test_rubbish), cmocka_unit_test(test_set_via),
      cmocka_unit_test(test_windows_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
