/* SPDX-License-Identifier: ISC */
#include "text/width.h"
#include "text/tests/check.h"

static void
letters_wide_characters_and_marks_have_their_columns(void **state)
{
    (void)state;
    assert_int_equal(width_of(SLICE("Hello")), 5);
    assert_int_equal(width_of(SLICE("été")), 3);
    assert_int_equal(width_of(SLICE("e\xCC\x81t\xCC\x81")), 2);
    assert_int_equal(width_of(SLICE("日本語")), 6);
    assert_int_equal(width_of(SLICE("\xF0\x9F\x93\xAE")), 2);
    assert_int_equal(width_of(SLICE("")), 0);
}

static void
what_is_no_text_takes_a_column_for_each_octet(void **state)
{
    (void)state;
    assert_int_equal(width_of(SLICE("a\x1B\xFF\xC3")), 4);
}

static void
a_cut_never_halves_a_character(void **state)
{
    (void)state;
    assert_true(slice_equal(width_first(SLICE("日本語"), 3), SLICE("日")));
    assert_true(slice_equal(width_first(SLICE("e\xCC\x81x"), 1), SLICE("e\xCC\x81")));
    assert_true(slice_equal(width_first(SLICE("abc"), 9), SLICE("abc")));
    assert_true(slice_equal(width_first(SLICE("日"), 1), SLICE("")));
}

static void
marks_without_end_do_not_make_one_character(void **state)
{
    uint8_t text[201] = {'e'};
    struct cursor cursor = cursor_of(slice_of(text, sizeof(text)));
    struct slice cluster;
    unsigned columns;

    (void)state;
    for (size_t i = 1; i < sizeof(text); i += 2) {
        text[i] = 0xCC;
        text[i + 1] = 0x81;
    }
    assert_true(width_take(&cursor, &cluster, &columns));
    assert_true(cluster.len <= WIDTH_CLUSTER_MAX);
    assert_true(cluster.len > WIDTH_CLUSTER_MAX - 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_wide_characters_and_marks_have_their_columns),
        cmocka_unit_test(what_is_no_text_takes_a_column_for_each_octet),
        cmocka_unit_test(a_cut_never_halves_a_character),
        cmocka_unit_test(marks_without_end_do_not_make_one_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
