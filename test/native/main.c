/* Runs the scenarios, each in a process and a job of its own, and tells how they went: see native.h. */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <shellapi.h>

enum { JOBS_MAX = 16, ONLY_MAX = 64, USUAL_SECONDS = 40, SAID = 8192, TRIES = 2 };

static const scenario *const groups[] = {
    usage_scenarios,    data_scenarios,  end_scenarios,  one_way_scenarios, stdio_scenarios, connect_scenarios,
    socket_scenarios,   serve_scenarios, stop_scenarios, mux_scenarios,     many_scenarios,  console_scenarios,
    security_scenarios, name_scenarios,  pipe_facts,     packet_facts,      process_facts,
};

typedef struct settings {
  const char *only[ONLY_MAX];
  int only_count;
  int jobs;
  bool again; /* what fails is tried once more */
  bool verbose;
  bool list;
  const char *run;  /* the scenario that this process is */
  int helper_words; /* where a helper's words begin; 0: it is none */
} settings;

/* A scenario that runs. */
typedef struct slot {
  const scenario *what;
  int tries;
  HANDLE process, job;
  HANDLE from; /* its lines */
  uint64_t begun_ms;
  char said[SAID];
  size_t length;
} slot;

typedef struct totals {
  int passed, failed, skipped;
} totals;

/* ---- one scenario's process ---- */

static bool start_scenario(slot *s)
{
  HANDLE to;
  if (!CreatePipe(&s->from, &to, NULL, 0) || !SetHandleInformation(to, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
    return false;
  }
  wchar_t self[MAX_PATH];
  STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = to, .hStdError = to};
  PROCESS_INFORMATION made;
  DWORD flags = CREATE_SUSPENDED | ((s->what->flags & OWN_CONSOLE) != 0 ? CREATE_NO_WINDOW : 0);
  if ((s->what->flags & OWN_WINDOW) != 0) {
    flags |= CREATE_NEW_CONSOLE;
    startup.dwFlags |= STARTF_USESHOWWINDOW;
    startup.wShowWindow = SW_SHOWNOACTIVATE;
  }
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
      .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
  s->job = CreateJobObjectW(NULL, NULL);
  bool fine = s->job != NULL && GetModuleFileNameW(NULL, self, MAX_PATH) != 0 &&
              SetInformationJobObject(s->job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)) &&
              CreateProcessW(self, wide(text("native_test --run %s \"%s\"", s->what->name, uvrelay_exe)), NULL, NULL,
                             TRUE, flags, NULL, NULL, &startup, &made);
  DWORD error = GetLastError();
  (void)CloseHandle(to);
  if (fine && !AssignProcessToJobObject(s->job, made.hProcess)) {
    error = GetLastError();
    fine = false;
    (void)TerminateProcess(made.hProcess, 99);
  }
  if (!fine) {
    SetLastError(error);
    return false;
  }
  (void)ResumeThread(made.hThread);
  (void)CloseHandle(made.hThread);
  s->process = made.hProcess;
  s->begun_ms = now_ms();
  s->length = 0;
  s->said[0] = '\0';
  return true;
}

/* Takes what the scenario has said. Of much, the last part is kept. */
static void hear(slot *s, bool verbose)
{
  DWORD there = 0;
  while (PeekNamedPipe(s->from, NULL, 0, NULL, &there, NULL) && there > 0) {
    if (s->length + 1024 > SAID) {
      memmove(s->said, s->said + SAID / 2, s->length - SAID / 2 + 1);
      s->length -= SAID / 2;
    }
    DWORD got = 0;
    DWORD room = (DWORD)(SAID - 1 - s->length);
    if (!ReadFile(s->from, s->said + s->length, there < room ? there : room, &got, NULL)) {
      return;
    }
    if (verbose) {
      printf("%.*s", (int)got, s->said + s->length);
    }
    s->length += got;
    s->said[s->length] = '\0';
  }
}

/* The rest of the last line that begins with `word`, or NULL. */
static const char *last_line(slot *s, const char *word)
{
  static char found[SAID];
  size_t length = strlen(word);
  const char *last = NULL;
  for (const char *line = s->said; line != NULL && *line != '\0';) {
    const char *line_end = strchr(line, '\n');
    if (strncmp(line, word, length) == 0 && line[length] == ' ') {
      last = line + length + 1;
    }
    line = line_end == NULL ? NULL : line_end + 1;
  }
  if (last == NULL) {
    return NULL;
  }
  (void)snprintf(found, sizeof(found), "%s", last);
  found[strcspn(found, "\n")] = '\0';
  return found;
}

static void tell(const char *how, const scenario *what, const char *why)
{
  printf("%-8s %s%s%s\n", how, what->name, why != NULL ? ": " : "", why != NULL ? why : "");
  (void)fflush(stdout);
}

/* Ends all that the scenario has started. */
static void clean_up(slot *s)
{
  (void)TerminateJobObject(s->job, 99);
  (void)CloseHandle(s->job);
  (void)CloseHandle(s->process);
  (void)CloseHandle(s->from);
  s->process = NULL;
}

