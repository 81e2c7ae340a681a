/* SPDX-License-Identifier: ISC */
#include "search/gram.h"
#include "search/tokens.h"
#include "text/tests/check.h"

#include <stdlib.h>

static void
expect_grams(struct gram_set *set, const char *text, const char *expected)
{
    struct gram_walk walk = {.text = slice_of_string(text)};
    struct buffer out;
    struct slice gram;

    buffer_init(&out, 1000);
    gram_set_clear(set);
    while (gram_next(&walk, set, &gram)) {
        buffer_put(&out, gram);
        buffer_put_byte(&out, '|');
    }
    assert_slice(buffer_slice(&out), slice_of_string(expected));
    buffer_finish(&out);
}

static void
words_are_cut_to_whole_characters(void **state)
{
    struct gram_walk walk = {.text = SLICE("ab abc abcd,ABCDE abcd\xC3\xA9 x@example "
                                           "0123456789012345678901é2 去中国旅 去中")};
    static const char *const words[] = {
        "abcd", "ABCDE", "abcdé", "example", "0123456789012345678901é", "去中国旅"};
    struct gram_set set;
    struct slice word;
    size_t count = 0;

    (void)state;
    gram_set_init(&set);
    for (; word_next(&walk, &set, &word); count++) {
        assert_true(count < COUNT_OF(words));
        assert_slice(word, slice_of_string(words[count]));
        assert_true(word_is_beginning(word));
    }
    assert_int_equal(count, COUNT_OF(words));
    assert_false(word_is_beginning(SLICE("abc")));
    assert_false(word_is_beginning(SLICE("ab cd")));
    assert_false(word_is_beginning(SLICE("0123456789012345678901234")));
    gram_set_finish(&set);
}

static void
a_text_has_its_grams_once(void **state)
{
    struct gram_set set;

    (void)state;
    gram_set_init(&set);
    expect_grams(&set, "", "");
    expect_grams(&set, "a", "a|");
    expect_grams(&set, "ab", "ab|b|");
    expect_grams(&set, "abcd", "abc|bcd|cd|d|");
    expect_grams(&set, "aaaaaa", "aaa|aa|a|");
    expect_grams(&set, "ababab", "aba|bab|ab|b|");
    expect_grams(&set, "去中国旅", "去中国|中国旅|国旅|旅|");
    expect_grams(&set, "é\U0001F600a", "é\U0001F600a|\U0001F600a|a|");
    gram_set_finish(&set);
}

/* More than the set has places for at first. */
static void
a_set_grows(void **state)
{
    static uint8_t text[20000];
    struct gram_walk walk = {.text = slice_of(text, sizeof(text))};
    struct gram_set set;
    struct slice gram;
    size_t count = 0;

    (void)state;
    gram_set_init(&set);
    for (size_t i = 0; i + 1 < sizeof(text); i += 2) {
        text[i] = (uint8_t)('a' + i / 2 % 26);
        text[i + 1] = (uint8_t)('a' + i / 52 % 26);
    }
    while (gram_next(&walk, &set, &gram))
        count++;
    assert_int_equal(count, set.count);
    assert_in_range(count, 1000, sizeof(text));
    walk.at = 0;
    assert_false(gram_next(&walk, &set, &gram));
    gram_set_finish(&set);
}

static void
the_rarest_grams_are_chosen(void **state)
{
    struct gram_counts *counts = calloc(1, sizeof(*counts));
    struct gram_set set;
    struct slice grams[2];

    (void)state;
    assert_non_null(counts);
    gram_set_init(&set);
    gram_counts_add(counts, &set, SLICE("the mail"));
    gram_counts_add(counts, &set, SLICE("the letter"));
    gram_counts_add(counts, &set, SLICE("the let"));
    assert_int_equal(gram_choose(counts, SLICE("the let"), grams, 2), 2);
    assert_slice(grams[0], SLICE("e l"));
    assert_slice(grams[1], SLICE(" le"));
    assert_int_equal(gram_choose(counts, SLICE("the letters"), grams, 2), 2);
    assert_slice(grams[0], SLICE("ers"));
    assert_slice(grams[1], SLICE("ett"));
    assert_int_equal(gram_choose(counts, SLICE("xxxxx"), grams, 2), 1);
    gram_set_finish(&set);
    free(counts);
}

static void
characters_are_counted(void **state)
{
    (void)state;
    assert_int_equal(gram_characters(SLICE(""), 4), 0);
    assert_int_equal(gram_characters(SLICE("中国"), 4), 2);
    assert_int_equal(gram_characters(SLICE("abcdef"), 4), 4);
    assert_int_equal(gram_characters(SLICE("abcdef"), SIZE_MAX), 6);
}

static void
expressions_are_quoted(void **state)
{
    struct gram_counts *counts = calloc(1, sizeof(*counts));
    struct buffer out;
    bool is_exact;

    (void)state;
    assert_non_null(counts);
    buffer_init(&out, 1000);
    tokens_put_query(&out, counts, 0x1F, SLICE("A\""), false, &is_exact);
    assert_slice(buffer_slice(&out), SLICE("\"1f:A\"\"\" *"));
    assert_true(is_exact);
    buffer_clear(&out);
    tokens_put_query(&out, counts, 0, SLICE("ABCD"), true, &is_exact);
    assert_slice(buffer_slice(&out),
                 SLICE("(\"0:ABC\" AND \"0:BCD\") OR (\"0;ABC\" AND \"0;BCD\")"));
    assert_false(is_exact);
    buffer_clear(&out);
    tokens_put_document(&out, 16, SLICE("HEAD"), SLICE("BODY"));
    assert_slice(buffer_slice(&out), SLICE("10\1BODY\2HEAD"));
    buffer_finish(&out);
    free(counts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_cut_to_whole_characters),
        cmocka_unit_test(a_text_has_its_grams_once),
        cmocka_unit_test(a_set_grows),
        cmocka_unit_test(the_rarest_grams_are_chosen),
        cmocka_unit_test(characters_are_counted),
        cmocka_unit_test(expressions_are_quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
