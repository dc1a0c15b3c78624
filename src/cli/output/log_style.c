/* Styles of the log: see log_style.h. */
#include "cli/output/log_style.h"

#include <stdio.h>
#include <string.h>

/* A mark is a byte, the level, and with TIMED the time and a blank. No value of that byte is a newline's. */
enum { LEVEL = 7, TIMED = 8, MARK_END = 16, TIME_LENGTH = 25, RENDER_SIZE = 4096 };

void uvr_log_mark(uvr_text_line *line, uvr_log_level level, bool timed)
{
  uvr_text_line mark = {.text = NULL};
  const char byte = (char)((unsigned)level | (timed ? TIMED : 0U));
  uvr_text_line_bytes(&mark, &byte, 1);
  if (timed) {
    uvr_text_line_now(&mark);
    uvr_text_line_add(&mark, " ");
  }
  uvr_text_line_insert(line, mark.text, mark.length);
  uvr_text_line_clear(&mark);
}

bool uvr_log_is_marked(const char *text)
{
  return *text > 0 && *text < MARK_END && *text != '\n';
}

/* What is written of a line: its own text, with or without its newline, between two others. */
typedef struct line_parts {
  char before[16];
  const char *text;
  size_t length;
  const char *after;
} line_parts;

/* Takes the first line of a text. */
static line_parts take_line(const uvr_log_style *style, const char **text, size_t *length)
{
  const char *newline = memchr(*text, '\n', *length);
  size_t taken = newline == NULL ? *length : (size_t)(newline - *text) + 1;
  bool marked = uvr_log_is_marked(*text);
  unsigned level = marked ? (unsigned)**text & LEVEL : UVR_LOG_INFO;
  size_t time = marked && ((unsigned)**text & TIMED) != 0 && taken > TIME_LENGTH ? TIME_LENGTH : 0;
  size_t skipped = (marked ? 1 : 0) + (style->times ? 0 : time);
  bool coloured = style->colours && level <= UVR_LOG_WARNING && newline != NULL;
  line_parts line = {.text = *text + skipped, .length = taken - skipped - (coloured ? 1 : 0), .after = ""};
  if (style->priorities) {
    (void)snprintf(line.before, sizeof(line.before), "<%u>", level);
  } else if (coloured) {
    (void)snprintf(line.before, sizeof(line.before), "\x1B[%um", level == UVR_LOG_WARNING ? 33U : 31U);
    line.after = "\x1B[0m\n";
  }
  *text += taken;
  *length -= taken;
  return line;
}

void uvr_log_style_render(const uvr_log_style *style, const char *text, size_t length,
                          void (*write)(void *user, const char *text, size_t length), void *user)
{
  char block[RENDER_SIZE];
  size_t used = 0;
  while (length > 0) {
    const line_parts line = take_line(style, &text, &length);
    const char *const parts[] = {line.before, line.text, line.after};
    const size_t sizes[] = {strlen(line.before), line.length, strlen(line.after)};
    size_t size = sizes[0] + sizes[1] + sizes[2];
    if (used > 0 && size > sizeof(block) - used) {
      write(user, block, used);
      used = 0;
    }
    for (size_t i = 0; i < 3; i++) {
      if (size > sizeof(block) && sizes[i] > 0) {
        write(user, parts[i], sizes[i]);
      } else if (size <= sizeof(block)) {
        memcpy(block + used, parts[i], sizes[i]);
        used += sizes[i];
      }
    }
  }
  if (used > 0) {
    write(user, block, used);
  }
}
