/* A child: see child.h.
 *
 * It makes three pipes. The child's ends of them are libuv handles until it is started: on Windows libuv would give it
 * a console window if they were descriptors. When the child has exited and its standard error has ended, or 100 ms
 * after its exit, on_exit is called; then all handles are closed, and the last one frees the memory. After a failed
 * start the handles are closed in the same way, without on_exit. */
#include "cli/child/child.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/child/check_program.h"
#include "cli/os/process.h"
#include "cli/output/child_lines.h"
#include "stream/stdio_os.h"

enum { ERROR_PATIENCE_MS = 100, LINE_PATIENCE_MS = 100, READ_SIZE = 4096, HANDLES = 6 };

struct uvr_child {
  uv_process_t process;
  uv_pipe_t error;   /* our end of its standard error */
  uv_pipe_t ends[3]; /* the child's ends of the three pipes */
  uv_timer_t timer;  /* after its exit: until its standard error ends, too; before: until a line counts as whole */
  unsigned open;     /* handles that are not closed yet */
  bool error_ended;
  bool exited;
  int64_t status;
  int signal;
  void (*on_exit)(void *user, int64_t status, int signal);
  void *user;
  uvr_child_lines lines;
  char bytes[READ_SIZE];
};

static void on_closed(uv_handle_t *handle)
{
  uvr_child *self = handle->data;
  if (--self->open == 0) {
    free(self);
  }
}

static void close_handle(uvr_child *self, uv_handle_t *handle)
{
  handle->data = self;
  uv_close(handle, on_closed);
}

/* Closes all handles but the child's ends of the pipes. */
static void close_all(uvr_child *self)
{
  close_handle(self, (uv_handle_t *)&self->process);
  close_handle(self, (uv_handle_t *)&self->error);
  close_handle(self, (uv_handle_t *)&self->timer);
}

static void finish(uvr_child *self)
{
  uvr_child_lines_end(&self->lines);
  self->on_exit(self->user, self->status, self->signal);
  close_all(self);
}

static void on_timer(uv_timer_t *timer)
{
  uvr_child *self = timer->data;
  if (self->exited) {
    finish(self);
  } else {
    uvr_child_lines_settle(&self->lines);
  }
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
  uvr_child *self = process->data;
  self->exited = true;
  (void)uvr_process_signal_group(process->pid, SIGKILL); /* the rest of its group; daemons have groups of their own */
  self->status = status;
  self->signal = signal;
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
    if (self->lines.held && !self->exited) {
      (void)uv_timer_start(&self->timer, on_timer, LINE_PATIENCE_MS, 0);
    }
  } else if (count < 0) {
    self->error_ended = true;
    (void)uv_read_stop(stream);
    if (self->exited) {
      (void)uv_timer_start(&self->timer, on_timer, 0, 0);
    }
  }
}

/* Makes a pipe: the child's end is the handle `end`, ours is *fd. `to_child`: we write to it. */
static int make_pipe(uvr_child *self, size_t end, bool to_child, uv_file *fd)
{
  uv_file fds[2];
  int code = uv_pipe(fds, to_child ? 0 : UV_NONBLOCK_PIPE, to_child ? UV_NONBLOCK_PIPE : 0);
  if (code != 0) {
    return code;
  }
  *fd = fds[to_child ? 1 : 0];
  code = uv_pipe_open(&self->ends[end], fds[to_child ? 0 : 1]);
  if (code != 0) {
    uvr_stdio_close(fds[to_child ? 0 : 1]);
  }
  return code;
}

static int spawn_file(uvr_child *self, const uvr_child_options *options, const char *file, char **argv)
{
  uv_stdio_container_t stdio[4];
  for (int i = 0; i < 3; i++) {
    stdio[i].flags = UV_INHERIT_STREAM;
    stdio[i].data.stream = (uv_stream_t *)&self->ends[i];
  }
  stdio[3].flags = UV_INHERIT_FD;
  stdio[3].data.fd = options->fd;
  const uv_process_options_t process = {
      .exit_cb = on_process_exit,
      .file = file,
      .args = argv,
      .env = options->environment,
      .cwd = options->directory,
      .flags = UV_PROCESS_WINDOWS_HIDE | (uvr_process_has_sessions() ? (unsigned)UV_PROCESS_DETACHED : 0),
      .stdio_count = options->has_fd ? 4 : 3,
      .stdio = stdio,
  };
  return uv_spawn(self->process.loop, &self->process, &process);
}

