/* SPDX-License-Identifier: ISC */
/* The store's queue, by what it asks of route, transport and deliver. */
#include "role/store/tests/queue_world.h"

#include "mailbox/store_private.h"

#include <stdio.h>
#include <stdlib.h>

static const struct smtp_store_submit plain;

static void
route_is_asked_once_for_a_domain(void **state)
{
    struct queue_world *world = *state;

    queue_world_submit(world, 150, "b.test", &plain);
    queue_world_run(world, 100);
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 100);
    assert_int_equal(world->filed, 2);
    assert_int_equal(world->recipients, 151);
    assert_in_range(world->carried, 3, 4); /* at most 100 in a transaction, of one class */
    assert_int_equal(world->asked, 1);
    queue_world_run(world, (HOPS_VALID_MAX_S + 1) * 1000);
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 100);
    assert_int_equal(world->asked, 2);
}

static void
route_is_asked_about_each_where_addresses_have_ways_of_their_own(void **state)
{
    struct queue_world *world = *state;

    world->is_route_particular = true;
    queue_world_submit(world, 3, "b.test", &plain);
    queue_world_run(world, 100);
    assert_int_equal(world->asked, 3);
    assert_int_equal(world->carried, 1); /* the ways were the same */
    assert_int_equal(world->recipients, 3);
}

static void
what_fails_is_tried_again_and_then_is_over(void **state)
{
    struct queue_world *world = *state;

    world->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 5000);
    assert_in_range(world->carried, 2, 5);
    world->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    queue_world_run(world, 3000);
    unsigned carried = world->carried;
    queue_world_run(world, 5000);
    assert_int_equal(world->carried, carried);
    for (size_t i = 0; i < COUNT_OF(world->reports); i++)
        assert_int_equal(world->reports[i], 0);
}

/* The notice is due in the second of an attempt, again and again. */
static void
a_notice_of_delay_comes_while_the_message_is_being_tried(void **state)
{
    struct queue_world *world = *state;
    struct smtp_store_submit wishes = {.has_deliver_by = true, .deliver_by_s = 2};

    world->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    queue_world_submit(world, 1, "b.test", &wishes);
    queue_world_run(world, 15000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_DELAYED], 1);
    assert_string_equal(world->status, "4.4.7");
}

static void
what_must_arrive_in_time_is_not_tried_after_it(void **state)
{
    struct queue_world *world = *state;
    struct smtp_store_submit wishes = {
        .has_deliver_by = true, .deliver_by_s = 2, .deliver_by_returns = true};

    world->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    queue_world_submit(world, 1, "b.test", &wishes);
    queue_world_run(world, 2500);
    unsigned carried = world->carried;
    assert_in_range(carried, 1, 3);
    queue_world_run(world, 10000);
    assert_in_range(world->carried, carried, carried + 1);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 1);
    assert_string_equal(world->status, "5.4.7");
}

static void
held_mail_waits(void **state)
{
    struct queue_world *world = *state;
    struct smtp_store_submit wishes = {.hold = SLICE("for;60")};

    wishes.hold_until_s = wall_seconds(host_wall(world->world.host)) + 60;
    queue_world_submit(world, 1, "b.test", &wishes);
    queue_world_run(world, 58000);
    assert_int_equal(world->filed, 1);
    assert_int_equal(world->carried, 0);
    queue_world_run(world, 4000);
    assert_int_equal(world->carried, 1);
}

