/* SPDX-License-Identifier: ISC */
/* Letter boxes on a disk that fails where we say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/put.h"
#include "host/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char first[] = "From a@b.test Thu Jan  1 00:00:00 1970\nSubject: x\n\nHello\n\n";

struct place {
    struct sim *sim;
    struct host *host;
    struct host_dir *dir; /* /home */
    struct put_message message;
    struct buffer problem;
};

static struct place *
open_seeded(uint64_t seed)
{
    struct place *place = calloc(1, sizeof(*place));
    struct host_dir *root;

    assert_non_null(place);
    place->sim = sim_open(seed, &(struct sim_options){0});
    place->host = sim_host_open(place->sim, "deliverer");
    assert_int_equal(host_dir_open(place->host, "/", &root), 0);
    assert_int_equal(host_dir_make(root, "home"), 0);
    assert_int_equal(host_dir_sync(root), 0);
    assert_int_equal(host_dir_open_below(root, "home", &place->dir), 0);
    host_dir_close(&root);
    place->message = (struct put_message){
        .path = "/home/box",
        .user = "",
        .sender = SLICE("a@b.test"),
        .message = SLICE("Subject: x\r\n\r\nHello\r\n"),
        .hostname = SLICE("host.test"),
    };
    buffer_init(&place->problem, 1000);
    return place;
}

static int
open_place(void **state)
{
    *state = open_seeded(1);
    return 0;
}

static int
close_place(void **state)
{
    struct place *place = *state;

    host_dir_close(&place->dir);
    sim_host_close(&place->host);
    sim_close(&place->sim);
    buffer_finish(&place->problem);
    free(place);
    return 0;
}

typedef enum put_result (*put_fn)(struct host *host, const struct put_message *message,
                                  struct buffer *problem);

static void
expect(struct place *place, put_fn put, enum put_result wanted, const char *words)
{
    buffer_clear(&place->problem);
    assert_int_equal(put(place->host, &place->message, &place->problem), wanted);
    struct slice problem = buffer_slice(&place->problem);
    if (slice_find(problem, slice_of_string(words)) == problem.len && *words)
        fail_msg("'%.*s' and not '%s'", (int)problem.len, (const char *)problem.at, words);
}

static void
assert_text(struct host_dir *dir, const char *name, const char *wanted)
{
    char is[1000];
    struct host_file *file;

    assert_int_equal(host_file_open(dir, name, HOST_FILE_READ, &file), 0);
    int64_t len = host_file_read(file, is, sizeof(is) - 1, 0);
    host_file_close(&file);
    assert_true(len >= 0);
    is[len] = 0;
    assert_string_equal(is, wanted);
}

static bool
has(struct host_dir *dir, const char *name)
{
    struct host_file_info info;

    return host_dir_find(dir, name, &info) == 0;
}

/* The names in home/box/WHICH; the last one stands in ret_name. */
struct names {
    unsigned count;
    char last[256];
};

static bool
on_name(void *context, const char *name)
{
    struct names *names = context;

    names->count++;
    snprintf(names->last, sizeof(names->last), "%s", name);
    return true;
}

static struct names
list_below(struct place *place, const char *which)
{
    struct names names = {0};
    struct host_dir *box, *below;

    assert_int_equal(host_dir_open_below(place->dir, "box", &box), 0);
    assert_int_equal(host_dir_open_below(box, which, &below), 0);
    assert_int_equal(host_dir_list(below, on_name, &names), 0);
    if (names.count == 1)
        assert_text(below, names.last, "Subject: x\n\nHello\n");
    host_dir_close(&below);
    host_dir_close(&box);
    return names;
}

/* ---- mbox ------------------------------------------------------------------------------------ */

