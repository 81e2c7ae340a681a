/* SPDX-License-Identifier: ISC */
/* What the operator asks of the queue, and has done with it. */
#include "role/store/tests/queue_world.h"

#include <stdio.h>

static const struct smtp_store_submit plain;

static void
submit_named(struct queue_world *world, const char *id, const char *sender, unsigned count,
             const char *domain)
{
    struct smtp_store_submit note = plain;

    note.queue_id = slice_of_string(id);
    note.reverse_path = slice_of_string(sender);
    queue_world_submit(world, count, domain, &note);
}

/* Seven recipients that wait: A for three and B for two at b.test, C for two at c.test. */
static void
fill(struct queue_world *world)
{
    world->world.config.queue_interval_max = duration_s(3600);
    world->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    submit_named(world, "A", "fred@a.test", 3, "b.test");
    submit_named(world, "B", "anna@x.test", 2, "b.test");
    submit_named(world, "C", "fred@a.test", 2, "c.test");
    queue_world_run(world, 200);
    assert_int_equal(world->filed, 3);
    assert_int_equal(world->recipients, 7);
}

static size_t
count_of(struct queue_world *world, const struct tool_store_queue_ask *ask)
{
    struct queue_world_answer answer;

    queue_world_ask(world, ask, &answer);
    assert_int_equal(answer.done.result, TOOL_STORE_RESULT_OK);
    assert_int_equal(answer.done.count, answer.count);
    return answer.count;
}

static void
each_filter_leaves_out_what_does_not_fit(void **state)
{
    struct queue_world *world = *state;
    int64_t now_s = wall_seconds(host_wall(world->world.host));
    const struct {
        struct tool_store_queue_ask ask;
        size_t count;
    } rows[] = {
        {{.action = TOOL_STORE_QUEUE_ACTION_LIST}, 7},
        {{.queue_id = SLICE("A")}, 3},
        {{.queue_id = SLICE("a")}, 0},
        {{.name = SLICE("B")}, 2},
        {{.name = SLICE("FRED@A.test")}, 5},
        {{.name = SLICE("user1@b.test")}, 2},
        {{.sender = SLICE("anna@x.test")}, 2},
        {{.sender = SLICE("@a.test")}, 5},
        {{.recipient = SLICE("@c.test")}, 2},
        {{.recipient = SLICE("user0@B.TEST")}, 2},
        {{.sender = SLICE("fred@a.test"), .recipient = SLICE("@b.test")}, 3},
        {{.states = 1u << TOOL_STORE_QUEUE_STATE_WAITING}, 7},
        {{.states = 1u << TOOL_STORE_QUEUE_STATE_HELD}, 0},
        {{.before_s = now_s + 1000}, 7},
        {{.before_s = now_s - 1000}, 0},
        {{.count_max = 4}, 4},
    };

    fill(world);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (count_of(world, &rows[i].ask) != rows[i].count)
            fail_msg("row %zu", i);
    }
}

static void
what_is_held_waits_until_it_is_released(void **state)
{
    struct queue_world *world = *state;
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_HOLD,
                                       .recipient = SLICE("@b.test")};
    struct queue_world_answer answer;

    fill(world);
    queue_world_ask(world, &ask, &answer);
    assert_int_equal(answer.count, 5);
    for (size_t i = 0; i < answer.count; i++)
        assert_int_equal(answer.rows[i].state, TOOL_STORE_QUEUE_STATE_HELD);
    assert_int_equal(count_of(world, &ask), 0); /* they are held already */
    world->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    ask.action = TOOL_STORE_QUEUE_ACTION_RETRY; /* is not for held ones */
    assert_int_equal(count_of(world, &ask), 0);
    queue_world_run(world, 4000 * 1000);
    assert_int_equal(world->recipients, 9); /* those at c.test have gone by themselves */
    ask.action = TOOL_STORE_QUEUE_ACTION_RELEASE;
    assert_int_equal(count_of(world, &ask), 5);
    queue_world_run(world, 2000);
    assert_int_equal(world->recipients, 14);
}

static void
what_is_retried_goes_at_once(void **state)
{
    struct queue_world *world = *state;
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_RETRY,
                                       .queue_id = SLICE("B")};

    fill(world);
    world->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    assert_int_equal(count_of(world, &ask), 2);
    queue_world_run(world, 2000);
    assert_int_equal(world->recipients, 9);
    ask = (struct tool_store_queue_ask){.with_closed = true, .queue_id = SLICE("B")};
    assert_int_equal(count_of(world, &ask), 2); /* as long as trace knows of it */
    ask.with_closed = false;
    assert_int_equal(count_of(world, &ask), 0);
}

