/* A child: see child.h.
 *
 * It makes three pipes, whose other ends the child gets. When the child has exited and its standard error has ended, or
 * 100 ms after its exit, on_exit is called; then all handles are closed, and the last one frees the memory. After a
 * failed start the handles are closed in the same way, without on_exit.
 *
 * It has five seconds to end by itself because signals may do harm: in WSL the process is only the Linux side of one of
 * Windows. If it is killed, that one may live on, and a thread of WSL may spin forever (microsoft/WSL issue 41173). */
#include "cli/child/child.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/child/spawn.h"
#include "cli/output/child_lines.h"
#include "stream/stdio_os.h"

enum {
  ERROR_PATIENCE_MS = 100,
  LINE_PATIENCE_MS = 100,
  END_MS = 5000,    /* to exit by itself */
  SIGNAL_MS = 1000, /* to exit by a signal */
  READ_SIZE = 4096
};

struct uvr_child {
  uvr_spawn *process;  /* NULL: it was not started */
  uv_pipe_t error;     /* our end of its standard error */
  uv_timer_t timer;    /* after its exit: until its standard error ends, too; before: until a line counts as whole */
  uv_timer_t patience; /* while it is ended: until the next signal */
  unsigned open;       /* handles that are not closed yet */
  bool error_ended;
  int next_signal; /* while it is ended; 0: it is given up */
  uvr_child_exit exit;
  uvr_child_exit_cb on_exit;
  void *user;
  uvr_child_lines lines;
  char bytes[READ_SIZE];
};

static void count_closed(void *user)
{
  uvr_child *self = user;
  if (--self->open == 0) {
    free(self);
  }
}

static void on_closed(uv_handle_t *handle)
{
  count_closed(handle->data);
}

static void close_all(uvr_child *self)
{
  if (self->process != NULL) {
    uvr_spawn_close(self->process);
  }
  uv_close((uv_handle_t *)&self->error, on_closed);
  uv_close((uv_handle_t *)&self->timer, on_closed);
  uv_close((uv_handle_t *)&self->patience, on_closed);
}

static void finish(uvr_child *self)
{
  uvr_child_lines_end(&self->lines);
  self->on_exit(self->user, &self->exit);
  close_all(self);
}

static void on_timer(uv_timer_t *timer)
{
  uvr_child *self = timer->data;
  if (self->exit.exited) {
    finish(self);
  } else {
    uvr_child_lines_settle(&self->lines);
  }
}

