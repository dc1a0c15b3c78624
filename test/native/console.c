/* A console as standard input and output; -bg; and a console that is closed. Most of these scenarios run in a console
 * of their own without a window, whose keys they press and whose screen they read. */
#include "native.h"

#include <string.h>
#include <wchar.h>

enum { SCREEN = 80 * 30 };

static HANDLE console(const wchar_t *name)
{
  HANDLE handle =
      CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
  CHECK(handle != INVALID_HANDLE_VALUE, "cannot open %ls (error %lu)", name, GetLastError());
  return handle;
}

static void type_keys(const wchar_t *keys)
{
  HANDLE input = console(L"CONIN$");
  step("typing %ls", keys);
  for (; *keys != L'\0'; keys++) {
    INPUT_RECORD records[2] = {{.EventType = KEY_EVENT}, {.EventType = KEY_EVENT}};
    DWORD written;
    for (int i = 0; i < 2; i++) {
      KEY_EVENT_RECORD *key = &records[i].Event.KeyEvent;
      key->bKeyDown = i == 0;
      key->wRepeatCount = 1;
      key->uChar.UnicodeChar = *keys;
      key->wVirtualKeyCode = *keys == L'\r' ? VK_RETURN : *keys == L'\x1a' ? 'Z' : 0;
      key->dwControlKeyState = *keys == L'\x1a' ? LEFT_CTRL_PRESSED : 0;
    }
    CHECK(WriteConsoleInputW(input, records, 2, &written) && written == 2, "cannot press a key (error %lu)",
          GetLastError());
  }
  (void)CloseHandle(input);
}

/* Waits until the screen shows a text. */
static void wait_screen(const wchar_t *text_of_it)
{
  static wchar_t screen[SCREEN + 1];
  HANDLE output = console(L"CONOUT$");
  uint64_t until = now_ms() + SOON;
  do {
    CONSOLE_SCREEN_BUFFER_INFO info;
    DWORD got = 0;
    DWORD wanted = SCREEN;
    CHECK(GetConsoleScreenBufferInfo(output, &info), "cannot ask about the screen (error %lu)", GetLastError());
    CHECK(ReadConsoleOutputCharacterW(output, screen, wanted, (COORD){0, 0}, &got),
          "cannot read the screen (error %lu)", GetLastError());
    screen[got] = L'\0';
    if (wcsstr(screen, text_of_it) != NULL) {
      (void)CloseHandle(output);
      return;
    }
    Sleep(20);
  } while (now_ms() < until);
  fail("the screen shows not \"%ls\" but \"%.100ls\"", text_of_it, screen);
}

/* A line goes out when it is complete; Ctrl-Z at the beginning of one is the end of the input. */
static void input(int ctrl_z)
{
  const launch how = {.in = STD_CONSOLE};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "before any key"); /* the other direction must not wait for one */
  wait_output(p, 14);
  type_keys(L"abc\r");
  expect_text(&s.e, "abc\r\n");
  type_keys(L"second line\r");
  expect_text(&s.e, "second line\r\n");
  if (ctrl_z) {
    type_keys(L"\x1a\r");
    expect_end(&s.e, 0);
  }
  end_close(&s.e);
  expect_exit(p, 0);
  expect_silence(p);
}

static void output(int variant)
{
  (void)variant;
  const launch how = {.out = STD_CONSOLE};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-ep %s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "shown on the screen\r\n");
  wait_screen(L"shown on the screen");
  send_text(&s.e, "and below it");
  wait_screen(L"and below it");
  end_shut(&s.e);
  expect_exit(p, 0);
}

/* Both, and the messages of -v, in one console. */
static void all_of_it(int variant)
{
  (void)variant;
  const launch how = {.in = STD_CONSOLE, .out = STD_CONSOLE, .err = STD_CONSOLE};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(&how, "-v %s", s.name);
  pipe_accept(&s);
  wait_screen(L"uvrelay: connected to");
  type_keys(L"question\r");
  expect_text(&s.e, "question\r\n");
  send_text(&s.e, "answer");
  wait_screen(L"answer");
  end_close(&s.e);
  expect_exit(p, 0);
}

static DWORD mode_of(HANDLE screen)
{
  DWORD mode = 0;
  CHECK(GetConsoleMode(screen, &mode), "cannot ask for the console's mode (error %lu)", GetLastError());
  return mode;
}

/* Errors are red, in a console that must be asked to take escape sequences, and that gets its mode back. */
static void errors_have_a_colour(int looks)
{
  const launch how = {.err = STD_CONSOLE};
  HANDLE screen = console(L"CONOUT$");
  DWORD mode = mode_of(screen) & ~(DWORD)ENABLE_VIRTUAL_TERMINAL_PROCESSING;
  CHECK(SetConsoleMode(screen, mode), "cannot set the console's mode (error %lu)", GetLastError());
  (void)SetEnvironmentVariableW(L"TERM", NULL);
  (void)SetEnvironmentVariableW(L"NO_COLOR", NULL);
  expect_exit(start(&how, "--bogus"), 2);
  wait_screen(L"uvrelay: unknown flag");
  DWORD after = mode_of(screen);
  CHECK(after == mode, "the console's mode was %lx, and is %lx", mode, after);
  if (looks) {
    WORD attributes = 0;
    DWORD got = 0;
    CHECK(ReadConsoleOutputAttribute(screen, &attributes, 1, (COORD){0, 0}, &got) && got == 1,
          "cannot read the screen's colours (error %lu)", GetLastError());
    CHECK((attributes & (FOREGROUND_RED | FOREGROUND_GREEN | FOREGROUND_BLUE)) == FOREGROUND_RED,
          "the first character has the attributes %x", attributes);
  }
  (void)CloseHandle(screen);
}

