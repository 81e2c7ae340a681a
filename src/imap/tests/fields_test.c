/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/binary.h"

static struct buffer out;

static void
pick(struct slice header, size_t piece, const char *name, bool is_not)
{
    struct slice names[] = {SLICE("nothing of it"), slice_of_string(name)};
    struct imap_fields fields;

    imap_fields_begin(&fields, names, COUNT_OF(names), is_not);
    for (size_t at = 0; at < header.len; at += piece)
        imap_fields_feed(&fields, slice_first(slice_skip(header, at), piece), &out);
    imap_fields_finish(&fields, &out);
}

static void
expect(const char *header, const char *name, const char *named, const char *others)
{
    struct slice text = slice_of_string(header);

    for (size_t piece = 1; piece <= text.len; piece++) {
        buffer_clear(&out);
        pick(text, piece, name, false);
        assert_true(slice_equal(buffer_slice(&out), slice_of_string(named)));
        buffer_clear(&out);
        pick(text, piece, name, true);
        assert_true(slice_equal(buffer_slice(&out), slice_of_string(others)));
    }
}

static void
fields_are_picked_from_pieces_of_any_size(void **state)
{
    (void)state;
    expect("A: 1\r\nB: 2\r\n more\r\nC: 3\r\n\r\nB: body\r\n", "b", "B: 2\r\n more\r\n\r\n",
           "A: 1\r\nC: 3\r\n\r\n");
    expect("b : 1\nBB: 2\n\t b: x\nB:\n\n", "B", "b : 1\nB:\n\r\n", "BB: 2\n\t b: x\n\r\n");
    expect("B: no end", "b", "B: no end\r\n", "\r\n");
    expect("B", "b", "B\r\n", "\r\n");
    expect(" B: a fold of nothing\r\nB: 1\r\n", "B", "B: 1\r\n\r\n", "\r\n");
    expect("junk\r\nB: 1\r\n\r\n", "B", "B: 1\r\n\r\n", "junk\r\n\r\n");
    expect("\r\nB: 1\r\n", "B", "\r\n", "\r\n");
}

static void
a_name_is_looked_for_as_far_as_a_line_may_go(void **state)
{
    static uint8_t text[IMAP_FIELDS_HELD_MAX + 1];
    struct imap_fields fields;

    (void)state;
    memset(text, 'B', sizeof(text));
    for (size_t len = IMAP_FIELDS_HELD_MAX - 1; len <= IMAP_FIELDS_HELD_MAX + 1; len++) {
        struct slice name = slice_of(text, len);
        bool is_found = len <= IMAP_FIELDS_HELD_MAX;
        buffer_clear(&out);
        imap_fields_begin(&fields, &name, 1, false);
        imap_fields_feed(&fields, name, &out);
        imap_fields_feed(&fields, SLICE(": 1\r\n"), &out);
        imap_fields_finish(&fields, &out);
        assert_int_equal(buffer_len(&out), is_found ? len + 7 : 2);
    }
}

static void
what_is_made_of_a_header_is_counted_and_cut_as_a_part_is(void **state)
{
    struct slice name = SLICE("b"), header = SLICE("A: 1\r\nB: 2\r\nC: 3\r\nB: 4\r\n\r\n");
    struct imap_binary binary;

    (void)state;
    imap_binary_begin(&binary, MIME_ENCODING_BINARY, 0, 0, NULL);
    imap_binary_pick(&binary, &name, 1, false);
    imap_binary_feed(&binary, header);
    imap_binary_finish(&binary);
    assert_int_equal(binary.made, 14);
    buffer_clear(&out);
    imap_binary_begin(&binary, MIME_ENCODING_BINARY, 3, 11, &out);
    imap_binary_pick(&binary, &name, 1, false);
    imap_binary_feed(&binary, slice_first(header, 8));
    imap_binary_feed(&binary, slice_skip(header, 8));
    imap_binary_finish(&binary);
    assert_true(slice_equal(buffer_slice(&out), SLICE("2\r\nB: 4\r")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_picked_from_pieces_of_any_size),
        cmocka_unit_test(a_name_is_looked_for_as_far_as_a_line_may_go),
        cmocka_unit_test(what_is_made_of_a_header_is_counted_and_cut_as_a_part_is),
    };

    buffer_init(&out, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_finish(&out);
    return failed;
}
