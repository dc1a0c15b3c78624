/* Splicing on Linux: see buffer.h.
 *
 * Ways to fail: no descriptor is left, or so few that others need them, and then the bytes are copied; or the system
 * does not splice these sockets, or forbids it (a sandbox, an old kernel). That moves no byte, so that the caller can
 * go on in the usual way. An error of the socket itself is one of the connection's, as with any read or write. */
#include "base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  PIPES_MAX = 96,  /* of a pool, in use or not: less than half of the pages that Linux lets one user have in pipes */
  PIPES_KEPT = 32, /* of these, empty ones that wait for the next read */
  SIZE = 256 * 1024,
  SIZE_LEAST = 64 * 1024, /* a pipe that the system makes smaller is not worth it */
  PIECE = 4096
};

struct uvr_splice {
  int pipe[2];
  size_t left;        /* bytes that are in the pipe */
  size_t to_write;    /* of these */
  uv_write_t request; /* for a piece */
  uv_stream_t *to;    /* while bytes wait to be written */
  void (*on_written)(void *user, int code);
  void *user;
  bool refused; /* by the system: only pieces are written */
  char piece[PIECE];
};

bool uvr_splice_works(void)
{
  return true;
}

/* The last quarter of the descriptors is left to connections. */
static bool may_have(int fd)
{
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) != 0 || (rlim_t)fd < limit.rlim_cur / 4 * 3;
}

/* The pool whose pipes this one uses. */
static uvr_buffer_pool *home_of(uvr_buffer_pool *pool)
{
  return pool->pipes_of != NULL ? pool->pipes_of : pool;
}

static bool open_pipe(int pipe[2])
{
  if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    return false;
  }
  bool fits = may_have(pipe[1]) &&
              (fcntl(pipe[1], F_SETPIPE_SZ, (long)SIZE) >= SIZE || fcntl(pipe[1], F_GETPIPE_SZ, 0L) >= SIZE_LEAST);
  if (!fits) {
    (void)close(pipe[0]);
    (void)close(pipe[1]);
  }
  return fits;
}

static uvr_buffer *new_buffer(uvr_buffer_pool *pool)
{
  uvr_buffer *buffer = uvr_buffer_new(pool, 0);
  uvr_splice *splice = buffer != NULL ? uvr_alloc(pool->memory, sizeof(*splice)) : NULL;
  if (splice == NULL || !open_pipe(splice->pipe)) {
    uvr_free(pool->memory, splice);
    uvr_free(pool->memory, buffer);
    pool->pipes_fail = true;
    return NULL;
  }
  buffer->splice = splice;
  pool->pipes++;
  return buffer;
}

static void free_buffer(uvr_buffer_pool *pool, uvr_buffer *buffer)
{
  (void)close(buffer->splice->pipe[0]);
  (void)close(buffer->splice->pipe[1]);
  uvr_free(pool->memory, buffer->splice);
  uvr_free(pool->memory, buffer);
  pool->pipes--;
}

/* Closes the empty pipes that are more than are kept. */
static void trim(uvr_buffer_pool *pool)
{
  unsigned kept = 2 * pool->splicing < PIPES_KEPT ? 2 * pool->splicing : PIPES_KEPT;
  while (pool->pipes_free_count > kept) {
    uvr_buffer *buffer = pool->pipes_free;
    pool->pipes_free = buffer->next;
    pool->pipes_free_count--;
    free_buffer(pool, buffer);
  }
}

void uvr_splice_begin(uvr_buffer_pool *pool)
{
  uvr_buffer_pool *home = home_of(pool);
  home->splicing++;
  home->pipes_fail = false;
}

void uvr_splice_end(uvr_buffer_pool *pool)
{
  uvr_buffer_pool *home = home_of(pool);
  home->splicing--;
  home->pipes_fail = false;
  trim(home);
}

void uvr_splice_clear(uvr_buffer_pool *pool)
{
  pool->splicing = 0; /* of its own pipes: it has none if it shares another pool's */
  trim(pool);
}

uvr_buffer *uvr_splice_get(uvr_buffer_pool *pool)
{
  uvr_buffer_pool *home = home_of(pool);
  uvr_buffer *buffer = home->pipes_free;
  if (buffer == NULL) {
    return home->pipes < PIPES_MAX && !home->pipes_fail ? new_buffer(home) : NULL;
  }
  home->pipes_free = buffer->next;
  home->pipes_free_count--;
  buffer->next = NULL;
  buffer->length = 0;
  buffer->splice->refused = false;
  return buffer;
}

