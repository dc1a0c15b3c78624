/* What each end of a mux says first, and the telling apart of what the other end says instead. Pure. */
#ifndef UVR_MUX_GREETING_H
#define UVR_MUX_GREETING_H

#include <stddef.h>

#define UVR_MUX_GREETING "uvrelay-mux/1\n"

/* As much of it as has come; at first all zero. */
typedef struct uvr_mux_greeting {
  char text[40];
  size_t length;
} uvr_mux_greeting;

typedef enum uvr_mux_greeting_state {
  UVR_MUX_GREETING_PART,    /* so far it is right */
  UVR_MUX_GREETING_WHOLE,   /* it has come */
  UVR_MUX_GREETING_VERSION, /* another version's has */
  UVR_MUX_GREETING_ALIEN    /* something else has */
} uvr_mux_greeting_state;

/* Takes the next bytes. *used are those that belong to the greeting: what comes behind it is yamux's. */
uvr_mux_greeting_state uvr_mux_greeting_take(uvr_mux_greeting *self, const char *data, size_t length, size_t *used);

/* Puts into `text` what `who` says, if it is another version's or something else, with what is no plain text written
 * out. */
void uvr_mux_greeting_tell(const uvr_mux_greeting *self, uvr_mux_greeting_state state, const char *who, char *text,
                           size_t size);

#endif
