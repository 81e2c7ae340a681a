/* SPDX-License-Identifier: ISC */
/* The rules of the grammar, each with what it takes and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/fetch.h"
#include "imap/grammar.h"
#include "imap/set.h"
#include "imap/use.h"

static struct arena arena;

static int
set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_finish(&arena);
    return 0;
}

static void
expect_text(const char *text, const char *wanted)
{
    struct cursor cursor = cursor_of(slice_of_string(text));
    struct slice string;
    bool is_taken = imap_take_astring(&cursor, &arena, &string);

    assert_int_equal(is_taken, wanted != NULL);
    if (wanted)
        assert_true(slice_equal(string, slice_of_string(wanted)));
    else
        assert_ptr_equal(cursor.at, text);
}

static void
strings_come_in_three_forms(void **state)
{
    (void)state;
    expect_text("atom]", "atom]");
    expect_text("\"quoted \\\"text\\\\\"", "quoted \"text\\");
    expect_text("{5}\r\na\r\nb\"", "a\r\nb\"");
    expect_text("{3+}\r\nabc", "abc");
    expect_text("~{3}\r\nabc", "abc");
    expect_text("{4}\r\nabc", NULL);
    expect_text("\"open", NULL);
    expect_text("\"a\\b\"", NULL);
    expect_text("\"a\rb\"", NULL);
    expect_text("\"a\nb\"", NULL);
    expect_text("", NULL);
    assert_true(imap_is_atom_char(0x7E));
    assert_false(imap_is_atom_char(0x7F));
    assert_false(imap_is_atom_char(' '));
}

static void
dates_are_days_and_instants(void **state)
{
    struct cursor cursor = cursor_of(SLICE("\" 7-Feb-1994 21:52:25 -0800\""));
    struct wall wall;
    int32_t day;

    (void)state;
    assert_true(imap_take_date_time(&cursor, &wall));
    assert_int_equal(wall_seconds(wall), 760686745);
    cursor = cursor_of(SLICE("1-Jan-1970"));
    assert_true(imap_take_date(&cursor, &day));
    assert_int_equal(day, 0);
    cursor = cursor_of(SLICE("\"29-Feb-2024\""));
    assert_true(imap_take_date(&cursor, &day));
    assert_int_equal(day, 19782);
    cursor = cursor_of(SLICE("32-Jan-2000"));
    assert_false(imap_take_date(&cursor, &day));
    cursor = cursor_of(SLICE("1-Foo-2000"));
    assert_false(imap_take_date(&cursor, &day));
}

static void
zones_are_two_numbers_with_a_sign(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
    } cases[] = {
        {"\" 7-Feb-1994 21:52:25 +2359\"", true},  {"\" 7-Feb-1994 21:52:25 +2400\"", false},
        {"\" 7-Feb-1994 21:52:25 -0060\"", false}, {"\" 7-Feb-1994 21:52:25 0100\"", false},
        {"\" 7-Feb-1994 21:52:25 *0100\"", false}, {"\" 7-Feb-1994 21:52:25 +01\"", false},
    };
    struct wall wall;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cursor cursor = cursor_of(slice_of_string(cases[i].text));
        assert_int_equal(imap_take_date_time(&cursor, &wall), cases[i].is_good);
    }
}

static void
a_word_ends_where_it_ends(void **state)
{
    static const char *const longer[] = {"BODYX", "BODY1", "BODY-"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(longer); i++) {
        struct cursor cursor = cursor_of(slice_of_string(longer[i]));
        assert_false(imap_take_word(&cursor, SLICE("BODY")));
        assert_ptr_equal(cursor.at, longer[i]);
    }
    struct cursor cursor = cursor_of(SLICE("body[]"));
    assert_true(imap_take_word(&cursor, SLICE("BODY")));
}

static void
keywords_have_a_limit(void **state)
{
    char text[IMAP_KEYWORD_MAX + 2];

    (void)state;
    memset(text, 'k', sizeof(text));
    for (size_t over = 0; over < 2; over++) {
        struct imap_flags flags = {0};
        struct cursor cursor = cursor_of(slice_of(text, IMAP_KEYWORD_MAX + over));
        assert_int_equal(imap_take_flag(&cursor, &flags), !over);
        assert_int_equal(flags.is_over_limit, over);
    }
}

static void
flags_are_bits_and_names(void **state)
{
    struct cursor cursor = cursor_of(SLICE("(\\Seen \\deleted $Junk)"));
    struct imap_flags flags;

    (void)state;
    assert_true(imap_take_flag_list(&cursor, &flags));
    assert_int_equal(flags.bits, IMAP_SEEN | IMAP_DELETED);
    assert_int_equal(flags.keyword_count, 1);
    cursor = cursor_of(SLICE("(\\Unknown)"));
    assert_false(imap_take_flag_list(&cursor, &flags));
    cursor = cursor_of(SLICE("()"));
    assert_true(imap_take_flag_list(&cursor, &flags));
    assert_int_equal(flags.bits, 0);
}

static void
expect_match(const char *pattern, const char *name, bool is_wanted)
{
    assert_int_equal(imap_pattern_matches(slice_of_string(pattern), slice_of_string(name)),
                     is_wanted);
}

static void
wildcards_know_levels(void **state)
{
    (void)state;
    expect_match("*", "a/b/c", true);
    expect_match("%", "a/b", false);
    expect_match("%/%", "a/b", true);
    expect_match("*a%", "xa/ya", true);
    expect_match("%b*", "a/b", false);
    expect_match("a/%", "a/b/c", false);
    expect_match("inbox", "INBOX", true);
    expect_match("Sent", "sent", false);
    expect_match("", "a", false);
    expect_match("a*c%e", "a/b/c/d/cxe", true);
    expect_match("*%a%", "x/y/ab", true);
    expect_match("%*b", "a/b", true);
    expect_match("%%a%%", "b/a", false);
    expect_match("*/", "a", false);
    expect_match("%", "", true);
}

