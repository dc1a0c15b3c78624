/* Routes through the public interface that listen on Unix sockets, or on what the service manager passes on: the
 * socket's file, what is in its way, half-close through Unix sockets, a client that is gone, and no more descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/relay.h"
#include "route_rig.h"

enum { BYTES = 10, OPEN_MS = 60, PASSED = 3, PASSED_CASES = 4, HELD = 8 };

static const char *path_of(const char *address)
{
  return address + strlen("unix://");
}

static bool exists(const char *address)
{
  struct stat status;
  return lstat(path_of(address), &status) == 0;
}

static mode_t mode_of(const char *address)
{
  struct stat status;
  assert_int_equal(lstat(path_of(address), &status), 0);
  assert_true(S_ISSOCK(status.st_mode));
  return status.st_mode & 07777;
}

static int make_socket(const char *address, bool listens)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  (void)strcpy(name.sun_path, path_of(address));
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
  assert_true(!listens || listen(fd, 1) == 0);
  return fd;
}

static route_host *open_host(void)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  return h;
}

/* With a route from a Unix socket to the target; its query is put at the end. */
static route_host *open_route(const char *query)
{
  char address[ROUTE_ADDRESS];
  char with_query[ROUTE_ADDRESS + 64];
  route_host *h = open_host();
  (void)snprintf(with_query, sizeof(with_query), "%s%s", route_unix_address(h, "socket", address), query);
  assert_int_equal(route_add(h, 0, with_query, h->target_address, NULL), 0);
  assert_string_equal(h->routes[0].address, address);
  return h;
}

static bool is_relayed(const route_client *c)
{
  return c->received == c->to_send && c->received > 0;
}

static route_client *relay_one(route_host *h, unsigned i)
{
  route_client *c = route_client_start(h, h->routes[i].address, BYTES, false);
  ROUTE_WAIT(h, is_relayed(c));
  return c;
}

static void test_relay(void **state)
{
  (void)state;
  route_host *h = open_route("");
  assert_int_equal(mode_of(h->routes[0].address), 0600);
  route_client *c = relay_one(h, 0);
  route_client_end(c);
  ROUTE_WAIT(h, c->over && h->routes[0].open == 0);
  assert_int_equal(c->code, 0);
  assert_journal(h, 0, "O1 C1 ");
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  route_host_free(h);
}

static void test_permissions(void **state)
{
  (void)state;
  mode_t before = umask(077);
  route_host *h = open_route("?perm=0666");
  assert_int_equal(mode_of(h->routes[0].address), 0666);
  char second[ROUTE_ADDRESS];
  const uvrelay_route_options_t options = {.size = sizeof(options), .permissions = 0640};
  assert_int_equal(route_add(h, 1, route_unix_address(h, "second", second), h->target_address, &options), 0);
  assert_int_equal(mode_of(second), 0640);
  assert_int_equal(umask(before), 077);
  route_host_free(h);
}

/* The file is removed when no more clients are accepted, whatever is still open. */
static void test_file_is_removed(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    route_host *h = open_route("");
    (void)relay_one(h, 0);
    assert_true(exists(h->routes[0].address));
    if (i == 0) {
      route_remove(h, 0, UINT64_MAX);
    } else {
      route_host_act(h, i == 1 ? ROUTE_DRAINS : ROUTE_CLOSES);
    }
    ROUTE_WAIT(h, !exists(h->routes[0].address));
    assert_true(i == 2 || h->routes[0].open == 1);
    if (i == 0) { /* its place is free */
      assert_int_equal(route_add(h, 1, h->routes[0].address, h->target_address, NULL), 0);
      route_remove(h, 0, 0);
      ROUTE_WAIT(h, h->routes[0].route == NULL);
      (void)relay_one(h, 1);
    }
    route_host_free(h);
  }
}

/* What somebody else has put in its place is his. */
static void test_file_is_replaced(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    route_host *h = open_route("");
    char other[SCRATCH_PATH_MAX];
    const char *address = h->routes[0].address;
    h->leaves_files = true;
    assert_int_equal(rename(path_of(address), scratch_path(&h->files, "other", other)), 0);
    int fd = -1;
    if (i == 0) {
      scratch_write(&h->files, "socket", "kept", 4);
    } else {
      fd = make_socket(address, true);
    }
    route_remove(h, 0, 0);
    ROUTE_WAIT(h, h->routes[0].route == NULL);
    assert_true(exists(address));
    if (fd >= 0) {
      (void)close(fd);
    }
    route_host_free(h);
  }
}

