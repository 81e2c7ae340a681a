/* SPDX-License-Identifier: ISC */
/* The store on the simulator's disk: crashes at every operation of a small run, then long random
 * runs with crashes, power cuts, full disks and failing ones, compared with a dictionary. */
#include "host/sim/sim.h"
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/purge.h"
#include "mailbox/reclaim.h"
#include "mailbox/store_private.h"
#include "mailbox/tests/model.h"
#include "mailbox/tests/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct sim *sim;
    struct host *host;
    struct host_dir *dir;
    struct store *store;
    struct reclaim *reclaim;
    char view[256];
    unsigned findings;
    unsigned reclaimed;
    /* What may also be there after a crash: turns since the last good one whose sync had failed, so
     * that nobody knows what the disk has of them. They were refused, not acknowledged. */
    struct model *doubts;
    size_t doubt_count;
};

enum { DOUBTS_MAX = 64 };

static uint64_t
draw(void *context, uint64_t bound)
{
    return sim_random(context, bound);
}

static void
on_report(void *context, const char *event, struct slice text)
{
    struct world *world = context;

    (void)text;
    world->reclaimed += strcmp(event, "reclaimed") == 0;
}

static void
open_world(struct world *world, uint64_t seed)
{
    struct sim_options options = {0};

    *world = (struct world){.sim = sim_open(seed, &options)};
    world->doubts = calloc(DOUBTS_MAX, sizeof(*world->doubts));
    assert_non_null(world->doubts);
    tree_make("facteur-view", world->view, sizeof(world->view));
}

/* Opens the store, on a fresh host; false when a crash came meanwhile. */
static bool
open_store(struct world *world)
{
    struct buffer why;

    world->host = sim_host_open(world->sim, "store");
    if (host_dir_open(world->host, "/", &world->dir) < 0)
        return false;
    struct store_options options = {
        .host = world->host,
        .dir = world->dir,
        .view_path = world->view,
        .segment_bytes = 16384,
        .map_bytes = 64 << 20,
        .report = on_report,
        .report_context = world,
    };
    buffer_init(&why, 1024);
    int result = store_open(&options, &why, &world->store);
    if (result < 0 && !sim_host_is_dead(world->host)) {
        struct slice text = buffer_slice(&why);
        fail_msg("store_open: %d %.*s", result, (int)text.len, (const char *)text.at);
    }
    buffer_finish(&why);
    if (result == 0)
        world->reclaim = reclaim_open(world->store);
    return result == 0;
}

static void
bury_store(struct world *world)
{
    reclaim_close(&world->reclaim);
    store_abandon(&world->store);
    host_dir_close(&world->dir);
    sim_host_close(&world->host);
}

static void
close_world(struct world *world)
{
    bury_store(world);
    tree_remove(world->view);
    sim_close(&world->sim);
    free(world->doubts);
}

static void
keep_result(void *context, enum store_result result)
{
    *(enum store_result *)context = result;
}

struct step {
    enum store_result result;
    bool is_idle;
};

static void
keep_step(void *context, enum store_result result, bool is_idle)
{
    *(struct step *)context = (struct step){result, is_idle};
}

static enum store_result
commit(struct world *world)
{
    enum store_result result = STORE_BUSY;

    store_commit(world->store, keep_result, &result);
    return result;
}

/* Background work; nothing of it may be seen from outside. */
static void
do_background(struct world *world)
{
    struct step step = {STORE_OK, false};
    size_t count;

    switch (sim_random(world->sim, 4)) {
    case 0:
        store_sync_view(world->store);
        break;
    case 1:
        if (store_purge(world->store, &count) == STORE_OK)
            (void)!commit(world);
        break;
    case 2:
        /* What the disk cannot read now it may read later: reclaim leaves it where it is. */
        if (sim_random(world->sim, 3) == 0)
            sim_disk_fail(sim_machine(world->sim), SIM_FAULT_READ,
                          1 + (unsigned)sim_random(world->sim, 3), -EIO);
        reclaim_step(world->reclaim, keep_step, &step);
        sim_disk_fail(sim_machine(world->sim), SIM_FAULT_NONE, 0, 0);
        break;
    default:
        break;
    }
}

static void
on_finding(void *context, struct slice text)
{
    struct world *world = context;

    world->findings++;
    fprintf(stderr, "finding: %.*s\n", (int)text.len, (const char *)text.at);
}

static void
assert_check_is_clean(struct world *world)
{
    struct check *check = check_open(world->store, on_finding, world);

    assert_non_null(check);
    while (check_step(check))
        ;
    check_close(&check);
    assert_false(store_has_pending(world->store));
    assert_int_equal(world->findings, 0);
}