/* Longer than there are nanoseconds: a time like any other, far away. */
static void
mail_is_not_held_longer_than_mail_is_kept(void **state)
{
    struct queue_world *world = *state;
    const struct smtp_store_submit wishes = {.hold = SLICE("for;ever"), .hold_until_s = INT64_MAX};
    struct queue_world_answer answer;

    queue_world_submit(world, 1, "b.test", &wishes);
    queue_world_run(world, 60000);
    assert_int_equal(world->carried, 0);
    queue_world_ask(world, &(struct tool_store_queue_ask){0}, &answer);
    assert_int_equal(answer.count, 1);
    assert_true(answer.rows[0].due_ms > 0);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void
submit_to_account(struct queue_world *world, uint64_t account)
{
    const struct smtp_store_recipient recipient = {.account = account,
                                                   .address = SLICE("somebody@a.test")};
    const struct smtp_store_submit note = {
        .id = world->id++,
        .queue_id = SLICE("Q1"),
        .body = SLICE("Subject: hi\r\n\r\nText\r\n"),
        .recipients = {&recipient, 1},
    };

    assert_true(smtp_store_put_submit(&world->note, &world->smtp_ledger, &note));
    host_channel_send(world->smtp.channel, buffer_slice(&world->note), HOST_HANDLE_NONE);
    buffer_clear(&world->note);
}

static void
a_letter_that_cannot_be_filed_does_not_hold_up_the_next(void **state)
{
    enum { DAMAGED = 8, SOUND = 9 };
    struct queue_world *world = *state;
    struct store *store = ((struct store_role *)world->world.state)->store;

    world->may_refuse = true;
    buffer_clear(&store->scratch);
    buffer_put_byte(&store->scratch, 0); /* no number of a mailbox */
    store_put_entry(store, key_name(DAMAGED, SLICE("INBOX")));
    submit_to_account(world, DAMAGED);
    submit_to_account(world, SOUND);
    queue_world_run(world, 500);
    assert_int_equal(world->refused, 1);
    assert_int_equal(world->filed, 2);
}

/* ---- a destination that does not answer ------------------------------------------------------ */

static const struct tool_store_queue_ask all;

static void
wait_for_nobody(struct queue_world *world)
{
    world->world.config.queue_interval_max = duration_s(60);
    world->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    world->reach = STORE_TRANSPORT_REACH_UNREACHABLE;
}

static void
what_was_not_tried_is_no_attempt_and_comes_when_the_pause_ends(void **state)
{
    struct queue_world *world = *state;
    struct queue_world_answer answer;
    unsigned passed_over = 0;

    wait_for_nobody(world);
    for (unsigned i = 0; i < 5; i++) {
        queue_world_submit(world, 1, "b.test", &plain);
        queue_world_run(world, 100);
    }
    assert_int_equal(world->carried, FLOW_SHUT_AFTER);
    queue_world_ask(world, &all, &answer);
    assert_int_equal(answer.count, 5);
    for (unsigned i = 0; i < 5; i++) {
        const struct queue_world_row *row = &answer.rows[i];
        assert_int_equal(row->history, 1); /* why it waits is known */
        if (row->attempts > 0)
            continue;
        passed_over++;
        assert_string_equal(row->text, "not tried again yet: so it is");
        assert_in_range(row->due_ms, 28000, 31000);
    }
    assert_int_equal(passed_over, 3);
    world->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    world->reach = STORE_TRANSPORT_REACH_REACHED;
    queue_world_run(world, 28000);
    assert_int_equal(world->carried, FLOW_SHUT_AFTER);
    queue_world_run(world, 4000);
    assert_int_equal(world->carried, 5);
}

static void
pauses_do_not_fill_the_history(void **state)
{
    struct queue_world *world = *state;
    struct queue_world_answer answer;
    unsigned attempts = 0;
    size_t history = 0;

    wait_for_nobody(world);
    for (unsigned i = 0; i < 20; i++)
        queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 600 * 1000);
    queue_world_ask(world, &all, &answer);
    assert_int_equal(answer.count, 20);
    for (unsigned i = 0; i < 20; i++) {
        attempts += answer.rows[i].attempts;
        history += answer.rows[i].history;
    }
    assert_int_equal(attempts, world->carried);
    assert_in_range(world->carried, 8, 25); /* one in a pause, after the first */
    assert_in_range(history, 20, 20 + world->carried);
    world->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    world->reach = STORE_TRANSPORT_REACH_REACHED;
    queue_world_run(world, 130 * 1000);
    queue_world_ask(world, &all, &answer);
    assert_int_equal(answer.count, 0);
}

/* Patience ends for what was never tried, too. */
static void
what_is_passed_over_for_too_long_comes_back(void **state)
{
    struct queue_world *world = *state;

    wait_for_nobody(world);
    world->world.config.queue_lifetime = duration_s(300);
    for (unsigned i = 0; i < 10; i++)
        queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 420 * 1000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 10);
    assert_in_range(world->carried, 2, 12);
}

/* ---- a view that is damaged ------------------------------------------------------------------ */

