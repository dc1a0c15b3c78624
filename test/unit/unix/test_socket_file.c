/* The file of a socket that is listened on: its permissions, never wider; what is in its way; its removal. And sockets
 * that are passed on by LISTEN_FDS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "endpoint/passed_socket_unix.h"
#include "endpoint/socket_file_unix.h"
#include "scratch.h"

enum { FIRST = 3, DESCRIPTORS_MAX = 100, ROUNDS = 300, RACERS = 4, RACES = 20 };

typedef struct place {
  scratch files;
  char path[SCRATCH_PATH_MAX];
  uvr_address address;
  unsigned descriptors;
} place;

static unsigned count_descriptors(void)
{
  unsigned count = 0;
  for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
    count += fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
  }
  return count;
}

static void place_init(place *p)
{
  char text[SCRATCH_PATH_MAX + 8];
  p->descriptors = count_descriptors();
  scratch_init(&p->files);
  (void)scratch_path(&p->files, "socket", p->path);
  (void)snprintf(text, sizeof(text), "unix://%s", p->path);
  assert_int_equal(uvr_address_parse(text, UVR_ADDRESS_LISTEN, &p->address, NULL), 0);
}

static void place_clear(place *p)
{
  scratch_clear(&p->files);
  assert_int_equal(count_descriptors(), p->descriptors);
}

static struct stat stat_of(const char *path)
{
  struct stat status;
  assert_int_equal(lstat(path, &status), 0);
  return status;
}

static bool exists(const char *path)
{
  struct stat status;
  return lstat(path, &status) == 0;
}

static struct sockaddr_un name_of(const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  assert_in_range(strlen(path), 1, sizeof(name.sun_path) - 1);
  (void)strcpy(name.sun_path, path);
  return name;
}

static int make_socket(const char *path, int type, int backlog)
{
  struct sockaddr_un name = name_of(path);
  int fd = socket(AF_UNIX, type, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
  assert_true(backlog < 0 || listen(fd, backlog) == 0);
  return fd;
}

/* Returns 0 or the error's number. */
static int try_connect(const char *path, int *out)
{
  struct sockaddr_un name = name_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  assert_true(fd >= 0);
  int code = connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0 ? 0 : errno;
  if (out != NULL && code == 0) {
    *out = fd;
  } else {
    (void)close(fd);
  }
  return code;
}

static int open_file(place *p, unsigned permissions, uvr_socket_file *file)
{
  uvrelay_error_t error = {0};
  memset(file, 0, sizeof(*file));
  int fd = uvr_socket_file_listen(&p->address, permissions, file, &error);
  if (fd < 0) {
    fail_msg("%s", error.text);
  }
  return fd;
}

static void assert_refused(place *p, int code, const char *text)
{
  uvrelay_error_t error = {0};
  uvr_socket_file file = {.path = ""};
  assert_int_equal(uvr_socket_file_listen(&p->address, 0600, &file, &error), code);
  assert_int_equal(error.code, code);
  assert_int_equal(error.phase, UVRELAY_PHASE_LISTEN);
  assert_non_null(strstr(error.text, p->address.canonical));
  assert_non_null(strstr(error.text, text));
  assert_int_equal(file.path[0], '\0');
  assert_int_equal(uvr_socket_file_listen(&p->address, 0600, &file, NULL), code);
  assert_int_equal(uvr_socket_file_remove(&file), 0); /* nothing */
}

/* Permissions. */

static void test_mode(void **state)
{
  (void)state;
  static const unsigned modes[] = {0600, 0660, 0666, 0777, 0400, 0622, 0001};
  static const mode_t masks[] = {0, 022, 077, 0177, 0777};
  place p;
  place_init(&p);
  for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
    for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
      uvr_socket_file file;
      mode_t before = umask(masks[m]);
      int fd = open_file(&p, modes[i], &file);
      assert_int_equal(umask(before), masks[m]); /* it is the process's */
      struct stat status = stat_of(p.path);
      assert_true(S_ISSOCK(status.st_mode));
      assert_int_equal(status.st_mode & 07777, modes[i]);
      assert_int_equal(status.st_uid, geteuid());
      assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
      assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
      assert_int_equal(uvr_socket_file_remove(&file), 0);
      assert_false(exists(p.path));
      (void)close(fd);
    }
  }
  place_clear(&p);
}