static uint64_t
turns_of(struct world *world)
{
    struct store_stats stats;

    store_stats_get(world->store, &stats);
    return stats.turns;
}

/* One turn of random operations. On return `model` is what must be there; when the outcome is not
 * known (a crash), *ret_maybe is what may be there instead and true is returned. */
static bool
do_turn(struct world *world, struct model *model, struct model *ret_maybe)
{
    uint64_t operations = 1 + sim_random(world->sim, 6);
    bool is_good = true;

    *ret_maybe = *model;
    for (uint64_t i = 0; is_good && i < operations; i++)
        is_good = model_operate(ret_maybe, world->store, draw, world->sim);
    if (!is_good) {
        /* Only a view that cannot be read refuses; then nothing is committed. */
        store_drop(world->store);
        return false;
    }
    uint64_t turns = turns_of(world);
    enum store_result result = commit(world);
    if (sim_host_is_dead(world->host))
        return true;
    if (result == STORE_OK) {
        *model = *ret_maybe;
        /* A turn with nothing in it was never written, and makes nothing void. */
        if (turns_of(world) > turns)
            world->doubt_count = 0;
    } else if (result == STORE_TEMPORARY && world->doubt_count < DOUBTS_MAX) {
        world->doubts[world->doubt_count++] = *ret_maybe;
    }
    return false;
}

/* Opens again until no crash comes in the way, and takes whichever of the two is there. */
static void
reopen(struct world *world, struct model *model, const struct model *maybe, bool was_power_cut)
{
    bury_store(world);
    if (was_power_cut)
        sim_disk_power_cycle(sim_machine(world->sim));
    sim_disk_fail(sim_machine(world->sim), SIM_FAULT_NONE, 0, 0);
    sim_disk_set_free(sim_machine(world->sim), UINT64_MAX);
    while (!open_store(world))
        bury_store(world);
    if (maybe && model_matches(maybe, world->store, false))
        *model = *maybe;
    for (size_t i = 0; i < world->doubt_count; i++) {
        if (model_matches(&world->doubts[i], world->store, false))
            *model = world->doubts[i];
    }
    world->doubt_count = 0;
    assert_true(model_matches(model, world->store, true));
}

/* ---- every operation ------------------------------------------------------------------------- */

static void
a_crash_at_any_operation_loses_and_doubles_nothing(void **state)
{
    static struct model model, maybe;
    (void)state;

    for (unsigned cut = 0; cut < 2; cut++) {
        bool has_crashed = true;
        for (uint64_t at = 1; has_crashed; at++) {
            struct world world;
            has_crashed = false;
            open_world(&world, 42);
            model = (struct model){0};
            sim_crash_at(sim_machine(world.sim), sim_disk_operations(sim_machine(world.sim)) + at,
                         cut == 1);
            if (!open_store(&world)) {
                reopen(&world, &model, NULL, cut == 1);
                has_crashed = true;
            }
            for (int turn = 0; turn < 12 && !has_crashed; turn++) {
                bool is_unknown = do_turn(&world, &model, &maybe);
                if (!is_unknown && turn % 3 == 2)
                    do_background(&world);
                has_crashed = sim_host_is_dead(world.host);
                if (has_crashed)
                    reopen(&world, &model, is_unknown ? &maybe : NULL, cut == 1);
            }
            sim_crash_at(sim_machine(world.sim), UINT64_MAX, false);
            assert_false(do_turn(&world, &model, &maybe));
            assert_true(model_matches(&model, world.store, true));
            assert_check_is_clean(&world);
            close_world(&world);
        }
    }
}

/* ---- long runs ------------------------------------------------------------------------------- */

static void
make_trouble(struct world *world, bool *ret_is_cut)
{
    uint64_t soon = sim_disk_operations(sim_machine(world->sim)) + 1 + sim_random(world->sim, 12);

    switch (sim_random(world->sim, 12)) {
    case 0:
        *ret_is_cut = false;
        sim_crash_at(sim_machine(world->sim), soon, false);
        break;
    case 1:
        *ret_is_cut = true;
        sim_crash_at(sim_machine(world->sim), soon, true);
        break;
    case 2:
        sim_disk_fail(sim_machine(world->sim), SIM_FAULT_WRITE,
                      1 + (unsigned)sim_random(world->sim, 3), -EIO);
        break;
    case 3:
        sim_disk_fail(sim_machine(world->sim), SIM_FAULT_SYNC,
                      1 + (unsigned)sim_random(world->sim, 2), -EIO);
        break;
    case 4:
        sim_disk_set_free(sim_machine(world->sim), sim_random(world->sim, 30000));
        break;
    case 5:
    case 6:
    case 7:
        sim_disk_set_free(sim_machine(world->sim), UINT64_MAX);
        break;
    default:
        break;
    }
}

