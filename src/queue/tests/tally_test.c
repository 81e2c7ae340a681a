/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "queue/tally.h"

static const struct tally_event success = {
    .period = {86400, 172800},
    .domain = {(const uint8_t *)"b.test", 6},
    .policy = TALLY_STS,
    .text = {(const uint8_t *)"mode: enforce;mx: mx.b.test", 27},
};

static struct tally_event
failure(const char *result, const char *host)
{
    struct tally_event event = success;

    event.text = SLICE("");
    event.result = slice_of_string(result);
    event.host = slice_of_string(host);
    event.address = SLICE("192.0.2.1");
    event.reason = SLICE("no\tgood\n");
    return event;
}

static struct tally_row *
first_row(struct tally *tally)
{
    assert_false(list_is_empty(&tally->rows));
    return LIST_ITEM(tally->rows.next, struct tally_row, link);
}

static void
expect(struct buffer *buffer, const char *text)
{
    buffer_put_byte(buffer, 0);
    assert_string_equal((const char *)buffer_slice(buffer).at, text);
    buffer_clear(buffer);
}

static void
sessions_are_counted_by_what_became_of_them(void **state)
{
    struct tally_event wrong = failure("certificate-expired", "mx.b.test");
    struct tally_event other = failure("certificate-expired", "mx2.b.test");
    struct tally tally;
    struct buffer out;

    (void)state;
    tally_init(&tally, 1);
    buffer_init(&out, 10000);
    assert_false(tally_knows_text(&tally, &success));
    assert_true(tally_add(&tally, &success, 3));
    assert_true(tally_knows_text(&tally, &success));
    assert_true(tally_add(&tally, &wrong, 1));
    assert_true(tally_add(&tally, &wrong, 1));
    assert_true(tally_add(&tally, &other, 1));
    const struct tally_row *row = first_row(&tally);
    assert_int_equal(row->successes, 3);
    assert_int_equal(row->failures, 3);
    assert_int_equal(row->detail_count, 2);
    tally_put_all(&out, &tally);
    expect(&out,
           "86400\t172800\tb.test\tsts\t0\tpolicy\tmode: enforce;mx: mx.b.test\t\t\n"
           "86400\t172800\tb.test\tsts\t3\t\t\t\t\n"
           "86400\t172800\tb.test\tsts\t2\tcertificate-expired\tmx.b.test\t192.0.2.1\tno?good?\n"
           "86400\t172800\tb.test\tsts\t1\tcertificate-expired\tmx2.b.test\t192.0.2.1\tno?good?\n");
    tally_forget(&tally, success.period, first_row(&tally)->domain);
    assert_true(list_is_empty(&tally.rows));
    assert_int_equal(tally.detail_count, 0);
    buffer_finish(&out);
    tally_finish(&tally);
}

static void
take_all(struct tally *tally, struct slice lines)
{
    while (lines.len > 0) {
        size_t end = slice_find_byte(lines, '\n');
        assert_true(tally_take(tally, slice_first(lines, end)));
        lines = slice_skip(lines, end + 1);
    }
}

static void
lines_add_up(void **state)
{
    struct tally_event wrong = failure("validation-failure", "mx.b.test");
    struct buffer lines, all, again;
    struct tally tally, second;

    (void)state;
    buffer_init(&lines, 10000);
    buffer_init(&all, 10000);
    buffer_init(&again, 10000);
    tally_init(&tally, 1);
    tally_init(&second, 2);
    tally_put(&lines, &success, 1);
    tally_put(&lines, &wrong, 2);
    tally_put(&lines, &success, 4);
    take_all(&tally, buffer_slice(&lines));
    assert_int_equal(first_row(&tally)->successes, 5);
    assert_int_equal(first_row(&tally)->failures, 2);
    tally_put_all(&all, &tally);
    take_all(&second, buffer_slice(&all));
    tally_put_all(&again, &second);
    assert_true(slice_equal(buffer_slice(&all), buffer_slice(&again)));
    buffer_clear(&lines);
    tally_put_forgotten(&lines, success.period, success.domain);
    take_all(&second, buffer_slice(&lines));
    assert_true(list_is_empty(&second.rows));
    tally_finish(&tally);
    tally_finish(&second);
    buffer_finish(&lines);
    buffer_finish(&all);
    buffer_finish(&again);
}