/* More than 10^10 steps when each wildcard is tried again at each place: the test's time is up. */
static void
a_pattern_of_many_wildcards_is_soon_done(void **state)
{
    char pattern[3 + 400 + 2], name[IMAP_LISTED_NAME_MAX + 2];

    (void)state;
    memset(name, 'a', sizeof(name));
    memset(pattern, 'a', sizeof(pattern));
    memcpy(pattern, "*a%", 3);
    memcpy(pattern + 3 + 400, "b", 2);
    name[IMAP_LISTED_NAME_MAX - 2] = '/';
    name[IMAP_LISTED_NAME_MAX] = 0;
    for (int i = 0; i < 100; i++)
        expect_match(pattern, name, false);
    expect_match("*", name, true);
    name[IMAP_LISTED_NAME_MAX] = 'a';
    name[IMAP_LISTED_NAME_MAX + 1] = 0;
    expect_match("*", name, false);
}

static void
names_are_told_apart_by_alphabet(void **state)
{
    struct slice name;

    (void)state;
    assert_true(imap_name_decode(SLICE("Entw&APw-rfe"), false, &arena, &name));
    assert_true(slice_equal(name, SLICE("Entwürfe")));
    assert_true(imap_name_decode(SLICE("Entwürfe"), true, &arena, &name));
    assert_true(slice_equal(name, SLICE("Entwürfe")));
    assert_true(imap_name_decode(SLICE("inbox/x/"), true, &arena, &name));
    assert_true(slice_equal(name, SLICE("INBOX/x")));
    assert_false(imap_name_decode(SLICE("\xFF"), true, &arena, &name));
    assert_true(imap_pattern_decode(SLICE("&AOk-%"), false, &arena, &name));
    assert_true(slice_equal(name, SLICE("é%")));
    /* Programs that send UTF-8 unasked are understood; what is neither is not. */
    assert_true(imap_pattern_decode(SLICE("é%"), false, &arena, &name));
    assert_true(slice_equal(name, SLICE("é%")));
    assert_false(imap_pattern_decode(SLICE("\xC3"), false, &arena, &name));
    assert_false(imap_pattern_decode(SLICE("&!"), false, &arena, &name));
}

static void
sets_are_sorted_and_joined(void **state)
{
    struct cursor cursor = cursor_of(SLICE("9:7,2,*,3:5 "));
    struct imap_set set;
    struct buffer text;

    (void)state;
    buffer_init(&text, 100);
    assert_true(imap_take_set(&cursor, &arena, &set));
    assert_true(imap_set_resolve(&set, 12, &arena));
    imap_set_put(&text, &set);
    assert_true(slice_equal(buffer_slice(&text), SLICE("2:5,7:9,12")));
    assert_true(imap_set_has(&set, 8));
    assert_false(imap_set_has(&set, 6));
    buffer_finish(&text);
    cursor = cursor_of(SLICE("0"));
    assert_false(imap_take_set(&cursor, &arena, &set));
    cursor = cursor_of(SLICE("1,"));
    assert_false(imap_take_set(&cursor, &arena, &set));
}

/* What `written` means in a mailbox whose largest number is `star`. */
static void
expect_set(const char *written, uint32_t star, const char *wanted)
{
    struct cursor cursor = cursor_of(slice_of_string(written));
    struct imap_set set;
    struct buffer text;

    buffer_init(&text, 100);
    assert_true(imap_take_set(&cursor, &arena, &set) && cursor_is_done(&cursor));
    assert_true(imap_set_resolve(&set, star, &arena));
    imap_set_put(&text, &set);
    buffer_put_byte(&text, 0);
    assert_string_equal((const char *)buffer_slice(&text).at, wanted);
    buffer_finish(&text);
}

