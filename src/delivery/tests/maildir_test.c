/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/maildir.h"

static void
names_are_unique_and_safe(void **state)
{
    struct buffer name;

    (void)state;
    buffer_init(&name, 256);
    maildir_put_name(&name, (struct wall){1700000000123456789}, 0x1122, SLICE("a/b:c"), 42);
    assert_true(slice_equal(buffer_slice(&name),
                            SLICE("1700000000.M123456R2211000000000000.a\\057b\\072c,S=42")));
    assert_int_equal(maildir_name_time(buffer_slice(&name)).ns, 1700000000 * (int64_t)1000000000);
    assert_int_equal(maildir_name_time(SLICE("x.1")).ns, 0);
    buffer_finish(&name);
}

static void
flags_go_both_ways(void **state)
{
    struct buffer name;
    struct slice unique;
    unsigned flags;

    (void)state;
    buffer_init(&name, 256);
    for (unsigned all = 0; all < 64; all++) {
        buffer_clear(&name);
        buffer_put_text(&name, "1.x");
        maildir_put_flags(&name, all);
        maildir_parse_name(buffer_slice(&name), &unique, &flags);
        assert_int_equal(flags, all);
        assert_true(slice_equal(unique, SLICE("1.x")));
    }
    maildir_parse_name(SLICE("1.x"), &unique, &flags);
    assert_int_equal(flags, 0);
    assert_true(slice_equal(unique, SLICE("1.x")));
    maildir_parse_name(SLICE("1.x:2,SaT"), &unique, &flags);
    assert_int_equal(flags, MAILDIR_SEEN | MAILDIR_TRASHED);
    buffer_finish(&name);
}

static void
line_ends_go_both_ways(void **state)
{
    struct buffer file, back;
    struct slice message = SLICE("A: b\r\n\r\nc\r\nno end");

    (void)state;
    buffer_init(&file, 256);
    buffer_init(&back, 256);
    maildir_put_lf(&file, message);
    assert_true(slice_equal(buffer_slice(&file), SLICE("A: b\n\nc\nno end")));
    maildir_put_crlf(&back, buffer_slice(&file));
    assert_true(slice_equal(buffer_slice(&back), message));
    buffer_finish(&file);
    buffer_finish(&back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_safe),
        cmocka_unit_test(flags_go_both_ways),
        cmocka_unit_test(line_ends_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
