/* Requests on the thread pool: jobs that do not return until the test lets them, and names that are looked up by the
 * system. Which of them run, who gets a result, abandoning, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/look_up.h"
#include "rig.h"

enum { JOBS = 6 };

typedef struct bench bench;

typedef struct hanging {
  uvr_job job;
  bench *bench;
  unsigned number;
} hanging;

struct bench {
  rig r;
  uv_sem_t started; /* posted by each job that runs */
  uv_sem_t go;      /* awaited by each job that runs */
  unsigned order[JOBS];
  unsigned done;
  unsigned cleared;
  bool some_done;
  uvr_look_up look_ups[JOBS];
  unsigned results;
  unsigned addresses;
  int code;
  bool all_results;
  unsigned expected;
};

static void on_closed(void *user)
{
  *(bool *)user = true;
}

static void run_hanging(uvr_job *job)
{
  bench *b = ((hanging *)job)->bench;
  uv_sem_post(&b->started);
  uv_sem_wait(&b->go);
}

static void on_done(void *owner, uvr_job *job)
{
  bench *b = owner;
  b->order[b->done++] = ((hanging *)job)->number;
  b->some_done = true;
}

static void clear_hanging(uvr_job *job)
{
  ((hanging *)job)->bench->cleared++;
}

static const uvr_job_ops hanging_ops = {
    .size = sizeof(hanging), .run = run_hanging, .on_done = on_done, .clear = clear_hanging};

static void bench_init(bench *b)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  assert_int_equal(uv_sem_init(&b->started, 0), 0);
  assert_int_equal(uv_sem_init(&b->go, 0), 0);
}

static void bench_clear(bench *b)
{
  rig_clear(&b->r); /* waits for what runs, and asserts that all memory is given back */
  uv_sem_destroy(&b->started);
  uv_sem_destroy(&b->go);
}

static uvr_job *add_job(bench *b, const char *place, unsigned number)
{
  uvr_job *job = uvr_job_new(&b->r.context, &hanging_ops, place, b);
  assert_non_null(job);
  ((hanging *)job)->bench = b;
  ((hanging *)job)->number = number;
  uvr_job_start(job);
  return job;
}

/* Lets the job that runs end. */
static void let_go(bench *b)
{
  b->some_done = false;
  uv_sem_post(&b->go);
  assert_true(rig_run_until(&b->r, &b->some_done));
}

static void test_jobs_run_one_after_the_other(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  for (unsigned i = 0; i < JOBS; i++) {
    (void)add_job(&b, "one", i);
  }
  for (unsigned i = 0; i < JOBS; i++) {
    uv_sem_wait(&b.started);
    assert_int_equal(uv_sem_trywait(&b.started), UV_EAGAIN);
    let_go(&b);
    assert_int_equal(b.done, i + 1);
    assert_int_equal(b.order[i], i);
  }
  bench_clear(&b);
  assert_int_equal(b.cleared, JOBS);
}

static void test_one_job_for_each_place_runs(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  (void)uv_os_setenv("UV_THREADPOOL_SIZE", "12"); /* where it matters, a quarter of it is ours; libuv has four */
  unsigned most = uvr_long_call_max();
  unsigned expected = most < 4 ? most : 4;
  assert_in_range(expected, 3, 4);
  (void)add_job(&b, "one", 0);
  (void)add_job(&b, "one", 1);
  (void)add_job(&b, "other", 2);
  (void)add_job(&b, "third", 3);
  (void)add_job(&b, "fourth", 4);
  for (unsigned i = 0; i < expected; i++) {
    uv_sem_wait(&b.started); /* 0, 2, 3, and if there is room 4 */
  }
  assert_int_equal(uv_sem_trywait(&b.started), UV_EAGAIN);
  for (unsigned i = 0; i < 5; i++) {
    uv_sem_post(&b.go);
  }
  while (b.done < 5) {
    b.some_done = false;
    assert_true(rig_run_until(&b.r, &b.some_done));
  }
  (void)uv_os_unsetenv("UV_THREADPOOL_SIZE");
  bench_clear(&b);
}

