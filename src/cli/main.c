/* The program `uvrelay [flags] TARGET`: one session between standard input and output and the target. The commands
 * are in commands.c.
 *
 * With -v a thread writes all messages, so that the relay goes on even if their reader has stopped. Without it there is
 * at most one message, at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/expand.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input/hint.h"
#include "cli/input/options.h"
#include "cli/mistyped.h"
#include "cli/os/console.h"
#include "cli/os/process.h"
#include "cli/os/signals.h"
#include "cli/os/slim_start.h"
#include "cli/output/log_fd.h"
#include "cli/output/log_writer.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"
#include "cli/windows_hint.h"
#include "endpoint/dial.h"
#include "endpoint/offload.h"
#include "endpoint/owner.h"
#include "relay/pair.h"
#include "stream/stdio.h"
#include "stream/stdio_os.h"

enum { STANDARD_ERROR = 2, LOG_PATIENCE_MS = 2000, DELIVERY_LOOK_MS = 20 };

typedef struct program {
  uvr_options options;
  uvr_log_writer log;
  uvr_log_style style; /* of the log */
  bool styled;         /* `style` is known: finding it takes system calls, and most relays say nothing */
  bool times;          /* the log has times */
  uv_loop_t loop;
  uv_timer_t timer;  /* looks whether the last bytes have arrived */
  uvr_stream *stdio; /* belongs to the pair, which may have closed it */
  uvr_pair *pair;    /* NULL: it is closed, and stdio with it */
  uvr_signals signals;
  bool ended;   /* the pair is being closed */
  bool relayed; /* the relay was started */
  int status;
} program;

/* Finds out how standard error is written to. */
static void find_style(program *p)
{
  const uvr_log_style plain = {.times = false};
  p->style = uvr_log_fd_style(STANDARD_ERROR);
  p->style.times = p->times && !p->style.priorities;
  p->styled = true;
  uvr_log_writer_set_style(&p->log, p->style, plain);
}

/* Says a sentence, and after a colon what to add to it, unless that is NULL. Names in it may have been given by
 * others.
 */
static void say(program *p, uvr_log_level level, const char *text, const char *more)
{
  uvr_text_line line = {.text = NULL};
  if (!p->styled) {
    find_style(p);
  }
  uvr_text_line_add(&line, "uvrelay: ");
  uvr_text_line_text(&line, text);
  if (more != NULL) {
    uvr_text_line_add(&line, ": ");
    uvr_text_line_text(&line, more);
  }
  uvr_text_line_add(&line, "\n");
  uvr_log_mark(&line, level, p->style.times);
  if (!line.failed) {
    uvr_log_writer_add(&p->log, line.text, line.length);
  }
  uvr_text_line_clear(&line);
}

static void say_error(program *p, const uvrelay_error_t *error)
{
  char windows[UVR_WINDOWS_HINT_SIZE];
  uvr_wsl wsl;
  uvr_wsl_init(&wsl);
  const char *hint = error->phase == UVRELAY_PHASE_CONNECT || error->phase == UVRELAY_PHASE_HANDSHAKE
                         ? uvr_windows_hint(&wsl, &p->options, windows)
                         : NULL;
  say(p, UVR_LOG_ERROR, error->text, hint != NULL ? hint : uvr_hint(error, &p->options));
}

static void write_log(void *user, const char *line)
{
  say(user, UVR_LOG_INFO, line, NULL);
}

static void write_warning(void *user, const char *text)
{
  say(user, UVR_LOG_WARNING, "warning", text);
}

/* The process exits as soon as that loses nothing: by its exit the system resets a TCP connection to a peer that
 * still sends, and throws away what has not arrived there yet. */
static void on_timer(uv_timer_t *timer)
{
  program *p = timer->data;
  if (p->pair == NULL || uvr_pair_has_delivered(p->pair)) {
    uv_stop(&p->loop);
  }
}

static void on_end(void *user, const uvrelay_result_t *result)
{
  program *p = user;
  if (result->error.code != 0) {
    say_error(p, &result->error);
    p->status = 1;
  }
  p->ended = true;
  (void)uv_timer_start(&p->timer, on_timer, 0, DELIVERY_LOOK_MS);
}

/* What was to come from the target has come, and standard output is closed. */
static void on_output_closed(void *user)
{
  program *p = user;
  const char *note = uvr_process_output_note();
  if (p->options.verbose && note != NULL) {
    say(p, UVR_LOG_INFO, note, NULL);
  }
}

