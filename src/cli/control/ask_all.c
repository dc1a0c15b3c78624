/* Asking every running serve: see ask_all.h. */
#include "cli/control/ask_all.h"

#include <stdlib.h>

#include <uv.h>

static int is_absence(const uvrelay_error_t *error)
{
  return error->code == UV_ENOENT || error->code == UV_ECONNREFUSED;
}

size_t uvr_control_ask_all(const char *request, int process, uint64_t timeout_ms,
                           void (*answer)(void *user, int process, const uvr_control_answer_text *text),
                           void (*failed)(void *user, int process, const uvrelay_error_t *error), void *user)
{
  uvr_control_place *places;
  size_t count = uvr_control_place_list(&places);
  size_t heard = 0;
  for (size_t i = 0; i < count; i++) {
    uvr_control_answer_text text;
    uvrelay_error_t error;
    if (process != 0 && places[i].process != process) {
      continue;
    }
    if (uvr_control_ask(places[i].address, request, timeout_ms, &text, &error) == 0) {
      answer(user, places[i].process, &text);
      uvr_control_answer_clear(&text);
      heard++;
    } else if (is_absence(&error)) {
      uvr_control_place_forget(&places[i]);
    } else {
      failed(user, places[i].process, &error);
      heard++;
    }
  }
  free(places);
  return heard;
}