static void test_in_the_way(void **state)
{
  (void)state;
  route_host *h = open_route("");
  const char *address = h->routes[0].address;
  char other[ROUTE_ADDRESS];
  h->leaves_files = true;
  /* A live one, our own for instance, which suffers no harm. */
  assert_int_equal(route_add(h, 1, address, h->target_address, NULL), UV_EADDRINUSE);
  assert_non_null(strstr(uvrelay_error(h->relay)->text, address));
  (void)relay_one(h, 0);
  /* No socket. */
  scratch_write(&h->files, "file", "kept", 4);
  assert_int_equal(route_add(h, 1, route_unix_address(h, "file", other), h->target_address, NULL), UV_EEXIST);
  assert_non_null(strstr(uvrelay_error(h->relay)->text, other));
  assert_true(exists(other));
  /* No directory. */
  assert_int_equal(route_add(h, 1, route_unix_address(h, "absent/x", other), h->target_address, NULL), UV_ENOENT);
  /* Its own target. */
  assert_int_equal(route_add(h, 1, route_unix_address(h, "x", other), other, NULL), UV_EINVAL);
  assert_false(exists(other));
  /* An option that is wrong is seen before anything is made. */
  const uvrelay_route_options_t bad = {.size = sizeof(bad), .permissions = 07777};
  assert_int_equal(route_add(h, 1, other, h->target_address, &bad), UV_EINVAL);
  assert_false(exists(other));
  /* A stale one. */
  (void)close(make_socket(other, true));
  assert_true(exists(other));
  assert_int_equal(route_add(h, 1, other, h->target_address, NULL), 0);
  (void)relay_one(h, 1);
  assert_int_equal(unlink(path_of(route_unix_address(h, "file", other))), 0);
  h->leaves_files = false;
  route_host_free(h);
}

/* From a Unix socket to another, and from there to the target: each end is carried through. */

static void answer_late(peer_connection *connection)
{
  peer_send(connection, connection->data, connection->received);
}

static void test_half_close(void **state)
{
  (void)state;
  route_host *h = open_route("");
  char first[ROUTE_ADDRESS];
  h->target.echo = false;
  h->target.on_end = answer_late; /* and stays */
  assert_int_equal(route_add(h, 1, route_unix_address(h, "first", first), h->routes[0].address, NULL), 0);
  route_client *c = route_client_start(h, first, BYTES, false);
  ROUTE_WAIT(h, h->target.connections[0].received == BYTES);
  route_client_end(c);
  ROUTE_WAIT(h, is_relayed(c));
  route_run_ms(h, OPEN_MS);
  assert_int_equal(h->routes[0].open + h->routes[1].open, 2);
  peer_hang_up(&h->target.connections[0]);
  ROUTE_WAIT(h, c->over && h->routes[0].open + h->routes[1].open == 0);
  assert_int_equal(c->code, 0);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->routes[1].results[1].reason, UVRELAY_REASON_ENDED);
  route_host_free(h);
}

static void stay(peer_connection *connection)
{
  (void)connection;
}

/* A client that has ended its input and then is gone does not leave its target waiting, though that is silent. */
static void test_client_gone_after_its_end(void **state)
{
  (void)state;
  route_host *h = open_route("?linger=off");
  h->target.on_end = stay;
  route_client *c = relay_one(h, 0);
  route_client_end(c);
  ROUTE_WAIT(h, h->target.connections[0].ended);
  route_run_ms(h, OPEN_MS);
  assert_int_equal(h->routes[0].open, 1);
  route_client_hang_up(c);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_GONE);
  assert_int_equal(h->routes[0].results[1].side, UVRELAY_LEFT);
  route_host_free(h);
}