/* The server ends while a read of the console is pending, which nothing can cancel everywhere. */
static void ends_while_nobody_types(int variant)
{
  (void)variant;
  const launch how = {.in = STD_CONSOLE};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(&how, "%s", s.name);
  pipe_accept(&s);
  CHECK(runs_for(p, 300), "it has ended by itself");
  end_close(&s.e);
  expect_exit(p, 0);
}

/* -bg relays as ever, whether there is a console to hide or none. */
static void background_flag(int creation)
{
  const launch how = {.creation = (DWORD)creation};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-bg -s -ep %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  end_close(&p->in);
  expect_text(&s.e, "hello");
  expect_end(&s.e, 0);
  send_text(&s.e, "reply");
  end_shut(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "reply") == 0, "the output is %s", p->output.data);
}

static HWND window_of(program *p)
{
  (void)FreeConsole();
  CHECK(AttachConsole(p->id), "cannot attach to its console (error %lu)", GetLastError());
  return GetConsoleWindow();
}

/* A console that is the program's alone. */
static void hides_its_window(int variant)
{
  (void)variant;
  const launch how = {.creation = CREATE_NEW_CONSOLE, .visible = true};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *shown = start(&how, "%s", s.name);
  pipe_accept(&s);
  HWND window = window_of(shown);
  if (window == NULL || !IsWindowVisible(window)) {
    skip("consoles have no visible windows here");
  }
  (void)TerminateProcess(shown->process, 7);
  end_close(&s.e);
  pipe_instance(&s);
  program *p = start(&how, "-bg %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  expect_text(&s.e, "hello");
  window = window_of(p);
  CHECK(window == NULL || !IsWindowVisible(window), "its window is still visible");
}

/* One that others use, too, such as the shell that uvrelay was started from. */
static void leaves_a_shared_window(int variant)
{
  (void)variant;
  HWND window = GetConsoleWindow();
  if (window == NULL || !IsWindowVisible(window)) {
    skip("consoles have no visible windows here");
  }
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(NULL, "-bg %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  expect_text(&s.e, "hello");
  CHECK(IsWindowVisible(window) && !IsIconic(window), "it has hidden a window that is not its own");
}

/* ---- a console that is closed ---- */

static BOOL WINAPI ignore(DWORD event)
{
  (void)event;
  return TRUE;
}

static void close_window(program *p)
{
  HWND window = window_of(p);
  if (window == NULL) {
    skip("consoles have no windows here");
  }
  CHECK(SetConsoleCtrlHandler(ignore, TRUE), "cannot ignore keys (error %lu)", GetLastError());
  (void)FreeConsole(); /* or we would be closed, too */
  CHECK(PostMessageW(window, WM_CLOSE, 0, 0), "cannot close the window (error %lu)", GetLastError());
}

/* serve stops in an orderly way, within the 5 s that the system gives it. */
static void closed_with_serve(int variant)
{
  (void)variant;
  const launch how = {.creation = CREATE_NEW_CONSOLE};
  int port = echo_server();
  const char *name = unique_pipe();
  program *p = serve(&how, 1, "--drain=1 %s=tcp://127.0.0.1:%d", name, port);
  end client = pipe_connect(name, BYTE_PIPE);
  send_text(&client, "hello");
  expect_text(&client, "hello");
  close_window(p);
  DWORD status = wait_exit(p);
  note("the exit status is 0x%lx", status);
  expect_end(&client, ERROR_BROKEN_PIPE);
  CHECK(strstr(p->errors.data, "1 connection was interrupted") != NULL, "it says: %s", p->errors.data);
}

static void closed_with_one_shot(int variant)
{
  (void)variant;
  const launch how = {.creation = CREATE_NEW_CONSOLE};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(&how, "%s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  expect_text(&s.e, "hello");
  close_window(p);
  CHECK(wait_exit(p) != 0, "it calls that an orderly end");
  expect_end(&s.e, ERROR_BROKEN_PIPE);
}

const scenario console_scenarios[] = {
    {"console/input", input, 0, OWN_CONSOLE, 0},
    {"console/input-until-ctrl-z", input, 1, OWN_CONSOLE, 0},
    {"console/output", output, 0, OWN_CONSOLE, 0},
    {"console/all-of-it", all_of_it, 0, OWN_CONSOLE, 0},
    {"console/colours-leave-its-mode", errors_have_a_colour, 0, OWN_CONSOLE, 0},
    {"console/errors-are-red", errors_have_a_colour, 1, OWN_CONSOLE, 0},
    {"console/ends-while-nobody-types", ends_while_nobody_types, 0, OWN_CONSOLE, 0},
    {"console/bg", background_flag, 0, OWN_CONSOLE, 0},
    {"console/bg-without-a-console", background_flag, DETACHED_PROCESS, 0, 0},
    {"console/bg-hides-its-window", hides_its_window, 0, 0, 0},
    {"console/bg-leaves-a-shared-window", leaves_a_shared_window, 0, OWN_WINDOW, 0},
    {"console/closed-with-serve", closed_with_serve, 0, 0, 0},
    {"console/closed-with-one-shot", closed_with_one_shot, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
