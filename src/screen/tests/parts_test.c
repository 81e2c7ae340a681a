/* SPDX-License-Identifier: ISC */
/* The pieces of a screen: canvas, keys, lines, rosters, sheets. */
#include "screen/head.h"
#include "screen/line.h"
#include "screen/roster.h"
#include "screen/sheet.h"
#include "text/tests/check.h"

static void
press(struct line *line, enum key_kind kind, uint32_t character)
{
    struct key key = {.kind = kind, .character = character};

    assert_true(line_press(line, &key));
}

static void
a_line_is_typed_and_corrected(void **state)
{
    struct line line;
    struct key key = {.kind = PRESS_CHARACTER, .character = 'x'};

    (void)state;
    assert_true(key_is(&key, 'x'));
    assert_false(key_is(&key, 'y'));
    line_init(&line);
    press(&line, PRESS_CHARACTER, 0xE9); /* é */
    press(&line, PRESS_CHARACTER, 0x65E5);
    press(&line, PRESS_CHARACTER, 'a');
    assert_true(slice_equal(line_text(&line), SLICE("é日a")));
    press(&line, PRESS_LEFT, 0);
    press(&line, PRESS_BACKSPACE, 0);
    assert_true(slice_equal(line_text(&line), SLICE("éa")));
    press(&line, PRESS_DELETE, 0);
    press(&line, PRESS_HOME, 0);
    press(&line, PRESS_CHARACTER, 'b');
    assert_true(slice_equal(line_text(&line), SLICE("bé")));
    line_set(&line, SLICE("one two"));
    press(&line, PRESS_CHARACTER, KEY_CONTROL('W'));
    assert_true(slice_equal(line_text(&line), SLICE("one ")));
    line_replace(&line, 0, SLICE("ten"));
    assert_true(slice_equal(line_text(&line), SLICE("ten")));
    press(&line, PRESS_CHARACTER, KEY_CONTROL('U'));
    assert_true(slice_is_empty(line_text(&line)));
    line_finish(&line);
}

static void
the_end_of_a_long_line_is_seen(void **state)
{
    struct canvas canvas;
    struct buffer text;
    struct line line;

    (void)state;
    canvas_init(&canvas, 1, 10);
    buffer_init(&text, 1000);
    line_init(&line);
    line_set(&line, SLICE("0123456789日本"));
    line_draw(&line, &canvas, 0, 0, 10);
    canvas_put_text(&canvas, &text);
    assert_true(slice_equal(buffer_slice(&text), SLICE("56789日本\n")));
    assert_int_equal(canvas.cursor_column, 9);
    line_finish(&line);
    buffer_finish(&text);
    canvas_finish(&canvas);
}

static void
a_canvas_takes_nothing_that_moves_a_terminal(void **state)
{
    struct canvas canvas;
    struct buffer text;

    (void)state;
    canvas_init(&canvas, 2, 8);
    buffer_init(&text, 1000);
    assert_int_equal(canvas_put(&canvas, 0, 0, 8, INK_TEXT,
                                SLICE("a\x1B[2J\xFF"
                                      "b")),
                     7);
    canvas_put_field(&canvas, 1, 0, 8, INK_TEXT, SLICE("much too long"));
    assert_int_equal(canvas_put(&canvas, 2, 0, 8, INK_TEXT, SLICE("below")), 0);
    canvas_put_text(&canvas, &text);
    assert_true(slice_equal(buffer_slice(&text), SLICE("a?[2J?b\nmuch to…\n")));
    canvas_finish(&canvas);
    buffer_finish(&text);
}

static void
tell_head(struct roster *roster, uint32_t id, const char *text)
{
    struct head head = {.id = id};

    head_parse(slice_of_string(text), "me@example.test", &head);
    roster_take_head(roster, &head);
    assert_null(head.subject);
}

static void
a_head_is_read_and_found(void **state)
{
    struct head head = {.id = 1};

    (void)state;
    head_parse(SLICE("From: =?utf-8?q?G=C3=A9rard?= <g@example.org>\r\nSubject: =?utf-8?q?"
                     "Stra=C3=9Fe?=\r\n\x1B[2J\r\nTo: me@example.test\r\n"
                     "Content-Type: multipart/mixed; boundary=x\r\n\r\nbody"),
               "ME@example.test", &head);
    assert_string_equal(head.from, "Gérard");
    assert_true(head.has_parts);
    assert_true(head.has_mentions);
    assert_non_null(strstr(head.key, "gerard"));
    assert_non_null(strstr(head.key, "strasse"));
    head_finish(&head);
}

