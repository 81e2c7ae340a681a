/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/sim/sim.h"

#include <errno.h>

static const struct sim_options options = {0};

struct world {
    struct sim *sim;
    struct host *host;
    struct host_dir *root;
};

static void
start(struct world *world)
{
    world->host = sim_host_open(world->sim, "owner");
    assert_int_equal(host_dir_open(world->host, "/", &world->root), 0);
}

static void
open_world(struct world *world, uint64_t seed)
{
    world->sim = sim_open(seed, &options);
    start(world);
}

static void
bury(struct world *world)
{
    host_dir_close(&world->root);
    sim_host_close(&world->host);
}

static void
close_world(struct world *world)
{
    bury(world);
    sim_close(&world->sim);
}

static void
cut_power(struct world *world)
{
    sim_host_kill(world->host);
    bury(world);
    sim_disk_power_cycle(sim_machine(world->sim));
    start(world);
}

static struct host_file *
open_file(struct host_dir *dir, const char *name, unsigned flags)
{
    struct host_file *file;

    assert_int_equal(host_file_open(dir, name, HOST_FILE_WRITE | flags, &file), 0);
    return file;
}

static void
put(struct host_file *file, struct slice bytes, uint64_t offset)
{
    assert_int_equal(host_file_write(file, &bytes, 1, offset), 0);
}

static bool
holds(struct host_file *file, struct slice expected)
{
    uint8_t bytes[100];
    int64_t len = host_file_read(file, bytes, sizeof(bytes), 0);

    return len >= 0 && slice_equal(slice_of(bytes, (size_t)len), expected);
}

static void
what_is_synced_stays_and_what_is_not_may_go_or_tear(void **state)
{
    struct world world;
    unsigned kept = 0, lost = 0, torn = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        open_world(&world, seed);
        struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
        put(file, SLICE("synced"), 0);
        assert_int_equal(host_file_sync(file), 0);
        assert_int_equal(host_dir_sync(world.root), 0);
        put(file, SLICE("-unsynced"), 6);
        assert_true(holds(file, SLICE("synced-unsynced")));
        host_file_close(&file);
        cut_power(&world);
        file = open_file(world.root, "f", 0);
        uint8_t bytes[100];
        int64_t len = host_file_read(file, bytes, sizeof(bytes), 0);
        assert_true(len >= 6 && len <= 15);
        assert_memory_equal(bytes, "synced-unsynced", (size_t)len);
        kept += len == 15;
        lost += len == 6;
        torn += len > 6 && len < 15;
        host_file_close(&file);
        close_world(&world);
    }
    assert_true(kept > 0 && lost > 0 && torn > 0);
}

static void
a_name_is_durable_when_its_folder_is_synced(void **state)
{
    struct world world;
    unsigned kept = 0, lost = 0;
    struct host_file_info info;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_world(&world, seed);
        struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
        put(file, SLICE("x"), 0);
        assert_int_equal(host_file_sync(file), 0);
        host_file_close(&file);
        cut_power(&world);
        int found = host_dir_find(world.root, "f", &info);
        kept += found == 0;
        lost += found == -ENOENT;
        close_world(&world);
    }
    assert_true(kept > 0 && lost > 0);
}

static void
a_rename_is_whole_or_not_at_all(void **state)
{
    struct world world;
    unsigned old = 0, new = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_world(&world, seed);
        struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
        put(file, SLICE("old"), 0);
        assert_int_equal(host_file_sync(file), 0);
        host_file_close(&file);
        file = open_file(world.root, "f.new", HOST_FILE_CREATE);
        put(file, SLICE("new"), 0);
        assert_int_equal(host_file_sync(file), 0);
        host_file_close(&file);
        assert_int_equal(host_dir_sync(world.root), 0);
        assert_int_equal(host_dir_rename(world.root, "f.new", "f"), 0);
        cut_power(&world);
        file = open_file(world.root, "f", 0);
        bool is_new = holds(file, SLICE("new"));
        assert_true(is_new || holds(file, SLICE("old")));
        struct host_file_info info;
        assert_int_equal(host_dir_find(world.root, "f.new", &info), is_new ? -ENOENT : 0);
        old += !is_new;
        new += is_new;
        host_file_close(&file);
        close_world(&world);
    }
    assert_true(old > 0 && new > 0);
}