static void on_process_exit(void *user, int64_t status, int signal)
{
  uvr_child *self = user;
  self->exit.exited = true;
  self->exit.status = status;
  self->exit.signal = signal;
  (void)uv_timer_stop(&self->patience);
  (void)uv_timer_start(&self->timer, on_timer, self->error_ended ? 0 : ERROR_PATIENCE_MS, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  uvr_child *self = handle->data;
  (void)suggested;
  *buf = uv_buf_init(self->bytes, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  uvr_child *self = stream->data;
  if (count > 0) {
    uvr_child_lines_add(&self->lines, buf->base, (size_t)count);
    if (self->lines.held && !self->exit.exited) {
      (void)uv_timer_start(&self->timer, on_timer, LINE_PATIENCE_MS, 0);
    }
  } else if (count < 0) {
    self->error_ended = true;
    (void)uv_read_stop(stream);
    if (self->exit.exited) {
      (void)uv_timer_start(&self->timer, on_timer, 0, 0);
    }
  }
}

/* The ends of the three pipes: ours, and the child's; -1: none. */
typedef struct pipes {
  uv_file ours[3];
  uv_file its[3];
} pipes;

static int make_pipe(pipes *self, size_t i)
{
  uv_file fds[2];
  bool to_child = i == 0;
  int code = uv_pipe(fds, to_child ? 0 : UV_NONBLOCK_PIPE, to_child ? UV_NONBLOCK_PIPE : 0);
  if (code == 0) {
    self->ours[i] = fds[to_child ? 1 : 0];
    self->its[i] = fds[to_child ? 0 : 1];
  }
  return code;
}

static void close_ends(uv_file ends[3])
{
  for (size_t i = 0; i < 3; i++) {
    if (ends[i] != -1) {
      uvr_stdio_close(ends[i]);
      ends[i] = -1;
    }
  }
}

static int start(uvr_child *self, const uvr_child_options *options, pipes *ends)
{
  int code = 0;
  for (size_t i = 0; code == 0 && i < 3; i++) {
    code = make_pipe(ends, i);
  }
  if (code == 0) {
    code = uv_pipe_open(&self->error, ends->ours[2]);
    ends->ours[2] = code == 0 ? -1 : ends->ours[2]; /* the handle owns it now */
  }
  const uvr_spawn_options process = {
      .file = options->file,
      .argv = options->argv,
      .environment = options->environment,
      .directory = options->directory,
      .stdio = {ends->its[0], ends->its[1], ends->its[2]},
      .has_fd = options->has_fd,
      .fd = options->fd,
      .on_exit = on_process_exit,
      .on_closed = count_closed,
      .user = self,
  };
  code = code != 0 ? code : uvr_spawn_start(self->timer.loop, &process, &self->process);
  self->open += code == 0 ? 1 : 0;
  if (code == 0 && uv_read_start((uv_stream_t *)&self->error, on_alloc, on_read) != 0) {
    self->error_ended = true;
  }
  return code;
}

static void init(uvr_child *self, uv_loop_t *loop, const uvr_child_options *options)
{
  (void)uv_timer_init(loop, &self->timer);
  (void)uv_timer_init(loop, &self->patience);
  (void)uv_pipe_init(loop, &self->error, 0);
  self->open = 3;
  self->timer.data = self;
  self->patience.data = self;
  self->error.data = self;
  self->on_exit = options->on_exit;
  self->user = options->user;
  self->lines = (uvr_child_lines){.on_line = options->on_line, .user = options->user};
}

int uvr_child_start(uv_loop_t *loop, const uvr_child_options *options, uvr_child **out, uv_file *input, uv_file *output)
{
  pipes ends = {.ours = {-1, -1, -1}, .its = {-1, -1, -1}};
  uvr_child *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    return UV_ENOMEM;
  }
  init(self, loop, options);
  int code = start(self, options, &ends);
  close_ends(ends.its);
  if (code == 0) {
    *out = self;
    *input = ends.ours[0];
    *output = ends.ours[1];
  } else {
    close_ends(ends.ours);
    close_all(self);
  }
  return code;
}

int uvr_child_number(const uvr_child *self)
{
  return uvr_spawn_number(self->process);
}

/* The next step to end it: SIGTERM, SIGKILL, and then it is given up. */
static void on_patience(uv_timer_t *timer)
{
  uvr_child *self = timer->data;
  if (self->next_signal == 0) {
    finish(self);
    return;
  }
  uvr_spawn_signal(self->process, self->next_signal);
  self->exit.signalled = true;
  self->next_signal = self->next_signal == SIGTERM ? SIGKILL : 0;
  (void)uv_timer_start(timer, on_patience, SIGNAL_MS, 0);
}

static void end(uvr_child *self, int signal, uint64_t ms)
{
  self->next_signal = signal;
  if (!self->exit.exited) {
    (void)uv_timer_start(&self->patience, on_patience, ms, 0);
  }
}

void uvr_child_end(uvr_child *self)
{
  end(self, SIGTERM, END_MS);
}

void uvr_child_kill(uvr_child *self)
{
  end(self, SIGKILL, 0);
}

void uvr_child_hand_over(uvr_child *self, void (*on_line)(void *user, const char *line), uvr_child_exit_cb on_exit)
{
  self->lines.on_line = on_line;
  self->on_exit = on_exit;
}
