/* The command line: see options.h. Flags are taken one by one as Go's flag package does, down to its corner cases
 * ("-" is no flag, a flag's value may begin with a hyphen, the last of several wins); the first that is wrong ends
 * the parsing, and its refusal says what was probably meant. */
#include "options.h"

#include <stddef.h>
#include <string.h>

#include <uv.h>

#include "text.h"

#define IMPERSONATION_LEVELS "anonymous, identification, impersonation or delegation"

typedef enum flag_id {
  FLAG_NONE,
  FLAG_RETRY,
  FLAG_SEND_END,
  FLAG_TARGET_END,
  FLAG_INPUT_END,
  FLAG_ASSUAN,
  FLAG_HIDE,
  FLAG_VERBOSE,
  FLAG_IMPERSONATION,
  FLAG_TIMEOUT,
  FLAG_VERSION,
  FLAG_HELP
} flag_id;

typedef struct flag {
  const char *name;
  flag_id id;
} flag;

static const flag flags[] = {
    {"p", FLAG_RETRY},         {"s", FLAG_SEND_END},
    {"ep", FLAG_TARGET_END},   {"ei", FLAG_INPUT_END},
    {"a", FLAG_ASSUAN},        {"bg", FLAG_HIDE},
    {"v", FLAG_VERBOSE},       {"impersonation", FLAG_IMPERSONATION},
    {"timeout", FLAG_TIMEOUT}, {"version", FLAG_VERSION},
    {"help", FLAG_HELP},       {"h", FLAG_HELP},
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

/* The state of parsing. */
typedef struct parser {
  int argc;
  char *const *argv;
  int next; /* the argument to look at next */
  bool version;
  uvr_options *out;
  uvrelay_error_t *error;
} parser;

/* How one argument was taken. */
typedef enum taken { TAKEN_FLAG, TAKEN_LAST, TAKEN_HELP, TAKEN_WRONG } taken;

#define REFUSE(parser, ...) (uvr_error_set((parser)->error, UVRELAY_PHASE_NONE, UV_EINVAL, __VA_ARGS__), TAKEN_WRONG)

/* A flag's name as it was given, which ends at "=" or at the text's end. */
typedef struct word {
  const char *text;
  size_t length;
} word;

static flag_id find_flag(word name)
{
  for (size_t i = 0; i < FLAG_COUNT; i++) {
    if (strlen(flags[i].name) == name.length && memcmp(flags[i].name, name.text, name.length) == 0) {
      return flags[i].id;
    }
  }
  return FLAG_NONE;
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many letters must be changed, put in or left out to make `name` into `other`, in letters of either case; or
 * a large number if `name` is much longer than any flag. */
static size_t distance(word name, const char *other)
{
  enum { MAX = 20 };
  size_t row[MAX + 1];
  if (name.length > MAX) {
    return MAX;
  }
  for (size_t i = 0; i <= name.length; i++) {
    row[i] = i;
  }
  for (; *other != '\0'; other++) {
    size_t diagonal = row[0];
    row[0]++;
    for (size_t i = 1; i <= name.length; i++) {
      size_t above = row[i];
      size_t best = diagonal + (lower(name.text[i - 1]) == *other ? 0 : 1);
      best = above + 1 < best ? above + 1 : best;
      best = row[i - 1] + 1 < best ? row[i - 1] + 1 : best;
      row[i] = best;
      diagonal = above;
    }
  }
  return row[name.length];
}

/* The flag that was probably meant, or NULL: one that begins alike, or that takes two changed letters at most. A
 * short one must be right but for its letters' case. */
static const char *near_flag(word name)
{
  const char *found = NULL;
  size_t least = 3;
  for (size_t i = 0; i < FLAG_COUNT; i++) {
    size_t alike = 0;
    while (alike < name.length && name.text[alike] == flags[i].name[alike]) {
      alike++;
    }
    size_t changes = distance(name, flags[i].name);
    if (changes == 0 || alike >= 4 || (alike == 3 && alike == name.length)) {
      return flags[i].name;
    }
    if (strlen(flags[i].name) >= 4 && changes < least) {
      least = changes;
      found = flags[i].name;
    }
  }
  return found;
}

/* Whether `name` is several flags of one letter written as one, as in -sv. */
static bool is_joined(word name)
{
  for (size_t i = 0; i < name.length; i++) {
    if (find_flag((word){name.text + i, 1}) == FLAG_NONE) {
      return false;
    }
  }
  return name.length > 1;
}

static taken refuse_unknown(parser *self, const char *argument, word name)
{
  char quoted[UVR_QUOTED_SIZE];
  uvr_quote(quoted, argument);
  const char *meant = near_flag(name);
  if (is_joined(name)) {
    return REFUSE(self, "unknown flag %s: flags can't be joined, write -%c -%c", quoted, name.text[0], name.text[1]);
  }
  if (meant != NULL) {
    return REFUSE(self, "unknown flag %s: did you mean %s%s?", quoted, strlen(meant) > 2 ? "--" : "-", meant);
  }
  return REFUSE(self, "unknown flag %s: -help lists all", quoted);
}

/* The truth values of Go's strconv.ParseBool. */
static bool parse_bool(const char *text, bool *value)
{
  static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (strcmp(text, words[i]) == 0) {
      *value = i < 6;
      return true;
    }
  }
  return false;
}

/* Seconds, as digits with or without a fraction, into milliseconds; what is less than one counts as one. By hand,
 * because strtod depends on the locale and takes much that is no plain number. */
static bool parse_seconds(const char *text, uint32_t *milliseconds)
{
  uint64_t value = 0;
  size_t digits = 0;
  for (; *text >= '0' && *text <= '9'; text++, digits++) {
    if (value <= UVR_OPTIONS_TIMEOUT_MAX_SECONDS) {
      value = value * 10 + (uint64_t)(*text - '0');
    }
  }
  value *= 1000;
  if (*text == '.') {
    uint64_t unit = 100;
    bool more = false;
    for (text++; *text >= '0' && *text <= '9'; text++, digits++) {
      value += unit * (uint64_t)(*text - '0');
      more = more || (unit == 0 && *text != '0');
      unit /= 10;
    }
    value += more ? 1 : 0;
  }
  if (*text != '\0' || digits == 0 || value == 0 || value > (uint64_t)UVR_OPTIONS_TIMEOUT_MAX_SECONDS * 1000) {
    return false;
  }
  *milliseconds = (uint32_t)value;
  return true;
}

static bool parse_impersonation(const char *text, uvrelay_impersonation_t *level)
{
  static const char *const names[] = {"anonymous", "identification", "impersonation", "delegation"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (strcmp(text, names[i]) == 0) {
      *level = (uvrelay_impersonation_t)i;
      return true;
    }
  }
  return false;
}

/* Where a flag that is on or off is kept, or NULL for one that wants a value. */
static bool *switch_of(parser *self, flag_id id)
{
  switch (id) {
  case FLAG_RETRY:
    return &self->out->retry;
  case FLAG_SEND_END:
    return &self->out->send_end;
  case FLAG_TARGET_END:
    return &self->out->end_at_target_end;
  case FLAG_INPUT_END:
    return &self->out->end_at_input_end;
  case FLAG_ASSUAN:
    return &self->out->assuan;
  case FLAG_HIDE:
    return &self->out->hide_console;
  case FLAG_VERBOSE:
    return &self->out->verbose;
  case FLAG_VERSION:
    return &self->version;
  case FLAG_NONE:
  case FLAG_IMPERSONATION:
  case FLAG_TIMEOUT:
  case FLAG_HELP:
    break;
  }
  return NULL;
}

/* Takes --impersonation or --timeout. `value` is NULL if it must be the next argument. */
static taken take_value(parser *self, flag_id id, const char *value)
{
  char quoted[UVR_QUOTED_SIZE];
  bool timeout = id == FLAG_TIMEOUT;
  if (value == NULL && self->next < self->argc) {
    value = self->argv[self->next++];
  }
  if (value == NULL) {
    return REFUSE(self, "%s: write %s", timeout ? "--timeout lacks its value" : "--impersonation lacks its value",
                  timeout ? "--timeout=SECONDS" : "--impersonation=LEVEL, a level being " IMPERSONATION_LEVELS);
  }
  if (timeout && !parse_seconds(value, &self->out->timeout_ms)) {
    return REFUSE(self, "bad value %s for --timeout: write a number of seconds over 0 and up to %d, such as 2.5",
                  uvr_quote(quoted, value), UVR_OPTIONS_TIMEOUT_MAX_SECONDS);
  }
  if (!timeout && !parse_impersonation(value, &self->out->impersonation)) {
    return REFUSE(self, "bad value %s for --impersonation: write " IMPERSONATION_LEVELS, uvr_quote(quoted, value));
  }
  return TAKEN_FLAG;
}

/* Takes the next argument if it is a flag. */
static taken take_flag(parser *self)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *argument = self->argv[self->next];
  if (argument[0] != '-' || argument[1] == '\0') {
    return TAKEN_LAST;
  }
  self->next++;
  if (strcmp(argument, "--") == 0) {
    return TAKEN_LAST;
  }
  const char *text = argument + (argument[1] == '-' ? 2 : 1);
  if (*text == '-' || *text == '=') {
    return REFUSE(self, "bad flag syntax %s: a flag is one or two hyphens and a name, such as -ei or --timeout=5",
                  uvr_quote(quoted, argument));
  }
  word name = {text, strcspn(text, "=")};
  const char *value = text[name.length] == '=' ? text + name.length + 1 : NULL;
  flag_id id = find_flag(name);
  if (id == FLAG_NONE) {
    return refuse_unknown(self, argument, name);
  }
  if (id == FLAG_HELP) {
    return TAKEN_HELP;
  }
  bool *on = switch_of(self, id);
  if (on == NULL) {
    return take_value(self, id, value);
  }
  *on = true;
  if (value != NULL && !parse_bool(value, on)) {
    return REFUSE(self, "bad value in %s: write true or false, or the flag alone", uvr_quote(quoted, argument));
  }
  return TAKEN_FLAG;
}

