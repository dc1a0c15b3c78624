/* Writing the log to a descriptor: see log_fd.h. */
#include "cli/output/log_fd.h"

#include "cli/os/journal.h"
#include "cli/os/terminal.h"
#include "stream/blocking_file.h"

uvr_log_style uvr_log_fd_style(uv_file fd)
{
  bool journal = uvr_journal_is(fd);
  return (uvr_log_style){.priorities = journal, .colours = !journal && uvr_terminal_has_colours(fd)};
}

static void write_fd(void *user, const char *text, size_t length)
{
  (void)uvr_blocking_file_write(user, text, length);
}

void uvr_log_fd_write(uv_file fd, const uvr_log_style *style, const char *text, size_t length)
{
  uvr_blocking_file file = uvr_blocking_file_of(fd, false);
  unsigned long state = style->colours ? uvr_terminal_begin_colours(fd) : 0;
  uvr_log_style_render(style, text, length, write_fd, &file);
  if (style->colours) {
    uvr_terminal_end_colours(fd, state);
  }
}
