/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dkim/canon.h"

static void
put(void *context, struct slice octets)
{
    buffer_put(context, octets);
}

/* Whole, in single octets, and cut in two at every place. */
static void
expect_body(enum dkim_canon canon, struct slice body, struct slice wanted)
{
    struct dkim_body state;
    struct buffer out;

    buffer_init(&out, 4096);
    for (size_t cut = 0; cut <= body.len + 1; cut++) {
        bool is_single = cut > body.len;
        buffer_clear(&out);
        dkim_body_begin(&state, canon, put, &out);
        for (size_t i = 0; is_single && i < body.len; i++)
            dkim_body_take(&state, slice_between(body, i, i + 1));
        if (!is_single) {
            dkim_body_take(&state, slice_first(body, cut));
            dkim_body_take(&state, slice_skip(body, cut));
        }
        dkim_body_end(&state);
        assert_int_equal(buffer_len(&out), wanted.len);
        assert_memory_equal(buffer_slice(&out).at, wanted.at, wanted.len);
    }
    buffer_finish(&out);
}

static void
bodies_are_as_the_rfc_has_them(void **state)
{
    struct slice example = SLICE(" C \r\nD \t E\r\n\r\n\r\n"); /* RFC 6376 §3.4.5 */

    (void)state;
    expect_body(DKIM_RELAXED, example, SLICE(" C\r\nD E\r\n"));
    expect_body(DKIM_SIMPLE, example, SLICE(" C \r\nD \t E\r\n"));
    expect_body(DKIM_RELAXED, SLICE(""), SLICE(""));
    expect_body(DKIM_SIMPLE, SLICE(""), SLICE("\r\n"));
    expect_body(DKIM_RELAXED, SLICE("\r\n \r\n\t\r\n"), SLICE(""));
    expect_body(DKIM_SIMPLE, SLICE("\r\n\r\n"), SLICE("\r\n"));
    expect_body(DKIM_SIMPLE, SLICE(" \r\n"), SLICE(" \r\n"));
    expect_body(DKIM_RELAXED, SLICE("no end"), SLICE("no end\r\n"));
    expect_body(DKIM_RELAXED, SLICE("end of blanks \t"), SLICE("end of blanks\r\n"));
    expect_body(DKIM_SIMPLE, SLICE("no end"), SLICE("no end\r\n"));
}

static void
line_ends_of_their_own_are_octets(void **state)
{
    (void)state;
    expect_body(DKIM_RELAXED, SLICE("a\rb\nc \r d\r"), SLICE("a\rb\nc \r d\r\r\n"));
    expect_body(DKIM_SIMPLE, SLICE("a\r\r\n\r\n\r"), SLICE("a\r\r\n\r\n\r\r\n"));
    expect_body(DKIM_RELAXED, SLICE("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nx"),
                SLICE("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nx\r\n"));
}

static void
expect_field(enum dkim_canon canon, const char *field, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 4096);
    dkim_canon_field(canon, slice_of_string(field), &out);
    buffer_put_byte(&out, 0);
    assert_string_equal((const char *)buffer_slice(&out).at, wanted);
    buffer_finish(&out);
}

static void
fields_are_as_the_rfc_has_them(void **state)
{
    (void)state;
    expect_field(DKIM_RELAXED, "A: X\r\n", "a:X\r\n");
    expect_field(DKIM_RELAXED, "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n");
    expect_field(DKIM_SIMPLE, "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n");
    expect_field(DKIM_RELAXED, "Empty:\r\n", "empty:\r\n");
    expect_field(DKIM_RELAXED, "No-End:  a", "no-end:a\r\n");
}

/* A field that ends with CR alone, before memory that is none of it. */
static void
nothing_behind_a_field_belongs_to_it(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    dkim_canon_field(DKIM_RELAXED, slice_first(SLICE("A: b\r\n"), 5), &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("a:b\r\r\n")));
    buffer_finish(&out);
}

static void
a_header_is_cut_into_fields(void **state)
{
    struct cursor header = cursor_of(SLICE("A: 1\r\n 2\r\nb:3\r\n\t\r\nC: 4\r\n\r\nbody: 1\r\n"));
    struct slice field;

    (void)state;
    assert_true(dkim_take_field(&header, &field));
    assert_true(slice_equal(field, SLICE("A: 1\r\n 2\r\n")));
    assert_true(slice_equal(dkim_field_name(field), SLICE("A")));
    assert_true(dkim_take_field(&header, &field));
    assert_true(slice_equal(field, SLICE("b:3\r\n\t\r\n")));
    assert_true(dkim_take_field(&header, &field));
    assert_true(slice_equal(dkim_field_value(field), SLICE(" 4\r\n")));
    assert_false(dkim_take_field(&header, &field));
    header = cursor_of(SLICE("X: last"));
    assert_true(dkim_take_field(&header, &field));
    assert_true(slice_equal(field, SLICE("X: last")));
    assert_false(dkim_take_field(&header, &field));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_as_the_rfc_has_them),
        cmocka_unit_test(line_ends_of_their_own_are_octets),
        cmocka_unit_test(fields_are_as_the_rfc_has_them),
        cmocka_unit_test(nothing_behind_a_field_belongs_to_it),
        cmocka_unit_test(a_header_is_cut_into_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