/* Takes what is left as the one TARGET. */
static taken take_target(parser *self)
{
  char quoted[UVR_QUOTED_SIZE];
  int count = self->argc - self->next;
  if (count == 0) {
    return REFUSE(self, "TARGET is missing: write what to relay to, such as //./pipe/NAME");
  }
  for (int i = self->next + 1; i < self->argc; i++) {
    if (self->argv[i][0] == '-' && self->argv[i][1] != '\0') {
      return REFUSE(self, "%s stands behind TARGET: flags must stand before TARGET", uvr_quote(quoted, self->argv[i]));
    }
  }
  if (count > 1) {
    return REFUSE(self,
                  "%d arguments where one TARGET is wanted, the second being %s: put a TARGET with blanks in quotes",
                  count, uvr_quote(quoted, self->argv[self->next + 1]));
  }
  self->out->target = self->argv[self->next];
  return TAKEN_LAST;
}

uvr_options_action uvr_options_parse(int argc, char *const argv[], uvr_options *out, uvrelay_error_t *error)
{
  parser self = {.argc = argc, .argv = argv, .next = 1, .out = out, .error = error};
  if (argc < 1) {
    self.next = argc; /* a caller of exec may leave out even the program's name */
  }
  *out = (uvr_options){.target = NULL};

  taken step = TAKEN_FLAG;
  while (step == TAKEN_FLAG && self.next < argc) {
    step = take_flag(&self);
  }
  if (step == TAKEN_HELP) {
    return UVR_OPTIONS_SHOW_HELP;
  }
  if (step != TAKEN_WRONG && self.version) {
    return UVR_OPTIONS_SHOW_VERSION;
  }
  if (step == TAKEN_WRONG || take_target(&self) == TAKEN_WRONG) {
    return UVR_OPTIONS_WRONG_USAGE;
  }
  return UVR_OPTIONS_RUN;
}

