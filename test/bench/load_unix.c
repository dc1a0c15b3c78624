/* The bench's client: puts one kind of load on a relay and prints what it measured as one line of JSON.
 *
 *   load_unix [--cpu=PID,...] [--seconds=S] [--operations=COUNT] WHAT ADDRESS N
 *
 *   connect   connections, N at a time: connect, send 64 bytes, receive them back, close
 *   trips     64 bytes there and back on each of N connections at a time
 *   down, up  as many bytes as go through, over N connections at a time
 *   hold      N connections, each after one round trip; prints, then keeps them until standard input ends
 *
 * All but `hold` last S seconds after a warm-up of a fifth of that. With --operations, `connect` ends after COUNT
 * connections instead. `target_unix` is at the other end. Latencies (p50_us, p99_us) are of single operations, in
 * microseconds. `cpu` is the time that the processes PID used for each operation, in microseconds; for `down` and `up`,
 * in seconds for each GB (10^9 bytes). */
#include "sockets_unix.h"

#include <sys/time.h>
#include <time.h>

enum { BUFFER = 256 * 1024, BATCH = 128, MESSAGE = 64, MOST_PROCESSES = 16, PATIENCE = 20 };

struct client {
  int fd;
  size_t left; /* of the echo */
  double since;
};

static struct {
  struct place place;
  int epoll;
  struct client *clients;
  int count;
  int processes[MOST_PROCESSES], process_count;
  double seconds;
  unsigned long long operations; /* 0 if the time limits the load */
  int open;
} load = {.seconds = 1};

/* What was counted since the warm-up. */
static struct {
  double begin, end, cpu;
  unsigned long long operations, bytes;
  float *latencies;
  size_t latency_count, latency_room;
} measured;

static char buffer[BUFFER];

static double seconds_of(clockid_t clock)
{
  struct timespec time;
  if (clock_gettime(clock, &time) != 0)
    fail("cannot read the clock of a process");
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double now(void)
{
  return seconds_of(CLOCK_MONOTONIC);
}

static double cpu_of_processes(void)
{
  double sum = 0;
  for (int i = 0; i < load.process_count; i++) {
    clockid_t clock;
    errno = clock_getcpuclockid(load.processes[i], &clock);
    if (errno != 0)
      fail("cannot read the clock of process %d", load.processes[i]);
    sum += seconds_of(clock);
  }
  return sum;
}

static void begin_measuring(void)
{
  measured.operations = measured.bytes = 0;
  measured.latency_count = 0;
  measured.cpu = cpu_of_processes();
  measured.begin = now();
}

static void end_measuring(void)
{
  measured.end = now();
  measured.cpu = cpu_of_processes() - measured.cpu;
}

static void note_latency(double seconds)
{
  measured.operations++;
  if (measured.latency_count == measured.latency_room) {
    measured.latency_room = measured.latency_room == 0 ? 65536 : measured.latency_room * 2;
    measured.latencies = realloc(measured.latencies, measured.latency_room * sizeof *measured.latencies);
    if (measured.latencies == NULL)
      fail("cannot keep %zu latencies", measured.latency_room);
  }
  measured.latencies[measured.latency_count++] = (float)(seconds * 1e6);
}

static int in_order(const void *left, const void *right)
{
  float first = *(const float *)left, second = *(const float *)right;
  return (first > second) - (first < second);
}

static double percentile(double part)
{
  if (measured.latency_count == 0)
    return 0;
  return (double)measured.latencies[(size_t)((double)(measured.latency_count - 1) * part)];
}

static void print_result(bool bulk)
{
  double seconds = measured.end - measured.begin;
  if (bulk ? measured.bytes == 0 : measured.operations == 0) {
    errno = ETIMEDOUT;
    fail("nothing came through %s in %g s", load.place.text, load.seconds);
  }
  if (bulk) {
    double gigabytes = (double)measured.bytes * 1e-9;
    printf("{\"MBps\": %.1f, \"cpu\": %.5f}\n", gigabytes * 1e3 / seconds, measured.cpu / gigabytes);
  } else {
    qsort(measured.latencies, measured.latency_count, sizeof *measured.latencies, in_order);
    printf("{\"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu\": %.3f, \"operations\": %llu}\n",
           (double)measured.operations / seconds, percentile(0.5), percentile(0.99),
           measured.cpu * 1e6 / (double)measured.operations, measured.operations);
  }
  fflush(stdout);
}

/* Each client comes from another address, because a port is in TIME_WAIT for a minute after its client has closed it:
 * with one address, new clients would soon search long for a free port, and that search would be all that is measured.
 */
static void choose_source(int fd)
{
  static uint32_t count;
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + count++ % 65536)};
  if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)) != 0 ||
      bind(fd, (struct sockaddr *)&source, sizeof source) != 0)
    fail("cannot choose an address for a client");
}