static void
long_run(uint64_t seed, int turns)
{
    static struct model model, maybe;
    struct world world;
    bool is_cut = false;

    open_world(&world, seed);
    model = (struct model){0};
    assert_true(open_store(&world));
    for (int turn = 0; turn < turns; turn++) {
        make_trouble(&world, &is_cut);
        bool is_unknown = do_turn(&world, &model, &maybe);
        if (!sim_host_is_dead(world.host))
            do_background(&world);
        if (sim_host_is_dead(world.host))
            reopen(&world, &model, is_unknown ? &maybe : NULL, is_cut);
        else if (turn % 16 == 0)
            assert_true(model_matches(&model, world.store, true));
    }
    sim_crash_at(sim_machine(world.sim), UINT64_MAX, false);
    reopen(&world, &model, NULL, false);
    assert_check_is_clean(&world);

    /* All that the view knows is in the segments that are left. */
    bury_store(&world);
    tree_empty(world.view);
    assert_true(open_store(&world));
    assert_true(model_matches(&model, world.store, true));
    assert_check_is_clean(&world);
    close_world(&world);
}

static void
random_runs_with_faults_match_a_dictionary(void **state)
{
    const char *first = getenv("MAILBOX_SEED"), *count = getenv("MAILBOX_SEEDS");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    uint64_t seeds = count ? strtoull(count, NULL, 10) : 20;
    (void)state;

    for (uint64_t i = 0; i < seeds; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        long_run(seed + i, 150);
    }
}

static void
space_of_expunged_messages_comes_back(void **state)
{
    static struct model model, maybe;
    struct world world;
    uint64_t before = 0;
    struct store_stats stats;
    (void)state;

    open_world(&world, 7);
    model = (struct model){0};
    assert_true(open_store(&world));
    for (int turn = 0; turn < 300; turn++)
        assert_false(do_turn(&world, &model, &maybe));
    store_stats_get(world.store, &stats);
    before = stats.log_bytes;
    for (int i = 0; i < 400; i++) {
        do_background(&world);
        store_sync_view(world.store);
    }
    store_stats_get(world.store, &stats);
    assert_true(world.reclaimed > 5);
    assert_true(stats.log_bytes < before / 2 + 4 * stats.live_bytes);
    assert_true(stats.log_bytes >= stats.live_bytes);
    assert_true(model_matches(&model, world.store, true));
    assert_check_is_clean(&world);
    close_world(&world);
}

static void
keep_read(void *context, enum store_result result, struct slice bytes)
{
    (void)bytes;
    *(enum store_result *)context = result;
}

/* Another piece, read or not after so long without one. */
static enum store_result
read_after(struct world *world, body_id body, int64_t ms)
{
    enum store_result result;

    sim_advance(world->sim, instant_after(host_now(world->host), duration_ms(ms)));
    (void)store_holds(world->store, 1); /* reclaim has looked */
    mailbox_body_read(world->store, body, 0, 4, keep_read, &result);
    return result;
}

static void
a_hold_that_is_not_used_ends(void **state)
{
    struct message_new message = {0};
    struct world world;
    mailbox_id inbox;
    uint32_t uid;
    size_t gone;
    (void)state;

    open_world(&world, 7);
    assert_true(open_store(&world));
    assert_int_equal(mailbox_open(world.store, 7, SLICE("INBOX"), &inbox), STORE_OK);
    assert_int_equal(mailbox_body_add(world.store, SLICE("held for a while"), slice_of("", 0),
                                      slice_of("", 0), &message.body),
                     STORE_OK);
    assert_int_equal(mailbox_message_append(world.store, 7, inbox, &message, &uid), STORE_OK);
    assert_int_equal(commit(&world), STORE_OK);
    mailbox_body_hold(world.store, message.body);
    assert_int_equal(mailbox_message_expunge(world.store, 7, inbox, &uid, 1, &gone), STORE_OK);
    assert_int_equal(commit(&world), STORE_OK);
    assert_true(store_holds(world.store, 1));
    for (int i = 0; i < 3; i++) /* each piece gives it as long again */
        assert_int_equal(read_after(&world, message.body, HOLD_IDLE_S * 1000 - 1), STORE_OK);
    assert_int_equal(read_after(&world, message.body, HOLD_IDLE_S * 1000), STORE_NOT_FOUND);
    assert_false(store_holds(world.store, 1));
    mailbox_body_release(world.store, message.body);
    close_world(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_operation_loses_and_doubles_nothing),
        cmocka_unit_test(random_runs_with_faults_match_a_dictionary),
        cmocka_unit_test(space_of_expunged_messages_comes_back),
        cmocka_unit_test(a_hold_that_is_not_used_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