const char *uvr_options_usage(void)
{
  return "Usage: uvrelay [flags] TARGET\n"
         "\n"
         "Relays standard input and output to TARGET.\n"
         "\n"
         "TARGET is one of:\n"
         "  //./pipe/NAME         a named pipe of this computer, also as \\\\.\\pipe\\NAME,\n"
         "                        npipe:////./pipe/NAME or npipe:NAME\n"
         "  //HOST/pipe/NAME      a named pipe of another computer, also as\n"
         "                        npipe:////HOST/pipe/NAME\n"
         "  unix:///PATH          a Unix socket\n"
         "  tcp://HOST:PORT       a TCP port; HOST is a name, an IPv4 address or [IPv6]\n"
         "  assuan:///PATH        a libassuan (GnuPG) socket file; with -a, any path\n"
         "\n"
         "Flags, which stand before TARGET (-ei, --ei and -ei=true are the same):\n"
         "  -p                    retry while the pipe does not exist or is busy, the\n"
         "                        socket or socket file is missing, the port refuses\n"
         "  -s                    after the end of standard input, send the pipe a\n"
         "                        zero-byte message, which tells its server of that end\n"
         "  -ep                   end at the end of input from the pipe, even if standard\n"
         "                        input has more\n"
         "  -ei                   end at the end of standard input, even if the pipe has\n"
         "                        more\n"
         "  -a                    TARGET is the path of a libassuan socket file\n"
         "  -bg                   hide the console window\n"
         "  -v                    say on standard error what happens\n"
         "  --impersonation=LEVEL how far the pipe's server may act as you: anonymous\n"
         "                        (the default), identification, impersonation or\n"
         "                        delegation\n"
         "  --timeout=SECONDS     give up connecting after so long, such as 5 or 0.5\n"
         "  --version             show the version and exit\n"
         "  --help                show this help and exit\n"
         "\n"
         "Exit status: 0 after an orderly end, 1 after a failure, 2 for wrong usage.\n"
         "\n"
         "Examples:\n"
         "  uvrelay -ei -s //./pipe/openssh-ssh-agent\n"
         "  socat UNIX-LISTEN:/tmp/docker.sock,fork \\\n"
         "    EXEC:'uvrelay.exe -ep -s //./pipe/docker_engine',nofork\n";
}