/* The log has all of it: what cannot be found or read for a moment is not let go. */
static void
mail_is_carried_whatever_of_its_records_the_view_has_lost(void **state)
{
    const struct {
        struct slice pattern; /* of a recipient's record, the message's, the place in its order */
        size_t at;
    } cases[] = {{SLICE("user0@b.test"), 0},
                 {SLICE("fred@a.test"), 0},
                 {SLICE("b.test\0"), sizeof("b.test") - 1 + QUEUE_PLACE_LEN}};
    struct queue_world *world = *state;

    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct smtp_store_submit wishes = {.hold = SLICE("for;20")};
        wishes.hold_until_s = wall_seconds(host_wall(world->world.host)) + 20;
        queue_world_submit(world, 1, "b.test", &wishes);
        queue_world_run(world, 15000);
        assert_int_equal(world->filed, i + 1);
        assert_int_equal(world->carried, i);
        queue_world_damage_view(world, cases[i].pattern, cases[i].at);
        queue_world_run(world, 20000);
        assert_int_equal(world->carried, i + 1);
    }
}

static void
damage_order(struct queue_world *world)
{
    const size_t check = sizeof("b.test") - 1 + QUEUE_PLACE_LEN;

    queue_world_damage_view(world, SLICE("b.test\0"), check);
}

static void
what_waits_is_known_after_a_start_with_a_damaged_view(void **state)
{
    struct queue_world *world = *state;
    struct smtp_store_submit wishes = {.hold = SLICE("for;20")};

    wishes.hold_until_s = wall_seconds(host_wall(world->world.host)) + 20;
    queue_world_submit(world, 1, "b.test", &wishes);
    queue_world_submit(world, 1, "c.test", &wishes);
    queue_world_run(world, 10000);
    assert_int_equal(world->filed, 2);
    queue_world_restart(world, damage_order);
    queue_world_run(world, 20000);
    assert_int_equal(world->carried, 2);
}

static void
a_report_that_is_owed_comes_though_the_view_has_lost_who_it_is_about(void **state)
{
    struct queue_world *world = *state;

    world->outcome = STORE_TRANSPORT_OUTCOME_PERMANENT;
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 1500);
    assert_int_equal(world->carried, 1);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 0); /* in two seconds */
    queue_world_damage_view(world, SLICE("user0@b.test"), 0);
    queue_world_run(world, 20000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 1);
}

/* ---- reports --------------------------------------------------------------------------------- */

/* Each is about a message of its own; nobody waits for all others'. */
static void
reports_go_as_fast_as_they_are_built(void **state)
{
    enum { FAILED = 5 * OUTGOING_REPORTS_MAX };
    struct queue_world *world = *state;

    world->outcome = STORE_TRANSPORT_OUTCOME_PERMANENT;
    for (unsigned i = 0; i < FAILED; i++)
        queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, (OUTGOING_REPORT_DELAY_S + 6) * 1000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], FAILED);
}

/* It is owed until somebody has built it. */
static void
a_report_that_nobody_can_build_now_comes_later(void **state)
{
    struct queue_world *world = *state;

    world->outcome = STORE_TRANSPORT_OUTCOME_PERMANENT;
    world->may_not_build = true;
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 60 * 1000);
    world->may_not_build = false;
    queue_world_run(world, (OUTGOING_REPORT_AGAIN_S - 120) * 1000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 0);
    queue_world_run(world, 120 * 1000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 1);
}

/* ---- what is for us, and goes on ------------------------------------------------------------- */

static void
lead_to_us(struct queue_world *world, struct store_route_hop *hop)
{
    (void)world;
    if (slice_equal(hop->destination, SLICE("box.test")))
        hop->carrier = STORE_ROUTE_CARRIER_LOCAL;
}

/* A full mailbox that sends on what it gets: each try would have sent it on again. */
static void
what_is_sent_on_goes_once_however_often_its_mailbox_is_full(void **state)
{
    struct store_route_target targets[] = {
        {.box = STORE_ROUTE_BOX_REMOTE, .name = SLICE("fred@c.test")},
        {.box = STORE_ROUTE_BOX_STORE, .account = 7, .quota_bytes = 10}};
    struct queue_world *world = *state;
    struct queue_world_answer answer;

    world->targets = targets;
    world->target_count = COUNT_OF(targets);
    world->on_hop = lead_to_us;
    queue_world_submit(world, 1, "box.test", &plain);
    queue_world_run(world, 10 * 1000);
    assert_int_equal(world->carried, 0);
    queue_world_ask(world, &all, &answer);
    assert_int_equal(answer.count, 1);
    assert_in_range(answer.rows[0].attempts, 3, 20);
    assert_string_equal(answer.rows[0].text, "the mailbox is full");
    targets[1].quota_bytes = 0;
    queue_world_run(world, 10 * 1000);
    assert_int_equal(world->carried, 1);
    queue_world_ask(world, &all, &answer);
    assert_int_equal(answer.count, 0);
}