static void
a_box_is_as_it_was_when_the_disk_fails(void **state)
{
    static const struct {
        enum sim_disk_fault fault;
        int error;
        enum put_result result;
    } cases[] = {
        {SIM_FAULT_WRITE, -ENOSPC, PUT_NO_SPACE}, {SIM_FAULT_WRITE, -EDQUOT, PUT_NO_SPACE},
        {SIM_FAULT_WRITE, -EFBIG, PUT_NO_SPACE},  {SIM_FAULT_WRITE, -EIO, PUT_TEMPORARY},
        {SIM_FAULT_SYNC, -EIO, PUT_TEMPORARY},    {SIM_FAULT_READ, -EIO, PUT_TEMPORARY},
    };
    struct place *place = *state;
    struct sim_machine *machine = sim_machine(place->sim);

    expect(place, put_mbox, PUT_DONE, "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sim_disk_fail(machine, cases[i].fault, 1, cases[i].error);
        expect(place, put_mbox, cases[i].result, ": ");
        assert_text(place->dir, "box", first);
        assert_false(has(place->dir, "box.lock"));
    }
    expect(place, put_mbox, PUT_DONE, "");
}

static void
a_letter_that_does_not_fit_leaves_nothing(void **state)
{
    struct place *place = *state;

    expect(place, put_mbox, PUT_DONE, "");
    sim_disk_set_free(sim_machine(place->sim), 20); /* for the lock, not for the letter */
    expect(place, put_mbox, PUT_NO_SPACE, "writing the box");
    assert_text(place->dir, "box", first);
    assert_false(has(place->dir, "box.lock"));
}

