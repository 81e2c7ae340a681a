/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue/lanes.h"

#include <stdio.h>

static void
places_come_by_time_then_number_then_index(void **state)
{
    static const struct lane_place places[] = {{.due_s = 1, .number = 5, .index = 9},
                                               {.due_s = 2, .number = 3, .index = 7},
                                               {.due_s = 2, .number = 4, .index = 0},
                                               {.due_s = 2, .number = 4, .index = 1}};

    (void)state;
    for (int i = 0; i < (int)COUNT_OF(places); i++) {
        for (int j = 0; j < (int)COUNT_OF(places); j++)
            assert_int_equal(lane_place_compare(&places[i], &places[j]), (i > j) - (i < j));
    }
}

static void
lanes_come_in_the_order_of_their_times(void **state)
{
    struct lanes lanes;
    char name[20];

    (void)state;
    lanes_init(&lanes, 7);
    for (uint32_t i = 0; i < 1000; i++) {
        int len = snprintf(name, sizeof(name), "d%u.fr", i);
        struct lane_place place = {.due_s = 1 + i * 7919 % 1000, .number = i};
        lanes_note(&lanes, slice_of(name, (size_t)len), QUEUE_ORDINARY, &place);
    }
    for (uint64_t due = 1; due <= 1000; due++) {
        struct lane *lane = lanes_first(&lanes);
        assert_int_equal(lane->ready_s, due);
        if (due % 3 == 0)
            lanes_remove(&lanes, lane);
        else
            lanes_pause(&lanes, lane);
    }
    assert_null(lanes_first(&lanes));
    struct lane *lane = lanes_find(&lanes, SLICE("d0.fr"));
    assert_non_null(lane);
    lanes_set(&lanes, lane, 5);
    assert_ptr_equal(lanes_first(&lanes), lane);
    lanes_set(&lanes, lane, 50);
    lanes_set(&lanes, lanes_find(&lanes, SLICE("d1.fr")), 40);
    assert_true(slice_equal(lane_domain(lanes_first(&lanes)), SLICE("d1.fr")));
    lanes_finish(&lanes);
}

static void
what_comes_earlier_is_seen(void **state)
{
    struct lanes lanes;
    struct lane_place late = {100, 5, 0}, early = {50, 6, 0};

    (void)state;
    lanes_init(&lanes, 7);
    lanes_note(&lanes, SLICE("a.fr"), QUEUE_BULK, &late);
    struct lane *lane = lanes_first(&lanes);
    lane->taken[QUEUE_BULK] = (struct lane_place){80, 1, 0};
    lanes_note(&lanes, SLICE("a.fr"), QUEUE_BULK, &early);
    assert_int_equal(lane->ready_s, 50);
    assert_int_equal(lane->taken[QUEUE_BULK].due_s, 0);
    /* The very one that was taken last, again; and one behind it. */
    lane->taken[QUEUE_BULK] = early;
    lanes_note(&lanes, SLICE("a.fr"), QUEUE_BULK, &early);
    assert_int_equal(lane->taken[QUEUE_BULK].due_s, 0);
    lane->taken[QUEUE_BULK] = early;
    lanes_note(&lanes, SLICE("a.fr"), QUEUE_BULK, &late);
    assert_int_equal(lane->taken[QUEUE_BULK].due_s, 50);
    lanes_pause(&lanes, lane);
    lanes_note(&lanes, SLICE("a.fr"), QUEUE_BULK, &late);
    assert_true(lane->is_dirty);
    lanes_set(&lanes, lane, 100);
    assert_false(lane->is_dirty);
    lanes_finish(&lanes);
}

static void
no_class_is_left_behind(void **state)
{
    struct lane lane = {0};
    bool all[QUEUE_CLASSES] = {true, true, true}, bulk[QUEUE_CLASSES] = {false, false, true};
    bool none[QUEUE_CLASSES] = {false};
    unsigned counts[QUEUE_CLASSES] = {0};

    (void)state;
    for (int i = 0; i < 80; i++)
        counts[lane_class(&lane, all)]++;
    assert_int_equal(counts[QUEUE_URGENT], 50);
    assert_int_equal(counts[QUEUE_ORDINARY], 20);
    assert_int_equal(counts[QUEUE_BULK], 10);
    assert_int_equal(lane_class(&lane, bulk), QUEUE_BULK);
    unsigned turn = lane.turn % 8;
    assert_int_equal(lane_class(&lane, none), QUEUE_CLASSES);
    assert_int_equal(lane.turn % 8, turn);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(places_come_by_time_then_number_then_index),
    cmocka_unit_test(lanes_come_in_the_order_of_their_times),
    cmocka_unit_test(what_comes_earlier_is_seen),
    cmocka_unit_test(no_class_is_left_behind),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
