/* Lists of users, as the options owner and peer-uid have them: words with commas between them, such as
 * user,S-1-5-18,root,1000. Pure: what a word means on this system is found out elsewhere. */
#ifndef UVR_ADDRESS_USERS_H
#define UVR_ADDRESS_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uvrelay/common.h"

/* A SID of Windows in numbers. */
#define UVR_SID_PARTS 15 /* the most that Windows allows */
typedef struct uvr_sid {
  uint64_t authority; /* 48 bits */
  unsigned count;
  uint32_t parts[UVR_SID_PARTS];
} uvr_sid;

/* Enough for every SID as text, with its NUL. */
#define UVR_SID_SIZE 192

/* Writes a SID as S-1-5-18. Returns `text`. */
const char *uvr_sid_text(char text[UVR_SID_SIZE], const uvr_sid *sid);

bool uvr_sid_is_same(const uvr_sid *one, const uvr_sid *other);

/* What a word says. */
typedef enum uvr_user_kind {
  UVR_USER_SELF, /* user: the user who runs this process */
  UVR_USER_SID,  /* on Windows: a SID, or system or admins, which are names for two */
  UVR_USER_UID,  /* on Unix: a number, or root, which is 0 */
  UVR_USER_NAME  /* on Unix: a name */
} uvr_user_kind;

/* The longest name of a user on Linux, with its NUL. */
#define UVR_USER_NAME_SIZE 33

typedef struct uvr_user {
  uvr_user_kind kind;
  uvr_sid sid;
  uint32_t uid;
  char name[UVR_USER_NAME_SIZE];
} uvr_user;

/* The systems on which some word of a list may name somebody. */
#define UVR_USERS_OF_WINDOWS 1U
#define UVR_USERS_OF_UNIX    2U

/* What may be in a list, for messages. */
#define UVR_USERS_ON_WINDOWS "user, system, admins or a SID such as S-1-5-18"
#define UVR_USERS_ON_UNIX    "user, root, or a user's number or name"

/* What an option may be, for messages. */
#define UVR_USERS_FORM                                                                                                 \
  "users, separated by commas: on Windows " UVR_USERS_ON_WINDOWS "; on Unix " UVR_USERS_ON_UNIX                        \
  "; or any, for all users"

#define UVR_USERS_PEERS_FORM "users, separated by commas: " UVR_USERS_ON_UNIX "; or any, for all users"

/* Parses the first word of a list and moves *list after it and its comma; after the last word *list is NULL. Returns
 * false if the word is not one. */
bool uvr_users_next(const char **list, uvr_user *out);

/* Checks a whole list. Returns its systems; 0 if it is empty, or a word is not one, or has no end within
 * UVRELAY_USERS_SIZE bytes. */
unsigned uvr_users_check(const char *list);

/* Copies an option's value, a list or the word any, which becomes an empty list: everybody. Returns false, and leaves
 * *list as it is, if it is neither. */
bool uvr_users_parse(const char *value, char list[UVRELAY_USERS_SIZE]);

#endif
