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
    struct slice file = SLICE("# ours are these\n"
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

static bool
is_taken(size_t user_len, size_t secret_len)
{
    static uint8_t line[2 * ROUTING_SECRET_MAX];
    struct routing_credentials found;

    memset(line, 'x', sizeof(line));
    memcpy(line, "home ", 5);
    line[5 + user_len] = ' ';
    return routing_credentials_find(slice_of(line, 5 + user_len + 1 + secret_len), SLICE("home"),
                                    &found) &&
           found.user.len == user_len && found.secret.len == secret_len;
}

static void
names_and_secrets_have_limits(void **state)
{
    (void)state;
    assert_true(is_taken(ROUTING_USER_MAX, ROUTING_SECRET_MAX));
    assert_false(is_taken(ROUTING_USER_MAX + 1, 1));
    assert_false(is_taken(1, ROUTING_SECRET_MAX + 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_line_of_a_name_counts),
                                       cmocka_unit_test(names_and_secrets_have_limits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
