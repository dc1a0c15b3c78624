/* Lines of a child: see child_lines.h. NUL bytes are dropped, which makes the UTF-16 of some Windows programs readable.
 */
#include "cli/output/child_lines.h"

#include <string.h>

#include "base/text.h"

const char *uvr_child_lines_escape(char *out, size_t size, const char *text, bool cut)
{
  size_t used = 0;
  size_t fits = 0; /* how much of `out` is kept if "..." must be added */
  while (*text != '\0') {
    char escaped[UVR_ESCAPED_SIZE] = " ";
    bool tab = *text == '\t';
    size_t length = tab ? 1 : uvr_escape_next(&text, escaped);
    text += tab ? 1 : 0;
    if (used + length >= size) {
      cut = true;
      break;
    }
    memcpy(out + used, escaped, length);
    used += length;
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
