/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue/flow.h"

#define HOURS_4 duration_s(4 * 3600)

static struct instant
at_s(int64_t seconds)
{
    return (struct instant){seconds * 1000000000};
}

static unsigned
start_all(struct flow *flow, struct instant now)
{
    unsigned count = 0;

    for (; flow_may_start(flow, now); count++)
        flow_started(flow, now);
    return count;
}

static void
the_window_widens_with_success_and_narrows_with_refusals(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, HOURS_4);
    assert_int_equal(start_all(&flow, at_s(1)), 5);
    assert_true(instant_is_never(flow_next(&flow, at_s(1))));
    for (int i = 0; i < 1000; i++) {
        flow_ended(&flow, at_s(1), FLOW_REACHED);
        flow_started(&flow, at_s(1));
    }
    start_all(&flow, at_s(1));
    assert_int_equal(flow.in_flight, FLOW_WINDOW_MAX);
    while (flow.in_flight > 0)
        flow_ended(&flow, at_s(1), FLOW_REFUSED);
    assert_int_equal(start_all(&flow, at_s(1)), 1);
    flow_ended(&flow, at_s(2), FLOW_REFUSED);
    assert_true(flow_may_start(&flow, at_s(2)));
    assert_true(flow_is_idle(&flow, at_s(2)));
}

static void
a_willing_destination_gets_more_soon_and_one_that_has_refused_slowly(void **state)
{
    struct flow flow;
    unsigned ended = 0;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, HOURS_4);
    for (; start_all(&flow, at_s(1)), flow.in_flight < FLOW_WINDOW_MAX; ended++)
        flow_ended(&flow, at_s(1), FLOW_REACHED);
    assert_int_equal(ended, FLOW_WINDOW_MAX - FLOW_WINDOW_FIRST);
    while (flow.in_flight > 0)
        flow_ended(&flow, at_s(1), FLOW_REFUSED);
    for (ended = 0; start_all(&flow, at_s(1)), flow.in_flight < FLOW_WINDOW_MAX; ended++)
        flow_ended(&flow, at_s(1), FLOW_REACHED);
    assert_true(ended > 100); /* 1 + 2 + … + 19, and a little for what is rounded */
}

static void
a_destination_that_is_silent_is_left_alone_then_asked_once(void **state)
{
    struct flow flow;
    int64_t now = 10, longest = 0;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, HOURS_4);
    flow_started(&flow, at_s(now));
    flow_ended(&flow, at_s(now), FLOW_UNREACHABLE);
    assert_false(flow_is_shut(&flow, at_s(now)));
    for (int i = 0; i < 20; i++) {
        unsigned started = start_all(&flow, at_s(now));
        assert_int_equal(started, i == 0 ? 2 : 1);
        while (flow.in_flight > 0)
            flow_ended(&flow, at_s(now), FLOW_UNREACHABLE);
        assert_true(flow_is_shut(&flow, at_s(now)));
        assert_false(flow_is_idle(&flow, at_s(now)));
        int64_t next = flow_next(&flow, at_s(now)).ns / 1000000000;
        longest = next - now > longest ? next - now : longest;
        assert_true(next > now && next - now <= FLOW_PAUSE_MAX_S);
        now = next;
    }
    assert_int_equal(longest, FLOW_PAUSE_MAX_S);
    flow_started(&flow, at_s(now));
    flow_ended(&flow, at_s(now), FLOW_REACHED);
    assert_true(flow_may_start(&flow, at_s(now)) && flow_is_idle(&flow, at_s(now)));
}

static void
failures_of_one_moment_count_once(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, HOURS_4);
    assert_int_equal(start_all(&flow, at_s(5)), FLOW_WINDOW_FIRST);
    while (flow.in_flight > 0)
        flow_ended(&flow, at_s(6), FLOW_UNREACHABLE);
    assert_int_equal(flow_next(&flow, at_s(6)).ns, at_s(6 + FLOW_PAUSE_FIRST_S).ns);
    flow_open(&flow);
    assert_false(flow_is_shut(&flow, at_s(6)));
    assert_int_equal(start_all(&flow, at_s(6)), 1);
}

