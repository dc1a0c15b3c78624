/* Lines of a child: see child_lines.h. NUL bytes are dropped, which makes the UTF-16 of some Windows programs readable.
 */
#include "cli/output/child_lines.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *uvr_child_lines_escape(char *out, size_t size, const char *text, bool cut)
{
  size_t used = 0;
  size_t fits = 0; /* how much of `out` is kept if "..." must be added */
  while (*text != '\0') {
    char piece[8];
    uint32_t point = 0;
    size_t length = uvr_utf8_next(text, &point);
    size_t added = length;
    if (length == 0 || (uvr_is_control(point) && point != '\t')) {
      length = 1; /* a control character of two bytes is shown byte by byte */
      added = sizeof("\\x00") - 1;
      (void)snprintf(piece, sizeof(piece), "\\x%02x", (unsigned)(unsigned char)*text);
    } else {
      memcpy(piece, point == '\t' ? " " : text, length);
    }
    if (used + added >= size) {
      cut = true;
      break;
    }
    memcpy(out + used, piece, added);
    used += added;
    text += length;
    fits = used + sizeof("...") <= size ? used : fits;
  }
  if (cut) {
    memcpy(out + fits, "...", 3);
    used = fits + 3;
  }
  out[used] = '\0';
  return out;
}

static void end_line(uvr_child_lines *self)
{
  char line[UVR_CHILD_LINES_MAX + 1];
  size_t length = self->length;
  while (length > 0 && !self->cut && strchr(" \t\r", self->text[length - 1]) != NULL) {
    length--;
  }
  self->text[length] = '\0';
  if (length > 0) {
    self->on_line(self->user, uvr_child_lines_escape(line, sizeof(line), self->text, self->cut));
  }
  self->length = 0;
  self->cut = false;
}

void uvr_child_lines_add(uvr_child_lines *self, const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == '\n') {
      end_line(self);
    } else if (bytes[i] != '\0' && self->length < UVR_CHILD_LINES_MAX) {
      self->text[self->length++] = bytes[i];
    } else {
      self->cut = self->cut || bytes[i] != '\0';
    }
  }
}

void uvr_child_lines_end(uvr_child_lines *self)
{
  end_line(self);
}
