/* The command line of serve: see serve_options.h. If a flag other than --config is given more than once, the last one
 * counts. The first error ends the parsing. The library checks the options of routes. */
#include "cli/input/serve_options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/input/flags.h"
#include "cli/input/window.h"

#define DAY_S            86400
#define DEFAULT_DRAIN_MS 5000

/* The flags that are no options of routes; their numbers follow uvr_serve_name. */
typedef enum serve_flag_id {
  SERVE_ALLOW_REMOTE = UVR_SERVE_NAMES, /* the first setting */
  SERVE_REMOTE_FILES,
  SERVE_DRAIN,
  SERVE_STATUS,
  SERVE_VIA,
  SERVE_EAGER,
  SERVE_WINDOW_TOTAL,
  SERVE_CONTROL,
  SERVE_LOG_FILE,
  SERVE_LOG_SIZE,
  SERVE_TIMESTAMPS,
  SERVE_JSON,
  SERVE_VERBOSE,
  SERVE_CONFIG, /* the first one that is not a setting */
  SERVE_CHECK,
  SERVE_BACKGROUND,
  SERVE_VERSION,
  SERVE_HELP
} serve_flag_id;

static const uvr_flag serve_flags[] = {
    {"timeout", UVR_SERVE_TIMEOUT, UVR_FLAG_VALUE, "--timeout=SECONDS"},
    {"linger", UVR_SERVE_LINGER, UVR_FLAG_VALUE, "--linger=SECONDS"},
    {"idle", UVR_SERVE_IDLE, UVR_FLAG_VALUE, "--idle=SECONDS"},
    {"max", UVR_SERVE_MAX, UVR_FLAG_VALUE, "--max=NUMBER"},
    {"perm", UVR_SERVE_PERM, UVR_FLAG_VALUE, "--perm=OCTAL, such as --perm=0600"},
    {"mode", UVR_SERVE_MODE, UVR_FLAG_VALUE, "--mode=byte or --mode=message"},
    {"impersonation", UVR_SERVE_IMPERSONATION, UVR_FLAG_VALUE, "--impersonation=LEVEL"},
    {"eof", UVR_SERVE_EOF, UVR_FLAG_VALUE, "--eof=auto, --eof=marker or --eof=none"},
    {"absent", UVR_SERVE_ABSENT, UVR_FLAG_VALUE, "--absent=wait or --absent=fail"},
    {"owner", UVR_SERVE_OWNER, UVR_FLAG_VALUE, "--owner=WHO, such as --owner=user,system"},
    {"peer-uid", UVR_SERVE_PEER_UID, UVR_FLAG_VALUE, "--peer-uid=WHO, such as --peer-uid=user,root"},
    {"config", SERVE_CONFIG, UVR_FLAG_VALUE, "--config=FILE"},
    {"allow-remote", SERVE_ALLOW_REMOTE, UVR_FLAG_SWITCH, NULL},
    {"allow-remote-files", SERVE_REMOTE_FILES, UVR_FLAG_SWITCH, NULL},
    {"drain", SERVE_DRAIN, UVR_FLAG_VALUE, "--drain=SECONDS"},
    {"status", SERVE_STATUS, UVR_FLAG_VALUE, "--status=SECONDS"},
    {"via", SERVE_VIA, UVR_FLAG_VALUE, "--via=COMMAND, such as --via=\"uvrelay.exe mux\""},
    {"eager", SERVE_EAGER, UVR_FLAG_SWITCH, NULL},
    {"window-total", SERVE_WINDOW_TOTAL, UVR_FLAG_VALUE, UVR_WINDOW_FORM},
    {"control", SERVE_CONTROL, UVR_FLAG_SWITCH, NULL},
    {"log-file", SERVE_LOG_FILE, UVR_FLAG_VALUE, "--log-file=FILE"},
    {"background", SERVE_BACKGROUND, UVR_FLAG_SWITCH, NULL},
    {"log-size", SERVE_LOG_SIZE, UVR_FLAG_VALUE, "--log-size=SIZE, such as --log-size=10M"},
    {"timestamps", SERVE_TIMESTAMPS, UVR_FLAG_SWITCH, NULL},
    {"check", SERVE_CHECK, UVR_FLAG_SWITCH, NULL},
    {"json", SERVE_JSON, UVR_FLAG_SWITCH, NULL},
    {"v", SERVE_VERBOSE, UVR_FLAG_SWITCH, NULL},
    {"help", SERVE_HELP, UVR_FLAG_ALONE, NULL},
    {"h", SERVE_HELP, UVR_FLAG_ALONE, NULL},
    {"V", SERVE_VERSION, UVR_FLAG_ALONE, NULL},
    {"version", SERVE_VERSION, UVR_FLAG_ALONE, NULL},
    {"verbose", SERVE_VERBOSE, UVR_FLAG_SWITCH, NULL},
};

#define SERVE_FLAG_COUNT (sizeof(serve_flags) / sizeof(serve_flags[0]))
#define ALL_FLAGS                                                                                                      \
  "the flags of serve are --timeout, --linger, --idle, --max, --perm, --mode, --impersonation, --eof, --absent, "      \
  "--owner, --peer-uid, --config, --allow-remote, --allow-remote-files, --drain, --via, --eager, --window-total, "     \
  "--status, --control, --log-file, --log-size, --timestamps, --check, --background, --json, -v, --version and --help"

