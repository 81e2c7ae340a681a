/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/time.h"

static void
holds_what_a_plain_array_holds(void **state)
{
    struct map map;
    static bool present[4096];
    uint64_t random = 12345;

    (void)state;
    map_init(&map, 99);
    for (int round = 0; round < 100000; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t number = random >> 52;
        void *before = map_find(&map, map_key_u64(&number));
        assert_int_equal(before != NULL, present[number]);
        if (random & 1 << 20) {
            assert_ptr_equal(map_set(&map, map_key_u64(&number), &present[number]), before);
            present[number] = true;
        } else {
            assert_ptr_equal(map_remove(&map, map_key_u64(&number)), before);
            present[number] = false;
        }
    }
    size_t place = 0, seen = 0;
    while (map_next(&map, &place))
        seen++;
    assert_int_equal(seen, map.count);
    map_finish(&map);
}

static void
lists_keep_their_order_and_bear_removal(void **state)
{
    struct list head, links[5];
    size_t at = 0;

    (void)state;
    list_init(&head);
    for (size_t i = 1; i < COUNT_OF(links); i++)
        list_append(&head, &links[i]);
    list_prepend(&head, &links[0]);
    LIST_EACH(link, &head)
    {
        assert_ptr_equal(link, &links[at]);
        if (at % 2 == 0)
            list_remove(link);
        at++;
    }
    assert_int_equal(at, COUNT_OF(links));
    assert_ptr_equal(head.next, &links[1]);
    assert_ptr_equal(head.previous, &links[3]);
    list_remove(&links[0]);
    assert_true(list_is_empty(&links[0]));
}

static void
sizes_that_overflow_are_told(void **state)
{
    size_t result = 7;

    (void)state;
    assert_false(checked_add(SIZE_MAX, 1, &result));
    assert_false(checked_multiply(SIZE_MAX / 2, 3, &result));
    assert_int_equal(result, 7);
    assert_true(checked_add(SIZE_MAX - 1, 1, &result));
    assert_true(result == SIZE_MAX);
    assert_true(checked_range(10, 0, 10));
    assert_true(checked_range(0, 10, 10));
    assert_false(checked_range(1, 10, 10));
    assert_false(checked_range(UINT64_MAX, 2, 10));
}

static void
times_of_day_never_overflow(void **state)
{
    const int64_t last = INT64_MAX / 1000000000;

    (void)state;
    assert_int_equal(wall_of_seconds(1).ns, 1000000000);
    assert_int_equal(wall_of_seconds(last).ns, last * 1000000000);
    assert_int_equal(wall_of_seconds(last + 1).ns, INT64_MAX);
    assert_int_equal(wall_of_seconds(-last).ns, -last * 1000000000);
    assert_int_equal(wall_of_seconds(-last - 1).ns, INT64_MIN);
}

static void
a_hash_in_pieces_is_the_hash_of_all(void **state)
{
    struct hash_stream *stream = hash_stream_open();

    (void)state;
    hash_stream_put(stream, SLICE("some "));
    hash_stream_put(stream, SLICE("bytes"));
    assert_true(hash_stream_close(&stream) == hash64(SLICE("some bytes"), 0));
    assert_null(stream);
    assert_false(hash64(SLICE("some bytes"), 1) == hash64(SLICE("some bytes"), 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_keep_their_order_and_bear_removal),
        cmocka_unit_test(sizes_that_overflow_are_told),
        cmocka_unit_test(times_of_day_never_overflow),
        cmocka_unit_test(a_hash_in_pieces_is_the_hash_of_all),
        cmocka_unit_test(holds_what_a_plain_array_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