typedef struct looker {
  const char *path;
  atomic_bool stop;
  unsigned seen; /* all the bits of its mode */
} looker;

static void look(void *arg)
{
  looker *l = arg;
  struct stat status;
  while (!atomic_load(&l->stop)) {
    if (lstat(l->path, &status) == 0) {
      l->seen |= status.st_mode & 07777;
    }
  }
}

/* Seen by another thread that looks all the time. */
static void test_never_wider(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  looker l = {.path = p.path};
  uv_thread_t thread;
  mode_t before = umask(0);
  assert_int_equal(uv_thread_create(&thread, look, &l), 0);
  for (unsigned i = 0; i < ROUNDS; i++) {
    uvr_socket_file file;
    int fd = open_file(&p, 0600, &file);
    (void)stat_of(p.path);
    assert_int_equal(uvr_socket_file_remove(&file), 0);
    (void)close(fd);
  }
  atomic_store(&l.stop, true);
  assert_int_equal(uv_thread_join(&thread), 0);
  (void)umask(before);
  assert_int_equal(l.seen & ~0600U, 0);
  place_clear(&p);
}

/* What is in the way. */

static void test_stale(void **state)
{
  (void)state;
  for (int backlog = -1; backlog < 2; backlog++) { /* -1: it never listened */
    place p;
    uvr_socket_file file;
    place_init(&p);
    (void)close(make_socket(p.path, SOCK_STREAM, backlog));
    assert_int_equal(try_connect(p.path, NULL), ECONNREFUSED);
    assert_int_equal(chmod(p.path, 0777), 0);
    int fd = open_file(&p, 0600, &file);
    assert_int_equal(stat_of(p.path).st_mode & 07777, 0600);
    assert_int_equal(try_connect(p.path, NULL), 0);
    assert_int_equal(uvr_socket_file_remove(&file), 0);
    assert_false(exists(p.path));
    (void)close(fd);
    place_clear(&p);
  }
}

static void assert_still_there(const char *path, struct stat before)
{
  struct stat now = stat_of(path);
  assert_true(now.st_ino == before.st_ino && now.st_dev == before.st_dev && now.st_mode == before.st_mode &&
              now.st_size == before.st_size);
}

static void test_live(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  int fd = make_socket(p.path, SOCK_STREAM, 5);
  struct stat before = stat_of(p.path);
  assert_refused(&p, UV_EADDRINUSE, "another program is listening there");
  assert_still_there(p.path, before);
  assert_int_equal(try_connect(p.path, NULL), 0);
  (void)close(fd);
  place_clear(&p);
}

/* One who has no time to answer is there nevertheless. */
static void test_live_and_busy(void **state)
{
  (void)state;
  place p;
  int clients[8];
  unsigned count = 0;
  place_init(&p);
  int fd = make_socket(p.path, SOCK_STREAM, 0);
  while (count < 8 && try_connect(p.path, &clients[count]) == 0) {
    count++;
  }
  assert_in_range(count, 1, 7);
  struct stat before = stat_of(p.path);
  assert_refused(&p, UV_EADDRINUSE, "another program is listening there");
  assert_still_there(p.path, before);
  while (count > 0) {
    (void)close(clients[--count]);
  }
  (void)close(fd);
  place_clear(&p);
}

/* Our own is as live as any. */
static void test_own(void **state)
{
  (void)state;
  place p;
  uvr_socket_file file;
  place_init(&p);
  int fd = open_file(&p, 0600, &file);
  assert_refused(&p, UV_EADDRINUSE, "another program is listening there");
  assert_int_equal(try_connect(p.path, NULL), 0);
  assert_int_equal(uvr_socket_file_remove(&file), 0);
  (void)close(fd);
  place_clear(&p);
}