#define REFUSE_SERVE(error, ...) (uvr_error_set((error), UVRELAY_PHASE_NONE, UV_EINVAL, __VA_ARGS__), false)

/* `name` is how the setting is called: --drain or drain. */
static bool parse_time(const char *name, const char *text, bool zero, uint64_t *milliseconds, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uint64_t value = 0;
  if (!uvr_time_parse(text, &value) || (value == 0 && !zero) || value > (uint64_t)DAY_S * 1000) {
    return REFUSE_SERVE(error,
                        "bad value %s for %s: write a number of seconds %s up to %d, or a time with its unit, such "
                        "as " UVR_TIME_EXAMPLES,
                        uvr_quote(quoted, text), name, zero ? "from 0" : "above 0 and", DAY_S);
  }
  *milliseconds = value;
  return true;
}

static bool add_config(uvr_serve_options *out, const char *file, uvrelay_error_t *error)
{
  if (*file == '\0') {
    return REFUSE_SERVE(error, "--config has no file: write --config=FILE, or --config=- for standard input");
  }
  if (out->config_count == UVR_SERVE_CONFIGS_MAX) {
    return REFUSE_SERVE(error, "--config is given more than %d times", UVR_SERVE_CONFIGS_MAX);
  }
  out->configs[out->config_count++] = file;
  return true;
}

/* Stores an option of all routes, if its value is good. */
static bool set_route_option(uvr_serve_options *out, int id, const char *value, uvrelay_error_t *error)
{
  uvrelay_route_options_t ignored = {.size = sizeof(ignored)};
  out->values[id] = value;
  return uvrelay_route_option(&ignored, UVRELAY_SIDE_NONE, serve_flags[id].name, value, error) == 0;
}

static bool set_log_file(uvr_serve_options *out, const char *file, uvrelay_error_t *error)
{
  out->log_file = file;
  return *file != '\0' || REFUSE_SERVE(error, "--log-file has no file: write --log-file=FILE");
}

static bool set_log_size(uvr_serve_options *out, const char *text, const char *prefix, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  return (uvr_size_parse(text, UVR_LOG_SIZE_MAX, &out->log_size) && out->log_size >= UVR_LOG_SIZE_MIN) ||
         REFUSE_SERVE(error, "bad value %s for %slog-size: write a number of bytes from 4K to 1G, such as 10M",
                      uvr_quote(quoted, text), prefix);
}

/* Stores a flag, or with a `prefix` that is empty a setting of a file. */
static bool set_option(uvr_serve_options *out, const uvr_parsed_flag *flag, const char *prefix, uvrelay_error_t *error)
{
  char name[16];
  switch (flag->id) {
  case SERVE_CONFIG:
    return add_config(out, flag->value, error);
  case SERVE_CHECK:
    out->check = flag->on;
    return true;
  case SERVE_BACKGROUND:
    out->background = flag->on;
    return true;
  case SERVE_CONTROL:
    out->control = flag->on;
    return true;
  case SERVE_LOG_FILE:
    return set_log_file(out, flag->value, error);
  case SERVE_LOG_SIZE:
    return set_log_size(out, flag->value, prefix, error);
  case SERVE_TIMESTAMPS:
    out->timestamps = flag->on ? UVR_TIMESTAMPS_ON : UVR_TIMESTAMPS_OFF;
    return true;
  case SERVE_REMOTE_FILES:
    out->allow_remote_files = flag->on;
    return true;
  case SERVE_ALLOW_REMOTE:
    out->allow_remote = flag->on;
    return true;
  case SERVE_DRAIN:
    (void)snprintf(name, sizeof(name), "%sdrain", prefix);
    return parse_time(name, flag->value, true, &out->drain_ms, error);
  case SERVE_STATUS:
    (void)snprintf(name, sizeof(name), "%sstatus", prefix);
    return parse_time(name, flag->value, false, &out->status_ms, error);
  case SERVE_VIA:
    out->via = flag->value;
    return true;
  case SERVE_EAGER:
    out->eager = flag->on;
    return true;
  case SERVE_WINDOW_TOTAL:
    return uvr_window_parse(flag->value, &out->window_total, error);
  case SERVE_JSON:
    out->json = flag->on;
    return true;
  case SERVE_VERBOSE:
    out->verbose = flag->on;
    return true;
  default:
    return set_route_option(out, flag->id, flag->value, error);
  }
}

static bool is_setting(int id)
{
  return id >= SERVE_ALLOW_REMOTE && id < SERVE_CONFIG;
}

static uint32_t setting_bit(int id)
{
  return is_setting(id) ? UINT32_C(1) << (unsigned)(id - SERVE_ALLOW_REMOTE) : 0;
}

/* Parses all flags. Those after a route count as well, until a "--". Sets *count to how many routes there are, which
 * are argv's first arguments then: each is moved over flags that were parsed before it. */