static void
no_pause_is_longer_than_the_time_between_two_attempts(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, duration_s(2));
    for (unsigned i = 0; i < 20; i++) {
        flow_open(&flow);
        flow_started(&flow, at_s(i));
        flow_ended(&flow, at_s(i), FLOW_UNREACHABLE);
        assert_int_equal(flow_is_shut(&flow, at_s(i)), i + 1 >= FLOW_SHUT_AFTER);
        assert_false(flow_is_shut(&flow, at_s(i + 2)));
    }
    /* And so it is when that time is made longer, and shorter again. */
    flow_bound(&flow, duration_s(3600));
    flow_open(&flow);
    flow_started(&flow, at_s(100));
    flow_ended(&flow, at_s(100), FLOW_UNREACHABLE);
    assert_true(flow_is_shut(&flow, at_s(110)));
    flow_open(&flow);
    flow_bound(&flow, duration_s(2));
    flow_started(&flow, at_s(200));
    flow_ended(&flow, at_s(200), FLOW_UNREACHABLE);
    assert_false(flow_is_shut(&flow, at_s(202)));
}

static void
what_failed_long_ago_is_forgotten(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, HOURS_4);
    for (unsigned i = 0; i < FLOW_SHUT_AFTER; i++) {
        flow_started(&flow, at_s(1));
        flow_ended(&flow, at_s(1), FLOW_UNREACHABLE);
    }
    assert_false(flow_is_idle(&flow, at_s(FLOW_PAUSE_MAX_S)));
    assert_true(flow_is_idle(&flow, at_s(2 + FLOW_PAUSE_FIRST_S + FLOW_PAUSE_MAX_S)));
}

static void
a_rate_keeps_starts_apart(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 30, HOURS_4);
    flow_started(&flow, at_s(1));
    assert_false(flow_may_start(&flow, at_s(2)));
    assert_int_equal(flow_next(&flow, at_s(2)).ns, at_s(3).ns);
    assert_true(flow_may_start(&flow, at_s(3)));
    flow_ended(&flow, at_s(3), FLOW_UNKNOWN);
    assert_int_equal(flow.in_flight, 0);
}

static void
a_wide_window_too_is_asked_with_one_after_a_pause(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_MAX, 0, HOURS_4);
    flow_started(&flow, at_s(1));
    flow_ended(&flow, at_s(1), FLOW_UNREACHABLE);
    assert_int_equal(start_all(&flow, at_s(2)), FLOW_WINDOW_MAX / 2);
    flow_ended(&flow, at_s(2), FLOW_UNREACHABLE);
    while (flow.in_flight > 0)
        flow_ended(&flow, at_s(2), FLOW_UNKNOWN);
    assert_int_equal(start_all(&flow, at_s(2)), 0);
    assert_int_equal(start_all(&flow, at_s(2 + FLOW_PAUSE_FIRST_S)), 1);
}

static void
one_that_was_silent_gets_more_slowly(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, FLOW_WINDOW_FIRST, 0, HOURS_4);
    flow_started(&flow, at_s(1));
    flow_ended(&flow, at_s(1), FLOW_UNREACHABLE);
    flow_started(&flow, at_s(1));
    flow_ended(&flow, at_s(1), FLOW_REACHED);
    assert_int_equal(start_all(&flow, at_s(1)), 2);
}

static void
there_is_a_window_even_where_none_is_allowed(void **state)
{
    struct flow flow;

    (void)state;
    flow_init(&flow, 0, 0, HOURS_4);
    assert_int_equal(start_all(&flow, at_s(1)), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_wide_window_too_is_asked_with_one_after_a_pause),
    cmocka_unit_test(one_that_was_silent_gets_more_slowly),
    cmocka_unit_test(there_is_a_window_even_where_none_is_allowed),
    cmocka_unit_test(the_window_widens_with_success_and_narrows_with_refusals),
    cmocka_unit_test(a_willing_destination_gets_more_soon_and_one_that_has_refused_slowly),
    cmocka_unit_test(a_destination_that_is_silent_is_left_alone_then_asked_once),
    cmocka_unit_test(failures_of_one_moment_count_once),
    cmocka_unit_test(no_pause_is_longer_than_the_time_between_two_attempts),
    cmocka_unit_test(what_failed_long_ago_is_forgotten),
    cmocka_unit_test(a_rate_keeps_starts_apart),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
