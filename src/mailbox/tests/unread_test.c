/* SPDX-License-Identifier: ISC */
/* A disk that cannot read its log: for a moment, nothing that was acknowledged is gone on without;
 * for good, somebody gives it up, and the rest is served. */
#include "host/sim/sim.h"
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/reclaim.h"
#include "mailbox/rescue.h"
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

enum { SEGMENT_BYTES = 8192, TURNS = 12, STEP = 64 };

struct world {
    struct sim *sim;
    struct host *host;
    struct host_dir *dir;
    struct store *store;
    char view[256];
    struct buffer why;
    unsigned findings, damaged;
    /* What rescue gave up. */
    unsigned given_up, not_given_up;
    uint64_t given_up_bytes;
};

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
    world->damaged += strcmp(event, "damaged") == 0;
}

static int
try_store(struct world *world)
{
    world->host = sim_host_open(world->sim, "store");
    assert_int_equal(host_dir_open(world->host, "/", &world->dir), 0);
    struct store_options options = {
        .host = world->host,
        .dir = world->dir,
        .view_path = world->view,
        .segment_bytes = SEGMENT_BYTES,
        .map_bytes = 16 << 20,
        .report = on_report,
        .report_context = world,
    };
    buffer_clear(&world->why);
    world->damaged = 0;
    return store_open(&options, &world->why, &world->store);
}

static void
bury_store(struct world *world)
{
    store_abandon(&world->store);
    host_dir_close(&world->dir);
    sim_host_close(&world->host);
}

static void
keep_result(void *context, enum store_result result)
{
    *(enum store_result *)context = result;
}

static void
do_turn(struct world *world, struct model *model)
{
    enum store_result result = STORE_BUSY;
    uint64_t operations = 1 + sim_random(world->sim, 3);

    for (uint64_t i = 0; i < operations; i++)
        assert_true(model_operate(model, world->store, draw, world->sim));
    store_commit(world->store, keep_result, &result);
    assert_int_equal(result, STORE_OK);
}

/* A store with some turns in several segments; `is_known`: the view has all of them. */
static void
open_world(struct world *world, struct model *model, bool is_known)
{
    struct sim_options options = {0};

    *world = (struct world){.sim = sim_open(11, &options)};
    *model = (struct model){0};
    buffer_init(&world->why, 1024);
    tree_make("facteur-view", world->view, sizeof(world->view));
    assert_int_equal(try_store(world), 0);
    for (int turn = 0; turn < TURNS; turn++)
        do_turn(world, model);
    struct turn_log *log = world->store->engine->ops->log(world->store->engine);
    assert_true(turn_log_count(log) >= 3);
    if (is_known)
        store_sync_view(world->store);
    bury_store(world);
}

static void
close_world(struct world *world)
{
    bury_store(world);
    tree_remove(world->view);
    buffer_finish(&world->why);
    sim_close(&world->sim);
}

static void
on_finding(void *context, struct slice text)
{
    struct world *world = context;

    (void)text;
    world->findings++;
}

static unsigned
findings(struct world *world)
{
    struct check *check = check_open(world->store, on_finding, world);

    world->findings = 0;
    assert_non_null(check);
    while (check_step(check))
        ;
    check_close(&check);
    return world->findings;
}

/* The path of a segment, or of its twin; false when there is none. */
static bool
path_of(struct world *world, uint32_t number, bool is_twin, char path[64], uint64_t *ret_size)
{
    char name[SEGMENT_NAME_SIZE];

    if (is_twin)
        segment_twin_name(number, name);
    else
        segment_name(number, false, name);
    snprintf(path, 64, "/log/%s", name);
    return sim_disk_size(sim_machine(world->sim), path, ret_size) == 0;
}

static void
spoil(struct world *world, const char *path, uint64_t offset, uint64_t len)
{
    assert_int_equal(sim_disk_spoil(sim_machine(world->sim), path, offset, len), 0);
}

/* Nothing is missing, and nothing was condemned. */
static void
assert_whole(struct world *world, struct model *model)
{
    assert_int_equal(try_store(world), 0);
    assert_int_equal(world->damaged, 0);
    assert_true(model_matches(model, world->store, true));
    assert_int_equal(findings(world), 0);
    bury_store(world);
}

