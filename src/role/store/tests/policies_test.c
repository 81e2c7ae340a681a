/* SPDX-License-Identifier: ISC */
/* What the store keeps of MTA-STS policies, by what it tells transports. */
#include "role/tests/world.h"

#include "note/store_route.h"
#include "note/store_transport.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT "version: STSv1\nmode: enforce\nmx: mx.b.test\nmax_age: 86400\n"

enum { SIDE_STORE = 0 };

struct setup {
    struct world world;
    struct world_peer route, transports[2];
    struct note_ledger route_ledger, ledgers[2];
    struct arena arena;
    char folder[64]; /* a real one: LMDB opens its files itself */
};

static void
start(struct setup *setup)
{
    world_start(&setup->world);
    world_attach(&setup->world, &setup->route, ROLE_ROUTE, 0);
    for (unsigned i = 0; i < 2; i++)
        world_attach(&setup->world, &setup->transports[i], ROLE_TRANSPORT, i);
    world_run(&setup->world, 100);
}

static void
stop(struct setup *setup)
{
    setup->world.role->close(setup->world.state);
    setup->world.state = NULL;
    world_detach(&setup->route);
    note_ledger_finish(&setup->route_ledger);
    for (unsigned i = 0; i < 2; i++) {
        world_detach(&setup->transports[i]);
        note_ledger_finish(&setup->ledgers[i]);
    }
}

static int
open_setup(void **state)
{
    static struct setup setup;
    struct sim_options options = {.real_path = setup.folder};
    struct host_dir *data = NULL;

    setup = (struct setup){.folder = "/tmp/facteur-policies-XXXXXX"};
    assert_non_null(mkdtemp(setup.folder));
    world_open_seeded(&setup.world, &role_store, 1, &options);
    setup.world.config.store_map_size = 64 << 20;
    assert_int_equal(host_dir_open(setup.world.host, "/data", &data), 0);
    assert_int_equal(host_dir_make(data, "store"), 0);
    host_dir_close(&data);
    arena_init(&setup.arena, 1 << 26);
    start(&setup);
    *state = &setup;
    return 0;
}

static int
remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