/* Sockets of other types do not belong to streams, so their users cannot be determined: they are left alone. */
static void test_datagram(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  int fd = make_socket(p.path, SOCK_DGRAM, -1);
  struct stat before = stat_of(p.path);
  assert_refused(&p, UV_EPROTOTYPE, "");
  assert_still_there(p.path, before);
  (void)close(fd);
  place_clear(&p);
}

static void test_no_socket(void **state)
{
  (void)state;
  static const char *const kinds[] = {"a file",          "a directory",     "a symbolic link",
                                      "a symbolic link", "a symbolic link", "a file"};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    place p;
    char other[SCRATCH_PATH_MAX];
    int fd = -1;
    place_init(&p);
    (void)scratch_path(&p.files, "other", other);
    switch (i) {
    case 0:
      scratch_write(&p.files, "socket", "kept", 4);
      break;
    case 1:
      assert_int_equal(mkdir(p.path, 0700), 0);
      break;
    case 2:
      assert_int_equal(symlink(other, p.path), 0); /* to nothing */
      break;
    case 3:
      scratch_write(&p.files, "other", "kept", 4);
      assert_int_equal(symlink(other, p.path), 0);
      break;
    case 4:
      fd = make_socket(other, SOCK_STREAM, 1);
      assert_int_equal(symlink(other, p.path), 0);
      break;
    default:
      assert_int_equal(mkfifo(p.path, 0600), 0);
      break;
    }
    struct stat before = stat_of(p.path);
    assert_refused(&p, UV_EEXIST, kinds[i]);
    assert_still_there(p.path, before);
    if (i == 1) {
      assert_int_equal(rmdir(p.path), 0);
    }
    if (fd >= 0) {
      assert_int_equal(try_connect(other, NULL), 0);
      (void)close(fd);
    }
    place_clear(&p);
  }
}

static void test_bad_directory(void **state)
{
  (void)state;
  place p;
  char text[SCRATCH_PATH_MAX + 32];
  place_init(&p);
  (void)snprintf(text, sizeof(text), "unix://%s/absent/socket", p.files.directory);
  assert_int_equal(uvr_address_parse(text, 0, &p.address, NULL), 0);
  assert_refused(&p, UV_ENOENT, "no such file or directory");
  scratch_write(&p.files, "file", "", 0);
  (void)snprintf(text, sizeof(text), "unix://%s/file/socket", p.files.directory);
  assert_int_equal(uvr_address_parse(text, 0, &p.address, NULL), 0);
  assert_refused(&p, UV_ENOTDIR, "not a directory");
  place_clear(&p);
}

static void test_directory_without_rights(void **state)
{
  (void)state;
  if (geteuid() == 0) {
    skip(); /* who may everything */
  }
  place p;
  place_init(&p);
  assert_int_equal(chmod(p.files.directory, 0500), 0);
  assert_refused(&p, UV_EACCES, "permission denied");
  /* Without the right to read it, it cannot be locked, which is not needed. */
  uvr_socket_file file;
  assert_int_equal(chmod(p.files.directory, 0300), 0);
  int fd = open_file(&p, 0600, &file);
  assert_int_equal(uvr_socket_file_remove(&file), 0);
  (void)close(fd);
  assert_int_equal(chmod(p.files.directory, 0700), 0);
  place_clear(&p);
}

/* The longest path that the parser lets through, and the root directory. */
static void test_paths(void **state)
{
  (void)state;
  place p;
  char text[SCRATCH_PATH_MAX + 32];
  uvr_socket_file file;
  place_init(&p);
  int length = snprintf(text, sizeof(text), "unix://%s/", p.files.directory);
  size_t room = strlen("unix://") + UVR_ADDRESS_UNIX_MAX - (size_t)length;
  memset(text + length, 'x', room);
  text[(size_t)length + room] = '\0';
  assert_int_equal(uvr_address_parse(text, 0, &p.address, NULL), 0);
  assert_int_equal(strlen(p.address.path), UVR_ADDRESS_UNIX_MAX);
  int fd = open_file(&p, 0600, &file);
  assert_int_equal(try_connect(p.address.path, NULL), 0);
  assert_int_equal(uvr_socket_file_remove(&file), 0);
  assert_false(exists(p.address.path));
  (void)close(fd);
  assert_int_equal(uvr_address_parse("unix:///proc", 0, &p.address, NULL), 0);
  assert_refused(&p, UV_EEXIST, "a directory");
  place_clear(&p);
}

