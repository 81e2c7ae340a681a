/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/map.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_a_plain_array_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
