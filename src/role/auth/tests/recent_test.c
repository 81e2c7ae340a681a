/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "role/auth/recent.h"

static const uint8_t key[RECENT_KEY_LEN] = {1, 2, 3};

static struct instant
at(int64_t seconds)
{
    return (struct instant){duration_s(seconds).ns};
}

static void
only_what_was_proven_is_known(void **state)
{
    struct recents *recents = recents_open(slice_of(key, sizeof(key)));

    (void)state;
    assert_false(recent_has(recents, 7, SLICE("$y$hash"), SLICE("pencil"), at(0)));
    recent_add(recents, 7, SLICE("$y$hash"), SLICE("pencil"), at(0));
    assert_true(recent_has(recents, 7, SLICE("$y$hash"), SLICE("pencil"), at(0)));
    assert_false(recent_has(recents, 7, SLICE("$y$hash"), SLICE("Pencil"), at(0)));
    assert_false(recent_has(recents, 7, SLICE("$y$hashp"), SLICE("encil"), at(0)));
    assert_false(recent_has(recents, 7, SLICE("$y$other"), SLICE("pencil"), at(0)));
    assert_false(recent_has(recents, 8, SLICE("$y$hash"), SLICE("pencil"), at(0)));
    recents_close(&recents);
    assert_null(recents);
}

static void
it_is_forgotten_in_time_and_when_another_takes_its_place(void **state)
{
    struct recents *recents = recents_open(slice_of(key, sizeof(key)));

    (void)state;
    recent_add(recents, 7, SLICE("h"), SLICE("p"), at(0));
    assert_true(recent_has(recents, 7, SLICE("h"), SLICE("p"), at(RECENT_SECONDS - 1)));
    assert_false(recent_has(recents, 7, SLICE("h"), SLICE("p"), at(RECENT_SECONDS)));
    recent_add(recents, 7, SLICE("h"), SLICE("p"), at(0));
    recent_add(recents, 7 + RECENT_ENTRIES_MAX, SLICE("h"), SLICE("p"), at(0));
    assert_false(recent_has(recents, 7, SLICE("h"), SLICE("p"), at(1)));
    recents_close(&recents);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_proven_is_known),
        cmocka_unit_test(it_is_forgotten_in_time_and_when_another_takes_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