static void
what_is_given_back_is_told_and_what_is_deleted_is_not(void **state)
{
    struct queue_world *world = *state;
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_BOUNCE,
                                       .queue_id = SLICE("A")};
    struct queue_world_answer answer;

    fill(world);
    queue_world_ask(world, &ask, &answer);
    assert_int_equal(answer.count, 3);
    assert_int_equal(answer.rows[0].state, TOOL_STORE_QUEUE_STATE_FAILED);
    queue_world_run(world, 10 * 1000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 3);
    ask = (struct tool_store_queue_ask){.action = TOOL_STORE_QUEUE_ACTION_DELETE,
                                        .sender = SLICE("anna@x.test")};
    queue_world_ask(world, &ask, &answer);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.rows[1].state, TOOL_STORE_QUEUE_STATE_DELETED);
    queue_world_run(world, 10 * 1000);
    assert_int_equal(world->reports[STORE_DELIVER_ACTION_FAILED], 3);
    ask = (struct tool_store_queue_ask){.recipient = SLICE("@b.test")};
    assert_int_equal(count_of(world, &ask), 0);
}

/* More than one turn takes, and more than one look at the queue. */
static void
many_are_changed_in_many_turns(void **state)
{
    struct queue_world *world = *state;
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_HOLD};

    world->world.config.queue_interval_max = duration_s(3600);
    world->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    for (unsigned i = 0; i < 3; i++)
        queue_world_submit(world, 700, "b.test", &plain);
    queue_world_run(world, 2000);
    assert_int_equal(world->recipients, 2100);
    assert_int_equal(count_of(world, &ask), 2100);
    ask = (struct tool_store_queue_ask){.states = 1u << TOOL_STORE_QUEUE_STATE_HELD};
    assert_int_equal(count_of(world, &ask), 2100);
    ask.action = TOOL_STORE_QUEUE_ACTION_RELEASE;
    ask.count_max = 600;
    assert_int_equal(count_of(world, &ask), 600);
}

/* What transport has at this moment is left alone, and said to be busy. */
static void
what_is_being_carried_is_left_alone(void **state)
{
    struct queue_world *world = *state;
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_DELETE};
    struct queue_world_answer answer;

    queue_world_submit(world, 2, "b.test", &plain);
    while (world->transport.count == 0) {
        world_run(&world->world, 1);
        queue_world_answer_but_transport(world);
    }
    queue_world_ask(world, &ask, &answer);
    assert_int_equal(answer.done.count, 0);
    assert_int_equal(answer.done.busy, 2);
    queue_world_run(world, 1000);
    assert_int_equal(world->recipients, 2);
}

/* A tool that goes away in the middle of its answer hurts nobody. */
static void
a_tool_that_has_gone_is_forgotten(void **state)
{
    struct queue_world *world = *state;
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_RETRY};

    fill(world);
    world->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    queue_world_say(world, &ask);
    host_channel_close(&world->tool.channel);
    queue_world_run(world, 4000 * 1000);
    assert_int_equal(world->recipients, 14);
}

/* Of messages that are done with; each takes two records. */
static void
deliver_some(struct queue_world *world, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char name[8];
        snprintf(name, sizeof(name), "Q%u", i % 1000);
        submit_named(world, name, "fred@a.test", 1, "b.test");
        queue_world_run(world, 1100); /* the oldest is known by its second */
    }
}

static void
of_what_is_done_with_the_oldest_is_forgotten_first(void **state)
{
    struct queue_world *world = *state;
    struct store_role *role = world->world.state;
    struct tool_store_queue_ask all = {.with_closed = true}, one = all;

    world->world.config.trace_size_max = (uint64_t)4 * 2 * OUTGOING_FACTS_ABOUT;
    queue_world_run(world, 70 * 1000); /* what was there is counted: nothing */
    deliver_some(world, 0, 10);
    queue_world_run(world, 1000); /* not a minute's mail more than may be */
    assert_int_equal(count_of(world, &all), 4);
    one.queue_id = SLICE("Q5");
    assert_int_equal(count_of(world, &one), 0);
    one.queue_id = SLICE("Q6");
    assert_int_equal(count_of(world, &one), 1);
    /* As after a start: what is there is counted again. */
    role->outgoing->kept = (struct kept_trace){0};
    deliver_some(world, 10, 1);
    queue_world_run(world, 130 * 1000); /* each minute, or the one after */
    assert_int_equal(count_of(world, &all), 4);
    assert_int_equal(role->outgoing->kept.bytes, 4 * 2 * OUTGOING_FACTS_ABOUT);
    one.queue_id = SLICE("Q10");
    assert_int_equal(count_of(world, &one), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, queue_world_open, queue_world_close)
        TEST(each_filter_leaves_out_what_does_not_fit),
        TEST(what_is_held_waits_until_it_is_released),
        TEST(what_is_retried_goes_at_once),
        TEST(of_what_is_done_with_the_oldest_is_forgotten_first),
        TEST(what_is_given_back_is_told_and_what_is_deleted_is_not),
        TEST(many_are_changed_in_many_turns),
        TEST(what_is_being_carried_is_left_alone),
        TEST(a_tool_that_has_gone_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
