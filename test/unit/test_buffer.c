/* The pool of relay buffers: sizes, its owner's size, reuse, a bounded number kept, nothing leaked, no memory, no pipe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

enum { MANY = 200, KEPT_MAX = 64 };

static const size_t sizes[] = {UVR_BUFFER_SMALL, UVR_BUFFER_LARGE};

static void test_get(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  for (unsigned i = 0; i < 2; i++) {
    uvr_buffer *buffer = uvr_buffer_get(&r.context.buffers, sizes[i]);
    assert_non_null(buffer);
    assert_int_equal(buffer->capacity, sizes[i]);
    assert_int_equal(buffer->length, 0);
    assert_false(buffer->end_of_message);
    memset(buffer->data, 0xFF, buffer->capacity); /* all of it is ours: a sanitizer looks */
    buffer->length = 17;
    buffer->end_of_message = true;
    uvr_buffer_put(&r.context.buffers, buffer);
    /* The last one back is the next one out, as good as new, and of its own size. */
    uvr_buffer *other = uvr_buffer_get(&r.context.buffers, sizes[1 - i]);
    uvr_buffer *again = uvr_buffer_get(&r.context.buffers, sizes[i]);
    assert_ptr_equal(again, buffer);
    assert_ptr_not_equal(other, buffer);
    assert_int_equal(again->capacity, sizes[i]);
    assert_int_equal(again->length, 0);
    assert_false(again->end_of_message);
    uvr_buffer_put(&r.context.buffers, again);
    uvr_buffer_put(&r.context.buffers, other);
  }
  uvr_buffer_put(&r.context.buffers, NULL);
  rig_clear(&r);
}

static void test_kept(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  size_t others = r.blocks;
  for (unsigned i = 0; i < 2; i++) {
    uvr_buffer *all[MANY];
    for (unsigned n = 0; n < MANY; n++) {
      all[n] = uvr_buffer_get(&r.context.buffers, sizes[i]);
      assert_non_null(all[n]);
      memset(all[n]->data, (int)n, sizes[i]);
    }
    assert_int_equal(rig_buffers_held(&r), MANY);
    for (unsigned n = 0; n < MANY; n++) {
      for (size_t at = 0; at < sizes[i]; at += 511) {
        assert_int_equal((unsigned char)all[n]->data[at], n); /* no two share memory */
      }
      uvr_buffer_put(&r.context.buffers, all[n]);
    }
    assert_int_equal(rig_buffers_held(&r), 0);
  }
  size_t kept = r.blocks - others;
  assert_in_range(kept, 2, 2 * KEPT_MAX);
  assert_int_equal(kept, r.context.buffers.small_count + r.context.buffers.large_count);
  assert_in_range(r.context.buffers.large_count, 1, 16); /* at most 1 MiB lies idle */
  rig_clear(&r);
}

/* Taking and giving back in any order: the count is right and steady work allocates nothing. */
static void test_steady(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  uvr_buffer *held[4] = {0};
  size_t warm = 0;
  for (unsigned i = 0; i < 20000; i++) {
    if (i == 1000) {
      warm = r.allocations;
    }
    unsigned n = rig_random(&r, 4);
    if (held[n] == NULL) {
      held[n] = uvr_buffer_get(&r.context.buffers, sizes[rig_random(&r, 2)]);
      assert_false(rig_buffer_is_free(&r, held[n]->data));
    } else {
      uvr_buffer_put(&r.context.buffers, held[n]);
      assert_true(rig_buffer_is_free(&r, held[n]->data));
      held[n] = NULL;
    }
  }
  assert_int_equal(r.allocations, warm);
  for (unsigned n = 0; n < 4; n++) {
    uvr_buffer_put(&r.context.buffers, held[n]);
  }
  rig_clear(&r);
}

