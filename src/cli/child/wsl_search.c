/* The search on a thread: see wsl_search.h. */
#include "cli/child/wsl_search.h"

#include "base/error.h"
#include "base/list.h"
#include "base/text.h"

static uvr_wsl_search *search_of(uvr_long_call *call)
{
  return UVR_LISTED(call, uvr_wsl_search, call);
}

static void run(uvr_long_call *call)
{
  uvr_wsl_search *self = search_of(call);
  char quoted[UVR_QUOTED_SIZE];
  self->code = uvr_wsl_prepare(self->wsl, self->file, &self->start, &self->warning);
  if (self->code == 0 && self->start.on_linux_disk) {
    self->code = uvr_error_set(
        &self->warning, UVRELAY_PHASE_NONE, UV_EXDEV,
        "%s is on the Linux disk, from which Windows starts it slowly: uvrelay setup copies it to a Windows drive",
        uvr_quote(quoted, self->file));
  }
}

static void on_run(uvr_long_call *call, bool did_run)
{
  uvr_wsl_search *self = search_of(call);
  if (!did_run) {
    self->code = uvr_error_set(&self->warning, UVRELAY_PHASE_NONE, UV_ENOMEM,
                               "no thread is available to look for Windows drives");
  }
  self->on_done(self->user);
}

void uvr_wsl_search_start(uvr_wsl_search *self, uv_loop_t *loop, const uvr_wsl *wsl, const char *file,
                          void (*on_done)(void *user), void *user)
{
  *self = (uvr_wsl_search){.call = {.run = run, .on_done = on_run}, .wsl = wsl, .file = file};
  self->on_done = on_done;
  self->user = user;
  uvr_long_call_start(loop, &self->call);
}
