/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/line.h"

static struct directory_line
line_of(struct arena *arena, const char *text)
{
    struct cursor file = cursor_of(slice_of_string(text));
    struct directory_line line;
    size_t number = 0;

    assert_true(directory_line_take(&file, &number, arena, &line));
    return line;
}

static void
words_are_divided_by_blanks_and_held_by_quotes(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 65536);
    struct directory_line line = line_of(
        &arena,
        " account\t\"\\\"a b\\\"@c.test\"  id=1 full-name=\"A \\\\ # B\" disabled # rest=x\r\n");
    assert_null(line.damage);
    assert_slice(line.kind, "account");
    assert_slice(line.name, "\"a b\"@c.test");
    assert_int_equal(line.count, 3);
    assert_slice(directory_line_find(&line, "id")->value, "1");
    assert_slice(directory_line_find(&line, "full-name")->value, "A \\ # B");
    assert_true(directory_line_has(&line, "disabled"));
    assert_false(directory_line_has(&line, "id"));
    assert_null(directory_line_find(&line, "disabled"));
    assert_null(directory_line_find(&line, "rest"));
    arena_finish(&arena);
}

static void
blank_lines_and_comments_say_nothing(void **state)
{
    static const char *const texts[] = {"\n", "   \t\r\n", "# account a@b id=1\n", "  #\n"};
    struct arena arena;

    (void)state;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct directory_line line = line_of(&arena, texts[i]);
        assert_null(line.damage);
        assert_int_equal(line.kind.len, 0);
    }
    arena_finish(&arena);
}

static void
damage_is_named_with_its_place(void **state)
{
    static const struct {
        const char *text, *place;
    } rows[] = {
        {"account\n", "account"},
        {"account # x\n", "account # x"},
        {"account a@b full-name=\"open\n", "\"open"},
        {"account a@b full-name=\"a\"b\n", "\"a\"b"},
        {"account a@b full-name=\"a\\b\"\n", "\"a\\b\""},
        {"account a@b =x\n", "=x"},
        {"account a@b x=\x01\n", "\x01"},
        {"account a@b x=\xFF\n", "\xFF"},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct directory_line line = line_of(&arena, rows[i].text);
        assert_non_null(line.damage);
        assert_slice(line.place, rows[i].place);
    }
    arena_finish(&arena);
}

static void
fields_are_taken_up_to_their_bound(void **state)
{
    struct arena arena;
    struct buffer text;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        arena_init(&arena, 65536);
        buffer_init(&text, 4096);
        buffer_put_text(&text, "k n");
        for (size_t i = 0; i < DIRECTORY_FIELDS_MAX + extra; i++)
            buffer_put_text(&text, " f=1");
        buffer_put_byte(&text, 0);
        struct directory_line line = line_of(&arena, (const char *)buffer_slice(&text).at);
        assert_int_equal(line.damage != NULL, extra);
        buffer_finish(&text);
        arena_finish(&arena);
    }
}

static void
lines_are_taken_up_to_their_bound(void **state)
{
    static char text[DIRECTORY_LINE_MAX + 3];
    struct arena arena;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        arena_init(&arena, 65536);
        memset(text, 'x', sizeof(text));
        memcpy(text, "k ", 2);
        text[DIRECTORY_LINE_MAX + extra] = '\n';
        text[DIRECTORY_LINE_MAX + extra + 1] = '\0';
        struct directory_line line = line_of(&arena, text);
        assert_int_equal(line.damage != NULL, extra);
        arena_finish(&arena);
    }
}

static void
values_are_split_at_commas_outside_of_quotes(void **state)
{
    const struct slice *parts;
    struct arena arena;
    size_t count;

    (void)state;
    arena_init(&arena, 65536);
    assert_true(directory_value_split(&arena, SLICE("a@b, \"x,\\\"y\"@b ,c@d"), 3, &parts, &count));
    assert_int_equal(count, 3);
    assert_slice(parts[0], "a@b");
    assert_slice(parts[1], "\"x,\\\"y\"@b");
    assert_slice(parts[2], "c@d");
    assert_false(directory_value_split(&arena, SLICE("a,b,c,d"), 3, &parts, &count));
    assert_false(directory_value_split(&arena, SLICE("a,,b"), 9, &parts, &count));
    assert_false(directory_value_split(&arena, SLICE(""), 9, &parts, &count));
    assert_false(directory_value_split(&arena, SLICE("a,"), 9, &parts, &count));
    arena_finish(&arena);
}

static void
what_is_put_is_read_again(void **state)
{
    static const char *const values[] = {"x",  "a b",      "",  "\"",         "\\",
                                         "#x", "a\\\"b c", "=", "caf\xC3\xA9"};
    struct arena arena;
    struct buffer text;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        arena_init(&arena, 65536);
        buffer_init(&text, 4096);
        buffer_put_text(&text, "k n");
        directory_put_field(&text, "f", slice_of_string(values[i]));
        buffer_put_byte(&text, 0);
        struct directory_line line = line_of(&arena, (const char *)buffer_slice(&text).at);
        assert_null(line.damage);
        assert_slice(directory_line_find(&line, "f")->value, values[i]);
        buffer_finish(&text);
        arena_finish(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_divided_by_blanks_and_held_by_quotes),
        cmocka_unit_test(blank_lines_and_comments_say_nothing),
        cmocka_unit_test(damage_is_named_with_its_place),
        cmocka_unit_test(fields_are_taken_up_to_their_bound),
        cmocka_unit_test(lines_are_taken_up_to_their_bound),
        cmocka_unit_test(values_are_split_at_commas_outside_of_quotes),
        cmocka_unit_test(what_is_put_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