/* Removing. */

static void test_replaced(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    place p;
    char other[SCRATCH_PATH_MAX];
    uvr_socket_file file;
    int second = -1;
    place_init(&p);
    int fd = open_file(&p, 0600, &file);
    (void)scratch_path(&p.files, "other", other);
    assert_int_equal(rename(p.path, other), 0); /* so that its number stays taken */
    if (i == 0) {
      scratch_write(&p.files, "socket", "kept", 4);
    } else if (i == 1) {
      second = make_socket(p.path, SOCK_STREAM, 1);
    } else if (i == 2) {
      assert_int_equal(symlink(other, p.path), 0);
    }
    assert_int_equal(uvr_socket_file_remove(&file), 0);
    assert_int_equal(exists(p.path), i != 3);
    assert_true(exists(other)); /* the process that moved it wants it there */
    assert_int_equal(uvr_socket_file_remove(&file), 0);
    if (second >= 0) {
      assert_int_equal(try_connect(p.path, NULL), 0);
      (void)close(second);
    }
    (void)close(fd);
    place_clear(&p);
  }
}

/* It does so once: what comes later is another's. */
static void test_remove_twice(void **state)
{
  (void)state;
  place p;
  uvr_socket_file file;
  uvr_socket_file second;
  place_init(&p);
  int fd = open_file(&p, 0600, &file);
  assert_int_equal(uvr_socket_file_remove(&file), 0);
  assert_false(exists(p.path));
  (void)close(fd);
  fd = open_file(&p, 0600, &second); /* which may have got the number of the first */
  assert_int_equal(uvr_socket_file_remove(&file), 0);
  assert_true(exists(p.path));
  assert_int_equal(uvr_socket_file_remove(&second), 0);
  assert_false(exists(p.path));
  (void)close(fd);
  place_clear(&p);
}

/* Of many at once, over a stale socket or none, one wins, and is not thrown out by another. */

typedef struct racer {
  place *p;
  uvr_socket_file file;
  int fd;
} racer;

static void race(void *arg)
{
  racer *r = arg;
  r->fd = uvr_socket_file_listen(&r->p->address, 0600, &r->file, NULL);
}

static void test_race(void **state)
{
  (void)state;
  place p;
  place_init(&p);
  for (unsigned i = 0; i < RACES; i++) {
    uv_thread_t threads[RACERS];
    racer racers[RACERS];
    const racer *winner = NULL;
    if (i % 2 == 0) {
      (void)close(make_socket(p.path, SOCK_STREAM, 1));
    }
    for (unsigned n = 0; n < RACERS; n++) {
      racers[n] = (racer){.p = &p};
      assert_int_equal(uv_thread_create(&threads[n], race, &racers[n]), 0);
    }
    for (unsigned n = 0; n < RACERS; n++) {
      assert_int_equal(uv_thread_join(&threads[n]), 0);
      if (racers[n].fd >= 0) {
        assert_null(winner);
        winner = &racers[n];
      } else {
        assert_int_equal(racers[n].fd, UV_EADDRINUSE);
      }
    }
    assert_non_null(winner);
    assert_int_equal(try_connect(p.path, NULL), 0);
    assert_int_equal(uvr_socket_file_remove(&racers[winner - racers].file), 0);
    assert_false(exists(p.path));
    (void)close(winner->fd);
  }
  place_clear(&p);
}

/* Sockets that are passed on. */

static int make_tcp(int family, bool listens)
{
  struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  bool six = family == AF_INET6;
  int fd = socket(family, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, six ? (struct sockaddr *)&ip6 : (struct sockaddr *)&ip4, six ? sizeof(ip6) : sizeof(ip4)),
                   0);
  assert_true(!listens || listen(fd, 1) == 0);
  return fd;
}

/* Puts it where the service manager does. */
static void pass(int fd, int number)
{
  assert_int_equal(dup2(fd, number), number);
  (void)close(fd);
}