/* The same the other way: the target ends, and then is gone, while its client says nothing. */
static void test_target_gone_after_its_end(void **state)
{
  (void)state;
  char address[ROUTE_ADDRESS];
  char target[ROUTE_ADDRESS];
  route_host *h = open_host();
  h->leaves_files = true;
  int listener = make_socket(route_unix_address(h, "target", target), true);
  assert_int_equal(route_add(h, 0, route_unix_address(h, "socket", address), target, NULL), 0);
  const int flags = fcntl(listener, F_GETFL);
  assert_int_equal(fcntl(listener, F_SETFL, flags | O_NONBLOCK), 0);
  route_client *c = route_client_start(h, address, 0, false);
  int fd = -1;
  ROUTE_WAIT(h, (fd = accept(listener, NULL, NULL)) >= 0);
  c->stays = true;
  assert_int_equal(shutdown(fd, SHUT_WR), 0);
  ROUTE_WAIT(h, c->ended);
  route_run_ms(h, OPEN_MS);
  assert_int_equal(h->routes[0].open, 1);
  (void)close(fd);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_GONE);
  assert_int_equal(h->routes[0].results[1].side, UVRELAY_RIGHT);
  (void)close(listener);
  route_host_free(h);
}

/* Without descriptors a client waits, and its connection is kept until there are. */
static void test_no_descriptors(void **state)
{
  (void)state;
  struct rlimit before;
  route_host *h = open_route("");
  h->relay->context.patience.relief_ms = 1; /* less than until the next look */
  route_client *c = route_client_start(h, h->routes[0].address, BYTES, true);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  int next = dup(0);
  assert_true(next >= 0);
  (void)close(next);
  const struct rlimit few = {.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  ROUTE_WAIT(h, strcmp(h->routes[0].journal, "P ") == 0);
  assert_int_equal(h->routes[0].error.code, UV_EMFILE);
  route_run_ms(h, 2 * OPEN_MS);
  assert_journal(h, 0, "P ");
  assert_true(c->connected && !c->ended);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  ROUTE_WAIT(h, c->over);
  assert_int_equal(c->code, 0);
  assert_int_equal(c->received, BYTES);
  ROUTE_WAIT(h, strchr(h->routes[0].journal, 'R') != NULL);
  assert_int_equal(h->routes[0].failed, 0);
  route_host_free(h);
}

/* An IPv6 address with a zone, which is the same place without it. */
static void test_zone(void **state)
{
  (void)state;
  char target[ROUTE_ADDRESS];
  route_host *h = open_host();
  assert_int_equal(route_add(h, 0, "tcp://[::1%lo]:0", h->target_address, NULL), 0);
  (void)relay_one(h, 0);
  const char *port = strrchr(h->routes[0].address, ':');
  const char *const hosts[] = {"[::1]", "[::1%lo]", "localhost"};
  for (unsigned i = 0; i < 3; i++) {
    (void)snprintf(target, sizeof(target), "tcp://%s%s", hosts[i], port);
    assert_int_equal(route_add(h, 1, h->routes[0].address, target, NULL), UV_EINVAL);
    assert_non_null(strstr(uvrelay_error(h->relay)->text, "would be its own target"));
  }
  route_host_free(h);
}

/* Rings that a link closes later. */

static void link_to(const route_host *h, const char *name, const char *address)
{
  char from[ROUTE_ADDRESS];
  assert_int_equal(symlink(path_of(address), path_of(route_unix_address(h, name, from))), 0);
}

static void unlink_it(const route_host *h, const char *name)
{
  char address[ROUTE_ADDRESS];
  assert_int_equal(unlink(path_of(route_unix_address(h, name, address))), 0);
}

/* Its client is sent away, and does not become as many as there may be. */
static void test_link_to_itself(void **state)
{
  (void)state;
  char address[ROUTE_ADDRESS];
  char link[ROUTE_ADDRESS];
  route_host *h = open_host();
  (void)route_unix_address(h, "link", link);
  assert_int_equal(route_add(h, 0, route_unix_address(h, "socket", address), link, NULL), 0);
  link_to(h, "link", address);
  const route_client *c = route_client_start(h, address, 0, false);
  ROUTE_WAIT(h, c->over && h->routes[0].open == 0);
  assert_journal(h, 0, "O1 C1 ");
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_FAILED);
  assert_non_null(strstr(h->routes[0].results[1].error.text, "would be its own target"));
  unlink_it(h, "link");
  route_host_free(h);
}