static void test_abandoned_jobs(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  uvr_job *running = add_job(&b, "one", 0);
  uvr_job *waiting = add_job(&b, "one", 1);
  (void)add_job(&b, "one", 2);
  uv_sem_wait(&b.started);
  uvr_job_abandon(waiting);
  assert_int_equal(b.cleared, 1);
  uvr_job_abandon(running);
  assert_int_equal(b.cleared, 1); /* it still uses its memory */
  uv_sem_post(&b.go);
  let_go(&b);
  assert_int_equal(b.done, 1);
  assert_int_equal(b.order[0], 2);
  assert_int_equal(b.cleared, 3);
  bench_clear(&b);
}

static void test_closing_waits_for_what_runs(void **state)
{
  (void)state;
  bench b;
  bool closed = false;
  bench_init(&b);
  uvr_offload *usual = b.r.context.offload;
  b.r.context.offload = uvr_offload_new(&b.r.context.memory);
  uvr_job *job = add_job(&b, "one", 0);
  uv_sem_wait(&b.started);
  uvr_job_abandon(job);
  uvr_offload_close(b.r.context.offload, on_closed, &closed);
  rig_turns(&b.r, 3);
  assert_false(closed);
  uv_sem_post(&b.go);
  assert_true(rig_run_until(&b.r, &closed));
  assert_int_equal(b.done, 0);
  b.r.context.offload = usual;
  bench_clear(&b);
}

/* Names. */

static void on_result(void *user, int code, const struct addrinfo *addresses)
{
  bench *b = user;
  b->code = code;
  b->addresses += addresses != NULL ? 1 : 0;
  b->results++;
  b->all_results = b->results == b->expected;
}

static void look_up(bench *b, unsigned number, const char *host)
{
  assert_int_equal(uvr_look_up_start(&b->r.context, &b->look_ups[number], host, on_result, b), 0);
}

static void test_a_name_has_one_result_for_all(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  for (unsigned i = 0; i < JOBS; i++) {
    look_up(&b, i, i % 2 == 0 ? "localhost" : "LocalHost");
  }
  const uvr_list *queries = &b.r.context.offload->look_ups;
  assert_null(uvr_list_next(queries, uvr_list_first(queries)));
  uvr_look_up_abandon(&b.look_ups[0]);
  uvr_look_up_abandon(&b.look_ups[3]);
  uvr_look_up_abandon(&b.look_ups[3]); /* does nothing */
  b.expected = JOBS - 2;
  assert_true(rig_run_until(&b.r, &b.all_results));
  assert_int_equal(b.code, 0);
  assert_int_equal(b.addresses, JOBS - 2);
  bench_clear(&b);
}

/* The first look-up of a name is abandoned, whether or not libuv has begun with it; another one is not disturbed. */
static void test_an_abandoned_name_can_be_looked_up_again(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 20; turns++) {
    bench b;
    bench_init(&b);
    look_up(&b, 0, "localhost");
    rig_turns(&b.r, turns % 2);
    uv_sleep(turns / 10);
    if (b.results == 0) {
      uvr_look_up_abandon(&b.look_ups[0]);
    }
    b.results = 0;
    b.expected = 1;
    b.all_results = false;
    look_up(&b, 1, "localhost");
    assert_true(rig_run_until(&b.r, &b.all_results));
    assert_int_equal(b.code, 0);
    bench_clear(&b);
  }
}

static void test_failures_are_remembered(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  b.r.context.patience.look_up_memory_ms = 50;
  b.expected = 1;
  look_up(&b, 0, "no such name"); /* blanks: the system asks no server */
  assert_int_equal(b.results, 0);
  assert_true(rig_run_until(&b.r, &b.all_results));
  int code = b.code;
  assert_int_not_equal(code, 0);
  b.code = 0;
  look_up(&b, 1, "No Such Name");
  assert_int_equal(b.results, 2); /* at once */
  assert_int_equal(b.code, code);
  rig_run_ms(&b.r, 60);
  look_up(&b, 2, "no such name");
  assert_int_equal(b.results, 2);
  b.expected = 3;
  assert_true(rig_run_until(&b.r, &b.all_results));
  bench_clear(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jobs_run_one_after_the_other),
      cmocka_unit_test(test_one_job_for_each_place_runs),
      cmocka_unit_test(test_abandoned_jobs),
      cmocka_unit_test(test_closing_waits_for_what_runs),
      cmocka_unit_test(test_a_name_has_one_result_for_all),
      cmocka_unit_test(test_an_abandoned_name_can_be_looked_up_again),
      cmocka_unit_test(test_failures_are_remembered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