/* Returns whether the scenario is over, and not to be tried again. */
static bool judge(slot *s, const settings *set, totals *sum, bool late)
{
  static char why[SAID + 256];
  DWORD status = 0;
  (void)GetExitCodeProcess(s->process, &status);
  hear(s, set->verbose);
  const char *failed = last_line(s, "failed");
  if (failed == NULL && late) {
    const char *last = last_line(s, "step");
    (void)snprintf(why, sizeof(why), "its time of %llu s is up; it was at: %s",
                   (unsigned long long)(now_ms() - s->begun_ms) / 1000, last != NULL ? last : "its start");
    failed = why;
  } else if (failed == NULL && status != 0) {
    const char *last = last_line(s, "step");
    (void)snprintf(why, sizeof(why), "the test itself ended with 0x%lx; it was at: %s", status,
                   last != NULL ? last : "its start");
    failed = why;
  }
  clean_up(s);
  if (set->verbose) {
    printf("took     %s: %llu ms\n", s->what->name, (unsigned long long)(now_ms() - s->begun_ms));
  }
  if (failed != NULL && set->again && s->tries < TRIES) {
    tell("again", s->what, failed);
    return false;
  }
  const char *skipped = failed == NULL ? last_line(s, "skipped") : NULL;
  if (failed != NULL) {
    tell("FAILED", s->what, failed);
    sum->failed++;
  } else if (skipped != NULL) {
    tell("skipped", s->what, skipped);
    sum->skipped++;
  } else {
    tell("ok", s->what, last_line(s, "note"));
    sum->passed++;
  }
  return true;
}

/* ---- all of them ---- */

/* Whether it is of this name, or in the group of this name. */
static bool is_named(const scenario *s, const char *name)
{
  size_t length = strlen(name);
  return strncmp(s->name, name, length) == 0 && (s->name[length] == '\0' || s->name[length] == '/');
}

static bool is_wanted(const settings *set, const scenario *s)
{
  bool wanted = set->only_count == 0;
  for (int i = 0; i < set->only_count; i++) {
    wanted = wanted || is_named(s, set->only[i]);
  }
  return wanted;
}

static void begin(slot *s, const settings *set, totals *sum)
{
  bool started = false;
  int tries = set->again ? TRIES : 1;
  while (!started && s->tries < tries) {
    s->tries++;
    started = start_scenario(s);
    if (!started) {
      (void)snprintf(s->said, sizeof(s->said), "cannot start the scenario (error %lu)", GetLastError());
      tell(s->tries < tries ? "again" : "FAILED", s->what, s->said);
    }
  }
  if (!started) {
    sum->failed++;
    s->process = NULL;
  }
}

/* Looks at each one that runs. Returns how many still do. */
static int look(slot *slots, const settings *set, totals *sum)
{
  int running = 0;
  for (int i = 0; i < set->jobs; i++) {
    slot *s = &slots[i];
    if (s->process == NULL) {
      continue;
    }
    hear(s, set->verbose);
    uint64_t limit = 1000U * (uint64_t)(s->what->seconds > 0 ? s->what->seconds : USUAL_SECONDS);
    bool over = WaitForSingleObject(s->process, 0) == WAIT_OBJECT_0;
    bool late = !over && now_ms() - s->begun_ms > limit;
    if ((over || late) && !judge(s, set, sum, late)) {
      begin(s, set, sum);
    }
    running += s->process != NULL;
  }
  return running;
}

static void run_all(const settings *set, bool alone, totals *sum)
{
  static slot slots[JOBS_MAX];
  for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
    for (const scenario *s = groups[g]; s->name != NULL; s++) {
      if (!is_wanted(set, s) || alone != ((s->flags & ALONE) != 0)) {
        continue;
      }
      const char *why = under_wine() ? wine_cannot(s->name) : NULL;
      if (why != NULL) {
        tell("skipped", s, why);
        sum->skipped++;
        continue;
      }
      while (look(slots, set, sum) >= (alone ? 1 : set->jobs)) {
        Sleep(10);
      }
      for (int i = 0; i < set->jobs; i++) {
        if (slots[i].process == NULL) {
          memset(&slots[i], 0, sizeof(slots[i]));
          slots[i].what = s;
          begin(&slots[i], set, sum);
          break;
        }
      }
    }
  }
  while (look(slots, set, sum) > 0) {
    Sleep(10);
  }
}

/* The first of this name or group, or NULL. */
static const scenario *find(const char *name)
{
  for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
    for (const scenario *s = groups[g]; s->name != NULL; s++) {
      if (is_named(s, name)) {
        return s;
      }
    }
  }
  return NULL;
}

static int list(void)
{
  for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
    for (const scenario *s = groups[g]; s->name != NULL; s++) {
      printf("%s\n", s->name);
    }
  }
  return 0;
}

static int usage(const char *why, const char *word)
{
  fprintf(stderr,
          "native_test: %s%s\n"
          "usage: native_test.exe path\\to\\uvrelay.exe [--only NAME]... [--jobs N] [--again] [--verbose]\n"
          "       native_test.exe --list\n",
          why, word);
  return 2;
}

