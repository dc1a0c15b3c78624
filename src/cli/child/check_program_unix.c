/* What Linux starts: see check_program.h. Programs for this computer, scripts whose interpreter is there, and whatever
 * a handler is registered for in binfmt_misc, as WSL and Wine do for programs for Windows. libuv gives everything else
 * to /bin/sh, as shells do, which is only right for a script without a first line of its own.
 *
 * A handler that cannot be seen, as in some containers, is no loss: its interpreter can be named in the command. */
#include "cli/child/check_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/binfmt_unix.h"
#include "cli/child/wsl.h"

#define BINFMT         "/proc/sys/fs/binfmt_misc"
#define NOT_AT_PRESENT "it is for Windows, and WSL cannot start such programs now: run uvrelay doctor to see why"

static int refuse(const char *name, int code, uvrelay_error_t *error, const char *why)
{
  char quoted[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_NONE, code, "cannot execute the program %s: %s", uvr_quote(quoted, name),
                       why);
}

/* ELF. */

enum { ELF_CLASS = 4, ELF_ORDER = 5, ELF_TYPE = 16, ELF_MACHINE = 18, ELF_64 = 2, ELF_EXEC = 2, ELF_DYN = 3 };

static unsigned elf_number(const uvr_program_head *head, size_t offset, size_t size)
{
  return (unsigned)uvr_program_number(head, offset, size, head->bytes[ELF_ORDER] == 2);
}

/* The name of the computer that it is for, or NULL. */
static const char *machine_name(unsigned machine)
{
  static const struct {
    unsigned machine;
    const char *name;
  } names[] = {{3, "x86"},  {8, "MIPS"},    {20, "PowerPC"}, {21, "PowerPC64"}, {22, "S/390"},
               {40, "ARM"}, {62, "x86-64"}, {183, "ARM64"},  {243, "RISC-V"},   {258, "LoongArch"}};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (names[i].machine == machine) {
      return names[i].name;
    }
  }
  return NULL;
}

/* Whether it is for the same computer as this program, or for the older one that the same processor is as well. */
static bool is_native(const uvr_program_head *head)
{
  uvr_program_head own;
  uvr_program_read("/proc/self/exe", &own);
  unsigned ours = elf_number(&own, ELF_MACHINE, 2);
  unsigned its = elf_number(head, ELF_MACHINE, 2);
  return own.kind != UVR_PROGRAM_ELF || (ours == its && own.bytes[ELF_ORDER] == head->bytes[ELF_ORDER]) ||
         (ours == 62 && its == 3) || (ours == 183 && its == 40);
}

/* The loader that a 64-bit program asks for, if that is in the head, or NULL. */
static const char *loader_of(const uvr_program_head *head)
{
  bool big = head->bytes[ELF_ORDER] == 2;
  unsigned long long table = uvr_program_number(head, 32, 8, big);
  unsigned long long count = uvr_program_number(head, 56, 2, big);
  for (unsigned long long i = 0; head->bytes[ELF_CLASS] == ELF_64 && table < head->length && i < count && i < 64; i++) {
    size_t entry = (size_t)(table + i * 56);
    unsigned long long offset = uvr_program_number(head, entry + 8, 8, big);
    if (uvr_program_number(head, entry, 4, big) == 3 && offset > 0 && offset < head->length &&
        memchr(head->bytes + offset, '\0', head->length - (size_t)offset) != NULL) {
      return (const char *)head->bytes + offset;
    }
  }
  return NULL;
}

static int check_elf(const char *name, const uvr_program_head *head, uvrelay_error_t *error)
{
  char why[UVR_QUOTED_SIZE + 128];
  char number[32];
  char quoted[UVR_QUOTED_SIZE];
  unsigned type = elf_number(head, ELF_TYPE, 2);
  unsigned machine = elf_number(head, ELF_MACHINE, 2);
  const char *loader = loader_of(head);
  if (type != ELF_EXEC && type != ELF_DYN) {
    return refuse(name, UV_EFTYPE, error, "it is not a complete program, but an object file or similar");
  }
  if (!is_native(head)) {
    (void)snprintf(number, sizeof(number), "ELF machine %u", machine);
    (void)snprintf(
        why, sizeof(why),
        "it is for another kind of computer (%s): use the one for this computer, or put an emulator before it",
        machine_name(machine) != NULL ? machine_name(machine) : number);
    return refuse(name, UV_EFTYPE, error, why);
  }
  if (loader != NULL && access(loader, F_OK) != 0) {
    (void)snprintf(why, sizeof(why), "it needs %s, which does not exist: it was built for another Linux",
                   uvr_quote(quoted, loader));
    return refuse(name, UV_ENOENT, error, why);
  }
  return 0;
}

/* Scripts. */