/* Up to here there are turns; behind it room that was set aside. */
static uint64_t
end_of_turns(const struct world *world, uint32_t segment)
{
    struct turn_log *log = world->store->engine->ops->log(world->store->engine);

    return turn_log_find(log, segment)->len;
}

/* ---- for a moment ---------------------------------------------------------------------------- */

/* Opens over one place that cannot be read, goes on if that is permitted, and looks whether all is
 * there when the disk can read it again. Returns whether it opened. */
static bool
miss(struct world *world, struct model *model, const char *path, uint64_t offset, bool goes_on)
{
    spoil(world, path, offset, STEP);
    int result = try_store(world);
    if (result == 0 && goes_on)
        do_turn(world, model);
    if (result < 0)
        assert_int_equal(result, -EIO);
    bury_store(world);
    spoil(world, path, 0, 0);
    return result == 0;
}

static void
miss_everywhere(bool is_known)
{
    static struct model model;
    struct world world;
    uint64_t sizes[64] = {0}, ends[64] = {0};
    unsigned refused = 0, places = 0;
    uint32_t count = 1;
    char path[64];

    open_world(&world, &model, is_known);
    assert_int_equal(try_store(&world), 0);
    for (; path_of(&world, count, false, path, &sizes[count]); count++)
        ends[count] = end_of_turns(&world, count);
    bury_store(&world);
    for (uint32_t number = 1; number < count; number++) {
        for (uint64_t at = 0; at < ends[number]; at += STEP, places++) {
            (void)path_of(&world, number, false, path, &sizes[0]);
            if (!is_known)
                tree_empty(world.view);
            if (!miss(&world, &model, path, at, places % 32 == 0)) {
                refused++;
                assert_false(is_known);
            }
            if (places % 8 == 0 || !is_known)
                assert_whole(&world, &model);
        }
        assert_true(path_of(&world, number, true, path, &sizes[0]));
        assert_true(miss(&world, &model, path, 0, true));
        assert_whole(&world, &model);
    }
    print_message("%u places, refused at %u\n", places, refused);
    assert_true(is_known ? refused == 0 : refused > 20 && refused < places / 2);
    assert_int_equal(try_store(&world), 0);
    close_world(&world);
}

static void
what_cannot_be_read_for_a_moment_is_not_gone_on_without(void **state)
{
    (void)state;
    miss_everywhere(false);
}

static void
what_the_view_knows_need_not_be_read(void **state)
{
    (void)state;
    miss_everywhere(true);
}

/* ---- for good -------------------------------------------------------------------------------- */

static void
on_given_up(void *context, const char *name, uint64_t offset, uint64_t len, int result)
{
    struct world *world = context;

    (void)name, (void)offset;
    world->given_up += result == 0;
    world->not_given_up += result < 0;
    world->given_up_bytes += len;
}

static int
rescue(struct world *world)
{
    struct host *host = sim_host_open(world->sim, "rescue");
    struct host_dir *dir;

    assert_int_equal(host_dir_open(host, "/", &dir), 0);
    buffer_clear(&world->why);
    world->given_up = world->not_given_up = 0;
    world->given_up_bytes = 0;
    int result = log_rescue(dir, on_given_up, world, &world->why);
    host_dir_close(&dir);
    sim_host_close(&host);
    return result;
}

static bool
says(const struct world *world, const char *words)
{
    struct slice why = buffer_slice(&world->why);

    return slice_find(why, slice_of_string(words)) < why.len;
}

static void
what_is_never_read_again_is_given_up_and_the_rest_served(void **state)
{
    static struct model model;
    struct world world;

    (void)state;
    open_world(&world, &model, false);
    tree_empty(world.view);
    spoil(&world, "/log/00000002.seg", 4096, STEP);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_store(&world), -EIO);
        assert_true(says(&world, "store/log/00000002.seg") && says(&world, "--rescue"));
        bury_store(&world);
    }
    assert_int_equal(rescue(&world), 0);
    assert_int_equal(world.given_up, 1);
    assert_int_equal(world.given_up_bytes, RESCUE_BLOCK);
    assert_int_equal(rescue(&world), 0);
    assert_int_equal(world.given_up, 0);
    assert_int_equal(try_store(&world), 0);
    assert_true(world.damaged > 0);
    assert_false(model_matches(&model, world.store, false));
    assert_int_equal(turn_log_count(world.store->engine->ops->log(world.store->engine)) >= 3, true);
    close_world(&world);
}