static void
a_star_is_the_largest_number_there_is(void **state)
{
    (void)state;
    expect_set("*", 7, "7");
    expect_set("5:*", 7, "5:7");
    /* RFC 9051 §9: the other way round too, and beyond the last. */
    expect_set("*:9", 7, "7:9");
    expect_set("9:*", 7, "7:9");
    expect_set("*,2", 0, "2");
    expect_set("3:*,*:4", 0, "");
    expect_set("*,1:7", 7, "1:7");
}

static void
sets_touch_and_overlap_up_to_the_last_number(void **state)
{
    (void)state;
    expect_set("1:3,4", 9, "1:4");
    expect_set("1:3,5", 9, "1:3,5");
    expect_set("1:9,2:3", 9, "1:9");
    expect_set("2:3,2:9,2", 9, "2:9");
    expect_set("4294967295,1,4294967290:4294967295", 9, "1,4294967290:4294967295");

    struct imap_range ranges[] = {{2, 4}, {6, 6}};
    struct imap_set set = {ranges, COUNT_OF(ranges)};
    static const bool has[] = {false, false, true, true, true, false, true, false};
    for (uint32_t i = 0; i < COUNT_OF(has); i++)
        assert_int_equal(imap_set_has(&set, i), has[i]);
}

static void
a_set_has_its_limit_and_not_one_more(void **state)
{
    struct buffer text;
    struct arena large;
    struct imap_set set;

    (void)state;
    arena_init(&large, IMAP_SET_RANGES_MAX * 2 * sizeof(struct imap_range));
    buffer_init(&text, 2 * (IMAP_SET_RANGES_MAX + 1));
    for (unsigned i = 0; i < IMAP_SET_RANGES_MAX; i++)
        buffer_put_text(&text, i == 0 ? "1" : ",1");
    struct cursor cursor = cursor_of(buffer_slice(&text));
    assert_false(imap_set_is_over(&cursor));
    assert_true(imap_take_set(&cursor, &large, &set));
    assert_int_equal(set.count, IMAP_SET_RANGES_MAX);
    buffer_put_text(&text, ",1");
    cursor = cursor_of(buffer_slice(&text));
    assert_true(imap_set_is_over(&cursor));
    assert_false(imap_take_set(&cursor, &large, &set));
    buffer_finish(&text);
    arena_finish(&large);
}

static void
a_builder_joins_what_touches(void **state)
{
    struct imap_set_builder builder;

    (void)state;
    imap_set_builder_init(&builder);
    imap_set_builder_add(&builder, 1, 1);
    imap_set_builder_add(&builder, 2, 4);
    imap_set_builder_add(&builder, 6, 6);
    struct imap_set set = imap_set_builder_set(&builder);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.at[0].last, 4);
    imap_set_builder_finish(&builder);
}

static void
items_of_fetch_have_sections(void **state)
{
    struct cursor cursor =
        cursor_of(SLICE("(UID BODY.PEEK[1.2.HEADER.FIELDS (To \"Cc\")]<5.10> BINARY[3])"));
    struct imap_fetch_items items;

    (void)state;
    assert_true(imap_take_fetch_items(&cursor, &arena, &items));
    assert_int_equal(items.count, 3);
    assert_int_equal(items.at[1].path.depth, 2);
    assert_int_equal(items.at[1].field_count, 2);
    assert_int_equal(items.at[1].partial_len, 10);
    assert_true(slice_equal(items.at[1].name, SLICE("BODY[1.2.HEADER.FIELDS (To \"Cc\")]")));
    assert_false(items.at[2].is_peek);
    imap_fetch_items_add(&items, IMAP_FETCH_UID);
    assert_int_equal(items.count, 3);
    cursor = cursor_of(SLICE("FULL"));
    assert_true(imap_take_fetch_items(&cursor, &arena, &items));
    assert_int_equal(items.count, 5);
    cursor = cursor_of(SLICE("BODY[MIME]"));
    assert_false(imap_take_fetch_items(&cursor, &arena, &items));
    cursor = cursor_of(SLICE("BODY[]<1.0>"));
    assert_false(imap_take_fetch_items(&cursor, &arena, &items));
}

static void
special_uses_have_names(void **state)
{
    (void)state;
    assert_int_equal(imap_use_find(SLICE("\\drafts")), IMAP_USE_DRAFTS);
    assert_int_equal(imap_use_find(SLICE("\\All")), IMAP_USE_NONE);
    assert_true(slice_equal(imap_use_name(IMAP_USE_SENT), SLICE("\\Sent")));
    assert_int_equal(imap_use_name(200).len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strings_come_in_three_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dates_are_days_and_instants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zones_are_two_numbers_with_a_sign, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_word_ends_where_it_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keywords_have_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_are_bits_and_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wildcards_know_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pattern_of_many_wildcards_is_soon_done, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(names_are_told_apart_by_alphabet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sets_are_sorted_and_joined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_star_is_the_largest_number_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sets_touch_and_overlap_up_to_the_last_number, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_set_has_its_limit_and_not_one_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_builder_joins_what_touches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(items_of_fetch_have_sections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(special_uses_have_names, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
