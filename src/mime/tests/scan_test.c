/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/scan.h"

/* The definition, octet by octet. */
static size_t
scan_by_definition(struct slice bytes, size_t from, struct mime_tally *tally)
{
    for (size_t i = from; i < bytes.len; i++) {
        if (bytes.at[i] != '\n')
            continue;
        tally->lines++;
        if (tally->bare_lf == SIZE_MAX && (i == 0 || bytes.at[i - 1] != '\r'))
            tally->bare_lf = i;
        if (bytes.len - i > 2 && bytes.at[i + 1] == '-' && bytes.at[i + 2] == '-')
            return i + 1;
    }
    return bytes.len;
}

static void
compare_all(struct slice bytes)
{
    struct mime_tally fast = {.bare_lf = SIZE_MAX}, slow = {.bare_lf = SIZE_MAX};

    for (size_t at = 0; at < bytes.len;) {
        size_t expected = scan_by_definition(bytes, at, &slow);
        assert_int_equal(mime_scan_dashes(bytes, at, &fast), expected);
        assert_int_equal(fast.lines, slow.lines);
        assert_int_equal(fast.bare_lf, slow.bare_lf);
        at = expected;
    }
}

static void
a_hit_is_found_at_every_place_of_a_block(void **state)
{
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        uint8_t *bytes = malloc(len + 1);
        assert_non_null(bytes);
        for (size_t at = 0; at + 3 <= len; at++) {
            memset(bytes, 'x', len);
            memcpy(bytes + at, "\n--", 3);
            compare_all(slice_of(bytes, len));
        }
        free(bytes);
    }
}

static void
random_text_is_scanned_as_the_definition_says(void **state)
{
    static const char letters[] = "\r\n\n--ab\r\n";
    uint64_t seed = 88172645463325252U;

    (void)state;
    for (size_t round = 0; round < 2000; round++) {
        size_t len = round % 400;
        uint8_t *bytes = malloc(len + 1);
        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes[i] = (uint8_t)letters[seed % (sizeof(letters) - 1)];
            if (round % 3 == 0 && seed >> 32 & 7)
                bytes[i] = 'x';
        }
        compare_all(slice_of(bytes, len));
        free(bytes);
    }
}

static void
nothing_is_found_in_nothing(void **state)
{
    struct mime_tally tally = {.bare_lf = SIZE_MAX};

    (void)state;
    assert_int_equal(mime_scan_dashes(slice_of("", 0), 0, &tally), 0);
    assert_int_equal(mime_scan_line(slice_of("", 0), 0, &tally), 0);
    assert_int_equal(tally.lines, 0);
}

static void
lines_are_passed_one_by_one(void **state)
{
    struct slice text = SLICE("a\r\n\nb");
    struct mime_tally tally = {.bare_lf = SIZE_MAX};

    (void)state;
    assert_int_equal(mime_scan_line(text, 0, &tally), 3);
    assert_int_equal(tally.bare_lf, SIZE_MAX);
    assert_int_equal(mime_scan_line(text, 3, &tally), 4);
    assert_int_equal(tally.bare_lf, 3);
    assert_int_equal(mime_scan_line(text, 4, &tally), 5);
    assert_int_equal(tally.lines, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hit_is_found_at_every_place_of_a_block),
        cmocka_unit_test(random_text_is_scanned_as_the_definition_says),
        cmocka_unit_test(nothing_is_found_in_nothing),
        cmocka_unit_test(lines_are_passed_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
