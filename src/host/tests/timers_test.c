/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/timers.h"

#include <stdlib.h>

static void
do_nothing(void *context)
{
    (void)context;
}

enum { TIMERS = 500 };

/* Against the plain way: a list that is searched. */
static void
timers_come_in_order_of_time_then_of_setting(void **state)
{
    struct timers timers;
    struct host_timer *all[TIMERS];
    uint64_t random = 88172645463325252U;

    (void)state;
    timers_init(&timers);
    for (size_t i = 0; i < TIMERS; i++)
        all[i] = timers_open(&timers, do_nothing, NULL);
    for (int step = 0; step < 20000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        struct host_timer *timer = all[random % TIMERS];
        if (random >> 60 == 0)
            host_timer_set(timer, INSTANT_NEVER);
        else
            host_timer_set(timer, (struct instant){(int64_t)(random >> 32 & 0xFF)});
        if (step % 7)
            continue;
        const struct host_timer *expected = NULL;
        for (size_t i = 0; i < TIMERS; i++)
            if (!instant_is_never(all[i]->when) &&
                (!expected || all[i]->when.ns < expected->when.ns ||
                 (all[i]->when.ns == expected->when.ns && all[i]->sequence < expected->sequence)))
                expected = all[i];
        if (!expected) {
            assert_true(instant_is_never(timers_next(&timers)));
            continue;
        }
        assert_int_equal(timers_next(&timers).ns, expected->when.ns);
        assert_null(timers_take_due(&timers, (struct instant){expected->when.ns - 1}));
        assert_ptr_equal(timers_take_due(&timers, expected->when), expected);
    }
    for (size_t i = 0; i < TIMERS; i++)
        host_timer_close(&all[i]);
    assert_int_equal(timers.count, 0);
    timers_finish(&timers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_in_order_of_time_then_of_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
