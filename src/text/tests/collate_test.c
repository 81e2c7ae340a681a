/* SPDX-License-Identifier: ISC */
#include "text/collate.h"
#include "text/tests/check.h"

static struct slice
key_of(struct buffer *buffer, enum collation collation, struct slice text)
{
    buffer_clear(buffer);
    collate_put_key(buffer, collation, text);
    return buffer_slice(buffer);
}

/* RFC 5051 §2: title case, then decompositions of decompositions. */
static void
unicode_keys_are_title_case_decomposed(void **state)
{
    static const struct {
        const char *text, *key;
    } keys[] = {
        {"", ""},
        {"Hello, {world} ~`@[z", "HELLO, {WORLD} ~`@[Z"},
        {"\u01C4", "Dz\u030C"}, /* the RFC's example */
        {"\u01C6x", "Dz\u030CX"},
        {"é", "E\u0301"},
        {"straße", "STRAßE"},
        {"ｆｕｌｌ", "FULL"}, /* compatibility forms */
        {"Ⅷ", "VIII"},
        {"中文 mail", "中文 MAIL"},
        {"ДОМ дом", "ДОМ ДОМ"},
        {"\u1E69", "S\u0323\u0307"}, /* two steps deep */
        {"ὰ", "Α\u0300"},
        {"한", "\u1112\u1161\u11AB"},
    };
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 1000);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_slice(key_of(&buffer, COLLATION_UNICODE_CASEMAP, slice_of_string(keys[i].text)),
                     slice_of_string(keys[i].key));
    /* what is no UTF-8 is compared as octets */
    assert_slice(key_of(&buffer, COLLATION_UNICODE_CASEMAP, SLICE("abc\xE9")), SLICE("abc\xE9"));
    assert_slice(key_of(&buffer, COLLATION_ASCII_CASEMAP, SLICE("abc\xE9z")), SLICE("ABC\xE9Z"));
    assert_slice(key_of(&buffer, COLLATION_OCTET, SLICE("abc\xE9")), SLICE("abc\xE9"));
    /* the longest of all decompositions */
    assert_in_range(key_of(&buffer, COLLATION_UNICODE_CASEMAP, SLICE("\uFDFA")).len, 30,
                    3 * COLLATE_GROWTH_MAX);
    buffer_finish(&buffer);
}

static void
texts_are_ordered(void **state)
{
    static const struct {
        const char *left, *right;
        enum collation collation;
        int order;
    } pairs[] = {
        {"abc", "ABD", COLLATION_UNICODE_CASEMAP, -1},
        {"abc", "ABC", COLLATION_UNICODE_CASEMAP, 0},
        {"abc", "ABC", COLLATION_OCTET, 1},
        {"abc", "abcd", COLLATION_UNICODE_CASEMAP, -1},
        {"é", "É", COLLATION_UNICODE_CASEMAP, 0},
        {"é", "É", COLLATION_ASCII_CASEMAP, 1},
        {"e", "é", COLLATION_UNICODE_CASEMAP, -1},
        {"é", "f", COLLATION_UNICODE_CASEMAP, -1},
        {"_", "a", COLLATION_ASCII_CASEMAP, 1}, /* '_' stands behind 'A' to 'Z' */
        {"", "a", COLLATION_UNICODE_CASEMAP, -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct slice left = slice_of_string(pairs[i].left);
        struct slice right = slice_of_string(pairs[i].right);
        int order = collate_compare(pairs[i].collation, left, right);
        assert_int_equal((order > 0) - (order < 0), pairs[i].order);
        order = collate_compare(pairs[i].collation, right, left);
        assert_int_equal((order < 0) - (order > 0), pairs[i].order);
    }
}

static void
substrings_are_found(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool is_in;
    } cases[] = {
        {"", "", true},
        {"", "x", true},
        {"x", "", false},
        {"world", "Hello World", true},
        {"WORLDS", "Hello World", false},
        {"réunion", "La RÉUNION de juin", true},
        {"reunion", "La RÉUNION de juin", false},
        {"réunion", "La reunion de juin", false},
        {"中国", "去中国旅行", true},
        {"国中", "去中国旅行", false},
        {"@", "`", false}, /* differ in bit 5 but are no letters */
        {"[", "{", false},
        {"hello", "é Hello", true},
        {"full", "ｆｕｌｌ", true},
    };
    struct collate_pattern pattern;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP,
                                         slice_of_string(cases[i].pattern)));
        assert_int_equal(collate_pattern_is_in(&pattern, slice_of_string(cases[i].text)),
                         cases[i].is_in);
        collate_pattern_finish(&pattern);
    }
}

/* At every place of texts of many lengths, so that all ways through the blocks are gone. */
static void
a_pattern_is_found_wherever_it_stands(void **state)
{
    static const char *const patterns[] = {"q", "QX", "needle", "A longer needle than 16 octets"};
    uint8_t text[100];
    struct collate_pattern pattern;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        struct slice needle = slice_of_string(patterns[i]);
        assert_true(collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP, needle));
        for (size_t len = 0; len <= sizeof(text); len++) {
            memset(text, 'n', len);
            assert_false(collate_pattern_is_in(&pattern, slice_of(text, len)));
            for (size_t at = 0; at + needle.len <= len; at++) {
                memset(text, 'n', len);
                memcpy(text + at, needle.at, needle.len);
                assert_true(collate_pattern_is_in(&pattern, slice_of(text, len)));
                assert_false(collate_pattern_is_in(&pattern, slice_of(text, at + needle.len - 1)));
            }
        }
        collate_pattern_finish(&pattern);
    }
}

/* "é" over and over, so many octets of it, and "needle" at the end. */
static size_t
memory_after(size_t len)
{
    struct collate_pattern pattern;
    struct buffer text;

    buffer_init(&text, SIZE_MAX / 4);
    while (buffer_len(&text) + 8 < len)
        buffer_put_text(&text, "\xC3\xA9");
    buffer_put_text(&text, "needle");
    assert_true(
        collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP, SLICE("NEEDLE")));
    assert_true(collate_pattern_is_in(&pattern, buffer_slice(&text)));
    size_t kept = pattern.scratch.size;
    assert_false(collate_pattern_is_in(&pattern, SLICE("na\xC3\xAFve"))); /* usable as before */
    collate_pattern_finish(&pattern);
    buffer_finish(&text);
    return kept;
}

static void
a_pattern_gives_back_what_a_long_text_took(void **state)
{
    (void)state;
    /* The key of "é" is "E" and an accent: three octets for two. */
    assert_int_equal(memory_after(COLLATE_SCRATCH_MAX * 2 / 3 - 8), COLLATE_SCRATCH_MAX);
    assert_int_equal(memory_after(COLLATE_SCRATCH_MAX * 2 / 3 + 16), 0);
}

static void
a_pattern_has_its_limit(void **state)
{
    static uint8_t text[COLLATE_PATTERN_MAX + 1];
    struct collate_pattern pattern;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_false(
        collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP, slice_of(text, sizeof(text))));
    assert_true(collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP,
                                     slice_of(text, sizeof(text) - 1)));
    assert_true(collate_pattern_is_in(&pattern, slice_of(text, sizeof(text))));
    collate_pattern_finish(&pattern);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unicode_keys_are_title_case_decomposed),
        cmocka_unit_test(texts_are_ordered),
        cmocka_unit_test(substrings_are_found),
        cmocka_unit_test(a_pattern_is_found_wherever_it_stands),
        cmocka_unit_test(a_pattern_gives_back_what_a_long_text_took),
        cmocka_unit_test(a_pattern_has_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
