/* The greeting: the line that each end of a mux sends first, and a parser that tells it from anything else. Pure. */
#ifndef UVR_MUX_GREETING_H
#define UVR_MUX_GREETING_H

#include <stddef.h>

/* The version of the protocol, which the greeting names. */
#define UVR_MUX_PROTOCOL "1"
#define UVR_MUX_GREETING "uvrelay-mux/" UVR_MUX_PROTOCOL "\n"

/* The part of the greeting that has been received. All zero at first. */
typedef struct uvr_mux_greeting {
  char text[40];
  size_t length;
} uvr_mux_greeting;

typedef enum uvr_mux_greeting_state {
  UVR_MUX_GREETING_PART,    /* what was received is correct but incomplete */
  UVR_MUX_GREETING_WHOLE,   /* the greeting is complete */
  UVR_MUX_GREETING_VERSION, /* the greeting of another version was received */
  UVR_MUX_GREETING_ALIEN    /* something else was received */
} uvr_mux_greeting_state;

/* Parses the next bytes. Sets *used to how many of them belong to the greeting; those that follow belong to yamux. */
uvr_mux_greeting_state uvr_mux_greeting_parse(uvr_mux_greeting *self, const char *data, size_t length, size_t *used);

/* Writes to `text` a sentence about what was received from `who` in the states VERSION and ALIEN. Bytes other than
 * printable ASCII are escaped. */
void uvr_mux_greeting_describe(const uvr_mux_greeting *self, uvr_mux_greeting_state state, const char *who, char *text,
                               size_t size);

#endif