bool uvr_splice_is_scarce(uvr_buffer_pool *pool)
{
  const uvr_buffer_pool *home = home_of(pool);
  return home->pipes - home->pipes_free_count > PIPES_MAX / 2;
}

void uvr_splice_put(uvr_buffer_pool *pool, uvr_buffer *buffer)
{
  uvr_buffer_pool *home = home_of(pool);
  if (buffer->splice->left > 0) {
    free_buffer(home, buffer);
    return;
  }
  buffer->next = home->pipes_free;
  home->pipes_free = buffer;
  home->pipes_free_count++;
  trim(home);
}

/* What a failed splice means: nothing can be moved now, the system does not splice here, or the socket's error. */
static int explain(int error)
{
  switch (error) {
  case EAGAIN:
    return UV_EAGAIN;
  case EACCES:
  case EBADF:
  case EINVAL:
  case ENOBUFS:
  case ENOMEM:
  case ENOSYS:
  case EOPNOTSUPP:
  case EPERM:
    return UV_ENOSYS;
  default:
    return uv_translate_sys_error(error);
  }
}

static ssize_t move(int from, int to, size_t size)
{
  ssize_t count;
  do {
    count = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (count < 0 && errno == EINTR);
  return count;
}

ssize_t uvr_splice_read(uvr_buffer *buffer, const uv_stream_t *from, size_t most)
{
  uvr_splice *splice = buffer->splice;
  int fd;
  int code = uv_fileno((const uv_handle_t *)from, &fd);
  if (code != 0) {
    return code;
  }
  ssize_t count = move(fd, splice->pipe[1], most < SIZE ? most : SIZE);
  if (count < 0) {
    return explain(errno);
  }
  splice->left = (size_t)count;
  return count > 0 ? count : UV_EOF;
}

/* Writing. libuv cannot wait until a socket can be spliced to, but it waits to write. So when the socket accepts no
 * more, libuv is given a piece of the bytes, and when this is written, the socket accepts the next ones. */

static int write_more(uvr_splice *splice);

static void on_piece(uv_write_t *request, int code)
{
  uvr_splice *splice = request->data;
  if (code == 0) {
    code = write_more(splice);
  }
  if (code != UV_EAGAIN) {
    splice->on_written(splice->user, code);
  }
}

static int write_piece(uvr_splice *splice)
{
  ssize_t count;
  do {
    count = read(splice->pipe[0], splice->piece, splice->to_write < PIECE ? splice->to_write : PIECE);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) {
    return count == 0 ? UV_EIO : uv_translate_sys_error(errno);
  }
  splice->left -= (size_t)count;
  splice->to_write -= (size_t)count;
  splice->request.data = splice;
  uv_buf_t piece = uv_buf_init(splice->piece, (unsigned)count);
  int code = uv_write(&splice->request, splice->to, &piece, 1, on_piece);
  return code == 0 ? UV_EAGAIN : code;
}

/* Returns what uvr_splice_write returns. */
static int write_more(uvr_splice *splice)
{
  int fd;
  int code = uv_fileno((const uv_handle_t *)splice->to, &fd);
  if (code != 0 || splice->to_write == 0) {
    return code;
  }
  ssize_t count = splice->refused ? 0 : move(splice->pipe[0], fd, splice->to_write);
  if (count > 0) {
    splice->left -= (size_t)count;
    splice->to_write -= (size_t)count;
    return splice->to_write == 0 ? 0 : write_piece(splice); /* there was no room for more */
  }
  code = splice->refused || count == 0 ? UV_ENOSYS : explain(errno);
  if (code != UV_EAGAIN && code != UV_ENOSYS) {
    return code;
  }
  splice->refused = code == UV_ENOSYS;
  return write_piece(splice);
}

int uvr_splice_write(uvr_buffer *buffer, size_t length, uv_stream_t *to, void (*on_written)(void *user, int code),
                     void *user)
{
  uvr_splice *splice = buffer->splice;
  splice->to_write = length;
  splice->to = to;
  splice->on_written = on_written;
  splice->user = user;
  return write_more(splice);
}

size_t uvr_splice_left(const uvr_buffer *buffer)
{
  return buffer->splice->left;
}

bool uvr_splice_is_refused(const uvr_buffer *buffer)
{
  return buffer->splice->refused;
}
