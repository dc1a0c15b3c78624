/* Command lines in the syntax of Go's flag package, one flag at a time. Pure. */
#ifndef UVR_CLI_INPUT_FLAGS_H
#define UVR_CLI_INPUT_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef enum uvr_flag_kind {
  UVR_FLAG_SWITCH, /* -x, -x=true or -x=false, see uvr_flag_truth() */
  UVR_FLAG_VALUE,  /* -x=VALUE or -x VALUE */
  UVR_FLAG_ALONE   /* -x; a value is ignored */
} uvr_flag_kind;

typedef struct uvr_flag {
  const char *name;
  int id;
  uvr_flag_kind kind;
  const char *form; /* UVR_FLAG_VALUE: how to write it, for messages: "--timeout=SECONDS" */
} uvr_flag;

/* The state of parsing. `next` must be the index of the first argument at first. */
typedef struct uvr_flags {
  const uvr_flag *table;
  size_t count;
  const char *all; /* which flags there are, or how to list them: the end of the error of an unknown flag */
  int argc;
  char *const *argv;
  int next;
  bool ended;             /* a "--" has ended the flags */
  uvrelay_error_t *error; /* may be NULL */
} uvr_flags;

/* A flag as it was given. */
typedef struct uvr_parsed_flag {
  int id;
  bool on;           /* UVR_FLAG_SWITCH */
  const char *value; /* UVR_FLAG_VALUE: in argv */
} uvr_parsed_flag;

typedef enum uvr_flags_step {
  UVR_FLAGS_FOUND, /* *out is the flag */
  UVR_FLAGS_LAST,  /* there are no more flags: `next` is the index of the first other argument */
  UVR_FLAGS_WRONG  /* *error says why, with code UV_EINVAL */
} uvr_flags_step;

/* Parses the next flag, if there is one. */
uvr_flags_step uvr_flags_next(uvr_flags *self, uvr_parsed_flag *out);

/* Parses the value of a switch: the truth values of Go's strconv.ParseBool, and on and off. */
bool uvr_flag_truth(const char *text, bool *value);

/* Whether an argument looks like a flag, which is an error after the flags. */
bool uvr_looks_like_flag(const char *argument);

#endif
