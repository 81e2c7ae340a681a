/* SPDX-License-Identifier: ISC */
#include "message/lexer.h"
#include "text/tests/check.h"

static void
comments_nest_and_may_stay_open(void **state)
{
    static const struct {
        struct slice text, inner, rest;
        bool is_open;
    } cases[] = {
        {SLICE("(a)b"), SLICE("a"), SLICE("b"), false},
        {SLICE("(a(b)c)d"), SLICE("a(b)c"), SLICE("d"), false},
        {SLICE("(a\\)b)c"), SLICE("a\\)b"), SLICE("c"), false},
        {SLICE("(a(b)"), SLICE("a(b)"), SLICE(""), true},
        {SLICE("(\\"), SLICE("\\"), SLICE(""), true},
        {SLICE("()"), SLICE(""), SLICE(""), false},
        {SLICE("(\")"), SLICE("\""), SLICE(""), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cursor cursor = cursor_of(cases[i].text);
        struct slice inner;
        bool is_open;
        assert_true(lexer_take_comment(&cursor, &inner, &is_open));
        assert_slice(inner, cases[i].inner);
        assert_slice(cursor_rest(&cursor), cases[i].rest);
        assert_int_equal(is_open, cases[i].is_open);
    }
    struct cursor cursor = cursor_of(SLICE("a"));
    struct slice inner;
    bool is_open;
    assert_false(lexer_take_comment(&cursor, &inner, &is_open));
    assert_false(lexer_take_quoted(&cursor, &inner, &is_open));
}

/* `depth` comments inside each other, then an "x". */
static struct slice
nested(uint8_t *space, size_t depth)
{
    memset(space, '(', depth);
    memset(space + depth, ')', depth);
    space[depth * 2] = 'x';
    return slice_of(space, depth * 2 + 1);
}

static void
parentheses_deeper_than_the_limit_are_text(void **state)
{
    uint8_t space[LEXER_COMMENT_DEPTH_MAX * 2 + 10];
    struct slice inner;
    bool is_open;

    (void)state;
    struct cursor cursor = cursor_of(nested(space, LEXER_COMMENT_DEPTH_MAX));
    assert_true(lexer_take_comment(&cursor, &inner, &is_open));
    assert_slice(cursor_rest(&cursor), SLICE("x"));
    cursor = cursor_of(nested(space, LEXER_COMMENT_DEPTH_MAX + 1));
    assert_true(lexer_take_comment(&cursor, &inner, &is_open));
    assert_slice(cursor_rest(&cursor), SLICE(")x"));
}

static void
quoted_strings_end_where_they_should(void **state)
{
    static const struct {
        struct slice text, inner, rest;
        bool is_open;
    } cases[] = {
        {SLICE("\"a b\"c"), SLICE("a b"), SLICE("c"), false},
        {SLICE("\"a\\\"b\"c"), SLICE("a\\\"b"), SLICE("c"), false},
        {SLICE("\"a\\\\\"c"), SLICE("a\\\\"), SLICE("c"), false},
        {SLICE("\"\""), SLICE(""), SLICE(""), false},
        {SLICE("\"a"), SLICE("a"), SLICE(""), true},
        {SLICE("\"a\\"), SLICE("a\\"), SLICE(""), true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cursor cursor = cursor_of(cases[i].text);
        struct slice inner;
        bool is_open;
        assert_true(lexer_take_quoted(&cursor, &inner, &is_open));
        assert_slice(inner, cases[i].inner);
        assert_slice(cursor_rest(&cursor), cases[i].rest);
        assert_int_equal(is_open, cases[i].is_open);
    }
}

static void
blanks_folds_and_comments_are_passed_over(void **state)
{
    struct cursor cursor = cursor_of(SLICE(" \r\n\t(a)\r\n (b(c))x (d)"));

    (void)state;
    assert_true(lexer_skip_cfws(&cursor));
    assert_false(lexer_skip_cfws(&cursor));
    assert_true(cursor_take_byte(&cursor, 'x'));
    assert_true(lexer_skip_cfws(&cursor));
    assert_true(cursor_is_done(&cursor));
}

static void
quoting_and_unquoting_are_inverse(void **state)
{
    static const struct slice texts[] = {
        SLICE(""), SLICE("plain"), SLICE("a \"b\" \\c"), SLICE("\xC3\xA9"), SLICE("tab\there"),
    };
    struct arena arena;
    struct buffer out;

    (void)state;
    arena_init(&arena, 1000);
    buffer_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buffer_clear(&out);
        lexer_put_quoted(&out, texts[i]);
        struct cursor cursor = cursor_of(buffer_slice(&out));
        struct slice inner;
        bool is_open;
        assert_true(lexer_take_quoted(&cursor, &inner, &is_open));
        assert_true(cursor_is_done(&cursor) && !is_open);
        assert_slice(lexer_unquote(&arena, inner), texts[i]);
    }
    buffer_clear(&out);
    lexer_put_quoted(&out, SLICE("a\r\nb\0c"));
    assert_slice(buffer_slice(&out), SLICE("\"abc\""));
    assert_slice(lexer_unquote(&arena, SLICE("a\r\n b\0\\")), SLICE("a b\\"));
    buffer_finish(&out);
    arena_finish(&arena);
}

/* Nothing that could begin a line, or end a string, comes out of a quoted string. */
static void
no_line_end_and_no_nul_stays_in_a_quoted_string(void **state)
{
    static const struct slice inners[] = {SLICE("a\rb"),    SLICE("a\nb"),    SLICE("a\0b"),
                                          SLICE("a\\\rb"), SLICE("a\\\nb"), SLICE("a\\\0b"),
                                          SLICE("\rab"),    SLICE("ab\n"),    SLICE("ab\0")};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1000);
    for (size_t i = 0; i < COUNT_OF(inners); i++)
        assert_slice(lexer_unquote(&arena, inners[i]), SLICE("ab"));
    arena_finish(&arena);
}

static void
atoms_are_told_from_other_text(void **state)
{
    (void)state;
    assert_true(lexer_is_atom(SLICE("a!#$%&'*+-/=?^_`{|}~9Z")));
    assert_true(lexer_is_atom(SLICE("\xC3\xA9")));
    assert_false(lexer_is_atom(SLICE("")) || lexer_is_atom(SLICE("a.b")) ||
                 lexer_is_atom(SLICE("a b")) || lexer_is_atom(SLICE("a\x7F")));
    assert_true(lexer_is_dot_atom(SLICE("a.b.c")) && lexer_is_dot_atom(SLICE("a")));
    assert_false(lexer_is_dot_atom(SLICE("")) || lexer_is_dot_atom(SLICE(".a")) ||
                 lexer_is_dot_atom(SLICE("a.")) || lexer_is_dot_atom(SLICE("a..b")) ||
                 lexer_is_dot_atom(SLICE("a@b")) || lexer_is_dot_atom(SLICE(".")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_nest_and_may_stay_open),
        cmocka_unit_test(parentheses_deeper_than_the_limit_are_text),
        cmocka_unit_test(quoted_strings_end_where_they_should),
        cmocka_unit_test(blanks_folds_and_comments_are_passed_over),
        cmocka_unit_test(quoting_and_unquoting_are_inverse),
        cmocka_unit_test(no_line_end_and_no_nul_stays_in_a_quoted_string),
        cmocka_unit_test(atoms_are_told_from_other_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
