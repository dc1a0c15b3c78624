/* The usage of `uvrelay serve`. */
#ifndef UVR_CLI_INPUT_SERVE_USAGE_H
#define UVR_CLI_INPUT_SERVE_USAGE_H

/* In parts that follow each other, the last one a NULL: lines of at most 80 columns, each with its newline. */
const char *const *uvr_serve_usage(void);

#endif