static void
what_is_no_line_changes_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "1\t2\tb\tsts\t1\t\t\t",
        "1\t2\tb\tsts\t1\t\t\t\t\t",
        "2\t2\tb\tsts\t1\t\t\t\t",
        "1\tx\tb\tsts\t1\t\t\t\t",
        "1\t2\t\tsts\t1\t\t\t\t",
        "1\t2\tb\tdane\t1\t\t\t\t",
        "1\t2\tb\tsts\t1234567890123456\t\t\t\t",
        "1\t2\tb\tsts\t0\tother\t\t\t",
    };
    struct tally tally;

    (void)state;
    tally_init(&tally, 1);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(tally_take(&tally, slice_of_string(bad[i])));
    assert_int_equal(tally.row_count, 0);
    tally_finish(&tally);
}

static void
each_word_has_its_bound(void **state)
{
    static uint8_t long_text[TALLY_TEXT_MAX + 1];
    struct tally tally;

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    for (size_t over = 0; over < 2; over++) {
        struct slice name = slice_of(long_text, TALLY_NAME_MAX + over);
        struct tally_event base = failure("certificate-expired", "mx.b.test");
        struct tally_event events[6] = {base, base, base, base, base, success};
        events[0].domain = name;
        events[1].host = name;
        events[2].result = name;
        events[3].address = name;
        events[4].reason = slice_of(long_text, TALLY_REASON_MAX + over);
        events[5].text = slice_of(long_text, TALLY_TEXT_MAX + over);
        for (size_t i = 0; i < COUNT_OF(events); i++) {
            tally_init(&tally, 1);
            assert_int_equal(tally_add(&tally, &events[i], 1), !over);
            if (i == 5)
                assert_int_equal(tally_knows_text(&tally, &events[i]), !over);
            tally_finish(&tally);
        }
        struct tally_event named = success;
        named.domain = name;
        tally_init(&tally, 1);
        assert_int_equal(tally_add(&tally, &named, 1), !over);
        assert_int_equal(tally_knows_text(&tally, &named), !over);
        tally_finish(&tally);
        struct buffer line;
        buffer_init(&line, 2 * TALLY_TEXT_MAX);
        buffer_put_text(&line, "0\t86400\tb.test\tsts\t0\tpolicy\t");
        buffer_put(&line, events[5].text);
        buffer_put_text(&line, "\t\t");
        tally_init(&tally, 1);
        assert_int_equal(tally_take(&tally, buffer_slice(&line)), !over);
        tally_finish(&tally);
        buffer_finish(&line);
    }
}

static void
strangers_cannot_fill_it(void **state)
{
    struct tally tally;
    char name[32];

    (void)state;
    tally_init(&tally, 1);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "mx%u.b.test", i);
        struct tally_event event = failure("certificate-expired", name);
        assert_true(tally_add(&tally, &event, 1));
    }
    assert_int_equal(first_row(&tally)->failures, 40);
    assert_int_equal(first_row(&tally)->detail_count, TALLY_ROW_DETAILS_MAX);
    for (unsigned i = 0; i < TALLY_ROWS_MAX; i++) {
        struct tally_event event = success;
        snprintf(name, sizeof(name), "d%u.test", i);
        event.domain = slice_of_string(name);
        assert_int_equal(tally_add(&tally, &event, 1), i + 1 < TALLY_ROWS_MAX);
    }
    assert_int_equal(tally.row_count, TALLY_ROWS_MAX);
    tally_finish(&tally);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_counted_by_what_became_of_them),
        cmocka_unit_test(lines_add_up),
        cmocka_unit_test(what_is_no_line_changes_nothing),
        cmocka_unit_test(each_word_has_its_bound),
        cmocka_unit_test(strangers_cannot_fill_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