/* Connecting may block: to a Unix socket or on the loopback interface it takes microseconds. */
static void begin_client(struct client *client)
{
  client->since = now();
  client->fd = open_socket(&load.place, 0);
  if (load.place.address.any.sa_family == AF_INET)
    choose_source(client->fd);
  if (connect(client->fd, &load.place.address.any, load.place.size) != 0)
    fail("cannot connect to %s", load.place.text);
  if (setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = PATIENCE}, sizeof(struct timeval)) !=
      0)
    fail("cannot set a time limit");
  send_at_once(client->fd, &load.place);
  load.open++;
}

static void send_message(struct client *client, const char *message, size_t size)
{
  client->left = size;
  if (send(client->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
    fail("cannot send to %s", load.place.text);
}

static void send_echo(struct client *client)
{
  static const char message[MESSAGE] = "e";
  send_message(client, message, MESSAGE);
}

/* Receives what is there of the echo. Returns true when it is complete. */
static bool receive_echo(struct client *client, int flags)
{
  ssize_t got = recv(client->fd, buffer, client->left, flags);
  if (got <= 0) {
    if (got < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT))
      return false;
    errno = got == 0 ? ECONNRESET : errno == EAGAIN ? ETIMEDOUT : errno;
    fail("no answer from %s", load.place.text);
  }
  client->left -= (size_t)got;
  return client->left == 0;
}

static void receive_whole_echo(struct client *client)
{
  while (!receive_echo(client, 0)) {
  }
}

static void connect_and_echo(struct client *client)
{
  begin_client(client);
  watch(load.epoll, EPOLL_CTL_ADD, client->fd, EPOLLIN, client);
  send_echo(client);
}

/* What each kind of load does with a connection that is ready. */

static void on_connect(struct client *client)
{
  if (!receive_echo(client, MSG_DONTWAIT))
    return;
  note_latency(now() - client->since);
  close(client->fd);
  load.open--;
  if (load.operations == 0 || measured.operations + (unsigned)load.open < load.operations)
    connect_and_echo(client);
}

static void on_trip(struct client *client)
{
  if (!receive_echo(client, MSG_DONTWAIT))
    return;
  double end = now();
  note_latency(end - client->since);
  client->since = end;
  send_echo(client);
}

static void on_bulk(struct client *client, bool down)
{
  ssize_t moved = down ? recv(client->fd, buffer, BUFFER, MSG_DONTWAIT)
                       : send(client->fd, buffer, BUFFER, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (moved > 0) {
    measured.bytes += (unsigned long long)moved;
  } else if (moved == 0 || errno != EAGAIN) {
    errno = moved == 0 ? ECONNRESET : errno;
    fail("%s ended a transfer", load.place.text);
  }
}

static void on_down(struct client *client)
{
  on_bulk(client, true);
}

static void on_up(struct client *client)
{
  on_bulk(client, false);
}

/* Runs the load for its time. */
static void run(void (*on_ready)(struct client *))
{
  double last = now();
  bool warm = load.operations != 0;
  double end = last + load.seconds * 0.2;
  begin_measuring();
  for (;;) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(load.epoll, events, BATCH, 100);
    double time = now();
    last = count > 0 ? time : last;
    if (time - last > PATIENCE) {
      errno = ETIMEDOUT;
      fail("nothing came from %s", load.place.text);
    }
    for (int i = 0; i < count; i++)
      on_ready(events[i].data.ptr);
    if (load.operations != 0 ? load.open > 0 : time < end)
      continue;
    if (warm)
      break;
    warm = true;
    begin_measuring();
    end = measured.begin + load.seconds;
  }
  end_measuring();
}

/* The target has answered on each connection before the warm-up begins: some relays start a program for each. */
static void open_all_for_bulk(const char *first, uint32_t events)
{
  for (int i = 0; i < load.count; i++) {
    begin_client(&load.clients[i]);
    send_message(&load.clients[i], first, 1);
  }
  for (int i = 0; i < load.count; i++) {
    receive_echo(&load.clients[i], 0);
    watch(load.epoll, EPOLL_CTL_ADD, load.clients[i].fd, events, &load.clients[i]);
  }
}

/* All connections are there before the first round trip counts, or the last ones would be measured alone. */
static void open_all_for_trips(void)
{
  for (int i = 0; i < load.count; i++) {
    begin_client(&load.clients[i]);
    send_echo(&load.clients[i]);
  }
  for (int i = 0; i < load.count; i++)
    receive_whole_echo(&load.clients[i]);
  for (int i = 0; i < load.count; i++) {
    watch(load.epoll, EPOLL_CTL_ADD, load.clients[i].fd, EPOLLIN, &load.clients[i]);
    load.clients[i].since = now();
    send_echo(&load.clients[i]);
  }
}

static void hold(void)
{
  begin_measuring();
  for (int i = 0; i < load.count; i++) {
    begin_client(&load.clients[i]);
    send_echo(&load.clients[i]);
    receive_whole_echo(&load.clients[i]);
    note_latency(now() - load.clients[i].since);
  }
  end_measuring();
  print_result(false);
  while (read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
  }
}

static void put_load(const char *what)
{
  if (strcmp(what, "connect") == 0) {
    for (int i = 0; i < load.count; i++)
      connect_and_echo(&load.clients[i]);
    run(on_connect);
  } else if (strcmp(what, "trips") == 0) {
    open_all_for_trips();
    run(on_trip);
  } else if (strcmp(what, "down") == 0) {
    open_all_for_bulk("p", EPOLLIN);
    run(on_down);
  } else if (strcmp(what, "up") == 0) {
    open_all_for_bulk("s", EPOLLOUT);
    run(on_up);
  } else {
    errno = EINVAL;
    fail("%s is not a kind of load", what);
  }
  print_result(what[0] == 'd' || what[0] == 'u');
}

static int add_option(const char *option)
{
  if (strncmp(option, "--seconds=", 10) == 0) {
    load.seconds = atof(option + 10);
  } else if (strncmp(option, "--operations=", 13) == 0) {
    load.operations = (unsigned long long)atoll(option + 13);
  } else if (strncmp(option, "--cpu=", 6) == 0) {
    for (const char *at = option + 5; at != NULL && load.process_count < MOST_PROCESSES; at = strchr(at + 1, ','))
      load.processes[load.process_count++] = atoi(at + 1);
  } else {
    return 0;
  }
  return 1;
}

int main(int argc, char **argv)
{
  int at = 1;
  while (at < argc && add_option(argv[at]))
    at++;
  if (argc - at != 3 || atoi(argv[at + 2]) < 1) {
    fprintf(
        stderr,
        "usage: load_unix [--cpu=PID,...] [--seconds=S] [--operations=COUNT] connect|trips|down|up|hold ADDRESS N\n");
    return 2;
  }
  const char *what = argv[at];
  allow_many_descriptors();
  load.place = place_of(argv[at + 1]);
  load.count = atoi(argv[at + 2]);
  load.clients = allocate((size_t)load.count * sizeof *load.clients);
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (strcmp(what, "hold") == 0)
    hold();
  else
    put_load(what);
  return 0;
}
