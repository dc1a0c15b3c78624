/* Files that setup writes: whole or not at all. */
#ifndef UVR_CLI_SETUP_FILES_UNIX_H
#define UVR_CLI_SETUP_FILES_UNIX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/setup/record_unix.h"
#include "uvrelay/common.h"

/* Reads a file into *out, to be freed, followed by a NUL; *out is NULL if there is none. Returns 0; or a negative
 * code and *error. A file with a NUL in it is refused. */
int uvr_setup_read(const char *path, char **out, uvrelay_error_t *error);

/* Writes a file under a new name, and then renames it, so that no reader sees half of it. If the path is a link, the
 * file that it leads to is replaced. A file that was there keeps its permissions; a new one gets `mode`. Missing
 * directories are made with 0700, and recorded. `move_away`: a file that cannot be replaced, as Windows runs it, is
 * renamed, and removed later by uvr_setup_remove_old(). Returns 0; or a negative code and *error, with nothing changed.
 */
int uvr_setup_write(const char *path, const char *bytes, size_t length, mode_t mode, bool move_away, uvr_record *record,
                    uvrelay_error_t *error);

/* The same for a text; one that is new is recorded as setup's own, or, if it cannot be, not written. */
int uvr_setup_write_recorded(const char *path, bool is_new, const char *text, mode_t mode, uvr_record *record,
                             uvrelay_error_t *error);

/* Lines are to be added at the end of a file with this text (NULL: there is none): records whether its last line has no
 * newline; and the opposite: takes the newline out of the text again, if they were at its end until now. */
int uvr_setup_record_newline(const char *path, const char *text, uvr_record *record, uvrelay_error_t *error);
int uvr_setup_restore_newline(const char *path, bool at_end, char *text, uvr_record *record, uvrelay_error_t *error);

/* Makes a directory, and those above it, in the same way. */
int uvr_setup_make_directory(const char *path, uvr_record *record, uvrelay_error_t *error);

/* Makes a symbolic link, or has an existing one lead elsewhere. */
int uvr_setup_link(const char *target, const char *path, uvr_record *record, uvrelay_error_t *error);

/* Removes a file, if it is there; `patient`: for up to some seconds, while Windows still runs it. */
int uvr_setup_unlink(const char *path, bool patient, uvrelay_error_t *error);

/* Removes those files that were moved away and that no process runs any longer. */
void uvr_setup_remove_old(const char *path);

/* Whether there is something at a path, a link that leads nowhere included. */
bool uvr_setup_is_there(const char *path);

#endif