static void
a_roster_keeps_its_cursor_and_its_threads(void **state)
{
    struct item items[] = {{.id = 10}, {.id = 20}, {.id = 30}};
    struct roster roster;
    size_t count;

    (void)state;
    roster_init(&roster, 1);
    roster_fill(&roster, items, COUNT_OF(items));
    roster_arrange(&roster);
    roster_go(&roster, 2);
    assert_int_equal(roster_chosen(&roster)->id, 10);
    uint32_t *ids = roster_wanted(&roster, 10, &count);
    assert_int_equal(count, 3);
    assert_int_equal(ids[0], 10);
    free(ids);
    assert_null(roster_wanted(&roster, 10, &count));
    roster_ask_again(&roster);
    ids = roster_wanted(&roster, 10, &count);
    assert_int_equal(count, 3);
    free(ids);
    /* 30 answers 10, through one that is not here. */
    tell_head(&roster, 10, "Message-ID: <a@x>\r\nSubject: s\r\n\r\n");
    tell_head(&roster, 20, "Message-ID: <b@x>\r\nSubject: other\r\n\r\n");
    tell_head(&roster, 30, "Message-ID: <c@x>\r\nReferences: <a@x> <gone@x>\r\n\r\n");
    roster_arrange(&roster);
    assert_int_equal(roster_at(&roster, 0)->id, 10);
    assert_int_equal(roster_at(&roster, 1)->id, 30);
    assert_int_equal(roster.rows[1].depth, 1);
    assert_int_equal(roster_at(&roster, 2)->id, 20);
    assert_int_equal(roster_chosen(&roster)->id, 10);
    struct item again[] = {{.id = 10}, {.id = 15}, {.id = 20}, {.id = 30}};
    roster_merge(&roster, again, COUNT_OF(again));
    roster_arrange(&roster);
    assert_int_equal(roster_chosen(&roster)->id, 10);
    assert_string_equal(roster_find(&roster, 20)->head->subject, "other");
    roster_merge(&roster, items, COUNT_OF(items));
    assert_null(roster_find(&roster, 15));
    roster_remove(&roster, 10);
    roster_add(&roster, (struct item){.id = 40, .flags = MARK_SEEN});
    roster_add(&roster, (struct item){.id = 40});
    roster_arrange(&roster);
    assert_int_equal(roster.rows_count, 3);
    assert_int_equal(roster_count_unseen(&roster), 2);
    assert_int_equal(roster_count_marked(&roster), 0);
    assert_null(roster_at(&roster, 3));
    roster_finish(&roster);
}

static void
a_deep_thread_is_drawn_and_its_end_too(void **state)
{
    struct roster roster;
    char text[200];

    (void)state;
    roster_init(&roster, 1);
    for (uint32_t id = 1; id <= 300; id++)
        roster_add(&roster, (struct item){.id = id});
    for (uint32_t id = 1; id <= 300; id++) {
        (void)snprintf(text, sizeof(text), "Message-ID: <%u@x>\r\nIn-Reply-To: <%u@x>\r\n\r\n", id,
                       id - 1);
        tell_head(&roster, id, text);
    }
    roster_arrange(&roster);
    assert_int_equal(roster.rows_count, 300);
    assert_int_equal(roster_at(&roster, 299)->id, 300);
    assert_int_equal(roster.rows[299].depth, ROSTER_DEPTH_MAX);
    roster_finish(&roster);
}

static bool
is_odd(const struct entry *entry)
{
    return entry->id % 2 == 1;
}

static void
jumps_go_round_the_end(void **state)
{
    struct item items[] = {{.id = 1}, {.id = 2}, {.id = 4}};
    struct roster roster;
    size_t row;

    (void)state;
    roster_init(&roster, 1);
    roster_fill(&roster, items, COUNT_OF(items));
    roster_arrange(&roster);
    assert_true(roster_next(&roster, 0, false, is_odd, &row));
    assert_int_equal(row, 2);
    assert_true(roster_next(&roster, 0, true, is_odd, &row));
    assert_int_equal(row, 2);
    assert_false(roster_next(&roster, 2, false, is_odd, &row));
    roster_set_flags(&roster, 4, MARK_SEEN);
    assert_int_equal(roster_find(&roster, 4)->flags, MARK_SEEN);
    assert_null(roster_find(&roster, 3));
    roster_step(&roster, 100);
    assert_int_equal(roster.cursor, 2);
    roster_step(&roster, -100);
    assert_int_equal(roster.cursor, 0);
    roster_finish(&roster);
}

