/* Finding out how to start a program from WSL (uvr_wsl_prepare) on a thread, as the drives of Windows may not answer.
 */
#ifndef UVR_CLI_CHILD_WSL_SEARCH_H
#define UVR_CLI_CHILD_WSL_SEARCH_H

#include <uv.h>

#include "base/long_call.h"
#include "cli/child/wsl.h"

typedef struct uvr_wsl_search {
  uvr_long_call call;
  const uvr_wsl *wsl;
  const char *file;
  uvr_wsl_start start; /* the result; belongs to the owner */
  int code;
  uvrelay_error_t warning; /* if the code is not 0; UV_EXDEV: the program is where it starts slowly */
  void (*on_done)(void *user);
  void *user;
} uvr_wsl_search;

/* Starts the search, which must be left in memory until on_done is called, once, later. It cannot be interrupted. */
void uvr_wsl_search_start(uvr_wsl_search *self, uv_loop_t *loop, const uvr_wsl *wsl, const char *file,
                          void (*on_done)(void *user), void *user);

#endif
