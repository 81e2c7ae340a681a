/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/credentials.h"

static void
the_last_line_of_a_name_counts(void **state)
{
    struct slice file = SLICE("# ours\n"
                              "home alice old\n"
                              "  home \talice@isp.test  a secret with blanks \r\n"
                              "broken\n"
                              "short user\n"
                              "last u s");
    struct routing_credentials found;

    (void)state;
    assert_true(routing_credentials_find(file, SLICE("home"), &found));
    assert_true(slice_equal(found.user, SLICE("alice@isp.test")));
    assert_true(slice_equal(found.secret, SLICE("a secret with blanks")));
    assert_true(routing_credentials_find(file, SLICE("last"), &found));
    assert_true(slice_equal(found.secret, SLICE("s")));
    assert_false(routing_credentials_find(file, SLICE("broken"), &found));
    assert_false(routing_credentials_find(file, SLICE("short"), &found));
    assert_false(routing_credentials_find(file, SLICE("#"), &found));
    assert_false(routing_credentials_find(SLICE(""), SLICE("home"), &found));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_line_of_a_name_counts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
