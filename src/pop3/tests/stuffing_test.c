/* SPDX-License-Identifier: ISC */
/* Dots put on and taken off, whole and cut at every position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/stuffing.h"

enum { OUT_MAX = 1000, TOP_NONE = -1 };

/* Stuffs `text` in pieces of at most `step` octets, each behind a CR that is none of it, into a
 * buffer with `room` octets that is emptied when it is full. */
static void
stuff(struct slice text, int top, size_t step, size_t room, struct buffer *out)
{
    struct pop3_stuffer stuffer;
    struct buffer small;
    uint8_t piece[OUT_MAX] = {'\r'};

    if (top == TOP_NONE)
        pop3_stuffer_init(&stuffer);
    else
        pop3_stuffer_init_top(&stuffer, (uint32_t)top);
    buffer_init(&small, room);
    while (text.len > 0) {
        struct slice next = slice_first(text, step);
        memcpy(piece + 1, next.at, next.len);
        size_t taken = pop3_stuffer_put(&stuffer, slice_of(piece + 1, next.len), &small);
        if (taken == 0)
            assert_true(buffer_len(&small) > 0);
        text = slice_skip(text, taken);
        buffer_put(out, buffer_slice(&small));
        assert_false(buffer_overflowed(&small));
        buffer_clear(&small);
    }
    pop3_stuffer_finish(&stuffer, out);
    buffer_finish(&small);
}

static void
expect_stuffed(const char *text, int top, const char *wanted)
{
    struct slice bytes = slice_of_string(text);

    for (size_t step = 1; step <= bytes.len + 1; step++) {
        for (size_t room = 16; room < 24; room++) {
            struct buffer out;
            buffer_init(&out, OUT_MAX);
            stuff(bytes, top, step, room, &out);
            buffer_put_byte(&out, 0);
            assert_string_equal((const char *)buffer_slice(&out).at, wanted);
            buffer_finish(&out);
        }
    }
}

static void
a_dot_is_put_before_each_line_that_begins_with_one(void **state)
{
    (void)state;
    expect_stuffed("", TOP_NONE, ".\r\n");
    expect_stuffed("a\r\n.\r\n..b\r\nc.d\r\n", TOP_NONE, "a\r\n..\r\n...b\r\nc.d\r\n.\r\n");
    expect_stuffed(".first\r\n", TOP_NONE, "..first\r\n.\r\n");
}

static void
the_last_line_gets_its_end(void **state)
{
    (void)state;
    expect_stuffed("a", TOP_NONE, "a\r\n.\r\n");
    expect_stuffed("a\r", TOP_NONE, "a\r\r\n.\r\n");
    expect_stuffed("a\n", TOP_NONE, "a\n\r\n.\r\n");
    expect_stuffed(".", TOP_NONE, "..\r\n.\r\n");
}

static void
top_ends_after_the_header_and_so_many_lines(void **state)
{
    static const char text[] = "H: 1\r\nI: 2\r\n\r\n.one\r\n\r\nthree\r\n";

    (void)state;
    expect_stuffed(text, 0, "H: 1\r\nI: 2\r\n\r\n.\r\n");
    expect_stuffed(text, 1, "H: 1\r\nI: 2\r\n\r\n..one\r\n.\r\n");
    expect_stuffed(text, 2, "H: 1\r\nI: 2\r\n\r\n..one\r\n\r\n.\r\n");
    expect_stuffed(text, 3, "H: 1\r\nI: 2\r\n\r\n..one\r\n\r\nthree\r\n.\r\n");
    expect_stuffed(text, 4, "H: 1\r\nI: 2\r\n\r\n..one\r\n\r\nthree\r\n.\r\n");
    expect_stuffed("H: 1\r\n", 5, "H: 1\r\n.\r\n");
    expect_stuffed("\r\nbody\r\n", 0, "\r\n.\r\n");
}

