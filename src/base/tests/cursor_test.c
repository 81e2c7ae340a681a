/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cursor.h"

static void
takers_move_only_when_they_succeed(void **state)
{
    struct cursor cursor = cursor_of(SLICE("abc 123x"));
    struct slice part = {0};
    static byte_set letters = {['a'] = true, ['b'] = true, ['c'] = true};

    (void)state;
    assert_false(cursor_take_text(&cursor, SLICE("abd")));
    assert_false(cursor_take_set(&cursor, letters, 2, &part));
    assert_true(cursor_take_set(&cursor, letters, 3, &part));
    assert_true(slice_equal(part, SLICE("abc")));
    assert_int_equal(cursor_skip_blanks(&cursor), 1);
    uint32_t number = 7;
    assert_false(cursor_take_u32(&cursor, 0, 122, &number));
    assert_int_equal(number, 7);
    assert_true(cursor_take_u32(&cursor, 0, 123, &number));
    assert_int_equal(number, 123);
    assert_true(cursor_take_byte(&cursor, 'x'));
    assert_true(cursor_is_done(&cursor));
    assert_int_equal(cursor_peek(&cursor), -1);
}

static void
numbers_that_overflow_are_refused(void **state)
{
    uint64_t number = 0;

    (void)state;
    struct cursor cursor = cursor_of(SLICE("18446744073709551615"));
    assert_true(cursor_take_u64(&cursor, 0, UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
    cursor = cursor_of(SLICE("18446744073709551616"));
    assert_false(cursor_take_u64(&cursor, 0, UINT64_MAX, &number));
    cursor = cursor_of(SLICE("-1"));
    assert_false(cursor_take_u64(&cursor, 0, UINT64_MAX, &number));
}

static void
binary_numbers_are_little_endian(void **state)
{
    struct cursor cursor = cursor_of(SLICE("\x01\x02\x03\x04\x05\x06\x07\x08\x09"));
    uint32_t half;
    uint64_t whole = 0;

    (void)state;
    assert_true(cursor_take_le32(&cursor, &half));
    assert_int_equal(half, 0x04030201);
    assert_false(cursor_take_le64(&cursor, &whole));
    assert_int_equal(cursor_left(&cursor), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takers_move_only_when_they_succeed),
        cmocka_unit_test(numbers_that_overflow_are_refused),
        cmocka_unit_test(binary_numbers_are_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
