/* SPDX-License-Identifier: ISC */
#include "text/utf8.h"
#include "text/tests/check.h"

/* The edges of RFC 3629 §4's ranges, from both sides: how many octets are valid. */
static const struct {
    struct slice text;
    size_t valid_len;
} edges[] = {
    {SLICE(""), 0},
    {SLICE("plain"), 5},
    {SLICE("\x7F"), 1},
    {SLICE("\x80"), 0},
    {SLICE("\xC1\xBF"), 0},
    {SLICE("\xC2\x80"), 2},
    {SLICE("\xDF\xBF"), 2},
    {SLICE("\xE0\x9F\xBF"), 0},
    {SLICE("\xE0\xA0\x80"), 3},
    {SLICE("\xED\x9F\xBF"), 3},
    {SLICE("\xED\xA0\x80"), 0},
    {SLICE("\xEE\x80\x80"), 3},
    {SLICE("\xEF\xBF\xBF"), 3},
    {SLICE("\xF0\x8F\xBF\xBF"), 0},
    {SLICE("\xF0\x90\x80\x80"), 4},
    {SLICE("\xF4\x8F\xBF\xBF"), 4},
    {SLICE("\xF4\x90\x80\x80"), 0},
    {SLICE("\xF5\x80\x80\x80"), 0},
    {SLICE("\xFF"), 0},
    {SLICE("a\xC3\xA9\xC3"), 3},
    {SLICE("0123456789abcdef0123456789abcdef\xE9"), 32},
    {SLICE("\xE2\x82\xAC\xE2\x82"), 3},
};

static void
valid_is_what_rfc_3629_allows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        assert_int_equal(utf8_valid_len(edges[i].text), edges[i].valid_len);
        assert_int_equal(utf8_is_valid(edges[i].text), edges[i].valid_len == edges[i].text.len);
    }
}

static void
all_characters_go_both_ways(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 8);
    for (uint32_t character = 0; character <= 0x10FFFF; character++) {
        uint32_t back;
        buffer_clear(&buffer);
        utf8_put(&buffer, character);
        struct cursor cursor = cursor_of(buffer_slice(&buffer));
        assert_true(utf8_take(&cursor, &back));
        assert_true(cursor_is_done(&cursor));
        bool is_surrogate = character >= 0xD800 && character <= 0xDFFF;
        assert_int_equal(back, is_surrogate ? UTF8_REPLACEMENT : character);
    }
    buffer_clear(&buffer);
    utf8_put(&buffer, 0x110000);
    assert_slice(buffer_slice(&buffer), SLICE("\xEF\xBF\xBD"));
    buffer_finish(&buffer);
}

static void
ill_formed_pieces_become_one_replacement_each(void **state)
{
    static const struct {
        struct slice text, repaired;
        size_t bad_count;
    } cases[] = {
        {SLICE("a\xC3\xA9z"), SLICE("a\xC3\xA9z"), 0},
        {SLICE("\xE9t\xE9"), SLICE("\xEF\xBF\xBDt\xEF\xBF\xBD"), 2},
        /* The example of Unicode's table 3-8: maximal pieces. */
        {SLICE("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
         SLICE("a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
               "b\xEF\xBF\xBD"
               "c\xEF\xBF\xBD\xEF\xBF\xBD"
               "d"),
         6},
        {SLICE("\xE2\x82"), SLICE("\xEF\xBF\xBD"), 1},
    };
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&buffer);
        assert_int_equal(utf8_put_repaired(&buffer, cases[i].text), cases[i].bad_count);
        assert_slice(buffer_slice(&buffer), cases[i].repaired);
    }
    buffer_finish(&buffer);
}

static void
cutting_keeps_characters_whole(void **state)
{
    struct slice text = SLICE("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    (void)state;
    for (size_t len = 0; len < COUNT_OF(kept); len++)
        assert_int_equal(utf8_first(text, len).len, kept[len]);
    assert_int_equal(utf8_length(text), 5);
    assert_int_equal(utf8_first(SLICE("\x80\x80\x80\x80\x80\x80"), 5).len, 5);
}

static void
incomplete_ends_are_told_from_wrong_ones(void **state)
{
    (void)state;
    assert_int_equal(utf8_incomplete_len(SLICE("")), 0);
    assert_int_equal(utf8_incomplete_len(SLICE("abc")), 0);
    assert_int_equal(utf8_incomplete_len(SLICE("a\xC3")), 1);
    assert_int_equal(utf8_incomplete_len(SLICE("a\xE2\x82")), 2);
    assert_int_equal(utf8_incomplete_len(SLICE("\xF0\x9F\x98")), 3);
    assert_int_equal(utf8_incomplete_len(SLICE("a\xC3\xA9")), 0);
    assert_int_equal(utf8_incomplete_len(SLICE("\xF0\x9F\x98\x80")), 0);
    assert_int_equal(utf8_incomplete_len(SLICE("\xED\xA0")), 0);
    assert_int_equal(utf8_incomplete_len(SLICE("\xFF")), 0);
    assert_int_equal(utf8_incomplete_len(SLICE("\x80\x80")), 0);
}

static void
ascii_is_found_at_every_length(void **state)
{
    uint8_t text[64];

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        memset(text, 'x', sizeof(text));
        assert_true(utf8_is_ascii(slice_of(text, len)));
        for (size_t at = 0; at < len; at++) {
            text[at] = 0x80;
            assert_int_equal(utf8_ascii_len(slice_of(text, len)), at);
            text[at] = 'x';
        }
    }
}

static void
what_is_shown_commands_no_terminal(void **state)
{
    struct buffer shown;

    (void)state;
    buffer_init(&shown, 200);
    utf8_put_printable(&shown, SLICE("a\x1B[2J\tb\r\n\x7F\xC2\x9B"
                                     "31m\xFF\xE2\x80\xAE"
                                     "fdp.exe \xC3\xA9\xE2\x80\xA8.\xE2\x80\xA9."));
    assert_slice(buffer_slice(&shown), SLICE("a [2J b    31m\xEF\xBF\xBD\xEF\xBF\xBD"
                                             "fdp.exe \xC3\xA9 . ."));
    buffer_finish(&shown);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_is_what_rfc_3629_allows),
        cmocka_unit_test(all_characters_go_both_ways),
        cmocka_unit_test(ill_formed_pieces_become_one_replacement_each),
        cmocka_unit_test(cutting_keeps_characters_whole),
        cmocka_unit_test(incomplete_ends_are_told_from_wrong_ones),
        cmocka_unit_test(ascii_is_found_at_every_length),
        cmocka_unit_test(what_is_shown_commands_no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
