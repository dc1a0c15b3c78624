/* The beginning of a program's file, which tells what the file is. */
#ifndef UVR_CLI_CHILD_PROGRAM_HEAD_H
#define UVR_CLI_CHILD_PROGRAM_HEAD_H

#include <stdbool.h>
#include <stddef.h>

typedef enum uvr_program_kind {
  UVR_PROGRAM_UNKNOWN, /* it cannot be read */
  UVR_PROGRAM_EMPTY,
  UVR_PROGRAM_ELF,     /* a program for Linux, or another Unix */
  UVR_PROGRAM_WINDOWS, /* for Windows or DOS: it begins with MZ */
  UVR_PROGRAM_SCRIPT,  /* it begins with #! */
  UVR_PROGRAM_TEXT,
  UVR_PROGRAM_BINARY /* anything else */
} uvr_program_kind;

/* The beginning of a file. */
typedef struct uvr_program_head {
  uvr_program_kind kind;
  size_t length;
  unsigned char bytes[4096];
} uvr_program_head;

void uvr_program_read(const char *file, uvr_program_head *head);

/* A number of `size` bytes, at most 8, at `offset`; 0 if it is not in the head. */
unsigned long long uvr_program_number(const uvr_program_head *head, size_t offset, size_t size, bool big_endian);

/* The first line after `#!`, without blanks around it; NULL: the file is not a script, or the line is too long. To be
 * freed. */
char *uvr_program_interpreter(const uvr_program_head *head);

#endif
