/* A host with two loops in two threads, each with a relay of its own, at the same time. The relays know nothing of each
 * other: each has its own allocator and log, which fail the program when they are called on another thread than that of
 * their loop. For a package built with the thread sanitizer this is built with it too. */
#include <stdio.h>
#include <stdlib.h>

#include <uvrelay.h>

#include "client.h"
#include "echo.h"

enum { THREADS = 2, CLIENTS = 3, ROUNDS = 4, CLIENT_BYTES = 300 * 1000 + 1 };

typedef struct worker_s {
  uv_thread_t thread;
  uv_barrier_t *barrier;
  unsigned number;
  host_t host;
  uvrelay_t *relay;
  echo_t echoes[2];
  client_t clients[CLIENTS];
  unsigned round;
  unsigned done; /* sessions */
  unsigned clients_closed;
  unsigned relays_closed;
} worker_t;

static void start_round(worker_t *worker);

static void on_relay_closed(uvrelay_t *relay)
{
  worker_t *worker = uvrelay_get_data(relay);
  worker->relays_closed++;
}

/* A round is over when its sessions and their clients are. */
static void next_round(worker_t *worker)
{
  if (worker->done < worker->round * CLIENTS || worker->clients_closed < worker->round * CLIENTS) {
    return;
  }
  if (worker->round < ROUNDS) {
    start_round(worker);
  } else {
    uvrelay_close(worker->relay, on_relay_closed);
    echo_close(&worker->echoes[0]);
    echo_close(&worker->echoes[1]);
  }
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  worker_t *worker = user;
  (void)session;
  host_check_ended(result, CLIENT_BYTES);
  worker->done++;
  next_round(worker);
}

static void on_client_closed(client_t *client)
{
  worker_t *worker = client->user;
  worker->clients_closed++;
  next_round(worker);
}

static void start_round(worker_t *worker)
{
  uvrelay_session_options_t options = {.size = sizeof(options), .retry = UVRELAY_RETRY_ALL, .timeout_ms = 30000};
  worker->round++;
  for (unsigned i = 0; i < CLIENTS; i++) {
    client_t *client = &worker->clients[i];
    client->user = worker;
    client_wait(client, &worker->host.loop, worker->number * 1000 + worker->round * 10 + i, CLIENT_BYTES,
                on_client_closed);
    uvrelay_endpoint_t left = uvrelay_address(client->address);
    uvrelay_endpoint_t right = uvrelay_address(worker->echoes[i % 2].address);
    CHECK_CODE(uvrelay_start(worker->relay, &left, &right, &options, on_done, worker, NULL), 0);
  }
}

static void work(void *argument)
{
  worker_t *worker = argument;
  uvrelay_options_t options = {.size = sizeof(options)};
  uvrelay_counters_t counters;

  host_open(&worker->host);
  options.allocator = host_allocator(&worker->host);
  options.log = host_log(&worker->host);
  (void)uv_barrier_wait(worker->barrier);
  CHECK_CODE(uvrelay_new(&worker->relay, &worker->host.loop, &options), 0);
  uvrelay_set_data(worker->relay, worker);
  echo_listen_local(&worker->echoes[0], &worker->host);
  echo_listen_tcp(&worker->echoes[1], &worker->host);
  start_round(worker);
  uvrelay_get_counters(worker->relay, &counters, sizeof(counters));
  CHECK(counters.active == CLIENTS && counters.started == CLIENTS);

  CHECK(uv_run(&worker->host.loop, UV_RUN_DEFAULT) == 0);

  CHECK(worker->done == CLIENTS * ROUNDS);
  CHECK(worker->clients_closed == CLIENTS * ROUNDS);
  CHECK(worker->relays_closed == 1);
  CHECK(worker->echoes[0].open == 0 && worker->echoes[1].open == 0);
  CHECK(worker->host.allocated > 0);
  host_close(&worker->host);
}

int main(void)
{
  uv_barrier_t barrier;
  worker_t *workers = calloc(THREADS, sizeof(*workers));
  CHECK(workers != NULL);
  CHECK_CODE(uv_barrier_init(&barrier, THREADS), 0);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].barrier = &barrier;
    workers[i].number = i;
    CHECK_CODE(uv_thread_create(&workers[i].thread, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    CHECK_CODE(uv_thread_join(&workers[i].thread), 0);
  }
  uv_barrier_destroy(&barrier);
  (void)printf("%d threads, %u sessions each\n", THREADS, workers[0].done);
  free(workers);
  return 0;
}
