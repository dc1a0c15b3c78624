/* The accounts of this computer, by name and number. Only those in /etc/passwd: asking a directory in the network could
 * take long, and this is done on the loop's thread. */
#ifndef UVR_BASE_ACCOUNTS_UNIX_H
#define UVR_BASE_ACCOUNTS_UNIX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Finds the number of the account with this name. Returns whether there is one. */
bool uvr_account_find(const char *name, uid_t *uid);

/* Writes the name of the account with this number. Returns whether there is one. */
bool uvr_account_name(uid_t uid, char *name, size_t size);

#endif
