/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "role/auth/lockout.h"

static const struct lockout_who stranger = {
    {(const uint8_t *)"alice@a.test", 12}, {(const uint8_t *)"\xC0\x00\x02\x01", 4}, false};
static const struct lockout_who at_home = {
    {(const uint8_t *)"alice@a.test", 12}, {(const uint8_t *)"\xC0\x00\x02\x63", 4}, false};

static struct instant
at(int64_t seconds)
{
    return (struct instant){duration_s(seconds).ns};
}

static void
delays_grow_up_to_their_bound(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);
    int64_t last = 0;

    (void)state;
    for (unsigned i = 0; i < LOCKOUT_PATIENCE; i++) {
        int64_t delay = lockout_fail(lockouts, &stranger, at(0)).ns;
        assert_true(delay > last || delay == duration_ms(LOCKOUT_DELAY_MAX_MS).ns);
        last = delay;
    }
    assert_int_equal(last, duration_ms(LOCKOUT_DELAY_MAX_MS).ns);
    lockouts_close(&lockouts);
    assert_null(lockouts);
}

static void
a_pair_is_locked_past_the_patience_and_no_longer_than_the_bound(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);
    struct duration longest = {0};
    struct instant now = at(0);

    (void)state;
    for (unsigned i = 0; i < LOCKOUT_PATIENCE; i++)
        (void)lockout_fail(lockouts, &stranger, now);
    assert_false(lockout_is_locked(lockouts, &stranger, now));
    for (unsigned i = 0; i < 20; i++) {
        (void)lockout_fail(lockouts, &stranger, now);
        assert_true(lockout_is_locked(lockouts, &stranger, now));
        struct instant start = now;
        while (lockout_is_locked(lockouts, &stranger, now))
            now = instant_after(now, duration_s(1));
        longest = instant_since(now, start).ns > longest.ns ? instant_since(now, start) : longest;
    }
    assert_int_equal(longest.ns, duration_s(LOCKOUT_LOCK_MAX_S).ns);
    lockouts_close(&lockouts);
}

static void
a_stranger_locks_nobody_out_elsewhere(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        (void)lockout_fail(lockouts, &stranger, at(i));
    assert_true(lockout_is_locked(lockouts, &stranger, at(1000)));
    assert_false(lockout_is_locked(lockouts, &at_home, at(1000)));
    lockouts_close(&lockouts);
}

static void
who_has_succeeded_gets_more_patience(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);

    (void)state;
    assert_false(lockout_is_known(lockouts, &stranger));
    lockout_succeed(lockouts, &stranger, at(0));
    assert_true(lockout_is_known(lockouts, &stranger));
    for (unsigned i = 0; i < LOCKOUT_PATIENCE_KNOWN; i++)
        (void)lockout_fail(lockouts, &stranger, at(1));
    assert_false(lockout_is_locked(lockouts, &stranger, at(1)));
    (void)lockout_fail(lockouts, &stranger, at(1));
    assert_true(lockout_is_locked(lockouts, &stranger, at(1)));
    lockout_succeed(lockouts, &stranger, at(400));
    assert_int_equal(lockout_fail(lockouts, &stranger, at(400)).ns, duration_ms(250).ns);
    lockouts_close(&lockouts);
}

/* One address that tries many names. */
static void
spraying_locks_the_customer_for_those_it_does_not_know(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);
    struct lockout_who who = stranger, known = stranger;
    uint64_t number = 0;

    (void)state;
    known.name = SLICE("known@a.test");
    lockout_succeed(lockouts, &known, at(0));
    who.name = slice_of(&number, sizeof(number));
    for (number = 1; number <= LOCKOUT_PATIENCE_CUSTOMER; number++)
        (void)lockout_fail(lockouts, &who, at(0));
    assert_false(lockout_is_locked(lockouts, &who, at(0)));
    (void)lockout_fail(lockouts, &who, at(0));
    assert_true(lockout_is_locked(lockouts, &stranger, at(0)));
    assert_false(lockout_is_locked(lockouts, &known, at(0)));
    assert_false(lockout_is_locked(lockouts, &at_home, at(0)));
    who.is_trusted = true;
    assert_false(lockout_is_locked(lockouts, &who, at(0)));
    lockouts_close(&lockouts);
}

static void
an_hour_of_silence_forgives(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);

    (void)state;
    for (unsigned i = 0; i < LOCKOUT_PATIENCE; i++)
        (void)lockout_fail(lockouts, &stranger, at(0));
    assert_int_equal(lockout_fail(lockouts, &stranger, at(LOCKOUT_FORGET_S + 1)).ns,
                     duration_ms(250).ns);
    assert_false(lockout_is_locked(lockouts, &stranger, at(LOCKOUT_FORGET_S + 1)));
    lockouts_close(&lockouts);
}

static void
memory_is_bounded(void **state)
{
    struct lockouts *lockouts = lockouts_open(1);
    struct lockout_who who = stranger;
    uint64_t number;

    (void)state;
    who.is_trusted = true; /* one entry for each call */
    who.name = slice_of(&number, sizeof(number));
    for (number = 1; number <= LOCKOUT_ENTRIES_MAX; number++)
        (void)lockout_fail(lockouts, &who, at(0));
    assert_int_equal(lockouts_count(lockouts), LOCKOUT_ENTRIES_MAX);
    (void)lockout_fail(lockouts, &who, at(0));
    assert_int_equal(lockouts_count(lockouts), LOCKOUT_ENTRIES_MAX);
    lockouts_close(&lockouts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_grow_up_to_their_bound),
        cmocka_unit_test(a_pair_is_locked_past_the_patience_and_no_longer_than_the_bound),
        cmocka_unit_test(a_stranger_locks_nobody_out_elsewhere),
        cmocka_unit_test(who_has_succeeded_gets_more_patience),
        cmocka_unit_test(spraying_locks_the_customer_for_those_it_does_not_know),
        cmocka_unit_test(an_hour_of_silence_forgives),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