static void on_pair_closed(void *user)
{
  program *p = user;
  p->pair = NULL;
  p->stdio = NULL;
}

static void on_signal(void *user)
{
  program *p = user;
  p->status = uvr_process_interrupted_status();
  uv_stop(&p->loop);
}

/* A signal, such as Ctrl-C, ends the program by itself, unless something must be restored before. */
static int handle_signals(program *p)
{
  p->signals = (uvr_signals){.on_end = on_signal, .user = p};
  return uvr_stream_stdio_must_restore(p->stdio) ? uvr_signals_start(&p->signals, &p->loop) : 0;
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  program *p = user;
  if (p->ended) {
    return; /* the process ends */
  }
  if (stream != NULL) {
    uvr_pair_connect(p->pair, stream);
  } else {
    uvr_pair_fail(p->pair, error);
  }
}

/* Gives pipes their states back, as the process ends without closing all. */
static void restore(const program *p)
{
  uvr_stream *stdio = p->pair != NULL ? uvr_pair_left(p->pair) : p->stdio;
  if (stdio != NULL) {
    uvr_stream_stdio_restore(stdio);
  }
}

static int start(program *p, uvr_context *context, const uvr_address *address, uvrelay_error_t *error)
{
  const uvr_pair_options options = {
      .end_after_left = p->options.end_at_input_end,
      .end_after_right = p->options.end_at_target_end,
      /* A pipe learns of the end of input only with -s, as with npiperelay; a socket always, as its server expects. */
      .eof_to_right = p->options.send_end || !uvr_address_has(address, UVR_ADDRESS_HAS_END_MARKER) ? UVRELAY_EOF_AUTO
                                                                                                   : UVRELAY_EOF_NONE};
  const uvr_dial_options dial = {
      .retry = p->options.retry ? UVRELAY_RETRY_ALL : UVRELAY_RETRY_NEVER,
      .timeout_ms = p->options.timeout_ms,
      .connect = {.level = p->options.impersonation, .owner = p->options.owner, .arms = true}};
  const uvr_pair_events events = {
      .on_end = on_end, .on_left_told = on_output_closed, .on_close = on_pair_closed, .user = p};
  int code = uvr_stream_stdio_new(context, uvr_stdio_detach(0), uvr_stdio_detach(1), &p->stdio, error);
  if (code != 0) {
    return code;
  }
  if (handle_signals(p) != 0 || uvr_pair_start(context, p->stdio, NULL, &options, &events, &p->pair) != 0 ||
      uvr_dial_start(context, address, &dial, on_dialled, p) == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for a relay");
  }
  uvr_log_line(&context->log, "connecting to %s", address->canonical);
  return 0;
}

static int run(program *p, const uvr_address *address)
{
  uvr_context context;
  uvrelay_error_t error;
  const uvrelay_allocator_t memory = uvr_memory_default();
  const uvrelay_log_t log = {.write = p->options.verbose ? write_log : NULL, .user = p};
  int code = uv_loop_init(&p->loop);
  if (code == 0) {
    code = uv_timer_init(&p->loop, &p->timer);
    p->timer.data = p;
  }
  if (code == 0) {
    code = uvr_context_init(&context, &p->loop, &memory, &log);
  }
  if (code == 0) {
    context.offload = uvr_offload_new(&memory);
    code = context.offload != NULL ? 0 : UV_ENOMEM;
  }
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot start an event loop: %s",
                               uv_strerror(code));
  } else {
    context.remote_files = p->options.allow_remote_files;
    context.warnings = (uvrelay_log_t){.write = write_warning, .user = p};
    context.threads = true; /* there is only one relay in this process */
    code = start(p, &context, address, &error);
  }
  if (code == 0) {
    /* Runs until on_timer stops it after the end. The system then closes what is still open: a read of standard input
     * on the thread pool may not end before its writer does. */
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
  } else {
    say_error(p, &error);
    p->status = 1;
  }
  restore(p);
  uvr_signals_close(&p->signals);
  return p->status;
}

static int parse_target(const uvr_options *options, uvr_address *out, uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir, .bare_path = options->assuan};
  char text[UVR_EXPANDED_SIZE];
  size_t wrong = 0;
  int code = uvr_expand(&expander, options->target, text, &wrong, error);
  return code != 0 ? code : uvr_address_parse(text, options->assuan ? UVR_ADDRESS_ASSUAN_PATH : 0, out, error);
}

static int refuse_usage(program *p, const char *text)
{
  static const char tip[] = "Try: uvrelay --help\n";
  say(p, UVR_LOG_ERROR, text, NULL);
  uvr_log_writer_add(&p->log, tip, sizeof(tip) - 1);
  return 2;
}