/* Takes it off in pieces; puts what is left behind the end into *ret_rest. */
static bool
unstuff(struct slice text, size_t step, struct buffer *out, size_t *ret_rest)
{
    struct pop3_unstuffer unstuffer;
    bool is_open = true;

    pop3_unstuffer_init(&unstuffer);
    while (text.len > 0 && is_open) {
        struct slice piece = slice_first(text, step), body;
        size_t len = piece.len;
        while (piece.len > 0 && is_open) {
            is_open = pop3_unstuffer_take(&unstuffer, &piece, &body);
            if (is_open)
                buffer_put(out, body);
        }
        text = slice_skip(text, len - piece.len);
    }
    *ret_rest = text.len;
    return !is_open;
}

static void
expect_unstuffed(const char *text, const char *wanted, bool is_ended, size_t wanted_rest)
{
    struct slice bytes = slice_of_string(text);

    for (size_t step = 1; step <= bytes.len + 1; step++) {
        struct buffer out;
        size_t rest;
        buffer_init(&out, OUT_MAX);
        assert_int_equal(unstuff(bytes, step, &out, &rest), is_ended);
        assert_int_equal(rest, wanted_rest);
        buffer_put_byte(&out, 0);
        assert_string_equal((const char *)buffer_slice(&out).at, wanted);
        buffer_finish(&out);
    }
}

static void
what_was_put_on_comes_off(void **state)
{
    (void)state;
    expect_unstuffed("a\r\n..\r\n...b\r\n.\r\n", "a\r\n.\r\n..b\r\n", true, 0);
    expect_unstuffed(".\r\n", "", true, 0);
    expect_unstuffed("..\r\n.\r\n+OK", ".\r\n", true, 3);
}

static void
a_body_without_its_end_goes_on(void **state)
{
    (void)state;
    expect_unstuffed("a\r\nb", "a\r\nb", false, 0);
    expect_unstuffed("a\r\n.", "a\r\n", false, 0);
}

static void
a_bare_line_feed_ends_lines_too(void **state)
{
    (void)state;
    expect_unstuffed("a\n.\nrest", "a\n", true, 4);
    expect_unstuffed("a\n..b\n.\r\n", "a\n.b\n", true, 0);
}

static void
a_dot_and_something_else_loses_its_dot(void **state)
{
    (void)state;
    expect_unstuffed(".a\r\n.\r\n", "a\r\n", true, 0);
    expect_unstuffed(".\ra\r\n.\r\n", "\ra\r\n", true, 0);
}

/* Nothing comes of a piece of nothing, whatever octet stands before it; nothing behind the end. */
static void
nothing_is_read_where_there_is_nothing(void **state)
{
    struct pop3_unstuffer unstuffer;
    struct slice piece, input = SLICE("ab");

    (void)state;
    pop3_unstuffer_init(&unstuffer);
    while (input.len > 0)
        assert_true(pop3_unstuffer_take(&unstuffer, &input, &piece));
    input = slice_skip(SLICE("\n"), 1);
    assert_true(pop3_unstuffer_take(&unstuffer, &input, &piece));
    assert_int_equal(piece.len, 0);
    input = SLICE(".c");
    assert_true(pop3_unstuffer_take(&unstuffer, &input, &piece));
    assert_true(slice_equal(piece, SLICE(".c")));
    for (input = SLICE("\r\n.\r\n"); pop3_unstuffer_take(&unstuffer, &input, &piece);)
        assert_true(input.len > 0);
    for (int i = 0; i < 2; i++) {
        input = i == 0 ? SLICE("+OK") : SLICE("");
        assert_false(pop3_unstuffer_take(&unstuffer, &input, &piece));
        assert_int_equal(input.len, i == 0 ? 3 : 0);
        assert_int_equal(piece.len, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dot_is_put_before_each_line_that_begins_with_one),
        cmocka_unit_test(the_last_line_gets_its_end),
        cmocka_unit_test(top_ends_after_the_header_and_so_many_lines),
        cmocka_unit_test(what_was_put_on_comes_off),
        cmocka_unit_test(a_body_without_its_end_goes_on),
        cmocka_unit_test(a_bare_line_feed_ends_lines_too),
        cmocka_unit_test(a_dot_and_something_else_loses_its_dot),
        cmocka_unit_test(nothing_is_read_where_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
