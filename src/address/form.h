/* A form: one kind of address, how it is written and what it has. Each kind's form is a constant in a file of its own,
 * and a row of the table in address.c. Below it, what the parsers of the forms share. */
#ifndef UVR_ADDRESS_FORM_H
#define UVR_ADDRESS_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address/types.h"
#include "base/error.h"

/* What `parse_bare` returns for a text that is not of its form. */
#define UVR_NOT_THIS_FORM 1

typedef struct uvr_address_form {
  uvr_address_kind kind;
  const char *scheme;  /* how the text begins, in lower case, with the colon */
  const char *example; /* how to write it, for a message that lists the forms */
  unsigned traits;     /* of uvr_address_trait */
  bool listen_only;    /* known with UVR_ADDRESS_LISTEN only, and not listed */
  /* Parses `text`, which begins with the scheme; `rest` is what follows it. *out is all zero before; the caller sets
   * its kind. Returns 0 or UV_EINVAL and *error. */
  int (*parse)(const char *text, const char *rest, unsigned flags, uvr_address *out, uvrelay_error_t *error);
  /* Parses a text that may be of this form without having its scheme. NULL where the scheme is needed. */
  int (*parse_bare)(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error);
  /* Changes the port of an address. NULL where it has none. */
  void (*set_port)(uvr_address *address, uint16_t port);
} uvr_address_form;

extern const uvr_address_form uvr_npipe_form;
extern const uvr_address_form uvr_unix_form;
extern const uvr_address_form uvr_tcp_form;
extern const uvr_address_form uvr_assuan_form;
extern const uvr_address_form uvr_abstract_form;
extern const uvr_address_form uvr_fd_form;

#define UVR_SLASHES "/\\"

/* Refuses `text`: fills in *error (which may be NULL) and returns UV_EINVAL. The format continues the sentence that
 * begins with "the address TEXT ". */
int uvr_address_refuse(const char *text, uvrelay_error_t *error, const char *format, ...) UVR_PRINTF(3, 4);

/* The same for a text that is not an address: the sentence begins with "the NOUN TEXT ". */
int uvr_text_refuse(const char *noun, const char *text, uvrelay_error_t *error, const char *format, ...)
    UVR_PRINTF(4, 5);

bool uvr_is_slash(char c);
bool uvr_is_letter(char c);
bool uvr_is_digit(char c);

/* Whether `text` begins with a drive letter, a colon and a slash. */
bool uvr_is_drive(const char *text);

/* What follows the // of a text like //PATH or //HOST:PORT, which may be left out. */
const char *uvr_path_of(const char *rest);

/* Whether `text` begins with `word`, which is in lower case, in letters of either case. */
bool uvr_begins(const char *text, const char *word);

/* The variables of Windows that may appear in addresses. In upper or lower case, as Windows ignores the case. */
#define UVR_FILE_VARIABLES "%LOCALAPPDATA%, %APPDATA% or %USERPROFILE%"
#define UVR_USER_VARIABLE  "%USERNAME%"

/* The length of one of UVR_FILE_VARIABLES with which a path begins, followed by a slash; or 0. */
size_t uvr_file_variable(const char *path);

/* Where UVR_USER_VARIABLE is in a pipe's name, or NULL. */
const char *uvr_user_variable(const char *name);

/* What is wrong with a computer's name or IPv4 address of `length` bytes, or NULL if nothing is. */
const char *uvr_host_fault(const char *host, size_t length);

#endif
