/* SPDX-License-Identifier: ISC */
/* What the log does with the last octets of a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/sim/sim.h"
#include "mailbox/engine.h"

#include <errno.h>

enum { SLACK = 2 * 50000 }; /* two turns */

/* Appends until there is no room; how many octets went in. */
static uint64_t
append_until_full(struct turn_log *log, uint64_t *number, enum turn_need need)
{
    static const uint8_t text[50000] = {1};
    struct turn_body body;
    struct turn turn = {.bodies = &body, .body_count = 1, .need = need};
    uint64_t octets = 0;
    struct place place;
    int result;

    body = (struct turn_body){.id = 1,
                              .refs = 1,
                              .parts = {slice_of(text, sizeof(text)), slice_of("", 0)},
                              .record = slice_of("", 0)};
    body.hash = turn_body_hash(body.parts[0], body.parts[1]);
    body.record_hash = turn_body_hash(body.record, slice_of("", 0));
    while ((result = turn_log_append(log, &turn, 1, *number, &place)) == 0) {
        octets += sizeof(text);
        ++*number;
    }
    assert_int_equal(result, -ENOSPC);
    return octets;
}

static bool
count_name(void *context, const char *name)
{
    (void)name;
    ++*(size_t *)context;
    return true;
}

/* The log of a disk with room for a step and a half. */
static void
expect_spares(uint64_t segment_bytes)
{
    const struct sim_options options = {.disk_bytes = LOG_RESERVE_STEP * 3 / 2};
    struct sim *sim = sim_open(7, &options);
    struct host *host = sim_host_open(sim, "store");
    struct host_dir *dir = NULL;
    struct turn_log *log = NULL;
    struct buffer why;
    uint64_t number = 1;
    size_t names = 0;

    buffer_init(&why, 1024);
    assert_int_equal(host_dir_open(host, "/", &dir), 0);
    assert_int_equal(turn_log_open(host, dir, 0, segment_bytes, &why, &log), 0);
    assert_int_equal(turn_log_cut(log, 0, 0), 0);
    assert_true(append_until_full(log, &number, TURN_TAKES) > LOG_RESERVE_STEP / 2);
    size_t segments = turn_log_count(log);
    assert_in_range(append_until_full(log, &number, TURN_CHANGES), LOG_SPARE / 2 - SLACK,
                    LOG_SPARE / 2 + SLACK);
    assert_int_equal(append_until_full(log, &number, TURN_TAKES), 0);
    assert_in_range(append_until_full(log, &number, TURN_FREES), LOG_SPARE / 2 - SLACK,
                    LOG_SPARE / 2 + SLACK);
    assert_int_equal(turn_log_count(log), segments);
    assert_int_equal(host_dir_list(dir, count_name, &names), 0);
    assert_int_equal(names, segments * 2); /* each and its twin, and nothing that was begun */
    turn_log_close(&log);
    host_dir_close(&dir);
    sim_host_close(&host);
    sim_close(&sim);
    buffer_finish(&why);
}

static void
new_mail_leaves_the_spare_and_changes_half_of_it_to_what_frees_space(void **state)
{
    (void)state;
    expect_spares(LOG_SEGMENT_BYTES);
}

/* Without a spare of its own the next one is not begun: the tail grows over its length. */
static void
a_segment_that_ends_on_a_full_disk_keeps_the_spare(void **state)
{
    (void)state;
    for (uint64_t part = 2; part < 8; part++)
        expect_spares(LOG_RESERVE_STEP * part / 8);
}

static bool
take_any(void *context, const struct log_found *found)
{
    (void)context, (void)found;
    return true;
}

static void
keep_commit(void *context, enum engine_result result, struct place place)
{
    (void)place;
    *(enum engine_result *)context = result;
}

static enum engine_result
commit_one(struct engine *engine, uint64_t number)
{
    struct turn_change change = {SLICE("key"), true, SLICE("value")};
    struct turn turn = {.changes = &change, .change_count = 1, .need = TURN_TAKES};
    enum engine_result result = ENGINE_FENCED;

    engine->ops->commit(engine, &turn, number, keep_commit, &result);
    return result;
}

/* Who sends mail is told 452 of the one, and 451 of the other. */
static void
a_disk_that_is_full_is_told_from_one_that_fails(void **state)
{
    const struct sim_options options = {0};
    struct sim *sim = sim_open(7, &options);
    struct host *host = sim_host_open(sim, "store");
    struct sim_machine *machine = sim_machine(sim);
    struct host_dir *dir = NULL;
    struct engine *engine = NULL;
    struct buffer why;
    (void)state;

    buffer_init(&why, 1024);
    assert_int_equal(host_dir_open(host, "/", &dir), 0);
    assert_int_equal(engine_file_open(host, dir, 0, 0, &why, &engine), 0);
    assert_int_equal(engine->ops->replay(engine, (struct place){0, 0}, 0, true, take_any, NULL), 0);
    assert_int_equal(commit_one(engine, 1), ENGINE_DURABLE);
    sim_disk_fail(machine, SIM_FAULT_WRITE, 1, -EIO);
    assert_int_equal(commit_one(engine, 2), ENGINE_FAILED);
    sim_disk_fail(machine, SIM_FAULT_NONE, 0, 0);
    sim_disk_set_free(machine, 0);
    assert_int_equal(commit_one(engine, 2), ENGINE_NO_SPACE);
    sim_disk_set_free(machine, 1 << 30);
    sim_disk_fail(machine, SIM_FAULT_WRITE, 1, -EDQUOT);
    assert_int_equal(commit_one(engine, 2), ENGINE_NO_SPACE);
    sim_disk_fail(machine, SIM_FAULT_NONE, 0, 0);
    assert_int_equal(commit_one(engine, 2), ENGINE_DURABLE);
    engine->ops->close(&engine);
    host_dir_close(&dir);
    sim_host_close(&host);
    sim_close(&sim);
    buffer_finish(&why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_mail_leaves_the_spare_and_changes_half_of_it_to_what_frees_space),
        cmocka_unit_test(a_segment_that_ends_on_a_full_disk_keeps_the_spare),
        cmocka_unit_test(a_disk_that_is_full_is_told_from_one_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
