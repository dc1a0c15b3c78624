/* The program, of which one call fails: FAULT=NUMBER or FAULT=NUMBER:WAY in its environment says which, as in
 * test/unit/fault.h. When the call is made, a line about it is added to the file named in FAULT_REPORT, and with
 * FAULT_TRACE=1 its callers go to FAULT_REPORT.trace, for addr2line, if the C library is glibc. The program is linked
 * from the very objects of uvrelay, in which objcopy has renamed the calls, and `main`. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <execinfo.h>
#endif

#include "fault.h"

enum { FILE_MODE = 0600, TEXT = 256, CALLERS_MAX = 40 };

int uvrelay_main(int argc, char **argv);

static int open_file(const char *name)
{
  return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
}

#ifdef __GLIBC__
static void trace(const char *name)
{
  void *callers[CALLERS_MAX];
  char file[TEXT];
  (void)snprintf(file, sizeof(file), "%s.trace", name);
  int fd = open_file(file);
  if (fd >= 0) {
    backtrace_symbols_fd(callers, backtrace(callers, CALLERS_MAX), fd);
    (void)close(fd);
  }
}
#else
static void trace(const char *name)
{
  (void)name;
}
#endif

static void report(const char *text)
{
  const char *name = getenv("FAULT_REPORT");
  int fd = name != NULL ? open_file(name) : -1;
  if (fd >= 0) {
    char line[TEXT];
    int length = snprintf(line, sizeof(line), "%s\n", text);
    if (write(fd, line, (size_t)length) != length) {
      abort();
    }
    (void)close(fd);
    if (getenv("FAULT_TRACE") != NULL) {
      trace(name);
    }
  }
}

int main(int argc, char **argv)
{
  const char *wanted = getenv("FAULT");
  fault_plan plan = {.at = 0};
  if (wanted != NULL && sscanf(wanted, "%u:%u", &plan.at, &plan.way) >= 1) {
    fault_own_all();
    fault_plan_is(plan);
    fault_on_reached(report);
    fault_arm();
  }
  return uvrelay_main(argc, argv);
}