static char *to_utf8(const wchar_t *from)
{
  int length = WideCharToMultiByte(CP_UTF8, 0, from, -1, NULL, 0, NULL, NULL);
  char *made = memory((size_t)length);
  (void)WideCharToMultiByte(CP_UTF8, 0, from, -1, made, length, NULL, NULL);
  return made;
}

/* The whole path, with the slashes of Windows. */
static char *whole_path(const wchar_t *from)
{
  wchar_t path[MAX_PATH];
  DWORD length = GetFullPathNameW(from, MAX_PATH, path, NULL);
  return to_utf8(length > 0 && length < MAX_PATH ? path : from);
}

/* A directory for the temporary files of all scenarios, which removes what those leave that failed. */
static wchar_t *make_directory(void)
{
  wchar_t temporary[MAX_PATH];
  wchar_t *path = memory(2 * MAX_PATH * sizeof(wchar_t));
  DWORD length = GetTempPathW(MAX_PATH, temporary);
  (void)swprintf(path, 2 * MAX_PATH, L"%lsuvrelay-native-%lu", length > 0 ? temporary : L"", GetCurrentProcessId());
  (void)CreateDirectoryW(path, NULL);
  (void)SetEnvironmentVariableW(L"TMP", path); /* what GetTempPath looks at */
  return path;
}

static void remove_directory(wchar_t *directory)
{
  WIN32_FIND_DATAW found;
  wchar_t path[3 * MAX_PATH];
  (void)swprintf(path, 3 * MAX_PATH, L"%ls\\*", directory);
  HANDLE search = FindFirstFileW(path, &found);
  for (BOOL more = search != INVALID_HANDLE_VALUE; more; more = FindNextFileW(search, &found)) {
    (void)swprintf(path, 3 * MAX_PATH, L"%ls\\%ls", directory, found.cFileName);
    (void)DeleteFileW(path);
  }
  (void)FindClose(search);
  (void)RemoveDirectoryW(directory);
}

/* What --run and --helper ask for: this process is a scenario's, or a peer of one. */
static void be_a_part(const settings *set, wchar_t **words, int count)
{
  const scenario *s = set->run != NULL ? find(set->run) : NULL;
  if (set->helper_words > 0) {
    char *arguments[2] = {"", ""};
    for (int i = 0; i < 2 && set->helper_words + i < count; i++) {
      arguments[i] = to_utf8(words[set->helper_words + i]);
    }
    helper(count - set->helper_words, arguments);
  }
  if (s != NULL) {
    /* Who starts us may have Ctrl-C ignored, which our children would inherit. */
    (void)SetConsoleCtrlHandler(NULL, FALSE);
    (void)SetHandleInformation(GetStdHandle(STD_OUTPUT_HANDLE), HANDLE_FLAG_INHERIT, 0);
    s->run(s->variant);
    ExitProcess(0);
  }
}

/* Returns 0, or the exit status. */
static int parse(settings *set, wchar_t **words, int count)
{
  for (int i = 1; i < count && set->helper_words == 0; i++) {
    char *word = to_utf8(words[i]);
    const char *value = i + 1 < count ? to_utf8(words[i + 1]) : "";
    if (strcmp(word, "--run") == 0) {
      set->run = value;
      i++;
    } else if (strcmp(word, "--helper") == 0) {
      set->helper_words = i + 1;
    } else if (strcmp(word, "--only") == 0 && set->only_count < ONLY_MAX) {
      if (find(value) == NULL) {
        return usage("there is no scenario or group ", value);
      }
      set->only[set->only_count++] = value;
      i++;
    } else if (strcmp(word, "--jobs") == 0) {
      set->jobs = atoi(value);
      i++;
    } else if (strcmp(word, "--again") == 0) {
      set->again = true;
    } else if (strcmp(word, "--verbose") == 0) {
      set->verbose = true;
    } else if (strcmp(word, "--list") == 0) {
      set->list = true;
    } else if (word[0] == '-' || uvrelay_exe != NULL) {
      return usage("cannot use the argument ", word);
    } else {
      uvrelay_exe = whole_path(words[i]);
    }
  }
  if (set->jobs < 1 || set->jobs > JOBS_MAX) {
    return usage("--jobs takes 1 to 16", "");
  }
  if (!set->list && uvrelay_exe == NULL) {
    return usage("name the program to test", "");
  }
  if (!set->list && GetFileAttributesW(wide(uvrelay_exe)) == INVALID_FILE_ATTRIBUTES) {
    return usage("there is no program ", uvrelay_exe);
  }
  return 0;
}

int main(void)
{
  int count = 0;
  settings set = {.jobs = 4};
  totals sum = {0, 0, 0};
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  int status = parse(&set, words, count);
  if (status != 0) {
    return status;
  }
  if (set.list) {
    return list();
  }
  be_a_part(&set, words, count);
  wchar_t *directory = make_directory();
  run_all(&set, false, &sum);
  run_all(&set, true, &sum);
  remove_directory(directory);
  printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped);
  return sum.failed > 0 ? 1 : 0;
}
