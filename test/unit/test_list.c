/* Lists of members: order, removal at every place, moving a whole list, removal while a loop runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

enum { COUNT = 5 };

typedef struct item {
  int number;
  uvr_list_node node;
} item;

static item items[COUNT];

static void fill(uvr_list *list)
{
  memset(items, 0, sizeof(items));
  uvr_list_init(list);
  for (int i = 0; i < COUNT; i++) {
    items[i].number = i;
    assert_false(uvr_list_has(&items[i].node));
    uvr_list_append(list, &items[i].node);
    assert_true(uvr_list_has(&items[i].node));
  }
}

/* The list's numbers as digits. */
static int numbers(const uvr_list *list)
{
  int all = 0;
  for (uvr_list_node *n = uvr_list_first(list); n != NULL; n = uvr_list_next(list, n)) {
    all = all * 10 + 1 + UVR_LISTED(n, item, node)->number;
  }
  return all;
}

static void test_order(void **state)
{
  (void)state;
  uvr_list list;
  fill(&list);
  assert_int_equal(numbers(&list), 12345);
  uvr_list_remove(&items[4].node);
  uvr_list_prepend(&list, &items[4].node);
  assert_int_equal(numbers(&list), 51234);
}

static void test_remove_at_every_place(void **state)
{
  (void)state;
  static const int left[COUNT] = {2345, 1345, 1245, 1235, 1234};
  for (int i = 0; i < COUNT; i++) {
    uvr_list list;
    fill(&list);
    uvr_list_remove(&items[i].node);
    assert_false(uvr_list_has(&items[i].node));
    assert_int_equal(numbers(&list), left[i]);
  }
}

static void test_pop(void **state)
{
  (void)state;
  uvr_list list;
  fill(&list);
  for (int i = 0; i < COUNT; i++) {
    assert_ptr_equal(uvr_list_pop(&list), &items[i].node);
  }
  assert_true(uvr_list_is_empty(&list));
  assert_null(uvr_list_pop(&list));
  uvr_list_append(&list, &items[2].node);
  assert_int_equal(numbers(&list), 3);
}

static void test_move(void **state)
{
  (void)state;
  uvr_list list;
  uvr_list moved;
  fill(&list);
  uvr_list_move(&moved, &list);
  assert_true(uvr_list_is_empty(&list));
  assert_int_equal(numbers(&moved), 12345);
  uvr_list_remove(&items[0].node);
  uvr_list_remove(&items[4].node);
  assert_int_equal(numbers(&moved), 234);
  uvr_list_move(&moved, &list); /* nothing */
  assert_true(uvr_list_is_empty(&moved));
}

static void test_remove_in_a_loop(void **state)
{
  (void)state;
  uvr_list list;
  fill(&list);
  for (uvr_list_node *next, *n = uvr_list_first(&list); n != NULL; n = next) {
    next = uvr_list_next(&list, n);
    if (UVR_LISTED(n, item, node)->number % 2 == 0) {
      uvr_list_remove(n);
    }
  }
  assert_int_equal(numbers(&list), 24);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order), cmocka_unit_test(test_remove_at_every_place), cmocka_unit_test(test_pop),
      cmocka_unit_test(test_move),  cmocka_unit_test(test_remove_in_a_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
