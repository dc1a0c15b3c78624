/* The file of a listening socket in a place where others can write: what they do there between two calls of the system
 * changes no other file and is noticed. This program has a bind, a connect and a clone of its own, which do what such a
 * person could do at that instant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "endpoint/socket_file_unix.h"
#include "scratch.h"

typedef struct place {
  scratch files;
  char path[SCRATCH_PATH_MAX];
  uvr_address address;
} place;

/* What the other user does; each hook runs once in each process. They only make calls of the system, as bind may be
 * called in a child process. */
static void (*before_bind)(void);
static void (*after_bind)(void);
static void (*after_connect)(void);
static bool no_children;
static bool others_wait;                  /* for the child */
static char path_of[4][SCRATCH_PATH_MAX]; /* the socket, where it is moved to, the victim, a directory */

enum { SOCKET, MOVED, VICTIM, DIRECTORY };

static void run_hook(void (**hook)(void))
{
  void (*run)(void) = *hook;
  *hook = NULL;
  if (run != NULL) {
    run();
  }
}

#ifdef __GLIBC__
typedef __CONST_SOCKADDR_ARG socket_name; /* a union, so that callers need no cast */
#define ADDRESS_OF(name) (name).__sockaddr__
#else
typedef const struct sockaddr *socket_name;
#define ADDRESS_OF(name) (name)
#endif

int bind(int fd, socket_name name, socklen_t size)
{
  run_hook(&before_bind);
  long result = syscall(SYS_bind, fd, ADDRESS_OF(name), size);
  int error = errno;
  run_hook(&after_bind);
  errno = error;
  return (int)result;
}

int connect(int fd, socket_name name, socklen_t size)
{
  long result = syscall(SYS_connect, fd, ADDRESS_OF(name), size);
  int error = errno;
  run_hook(&after_connect);
  errno = error;
  return (int)result;
}

/* What is in path_of. */

static void exchange(void)
{
  (void)rename(path_of[SOCKET], path_of[MOVED]);
  (void)rename(path_of[VICTIM], path_of[SOCKET]);
}

static void put_link(void)
{
  if (rename(path_of[SOCKET], path_of[MOVED]) != 0 || symlink(path_of[VICTIM], path_of[SOCKET]) != 0) {
    abort();
  }
}

