/* Running other programs for setup: systemctl, gpgconf, this program itself. */
#ifndef UVR_CLI_SETUP_TOOL_UNIX_H
#define UVR_CLI_SETUP_TOOL_UNIX_H

#include <stdbool.h>

#include "uvrelay/common.h"

/* Runs a program, by its name on PATH or its path, with words after it, which end with a NULL. Returns 0 if it has
 * exited with status 0; or a negative code and *error, with the first line that it has written to its standard error.
 * If `output` is not NULL, *output is what it has written to its standard output, without the last newline, to be
 * freed, or NULL, in both cases. */
int uvr_tool_run(const char *name, const char *const words[], char **output, uvrelay_error_t *error);

/* The same for systemctl --user. */
int uvr_tool_systemctl(const char *const words[], uvrelay_error_t *error);

/* Whether systemctl --user VERB UNIT prints this word, as is-active prints "active". */
bool uvr_tool_unit_is(const char *verb, const char *unit, const char *word);

/* Whether systemd runs for this user, and can be asked. */
bool uvr_tool_has_manager(void);

/* Has systemd start, reload or restart uvrelay.service. The error says why that fails, as the service has said it to
 * the journal, if it can be read. */
int uvr_tool_service(const char *verb, uvrelay_error_t *error);

/* Whether there is such a program on PATH. */
bool uvr_tool_is_there(const char *name);

#endif
