/* WSL's handler for Windows programs: see wsl_handler_unix.h.
 *
 * WSL registers it as WSLInterop, or, from within systemd's start, as WSLInterop-late: programs that begin with MZ are
 * given to /init. systemd's service systemd-binfmt removes all handlers before it registers its own; a user who enables
 * it, for example by installing a package with handlers, loses that of WSL. Other packages register handlers of their
 * own for the same programs, of which the last one wins. */
#include "cli/child/wsl_handler_unix.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define TABLE "/proc/sys/fs/binfmt_misc"

static const char NAME[] = "WSLInterop";
static const char LATE_NAME[] = "WSLInterop-late";
static const char INTERPRETER[] = "/init";

/* What the beginning of any Windows program has in common. */
static const uvr_program_head windows_head = {.kind = UVR_PROGRAM_WINDOWS, .length = 2, .bytes = "MZ"};

static uvr_wsl_handler_state judge(bool there, uvr_binfmt_state table, const uvr_binfmt_entry *entry)
{
  return table == UVR_BINFMT_HIDDEN                     ? UVR_WSL_HANDLER_HIDDEN
         : !there                                       ? UVR_WSL_HANDLER_MISSING
         : table == UVR_BINFMT_OFF                      ? UVR_WSL_HANDLER_TABLE_OFF
         : !entry->enabled                              ? UVR_WSL_HANDLER_OFF
         : strcmp(entry->interpreter, INTERPRETER) == 0 ? UVR_WSL_HANDLER_READY
                                                        : UVR_WSL_HANDLER_FOREIGN;
}

void uvr_wsl_handler_look(const char *proc, uvr_wsl_handler *out)
{
  char directory[PATH_MAX];
  *out = (uvr_wsl_handler){.state = UVR_WSL_HANDLER_HIDDEN};
  int length = snprintf(directory, sizeof(directory), "%s/sys/fs/binfmt_misc", proc);
  if (length < 0 || (size_t)length >= sizeof(directory)) {
    return;
  }
  const char *own = NAME;
  bool there = uvr_binfmt_read(directory, own, &out->entry);
  if (!there) {
    own = LATE_NAME;
    there = uvr_binfmt_read(directory, own, &out->entry);
  }
  out->state = judge(there, uvr_binfmt_look(directory), &out->entry);
  out->has_rival = uvr_binfmt_find(directory, "x.exe", &windows_head, there ? own : NULL, &out->rival) &&
                   strcmp(out->rival.interpreter, INTERPRETER) != 0;
}

bool uvr_wsl_handler_is_lost(const uvr_wsl_handler *handler)
{
  return handler->state == UVR_WSL_HANDLER_TABLE_OFF ||
         ((handler->state == UVR_WSL_HANDLER_OFF || handler->state == UVR_WSL_HANDLER_MISSING) && !handler->has_rival);
}

const char *uvr_wsl_handler_text(const uvr_wsl_handler *handler, char *text, size_t size)
{
  *text = '\0';
  switch (handler->state) {
  case UVR_WSL_HANDLER_READY:
    break;
  case UVR_WSL_HANDLER_HIDDEN:
    (void)snprintf(text, size, "the kernel's table of handlers, " TABLE ", is not mounted");
    break;
  case UVR_WSL_HANDLER_TABLE_OFF:
    (void)snprintf(text, size,
                   "the kernel does not start Windows programs, because all handlers in " TABLE " are disabled");
    break;
  case UVR_WSL_HANDLER_OFF:
    (void)snprintf(text, size, "the kernel does not start Windows programs, because " TABLE "/%s is disabled",
                   handler->entry.name);
    break;
  case UVR_WSL_HANDLER_MISSING:
    (void)snprintf(text, size, "the kernel does not start Windows programs, because there is no " TABLE "/%s%s", NAME,
                   handler->has_rival ? "" : " (systemd-binfmt removes it)");
    break;
  case UVR_WSL_HANDLER_FOREIGN:
    (void)snprintf(text, size, TABLE "/%s starts %s instead of %s", handler->entry.name, handler->entry.interpreter,
                   INTERPRETER);
    break;
  }
  if (handler->has_rival) {
    size_t length = strlen(text);
    (void)snprintf(text + length, size - length, "%s" TABLE "/%s gives them to %s", length > 0 ? ", and " : "",
                   handler->rival.name, handler->rival.interpreter);
  }
  return text;
}

const char *uvr_wsl_handler_remedy(const uvr_wsl_handler *handler, char *text, size_t size)
{
  static const char add[] = "echo :WSLInterop:M::MZ::/init:PF > " TABLE "/register";
  *text = '\0';
  switch (handler->state) {
  case UVR_WSL_HANDLER_READY:
    if (handler->has_rival) {
      (void)snprintf(text, size, "sudo sh -c 'echo 0 > " TABLE "/%s'", handler->rival.name);
    }
    break;
  case UVR_WSL_HANDLER_HIDDEN:
    (void)snprintf(text, size, "sudo mount -t binfmt_misc binfmt_misc " TABLE);
    break;
  case UVR_WSL_HANDLER_TABLE_OFF:
    (void)snprintf(text, size, "sudo sh -c 'echo 1 > " TABLE "/status'");
    break;
  case UVR_WSL_HANDLER_OFF:
    (void)snprintf(text, size, "sudo sh -c 'echo 1 > " TABLE "/%s'", handler->entry.name);
    break;
  case UVR_WSL_HANDLER_MISSING:
    (void)snprintf(text, size, "sudo sh -c '%s'", add);
    break;
  case UVR_WSL_HANDLER_FOREIGN:
    (void)snprintf(text, size, "sudo sh -c 'echo -1 > " TABLE "/%s; %s'", handler->entry.name, add);
    break;
  }
  return text;
}
