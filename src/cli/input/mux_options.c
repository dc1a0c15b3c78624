/* The command line of mux: see mux_options.h. If a flag other than --allow is given more than once, the last one
 * counts. The first error ends the parsing. */
#include "cli/input/mux_options.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/allow.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/input/flags.h"
#include "cli/input/window.h"

typedef enum mux_flag_id {
  MUX_ALLOW,
  MUX_REMOTE_FILES,
  MUX_WINDOW_TOTAL,
  MUX_TIMESTAMPS,
  MUX_VERBOSE,
  MUX_VERSION,
  MUX_HELP
} mux_flag_id;

static const uvr_flag mux_flags[] = {
    {"allow", MUX_ALLOW, UVR_FLAG_VALUE, "--allow=PATTERN, such as --allow='//./pipe/docker*'"},
    {"allow-remote-files", MUX_REMOTE_FILES, UVR_FLAG_SWITCH, NULL},
    {"window-total", MUX_WINDOW_TOTAL, UVR_FLAG_VALUE, UVR_WINDOW_FORM},
    {"timestamps", MUX_TIMESTAMPS, UVR_FLAG_SWITCH, NULL},
    {"v", MUX_VERBOSE, UVR_FLAG_SWITCH, NULL},
    {"help", MUX_HELP, UVR_FLAG_ALONE, NULL},
    {"h", MUX_HELP, UVR_FLAG_ALONE, NULL},
    {"V", MUX_VERSION, UVR_FLAG_ALONE, NULL},
    {"version", MUX_VERSION, UVR_FLAG_ALONE, NULL},
    {"verbose", MUX_VERBOSE, UVR_FLAG_SWITCH, NULL},
};

#define MUX_FLAG_COUNT (sizeof(mux_flags) / sizeof(mux_flags[0]))

#define REFUSE_MUX(error, ...) (uvr_error_set((error), UVRELAY_PHASE_NONE, UV_EINVAL, __VA_ARGS__), false)

/* A pattern that cannot match any address is refused here, as it would silently allow nothing. */
static bool add_pattern(uvr_mux_options *out, const char *pattern, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *fault = uvr_allow_fault(pattern);
  if (*pattern != '\0' && fault != NULL) {
    return REFUSE_MUX(error, "bad value %s for --allow: %s", uvr_quote(quoted, pattern), fault);
  }
  if (*pattern == '\0') {
    return REFUSE_MUX(error, "--allow has no pattern: write --allow=PATTERN, such as --allow='//./pipe/docker*'");
  }
  if (out->allow_count == UVR_MUX_ALLOW_MAX) {
    return REFUSE_MUX(error, "--allow is given more than %d times", UVR_MUX_ALLOW_MAX);
  }
  out->allow[out->allow_count++] = pattern;
  return true;
}

static bool set_option(uvr_mux_options *out, const uvr_parsed_flag *flag, uvrelay_error_t *error)
{
  switch (flag->id) {
  case MUX_ALLOW:
    return add_pattern(out, flag->value, error);
  case MUX_WINDOW_TOTAL:
    return uvr_window_parse(flag->value, &out->window_total, error);
  case MUX_REMOTE_FILES:
    out->allow_remote_files = flag->on;
    return true;
  case MUX_TIMESTAMPS:
    out->timestamps = flag->on;
    return true;
  default:
    out->verbose = flag->on;
    return true;
  }
}

uvr_mux_action uvr_mux_options_parse(int argc, char *const argv[], uvr_mux_options *out, uvrelay_error_t *error)
{
  uvr_flags self = {
      .table = mux_flags,
      .count = MUX_FLAG_COUNT,
      .all = "the flags of mux are --allow, --allow-remote-files, --window-total, --timestamps, -v, --version and "
             "--help",
      .argc = argc,
      .argv = argv,
      .next = 1,
      .error = error};
  uvr_parsed_flag flag;
  uvr_flags_step step;
  char quoted[UVR_QUOTED_SIZE];
  memset(out, 0, sizeof(*out));
  while ((step = uvr_flags_next(&self, &flag)) == UVR_FLAGS_FOUND) {
    if (flag.id == MUX_HELP) {
      return UVR_MUX_SHOW_HELP;
    }
    if (flag.id == MUX_VERSION) {
      return UVR_MUX_SHOW_VERSION;
    }
    if (!set_option(out, &flag, error)) {
      return UVR_MUX_WRONG_USAGE;
    }
  }
  if (argc == 2 && strcmp(argv[1], "help") == 0) {
    return UVR_MUX_SHOW_HELP;
  }
  if (step == UVR_FLAGS_LAST && self.next < argc) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "%s: mux takes no target, only flags: the near end chooses the targets",
                        uvr_quote(quoted, argv[self.next]));
    return UVR_MUX_WRONG_USAGE;
  }
  return step == UVR_FLAGS_LAST ? UVR_MUX_RUN : UVR_MUX_WRONG_USAGE;
}

const char *uvr_mux_usage(void)
{
  return "Usage: uvrelay mux [flags]\n"
         "\n"
         "The far end of uvrelay serve --via: carries many connections over its standard\n"
         "input and output, connects to what the near end asks for, and exits at the end\n"
         "of standard input. It is started by uvrelay serve, not by hand.\n"
         "\n"
         "Flags:\n"
         "  --allow=PATTERN       connect only to addresses that match this shell pattern,\n"
         "                        such as '//./pipe/docker*'; may be repeated. With\n"
         "                        ?impersonation=LEVEL at its end, the servers of matching\n"
         "                        pipes may act as you up to that level\n"
         "  --allow-remote-files  allow socket files on other computers, although Windows\n"
         "                        sends your credentials there\n"
         "  --window-total=SIZE   buffer at most this much undelivered data, for all\n"
         "                        connections together (64M)\n"
         "  --timestamps          begin each line on standard error with its time (UTC)\n"
         "  -v, --verbose         log events to standard error\n"
         "  --version, -V         print the version and exit\n"
         "  --help                print this help and exit\n"
         "\n"
         "Exit status: 0 after the end of standard input, 1 after a failure, 2 for wrong\n"
         "usage.\n"
         "\n"
         "Example:\n"
         "  uvrelay serve --via \"ssh host uvrelay mux --allow 'unix:///run/*'\" \\\n"
         "    unix:///tmp/docker.sock=via:unix:///run/docker.sock\n";
}
