/* What the program is asked to print: its usage and its version, to standard output; and how to ask for it. */
#ifndef UVR_CLI_OUTPUT_PRINT_H
#define UVR_CLI_OUTPUT_PRINT_H

/* Prints the text. Returns the exit status: 0, or 1 when it cannot be written, which is said on standard error. */
int uvr_print(const char *text);

/* Prints texts one after another, up to a NULL, in the same way. */
int uvr_print_parts(const char *const parts[]);

/* Prints to standard error how to get help on a command, after the sentence that says why its command line is wrong.
 */
void uvr_print_try(const char *command);

/* Prints the version in the same way, and below it what the program was built with: see built_for.h. Nothing of it
 * depends on where or when it was built. */
int uvr_print_version(void);

#endif
