/* The table of commands: see commands.h. */
#include "cli/commands.h"

#include <string.h>

#include "base/near_word.h"
#include "cli/cli.h"
#include "cli/control/commands.h"
#include "cli/doctor/doctor.h"
#include "cli/facts/facts.h"
#include "cli/serve/presets_command.h"
#include "cli/serve/serve.h"
#include "cli/setup/setup.h"

static const uvr_command_entry entries[] = {
    {"serve", uvr_cli_serve},   {"mux", uvr_cli_mux},         {"setup", uvr_cli_setup},
    {"doctor", uvr_cli_doctor}, {"status", uvr_cli_status},   {"reload", uvr_cli_reload},
    {"env", uvr_cli_env},       {"presets", uvr_cli_presets}, {"facts", uvr_cli_facts},
};

const uvr_command_entry *uvr_commands_find(const char *name)
{
  for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
    if (strcmp(entries[i].name, name) == 0) {
      return &entries[i];
    }
  }
  return NULL;
}

const char *uvr_commands_near(const char *word, size_t length)
{
  const char *found = NULL;
  unsigned least = UVR_NEAR_NOT;
  for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
    unsigned changes = uvr_near_word(word, length, entries[i].name);
    if (changes < least) {
      least = changes;
      found = entries[i].name;
    }
  }
  return found;
}
