/* Lines for shells: see env_text.h.
 *
 * A value is put into single quotes, in which these shells take all but a few characters as they are; these few are
 * written in the way that each shell has for them. cmd.exe has no such quotes: a value with a character that it could
 * take for something else is refused. So is one that csh would take for its history, and every control character. */
#include "cli/control/env_text.h"

#include <string.h>

#include "base/text.h"

static const struct {
  const char *name;
  uvr_shell shell;
} shells[] = {
    {"sh", UVR_SHELL_SH},           {"bash", UVR_SHELL_SH},
    {"zsh", UVR_SHELL_SH},          {"dash", UVR_SHELL_SH},
    {"ksh", UVR_SHELL_SH},          {"fish", UVR_SHELL_FISH},
    {"csh", UVR_SHELL_CSH},         {"tcsh", UVR_SHELL_CSH},
    {"pwsh", UVR_SHELL_POWERSHELL}, {"powershell", UVR_SHELL_POWERSHELL},
    {"cmd", UVR_SHELL_CMD},
};

bool uvr_shell_find(const char *name, uvr_shell *out)
{
  for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
    if (strcmp(shells[i].name, name) == 0) {
      *out = shells[i].shell;
      return true;
    }
  }
  return false;
}

const char *uvr_shell_names(void)
{
  return "sh (also bash, zsh, dash and ksh), fish, csh (also tcsh), powershell (also pwsh) and cmd";
}

/* What a shell's line is made of. */
typedef struct syntax {
  const char *before; /* the name */
  const char *between;
  const char *after;
  const char *refused; /* bytes that a value must not have */
} syntax;

static const syntax syntaxes[] = {
    [UVR_SHELL_SH] = {"export ", "='", "';\n", ""},         [UVR_SHELL_FISH] = {"set -gx ", " '", "';\n", ""},
    [UVR_SHELL_CSH] = {"setenv ", " '", "';\n", "!"},       [UVR_SHELL_POWERSHELL] = {"$env:", " = '", "';\n", ""},
    [UVR_SHELL_CMD] = {"set \"", "=", "\"\n", "\"%!^&|<>"},
};

/* A letter or _, and then digits, too. */
static bool is_name(const char *name)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return *name != '\0' && (*name < '0' || *name > '9') && name[strspn(name, letters)] == '\0';
}

static bool can_be_written(uvr_shell shell, const char *value)
{
  while (*value != '\0') {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(value, &point);
    if (length == 0 ? shell == UVR_SHELL_POWERSHELL || shell == UVR_SHELL_CMD : uvr_is_control(point)) {
      return false;
    }
    if (strchr(syntaxes[shell].refused, *value) != NULL) {
      return false;
    }
    value += length == 0 ? 1 : length;
  }
  return true;
}

/* PowerShell takes typographic quotes for the plain one. */
static size_t powershell_quote(const char *text)
{
  static const char *const quotes[] = {"'", "\xE2\x80\x98", "\xE2\x80\x99", "\xE2\x80\x9A", "\xE2\x80\x9B"};
  for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
    if (strncmp(text, quotes[i], strlen(quotes[i])) == 0) {
      return strlen(quotes[i]);
    }
  }
  return 0;
}

static void add_quoted(uvr_text_line *self, uvr_shell shell, const char *value)
{
  for (; *value != '\0'; value++) {
    size_t quote = shell == UVR_SHELL_POWERSHELL ? powershell_quote(value) : 0;
    if (*value == '\'' && (shell == UVR_SHELL_SH || shell == UVR_SHELL_CSH)) {
      uvr_text_line_bytes(self, "'\\''", 4);
      continue;
    }
    if (shell == UVR_SHELL_FISH && (*value == '\'' || *value == '\\')) {
      uvr_text_line_bytes(self, "\\", 1);
    }
    if (quote > 0) {
      uvr_text_line_bytes(self, value, quote);
      uvr_text_line_bytes(self, value, quote);
      value += quote - 1;
      continue;
    }
    uvr_text_line_bytes(self, value, 1);
  }
}

bool uvr_env_add(uvr_text_line *self, uvr_shell shell, const char *name, const char *value)
{
  const syntax *how = &syntaxes[shell];
  if (!is_name(name) || !can_be_written(shell, value)) {
    return false;
  }
  uvr_text_line_bytes(self, how->before, strlen(how->before));
  uvr_text_line_bytes(self, name, strlen(name));
  uvr_text_line_bytes(self, how->between, strlen(how->between));
  add_quoted(self, shell, value);
  uvr_text_line_bytes(self, how->after, strlen(how->after));
  return true;
}

void uvr_env_comment(uvr_text_line *self, uvr_shell shell, const char *text)
{
  const char *mark = shell == UVR_SHELL_CSH ? NULL : shell == UVR_SHELL_CMD ? "rem " : "# ";
  if (mark != NULL) {
    uvr_text_line_bytes(self, mark, strlen(mark));
    uvr_text_line_bytes(self, text, strlen(text));
    uvr_text_line_bytes(self, "\n", 1);
  }
}
