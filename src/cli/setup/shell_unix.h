/* The user's login shell, and what is put into its files. */
#ifndef UVR_CLI_SETUP_SHELL_UNIX_H
#define UVR_CLI_SETUP_SHELL_UNIX_H

#include <stdbool.h>

typedef enum uvr_shell { UVR_SHELL_BASH, UVR_SHELL_ZSH, UVR_SHELL_FISH, UVR_SHELL_OTHER } uvr_shell;

/* By SHELL, or else by the table of users. */
uvr_shell uvr_shell_of_user(void);

/* Whether it is one that is known to read that file. */
bool uvr_shell_is_known(void);

/* The file that it reads at login, which need not be there. To be freed; NULL: there is no memory. */
char *uvr_shell_profile(uvr_shell shell, const char *home, const char *config_home);

/* The file that it reads in each interactive shell, as it is written in texts. */
const char *uvr_shell_rc(uvr_shell shell);

#endif
