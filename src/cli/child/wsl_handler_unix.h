/* WSL's handler for Windows programs in the kernel's table binfmt_misc, without which none can be started. */
#ifndef UVR_CLI_CHILD_WSL_HANDLER_UNIX_H
#define UVR_CLI_CHILD_WSL_HANDLER_UNIX_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/child/binfmt_unix.h"

typedef enum uvr_wsl_handler_state {
  UVR_WSL_HANDLER_READY,
  UVR_WSL_HANDLER_HIDDEN,    /* the table is not mounted, so it may be there or not */
  UVR_WSL_HANDLER_TABLE_OFF, /* all handlers are disabled */
  UVR_WSL_HANDLER_OFF,       /* it is disabled */
  UVR_WSL_HANDLER_MISSING,
  UVR_WSL_HANDLER_FOREIGN /* it is there, but starts something else than WSL's /init */
} uvr_wsl_handler_state;

typedef struct uvr_wsl_handler {
  uvr_wsl_handler_state state;
  uvr_binfmt_entry entry; /* WSL's, if it is there */
  bool has_rival;         /* another one takes Windows programs, too */
  uvr_binfmt_entry rival;
} uvr_wsl_handler;

/* Looks at the table below `proc`, the directory of processes. */
void uvr_wsl_handler_look(const char *proc, uvr_wsl_handler *out);

/* Whether it is certain that the kernel does not start a Windows program. */
bool uvr_wsl_handler_is_lost(const uvr_wsl_handler *handler);

/* What is wrong, as a sentence; "" if nothing is. Returns `text`. */
const char *uvr_wsl_handler_text(const uvr_wsl_handler *handler, char *text, size_t size);

/* A command line for a shell that repairs it; "" if nothing is wrong. Returns `text`. */
const char *uvr_wsl_handler_remedy(const uvr_wsl_handler *handler, char *text, size_t size);

#endif
