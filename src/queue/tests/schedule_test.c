/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue/schedule.h"

#define MINUTE INT64_C(60000000000)

static const struct queue_policy policy = {
    .lifetime = {5 * 24 * 60 * MINUTE},
    .report_lifetime = {24 * 60 * MINUTE},
    .notice = {4 * 60 * MINUTE},
    .notice_again = {24 * 60 * MINUTE},
    .interval_max = {4 * 60 * MINUTE},
};

static void
intervals_double_up_to_their_bound_and_move_by_a_tenth(void **state)
{
    static const int64_t minutes[] = {2, 5, 10, 20, 40, 60, 120, 240, 240, 240};

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(minutes); i++) {
        int64_t least = INT64_MAX, most = 0;
        for (uint32_t random = 0; random < 100000; random += 7) {
            int64_t ns = queue_interval(&policy, i + 1, random).ns;
            least = ns < least ? ns : least;
            most = ns > most ? ns : most;
        }
        assert_true(least >= minutes[i] * MINUTE * 9 / 10 && least < minutes[i] * MINUTE);
        assert_true(most <= minutes[i] * MINUTE * 11 / 10 && most > minutes[i] * MINUTE);
    }
    struct queue_policy patient = policy;
    patient.interval_max.ns = 24 * 60 * MINUTE;
    assert_true(queue_interval(&patient, 10, 0).ns > 14 * 60 * MINUTE);
    assert_true(queue_interval(&patient, UINT32_MAX, 0).ns < 24 * 60 * MINUTE);
}

/* Fails every time until it is given up; returns how often it was tried, and what was told. */
static unsigned
fail_until_the_end(const struct queue_message *message, unsigned *ret_told, int64_t *ret_age)
{
    struct queue_recipient recipient = {.ends = queue_end(&policy, message)};
    struct wall now = message->arrival;
    unsigned tries = 0;

    *ret_told = 0;
    for (;;) {
        struct queue_attempt attempt = {.at = now};
        queue_recipient_tried(&recipient, &attempt);
        tries++;
        enum queue_step step = queue_defer(&policy, message, &recipient, now, tries * 7919);
        *ret_age = now.ns - message->arrival.ns;
        if (step == QUEUE_STEP_EXPIRE)
            return tries;
        *ret_told += step == QUEUE_STEP_TELL;
        assert_true(recipient.due.ns > now.ns);
        now = recipient.due;
    }
}

static void
patience_ends_after_five_days_with_two_notices(void **state)
{
    struct queue_message message = {.arrival = {1763700000 * INT64_C(1000000000)}};
    unsigned told;
    int64_t age;
    unsigned tries = fail_until_the_end(&message, &told, &age);

    (void)state;
    assert_int_equal(told, 2);
    assert_true(age >= policy.lifetime.ns && age < policy.lifetime.ns + 2 * MINUTE);
    assert_true(tries > 30 && tries < 45);
    message.flags = QUEUE_REPORT;
    tries = fail_until_the_end(&message, &told, &age);
    assert_true(age >= policy.report_lifetime.ns && age < policy.report_lifetime.ns + 2 * MINUTE);
}

static void
deliver_by_shortens_patience_or_asks_for_a_notice(void **state)
{
    struct queue_message message = {.arrival = {1000 * MINUTE}};
    unsigned told;
    int64_t age;

    (void)state;
    message.deliver_by.ns = message.arrival.ns + 10 * MINUTE;
    message.flags = QUEUE_DELIVER_BY | QUEUE_BY_RETURNS;
    fail_until_the_end(&message, &told, &age);
    assert_int_equal(told, 0);
    assert_true(age >= 10 * MINUTE && age < 11 * MINUTE);
    message.flags = QUEUE_DELIVER_BY;
    struct queue_recipient recipient = {.ends = queue_end(&policy, &message), .attempts = 1};
    recipient.attempts = 9; /* hours would pass until the next */
    assert_int_equal(queue_defer(&policy, &message, &recipient, message.arrival, 0),
                     QUEUE_STEP_WAIT);
    assert_int_equal(recipient.due.ns, message.deliver_by.ns); /* when the notice is due */
    assert_int_equal(queue_defer(&policy, &message, &recipient, message.deliver_by, 0),
                     QUEUE_STEP_TELL);
    assert_int_equal(queue_defer(&policy, &message, &recipient, message.deliver_by, 0),
                     QUEUE_STEP_WAIT);
}