static uvr_serve_action parse_arguments(uvr_flags *self, uvr_serve_options *out, char *argv[], int *count)
{
  uvr_parsed_flag flag;
  for (*count = 0;;) {
    uvr_flags_step step = self->ended ? UVR_FLAGS_LAST : uvr_flags_next(self, &flag);
    if (step == UVR_FLAGS_WRONG || (step == UVR_FLAGS_LAST && self->next >= self->argc)) {
      return step == UVR_FLAGS_WRONG ? UVR_SERVE_WRONG_USAGE : UVR_SERVE_RUN;
    }
    if (step == UVR_FLAGS_LAST && uvr_looks_like_flag(self->argv[self->next])) {
      char quoted[UVR_QUOTED_SIZE];
      (void)REFUSE_SERVE(self->error, "expected a route, not %s: put flags before the --",
                         uvr_quote(quoted, self->argv[self->next]));
      return UVR_SERVE_WRONG_USAGE;
    }
    if (step == UVR_FLAGS_LAST) {
      argv[++*count] = argv[self->next++];
    } else if (flag.id == SERVE_HELP || flag.id == SERVE_VERSION) {
      return flag.id == SERVE_HELP ? UVR_SERVE_SHOW_HELP : UVR_SERVE_SHOW_VERSION;
    } else if (!set_option(out, &flag, "--", self->error)) {
      return UVR_SERVE_WRONG_USAGE;
    } else {
      out->given |= setting_bit(flag.id);
    }
  }
}

uvr_serve_action uvr_serve_options_parse(int argc, char *argv[], uvr_serve_options *out, uvrelay_error_t *error)
{
  uvr_flags self = {.table = serve_flags,
                    .count = SERVE_FLAG_COUNT,
                    .all = ALL_FLAGS,
                    .argc = argc,
                    .argv = argv,
                    .next = 1,
                    .error = error};
  int count = 0;
  *out = (uvr_serve_options){.drain_ms = DEFAULT_DRAIN_MS, .control = true};
  uvr_serve_action action = parse_arguments(&self, out, argv, &count);
  if (action != UVR_SERVE_RUN) {
    return action;
  }
  if (count == 1 && argc == 2 && strcmp(argv[1], "help") == 0) {
    return UVR_SERVE_SHOW_HELP;
  }
  if (count > 0) {
    out->routes = memmove(argv + argc - count, argv + 1, (size_t)count * sizeof(*argv));
    out->route_count = count;
  }
  return UVR_SERVE_RUN;
}

/* The setting of this name, or NULL. -v has another name as a setting. */
static const uvr_flag *find_setting(const char *name)
{
  for (size_t i = 0; i < SERVE_FLAG_COUNT; i++) {
    if (is_setting(serve_flags[i].id) && strlen(name) > 1 && strcmp(serve_flags[i].name, name) == 0) {
      return &serve_flags[i];
    }
  }
  return NULL;
}

uvr_serve_setting uvr_serve_setting_find(const char *name)
{
  const uvr_flag *flag = find_setting(name);
  if (flag == NULL) {
    return UVR_SETTING_NONE;
  }
  return flag->id == SERVE_VIA        ? UVR_SETTING_COMMAND
         : flag->id == SERVE_LOG_FILE ? UVR_SETTING_PATH
                                      : UVR_SETTING_PLAIN;
}

bool uvr_serve_setting_is_switch(const char *name)
{
  const uvr_flag *flag = find_setting(name);
  return flag != NULL && flag->kind == UVR_FLAG_SWITCH;
}

const char *uvr_serve_setting_name(size_t i)
{
  for (size_t k = 0; k < SERVE_FLAG_COUNT; k++) {
    if (is_setting(serve_flags[k].id) && strlen(serve_flags[k].name) > 1 && i-- == 0) {
      return serve_flags[k].name;
    }
  }
  return NULL;
}

/* Words that people write in files. */
static bool yes_or_no(const char *text, bool *value)
{
  *value = strcmp(text, "yes") == 0;
  return *value || strcmp(text, "no") == 0;
}

int uvr_serve_setting_set(uvr_serve_options *self, const char *name, const char *value, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  const uvr_flag *flag = find_setting(name);
  assert(flag != NULL); /* callers have found it */
  uvr_parsed_flag parsed = {.id = flag->id, .value = value};
  uvr_serve_options ignored = *self;
  if (flag->kind == UVR_FLAG_SWITCH && !uvr_flag_truth(value, &parsed.on) && !yes_or_no(value, &parsed.on)) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "bad value %s for %s: write true or false, or on or off",
                         uvr_quote(quoted, value), name);
  }
  bool given = (self->given & setting_bit(flag->id)) != 0;
  return set_option(given ? &ignored : self, &parsed, "", error) ? 0 : UV_EINVAL;
}

void uvr_serve_options_apply(const uvr_serve_options *options, uvrelay_route_options_t *routes)
{
  routes->allow_remote = options->allow_remote;
  for (int id = 0; id < UVR_SERVE_NAMES; id++) {
    if (options->values[id] != NULL) {
      (void)uvrelay_route_option(routes, UVRELAY_SIDE_NONE, serve_flags[id].name, options->values[id], NULL);
    }
  }
}
