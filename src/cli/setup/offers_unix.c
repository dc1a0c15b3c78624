/* What Windows has: see offers_unix.h. */
#include "cli/setup/offers_unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/setup/block_unix.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/offer_unix.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/talk_unix.h"
#include "cli/setup/text_unix.h"
#include "cli/setup/windows_program_unix.h"

enum { NAME_SIZE = 128 };

/* Whether setup has written the route already. */
static bool is_written(const char *config, const uvr_preset *preset)
{
  uvr_block block;
  if (config == NULL || uvr_block_find(config, &block) != UVR_BLOCK_FOUND) {
    return false;
  }
  for (const char *line = config + block.inside; line < config + block.last; line += strcspn(line, "\n") + 1) {
    size_t length = strlen(preset->name);
    if (*line == '@' && strncmp(line + 1, preset->name, length) == 0 && line[length + 1] == '\n') {
      return true;
    }
  }
  return false;
}

static int tell(const uvr_preset *preset, const uvr_facts *facts, const uvr_offer *offer, bool written,
                uvrelay_error_t *error)
{
  char program[NAME_SIZE];
  bool fits = false;
  if (offer->place == NULL) {
    return uvr_talk(error, "  %-10s not found: %s%s\n", preset->name, preset->summary, written ? " (set up)" : "");
  }
  const char *owner = uvr_offer_owner(facts, offer, &fits);
  (void)uvr_offer_program(offer, program, sizeof(program));
  return uvr_talk(error, "  %-10s found: %.*s, %s%s%s%s%s\n", preset->name, (int)offer->place_length, offer->place,
                  owner, *program == '\0' ? "" : ", served by ", program, fits ? "" : ", so the preset refuses it",
                  written ? " (set up)" : "");
}

/* Whether a route that is chosen sets the same variable. */
static bool is_taken(const uvr_job *job, const uvr_preset *preset)
{
  for (size_t i = 0; preset->variable != NULL && i < job->preset_count; i++) {
    const char *variable = job->presets[i]->variable;
    if (variable != NULL && strcmp(variable, preset->variable) == 0) {
      return true;
    }
  }
  return false;
}

static int offer_one(uvr_job *job, const uvr_preset *preset, bool *yes, uvrelay_error_t *error)
{
  bool taken = is_taken(job, preset);
  char *question =
      uvr_setup_format("Set up %s%s%s?", preset->name, taken ? ", in addition to the route that already has " : "",
                       taken ? preset->variable : "");
  if (question == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  }
  *yes = job->options->yes && !taken;
  int code = job->options->yes ? 0 : uvr_talk_ask(question, !taken, yes, error);
  free(question);
  return code;
}

static void choose(uvr_job *job, const uvr_preset *preset)
{
  if (job->preset_count < UVR_SETUP_NAMES_MAX) {
    job->presets[job->preset_count++] = preset;
  }
}

static int tell_command(const uvr_job *job, const char *before, const char *names, uvrelay_error_t *error)
{
  char *command = uvr_job_command(job);
  int code = command == NULL ? uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory")
                             : uvr_talk(error, "%s %s setup%s\n", before, command, names);
  free(command);
  return code;
}

int uvr_offers_make(uvr_job *job, uvrelay_error_t *error)
{
  char *config = NULL;
  size_t count = 0;
  size_t there = 0;
  const uvr_preset *presets = uvr_presets(&count);
  const uvr_facts *facts = &job->windows.facts;
  char *names = strdup("");
  int code = uvr_windows_program_find(job, error);
  code = code == 0 ? uvr_setup_read(job->config, &config, error) : code;
  code = code == 0 ? uvr_talk(error, "On Windows:\n") : code;
  for (size_t i = 0; i < count && code == 0; i++) {
    const uvr_offer offer = uvr_offer_find(facts, &presets[i]);
    bool written = is_written(config, &presets[i]);
    code = tell(&presets[i], facts, &offer, written, error);
    if (written) {
      choose(job, &presets[i]);
    }
  }
  bool asks = (uvr_talk_is_possible() || job->options->yes) && !job->options->dry_run;
  for (size_t i = 0; i < count && code == 0; i++) {
    bool fits = false;
    bool yes = false;
    const uvr_offer offer = uvr_offer_find(facts, &presets[i]);
    if (offer.place == NULL || is_written(config, &presets[i])) {
      continue;
    }
    (void)uvr_offer_owner(facts, &offer, &fits);
    if (fits && asks) {
      code = offer_one(job, &presets[i], &yes, error);
    }
    if (fits && !yes && !is_taken(job, &presets[i])) {
      char *more = names == NULL ? NULL : uvr_setup_format("%s %s", names, presets[i].name);
      free(names);
      names = more;
      there++;
    }
    if (yes) {
      choose(job, &presets[i]);
    }
  }
  if (code == 0 && config != NULL && job->preset_count == 0) {
    code = uvr_step_config_has_routes(job, config, &job->own_routes, error);
  }
  if (code == 0 && !asks && there > 0 && names != NULL) {
    code = tell_command(job, "To set up what was found, type:", names, error);
  } else if (code == 0 && there == 0 && job->preset_count == 0 && !job->own_routes) {
    code = tell_command(job, "None of these was found now. You can still set up a route, for example:", " ssh-agent",
                        error);
  }
  free(names);
  free(config);
  return code;
}
