/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/linux/process.h"

#include <signal.h>
#include <unistd.h>

struct run {
    struct host *host;
    struct host_timer *timer[4];
    struct buffer seen;
    int rounds;
};

static void
start(struct run *run)
{
    *run = (struct run){0};
    assert_int_equal(host_linux_open(&run->host), 0);
    buffer_init(&run->seen, 1000);
}

static void
end(struct run *run)
{
    for (size_t i = 0; i < COUNT_OF(run->timer); i++)
        host_timer_close(&run->timer[i]);
    host_linux_close(&run->host);
    buffer_finish(&run->seen);
}

static void
see_a(void *context)
{
    buffer_put_byte(&((struct run *)context)->seen, 'a');
}

static void
see_b(void *context)
{
    buffer_put_byte(&((struct run *)context)->seen, 'b');
}

static void
see_and_stop(void *context)
{
    struct run *run = context;

    buffer_put_byte(&run->seen, 's');
    host_stop(run->host);
}

static struct instant
in_ms(struct run *run, int ms)
{
    return instant_after(host_now(run->host), duration_ms(ms));
}

static void
timers_fire_in_order_and_never_early(void **state)
{
    struct run run;

    (void)state;
    start(&run);
    struct instant begin = host_now(run.host);
    run.timer[0] = host_timer_open(run.host, see_b, &run);
    run.timer[1] = host_timer_open(run.host, see_a, &run);
    run.timer[2] = host_timer_open(run.host, see_and_stop, &run);
    run.timer[3] = host_timer_open(run.host, see_and_stop, &run);
    host_timer_set(run.timer[2], in_ms(&run, 20));
    host_timer_set(run.timer[0], in_ms(&run, 10));
    host_timer_set(run.timer[1], in_ms(&run, 5));
    host_timer_set(run.timer[3], in_ms(&run, 1));
    host_timer_set(run.timer[3], INSTANT_NEVER);
    host_linux_run(run.host);
    assert_true(slice_equal(buffer_slice(&run.seen), SLICE("abs")));
    assert_true(instant_since(host_now(run.host), begin).ns >= duration_ms(20).ns);
    end(&run);
}

static void
set_again(void *context)
{
    struct run *run = context;

    if (++run->rounds < 5)
        host_timer_set(run->timer[0], (struct instant){0});
    else
        host_stop(run->host);
}

static void
a_timer_of_the_past_fires_in_the_next_turn(void **state)
{
    struct run run;

    (void)state;
    start(&run);
    run.timer[0] = host_timer_open(run.host, set_again, &run);
    set_again(&run);
    host_linux_run(run.host);
    assert_int_equal(run.rounds, 5);
    end(&run);
}

static void
defer_three(void *context)
{
    struct run *run = context;

    host_defer(run->host, see_b, run);
    host_defer(run->host, see_and_stop, run);
    see_a(run);
}

static void
jobs_run_after_what_is_ready_and_before_the_end(void **state)
{
    struct run run;

    (void)state;
    start(&run);
    run.timer[0] = host_timer_open(run.host, defer_three, &run);
    run.timer[1] = host_timer_open(run.host, see_a, &run);
    host_timer_set(run.timer[0], in_ms(&run, 0));
    host_timer_set(run.timer[1], in_ms(&run, 0));
    host_linux_run(run.host);
    assert_true(slice_equal(buffer_slice(&run.seen), SLICE("aabs")));
    end(&run);
}

static void
job_of_a_job(void *context)
{
    struct run *run = context;

    if (++run->rounds < 3)
        host_defer(run->host, job_of_a_job, run);
    else
        host_stop(run->host);
}

static void
jobs_may_defer_jobs(void **state)
{
    struct run run;

    (void)state;
    start(&run);
    host_defer(run.host, job_of_a_job, &run);
    host_linux_run(run.host);
    assert_int_equal(run.rounds, 3);
    end(&run);
}

static void
signals_come_through_the_loop(void **state)
{
    struct run run;
    struct host_signal *handler;

    (void)state;
    start(&run);
    assert_int_equal(host_signal_open(run.host, SIGHUP, see_and_stop, &run, &handler), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    host_linux_run(run.host);
    assert_true(slice_equal(buffer_slice(&run.seen), SLICE("s")));
    host_signal_close(&handler);
    end(&run);
}

static void
time_stands_still_in_a_handler_and_random_does_not(void **state)
{
    struct run run;
    uint8_t left[600] = {0}, right[600] = {0};

    (void)state;
    start(&run);
    struct instant now = host_now(run.host);
    usleep(2000);
    assert_int_equal(host_now(run.host).ns, now.ns);
    host_random(run.host, left, sizeof(left));
    host_random(run.host, right, sizeof(right));
    assert_memory_not_equal(left, right, sizeof(left));
    assert_true(wall_seconds(host_wall(run.host)) > 1700000000);
    end(&run);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(a_timer_of_the_past_fires_in_the_next_turn),
        cmocka_unit_test(jobs_run_after_what_is_ready_and_before_the_end),
        cmocka_unit_test(jobs_may_defer_jobs),
        cmocka_unit_test(signals_come_through_the_loop),
        cmocka_unit_test(time_stands_still_in_a_handler_and_random_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
