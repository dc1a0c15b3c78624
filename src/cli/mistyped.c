/* Mistyped commands: see mistyped.h. What was meant is written out with the arguments that follow, to be copied, if
 * they are short and hold nothing that every shell would need other quotes for. */
#include "cli/mistyped.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/input/presets.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define PLAIN   LETTERS "-_./:=@%+,"
#define QUOTED  PLAIN " ~?&*#[]()"

enum { MEANT_SIZE = 200 };

/* Appends a word of a command line. Returns false if it has no simple form, or is too long. */
static bool append(char meant[MEANT_SIZE], const char *word)
{
  size_t length = strlen(meant);
  bool plain = *word != '\0' && word[strspn(word, PLAIN)] == '\0';
  if (word[strspn(word, QUOTED)] != '\0') {
    return false;
  }
  int added = snprintf(meant + length, MEANT_SIZE - length, plain ? " %s" : " \"%s\"", word);
  return added > 0 && (size_t)added < MEANT_SIZE - length;
}

/* The command line with this command as its first word. */
static const char *write_out(char meant[MEANT_SIZE], const char *command, int argc, char *const argv[])
{
  (void)snprintf(meant, MEANT_SIZE, "uvrelay %s", command);
  for (int i = 2; i < argc; i++) {
    if (!append(meant, argv[i])) {
      (void)snprintf(meant, MEANT_SIZE, "uvrelay %s ...", command);
      break;
    }
  }
  return meant;
}

/* What a word such as setup-ssh means: the command, and after it the preset whose name begins like this. Returns NULL
 * if it is no such word. */
static const char *split_preset(char meant[MEANT_SIZE], const char *word, const char *command)
{
  size_t count;
  const uvr_preset *presets = uvr_presets(&count);
  size_t length = strlen(command);
  const char *rest = strncmp(word, command, length) == 0 && strchr("-_", word[length]) != NULL ? word + length + 1 : "";
  for (size_t i = 0; i < count && strlen(rest) >= 3; i++) {
    if (strncmp(presets[i].name, rest, strlen(rest)) == 0) {
      (void)snprintf(meant, MEANT_SIZE, "%s %s%s", command, strcmp(command, "serve") == 0 ? "@" : "", presets[i].name);
      return meant;
    }
  }
  return NULL;
}

/* A command that is written as a flag. */
static bool is_flag(int argc, char *const argv[], uvrelay_error_t *error)
{
  char meant[MEANT_SIZE];
  char name[16];
  const char *word = argv[1] + strspn(argv[1], "-");
  size_t length = strlen(word);
  const char *command = length < sizeof(name) ? uvr_commands_near(word, length) : NULL;
  if (command == NULL || !uvr_is_same_word(word, command)) {
    return false;
  }
  (void)snprintf(name, sizeof(name), "%s", command);
  (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is a command, not a flag: write %s", name,
                      write_out(meant, name, argc, argv));
  return true;
}

bool uvr_mistyped_command(int argc, char *const argv[], uvrelay_error_t *error)
{
  char meant[MEANT_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  const char *word = argc > 1 ? argv[1] : "";
  size_t length = strlen(word);
  if (word[0] == '-') {
    return is_flag(argc, argv, error);
  }
  const char *name = word + (*word == '@' ? 1 : 0);
  if (*name == '\0' || name[strspn(name, LETTERS "-_")] != '\0') {
    return false; /* it may be a TARGET */
  }
  uvr_quote(quoted, word);
  const char *command = name == word ? uvr_commands_near(word, length) : NULL;
  const uvr_preset *preset = uvr_presets_find(name, strlen(name));
  if (preset != NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "%s is a preset, which only a route can have: write uvrelay serve @%s, or uvrelay setup %s",
                        quoted, preset->name, preset->name);
    return true;
  }
  if (command != NULL) {
    char both[MEANT_SIZE];
    const char *split = split_preset(both, word, command);
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "there is no command %s: did you mean %s?", quoted,
                        write_out(meant, split != NULL ? split : command, argc, argv));
    return true;
  }
  return false;
}