/* As rename(2) does. */
static void
a_folder_takes_the_place_of_an_empty_one_and_of_no_other(void **state)
{
    struct world world;
    struct host_file_info info;
    struct host_dir *full = NULL;

    (void)state;
    open_world(&world, 1);
    assert_int_equal(host_dir_make(world.root, "full"), 0);
    assert_int_equal(host_dir_make(world.root, "empty"), 0);
    assert_int_equal(host_dir_open_below(world.root, "full", &full), 0);
    struct host_file *file = open_file(full, "f", HOST_FILE_CREATE);
    host_file_close(&file);
    file = open_file(world.root, "file", HOST_FILE_CREATE);
    host_file_close(&file);
    assert_int_equal(host_dir_rename(world.root, "empty", "full"), -ENOTEMPTY);
    assert_int_equal(host_dir_rename(world.root, "file", "empty"), -EISDIR);
    assert_int_equal(host_dir_rename(world.root, "empty", "file"), -ENOTDIR);
    assert_int_equal(host_dir_rename(world.root, "full", "empty"), 0);
    host_dir_close(&full);
    assert_int_equal(host_dir_find(world.root, "full", &info), -ENOENT);
    assert_int_equal(host_dir_open_below(world.root, "empty", &full), 0);
    assert_int_equal(host_dir_find(full, "f", &info), 0);
    host_dir_close(&full);
    close_world(&world);
}

static void
a_move_between_folders_is_durable_from_either_side(void **state)
{
    struct world world;
    struct host_dir *tmp, *new;
    struct host_file_info info;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        open_world(&world, seed);
        assert_int_equal(host_dir_make(world.root, "tmp"), 0);
        assert_int_equal(host_dir_make(world.root, "new"), 0);
        assert_int_equal(host_dir_make(world.root, "new"), -EEXIST);
        assert_int_equal(host_dir_sync(world.root), 0);
        assert_int_equal(host_dir_open_below(world.root, "tmp", &tmp), 0);
        assert_int_equal(host_dir_open_below(world.root, "new", &new), 0);
        struct host_file *file = open_file(tmp, "m", HOST_FILE_CREATE);
        host_file_close(&file);
        assert_int_equal(host_dir_move(tmp, "m", new, "n"), 0);
        assert_int_equal(host_dir_sync(new), 0);
        host_dir_close(&tmp);
        host_dir_close(&new);
        cut_power(&world);
        assert_int_equal(host_dir_open(world.host, "/new", &new), 0);
        assert_int_equal(host_dir_open(world.host, "tmp", &tmp), 0);
        assert_int_equal(host_dir_find(new, "n", &info), 0);
        assert_int_equal(host_dir_find(tmp, "m", &info), -ENOENT);
        host_dir_close(&tmp);
        host_dir_close(&new);
        close_world(&world);
    }
}

static void
a_failed_sync_may_forget_what_readers_still_see(void **state)
{
    struct world world;
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        open_world(&world, seed);
        struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
        assert_int_equal(host_dir_sync(world.root), 0);
        put(file, SLICE("data"), 0);
        sim_disk_fail(sim_machine(world.sim), SIM_FAULT_SYNC, 1, -EIO);
        assert_int_equal(host_file_sync(file), -EIO);
        assert_true(holds(file, SLICE("data")));
        assert_int_equal(host_file_sync(file), 0); /* the lie that PostgreSQL met in 2018 */
        host_file_close(&file);
        cut_power(&world);
        file = open_file(world.root, "f", 0);
        lost += !holds(file, SLICE("data"));
        host_file_close(&file);
        close_world(&world);
    }
    assert_true(lost > 0);
}

static void
room_ends_and_comes_back(void **state)
{
    struct world world;
    uint8_t bytes[1000] = {1};
    uint64_t room, total, size;

    (void)state;
    open_world(&world, 1);
    sim_disk_set_free(sim_machine(world.sim), 1500);
    struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
    put(file, slice_of(bytes, sizeof(bytes)), 0);
    put(file, slice_of(bytes, sizeof(bytes)), 0); /* again in the same place */
    struct slice more = slice_of(bytes, sizeof(bytes));
    assert_int_equal(host_file_write(file, &more, 1, 1000), -ENOSPC);
    assert_int_equal(host_file_reserve(file, 3000), -ENOSPC);
    assert_int_equal(sim_disk_hits(sim_machine(world.sim))->room, 2);
    assert_int_equal(host_dir_space(world.root, &room, &total), 0);
    assert_int_equal(room, 0);
    assert_int_equal(host_file_truncate(file, 100), 0);
    assert_int_equal(host_dir_space(world.root, &room, &total), 0);
    assert_int_equal(room, 1400);
    assert_int_equal(host_file_reserve(file, 800), 0);
    assert_int_equal(host_file_size(file, &size), 0);
    assert_int_equal(size, 800);
    sim_disk_set_free(sim_machine(world.sim), UINT64_MAX); /* without an end, though some is used */
    assert_int_equal(host_file_reserve(file, 100000), 0);
    assert_int_equal(host_file_truncate(file, 800), 0);
    sim_disk_set_free(sim_machine(world.sim), 700);
    host_file_close(&file);
    assert_int_equal(host_dir_remove(world.root, "f"), 0);
    assert_int_equal(host_dir_space(world.root, &room, &total), 0);
    assert_int_equal(room, 1500);
    close_world(&world);
}

