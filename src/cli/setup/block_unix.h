/* Blocks of lines that setup writes into files of others, such as ~/.profile: between a line that begins them and one
 * that ends them, by which setup recognises them. Pure. */
#ifndef UVR_CLI_SETUP_BLOCK_UNIX_H
#define UVR_CLI_SETUP_BLOCK_UNIX_H

#include <stdbool.h>
#include <stddef.h>

/* The line that begins a block begins with the first text, and may go on with a hash; the one that ends it is the
 * second text. */
#define UVR_BLOCK_BEGIN "# Begin: written by `uvrelay setup`; `uvrelay setup --remove` removes it."
#define UVR_BLOCK_END   "# End: written by `uvrelay setup`."

typedef enum uvr_block_state {
  UVR_BLOCK_NONE,
  UVR_BLOCK_FOUND,
  UVR_BLOCK_DAMAGED /* it has no end, or there are two */
} uvr_block_state;

/* Where a block is, as offsets in the text. */
typedef struct uvr_block {
  size_t start;  /* of the line that begins it */
  size_t inside; /* of its first line */
  size_t last;   /* of the line that ends it */
  size_t end;    /* after that, its newline included */
} uvr_block;

uvr_block_state uvr_block_find(const char *text, uvr_block *out);

/* The text with these bytes put in place of those from `start` to `end`. If they go to the end of a text whose last
 * line has no newline, it gets one. To be freed; NULL: there is no memory. */
char *uvr_block_replace(const char *text, size_t start, size_t end, const char *bytes);

/* A block with these lines, each of them with its newline, and a hash of them in its first line. To be freed; NULL:
 * there is no memory. */
char *uvr_block_make(const char *lines);

/* Whether the lines of a block are those that it was made with. */
bool uvr_block_is_unchanged(const char *text, const uvr_block *block);

#endif