static void
what_was_passed_over_has_its_turn_when_it_may_be_tried(void **state)
{
    struct queue_message message = {.arrival = {1000 * MINUTE}};
    struct queue_recipient recipient = {.ends = queue_end(&policy, &message)};
    struct wall now = message.arrival, until = {now.ns + MINUTE + 1};

    (void)state;
    assert_int_equal(queue_postpone(&policy, &message, &recipient, now, until), QUEUE_STEP_WAIT);
    assert_int_equal(recipient.due.ns, now.ns + MINUTE + MINUTE / 60); /* whole seconds */
    assert_int_equal(recipient.attempts, 0);
    now.ns += policy.notice.ns;
    assert_int_equal(queue_postpone(&policy, &message, &recipient, now, until), QUEUE_STEP_TELL);
    now.ns = recipient.ends.ns - 1;
    until.ns = recipient.ends.ns + MINUTE;
    assert_int_equal(queue_postpone(&policy, &message, &recipient, now, until), QUEUE_STEP_TELL);
    assert_int_equal(recipient.due.ns, recipient.ends.ns);
    assert_int_equal(queue_postpone(&policy, &message, &recipient, recipient.ends, until),
                     QUEUE_STEP_EXPIRE);
}

/* Ages in minutes, and when the turn comes. */
static void
the_older_the_later_is_its_turn(void **state)
{
    static const int64_t rows[][2] = {{0, 2},   {3, 2},     {5, 5},     {12, 10},   {45, 40},
                                      {60, 60}, {150, 120}, {240, 240}, {6000, 240}};
    struct queue_message message = {.arrival = {1000 * MINUTE}};
    struct queue_policy hasty = policy;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wall now = {message.arrival.ns + rows[i][0] * MINUTE};
        for (uint32_t random = 0; random < 1000; random += 7) {
            int64_t wait = queue_turn(&policy, &message, now, random).ns - now.ns;
            assert_in_range(wait, rows[i][1] * MINUTE * 9 / 10, rows[i][1] * MINUTE * 11 / 10);
        }
    }
    struct wall just = {message.arrival.ns + queue_interval(&policy, 2, 0).ns};
    assert_in_range(queue_turn(&policy, &message, just, 0).ns - just.ns, 4 * MINUTE, 5 * MINUTE);
    just.ns--;
    assert_in_range(queue_turn(&policy, &message, just, 0).ns - just.ns, MINUTE, 2 * MINUTE);
    hasty.interval_max = duration_s(2);
    assert_int_equal(queue_turn(&hasty, &message, message.arrival, 0).ns,
                     message.arrival.ns + 2 * (MINUTE / 60));
}

static void
what_was_held_has_its_time_from_its_release_on(void **state)
{
    struct queue_message message = {.arrival = {1000 * MINUTE}};

    (void)state;
    message.released.ns = message.arrival.ns + 30 * 24 * 60 * MINUTE;
    assert_int_equal(queue_end(&policy, &message).ns, message.released.ns + policy.lifetime.ns);
    struct queue_recipient recipient = {.ends = queue_end(&policy, &message), .attempts = 1};
    assert_int_equal(queue_defer(&policy, &message, &recipient, message.released, 0),
                     QUEUE_STEP_WAIT);
    message.flags = QUEUE_DELIVER_BY | QUEUE_BY_RETURNS;
    message.deliver_by.ns = message.released.ns + MINUTE;
    assert_int_equal(queue_end(&policy, &message).ns, message.deliver_by.ns);
}

