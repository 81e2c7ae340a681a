/* SPDX-License-Identifier: ISC */
#include "message/message_id.h"
#include "text/tests/check.h"

/* The ids found, with a comma behind each. RFC 5322 appendix A.2 and A.6, then what occurs. */
static const struct {
    struct slice text;
    const char *ids;
    unsigned defects;
} lists[] = {
    {SLICE("<1234@local.machine.example>"), "1234@local.machine.example,", 0},
    {SLICE("<1234@local.machine.example> <3456@example.net>"),
     "1234@local.machine.example,3456@example.net,", 0},
    {SLICE("<testabcd.1234@silly.test>"), "testabcd.1234@silly.test,", 0},
    {SLICE("<1@a>\r\n\t<2@b>\r\n (comment) <3@c>"), "1@a,2@b,3@c,", 0},
    {SLICE("<1@a><2@b>"), "1@a,2@b,", 0},
    {SLICE("<1@a>,<2@b>, <3@c>"), "1@a,2@b,3@c,", 0},
    {SLICE("<1 \r\n @ a>"), "1@a,", MESSAGE_ID_BLANKS},
    {SLICE("<\"quoted\"@a>"), "quoted@a,", MESSAGE_ID_QUOTED},
    {SLICE("<\"needs quotes\"@a>"), "\"needsquotes\"@a,", MESSAGE_ID_QUOTED | MESSAGE_ID_BLANKS},
    {SLICE("<\"a>b\"@c>"), "\"a,", MESSAGE_ID_QUOTED | MESSAGE_ID_NO_AT | MESSAGE_ID_JUNK},
    {SLICE("<1@[192.0.2.1]>"), "1@[192.0.2.1],", 0},
    {SLICE("<no-at>"), "no-at,", MESSAGE_ID_NO_AT},
    {SLICE("bare@a"), "bare@a,", MESSAGE_ID_NO_BRACKETS},
    {SLICE("bare@a, other@b"), "bare@a,other@b,", MESSAGE_ID_NO_BRACKETS},
    {SLICE("Your message of \"Mon, 1 Jan <x@y>\" <1@a> from me@b"), "1@a,", MESSAGE_ID_JUNK},
    {SLICE("Your \"message <1@a>"), "1@a,", MESSAGE_ID_JUNK},
    {SLICE("<1@a <2@b>"), "1@a,2@b,", MESSAGE_ID_UNCLOSED},
    {SLICE("<1@a"), "1@a,", MESSAGE_ID_UNCLOSED},
    {SLICE("<>"), "", MESSAGE_ID_JUNK},
    {SLICE(""), "", 0},
    {SLICE("no id here"), "", MESSAGE_ID_JUNK},
    {SLICE("@ @a b@"), "", MESSAGE_ID_JUNK},
    {SLICE("<\xC3\xA9@a>"), "\xC3\xA9@a,", MESSAGE_ID_8BIT},
    {SLICE("<\x80@a>"), "\x80@a,", MESSAGE_ID_8BIT},
    {SLICE("<\"a\\"), "\"a\\,", MESSAGE_ID_QUOTED | MESSAGE_ID_NO_AT | MESSAGE_ID_UNCLOSED},
    {SLICE("<1\0@a>"), "1@a,", MESSAGE_ID_BLANKS},
};

static void
ids_are_found_among_whatever_else(void **state)
{
    struct arena arena;
    struct buffer out;

    (void)state;
    arena_init(&arena, 100000);
    buffer_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct message_id_list list;
        buffer_clear(&out);
        message_id_list_parse(&arena, lists[i].text, &list);
        for (size_t j = 0; j < list.count; j++) {
            buffer_put(&out, list.ids[j]);
            buffer_put_byte(&out, ',');
        }
        assert_slice(buffer_slice(&out), slice_of_string(lists[i].ids));
        assert_int_equal(list.defects, lists[i].defects);
        assert_false(list.is_cut);
        struct slice first = message_id_parse(&arena, lists[i].text);
        assert_slice(first, list.count ? list.ids[0] : SLICE(""));
    }
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
put_ids(struct buffer *text, unsigned count)
{
    buffer_clear(text);
    for (unsigned i = 0; i < count; i++) {
        buffer_put_byte(text, '<');
        buffer_put_decimal(text, i);
        buffer_put_text(text, "@x> ");
    }
}

static void
a_long_list_keeps_its_first_and_its_last(void **state)
{
    struct arena arena;
    struct buffer text;
    struct message_id_list list;

    (void)state;
    arena_init(&arena, 1000000);
    buffer_init(&text, 1000000);
    put_ids(&text, MESSAGE_IDS_MAX);
    message_id_list_parse(&arena, buffer_slice(&text), &list);
    assert_int_equal(list.count, MESSAGE_IDS_MAX);
    assert_false(list.is_cut);
    put_ids(&text, MESSAGE_IDS_MAX + 1);
    message_id_list_parse(&arena, buffer_slice(&text), &list);
    assert_int_equal(list.count, MESSAGE_IDS_MAX);
    assert_true(list.is_cut);
    assert_slice(list.ids[0], SLICE("0@x"));
    assert_slice(list.ids[1], SLICE("2@x"));
    assert_slice(list.ids[MESSAGE_IDS_MAX - 1], SLICE("1000@x"));
    arena_finish(&arena);
    arena_init(&arena, 8);
    message_id_list_parse(&arena, buffer_slice(&text), &list);
    assert_true(list.is_cut);
    assert_int_equal(list.count, 0);
    arena_finish(&arena);
    buffer_finish(&text);
}

static void
hostile_repetition_takes_linear_time(void **state)
{
    static const char *const units[] = {"\"", "<", "\"\\\"", "(", "<\"", "a@b ", "\\\"", "><"};
    struct arena arena;
    struct buffer text;

    (void)state;
    arena_init(&arena, SIZE_MAX / 4);
    buffer_init(&text, 10000000);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        struct message_id_list list;
        buffer_clear(&text);
        while (buffer_len(&text) < 1000000)
            buffer_put_text(&text, units[i]);
        message_id_list_parse(&arena, buffer_slice(&text), &list);
        assert_true(list.count <= MESSAGE_IDS_MAX);
    }
    buffer_finish(&text);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_among_whatever_else),
        cmocka_unit_test(a_long_list_keeps_its_first_and_its_last),
        cmocka_unit_test(hostile_repetition_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
