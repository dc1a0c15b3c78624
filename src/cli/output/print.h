/* What the program is asked to print: its usage and its version, to standard output. */
#ifndef UVR_CLI_OUTPUT_PRINT_H
#define UVR_CLI_OUTPUT_PRINT_H

/* Prints the text. Returns the exit status: 0, or 1 when it cannot be written, which is said on standard error. */
int uvr_print(const char *text);

/* Prints texts behind each other, up to a NULL, in the same way. */
int uvr_print_parts(const char *const parts[]);

/* Prints the version, and that of libuv, in the same way. */
int uvr_print_version(void);

#endif
