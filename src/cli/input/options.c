/* The command line: see options.h. If a flag is given more than once, the last one counts. The first error ends the
 * parsing. */
#include "cli/input/options.h"

#include <stddef.h>
#include <string.h>

#include <uv.h>

#include "address/query.h"
#include "address/users.h"
#include "base/text.h"
#include "cli/input/flags.h"

typedef enum flag_id {
  FLAG_RETRY,
  FLAG_SEND_END,
  FLAG_TARGET_END,
  FLAG_INPUT_END,
  FLAG_ASSUAN,
  FLAG_HIDE,
  FLAG_VERBOSE,
  FLAG_TIMESTAMPS,
  FLAG_IMPERSONATION,
  FLAG_OWNER,
  FLAG_TIMEOUT,
  FLAG_REMOTE_FILES,
  FLAG_VERSION,
  FLAG_HELP
} flag_id;

static const uvr_flag flags[] = {
    {"p", FLAG_RETRY, UVR_FLAG_SWITCH, NULL},
    {"s", FLAG_SEND_END, UVR_FLAG_SWITCH, NULL},
    {"ep", FLAG_TARGET_END, UVR_FLAG_SWITCH, NULL},
    {"ei", FLAG_INPUT_END, UVR_FLAG_SWITCH, NULL},
    {"a", FLAG_ASSUAN, UVR_FLAG_SWITCH, NULL},
    {"bg", FLAG_HIDE, UVR_FLAG_SWITCH, NULL},
    {"v", FLAG_VERBOSE, UVR_FLAG_SWITCH, NULL},
    {"impersonation", FLAG_IMPERSONATION, UVR_FLAG_VALUE,
     "--impersonation=LEVEL, where LEVEL is " UVR_IMPERSONATION_LEVELS},
    {"owner", FLAG_OWNER, UVR_FLAG_VALUE, "--owner=WHO, such as --owner=user,system"},
    {"allow-remote-files", FLAG_REMOTE_FILES, UVR_FLAG_SWITCH, NULL},
    {"timeout", FLAG_TIMEOUT, UVR_FLAG_VALUE, "--timeout=SECONDS"},
    {"timestamps", FLAG_TIMESTAMPS, UVR_FLAG_SWITCH, NULL},
    {"version", FLAG_VERSION, UVR_FLAG_SWITCH, NULL},
    {"help", FLAG_HELP, UVR_FLAG_ALONE, NULL},
    {"h", FLAG_HELP, UVR_FLAG_ALONE, NULL},
    {"V", FLAG_VERSION, UVR_FLAG_SWITCH, NULL},
    {"verbose", FLAG_VERBOSE, UVR_FLAG_SWITCH, NULL},
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

#define REFUSE(error, ...) (uvr_error_set((error), UVRELAY_PHASE_NONE, UV_EINVAL, __VA_ARGS__), false)

static bool parse_timeout(const char *text, uint32_t *milliseconds)
{
  uint64_t value;
  bool good = uvr_time_parse(text, &value) && value > 0 && value <= (uint64_t)UVR_OPTIONS_TIMEOUT_MAX_SECONDS * 1000;
  *milliseconds = good ? (uint32_t)value : 0;
  return good;
}

/* Where a switch is stored; --version, which is not an option, is stored in *version. */
static bool *switch_of(uvr_options *out, int id, bool *version)
{
  switch (id) {
  case FLAG_RETRY:
    return &out->retry;
  case FLAG_SEND_END:
    return &out->send_end;
  case FLAG_TARGET_END:
    return &out->end_at_target_end;
  case FLAG_INPUT_END:
    return &out->end_at_input_end;
  case FLAG_ASSUAN:
    return &out->assuan;
  case FLAG_HIDE:
    return &out->hide_console;
  case FLAG_VERBOSE:
    return &out->verbose;
  case FLAG_TIMESTAMPS:
    return &out->timestamps;
  case FLAG_REMOTE_FILES:
    return &out->allow_remote_files;
  default:
    return version;
  }
}

/* Stores a flag. */
static bool set_option(uvr_options *out, const uvr_parsed_flag *flag, bool *version, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  if (flag->id == FLAG_TIMEOUT) {
    return parse_timeout(flag->value, &out->timeout_ms) ||
           REFUSE(error,
                  "bad value %s for --timeout: write a number of seconds above 0 and up to %d, or a time with its "
                  "unit, such as " UVR_TIME_EXAMPLES,
                  uvr_quote(quoted, flag->value), UVR_OPTIONS_TIMEOUT_MAX_SECONDS);
  }
  if (flag->id == FLAG_IMPERSONATION) {
    return uvr_impersonation_parse(flag->value, &out->impersonation) ||
           REFUSE(error, "bad value %s for --impersonation: write " UVR_IMPERSONATION_LEVELS,
                  uvr_quote(quoted, flag->value));
  }
  if (flag->id == FLAG_OWNER) {
    return uvr_users_parse(flag->value, out->owner) ||
           REFUSE(error, "bad value %s for --owner: write " UVR_USERS_FORM, uvr_quote(quoted, flag->value));
  }
  *switch_of(out, flag->id, version) = flag->on;
  return true;
}

/* The remaining argument is TARGET. */
static bool parse_target(const uvr_flags *self, uvr_options *out)
{
  char quoted[UVR_QUOTED_SIZE];
  int count = self->argc - self->next;
  if (count <= 0) {
    return REFUSE(self->error, "TARGET is missing: write what to relay to, such as //./pipe/NAME");
  }
  /* No TARGET is one of these words, but a file of -a may be. */
  const char *first = self->argv[self->next];
  if (!out->assuan && (strcmp(first, "serve") == 0 || strcmp(first, "mux") == 0)) {
    return REFUSE(self->error, "%s must be the first argument: write uvrelay %s, followed by its flags", first, first);
  }
  for (int i = self->next + 1; i < self->argc; i++) {
    if (uvr_looks_like_flag(self->argv[i])) {
      return REFUSE(self->error, "%s comes after TARGET: put flags before TARGET", uvr_quote(quoted, self->argv[i]));
    }
  }
  if (count > 1) {
    return REFUSE(
        self->error,
        "expected one TARGET, not %d arguments, of which the second is %s: put a TARGET with spaces in quotes", count,
        uvr_quote(quoted, self->argv[self->next + 1]));
  }
  out->target = self->argv[self->next];
  return true;
}

uvr_options_action uvr_options_parse(int argc, char *const argv[], uvr_options *out, uvrelay_error_t *error)
{
  uvr_flags self = {.table = flags,
                    .count = FLAG_COUNT,
                    .all = "--help lists all flags",
                    .argc = argc,
                    .argv = argv,
                    .next = 1,
                    .error = error};
  uvr_parsed_flag flag;
  uvr_flags_step step;
  bool version = false;
  memset(out, 0, sizeof(*out));
  while ((step = uvr_flags_next(&self, &flag)) == UVR_FLAGS_FOUND) {
    if (flag.id == FLAG_HELP) {
      return UVR_OPTIONS_SHOW_HELP;
    }
    if (!set_option(out, &flag, &version, error)) {
      return UVR_OPTIONS_WRONG_USAGE;
    }
  }
  if (step == UVR_FLAGS_WRONG) {
    return UVR_OPTIONS_WRONG_USAGE;
  }
  if (version) {
    return UVR_OPTIONS_SHOW_VERSION;
  }
  return parse_target(&self, out) ? UVR_OPTIONS_RUN : UVR_OPTIONS_WRONG_USAGE;
}

const char *uvr_options_usage(void)
{
  return "Usage: uvrelay [flags] TARGET\n"
         "       uvrelay serve [flags] LISTEN=TARGET...\n"
         "       uvrelay COMMAND --help\n"
         "\n"
         "Relays standard input and output to TARGET, or runs a command:\n"
         "  setup                 make Windows agents and Docker reachable from WSL\n"
         "  doctor                find out why something does not work\n"
         "  serve                 listen, and relay many connections\n"
         "  status, reload, env   ask a running serve for its state, to read its\n"
         "                        configuration again, or for environment variables\n"
         "  presets               list the routes that have a name, such as @ssh-agent\n"
         "  mux, facts            started by the other commands, on the far side\n"
         "\n"
         "TARGET is one of:\n"
         "  //./pipe/NAME         a named pipe on this computer; also \\\\.\\pipe\\NAME,\n"
         "                        npipe:////./pipe/NAME or npipe:NAME; %USERNAME% stands\n"
         "                        for the user's name, and a final * for the rest of the\n"
         "                        name of the only pipe that begins that way\n"
         "  //HOST/pipe/NAME      a named pipe on another computer; also\n"
         "                        npipe:////HOST/pipe/NAME\n"
         "  unix:///PATH          a Unix socket; a leading ~/ is your home directory\n"
         "                        (also after assuan:)\n"
         "  tcp://HOST:PORT       a TCP port; HOST is a name, an IPv4 address or [IPv6]\n"
         "  assuan:///PATH        a libassuan (GnuPG) socket file; with -a, any path\n"
         "  assuan:%LOCALAPPDATA%/PATH  the same on Windows; also %APPDATA%, %USERPROFILE%\n"
         "  abstract:NAME         an abstract Unix socket (Linux)\n"
         "\n"
         "Put flags before TARGET (-ei, --ei and -ei=true are the same):\n"
         "  -p                    retry while the pipe, socket or socket file does not\n"
         "                        exist, the pipe is busy, or the port refuses\n"
         "  -s                    at the end of standard input, send the pipe a zero-byte\n"
         "                        message, which tells its server that the input has ended\n"
         "  -ep                   exit when the pipe ends, though standard input has more;\n"
         "                        in WSL, programs that read from uvrelay.exe see the end\n"
         "                        only when uvrelay.exe exits\n"
         "  -ei                   exit at the end of standard input, even if the pipe has\n"
         "                        more, or -p is still waiting for it\n"
         "  -a                    TARGET is the path of a libassuan socket file\n"
         "  -bg                   hide the console window, unless other programs share it\n"
         "                        or it belongs to a terminal, such as Windows Terminal\n"
         "  -v, --verbose         log events to standard error\n"
         "  --timestamps          begin each line on standard error with its time (UTC)\n"
         "  --impersonation=LEVEL how far the pipe's server may act as you: anonymous\n"
         "                        (the default), identification, impersonation or\n"
         "                        delegation\n"
         "  --owner=WHO           relay only if the pipe, socket or socket file belongs to\n"
         "                        one of these users, separated by commas: user (you),\n"
         "                        system, admins or S-1-... on Windows; user, root, a\n"
         "                        number or a name on Unix\n"
         "  --timeout=SECONDS     stop trying to connect after this time, such as 5, 0.5,\n"
         "                        500ms, 90s, 5m or 2h\n"
         "  --allow-remote-files  allow a socket file on another computer, although\n"
         "                        Windows sends your credentials there\n"
         "  --version, -V         print the version and exit\n"
         "  --help                print this help and exit\n"
         "\n"
         "Exit status: 0 after an orderly end, 1 after a failure, 2 for wrong usage.\n"
         "\n"
         "Examples:\n"
         "  uvrelay -ei -ep -s //./pipe/openssh-ssh-agent\n"
         "  socat UNIX-LISTEN:/tmp/docker.sock,fork \\\n"
         "    EXEC:'uvrelay.exe -ep -s //./pipe/docker_engine',nofork\n";
}
