/* SPDX-License-Identifier: ISC */
/* The numbered messages of a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/maildrop.h"
#include "pop3/server.h"

static void
numbers_begin_at_one_and_keep_their_message(void **state)
{
    struct pop3_maildrop maildrop = {0};

    (void)state;
    assert_false(pop3_maildrop_has(&maildrop, 0));
    assert_false(pop3_maildrop_has(&maildrop, 1));
    for (uint32_t i = 1; i <= 100; i++)
        assert_true(pop3_maildrop_add(&maildrop, i * 7, i * 1000));
    assert_false(pop3_maildrop_has(&maildrop, 0));
    assert_true(pop3_maildrop_has(&maildrop, 100));
    assert_false(pop3_maildrop_has(&maildrop, 101));
    pop3_maildrop_delete(&maildrop, 50);
    assert_int_equal(pop3_maildrop_uid(&maildrop, 51), 51 * 7);
    assert_int_equal(pop3_maildrop_bytes(&maildrop, 51), 51000);
    pop3_maildrop_finish(&maildrop);
    assert_int_equal(maildrop.count, 0);
}

static void
marks_are_counted_once_and_can_be_taken_away(void **state)
{
    struct pop3_maildrop maildrop = {0};

    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        assert_true(pop3_maildrop_add(&maildrop, i, 100 * i));
    pop3_maildrop_delete(&maildrop, 2);
    pop3_maildrop_delete(&maildrop, 2);
    assert_true(pop3_maildrop_is_deleted(&maildrop, 2));
    assert_false(pop3_maildrop_is_deleted(&maildrop, 1));
    assert_int_equal(maildrop.deleted_count, 1);
    assert_int_equal(maildrop.deleted_bytes, 200);
    assert_int_equal(maildrop.bytes, 600);
    assert_int_equal(pop3_maildrop_bytes(&maildrop, 2), 200);
    pop3_maildrop_reset(&maildrop);
    assert_false(pop3_maildrop_is_deleted(&maildrop, 2));
    assert_int_equal(maildrop.deleted_count, 0);
    assert_int_equal(maildrop.deleted_bytes, 0);
    pop3_maildrop_finish(&maildrop);
}

static void
a_length_never_reads_as_a_mark(void **state)
{
    struct pop3_maildrop maildrop = {0};

    (void)state;
    assert_true(pop3_maildrop_add(&maildrop, 1, UINT64_MAX));
    assert_false(pop3_maildrop_is_deleted(&maildrop, 1));
    assert_int_equal(pop3_maildrop_bytes(&maildrop, 1), INT64_MAX);
    pop3_maildrop_finish(&maildrop);
}

static void
it_holds_its_limit_and_not_one_more(void **state)
{
    struct pop3_maildrop maildrop = {0};

    (void)state;
    for (uint32_t i = 1; i <= POP3_MESSAGES_MAX; i++)
        assert_true(pop3_maildrop_add(&maildrop, i, 1));
    assert_false(pop3_maildrop_add(&maildrop, 1, 1));
    assert_int_equal(maildrop.count, POP3_MESSAGES_MAX);
    assert_int_equal(maildrop.bytes, POP3_MESSAGES_MAX);
    pop3_maildrop_finish(&maildrop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_begin_at_one_and_keep_their_message),
        cmocka_unit_test(marks_are_counted_once_and_can_be_taken_away),
        cmocka_unit_test(a_length_never_reads_as_a_mark),
        cmocka_unit_test(it_holds_its_limit_and_not_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