static void
a_rescue_says_what_it_could_not_do(void **state)
{
    static struct model model;
    struct world world;
    uint32_t last = 1;
    char path[64];
    uint64_t size;

    (void)state;
    open_world(&world, &model, true);
    assert_int_equal(rescue(&world), 0);
    assert_int_equal(world.given_up + world.not_given_up, 0);
    while (path_of(&world, last + 1, false, path, &size))
        last++;
    assert_true(path_of(&world, last, false, path, &size));
    uint64_t behind = size / 2; /* room that was set aside */

    spoil(&world, path, behind + RESCUE_BLOCK - 1, 2);
    sim_disk_fail(sim_machine(world.sim), SIM_FAULT_WRITE, 1, -EIO);
    assert_int_equal(rescue(&world), -EIO);
    assert_true(says(&world, "copy the file to another disk"));
    assert_int_equal(world.not_given_up, 1);
    assert_int_equal(world.given_up_bytes, 2 * RESCUE_BLOCK);

    spoil(&world, path, behind, size / RESCUE_SHARE + 1);
    assert_int_equal(rescue(&world), -EIO);
    assert_true(says(&world, "nothing of it was changed"));
    assert_int_equal(world.given_up + world.not_given_up, 0);
    spoil(&world, path, behind, size / RESCUE_SHARE);
    assert_int_equal(rescue(&world), 0);
    assert_int_equal(world.given_up_bytes, size / RESCUE_SHARE);

    assert_int_equal(try_store(&world), 0);
    assert_true(model_matches(&model, world.store, true));
    assert_int_equal(rescue(&world), -EWOULDBLOCK);
    assert_true(says(&world, "stop it first"));
    close_world(&world);
}

/* ---- headers --------------------------------------------------------------------------------- */

static void
keep_step(void *context, enum store_result result, bool is_idle)
{
    (void)result;
    *(bool *)context = is_idle;
}

/* Both copies of a header that only a walk needs: named, left alone, and good again later. */
static void
a_header_that_cannot_be_read_is_contained_while_the_view_knows(void **state)
{
    static struct model model;
    struct world world;
    bool is_idle = false;

    (void)state;
    open_world(&world, &model, true);
    spoil(&world, "/log/00000001.seg", 0, SEGMENT_HEADER_LEN);
    spoil(&world, "/log/00000001.twin", 0, SEGMENT_HEADER_LEN);
    assert_int_equal(try_store(&world), 0);
    assert_int_equal(world.damaged, 1);
    assert_true(model_matches(&model, world.store, true));
    assert_true(findings(&world) > 0);
    struct reclaim *reclaim = reclaim_open(world.store);
    store_live(world.store, 1)->bytes = 0; /* nothing lives there, as far as is counted */
    for (int i = 0; i < 50 && !is_idle; i++)
        reclaim_step(reclaim, keep_step, &is_idle);
    reclaim_close(&reclaim);
    assert_non_null(turn_log_find(world.store->engine->ops->log(world.store->engine), 1));
    do_turn(&world, &model);
    bury_store(&world);
    tree_empty(world.view);
    assert_int_equal(try_store(&world), -EIO);
    bury_store(&world);
    spoil(&world, "/log/00000001.seg", 0, 0);
    spoil(&world, "/log/00000001.twin", 0, 0);
    assert_whole(&world, &model);
    assert_int_equal(try_store(&world), 0);
    close_world(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read_for_a_moment_is_not_gone_on_without),
        cmocka_unit_test(what_the_view_knows_need_not_be_read),
        cmocka_unit_test(what_is_never_read_again_is_given_up_and_the_rest_served),
        cmocka_unit_test(a_rescue_says_what_it_could_not_do),
        cmocka_unit_test(a_header_that_cannot_be_read_is_contained_while_the_view_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