static void
an_old_lock_of_another_program_is_removed(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    struct slice text = SLICE("4711\n");

    assert_int_equal(
        host_file_open(place->dir, "box.lock", HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    assert_int_equal(host_file_write(file, &text, 1, 0), 0);
    host_file_close(&file);
    sim_wall_jump(place->sim, duration_s(PUT_STALE_LOCK_S));
    expect(place, put_mbox, PUT_BUSY, "taking the lock file");
    sim_wall_jump(place->sim, duration_s(1));
    expect(place, put_mbox, PUT_DONE, "");
    assert_text(place->dir, "box", first);
}

static void
half_a_letter_that_cannot_be_read_stays(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    struct slice half = SLICE("From a@b.te"), lock = SLICE("facteur 0 100\n");

    assert_int_equal(host_file_open(place->dir, "box", HOST_FILE_WRITE | HOST_FILE_CREATE, &file),
                     0);
    assert_int_equal(host_file_write(file, &half, 1, 0), 0);
    host_file_close(&file);
    assert_int_equal(
        host_file_open(place->dir, "box.lock", HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    assert_int_equal(host_file_write(file, &lock, 1, 0), 0);
    host_file_close(&file);
    sim_disk_fail(sim_machine(place->sim), SIM_FAULT_READ, 2, -EIO); /* lock and box */
    expect(place, put_mbox, PUT_BUSY, "");
    sim_disk_fail(sim_machine(place->sim), SIM_FAULT_NONE, 0, 0);
    assert_text(place->dir, "box", "From a@b.te");
    expect(place, put_mbox, PUT_DONE, "");
    assert_text(place->dir, "box", first);
}

static void
paths_that_lead_nowhere_are_told(void **state)
{
    static const struct {
        const char *path;
        enum put_result result;
        const char *words;
    } cases[] = {
        {"box", PUT_MISPLACED, "opening the folder"},
        {"/home/", PUT_MISPLACED, "opening the folder"},
        {"/nowhere/box", PUT_TEMPORARY, "opening the folder"},
    };
    static char long_name[300] = "/home/";
    struct place *place = *state;

    memset(long_name + 6, 'x', 256);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        place->message.path = cases[i].path;
        expect(place, put_mbox, cases[i].result, cases[i].words);
        expect(place, put_maildir, cases[i].result, cases[i].words);
    }
    place->message.path = long_name;
    expect(place, put_mbox, PUT_MISPLACED, "opening the folder");
    expect(place, put_maildir, PUT_MISPLACED, "opening the folder");
    place->message.path = "/box";
    expect(place, put_mbox, PUT_DONE, "");
}

static void
nobody_is_written_to_with_the_rights_of_another(void **state)
{
    struct place *place = *state;

    place->message.user = "somebody"; /* the simulator lets nobody become another */
    expect(place, put_mbox, PUT_TEMPORARY, "becoming the user");
    expect(place, put_maildir, PUT_TEMPORARY, "becoming the user");
    assert_false(has(place->dir, "box"));
}

/* ---- Maildir --------------------------------------------------------------------------------- */

static void
a_maildir_is_made_and_grows(void **state)
{
    struct place *place = *state;

    expect(place, put_maildir, PUT_DONE, "");
    assert_int_equal(list_below(place, "new").count, 1);
    assert_int_equal(list_below(place, "tmp").count, 0);
    assert_int_equal(list_below(place, "cur").count, 0);
    struct names names = list_below(place, "new");
    /* Eighteen octets with LF; Dovecot calls a file of another size damaged. */
    assert_non_null(strstr(names.last, "host.test,S=18"));
    expect(place, put_maildir, PUT_DONE, "");
    assert_int_equal(list_below(place, "new").count, 2);
}

static void
a_maildir_has_no_half_letters_when_the_disk_fails(void **state)
{
    static const struct {
        enum sim_disk_fault fault;
        int error;
        enum put_result result;
        const char *words;
    } cases[] = {
        {SIM_FAULT_WRITE, -ENOSPC, PUT_NO_SPACE, "making the file"},
        {SIM_FAULT_WRITE, -EIO, PUT_TEMPORARY, "making the file"},
        {SIM_FAULT_SYNC, -EIO, PUT_TEMPORARY, "syncing the file"},
    };
    struct place *place = *state;

    expect(place, put_maildir, PUT_DONE, "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sim_disk_fail(sim_machine(place->sim), cases[i].fault, 1, cases[i].error);
        expect(place, put_maildir, cases[i].result, cases[i].words);
        assert_int_equal(list_below(place, "tmp").count, 0);
        assert_int_equal(list_below(place, "new").count, 1);
    }
    sim_disk_set_free(sim_machine(place->sim), 10);
    expect(place, put_maildir, PUT_NO_SPACE, "writing the file");
    assert_int_equal(list_below(place, "tmp").count, 0);
    sim_disk_set_free(sim_machine(place->sim), 1 << 20);
    expect(place, put_maildir, PUT_DONE, "");
}

/* A file where the folder, or one of its three, should be. */
static void
what_is_no_maildir_is_left_alone(void **state)
{
    struct place *place = *state;

    expect(place, put_mbox, PUT_DONE, "");
    buffer_clear(&place->problem);
    assert_int_not_equal(put_maildir(place->host, &place->message, &place->problem), PUT_DONE);
    assert_true(slice_starts_with(buffer_slice(&place->problem), SLICE("opening the Maildir")));
    assert_text(place->dir, "box", first);
}

/* ---- power ----------------------------------------------------------------------------------- */

static void
bury(struct place *place)
{
    host_dir_close(&place->dir);
    sim_host_close(&place->host);
}

static void
begin_again(struct place *place)
{
    struct host_dir *root;

    place->host = sim_host_open(place->sim, "deliverer");
    assert_int_equal(host_dir_open(place->host, "/", &root), 0);
    assert_int_equal(host_dir_open_below(root, "home", &place->dir), 0);
    host_dir_close(&root);
}

/* The machine loses its power, and is there again with what its disk has kept. */
static void
cut_power(struct place *place)
{
    sim_power_cut(sim_machine(place->sim));
    bury(place);
    sim_disk_power_cycle(sim_machine(place->sim));
    begin_again(place);
}

/* The box has that many whole letters, and nothing else. */
static void
assert_letters(struct place *place, size_t least, size_t most)
{
    char wanted[10 * sizeof(first)];
    struct host_file *file;
    uint64_t size;

    assert_int_equal(host_file_open(place->dir, "box", HOST_FILE_READ, &file), 0);
    assert_int_equal(host_file_size(file, &size), 0);
    host_file_close(&file);
    size_t count = (size_t)size / (sizeof(first) - 1);
    assert_in_range(count, least, most);
    for (size_t i = 0; i < count; i++)
        memcpy(wanted + i * (sizeof(first) - 1), first, sizeof(first));
    assert_text(place->dir, "box", wanted);
}

/* The first letter, for which the box is made, and the second. */
static void
what_was_taken_outlives_a_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        void *place = open_seeded(seed);
        expect(place, put_mbox, PUT_DONE, "");
        cut_power(place);
        assert_text(((struct place *)place)->dir, "box", first);
        /* A lock may be there again. */
        sim_wall_jump(((struct place *)place)->sim, duration_s(PUT_STALE_LOCK_S + 10));
        expect(place, put_mbox, PUT_DONE, "");
        cut_power(place);
        assert_letters(place, 2, 2);
        close_place(&place);
        place = open_seeded(seed);
        for (unsigned letters = 1; letters <= 2; letters++) {
            expect(place, put_maildir, PUT_DONE, "");
            cut_power(place);
            assert_int_equal(list_below(place, "new").count, letters);
        }
        close_place(&place);
    }
}

/* The name of a box is on the disk before a letter counts, also where somebody has made the box in
 * vain: for want of room, or because it died. */
static void
a_box_that_was_made_in_vain_outlives_a_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        void *opened = open_seeded(seed);
        struct place *place = opened;
        sim_disk_set_free(sim_machine(place->sim), 20); /* for the lock, not for the letter */
        expect(place, put_mbox, PUT_NO_SPACE, "writing the box");
        sim_disk_set_free(sim_machine(place->sim), 1 << 20);
        expect(place, put_mbox, PUT_DONE, "");
        cut_power(place);
        assert_letters(place, 1, 1);
        close_place(&opened);
    }
}

