/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/slots.h"

enum { MANY = 1000 };

static void
an_item_is_found_by_its_number_until_it_is_released(void **state)
{
    struct slots slots = {0};
    int items[MANY];
    uint32_t numbers[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        numbers[i] = slots_take(&slots, &items[i]);
    assert_int_equal(slots.count, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(slots_at(&slots, numbers[i]), &items[i]);
    slots_release(&slots, numbers[7]);
    assert_null(slots_at(&slots, numbers[7]));
    assert_int_equal(slots_take(&slots, &items[0]), numbers[7]);
    slots_finish(&slots);
}

static void
a_number_that_was_never_given_names_nothing(void **state)
{
    struct slots slots = {0};
    int item;

    (void)state;
    assert_null(slots_at(&slots, 0));
    slots_release(&slots, slots_take(&slots, &item));
    assert_null(slots_at(&slots, 0));
    assert_null(slots_at(&slots, UINT64_MAX));
    slots_finish(&slots);
}

static void
a_walk_sees_all_and_bears_their_release(void **state)
{
    struct slots slots = {0};
    int items[MANY] = {0}, *item;
    uint32_t numbers[MANY];
    size_t place = 0;

    (void)state;
    for (int i = 0; i < MANY; i++)
        numbers[i] = slots_take(&slots, &items[i]);
    while ((item = slots_next(&slots, &place))) {
        (*item)++;
        slots_release(&slots, numbers[item - items]);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(items[i], 1);
    assert_int_equal(slots.count, 0);
    slots_finish(&slots);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_found_by_its_number_until_it_is_released),
        cmocka_unit_test(a_number_that_was_never_given_names_nothing),
        cmocka_unit_test(a_walk_sees_all_and_bears_their_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
