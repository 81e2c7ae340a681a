/* SPDX-License-Identifier: ISC */
#include "message/fold.h"
#include "message/field.h"
#include "message/unstructured.h"
#include "text/tests/check.h"

static void
fields_are_written_within_78_columns(void **state)
{
    static const struct {
        const char *name, *body, *written;
    } cases[] = {
        {"Subject", "Hello", "Subject: Hello\r\n"},
        {"Subject", "", "Subject:\r\n"},
        {"Subject", "  two  blanks  ", "Subject: two  blanks\r\n"},
        {"Subject",
         "This is a subject that is much too long for one line and has to be folded here",
         "Subject: This is a subject that is much too long for one line and has to be\r\n"
         " folded here\r\n"},
        /* exactly 78, and one more */
        {"X", "345678901234567890123456789012345678 01234567890123456789012345678901234567",
         "X: 345678901234567890123456789012345678 01234567890123456789012345678901234567\r\n"},
        {"X", "345678901234567890123456789012345678 012345678901234567890123456789012345678",
         "X: 345678901234567890123456789012345678\r\n 012345678901234567890123456789012345678\r\n"},
        {"Message-ID",
         "<a-message-id-that-is-as-long-as-some-mailers-make-them-but-is-legal@example>",
         "Message-ID:\r\n "
         "<a-message-id-that-is-as-long-as-some-mailers-make-them-but-is-legal@example>\r\n"},
        /* no header can be smuggled in */
        {"Subject", "a\r\nBcc: evil@x", "Subject: a Bcc: evil@x\r\n"},
        {"Subject", "a\n\n\r\nb", "Subject: a b\r\n"},
        {"Subject", "a\r\n b", "Subject: a  b\r\n"},
        {"Subject", "\r\nBcc: evil@x\r\n\r\n", "Subject: Bcc: evil@x\r\n"},
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&out);
        fold_put_field(&out, slice_of_string(cases[i].name), slice_of_string(cases[i].body));
        assert_slice(buffer_slice(&out), slice_of_string(cases[i].written));
    }
    buffer_finish(&out);
}

/* Words of all lengths: every line is short enough, none is blank, and unfolding gives all back. */
static void
unfolding_gives_the_body_back(void **state)
{
    struct buffer body, out;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1000000);
    buffer_init(&body, 10000);
    buffer_init(&out, 20000);
    for (unsigned seed = 1; seed < 300; seed++) {
        struct field_reader reader;
        struct field field;
        buffer_clear(&body);
        buffer_clear(&out);
        for (unsigned word = 0; word < 30; word++) {
            buffer_put(&body, slice_first(SLICE("     "), word * seed % 5 + 1));
            buffer_put_padded(&body, seed, seed * (word + 3) % 30 + 1);
        }
        fold_put_field(&out, SLICE("Subject"), buffer_slice(&body));
        field_reader_init(&reader, buffer_slice(&out));
        assert_true(field_next(&reader, &field));
        assert_int_equal(field.raw.len, buffer_len(&out));
        assert_int_equal(field.defects, 0);
        assert_slice(unstructured_unfold(&arena, field.body), slice_trim(buffer_slice(&body)));
        for (struct slice rest = field.raw; rest.len;) {
            size_t len = slice_find(rest, SLICE("\r\n"));
            assert_true(len <= FOLD_COLUMN_MAX);
            rest = slice_skip(rest, len + 2);
        }
    }
    buffer_finish(&body);
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
unfolding_takes_out_line_ends_alone(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1000);
    assert_slice(unstructured_unfold(&arena, SLICE(" plain ")), SLICE("plain"));
    assert_slice(unstructured_unfold(&arena, SLICE("a\r\n b\n\tc\r\n  \r\n d")),
                 SLICE("a b\tc   d"));
    assert_slice(unstructured_unfold(&arena, SLICE("a\0b\rc")), SLICE("abc"));
    assert_slice(unstructured_unfold(&arena, SLICE("")), SLICE(""));
    assert_slice(unstructured_unfold(&arena, SLICE("\0\0")), SLICE(""));
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_written_within_78_columns),
        cmocka_unit_test(unfolding_gives_the_body_back),
        cmocka_unit_test(unfolding_takes_out_line_ends_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
