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
     "--impersonation=LEVEL, a level being " UVR_IMPERSONATION_LEVELS},
    {"owner", FLAG_OWNER, UVR_FLAG_VALUE, "--owner=WHO, such as --owner=user,system"},
    {"allow-remote-files", FLAG_REMOTE_FILES, UVR_FLAG_SWITCH, NULL},
    {"timeout", FLAG_TIMEOUT, UVR_FLAG_VALUE, "--timeout=SECONDS"},
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

/* Where a switch is stored; --version, which is no option, is stored in *version. */
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
                  "bad value %s for --timeout: write a number of seconds over 0 and up to %d, or a time with "
                  "its unit, such as " UVR_TIME_EXAMPLES,
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
    return REFUSE(self->error, "%s must be the first argument: write uvrelay %s, and the flags behind it", first,
                  first);
  }
  for (int i = self->next + 1; i < self->argc; i++) {
    if (uvr_looks_like_flag(self->argv[i])) {
      return REFUSE(self->error, "%s comes after TARGET: flags go before TARGET", uvr_quote(quoted, self->argv[i]));
    }
  }
  if (count > 1) {
    return REFUSE(self->error,
                  "%d arguments where one TARGET is expected, the second being %s: put a TARGET with blanks in quotes",
                  count, uvr_quote(quoted, self->argv[self->next + 1]));
  }
  out->target = self->argv[self->next];
  return true;
}

uvr_options_action uvr_options_parse(int argc, char *const argv[], uvr_options *out, uvrelay_error_t *error)
{
  uvr_flags self = {.table = flags,
                    .count = FLAG_COUNT,
                    .all = "--help lists all",
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
         "  setup                 makes agents and Docker of Windows reachable in WSL\n"
         "  doctor                finds out why something does not work\n"
         "  serve                 listens, and relays many connections\n"
         "  status, reload, env   ask a running serve: what it does; to read its\n"
         "                        configuration again; for the environment's variables\n"
         "  presets               lists the routes that have a name, such as @ssh-agent\n"
         "  mux, facts            are run by these commands, on the other side\n"
         "\n"
         "TARGET is one of:\n"
         "  //./pipe/NAME         a named pipe of this computer, also as \\\\.\\pipe\\NAME,\n"
         "                        npipe:////./pipe/NAME or npipe:NAME; %USERNAME% in it\n"
         "                        is the user's name, and a * at its end the rest of\n"
         "                        the one pipe's name that begins so\n"
         "  //HOST/pipe/NAME      a named pipe of another computer, also as\n"
         "                        npipe:////HOST/pipe/NAME\n"
         "  unix:///PATH          a Unix socket; ~/ at its beginning is your home\n"
         "                        directory, with assuan: as well\n"
         "  tcp://HOST:PORT       a TCP port; HOST is a name, an IPv4 address or [IPv6]\n"
         "  assuan:///PATH        a libassuan (GnuPG) socket file; with -a, any path\n"
         "  assuan:%LOCALAPPDATA%/PATH  the same on Windows; also %APPDATA%, %USERPROFILE%\n"
         "  abstract:NAME         an abstract Unix socket (Linux)\n"
         "\n"
         "Flags, which stand before TARGET (-ei, --ei and -ei=true are the same):\n"
         "  -p                    retry while the pipe does not exist or is busy, the\n"
         "                        socket or socket file is missing, the port refuses\n"
         "  -s                    after the end of standard input, send the pipe a\n"
         "                        zero-byte message, which tells its server of that end\n"
         "  -ep                   end at the end of input from the pipe, even if standard\n"
         "                        input has more; in WSL, a reader of uvrelay.exe's\n"
         "                        output sees its end only when uvrelay.exe has ended\n"
         "  -ei                   end at the end of standard input, even if the pipe has\n"
         "                        more, or, with -p, is still waited for\n"
         "  -a                    TARGET is the path of a libassuan socket file\n"
         "  -bg                   hide the console window if no other program is in it\n"
         "                        and it is not a terminal's, such as Windows Terminal's\n"
         "  -v, --verbose         say on standard error what happens\n"
         "  --impersonation=LEVEL how far the pipe's server may act as you: anonymous\n"
         "                        (the default), identification, impersonation or\n"
         "                        delegation\n"
         "  --owner=WHO           relay only if the pipe, socket or socket file belongs to\n"
         "                        one of these, with commas between them: user (you),\n"
         "                        system, admins, S-1-... on Windows; user, root, a\n"
         "                        number or a name on Unix\n"
         "  --timeout=SECONDS     give up connecting after so long, such as 5, 0.5, 500ms,\n"
         "                        90s, 5m or 2h\n"
         "  --allow-remote-files  a socket file may be on another computer, which Windows\n"
         "                        sends your credentials then\n"
         "  --version, -V         show the version and exit\n"
         "  --help                show this help and exit\n"
         "\n"
         "Exit status: 0 after an orderly end, 1 after a failure, 2 for wrong usage.\n"
         "\n"
         "Examples:\n"
         "  uvrelay -ei -ep -s //./pipe/openssh-ssh-agent\n"
         "  socat UNIX-LISTEN:/tmp/docker.sock,fork \\\n"
         "    EXEC:'uvrelay.exe -ep -s //./pipe/docker_engine',nofork\n";
}