static void
a_box_whose_maker_died_outlives_a_power_cut(void **state)
{
    bool has_crashed = true;
    unsigned crashes = 0;

    (void)state;
    for (uint64_t at = 1; has_crashed; at++) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
            void *opened = open_seeded(seed);
            struct place *place = opened;
            struct sim_machine *machine = sim_machine(place->sim);
            sim_crash_at(machine, sim_disk_operations(machine) + at, false);
            buffer_clear(&place->problem);
            (void)put_mbox(place->host, &place->message, &place->problem);
            has_crashed = sim_host_is_dead(place->host);
            crashes += has_crashed;
            if (has_crashed) {
                bury(place);
                begin_again(place);
            }
            sim_crash_at(machine, UINT64_MAX, false);
            sim_wall_jump(place->sim, duration_s(PUT_STALE_LOCK_S + 10));
            expect(place, put_mbox, PUT_DONE, "");
            cut_power(place);
            assert_letters(place, 1, 2);
            close_place(&opened);
        }
    }
    assert_true(crashes >= 20 * 5); /* as below, and syncing the folder */
}

/* A process dies in each of its operations: what it may have written in part is gone when the next
 * letter comes, and the whole ones stay. */
static void
who_dies_leaves_no_half_letter(void **state)
{
    bool has_crashed = true;
    unsigned crashes = 0;

    (void)state;
    for (uint64_t at = 1; has_crashed; at++) {
        for (uint64_t seed = 1; seed <= 8; seed++) {
            void *opened = open_seeded(seed);
            struct place *place = opened;
            struct sim_machine *machine = sim_machine(place->sim);
            expect(place, put_mbox, PUT_DONE, "");
            sim_crash_at(machine, sim_disk_operations(machine) + at, false);
            buffer_clear(&place->problem);
            (void)put_mbox(place->host, &place->message, &place->problem);
            has_crashed = sim_host_is_dead(place->host);
            crashes += has_crashed;
            if (has_crashed) {
                bury(place);
                begin_again(place);
            }
            sim_crash_at(machine, UINT64_MAX, false);
            sim_wall_jump(place->sim, duration_s(PUT_STALE_LOCK_S + 10));
            expect(place, put_mbox, PUT_DONE, "");
            assert_letters(place, 2, 3);
            close_place(&opened);
        }
    }
    assert_true(crashes >= 8 * 4); /* making the lock, writing it, writing and syncing the box */
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {
        CASE(a_box_is_as_it_was_when_the_disk_fails),
        CASE(a_letter_that_does_not_fit_leaves_nothing),
        CASE(an_old_lock_of_another_program_is_removed),
        CASE(half_a_letter_that_cannot_be_read_stays),
        CASE(paths_that_lead_nowhere_are_told),
        CASE(nobody_is_written_to_with_the_rights_of_another),
        CASE(a_maildir_is_made_and_grows),
        CASE(a_maildir_has_no_half_letters_when_the_disk_fails),
        cmocka_unit_test(what_was_taken_outlives_a_power_cut),
        cmocka_unit_test(a_box_that_was_made_in_vain_outlives_a_power_cut),
        cmocka_unit_test(a_box_whose_maker_died_outlives_a_power_cut),
        cmocka_unit_test(who_dies_leaves_no_half_letter),
        CASE(what_is_no_maildir_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
