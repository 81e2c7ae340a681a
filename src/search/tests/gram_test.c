/* SPDX-License-Identifier: ISC */
#include "search/gram.h"
#include "search/key.h"
#include "text/tests/check.h"
#include "text/utf8.h"

#include <stdlib.h>

enum { TERMS_MAX = SEARCH_SOUGHT_MAX };

/* "kind characters at|" */
static void
put_gram(struct buffer *out, uint64_t key, uint32_t at)
{
    static const char kinds[] = "nwbp";
    uint64_t kind = key >> GRAM_KIND_SHIFT, rest = key & ((UINT64_C(1) << GRAM_KIND_SHIFT) - 1);

    buffer_put_byte(out, (uint8_t)kinds[kind]);
    if (kind == GRAM_WIDE)
        utf8_put(out, (uint32_t)rest);
    for (unsigned i = 0; kind != GRAM_WIDE && i < GRAM_CHARACTERS; i++) {
        uint32_t character = rest >> (GRAM_CHARACTERS - 1 - i) * GRAM_BITS & ((1 << GRAM_BITS) - 1);
        if (character)
            utf8_put(out, character);
    }
    buffer_put_decimal(out, at);
    buffer_put_byte(out, '|');
}

static void
expect_grams(const char *text, const char *expected)
{
    struct gram_walk walk;
    struct buffer out;
    struct gram gram;

    buffer_init(&out, 1000);
    gram_walk_init(&walk, slice_of_string(text));
    while (gram_next(&walk, &gram))
        put_gram(&out, gram.key, gram.at);
    assert_slice(buffer_slice(&out), slice_of_string(expected));
    buffer_finish(&out);
}

static void
narrow_characters_come_in_threes_and_wide_ones_alone(void **state)
{
    (void)state;
    expect_grams("", "");
    expect_grams("A", "nA0|");
    expect_grams("AB", "nAB0|nB1|");
    expect_grams("ABCD", "nABC0|nBCD1|nCD2|nD3|");
    expect_grams("AAAA", "nAAA0|nAAA1|nAA2|nA3|");
    expect_grams("去中国", "w去0|w中3|w国6|");
    expect_grams("\U0001F600A", "w\U0001F6000|nA4|bA4|");
    expect_grams("A去BCD", "nA0|w去1|nBCD4|bBC4|bB4|nCD5|nD6|");
    expect_grams("去B去", "w去0|nB3|bB3|w去4|");
    expect_grams("ÀÉÎÕ", "nÀÉÎ0|nÉÎÕ2|nÎÕ4|nÕ6|");
}

/* What is no UTF-8, to its last octet: grams of whatever it is, and nothing read behind it. */
static void
octets_that_are_no_characters_do_no_harm(void **state)
{
    static const char *const texts[] = {"\xFF", "A\xE4\xB8", "\xF0\x9F\x98", "\x80\xC3", "\xC3"};
    struct gram_term *terms = calloc(TERMS_MAX, sizeof(*terms));

    (void)state;
    assert_non_null(terms);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t len = strlen(texts[i]);
        char *copy = malloc(len); /* its end is watched */
        struct gram_walk walk;
        struct gram gram;
        assert_non_null(copy);
        memcpy(copy, texts[i], len);
        gram_walk_init(&walk, slice_of(copy, len));
        while (gram_next(&walk, &gram))
            assert_in_range(gram.at, 0, len - 1);
        assert_in_range(gram_plan(slice_of(copy, len), terms), 1, len);
        free(copy);
    }
    free(terms);
}

static void
note_present(void *context, uint64_t key)
{
    put_gram(context, key, 0);
}

static void
each_narrow_character_is_told_once(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    gram_present(SLICE("BANANA 去é"), note_present, &out);
    assert_slice(buffer_slice(&out), SLICE("p 0|pA0|pB0|pN0|pé0|"));
    buffer_finish(&out);
}

/* Terms; "+" behind those that have a stretch of keys. */
static void
expect_plan(const char *text, const char *expected)
{
    struct gram_term *terms = calloc(TERMS_MAX, sizeof(*terms));
    struct buffer out;

    assert_non_null(terms);
    buffer_init(&out, 1000);
    size_t count = gram_plan(slice_of_string(text), terms);
    for (size_t i = 0; i < count; i++) {
        put_gram(&out, terms[i].low, terms[i].at);
        if (terms[i].high != terms[i].low + 1)
            buffer_put_byte(&out, '+');
    }
    assert_slice(buffer_slice(&out), slice_of_string(expected));
    buffer_finish(&out);
    free(terms);
}

static void
a_sought_text_is_covered(void **state)
{
    (void)state;
    expect_plan("", "");
    expect_plan("A", "pA0|");
    expect_plan("AB", "nAB0|+");
    expect_plan("ABC", "nABC0|");
    expect_plan("ABCD", "nABC0|nBCD1|");
    expect_plan("ABCDE", "nABC0|nCDE2|");
    expect_plan("ABCDEF", "nABC0|nDEF3|");
    expect_plan("ABCDEFG", "nABC0|nDEF3|nEFG4|");
    expect_plan("去", "w去0|");
    expect_plan("去中", "w去0|w中3|");
    expect_plan("A去", "nA0|w去1|");
    expect_plan("AB去", "nAB0|w去2|");
    expect_plan("ABC去", "nABC0|w去3|");
    expect_plan("去A", "w去0|bA3|");
    expect_plan("去AB", "w去0|bAB3|");
    expect_plan("去ABC", "w去0|nABC3|");
    expect_plan("去ABCD", "w去0|nABC3|nBCD4|");
    expect_plan("去A去BC", "w去0|nA3|w去4|bBC7|");
    expect_plan("ABCD去E", "nABC0|nBCD1|w去4|bE7|");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrow_characters_come_in_threes_and_wide_ones_alone),
        cmocka_unit_test(octets_that_are_no_characters_do_no_harm),
        cmocka_unit_test(each_narrow_character_is_told_once),
        cmocka_unit_test(a_sought_text_is_covered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
