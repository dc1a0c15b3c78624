/* The command line of setup: see setup_options_unix.h. */
#include "cli/setup/setup_options_unix.h"

#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/input/flags.h"

typedef enum setup_flag_id {
  SETUP_YES,
  SETUP_DRY_RUN,
  SETUP_REMOVE,
  SETUP_WINDOWS_PROGRAM,
  SETUP_LOGON,
  SETUP_HELP,
  SETUP_VERSION
} setup_flag_id;

static const uvr_flag setup_flags[] = {
    {"yes", SETUP_YES, UVR_FLAG_SWITCH, NULL},
    {"y", SETUP_YES, UVR_FLAG_SWITCH, NULL},
    {"dry-run", SETUP_DRY_RUN, UVR_FLAG_SWITCH, NULL},
    {"n", SETUP_DRY_RUN, UVR_FLAG_SWITCH, NULL},
    {"remove", SETUP_REMOVE, UVR_FLAG_SWITCH, NULL},
    {"windows-program", SETUP_WINDOWS_PROGRAM, UVR_FLAG_VALUE, "--windows-program=FILE, the path of uvrelay.exe"},
    {"logon", SETUP_LOGON, UVR_FLAG_SWITCH, NULL},
    {"help", SETUP_HELP, UVR_FLAG_ALONE, NULL},
    {"h", SETUP_HELP, UVR_FLAG_ALONE, NULL},
    {"version", SETUP_VERSION, UVR_FLAG_ALONE, NULL},
    {"V", SETUP_VERSION, UVR_FLAG_ALONE, NULL},
};

#define REFUSE_SETUP(error, ...)                                                                                       \
  (uvr_error_set((error), UVRELAY_PHASE_NONE, UV_EINVAL, __VA_ARGS__), UVR_SETUP_WRONG_USAGE)

static uvr_setup_action add_name(uvr_setup_options *out, const char *name, uvrelay_error_t *error)
{
  const char *bare = name + (*name == '@' ? 1 : 0);
  const uvr_preset *preset = uvr_presets_find(bare, strlen(bare));
  if (preset == NULL) {
    (void)uvr_presets_refuse(bare, strlen(bare), error);
    return UVR_SETUP_WRONG_USAGE;
  }
  for (size_t i = 0; i < out->preset_count; i++) {
    if (out->presets[i] == preset) {
      return UVR_SETUP_RUN;
    }
  }
  if (out->preset_count == UVR_SETUP_NAMES_MAX) {
    return REFUSE_SETUP(error, "more than %d names are given", UVR_SETUP_NAMES_MAX);
  }
  out->presets[out->preset_count++] = preset;
  return UVR_SETUP_RUN;
}

static uvr_setup_action set_option(uvr_setup_options *out, const uvr_parsed_flag *flag, uvrelay_error_t *error)
{
  switch (flag->id) {
  case SETUP_YES:
    out->yes = flag->on;
    return UVR_SETUP_RUN;
  case SETUP_DRY_RUN:
    out->dry_run = flag->on;
    return UVR_SETUP_RUN;
  case SETUP_REMOVE:
    out->remove = flag->on;
    return UVR_SETUP_RUN;
  case SETUP_WINDOWS_PROGRAM:
    out->windows_program = flag->value;
    return *flag->value != '\0' ? UVR_SETUP_RUN
                                : REFUSE_SETUP(error, "--windows-program has no file: write the path of uvrelay.exe");
  case SETUP_LOGON:
    return REFUSE_SETUP(error, "--logon is for Windows: type `uvrelay.exe setup --logon` there");
  case SETUP_HELP:
    return UVR_SETUP_SHOW_HELP;
  default:
    return UVR_SETUP_SHOW_VERSION;
  }
}

uvr_setup_action uvr_setup_options_parse(int argc, char *argv[], uvr_setup_options *out, uvrelay_error_t *error)
{
  uvr_flags self = {.table = setup_flags,
                    .count = sizeof(setup_flags) / sizeof(setup_flags[0]),
                    .all = "the flags of setup are --yes, --dry-run, --remove, --windows-program, --version and --help",
                    .argc = argc,
                    .argv = argv,
                    .next = 1,
                    .error = error};
  uvr_setup_action action = UVR_SETUP_RUN;
  *out = (uvr_setup_options){.yes = false};
  if (argc == 2 && strcmp(argv[1], "help") == 0) {
    return UVR_SETUP_SHOW_HELP;
  }
  while (action == UVR_SETUP_RUN) {
    uvr_parsed_flag flag;
    uvr_flags_step step = self.ended ? UVR_FLAGS_LAST : uvr_flags_next(&self, &flag);
    if (step == UVR_FLAGS_FOUND) {
      action = set_option(out, &flag, error);
    } else if (step == UVR_FLAGS_WRONG) {
      action = UVR_SETUP_WRONG_USAGE;
    } else if (self.next < argc) {
      action = add_name(out, argv[self.next++], error);
    } else {
      break;
    }
  }
  if (action == UVR_SETUP_RUN && out->remove && out->windows_program != NULL) {
    return REFUSE_SETUP(error, "--windows-program cannot be used with --remove, which copies nothing");
  }
  return action;
}

const char *uvr_setup_usage(void)
{
  return "Usage: uvrelay setup [flags] [NAME...]\n"
         "\n"
         "In WSL, makes Windows programs reachable from Linux, now and after each login.\n"
         "It puts uvrelay.exe where Windows starts it fast, writes the routes to\n"
         "~/.config/uvrelay/routes.conf, serves them (through systemd, or from ~/.profile),\n"
         "shows what to add to your shell's startup file, and checks the result. A second\n"
         "run changes nothing.\n"
         "\n"
         "NAME is a preset, such as ssh-agent or docker; `uvrelay presets` lists them.\n"
         "Without a name, setup shows what it finds on Windows and offers to set it up.\n"
         "\n"
         "Flags:\n"
         "  -y, --yes             answer yes to each question\n"
         "  -n, --dry-run         change nothing; show what would be done\n"
         "  --remove              undo what setup has done, for NAME... or altogether\n"
         "  --windows-program=FILE  use this uvrelay.exe\n"
         "  --version, -V         print the version and exit\n"
         "  --help                print this help and exit\n"
         "\n"
         "Exit status: 0 if all is set up and works, 1 if not, 2 for wrong usage.\n"
         "\n"
         "Example:\n"
         "  uvrelay setup ssh-agent && eval \"$(uvrelay env)\" && ssh-add -l\n";
}