static int
close_setup(void **state)
{
    struct setup *setup = *state;

    stop(setup);
    world_close(&setup->world);
    arena_finish(&setup->arena);
    return nftw(setup->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A transport has fetched one. */
static void
learn(struct setup *setup, const char *domain, const char *id, int64_t max_age_s)
{
    int64_t now_s = wall_seconds(host_wall(setup->world.host));
    struct store_transport_learned note = {
        .domain = slice_of_string(domain),
        .sts_id = slice_of_string(id),
        .text = SLICE(TEXT),
        .fetched_s = now_s,
        .until_s = now_s + max_age_s,
    };
    struct buffer bytes;

    buffer_init(&bytes, HOST_NOTE_MAX);
    assert_true(store_transport_put_learned(&bytes, &setup->ledgers[0], &note));
    host_channel_send(setup->transports[0].channel, buffer_slice(&bytes), HOST_HANDLE_NONE);
    buffer_finish(&bytes);
    world_run(&setup->world, 100);
}

static struct store_transport_note
next(struct setup *setup, unsigned transport)
{
    struct store_transport_note note;

    assert_true(store_transport_take(world_next(&setup->transports[transport]), HOST_HANDLE_NONE,
                                     SIDE_STORE, &setup->ledgers[transport], &setup->arena, &note));
    return note;
}

static void
expect_told(struct setup *setup, unsigned transport, const char *domain, const char *id)
{
    struct store_transport_note note = next(setup, transport);

    assert_int_equal(note.kind, STORE_TRANSPORT_POLICY);
    assert_true(slice_equal(note.as.policy.domain, slice_of_string(domain)));
    assert_true(slice_equal(note.as.policy.sts_id, slice_of_string(id)));
    assert_true(slice_equal(note.as.policy.text, SLICE(TEXT)));
}

static void
expect_silence(struct setup *setup, unsigned transport)
{
    world_run(&setup->world, 100);
    assert_int_equal(setup->transports[transport].taken, setup->transports[transport].count);
}

static void
append(struct setup *setup, struct slice bytes)
{
    struct host_dir *dir = NULL;
    struct host_file *file = NULL;
    uint64_t size;

    assert_int_equal(host_dir_open(setup->world.host, "/data/store", &dir), 0);
    assert_int_equal(host_file_open(dir, "sts", HOST_FILE_WRITE, &file), 0);
    assert_int_equal(host_file_size(file, &size), 0);
    assert_int_equal(host_file_write(file, &bytes, 1, size), 0);
    host_file_close(&file);
    host_dir_close(&dir);
}

/* ---- the tests ----------------------------------------------------------------------------- */

static void
what_one_has_learned_all_know_also_after_a_restart(void **state)
{
    struct setup *setup = *state;

    expect_silence(setup, 0);
    learn(setup, "b.test", "1", 86400);
    learn(setup, "short.test", "1", 3);
    learn(setup, "b.test", "2", 86400);
    expect_told(setup, 1, "b.test", "1");
    expect_told(setup, 1, "short.test", "1");
    expect_told(setup, 1, "b.test", "2");
    expect_silence(setup, 0); /* it knows */
    world_run(&setup->world, 5000);
    stop(setup);
    start(setup);
    for (unsigned i = 0; i < 2; i++) {
        expect_told(setup, i, "b.test", "2");
        expect_silence(setup, i);
    }
}

static void
what_is_damaged_in_the_file_is_passed_over(void **state)
{
    struct setup *setup = *state;

    learn(setup, "b.test", "1", 86400);
    stop(setup);
    append(setup, SLICE("\n1 2 3\nc.test 1 5 x AAAA\nc.test 1 4 99999999999 !\n"
                        "c.test 1 0 9999999999 AAAA\nd.test 1 1000000000 10"));
    start(setup);
    expect_told(setup, 0, "b.test", "1");
    expect_silence(setup, 0);
    /* What is added now stands on a line of its own. */
    learn(setup, "e.test", "7", 86400);
    stop(setup);
    start(setup);
    expect_told(setup, 0, "b.test", "1");
    expect_told(setup, 0, "e.test", "7");
    expect_silence(setup, 0);
}

static void
spoil(struct setup *setup, uint64_t len)
{
    assert_int_equal(sim_disk_spoil(sim_machine(setup->world.sim), "/data/store/sts", 0, len), 0);
}

/* Who can keep a domain's record from us would have to wait for one read that fails. */
static void
what_cannot_be_read_for_a_moment_is_not_forgotten(void **state)
{
    struct setup *setup = *state;

    learn(setup, "b.test", "1", 86400);
    learn(setup, "c.test", "1", 86400);
    stop(setup);
    spoil(setup, 8);
    start(setup);
    expect_silence(setup, 0);
    spoil(setup, 0);
    world_run(&setup->world, 11000);
    for (unsigned i = 0; i < 2; i++) {
        expect_told(setup, i, "b.test", "1");
        expect_told(setup, i, "c.test", "1");
    }
    stop(setup);
    spoil(setup, 8);
    start(setup);
    expect_silence(setup, 0);
    spoil(setup, 0);
    learn(setup, "c.test", "2", 86400); /* it is newer than the line that is read now */
    stop(setup);
    start(setup);
    expect_told(setup, 0, "b.test", "1");
    expect_told(setup, 0, "c.test", "2");
    expect_silence(setup, 0);
}

/* What is learned first is the oldest of all, when a file that is full comes behind it; and what
 * holds for no time is forgotten with what is old. */
static void
what_is_learned_before_the_file_is_read_is_kept_apart_from_it(void **state)
{
    struct setup *setup = *state;

    learn(setup, "b.test", "1", 86400);
    stop(setup);
    spoil(setup, 8);
    start(setup);
    spoil(setup, 0);
    learn(setup, "c.test", "1", 0);
    expect_told(setup, 0, "b.test", "1");
    expect_told(setup, 1, "b.test", "1");
    expect_told(setup, 1, "c.test", "1");
    stop(setup);
    start(setup);
    expect_told(setup, 0, "b.test", "1");
    expect_silence(setup, 0);
}

static void
what_is_never_read_again_is_put_aside(void **state)
{
    struct setup *setup = *state;
    struct host_dir *dir = NULL;
    struct host_file_info info;

    learn(setup, "b.test", "1", 86400);
    stop(setup);
    spoil(setup, 8);
    start(setup);
    learn(setup, "c.test", "1", 86400);
    stop(setup);
    start(setup);
    expect_told(setup, 0, "c.test", "1");
    expect_silence(setup, 0);
    assert_int_equal(host_dir_open(setup->world.host, "/data/store", &dir), 0);
    assert_int_equal(host_dir_find(dir, "sts.unread", &info), 0);
    host_dir_close(&dir);
}

static void
a_file_that_grows_is_written_anew(void **state)
{
    struct setup *setup = *state;
    struct host_dir *dir = NULL;
    struct host_file_info info;
    char id[16];

    for (unsigned i = 0; i < 1500; i++) {
        snprintf(id, sizeof(id), "%u", i);
        learn(setup, "b.test", id, 86400);
    }
    assert_int_equal(host_dir_open(setup->world.host, "/data/store", &dir), 0);
    assert_int_equal(host_dir_find(dir, "sts", &info), 0);
    host_dir_close(&dir);
    assert_in_range(info.size, 100, 70000);
    stop(setup);
    start(setup);
    expect_told(setup, 0, "b.test", "1499");
    expect_silence(setup, 0);
}

/* RFC 8461 §10.2: half of its time is over, and nobody has sent mail there. */
static void
an_old_policy_is_looked_after(void **state)
{
    static struct store_route_address web = {.bytes = SLICE("\xC0\x00\x02\x50")};
    struct setup *setup = *state;
    struct store_route_note note;
    struct buffer bytes;

    learn(setup, "b.test", "1", 86400);
    expect_told(setup, 1, "b.test", "1");
    world_run(&setup->world, INT64_C(43000) * 1000);
    assert_int_equal(setup->route.count, 0);
    world_run(&setup->world, INT64_C(1200) * 1000);
    assert_int_equal(setup->route.count, 1);
    assert_true(store_route_take(world_next(&setup->route), HOST_HANDLE_NONE, SIDE_STORE,
                                 &setup->route_ledger, &setup->arena, &note));
    assert_true(slice_equal(note.as.next_hop.recipient, SLICE("postmaster@b.test")));
    struct store_route_hop hop = {
        .id = note.as.next_hop.id,
        .outcome = STORE_ROUTE_OUTCOME_FOUND,
        .destination = SLICE("b.test"),
        .sts_domain = SLICE("b.test"),
        .sts_id = SLICE("1"),
        .sts_addresses = {&web, 1},
    };
    buffer_init(&bytes, HOST_NOTE_MAX);
    assert_true(store_route_put_hop(&bytes, &setup->route_ledger, &hop));
    host_channel_send(setup->route.channel, buffer_slice(&bytes), HOST_HANDLE_NONE);
    buffer_finish(&bytes);
    struct store_transport_note carry = next(setup, 0);
    assert_int_equal(carry.kind, STORE_TRANSPORT_CARRY);
    assert_int_equal(carry.as.carry.carrier, STORE_TRANSPORT_CARRIER_DISCARD);
    assert_int_equal(carry.as.carry.recipients.count, 0);
    assert_true(slice_equal(carry.as.carry.sts_domain, SLICE("b.test")));
    assert_int_equal(carry.as.carry.sts_addresses.count, 1);
    /* Not again at once when it could not be had. */
    world_run(&setup->world, INT64_C(1800) * 1000);
    assert_int_equal(setup->route.count, 1);
    world_run(&setup->world, INT64_C(3600) * 1000);
    assert_int_equal(setup->route.count, 2);
}

static void
a_transport_that_talks_nonsense_is_let_go(void **state)
{
    struct setup *setup = *state;

    learn(setup, "b test", "1", 86400);
    assert_true(setup->transports[0].is_closed);
    expect_silence(setup, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
        TEST(what_one_has_learned_all_know_also_after_a_restart),
        TEST(what_is_damaged_in_the_file_is_passed_over),
        TEST(what_cannot_be_read_for_a_moment_is_not_forgotten),
        TEST(what_is_learned_before_the_file_is_read_is_kept_apart_from_it),
        TEST(what_is_never_read_again_is_put_aside),
        TEST(a_file_that_grows_is_written_anew),
        TEST(an_old_policy_is_looked_after),
        TEST(a_transport_that_talks_nonsense_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
