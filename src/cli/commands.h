/* The commands of the program: the first words of its command line. */
#ifndef UVR_CLI_COMMANDS_H
#define UVR_CLI_COMMANDS_H

#include <stddef.h>

typedef struct uvr_command_entry {
  const char *name;
  /* Runs it; argv[0] is its name, in UTF-8 as the other words. Returns the exit status. */
  int (*run)(int argc, char **argv);
} uvr_command_entry;

/* The command of this name, or NULL. */
const uvr_command_entry *uvr_commands_find(const char *name);

/* The name of the command that was probably meant by a word, of `length` bytes, or NULL. */
const char *uvr_commands_near(const char *word, size_t length);

#endif
