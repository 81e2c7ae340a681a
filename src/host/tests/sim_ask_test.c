/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/sim/sim.h"

#include <errno.h>

enum { PATIENCE_S = 5, STILL_S = 8 };

/* A process that asks in the middle of its turn, and one that answers with what it was asked. */
struct asking {
    struct sim *sim;
    struct host *asker, *answerer;
    host_handle handle;
    struct host_channel *channel;
    struct buffer answer;
    int result;
    struct instant begun, ended;
    unsigned deaf; /* questions that get no answer */
};

static void
on_question(void *context, struct slice note, host_handle handle)
{
    struct asking *asking = context;

    assert_int_equal(handle, HOST_HANDLE_NONE);
    if (asking->deaf > 0)
        asking->deaf--;
    else
        host_channel_send(asking->channel, note, HOST_HANDLE_NONE);
}

static void
on_closed(void *context)
{
    host_channel_close(&((struct asking *)context)->channel);
}

static void
open_asking(struct asking *asking)
{
    static const struct host_channel_handler handler = {on_question, on_closed, NULL};
    const struct sim_options options = {.note_delay_max = {5000000}};
    host_handle theirs;

    *asking = (struct asking){.sim = sim_open(21, &options), .result = 1};
    asking->asker = sim_host_open(asking->sim, "asker");
    asking->answerer = sim_host_open(asking->sim, "answerer");
    buffer_init(&asking->answer, 100);
    assert_int_equal(host_channel_pair(asking->asker, &asking->handle, &theirs), 0);
    sim_handle_give(asking->sim, theirs, asking->answerer);
    asking->channel = host_channel_open(asking->answerer, theirs, &handler, asking);
}

static void
close_asking(struct asking *asking)
{
    host_channel_close(&asking->channel);
    host_handle_close(asking->asker, asking->handle);
    sim_host_close(&asking->asker);
    sim_host_close(&asking->answerer);
    buffer_finish(&asking->answer);
    sim_close(&asking->sim);
}

static void
run(struct asking *asking)
{
    struct host *ended;

    (void)sim_run(asking->sim, instant_after(sim_now(asking->sim), duration_s(60)), &ended);
}

static void
ask(struct asking *asking, struct slice question)
{
    asking->begun = sim_now(asking->sim);
    asking->result =
        host_ask(asking->asker, asking->handle, question, duration_s(PATIENCE_S), &asking->answer);
    asking->ended = sim_now(asking->sim);
}

static void
ask_first(void *context)
{
    ask(context, SLICE("first"));
}

static void
ask_second(void *context)
{
    ask(context, SLICE("second"));
}

static void
only_wait(void *context)
{
    ask(context, SLICE(""));
}

static void
who_asks_stands_still_until_the_answer_comes(void **state)
{
    struct asking asking;

    (void)state;
    open_asking(&asking);
    host_defer(asking.asker, ask_first, &asking);
    run(&asking);
    assert_int_equal(asking.result, 0);
    assert_true(slice_equal(buffer_slice(&asking.answer), SLICE("first")));
    assert_true(instant_is_before(asking.begun, asking.ended));
    close_asking(&asking);
}

static void
patience_ends_and_a_late_answer_comes_to_who_waits_next(void **state)
{
    struct asking asking;

    (void)state;
    open_asking(&asking);
    sim_host_stall(asking.answerer, duration_s(STILL_S));
    host_defer(asking.asker, ask_first, &asking);
    run(&asking);
    assert_int_equal(asking.result, -ETIMEDOUT);
    assert_int_equal((asking.ended.ns - asking.begun.ns) / 1000000000, PATIENCE_S);
    host_defer(asking.asker, ask_second, &asking);
    run(&asking);
    assert_int_equal(asking.result, 0);
    assert_true(slice_equal(buffer_slice(&asking.answer), SLICE("first")));
    host_defer(asking.asker, only_wait, &asking);
    run(&asking);
    assert_int_equal(asking.result, 0);
    assert_true(slice_equal(buffer_slice(&asking.answer), SLICE("second")));
    asking.deaf = 1;
    host_defer(asking.asker, ask_first, &asking);
    run(&asking);
    assert_int_equal(asking.result, -ETIMEDOUT); /* nobody else has anything to do, ever */
    close_asking(&asking);
}

static void
nobody_is_there_to_be_asked(void **state)
{
    struct asking asking;

    (void)state;
    open_asking(&asking);
    sim_host_kill(asking.answerer);
    host_defer(asking.asker, ask_first, &asking);
    run(&asking);
    assert_int_equal(asking.result, -EPIPE);
    host_handle_close(asking.asker, asking.handle);
    host_defer(asking.asker, ask_first, &asking);
    run(&asking);
    assert_int_equal(asking.result, -EBADF);
    close_asking(&asking);
}

static void
cut_power(void *context)
{
    struct asking *asking = context;

    sim_power_cut(sim_machine(asking->sim));
}

static void
who_dies_while_it_asks_gets_no_answer(void **state)
{
    struct asking asking;
    struct host *other;

    (void)state;
    open_asking(&asking);
    other = sim_host_open(asking.sim, "other");
    sim_host_stall(asking.answerer, duration_s(STILL_S));
    sim_host_stall(other, duration_ms(100));
    host_defer(asking.asker, ask_first, &asking);
    host_defer(other, cut_power, &asking);
    run(&asking);
    assert_int_equal(asking.result, -EPIPE);
    assert_true(sim_host_is_dead(asking.asker));
    sim_host_close(&other);
    close_asking(&asking);
}

static void
count(void *context)
{
    unsigned *done = context;

    (*done)++;
}

static void
who_gets_no_processor_does_nothing_until_then(void **state)
{
    struct asking asking;
    struct host *ended;
    unsigned done = 0, others = 0;

    (void)state;
    open_asking(&asking);
    struct host_timer *timer = host_timer_open(asking.asker, count, &done);
    host_timer_set(timer, instant_after(sim_now(asking.sim), duration_s(1)));
    sim_host_stall(asking.asker, duration_s(STILL_S));
    host_defer(asking.asker, count, &done);
    host_defer(asking.answerer, count, &others);
    struct instant soon = instant_after(sim_now(asking.sim), duration_s(STILL_S - 1));
    assert_int_equal(sim_run(asking.sim, soon, &ended), SIM_TIME);
    assert_int_equal(done, 0);
    assert_int_equal(others, 1);
    run(&asking);
    assert_int_equal(done, 2);
    host_timer_close(&timer);
    close_asking(&asking);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_stands_still_until_the_answer_comes),
        cmocka_unit_test(patience_ends_and_a_late_answer_comes_to_who_waits_next),
        cmocka_unit_test(nobody_is_there_to_be_asked),
        cmocka_unit_test(who_dies_while_it_asks_gets_no_answer),
        cmocka_unit_test(who_gets_no_processor_does_nothing_until_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
