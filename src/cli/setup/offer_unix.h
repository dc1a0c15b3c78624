/* Which of the pipes and socket files of Windows a preset leads to. Pure. */
#ifndef UVR_CLI_SETUP_OFFER_UNIX_H
#define UVR_CLI_SETUP_OFFER_UNIX_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/facts/ask_facts.h"
#include "cli/input/presets.h"

/* A pipe or a socket file. The texts are parts of one line of the facts, and not ended by a NUL. */
typedef struct uvr_offer {
  const char *place; /* NULL: there is none */
  size_t place_length;
  const char *owner; /* a SID; its length is 0 if it is not known */
  size_t owner_length;
  const char *program; /* the file of its server; its length is 0 if it is not known */
  size_t program_length;
} uvr_offer;

/* Finds what a preset leads to. */
uvr_offer uvr_offer_find(const uvr_facts *facts, const uvr_preset *preset);

/* Whose it is, as a word for the user; *fits: a preset's owner= takes it. */
const char *uvr_offer_owner(const uvr_facts *facts, const uvr_offer *offer, bool *fits);

/* What a program of this file is called: "1Password", or the file's name. Returns `name`. */
const char *uvr_offer_program(const uvr_offer *offer, char *name, size_t size);

#endif
