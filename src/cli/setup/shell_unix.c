/* The user's login shell: see shell_unix.h. */
#include "cli/setup/shell_unix.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/setup/text_unix.h"

/* The name of its program. */
static const char *name_of_shell(void)
{
  const char *shell = getenv("SHELL");
  const struct passwd *user = shell == NULL || *shell == '\0' ? getpwuid(geteuid()) : NULL;
  shell = user != NULL ? user->pw_shell : shell;
  const char *slash = shell == NULL ? NULL : strrchr(shell, '/');
  return slash != NULL ? slash + 1 : shell == NULL ? "" : shell;
}

bool uvr_shell_is_known(void)
{
  static const char *const names[] = {"sh", "dash", "ash", "ksh", "ksh93", "mksh", "yash", "busybox"};
  const char *name = name_of_shell();
  bool known = uvr_shell_of_user() != UVR_SHELL_OTHER;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    known = known || strcmp(name, names[i]) == 0;
  }
  return known;
}

uvr_shell uvr_shell_of_user(void)
{
  const char *name = name_of_shell();
  return strcmp(name, "bash") == 0   ? UVR_SHELL_BASH
         : strcmp(name, "zsh") == 0  ? UVR_SHELL_ZSH
         : strcmp(name, "fish") == 0 ? UVR_SHELL_FISH
                                     : UVR_SHELL_OTHER;
}

/* The first of these files in the home directory that is there, or the last one. */
static char *first_of(const char *home, const char *const names[])
{
  for (size_t i = 0;; i++) {
    char *path = uvr_setup_format("%s/%s", home, names[i]);
    if (path == NULL || names[i + 1] == NULL || access(path, F_OK) == 0) {
      return path;
    }
    free(path);
  }
}

char *uvr_shell_profile(uvr_shell shell, const char *home, const char *config_home)
{
  const char *zsh = getenv("ZDOTDIR");
  switch (shell) {
  case UVR_SHELL_BASH:
    return first_of(home, (const char *const[]){".bash_profile", ".bash_login", ".profile", NULL});
  case UVR_SHELL_ZSH:
    return uvr_setup_format("%s/.zprofile", zsh != NULL && *zsh == '/' ? zsh : home);
  case UVR_SHELL_FISH:
    return uvr_setup_format("%s/fish/conf.d/uvrelay.fish", config_home);
  default:
    return uvr_setup_format("%s/.profile", home);
  }
}

const char *uvr_shell_rc(uvr_shell shell)
{
  return shell == UVR_SHELL_BASH   ? "~/.bashrc"
         : shell == UVR_SHELL_ZSH  ? "~/.zshrc"
         : shell == UVR_SHELL_FISH ? "~/.config/fish/config.fish"
                                   : "its startup file";
}
