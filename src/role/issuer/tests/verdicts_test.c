/* SPDX-License-Identifier: ISC */
#include "role/issuer/verdicts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t key[VERDICTS_KEY_LEN] = {1};

static struct instant
at(int64_t seconds)
{
    return instant_after((struct instant){0}, duration_s(seconds));
}

static void
add(struct verdicts *verdicts, unsigned number, enum token_result result, int64_t until_s)
{
    uint8_t mark[VERDICTS_MARK_LEN];
    struct verdict verdict = {.result = result, .name = SLICE("ann@example.test")};

    verdicts_mark(verdicts, slice_of(&number, sizeof(number)), mark);
    verdicts_add(verdicts, mark, &verdict, at(until_s));
}

static bool
find(struct verdicts *verdicts, unsigned number, int64_t now_s, struct verdict *ret_verdict)
{
    uint8_t mark[VERDICTS_MARK_LEN];

    verdicts_mark(verdicts, slice_of(&number, sizeof(number)), mark);
    return verdicts_find(verdicts, mark, at(now_s), ret_verdict);
}

static void
a_verdict_counts_until_its_time_is_over(void **state)
{
    struct verdicts *verdicts = verdicts_open(slice_of(key, sizeof(key)));
    struct verdict verdict;

    (void)state;
    assert_false(find(verdicts, 1, 0, &verdict));
    add(verdicts, 1, TOKEN_OK, 10);
    add(verdicts, 2, TOKEN_INACTIVE, 20);
    assert_true(find(verdicts, 1, 9, &verdict));
    assert_int_equal(verdict.result, TOKEN_OK);
    assert_true(slice_equal(verdict.name, SLICE("ann@example.test")));
    assert_false(find(verdicts, 1, 10, &verdict));
    assert_int_equal(verdicts_count(verdicts), 1);
    assert_true(find(verdicts, 2, 10, &verdict));
    assert_int_equal(verdict.result, TOKEN_INACTIVE);
    add(verdicts, 2, TOKEN_OK, 30); /* once more: the newer one */
    assert_int_equal(verdicts_count(verdicts), 1);
    assert_true(find(verdicts, 2, 29, &verdict));
    assert_int_equal(verdict.result, TOKEN_OK);
    verdicts_clear(verdicts);
    assert_false(find(verdicts, 2, 29, &verdict));
    verdicts_close(&verdicts);
    assert_null(verdicts);
}

static void
the_oldest_goes_when_there_are_too_many(void **state)
{
    struct verdicts *verdicts = verdicts_open(slice_of(key, sizeof(key)));
    struct verdict verdict;

    (void)state;
    for (unsigned i = 0; i < VERDICTS_MAX; i++)
        add(verdicts, i, TOKEN_OK, 10);
    assert_int_equal(verdicts_count(verdicts), VERDICTS_MAX);
    assert_true(find(verdicts, 0, 0, &verdict));
    add(verdicts, VERDICTS_MAX, TOKEN_OK, 10);
    assert_int_equal(verdicts_count(verdicts), VERDICTS_MAX);
    assert_false(find(verdicts, 0, 0, &verdict));
    assert_true(find(verdicts, 1, 0, &verdict));
    assert_true(find(verdicts, VERDICTS_MAX, 0, &verdict));
    verdicts_close(&verdicts);
}

static void
marks_depend_on_the_key(void **state)
{
    static const uint8_t other_key[VERDICTS_KEY_LEN] = {2};
    struct verdicts *left = verdicts_open(slice_of(key, sizeof(key)));
    struct verdicts *right = verdicts_open(slice_of(other_key, sizeof(other_key)));
    uint8_t of_left[VERDICTS_MARK_LEN], of_right[VERDICTS_MARK_LEN];

    (void)state;
    verdicts_mark(left, SLICE("token"), of_left);
    verdicts_mark(right, SLICE("token"), of_right);
    assert_memory_not_equal(of_left, of_right, sizeof(of_left));
    verdicts_close(&left);
    verdicts_close(&right);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_counts_until_its_time_is_over),
        cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
        cmocka_unit_test(marks_depend_on_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