/* What leads into such a ring comes to an end, too. */
static void test_link_to_each_other(void **state)
{
  (void)state;
  char first[ROUTE_ADDRESS];
  char second[ROUTE_ADDRESS];
  char third[ROUTE_ADDRESS];
  char link[ROUTE_ADDRESS];
  route_host *h = open_host();
  (void)route_unix_address(h, "link", link);
  (void)route_unix_address(h, "first", first);
  assert_int_equal(route_add(h, 0, first, link, NULL), 0);
  assert_int_equal(route_add(h, 1, route_unix_address(h, "second", second), first, NULL), 0);
  link_to(h, "link", second);
  assert_int_equal(uvrelay_route_add(h->relay, route_unix_address(h, "third", third), first, NULL, NULL), UV_EINVAL);
  assert_non_null(strstr(uvrelay_error(h->relay)->text, "in a loop"));
  ROUTE_WAIT(h, !exists(third));
  const route_client *c = route_client_start(h, first, 0, false);
  ROUTE_WAIT(h, c->over && h->routes[0].open == 0);
  assert_journal(h, 0, "O1 C1 ");
  assert_journal(h, 1, "");
  unlink_it(h, "link");
  route_host_free(h);
}

/* Passed on. */

static void set_passed(const char *fds, const char *names)
{
  char pid[32];
  (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
  assert_int_equal(setenv("LISTEN_FDS", fds, 1), 0);
  assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
  assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
}

/* Whatever is there. */
static void reserve(int number)
{
  int fd = open("/dev/null", O_RDONLY);
  assert_true(fd >= 0);
  if (fd != number) {
    assert_int_equal(dup2(fd, number), number);
    (void)close(fd);
  }
}

static void pass(int fd)
{
  assert_int_equal(dup2(fd, PASSED), PASSED);
  (void)close(fd);
}

/* The route takes it, and its number is free. */
static void add_passed(route_host *h, unsigned i, const char *listen)
{
  assert_int_equal(route_add(h, i, listen, h->target_address, NULL), 0);
  reserve(PASSED);
}

static int make_tcp(char address[ROUTE_ADDRESS])
{
  struct sockaddr_in ip = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(ip);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&ip, sizeof(ip)), 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&ip, &size), 0);
  (void)snprintf(address, ROUTE_ADDRESS, "tcp://127.0.0.1:%u", (unsigned)ntohs(ip.sin_port));
  return fd;
}

static void test_passed(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    const char *name = i % 2 == 0 ? "fd://3" : "fd://web";
    const char *query = i % 2 == 0 ? "fd://3?max=3" : "fd://web?max=3";
    char address[ROUTE_ADDRESS];
    route_host *h = open_host();
    h->leaves_files = i < 2;
    pass(i < 2 ? make_socket(route_unix_address(h, "passed", address), true) : make_tcp(address));
    set_passed("1", "web");
    route_client *early = route_client_start(h, address, BYTES, true); /* it waits already */
    add_passed(h, 0, query);
    assert_string_equal(h->routes[0].address, name);
    ROUTE_WAIT(h, early->over && h->routes[0].open == 0);
    assert_int_equal(early->received, BYTES);
    route_client *c = route_client_start(h, address, BYTES, true);
    ROUTE_WAIT(h, c->over && h->routes[0].open == 0);
    assert_int_equal(c->received, BYTES);
    assert_journal(h, 0, "O1 C1 O2 C2 ");
    route_remove(h, 0, 0);
    ROUTE_WAIT(h, h->routes[0].route == NULL);
    c = route_client_start(h, address, BYTES, true);
    ROUTE_WAIT(h, c->over);
    assert_int_equal(c->code, UV_ECONNREFUSED);
    assert_true(i >= 2 || exists(address)); /* the file is the manager's, not ours */
    route_host_free(h);
  }
}

/* It goes to one route only, even while that one does not look at it, and whatever has its number by then. */
static void test_passed_twice(void **state)
{
  (void)state;
  for (unsigned i = 0; i < PASSED_CASES; i++) {
    char address[ROUTE_ADDRESS];
    route_host *h = open_host();
    pass(make_tcp(address));
    set_passed("1", "web");
    const route_client *c = route_client_start(h, address, BYTES, false);
    assert_int_equal(route_add(h, 0, "fd://3?max=1", h->target_address, NULL), 0);
    if ((i & 1) != 0) { /* it pauses */
      ROUTE_WAIT(h, is_relayed(c));
      route_run_ms(h, 10);
    }
    if ((i & 2) != 0) { /* a listener that may have the number */
      assert_int_equal(route_add(h, 1, "tcp://127.0.0.1:0", h->target_address, NULL), 0);
    }
    assert_true(route_add(h, 2, "fd://web", h->target_address, NULL) < 0);
    assert_true(route_add(h, 2, "fd://3", h->target_address, NULL) < 0);
    if ((i & 2) != 0) {
      (void)relay_one(h, 1);
    }
    route_host_act(h, ROUTE_CLOSES);
    for (unsigned n = 0; n < h->client_count; n++) {
      ROUTE_WAIT(h, h->clients[n].over && !h->target.connections[n].open);
    }
    ROUTE_WAIT(h, h->closed);
    reserve(PASSED);
    route_host_free(h);
  }
}