/* What the help on the whole program tells about, though it is no command of the table. */
static bool is_general(const char *topic)
{
  return strcmp(topic, "help") == 0 || strcmp(topic, "version") == 0 || strcmp(topic, "--help") == 0 ||
         strcmp(topic, "-h") == 0;
}

/* uvrelay help, and uvrelay help with the command that follows. */
static int help(program *p, int argc, char **argv)
{
  uvrelay_error_t error;
  char flag[] = "--help";
  const char *topic = argc > 2 ? argv[2] : "";
  const uvr_command_entry *command = uvr_commands_find(topic);
  if (argc == 3 && command != NULL) {
    char *words[] = {argv[2], flag, NULL};
    return command->run(2, words);
  }
  if (argc <= 2 || (argc == 3 && is_general(topic))) {
    return uvr_print(uvr_options_usage());
  }
  if (argc > 3) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "uvrelay help takes only one command: write uvrelay help COMMAND");
  } else {
    char quoted[UVR_QUOTED_SIZE];
    const char *meant = uvr_commands_near(topic, strlen(topic));
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        meant != NULL ? "there is no command %s to help with: write uvrelay help %s"
                                      : "there is no command %s to help with: write uvrelay help%s",
                        uvr_quote(quoted, topic), meant != NULL ? meant : "");
  }
  return refuse_usage(p, error.text);
}

static int relay(program *p, const uvr_address *address)
{
  uvr_process_set_threads(0); /* the target is connected to before anything is read or written */
  uvr_slim_start(address->kind != UVR_ADDRESS_NPIPE || uvr_stdio_may_be_socket(0) || uvr_stdio_may_be_socket(1));
  if (p->options.verbose) {
    uvr_log_writer_start(&p->log, STANDARD_ERROR);
    find_style(p);
  }
  p->relayed = true;
  int status = run(p, address);
  uvr_log_writer_end(&p->log, LOG_PATIENCE_MS);
  return status;
}

/* Does what the command line asks for. Returns the exit status. */
static int obey(program *p, int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_address address;
  /* No TARGET is one of these words. */
  if (argc > 1 && (strcmp(argv[1], "help") == 0 || (argc == 2 && strcmp(argv[1], "/?") == 0))) {
    return help(p, argc, argv);
  }
  if (argc == 2 && strcmp(argv[1], "version") == 0) {
    return uvr_print_version();
  }
  if (uvr_mistyped_command(argc, argv, &error)) {
    return refuse_usage(p, error.text);
  }
  switch (uvr_options_parse(argc, argv, &p->options, &error)) {
  case UVR_OPTIONS_SHOW_HELP:
    return uvr_print(uvr_options_usage());
  case UVR_OPTIONS_SHOW_VERSION:
    return uvr_print_version();
  case UVR_OPTIONS_WRONG_USAGE:
    return refuse_usage(p, error.text);
  case UVR_OPTIONS_RUN:
    break;
  }
  p->times = p->options.timestamps;
  if (parse_target(&p->options, &address, &error) != 0) {
    uvrelay_error_t meant;
    char *const words[] = {argv[0], (char *)p->options.target};
    if (!p->options.assuan && uvr_mistyped_command(2, words, &meant)) {
      return refuse_usage(p, meant.text);
    }
    say(p, UVR_LOG_ERROR, error.text, NULL);
    return 2;
  }
  if (uvr_owner_check_list(&address, p->options.owner, &error) != 0) {
    say(p, UVR_LOG_ERROR, error.text, NULL);
    return 2;
  }
  const char *why_not = p->options.hide_console ? uvr_console_hide() : NULL;
  if (why_not != NULL && p->options.verbose) {
    say(p, UVR_LOG_INFO, "-bg", why_not);
  }
  return relay(p, &address);
}

int uvr_cli_main(int argc, char **argv)
{
  const uvr_command_entry *command = argc > 1 ? uvr_commands_find(argv[1]) : NULL;
  if (command != NULL) {
    return command->run(argc - 1, argv + 1);
  }
  program *p = calloc(1, sizeof(*p));
  if (p == NULL) {
    (void)fputs("uvrelay: not enough memory\n", stderr);
    return 1;
  }
  p->log.fd = STANDARD_ERROR;
  int status = obey(p, argc, argv);
  if (!p->relayed) {
    free(p); /* if not, threads may use it until the process ends */
  }
  return status;
}