static void put_file(void)
{
  (void)close(open(path_of[SOCKET], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void exchange_directory(void)
{
  (void)rename(path_of[DIRECTORY], path_of[MOVED]);
  (void)mkdir(path_of[DIRECTORY], 0700);
  (void)chmod(path_of[DIRECTORY], 0700); /* whatever the umask is */
}

static void parse(place *p, const char *name)
{
  char text[SCRATCH_PATH_MAX + 8];
  (void)scratch_path(&p->files, name, p->path);
  (void)snprintf(text, sizeof(text), "unix://%s", p->path);
  assert_int_equal(uvr_address_parse(text, UVR_ADDRESS_LISTEN, &p->address, NULL), 0);
  (void)strcpy(path_of[SOCKET], p->path);
}

static void place_init(place *p)
{
  scratch_init(&p->files);
  parse(p, "socket");
  (void)scratch_path(&p->files, "moved", path_of[MOVED]);
  (void)scratch_path(&p->files, "victim", path_of[VICTIM]);
  (void)scratch_path(&p->files, "sub", path_of[DIRECTORY]);
  before_bind = after_bind = after_connect = NULL;
  no_children = false;
  others_wait = false;
}

static int make_socket(const char *path, int backlog)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  assert_in_range(strlen(path), 1, sizeof(name.sun_path) - 1);
  (void)strcpy(name.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(syscall(SYS_bind, fd, &name, sizeof(name)), 0);
  assert_int_equal(chmod(path, 0600), 0);
  assert_true(backlog < 0 || listen(fd, backlog) == 0);
  return fd;
}

static unsigned mode_of(const char *path)
{
  struct stat status;
  assert_int_equal(lstat(path, &status), 0);
  return status.st_mode & 07777;
}

static bool exists(const char *path)
{
  struct stat status;
  return lstat(path, &status) == 0;
}

/* Under a umask that takes permissions away, so that they cannot come from bind alone. */
static int listen_as(place *p, unsigned permissions, uvr_socket_file *file, uvrelay_error_t *error)
{
  *file = (uvr_socket_file){.path = ""};
  mode_t before = umask(077);
  int fd = uvr_socket_file_listen(&p->address, permissions, file, error);
  assert_int_equal(umask(before), 077); /* it is the process's */
  return fd;
}

static void assert_exchanged(place *p)
{
  uvr_socket_file file;
  uvrelay_error_t error = {0};
  assert_int_equal(listen_as(p, 0666, &file, &error), UV_EADDRINUSE);
  assert_non_null(strstr(error.text, "meanwhile: choose a directory that only you can write to"));
  assert_int_equal(file.path[0], '\0');
}

/* A link in place of the new socket: the file that it leads to keeps its permissions. */
static void test_link(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  scratch_write(&p.files, "victim", "secret", 6);
  assert_int_equal(chmod(path_of[VICTIM], 0600), 0);
  after_bind = put_link;
  assert_exchanged(&p);
  assert_int_equal(mode_of(path_of[VICTIM]), 0600);
  assert_true(exists(path_of[MOVED]));
  scratch_clear(&p.files);
}

/* Another private socket of this user's in its place keeps its permissions, too. */
static void test_socket(void **state)
{
  (void)state;
  place p;
  uvr_socket_file file;
  uvrelay_error_t error = {0};
  struct stat before;
  struct stat after;
  place_init(&p);
  int fd = make_socket(path_of[VICTIM], 1);
  char second[SCRATCH_PATH_MAX];
  assert_int_equal(link(path_of[VICTIM], scratch_path(&p.files, "second", second)), 0);
  assert_int_equal(stat(second, &before), 0);
  after_bind = exchange;
  assert_int_equal(listen_as(&p, 0666, &file, &error), UV_EPERM);
  assert_int_equal(stat(second, &after), 0);
  assert_true(before.st_ino == after.st_ino);
  assert_int_equal(after.st_mode & 07777, 0600);
  (void)close(fd);
  scratch_clear(&p.files);
}

/* Another directory in place of that of the path. */
static void test_directory(void **state)
{
  (void)state;
  place p;
  char moved[SCRATCH_PATH_MAX];
  place_init(&p);
  assert_int_equal(mkdir(path_of[DIRECTORY], 0700), 0);
  parse(&p, "sub/socket");
  before_bind = exchange_directory;
  assert_exchanged(&p);
  assert_false(exists(scratch_path(&p.files, "moved/socket", moved)));
  (void)unlink(p.path);
  assert_int_equal(rmdir(path_of[DIRECTORY]), 0);
  assert_int_equal(rmdir(path_of[MOVED]), 0);
  scratch_clear(&p.files);
}

/* At the end nothing is removed from a directory that has taken the place of the right one, even the same socket. */
static void test_directory_at_the_end(void **state)
{
  (void)state;
  place p;
  char moved[SCRATCH_PATH_MAX];
  uvr_socket_file file;
  uvrelay_error_t error = {0};
  place_init(&p);
  assert_int_equal(mkdir(path_of[DIRECTORY], 0700), 0);
  parse(&p, "sub/socket");
  int fd = listen_as(&p, 0600, &file, &error);
  assert_true(fd >= 0);
  exchange_directory();
  assert_int_equal(link(scratch_path(&p.files, "moved/socket", moved), p.path), 0);
  uvr_socket_file_remove(&file);
  assert_true(exists(p.path));
  assert_true(exists(moved));
  assert_int_equal(unlink(p.path), 0);
  assert_int_equal(unlink(moved), 0);
  assert_int_equal(rmdir(path_of[DIRECTORY]), 0);
  assert_int_equal(rmdir(path_of[MOVED]), 0);
  (void)close(fd);
  scratch_clear(&p.files);
}

/* A socket on which somebody listens in place of the left-over one, after it was found to be one. */
static void test_left_over(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  (void)close(make_socket(p.path, 1));
  int live = make_socket(path_of[VICTIM], 1);
  struct stat before;
  assert_int_equal(lstat(path_of[VICTIM], &before), 0);
  after_connect = exchange;
  assert_exchanged(&p);
  struct stat now;
  assert_int_equal(lstat(p.path, &now), 0);
  assert_true(now.st_ino == before.st_ino);
  (void)close(live);
  scratch_clear(&p.files);
}

/* A link to a socket on which no process listens, in place of the left-over one: only what was looked at is asked. */
static void test_left_over_link(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  (void)close(make_socket(p.path, 1));
  (void)close(make_socket(path_of[VICTIM], 1));
  after_connect = put_link;
  assert_exchanged(&p);
  assert_true(exists(path_of[VICTIM]));
  scratch_clear(&p.files);
}

/* Where no child may be made, the permissions that bind can give are given, and others are refused. */
static void test_no_children(void **state)
{
  (void)state;
  place p;
  uvr_socket_file file;
  uvrelay_error_t error = {0};
  place_init(&p);
  no_children = true;
  int fd = listen_as(&p, 0600, &file, &error);
  assert_true(fd >= 0);
  assert_int_equal(mode_of(p.path), 0600);
  uvr_socket_file_remove(&file);
  (void)close(fd);
  assert_int_equal(listen_as(&p, 0666, &file, &error), UV_EPERM);
  assert_non_null(strstr(error.text, "its file gets the permissions 0600 instead of 0666"));
  assert_non_null(strstr(error.text, "or the umask"));
  assert_false(exists(p.path));
  scratch_clear(&p.files);
}

/* What bind says in the child is reported; and where another thread of the host waits for any child, what the socket
 * says.
 */
static void test_result_of_child(void **state)
{
  (void)state;
  place p;
  uvr_socket_file file;
  uvrelay_error_t error = {0};
  place_init(&p);
  others_wait = true;
  int fd = listen_as(&p, 0666, &file, &error);
  assert_true(fd >= 0);
  assert_int_equal(mode_of(p.path), 0666);
  uvr_socket_file_remove(&file);
  (void)close(fd);
  before_bind = put_file;
  assert_int_equal(listen_as(&p, 0666, &file, &error), UV_EINTR);
  assert_int_equal(unlink(p.path), 0);
  others_wait = false;
  assert_int_equal(listen_as(&p, 0666, &file, &error), UV_EADDRINUSE);
  scratch_clear(&p.files);
}

/* The host hears nothing of the child, and its handlers of signals do not run in there. */

static volatile sig_atomic_t signals;
static volatile sig_atomic_t *foreign; /* of both processes */
static pid_t own;

static void on_signal(int number)
{
  (void)number;
  signals = signals + 1;
  *foreign = *foreign || syscall(SYS_getpid) != own;
}

static void signal_group(void)
{
  (void)kill(0, SIGUSR1);
}

static void test_signals(void **state)
{
  (void)state;
  place p;
  uvr_socket_file file;
  uvrelay_error_t error = {0};
  struct sigaction action = {.sa_handler = on_signal};
  place_init(&p);
  own = getpid();
  foreign = mmap(NULL, sizeof(*foreign), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(foreign, MAP_FAILED);
  assert_int_equal(setpgid(0, 0), 0);
  assert_int_equal(sigaction(SIGCHLD, &action, NULL), 0);
  assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
  after_bind = signal_group;
  int fd = listen_as(&p, 0666, &file, &error);
  assert_true(fd >= 0);
  assert_int_equal(mode_of(p.path), 0666);
  assert_int_equal(signals, 1);
  assert_int_equal(*foreign, 0);
  assert_int_equal(munmap((void *)foreign, sizeof(*foreign)), 0);
  assert_int_equal(waitpid(-1, NULL, __WALL), -1);
  assert_int_equal(errno, ECHILD);
  uvr_socket_file_remove(&file);
  assert_false(exists(p.path));
  (void)close(fd);
  scratch_clear(&p.files);
}

int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...); /* the C library's, by its other name */

int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
  if (no_children) {
    errno = EPERM;
    return -1;
  }
  int child = __clone(run, stack, flags, arg);
  if (others_wait) {
    (void)waitpid(child, NULL, __WALL);
  }
  return child;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_link),        cmocka_unit_test(test_socket),
      cmocka_unit_test(test_directory),   cmocka_unit_test(test_directory_at_the_end),
      cmocka_unit_test(test_left_over),   cmocka_unit_test(test_left_over_link),
      cmocka_unit_test(test_no_children), cmocka_unit_test(test_result_of_child),
      cmocka_unit_test(test_signals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