/* ---- fairness -------------------------------------------------------------------------------- */

enum { SINGLES_MAX = 64, MANY = 100 };

/* Messages to one recipient, "S00" and so on: what was carried before they were handed in, and when
 * they were. */
static struct {
    unsigned before[SINGLES_MAX], at[SINGLES_MAX];
} singles;

static void
note_single(struct queue_world *world, const struct store_transport_carry *carry)
{
    if (carry->queue_id.at[0] == 'S')
        singles.at[(carry->queue_id.at[1] - '0') * 10 + carry->queue_id.at[2] - '0'] =
            world->carried;
}

static void
submit_single(struct queue_world *world, unsigned number, const char *domain)
{
    char id[8];
    struct smtp_store_submit note = {.queue_id = {(const uint8_t *)id, 3}};

    snprintf(id, sizeof(id), "S%02u", number);
    singles.before[number] = world->carried;
    queue_world_submit(world, 1, domain, &note);
}

/* As a list's program hands it in: a thousand in each transaction (RFC 5321 §4.5.3.1.8 has a
 * hundred for all to take). The destination takes two hundred transactions a second. */
static void
one_message_to_100000_does_not_hold_up_single_ones(void **state)
{
    struct queue_world *world = *state;
    unsigned count = 0, worst = 0;

    memset(&singles, 0, sizeof(singles));
    world->on_carry = note_single;
    world->carried_max = 1;
    for (unsigned i = 0; i < MANY; i++) {
        queue_world_submit(world, QUEUE_WORLD_RECIPIENTS_MAX, "big.test", &plain);
        queue_world_run(world, 5);
    }
    while (world->recipients < MANY * QUEUE_WORLD_RECIPIENTS_MAX / 2 && count < SINGLES_MAX) {
        submit_single(world, count, count % 4 == 3 ? "small.test" : "big.test");
        count++;
        queue_world_run(world, 50);
    }
    assert_in_range(count, 30, SINGLES_MAX);
    world->carried_max = 0;
    queue_world_run(world, 5000);
    for (unsigned i = 0; i < count; i++) {
        assert_true(singles.at[i] > 0);
        unsigned waited = singles.at[i] - singles.before[i];
        worst = waited > worst ? waited : worst;
    }
    /* What was on its way already, and a turn of the classes; not the thousand that wait. */
    assert_in_range(worst, 1, FLOW_WINDOW_MAX + 10);
    assert_int_equal(world->recipients, MANY * QUEUE_WORLD_RECIPIENTS_MAX + count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, queue_world_open, queue_world_close)
        TEST(route_is_asked_once_for_a_domain),
        TEST(route_is_asked_about_each_where_addresses_have_ways_of_their_own),
        TEST(what_fails_is_tried_again_and_then_is_over),
        TEST(a_notice_of_delay_comes_while_the_message_is_being_tried),
        TEST(what_must_arrive_in_time_is_not_tried_after_it),
        TEST(held_mail_waits),
        TEST(mail_is_not_held_longer_than_mail_is_kept),
        TEST(a_letter_that_cannot_be_filed_does_not_hold_up_the_next),
        TEST(what_was_not_tried_is_no_attempt_and_comes_when_the_pause_ends),
        TEST(pauses_do_not_fill_the_history),
        TEST(what_is_passed_over_for_too_long_comes_back),
        TEST(mail_is_carried_whatever_of_its_records_the_view_has_lost),
        TEST(what_waits_is_known_after_a_start_with_a_damaged_view),
        TEST(a_report_that_is_owed_comes_though_the_view_has_lost_who_it_is_about),
        TEST(reports_go_as_fast_as_they_are_built),
        TEST(a_report_that_nobody_can_build_now_comes_later),
        TEST(what_is_sent_on_goes_once_however_often_its_mailbox_is_full),
        TEST(one_message_to_100000_does_not_hold_up_single_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
