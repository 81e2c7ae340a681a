/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"

static void
memory_is_zeroed_and_separate(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t size = 1; size < 5000; size += 97) {
        uint8_t *at = arena_new(&arena, size);
        assert_non_null(at);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(at[i], 0);
        memset(at, 0xFF, size);
    }
    arena_reset(&arena);
    uint8_t *again = arena_new(&arena, 1000);
    assert_int_equal(again[999], 0);
    arena_finish(&arena);
}

static void
the_limit_is_sticky_until_reset(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 256);
    assert_non_null(arena_new(&arena, 100));
    assert_null(arena_new(&arena, 200));
    assert_true(arena_failed(&arena));
    assert_int_equal(
        arena_copy(&arena, SLICE("a long text that does not fit ........................"
                                 "........................................................"
                                 "........................................................"))
            .len,
        0);
    arena_reset(&arena);
    assert_false(arena_failed(&arena));
    assert_null(arena_new_array(&arena, SIZE_MAX / 2, 3));
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_separate),
        cmocka_unit_test(the_limit_is_sticky_until_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
