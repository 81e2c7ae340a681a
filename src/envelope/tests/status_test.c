/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "envelope/status.h"

static void
codes_are_read_and_written(void **state)
{
    static const char *const good[] = {"2.0.0", "4.7.1", "5.1.1", "5.7.999", "2.999.0"};
    static const char *const bad[] = {"",      "5",      "5.",      "5.1",      "5.1.",
                                      "3.1.1", "5.01.1", "5.1.x",   "5.1000.1", "1.1.1",
                                      ".1.1",  "5..1",   "5.1.1000"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct cursor cursor = cursor_of(slice_of_string(good[i]));
        struct envelope_status status;
        struct buffer text;
        buffer_init(&text, 20);
        assert_true(envelope_status_take(&cursor, &status));
        assert_true(cursor_is_done(&cursor) && envelope_status_is_given(status));
        envelope_status_put(&text, status);
        assert_true(slice_equal(buffer_slice(&text), slice_of_string(good[i])));
        buffer_finish(&text);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct slice text = slice_of_string(bad[i]);
        struct cursor cursor = cursor_of(text);
        struct envelope_status status;
        assert_false(envelope_status_take(&cursor, &status));
        assert_ptr_equal(cursor.at, text.at);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(codes_are_read_and_written),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