static int spawn(uvr_child *self, const uvr_child_options *options)
{
  const char *shell = uvr_program_shell(options->file);
  if (shell == NULL) {
    return spawn_file(self, options, options->file, options->argv);
  }
  size_t count = 0;
  while (options->argv[count] != NULL) {
    count++;
  }
  char **argv = calloc(count + 2, sizeof(*argv));
  if (argv == NULL) {
    return UV_ENOMEM;
  }
  argv[0] = (char *)shell; /* libuv's type; nobody writes to it */
  argv[1] = (char *)options->file;
  for (size_t i = 1; i < count; i++) {
    argv[i + 1] = options->argv[i];
  }
  int code = spawn_file(self, options, shell, argv);
  free(argv);
  return code;
}

static int start(uvr_child *self, const uvr_child_options *options, uv_file fds[3])
{
  int code = make_pipe(self, 0, true, &fds[0]);
  code = code != 0 ? code : make_pipe(self, 1, false, &fds[1]);
  code = code != 0 ? code : make_pipe(self, 2, false, &fds[2]);
  if (code == 0) {
    code = uv_pipe_open(&self->error, fds[2]);
    fds[2] = code == 0 ? -1 : fds[2]; /* the handle owns it now */
  }
  code = code != 0 ? code : spawn(self, options);
  if (code == 0 && uv_read_start((uv_stream_t *)&self->error, on_alloc, on_read) != 0) {
    self->error_ended = true;
  }
  return code;
}

static void init(uvr_child *self, uv_loop_t *loop, const uvr_child_options *options)
{
  (void)uv_timer_init(loop, &self->timer);
  (void)uv_pipe_init(loop, &self->error, 0);
  for (size_t i = 0; i < 3; i++) {
    (void)uv_pipe_init(loop, &self->ends[i], 0);
  }
  self->open = HANDLES;
  self->timer.data = self;
  self->error.data = self;
  self->process.data = self;
  self->process.loop = loop; /* uv_spawn sets it, too */
  self->on_exit = options->on_exit;
  self->user = options->user;
  self->lines = (uvr_child_lines){.on_line = options->on_line, .user = options->user};
}

int uvr_child_start(uv_loop_t *loop, const uvr_child_options *options, uvr_child **out, uv_file *input, uv_file *output)
{
  uv_file fds[3] = {-1, -1, -1}; /* ours */
  uvr_child *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    return UV_ENOMEM;
  }
  init(self, loop, options);
  int code = start(self, options, fds);
  for (size_t i = 0; i < 3; i++) {
    close_handle(self, (uv_handle_t *)&self->ends[i]);
  }
  if (code == 0) {
    *out = self;
    *input = fds[0];
    *output = fds[1];
    return 0;
  }
  for (size_t i = 0; i < 3; i++) {
    if (fds[i] != -1) {
      uvr_stdio_close(fds[i]);
    }
  }
  if (self->process.type != UV_PROCESS) { /* uv_spawn was not called, or refused its arguments */
    self->open--;
    close_handle(self, (uv_handle_t *)&self->error);
    close_handle(self, (uv_handle_t *)&self->timer);
  } else {
    close_all(self);
  }
  return code;
}

int uvr_child_number(const uvr_child *self)
{
  return uv_process_get_pid(&self->process);
}

void uvr_child_signal(uvr_child *self, int signal)
{
  if (!self->exited && !uvr_process_signal_group(uvr_child_number(self), signal)) {
    (void)uv_process_kill(&self->process, signal);
  }
}

void uvr_child_close(uvr_child *self)
{
  uvr_child_signal(self, SIGKILL);
  close_all(self);
}
