/* Blocks of lines: see block_unix.h. */
#include "cli/setup/block_unix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/setup/text_unix.h"

/* What an editor of Windows may put before the first line. */
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static size_t length_of_line(const char *line)
{
  size_t length = strcspn(line, "\n");
  return line[length] == '\n' ? length + 1 : length;
}

static bool is_line(const char *line, const char *beginning)
{
  return strncmp(line, beginning, strlen(beginning)) == 0;
}

static size_t length_of_mark(const char *text)
{
  return is_line(text, BYTE_ORDER_MARK) ? strlen(BYTE_ORDER_MARK) : 0;
}

uvr_block_state uvr_block_find(const char *text, uvr_block *out)
{
  uvr_block_state state = UVR_BLOCK_NONE;
  bool open = false;
  for (const char *line = text + length_of_mark(text); *line != '\0'; line += length_of_line(line)) {
    if (is_line(line, UVR_BLOCK_BEGIN)) {
      if (state != UVR_BLOCK_NONE) {
        return UVR_BLOCK_DAMAGED;
      }
      state = UVR_BLOCK_FOUND;
      open = true;
      out->start = (size_t)(line - text);
      out->inside = out->start + length_of_line(line);
    } else if (is_line(line, UVR_BLOCK_END)) {
      if (!open) {
        return UVR_BLOCK_DAMAGED;
      }
      open = false;
      out->last = (size_t)(line - text);
      out->end = out->last + length_of_line(line);
    }
  }
  return open ? UVR_BLOCK_DAMAGED : state;
}

char *uvr_block_replace(const char *text, size_t start, size_t end, const char *bytes)
{
  bool lacks_newline = start > length_of_mark(text) && text[start - 1] != '\n' && *bytes != '\0';
  return uvr_setup_format("%.*s%s%s%s", (int)start, text, lacks_newline ? "\n" : "", bytes, text + end);
}

char *uvr_block_make(const char *lines)
{
  return uvr_setup_format("%s [%016" PRIx64 "]\n%s%s\n", UVR_BLOCK_BEGIN, uvr_setup_hash(lines, strlen(lines)), lines,
                          UVR_BLOCK_END);
}

bool uvr_block_is_unchanged(const char *text, const uvr_block *block)
{
  char expected[32];
  const char *lines = text + block->inside;
  (void)snprintf(expected, sizeof(expected), " [%016" PRIx64 "]\n", uvr_setup_hash(lines, block->last - block->inside));
  return strncmp(text + block->start + sizeof(UVR_BLOCK_BEGIN) - 1, expected, strlen(expected)) == 0;
}