/* Its owner's size of large buffers: no more of them are kept than lie in half a MiB, and always one. */
static void test_large_size(void **state)
{
  (void)state;
  static const struct {
    size_t large;
    size_t kept;
  } all[] = {{UVR_BUFFER_SMALL, 0}, {2048, 8},   {65536, 8},  {65537, 7},
             {131072, 4},           {262144, 2}, {300000, 1}, {1048576, 1}};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    rig r;
    uvr_buffer *held[16];
    rig_init(&r);
    size_t others = r.blocks;
    r.context.buffers.large = all[i].large;
    for (unsigned n = 0; n < 16; n++) {
      held[n] = uvr_buffer_get(&r.context.buffers, UVR_BUFFER_SMALL + 1 + n);
      assert_non_null(held[n]);
      assert_int_equal(held[n]->capacity, all[i].large);
      memset(held[n]->data, 0xFF, all[i].large);
    }
    for (unsigned n = 0; n < 16; n++) {
      uvr_buffer_put(&r.context.buffers, held[n]);
    }
    assert_int_equal(r.context.buffers.large_count, all[i].kept);
    assert_int_equal(r.blocks - others, r.context.buffers.small_count + all[i].kept);
    uvr_buffer *again = uvr_buffer_get(&r.context.buffers, UVR_BUFFER_LARGE);
    assert_int_equal(again->capacity, all[i].large);
    uvr_buffer_put(&r.context.buffers, again);
    uvr_buffer_pool_clear(&r.context.buffers);
    assert_int_equal(r.blocks, others);
    rig_clear(&r);
  }
}

/* A buffer without room is of none of the sizes, not even of one that the pool does not have. */
static void test_empty(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  size_t blocks = r.blocks;
  uvr_buffer_put(&r.context.buffers, uvr_buffer_new(&r.context.buffers, 0));
  assert_int_equal(r.blocks, blocks);
  rig_clear(&r);
}

/* Of another size than these two it is made for once. */
static void test_odd_size(void **state)
{
  (void)state;
  static const size_t odd[] = {1, 1023, 1025, 65535, 65537, 100000};
  rig r;
  rig_init(&r);
  size_t others = r.blocks;
  for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
    uvr_buffer *buffer = uvr_buffer_new(&r.context.buffers, odd[i]);
    assert_non_null(buffer);
    assert_int_equal(buffer->capacity, odd[i]);
    assert_int_equal(buffer->length, 0);
    assert_false(buffer->end_of_message);
    memset(buffer->data, 0xFF, odd[i]);
    assert_int_equal(r.blocks, others + 1);
    uvr_buffer_put(&r.context.buffers, buffer);
    assert_int_equal(r.blocks, others); /* not kept */
  }
  r.fail_at = r.allocations + 1;
  assert_null(uvr_buffer_new(&r.context.buffers, 5000));
  /* One that was large before the pool's owner chose another size is odd, too. */
  uvr_buffer *buffer = uvr_buffer_get(&r.context.buffers, UVR_BUFFER_LARGE);
  r.context.buffers.large = 2 * UVR_BUFFER_LARGE;
  uvr_buffer_put(&r.context.buffers, buffer);
  assert_int_equal(r.blocks, others);
  rig_clear(&r);
}

static void test_no_memory(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  for (unsigned i = 0; i < 2; i++) {
    r.fail_at = r.allocations + 1;
    assert_null(uvr_buffer_get(&r.context.buffers, sizes[i]));
    uvr_buffer *buffer = uvr_buffer_get(&r.context.buffers, sizes[i]);
    assert_non_null(buffer);
    uvr_buffer_put(&r.context.buffers, buffer);
  }
  rig_clear(&r);
}

/* A pipe that cannot be made is not tried for each read, but again when a direction begins or ends. */
static void test_no_pipe(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  uvr_buffer_pool *pool = &r.context.buffers;
  uvr_splice_begin(pool);
  for (unsigned i = 0; uvr_splice_works() && i < 2; i++) {
    r.fail_at = r.allocations + 1 + i;
    assert_null(uvr_splice_get(pool));
    size_t tried = r.allocations;
    assert_null(uvr_splice_get(pool));
    assert_int_equal(r.allocations, tried);
    uvr_splice_begin(pool);
    uvr_buffer *pipe = uvr_splice_get(pool);
    assert_non_null(pipe);
    uvr_splice_end(pool);
    uvr_buffer *other = uvr_splice_get(pool);
    assert_non_null(other);
    uvr_buffer_put(pool, pipe);
    uvr_buffer_put(pool, other);
    uvr_splice_end(pool);
    uvr_splice_begin(pool);
  }
  uvr_splice_end(pool);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_get),        cmocka_unit_test(test_kept),     cmocka_unit_test(test_steady),
      cmocka_unit_test(test_large_size), cmocka_unit_test(test_odd_size), cmocka_unit_test(test_empty),
      cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_no_pipe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
