/* Command lines in the syntax of Go's flag package, one flag at a time. Pure. */
#ifndef UVR_CLI_INPUT_FLAGS_H
#define UVR_CLI_INPUT_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef enum uvr_flag_kind {
  UVR_FLAG_SWITCH, /* -x, -x=true or -x=false */
  UVR_FLAG_VALUE,  /* -x=VALUE or -x VALUE */
  UVR_FLAG_ALONE   /* -x; should it have a value, that is not looked at */
} uvr_flag_kind;

typedef struct uvr_flag {
  const char *name;
  int id;
  uvr_flag_kind kind;
  const char *form; /* UVR_FLAG_VALUE: how it is to be written, "--timeout=SECONDS" */
} uvr_flag;

/* The state of parsing. `next` begins as the first argument's number. */
typedef struct uvr_flags {
  const uvr_flag *table;
  size_t count;
  const char *all; /* which flags there are, or how to learn that: ends the refusal of an unknown one */
  int argc;
  char *const *argv;
  int next;
  uvrelay_error_t *error; /* may be NULL */
} uvr_flags;

/* A flag that was taken. */
typedef struct uvr_flag_taken {
  int id;
  bool on;           /* UVR_FLAG_SWITCH */
  const char *value; /* UVR_FLAG_VALUE: in argv */
} uvr_flag_taken;

typedef enum uvr_flags_step {
  UVR_FLAGS_TAKEN, /* *out is filled in */
  UVR_FLAGS_LAST,  /* there is no further flag: `next` is the first argument that is none */
  UVR_FLAGS_WRONG  /* *error says why, with code UV_EINVAL */
} uvr_flags_step;

/* Takes the next flag, if there is one. */
uvr_flags_step uvr_flags_take(uvr_flags *self, uvr_flag_taken *out);

/* Whether an argument behind the flags looks like one that stands in the wrong place. */
bool uvr_flags_like(const char *argument);

#endif