static void
notices_that_are_off_are_not_given(void **state)
{
    struct queue_message message = {.arrival = {1000 * MINUTE}};
    struct queue_policy quiet = policy;
    struct queue_recipient recipient = {.ends = queue_end(&policy, &message), .attempts = 1};

    (void)state;
    quiet.notice.ns = 0;
    quiet.notice_again.ns = 0;
    for (int64_t minutes = 0; minutes < 5 * 24 * 60; minutes += 60) {
        struct wall now = {message.arrival.ns + minutes * MINUTE};
        assert_int_equal(queue_defer(&quiet, &message, &recipient, now, 0), QUEUE_STEP_WAIT);
    }
    /* The second alone: it is the only one, and is given once. */
    quiet.notice_again = policy.notice_again;
    struct wall day = {message.arrival.ns + policy.notice_again.ns};
    assert_int_equal(queue_defer(&quiet, &message, &recipient, (struct wall){day.ns - 1}, 0),
                     QUEUE_STEP_WAIT);
    assert_int_equal(queue_defer(&quiet, &message, &recipient, day, 0), QUEUE_STEP_TELL);
    assert_int_equal(queue_defer(&policy, &message, &recipient, day, 0), QUEUE_STEP_WAIT);
}

static void
no_interval_is_nothing_and_no_patience_too_long(void **state)
{
    struct queue_message message = {.arrival = {1000 * MINUTE}};
    struct queue_policy odd = policy;

    (void)state;
    odd.interval_max.ns = 0;
    assert_int_equal(queue_interval(&odd, 1, 0).ns, duration_s(1).ns);
    assert_int_equal(queue_interval(&policy, 0, 5).ns, queue_interval(&policy, 1, 5).ns);
    odd.lifetime.ns = INT64_MAX;
    assert_int_equal(queue_end(&odd, &message).ns, INT64_MAX);
    struct queue_recipient recipient = {.ends = {INT64_MAX}, .attempts = 1};
    assert_int_equal(
        queue_postpone(&odd, &message, &recipient, message.arrival, (struct wall){INT64_MAX}),
        QUEUE_STEP_WAIT);
    assert_int_equal(recipient.due.ns, INT64_MAX);
}

/* RFC 2852 §4.1.3: its notice is due at its time, and then the next attempt as always. */
static void
what_is_late_is_tried_on_after_its_notice(void **state)
{
    struct queue_message message = {.arrival = {1000 * MINUTE}, .flags = QUEUE_DELIVER_BY};
    struct wall later;

    (void)state;
    message.deliver_by.ns = message.arrival.ns + 10 * MINUTE;
    struct queue_recipient recipient = {.ends = queue_end(&policy, &message), .attempts = 1};
    later.ns = message.deliver_by.ns + MINUTE;
    struct wall just = {message.deliver_by.ns - 1};
    assert_int_equal(queue_postpone(&policy, &message, &recipient, just, later), QUEUE_STEP_WAIT);
    assert_int_equal(recipient.due.ns, message.deliver_by.ns);
    just.ns++;
    assert_int_equal(queue_postpone(&policy, &message, &recipient, just, later), QUEUE_STEP_TELL);
    assert_int_equal(recipient.due.ns, later.ns);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_late_is_tried_on_after_its_notice),
    cmocka_unit_test(notices_that_are_off_are_not_given),
    cmocka_unit_test(no_interval_is_nothing_and_no_patience_too_long),
    cmocka_unit_test(intervals_double_up_to_their_bound_and_move_by_a_tenth),
    cmocka_unit_test(patience_ends_after_five_days_with_two_notices),
    cmocka_unit_test(what_was_passed_over_has_its_turn_when_it_may_be_tried),
    cmocka_unit_test(the_older_the_later_is_its_turn),
    cmocka_unit_test(what_was_held_has_its_time_from_its_release_on),
    cmocka_unit_test(deliver_by_shortens_patience_or_asks_for_a_notice),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
