/* The program's entry on Windows: makes the system load libraries from its own directory only, and converts the
 * arguments from UTF-16 to UTF-8. */
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#include "cli/cli.h"
#include "cli/os/wide_win.h"

/* Keeps MinGW's start-up code from treating a * in an argument as a file pattern. */
int _dowildcard = 0;

/* Does not wait for a thread that reads standard input. ExitProcess would not either, but it calls each library, which
 * may wait for what a thread held when it was ended. */
static _Noreturn void end_process(int status)
{
  (void)fflush(NULL);
  (void)TerminateProcess(GetCurrentProcess(), (UINT)status);
  abort(); /* cannot be reached */
}

int wmain(int argc, wchar_t **wide_argv)
{
  /* Before anything loads a library: those beside the program or in the current directory may be somebody else's. It
   * does not concern what the program imports itself, which is loaded already (see docs/security.md). */
  (void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  char **argv = calloc((size_t)argc + 1, sizeof(*argv));
  int converted = 0;
  while (argv != NULL && converted < argc && (argv[converted] = uvr_to_utf8(wide_argv[converted])) != NULL) {
    converted++;
  }
  int status = 1;
  if (converted < argc) {
    (void)fputs("uvrelay: not enough memory for the arguments\n", stderr);
  } else {
    status = uvr_cli_main(argc, argv);
  }
  end_process(status);
}