static void hold_thread(uv_work_t *work)
{
  uv_sem_wait(work->data);
}

static void on_held(uv_work_t *work, int code)
{
  (void)work;
  assert_int_equal(code, 0);
}

/* Another process takes the client that both have seen. That one is waited for by a thread then, and neither the loop
 * nor closing the route waits. */
static void test_passed_to_another_process_too(void **state)
{
  (void)state;
  for (unsigned closes = 0; closes < 2; closes++) {
    char address[ROUTE_ADDRESS];
    uv_work_t held[HELD];
    uv_sem_t go;
    route_host *h = open_host();
    h->leaves_files = true;
    pass(make_socket(route_unix_address(h, "passed", address), true));
    set_passed("1", "web");
    int other = dup(PASSED);
    int flags = fcntl(other, F_GETFL);
    add_passed(h, 0, "fd://3");
    assert_int_equal(uv_sem_init(&go, 0), 0);
    for (unsigned i = 0; i < HELD; i++) { /* until then no thread accepts */
      held[i].data = &go;
      assert_int_equal(uv_queue_work(&h->r.loop, &held[i], hold_thread, on_held), 0);
    }
    const route_client *c = route_client_start(h, address, 0, false);
    ROUTE_WAIT(h, c->connected);
    route_run_ms(h, 20);
    (void)close(accept(other, NULL, NULL));
    for (unsigned i = 0; i < HELD; i++) {
      uv_sem_post(&go);
    }
    ROUTE_WAIT(h, c->over);
    route_run_ms(h, 20);
    if (closes == 1) {
      route_remove(h, 0, 0);
      ROUTE_WAIT(h, h->routes[0].route == NULL);
    }
    c = route_client_start(h, address, BYTES, true);
    ROUTE_WAIT(h, c->over);
    assert_int_equal(c->received, closes == 1 ? 0 : BYTES);
    assert_int_equal(fcntl(other, F_GETFL), flags);
    (void)close(other);
    if (closes == 0) {
      ROUTE_WAIT(h, h->routes[0].open == 0);
      assert_journal(h, 0, "O1 C1 ");
    }
    route_host_free(h);
    uv_sem_destroy(&go);
  }
}

static void test_not_passed(void **state)
{
  (void)state;
  reserve(PASSED);
  route_host *h = open_host();
  set_passed("1", "web");
  assert_int_equal(route_add(h, 0, "fd://web", h->target_address, NULL), UV_ENOTSOCK);
  assert_int_equal(route_add(h, 0, "fd://4", h->target_address, NULL), UV_EBADF);
  assert_int_equal(route_add(h, 0, "fd://other", h->target_address, NULL), UV_EBADF);
  assert_int_equal(route_add(h, 0, "fd://3?perm=0600", h->target_address, NULL), UV_EINVAL);
  assert_int_equal(unsetenv("LISTEN_PID"), 0);
  assert_int_equal(route_add(h, 0, "fd://3", h->target_address, NULL), UV_EBADF);
  assert_true(fcntl(PASSED, F_GETFD) >= 0);
  route_host_free(h);
}

int main(void)
{
  reserve(PASSED); /* libuv keeps descriptors of its own */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relay),
      cmocka_unit_test(test_permissions),
      cmocka_unit_test(test_file_is_removed),
      cmocka_unit_test(test_file_is_replaced),
      cmocka_unit_test(test_in_the_way),
      cmocka_unit_test(test_half_close),
      cmocka_unit_test(test_client_gone_after_its_end),
      cmocka_unit_test(test_target_gone_after_its_end),
      cmocka_unit_test(test_no_descriptors),
      cmocka_unit_test(test_zone),
      cmocka_unit_test(test_link_to_itself),
      cmocka_unit_test(test_link_to_each_other),
      cmocka_unit_test(test_passed),
      cmocka_unit_test(test_passed_twice),
      cmocka_unit_test(test_passed_to_another_process_too),
      cmocka_unit_test(test_not_passed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