static int check_script(const char *name, const uvr_program_head *head, uvrelay_error_t *error)
{
  char why[UVR_QUOTED_SIZE + 128];
  char quoted[UVR_QUOTED_SIZE];
  char *line = uvr_program_interpreter(head);
  int code = 0;
  if (line == NULL) {
    return 0;
  }
  size_t length = strcspn(line, " \t");
  bool returns = length > 0 && line[length - 1] == '\r';
  line[returns ? length - 1 : length] = '\0';
  if (*line == '\0') {
    code = refuse(name, UV_EFTYPE, error, "its first line has no interpreter after #!");
  } else if (access(line, F_OK) != 0) {
    (void)snprintf(why, sizeof(why), "its first line names the interpreter %s, which does not exist",
                   uvr_quote(quoted, line));
    code = refuse(name, UV_ENOENT, error, why);
  } else if (returns) {
    code = refuse(
        name, UV_ENOENT, error,
        "its lines end as on Windows, so the interpreter in its first line is not found: remove the carriage returns");
  }
  free(line);
  return code;
}

/* All of them. */

int uvr_program_check(const char *name, const char *file, uvrelay_error_t *error)
{
  uvr_wsl wsl;
  uvr_program_head head;
  uvr_program_read(file, &head);
  int code = 0;
  if (head.kind == UVR_PROGRAM_SCRIPT) {
    code = check_script(name, &head, error);
  } else if (head.kind == UVR_PROGRAM_EMPTY) {
    code = refuse(name, UV_EFTYPE, error, "it is empty");
  } else if (head.kind == UVR_PROGRAM_ELF) {
    code = check_elf(name, &head, error);
  } else if (head.kind == UVR_PROGRAM_BINARY) {
    code = refuse(name, UV_EFTYPE, error, "it is neither a program for Linux nor a script");
  } else if (head.kind == UVR_PROGRAM_WINDOWS) {
    uvr_wsl_init(&wsl);
    code = uvr_wsl_is(&wsl) ? 0 /* the handler may come and go: see wsl.h */
                            : refuse(name, UV_EFTYPE, error,
                                     "it is for Windows, and this system has no handler for such programs: use the one "
                                     "for Linux, or start it with Wine, \"wine PATH mux\"");
  }
  return code != 0 && uvr_binfmt_handles(BINFMT, file, &head) ? 0 : code;
}

const char *uvr_program_shell(const char *file)
{
  uvr_program_head head;
  uvr_program_read(file, &head);
  return head.kind == UVR_PROGRAM_TEXT && !uvr_binfmt_handles(BINFMT, file, &head) ? "/bin/sh" : NULL;
}

int uvr_program_check_words(const char *file, char *const words[], uvrelay_error_t *error)
{
  (void)file;
  (void)words;
  (void)error;
  return 0;
}

/* /bin/sh would read a program for Windows as a script. Where no handler can be seen at all, one may be there. */
const char *uvr_program_obstacle(const char *file)
{
  uvr_program_head head;
  uvr_program_read(file, &head);
  bool seen = access(BINFMT "/status", F_OK) == 0;
  return head.kind == UVR_PROGRAM_WINDOWS && seen && !uvr_binfmt_handles(BINFMT, file, &head) ? NOT_AT_PRESENT : NULL;
}

const char *uvr_program_doubt(const char *file, long long status)
{
  uvr_program_head head;
  if (status != 126 && status != 127 && status != 2) { /* those of a shell that cannot read or execute something */
    return NULL;
  }
  uvr_program_read(file, &head);
  if (head.kind == UVR_PROGRAM_TEXT) {
    return "it does not begin with #!, so /bin/sh has read it";
  }
  if (head.kind == UVR_PROGRAM_WINDOWS && !uvr_binfmt_handles(BINFMT, file, &head)) {
    return NOT_AT_PRESENT;
  }
  return NULL;
}

bool uvr_program_is_foreign_path(const char *line, uvrelay_error_t *error)
{
  char here[520];
  char path[512];
  char quoted[UVR_QUOTED_SIZE];
  char also[UVR_QUOTED_SIZE];
  line += strspn(line, " \t\r\n");
  const char quote = *line == '"' || *line == '\'' ? *line++ : ' ';
  char drive = *line;
  bool is_drive = (drive >= 'A' && drive <= 'Z') || (drive >= 'a' && drive <= 'z');
  if (!is_drive || line[1] != ':' || (line[2] != '\\' && line[2] != '/')) {
    return false;
  }
  size_t length = strcspn(line, quote == '"' ? "\"" : quote == '\'' ? "'" : " \t\r\n");
  (void)snprintf(path, sizeof(path), "%.*s", (int)(length < 400 ? length : 400), line);
  (void)snprintf(here, sizeof(here), "/mnt/%c%s", drive | 0x20, path + 2);
  for (char *c = here; *c != '\0'; c++) {
    *c = *c == '\\' ? '/' : *c;
  }
  (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                      "cannot find the program %s: this is a Windows path; in WSL it is %s", uvr_quote(quoted, path),
                      uvr_quote(also, here));
  return true;
}
