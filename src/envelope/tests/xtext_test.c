/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "envelope/xtext.h"

enum { ARENA_MAX = 1 << 16 };

static void
xtext_is_read(void **state)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"", ""},        {"abc", "abc"}, {"a+2Bb+3Dc", "a+b=c"}, {"+C3+A9", "\xC3\xA9"},
        {"+c3", "\xC3"}, {"+", NULL},    {"+2", NULL},           {"+G0", NULL},
        {"a=b", NULL},   {"a b", NULL},  {"\xC3\xA9", NULL},     {"a\x7F", NULL},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice bytes;
        assert_int_equal(envelope_xtext_decode(slice_of_string(rows[i].text), &arena, &bytes),
                         rows[i].bytes != NULL);
        if (rows[i].bytes)
            assert_true(slice_equal(bytes, slice_of_string(rows[i].bytes)));
    }
    arena_finish(&arena);
}

static void
all_octets_survive_xtext(void **state)
{
    uint8_t octets[256];
    struct slice back;
    struct buffer text;
    struct arena arena;

    (void)state;
    for (int i = 0; i < 256; i++)
        octets[i] = (uint8_t)i;
    buffer_init(&text, 1000);
    arena_init(&arena, ARENA_MAX);
    envelope_xtext_put(&text, slice_of(octets, sizeof(octets)));
    assert_true(envelope_xtext_decode(buffer_slice(&text), &arena, &back));
    assert_true(slice_equal(back, slice_of(octets, sizeof(octets))));
    /* RFC 3461 §4: what is printable is written as it is, but for two. */
    buffer_clear(&text);
    envelope_xtext_put(&text, slice_of(&octets['!'], '~' + 1 - '!'));
    size_t plus = slice_find(buffer_slice(&text), SLICE("*+2B,"));
    assert_int_equal(plus, '*' - '!');
    assert_int_equal(slice_find(buffer_slice(&text), SLICE("<+3D>")), '<' - '!' + 2);
    assert_int_equal(buffer_len(&text), '~' + 1 - '!' + 4);
    buffer_finish(&text);
    arena_finish(&arena);
}

static void
unitext_is_read(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
    } rows[] = {
        {"abc@d", "abc@d"},
        {"ren\\x{E9}", "ren\xC3\xA9"},
        {"ren\xC3\xA9", "ren\xC3\xA9"},
        {"\\x{1F600}\\x{5C}", "\xF0\x9F\x98\x80\\"},
        {"\\x{10FFFF}", "\xF4\x8F\xBF\xBF"},
        {"\\x{110000}", NULL},
        {"\\x{D7FF}\\x{E000}", "\xED\x9F\xBF\xEE\x80\x80"},
        {"\\x{D800}", NULL},
        {"\\x{DFFF}", NULL},
        {"\\x{00}", NULL},
        {"\\x{E}", NULL},
        {"\\x{E9", NULL},
        {"\\y", NULL},
        {"a+b", NULL},
        {"a b", NULL},
        {"\xC3", NULL},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice bytes;
        bool is_good = envelope_unitext_decode(slice_of_string(rows[i].text), &arena, &bytes);
        if (is_good != (rows[i].bytes != NULL))
            fail_msg("%s: %d", rows[i].text, is_good);
        if (is_good)
            assert_true(slice_equal(bytes, slice_of_string(rows[i].bytes)));
    }
    arena_finish(&arena);
}

static void
unitext_is_written_in_ascii_and_read_back(void **state)
{
    static const struct slice text = SLICE("a+b=c\\ \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    struct buffer written;
    struct arena arena;
    struct slice back;

    (void)state;
    buffer_init(&written, 200);
    arena_init(&arena, ARENA_MAX);
    envelope_unitext_put(&written, text);
    assert_true(slice_equal(buffer_slice(&written),
                            SLICE("a\\x{2B}b\\x{3D}c\\x{5C}\\x{20}\\x{E9}\\x{20}\\x{20AC}\\x{20}"
                                  "\\x{1F600}")));
    assert_true(envelope_unitext_decode(buffer_slice(&written), &arena, &back));
    assert_true(slice_equal(back, text));
    buffer_finish(&written);
    arena_finish(&arena);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(xtext_is_read),
    cmocka_unit_test(all_octets_survive_xtext),
    cmocka_unit_test(unitext_is_read),
    cmocka_unit_test(unitext_is_written_in_ascii_and_read_back),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