static void set_passed(const char *fds, const char *names)
{
  char pid[32];
  (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
  assert_int_equal(setenv("LISTEN_FDS", fds, 1), 0);
  assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
  assert_int_equal(names != NULL ? setenv("LISTEN_FDNAMES", names, 1) : unsetenv("LISTEN_FDNAMES"), 0);
}

static void clear_passed(void)
{
  (void)unsetenv("LISTEN_FDS");
  (void)unsetenv("LISTEN_PID");
  (void)unsetenv("LISTEN_FDNAMES");
}

static int ask(const char *name, int *family, uvrelay_error_t *error)
{
  char text[64];
  uvr_address address;
  (void)snprintf(text, sizeof(text), "fd://%s", name);
  assert_int_equal(uvr_address_parse(text, UVR_ADDRESS_LISTEN, &address, NULL), 0);
  *family = -1;
  memset(error, 0, sizeof(*error));
  int code = uvr_passed_socket_find(&address, family, error);
  if (code < 0) {
    int ignored;
    assert_int_equal(error->code, code);
    assert_int_equal(error->phase, UVRELAY_PHASE_LISTEN);
    assert_non_null(strstr(error->text, text));
    assert_int_equal(uvr_passed_socket_find(&address, &ignored, NULL), code);
  }
  return code;
}

static void assert_passed(const char *name, int expected, const char *text)
{
  int family;
  uvrelay_error_t error;
  int code = ask(name, &family, &error);
  if (code != expected || (code < 0 && strstr(error.text, text) == NULL)) {
    fail_msg("fd://%s: %d instead of %d: %s", name, code, expected, code < 0 ? error.text : "");
  }
}

static void reserve(int number)
{
  int fd = open("/dev/null", O_RDONLY);
  assert_true(fd >= 0);
  if (fd != number) {
    pass(fd, number);
  }
}

static void test_passed(void **state)
{
  (void)state;
  place p;
  int family;
  uvrelay_error_t error;
  place_init(&p);
  pass(make_socket(p.path, SOCK_STREAM, 1), FIRST);
  pass(make_tcp(AF_INET, true), FIRST + 1);
  set_passed("2", "one:two");
  assert_int_equal(ask("3", &family, &error), FIRST);
  assert_int_equal(family, AF_UNIX);
  assert_int_equal(ask("one", &family, &error), FIRST);
  assert_int_equal(family, AF_UNIX);
  assert_int_equal(ask("4", &family, &error), FIRST + 1);
  assert_int_equal(family, AF_INET);
  assert_int_equal(ask("two", &family, &error), FIRST + 1);
  assert_int_equal(family, AF_INET);
  static const char *const numbers[] = {"0", "1", "2", "5", "2147483647"};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    assert_passed(numbers[i], UV_EBADF, "are 3 to 4");
  }
  static const char *const names[] = {"three", "on", "one2", "One", "-3", "3x", "99999999999"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    assert_passed(names[i], UV_EBADF, "LISTEN_FDNAMES");
  }
  set_passed("2", NULL);
  assert_passed("one", UV_EBADF, "LISTEN_FDNAMES");
  assert_passed("4", FIRST + 1, NULL);
  set_passed("2", "");
  assert_passed("one", UV_EBADF, "LISTEN_FDNAMES");
  set_passed("2", ":b");
  assert_passed("b", FIRST + 1, NULL);
  set_passed("2", "a:a:b");
  assert_passed("a", FIRST, NULL);
  assert_passed("b", UV_EBADF, "LISTEN_FDNAMES"); /* a name too many */
  set_passed("1", "a:b");
  assert_passed("b", UV_EBADF, "LISTEN_FDNAMES");
  assert_passed("4", UV_EBADF, "are 3 to 3");
  set_passed("2", "a");
  assert_passed("a", FIRST, NULL);
  assert_passed("b", UV_EBADF, "LISTEN_FDNAMES");
  reserve(FIRST);
  reserve(FIRST + 1);
  clear_passed();
  place_clear(&p);
}