static void
faults_come_as_often_as_asked(void **state)
{
    struct world world;
    uint8_t byte;
    struct slice one = SLICE("1");

    (void)state;
    open_world(&world, 2);
    struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
    sim_disk_fail(sim_machine(world.sim), SIM_FAULT_WRITE, 2, -EIO);
    assert_int_equal(host_file_write(file, &one, 1, 0), -EIO);
    assert_int_equal(host_file_truncate(file, 0), -EIO);
    assert_int_equal(host_file_write(file, &one, 1, 0), 0);
    sim_disk_fail(sim_machine(world.sim), SIM_FAULT_READ, 1, -EIO);
    assert_int_equal(host_file_read(file, &byte, 1, 0), -EIO);
    assert_int_equal(host_file_read(file, &byte, 1, 0), 1);
    assert_int_equal(sim_disk_damage(sim_machine(world.sim), "/f", 0, 1), 0);
    assert_int_equal(host_file_read(file, &byte, 1, 0), 1);
    assert_int_equal(byte, '1' ^ 2);
    assert_int_equal(sim_disk_damage(sim_machine(world.sim), "/f", 1, 1), -EINVAL);
    assert_int_equal(sim_disk_damage(sim_machine(world.sim), "/g", 0, 1), -ENOENT);
    host_file_close(&file);
    close_world(&world);
}

static void
a_bad_sector_is_unread_until_it_is_written(void **state)
{
    struct slice zeros = SLICE("0000");
    struct world world;
    char bytes[12];

    (void)state;
    open_world(&world, 3);
    struct host_file *file = open_file(world.root, "f", HOST_FILE_CREATE);
    struct slice text = SLICE("twelve bytes");
    assert_int_equal(host_file_write(file, &text, 1, 0), 0);
    assert_int_equal(sim_disk_spoil(sim_machine(world.sim), "/g", 4, 4), -ENOENT);
    assert_int_equal(sim_disk_spoil(sim_machine(world.sim), "/f", 4, 4), 0);
    assert_int_equal(host_file_read(file, bytes, 12, 0), -EIO);
    assert_int_equal(host_file_read(file, bytes, 1, 7), -EIO);
    assert_int_equal(host_file_read(file, bytes, 4, 0), 4);
    assert_int_equal(host_file_read(file, bytes, 4, 8), 4);
    struct slice half = slice_first(zeros, 2);
    assert_int_equal(host_file_write(file, &half, 1, 2), 0);
    assert_int_equal(host_file_read(file, bytes, 1, 4), -EIO);
    assert_int_equal(host_file_write(file, &zeros, 1, 6), 0);
    assert_int_equal(host_file_read(file, bytes, 2, 6), 2);
    assert_int_equal(host_file_read(file, bytes, 6, 0), -EIO);
    assert_int_equal(host_file_write(file, &zeros, 1, 2), 0);
    assert_int_equal(host_file_read(file, bytes, 12, 0), 12);
    assert_memory_equal(bytes, "tw00000000es", 12);
    host_file_close(&file);
    close_world(&world);
}

static void
locks_end_with_their_process(void **state)
{
    struct world world;
    struct host_dir *root;

    (void)state;
    open_world(&world, 3);
    struct host *other = sim_host_open(world.sim, "other");
    assert_int_equal(host_dir_open(other, "/", &root), 0);
    struct host_file *ours = open_file(world.root, "f", HOST_FILE_CREATE);
    struct host_file *theirs = open_file(root, "f", 0);
    assert_int_equal(host_file_lock(ours), 0);
    assert_int_equal(host_file_lock_record(ours), 0);
    assert_int_equal(host_file_lock(theirs), -EWOULDBLOCK);
    assert_int_equal(host_file_lock_record(theirs), -EWOULDBLOCK);
    sim_host_kill(world.host);
    assert_int_equal(host_file_lock(theirs), 0);
    assert_int_equal(host_file_lock_record(theirs), 0);
    host_file_close(&ours);
    host_file_close(&theirs);
    host_dir_close(&root);
    sim_host_close(&other);
    close_world(&world);
}

