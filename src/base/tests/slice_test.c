/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hex.h"
#include "base/slice.h"

#include <stdlib.h>

static void
searches_find_the_first_or_say_the_length(void **state)
{
    struct slice s = SLICE("abcabc");

    (void)state;
    assert_int_equal(slice_find_byte(s, 'b'), 1);
    assert_int_equal(slice_find_last_byte(s, 'b'), 4);
    assert_int_equal(slice_find_byte(s, 'x'), 6);
    assert_int_equal(slice_find(s, SLICE("ca")), 2);
    assert_int_equal(slice_find(s, SLICE("cb")), 6);
    assert_int_equal(slice_find(slice_of("", 0), SLICE("a")), 0);
}

static void
cuts_are_clamped(void **state)
{
    struct slice s = SLICE("hello");

    (void)state;
    assert_true(slice_equal(slice_between(s, 1, 3), SLICE("el")));
    assert_true(slice_is_empty(slice_between(s, 3, 1)));
    assert_true(slice_is_empty(slice_skip(s, 9)));
    assert_true(slice_equal(slice_first(s, 9), s));
    assert_true(slice_equal(slice_trim(SLICE(" \t x y\r\n")), SLICE("x y")));
}

static void
case_is_folded_for_ascii_only(void **state)
{
    (void)state;
    assert_true(slice_equal_nocase(SLICE("MAIL from"), SLICE("mail FROM")));
    assert_false(slice_equal_nocase(SLICE("\xC9"), SLICE("\xE9")));
    assert_true(slice_starts_with_nocase(SLICE("Received: x"), SLICE("received:")));
    assert_true(slice_ends_with_nocase(SLICE("a.EXAMPLE"), SLICE(".example")));
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
}

static void
hexadecimal_digits_are_read_in_pairs(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *at = byte ? strchr(digits, byte) : NULL;
        assert_int_equal(byte_hex_value((uint8_t)byte), at ? (at - digits) % 16 : -1);
    }
    assert_int_equal(slice_hex_byte(SLICE("fE!")), 0xFE);
    assert_int_equal(slice_hex_byte(SLICE("00")), 0);
    assert_int_equal(slice_hex_byte(SLICE("4")), -1);
    assert_int_equal(slice_hex_byte(SLICE("")), -1);
    assert_int_equal(slice_hex_byte(SLICE("4g")), -1);
    assert_int_equal(slice_hex_byte(SLICE("g4")), -1);
}

/* Where its first octet is seldom, where it is frequent, and at both sides of where one way of
 * looking for it becomes the other. */
static void
a_pair_is_found_wherever_it_stands(void **state)
{
    enum { LEN = 1500 };
    uint8_t *bytes = malloc(LEN);

    (void)state;
    assert_non_null(bytes);
    for (size_t step = 1; step <= 40; step += 3) {
        for (size_t i = 0; i < LEN; i++)
            bytes[i] = i % step == 0 ? '\n' : 'x';
        assert_int_equal(slice_find(slice_of(bytes, LEN), SLICE("\n.")), LEN);
        for (size_t at = 0; at + 1 < LEN; at++) {
            uint8_t before[2] = {bytes[at], bytes[at + 1]};
            bytes[at] = '\n';
            bytes[at + 1] = '.';
            assert_int_equal(slice_find(slice_of(bytes, LEN), SLICE("\n.")), at);
            assert_int_equal(slice_find(slice_of(bytes, at + 1), SLICE("\n.")), at + 1);
            memcpy(bytes + at, before, 2);
        }
    }
    assert_int_equal(slice_find(slice_of(bytes, 1), SLICE("\n.")), 1);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_found_wherever_it_stands),
        cmocka_unit_test(searches_find_the_first_or_say_the_length),
        cmocka_unit_test(cuts_are_clamped),
        cmocka_unit_test(case_is_folded_for_ascii_only),
        cmocka_unit_test(hexadecimal_digits_are_read_in_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
