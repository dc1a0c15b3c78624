/* The far end: see far.h. */
#include "cli/doctor/far.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"

enum { READY_MS = 9000, TARGETS_MS = 4000 };

/* uvrelay.exe mux, if WSL has found one and no route was given that names another far end. */
static bool find_command(uvr_doctor *doctor)
{
  static const char *const words[] = {"uvrelay.exe", "mux", NULL};
  if (doctor->command.file == NULL && doctor->windows_file != NULL &&
      (doctor->far_count > 0 || doctor->config.count == 0)) {
    (void)uvr_command_make(&doctor->command, doctor->windows_file, words, NULL);
  }
  if (doctor->command_line == NULL || *doctor->command_line == '\0') {
    doctor->command_line = "uvrelay.exe mux";
  }
  return doctor->command.file != NULL;
}

static void judge(const uvr_probe *probe, uvr_check *check)
{
  if (!probe->up) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s", probe->error.text);
    if (probe->error.code == UV_ETIMEDOUT) {
      uvr_check_add_remedy(check, "# if it is uvrelay.exe, then:\n" UVR_DOCTOR_RESTART);
    } else {
      uvr_check_add_remedy(check,
                           "# run it by hand to see what it prints; the right answer is the line uvrelay-mux/1:");
      uvr_check_add_remedy(check, "%s </dev/null", probe->name);
    }
  } else if (!probe->answered) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s sends its protocol version, but does not answer", probe->name);
    uvr_check_add_remedy(check, "# run it by hand to see what it prints:");
    uvr_check_add_remedy(check, "%s -v </dev/null", probe->name);
  } else {
    uvr_check_set(check, UVR_CHECK_OK, "%s is ready after %.0f ms, and answers in %.1f ms", probe->name,
                  (double)probe->ready_us / 1000, (double)probe->answer_us / 1000);
  }
}

void uvr_doctor_check_far_end(uvr_doctor *doctor, uvr_check *check)
{
  uvr_probe probe = {.ready_ms = READY_MS, .targets_ms = TARGETS_MS};
  if (!find_command(doctor)) {
    return;
  }
  probe.command = &doctor->command;
  probe.name = doctor->command_line;
  probe.remote_files = doctor->options.allow_remote_files;
  probe.targets = calloc(doctor->config.count + 1, sizeof(uvr_probe_target *));
  for (size_t i = 0; probe.targets != NULL && i < doctor->config.count; i++) {
    if (doctor->routes[i].config->needs_far_end) {
      probe.targets[probe.count++] = &doctor->routes[i].target;
    }
  }
  uvr_probe_run(&probe);
  judge(&probe, check);
  free(probe.targets);
}
