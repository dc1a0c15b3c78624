/* What a program's file is: see program_head.h. */
#include "cli/child/program_head.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

static bool begins_with(const uvr_program_head *head, const char *magic)
{
  size_t length = strlen(magic);
  return head->length >= length && memcmp(head->bytes, magic, length) == 0;
}

static uvr_program_kind kind_of(const uvr_program_head *head)
{
  return head->length == 0 ? UVR_PROGRAM_EMPTY
         : begins_with(head, "\x7F"
                             "ELF")
             ? UVR_PROGRAM_ELF
         : begins_with(head, "MZ")                         ? UVR_PROGRAM_WINDOWS
         : begins_with(head, "#!")                         ? UVR_PROGRAM_SCRIPT
         : memchr(head->bytes, '\0', head->length) == NULL ? UVR_PROGRAM_TEXT
                                                           : UVR_PROGRAM_BINARY;
}

void uvr_program_read(const char *file, uvr_program_head *head)
{
  uv_fs_t request;
  uv_buf_t buf = uv_buf_init((char *)head->bytes, sizeof(head->bytes));
  *head = (uvr_program_head){.kind = UVR_PROGRAM_UNKNOWN};
  uv_file fd = uv_fs_open(NULL, &request, file, UV_FS_O_RDONLY, 0, NULL);
  uv_fs_req_cleanup(&request);
  if (fd < 0) {
    return;
  }
  int length;
  do {
    length = uv_fs_read(NULL, &request, fd, &buf, 1, 0, NULL);
    uv_fs_req_cleanup(&request);
  } while (length == UV_EINTR);
  (void)uv_fs_close(NULL, &request, fd, NULL);
  uv_fs_req_cleanup(&request);
  if (length >= 0) {
    head->length = (size_t)length;
    head->kind = kind_of(head);
  }
}

unsigned long long uvr_program_number(const uvr_program_head *head, size_t offset, size_t size, bool big_endian)
{
  unsigned long long number = 0;
  if (offset > head->length || size > head->length - offset) {
    return 0;
  }
  for (size_t i = 0; i < size; i++) {
    number = number << 8 | head->bytes[big_endian ? offset + i : offset + size - 1 - i];
  }
  return number;
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

char *uvr_program_interpreter(const uvr_program_head *head)
{
  const char *text = (const char *)head->bytes + 2;
  const char *end = head->kind == UVR_PROGRAM_SCRIPT ? memchr(text, '\n', head->length - 2) : NULL;
  if (end == NULL) {
    return NULL;
  }
  while (text < end && is_blank(*text)) {
    text++;
  }
  while (end > text && is_blank(end[-1])) {
    end--;
  }
  size_t length = (size_t)(end - text);
  char *line = malloc(length + 1);
  if (line != NULL) {
    memcpy(line, text, length);
    line[length] = '\0';
  }
  return line;
}