static void
a_huge_subject_does_not_push_the_text_away(void **state)
{
    static char huge[100000];
    struct sheet sheet;
    struct sheet_field field = {.label = (char *)(uintptr_t) "Subject", .value = huge};
    struct sheet_text letter = {
        .id = 1, .fields = &field, .fields_count = 1, .text = (char *)(uintptr_t) "hello\n"};
    size_t line;

    (void)state;
    memset(huge, 's', sizeof(huge) - 1);
    sheet_init(&sheet);
    sheet_lay_out(&sheet, &letter, 40, false);
    assert_true(sheet_find(&sheet, 0, SLICE("hello"), &line));
    assert_int_equal(line, SHEET_FIELD_LINES_MAX + 1);
    assert_true(slice_ends_with(
        slice_of(buffer_slice(&sheet.text).at + sheet.lines[SHEET_FIELD_LINES_MAX - 1].start,
                 sheet.lines[SHEET_FIELD_LINES_MAX - 1].len),
        SLICE("s…")));
    sheet_finish(&sheet);
}

static void
long_lines_are_broken_between_words_and_stay_quoted(void **state)
{
    struct sheet sheet;
    char text[] =
        "> one two three four five six seven\nthis\tthat 日本語日本語日本語日本語日本語\n";
    struct sheet_text letter = {.id = 1, .text = text};
    struct slice all;

    (void)state;
    sheet_init(&sheet);
    sheet_lay_out(&sheet, &letter, 24, false);
    all = buffer_slice(&sheet.text);
    assert_int_equal(sheet.lines_count, 6);
    assert_true(slice_starts_with(slice_skip(all, sheet.lines[1].start), SLICE("> one two three")));
    assert_true(slice_starts_with(slice_skip(all, sheet.lines[2].start), SLICE("> five six")));
    for (size_t i = 0; i < sheet.lines_count; i++)
        assert_true(width_of(slice_between(all, sheet.lines[i].start,
                                           sheet.lines[i].start + sheet.lines[i].len)) <= 24);
    size_t line;
    assert_true(sheet_find(&sheet, 0, SLICE("SIX"), &line));
    assert_int_equal(line, 2);
    assert_false(sheet_find(&sheet, 3, SLICE("six"), &line));
    sheet_finish(&sheet);
}

static void
sizes_are_said_in_short(void **state)
{
    static const struct {
        uint64_t octets;
        const char *text;
    } rows[] = {{0, "0 B"}, {1023, "1023 B"}, {1536, "1.5 KiB"}, {120 << 20, "120 MiB"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer text;
        buffer_init(&text, 100);
        sheet_put_size(rows[i].octets, &text);
        assert_true(slice_equal(buffer_slice(&text), slice_of_string(rows[i].text)));
        buffer_finish(&text);
    }
}

static void
a_copy_of_a_draft_is_its_own(void **state)
{
    struct draft *draft = draft_new(1), *copy;

    (void)state;
    traffic_set(&draft->to, SLICE("bob@example.test"));
    for (size_t i = 0; i < 9; i++) {
        draft->files = traffic_grow(draft->files, draft->files_count, sizeof(*draft->files));
        draft->files[draft->files_count++] = traffic_copy(SLICE("file"));
    }
    copy = draft_copy(draft);
    draft_free(draft);
    assert_string_equal(copy->to, "bob@example.test");
    assert_null(copy->cc);
    assert_int_equal(copy->files_count, 9);
    assert_string_equal(copy->files[8], "file");
    draft_free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_typed_and_corrected),
        cmocka_unit_test(the_end_of_a_long_line_is_seen),
        cmocka_unit_test(a_canvas_takes_nothing_that_moves_a_terminal),
        cmocka_unit_test(a_head_is_read_and_found),
        cmocka_unit_test(a_roster_keeps_its_cursor_and_its_threads),
        cmocka_unit_test(a_deep_thread_is_drawn_and_its_end_too),
        cmocka_unit_test(jumps_go_round_the_end),
        cmocka_unit_test(a_huge_subject_does_not_push_the_text_away),
        cmocka_unit_test(long_lines_are_broken_between_words_and_stay_quoted),
        cmocka_unit_test(sizes_are_said_in_short),
        cmocka_unit_test(a_copy_of_a_draft_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