/* ---- a program that keeps numbers, against every possible crash ------------------------------ */

struct keeper {
    struct world *world;
    uint32_t acknowledged; /* numbers below this one were promised */
    bool forgets_sync;     /* the mistake that the sweep must find */
};

enum { NUMBERS = 12 };

/* As a handler of the process: appends one number, syncs, promises. */
static void
keep_one(void *context)
{
    struct keeper *keeper = context;
    struct host_file *file;
    uint32_t number = keeper->acknowledged;
    struct slice bytes = slice_of(&number, sizeof(number));

    if (number == NUMBERS)
        return;
    if (host_file_open(keeper->world->root, "numbers", HOST_FILE_WRITE | HOST_FILE_CREATE, &file))
        return;
    int error = host_file_write(file, &bytes, 1, number * sizeof(number));
    if (error == 0 && !keeper->forgets_sync)
        error = host_file_sync(file);
    if (error == 0)
        error = host_dir_sync(keeper->world->root);
    if (error == 0)
        keeper->acknowledged++;
    host_file_close(&file);
    host_defer(keeper->world->host, keep_one, keeper);
}

/* Runs until the crash; true when everything that was promised is there after it. */
static bool
survives_crash(uint64_t seed, uint64_t operation, bool is_power_cut, bool forgets_sync,
               bool *ret_has_crashed)
{
    struct world world;
    struct keeper keeper = {.world = &world, .forgets_sync = forgets_sync};
    struct host *dead;
    bool is_whole = true;

    open_world(&world, seed);
    sim_crash_at(sim_machine(world.sim), operation, is_power_cut);
    host_defer(world.host, keep_one, &keeper);
    enum sim_end end = sim_run(world.sim, (struct instant){INT64_MAX - 1}, &dead);
    *ret_has_crashed = end == SIM_CRASHED;
    if (end == SIM_CRASHED) {
        assert_ptr_equal(dead, world.host);
        assert_true(sim_host_is_dead(dead));
        bury(&world);
        if (is_power_cut)
            sim_disk_power_cycle(sim_machine(world.sim));
        start(&world);
    }
    struct host_file *file = NULL;
    if (keeper.acknowledged > 0)
        is_whole = host_file_open(world.root, "numbers", 0, &file) == 0;
    for (uint32_t i = 0; i < keeper.acknowledged && is_whole; i++) {
        uint32_t found = UINT32_MAX;
        is_whole =
            host_file_read(file, &found, sizeof(found), i * sizeof(found)) == 4 && found == i;
    }
    host_file_close(&file);
    close_world(&world);
    return is_whole;
}

static bool
survives_all_crashes(bool is_power_cut, bool forgets_sync)
{
    bool is_whole = true;

    for (uint64_t seed = 0; seed < 20; seed++) {
        bool has_crashed = true;
        for (uint64_t operation = 0; has_crashed; operation++)
            is_whole &= survives_crash(seed, operation, is_power_cut, forgets_sync, &has_crashed);
    }
    return is_whole;
}

static void
a_crash_at_every_operation_finds_the_missing_sync(void **state)
{
    (void)state;
    assert_true(survives_all_crashes(true, false));
    assert_true(survives_all_crashes(false, false));
    assert_false(survives_all_crashes(true, true));
    assert_true(survives_all_crashes(false, true)); /* the kernel outlives a process */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_synced_stays_and_what_is_not_may_go_or_tear),
        cmocka_unit_test(a_name_is_durable_when_its_folder_is_synced),
        cmocka_unit_test(a_rename_is_whole_or_not_at_all),
        cmocka_unit_test(a_folder_takes_the_place_of_an_empty_one_and_of_no_other),
        cmocka_unit_test(a_move_between_folders_is_durable_from_either_side),
        cmocka_unit_test(a_failed_sync_may_forget_what_readers_still_see),
        cmocka_unit_test(room_ends_and_comes_back),
        cmocka_unit_test(faults_come_as_often_as_asked),
        cmocka_unit_test(a_bad_sector_is_unread_until_it_is_written),
        cmocka_unit_test(locks_end_with_their_process),
        cmocka_unit_test(a_crash_at_every_operation_finds_the_missing_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