/* Meant for no process, or for another one. */
static void test_not_passed(void **state)
{
  (void)state;
  static const char *const counts[] = {"", "0", "x", "1x", "-1", " 1", "4097", "4294967297"};
  pass(make_tcp(AF_INET, true), FIRST);
  clear_passed();
  assert_passed("3", UV_EBADF, "no socket was passed to");
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    set_passed(counts[i], "a");
    assert_passed("3", UV_EBADF, "no socket was passed to");
    assert_passed("a", UV_EBADF, "no socket was passed to");
  }
  static const char *const pids[] = {"", "1", "x", "0"};
  for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
    set_passed("1", "a");
    assert_passed("3", FIRST, NULL);
    assert_int_equal(setenv("LISTEN_PID", pids[i], 1), 0);
    assert_passed("3", UV_EBADF, "no socket was passed to");
  }
  assert_int_equal(unsetenv("LISTEN_PID"), 0);
  assert_passed("3", UV_EBADF, "no socket was passed to");
  set_passed("1", "a");
  assert_int_equal(unsetenv("LISTEN_FDS"), 0);
  assert_passed("3", UV_EBADF, "no socket was passed to");
  reserve(FIRST);
  clear_passed();
}

static void test_passed_wrongly(void **state)
{
  (void)state;
  place p;
  int fds[2];
  place_init(&p);
  set_passed("1", "a");
  assert_passed("3", UV_ENOTSOCK, "descriptor 3 is not a listening stream socket: it is not a socket"); /* /dev/null */
  pass(make_tcp(AF_INET, false), FIRST);
  assert_passed("3", UV_ENOTSOCK, "not a listening stream socket: it does not listen");
  pass(make_socket(p.path, SOCK_DGRAM, -1), FIRST);
  assert_passed("a", UV_ENOTSOCK, "not a listening stream socket: it receives datagrams");
  assert_int_equal(unlink(p.path), 0);
  pass(make_socket(p.path, SOCK_SEQPACKET, 1), FIRST);
  assert_passed("a", UV_ENOTSOCK, "not a listening stream socket: it receives datagrams");
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  (void)close(fds[1]);
  pass(fds[0], FIRST);
  assert_passed("3", UV_ENOTSOCK, "not a listening stream socket");
  assert_int_equal(close(FIRST), 0);
  assert_passed("3", UV_ENOTSOCK, "not a listening stream socket: it is not open");
  reserve(FIRST);
  assert_int_equal(fcntl(FIRST, F_GETFD) >= 0, 1); /* none of them was closed */
  clear_passed();
  place_clear(&p);
}

static void test_passed_ipv6(void **state)
{
  (void)state;
  int family;
  uvrelay_error_t error;
  int probe = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  bool has = probe >= 0 && bind(probe, (struct sockaddr *)&ip6, sizeof(ip6)) == 0;
  if (probe >= 0) {
    (void)close(probe);
  }
  if (!has) {
    skip(); /* there is no IPv6 here */
  }
  pass(make_tcp(AF_INET6, true), FIRST);
  set_passed("1", NULL);
  assert_int_equal(ask("3", &family, &error), FIRST);
  assert_int_equal(family, AF_INET6);
  reserve(FIRST);
  clear_passed();
}

int main(void)
{
  /* libuv keeps descriptors of its own, which must not be these. */
  for (int number = FIRST; number < FIRST + 2; number++) {
    int fd = open("/dev/null", O_RDONLY);
    if (fd != number) {
      (void)dup2(fd, number);
      (void)close(fd);
    }
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mode),           cmocka_unit_test(test_never_wider),
      cmocka_unit_test(test_stale),          cmocka_unit_test(test_live),
      cmocka_unit_test(test_live_and_busy),  cmocka_unit_test(test_own),
      cmocka_unit_test(test_datagram),       cmocka_unit_test(test_no_socket),
      cmocka_unit_test(test_bad_directory),  cmocka_unit_test(test_directory_without_rights),
      cmocka_unit_test(test_paths),          cmocka_unit_test(test_replaced),
      cmocka_unit_test(test_remove_twice),   cmocka_unit_test(test_race),
      cmocka_unit_test(test_passed),         cmocka_unit_test(test_not_passed),
      cmocka_unit_test(test_passed_wrongly), cmocka_unit_test(test_passed_ipv6),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
