/* SPDX-License-Identifier: ISC */
/* What the role `index` says it has, when the disk refuses. SQLite has a real folder. */
#include "role/tests/world.h"

#include "note/store_index.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDE_INDEX = 1, ACCOUNT = 7, MAILBOX = 1, TEXTS = 12, TEXT_LEN = 60000, SOUGHT_LEN = 24 };

struct setup {
    struct world world;
    struct world_peer store;
    struct note_ledger ledger;
    struct arena arena;
    struct buffer note;
    uint64_t id;
    char folder[64];
};

static void
path_of(const struct setup *setup, const char *name, char path[128])
{
    snprintf(path, 128, "%s/index%s", setup->folder, name);
}

static int
open_setup(void **state)
{
    static struct setup setup;
    char path[128];

    setup = (struct setup){.folder = "/tmp/facteur-index-XXXXXX", .id = 1};
    assert_non_null(mkdtemp(setup.folder));
    path_of(&setup, "", path);
    assert_int_equal(mkdir(path, 0700), 0);
    world_open(&setup.world, &role_index);
    setup.world.config.data_dir = slice_of_string(setup.folder);
    arena_init(&setup.arena, 1 << 26);
    buffer_init(&setup.note, HOST_NOTE_MAX);
    world_start(&setup.world);
    world_attach(&setup.world, &setup.store, ROLE_STORE, 0);
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

    setup->world.role->close(setup->world.state);
    setup->world.state = NULL;
    world_detach(&setup->store);
    note_ledger_finish(&setup->ledger);
    buffer_finish(&setup->note);
    arena_finish(&setup->arena);
    world_close(&setup->world);
    return nftw(setup->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the store, as it feeds and asks --------------------------------------------------------- */

static void
say(struct setup *setup, bool is_put)
{
    assert_true(is_put);
    host_channel_send(setup->store.channel, buffer_slice(&setup->note), HOST_HANDLE_NONE);
    buffer_clear(&setup->note);
}

static struct store_index_note
hear(struct setup *setup)
{
    struct store_index_note note;

    assert_true(store_index_take(world_next(&setup->store), HOST_HANDLE_NONE, SIDE_INDEX,
                                 &setup->ledger, &setup->arena, &note));
    return note;
}

/* As keys are: folded. The first letters of a text are in no other. */
static void
make_text(uint64_t body, char text[TEXT_LEN])
{
    uint64_t random = body * 1000003;

    for (size_t i = 0; i < TEXT_LEN; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        text[i] = (char)('A' + (random >> 33) % 26);
    }
}

static void
put_texts(struct setup *setup)
{
    static char text[TEXT_LEN];

    for (uint64_t body = 1; body <= TEXTS; body++) {
        make_text(body, text);
        struct store_index_put note = {.id = setup->id++,
                                       .account = ACCOUNT,
                                       .body = body,
                                       .text = slice_of(text, sizeof(text))};
        say(setup, store_index_put_put(&setup->note, &setup->ledger, &note));
        assert_int_equal(hear(setup).kind, STORE_INDEX_PUT_DONE);
    }
}

static void
tell_reached(struct setup *setup)
{
    struct store_index_position row = {MAILBOX, TEXTS + 1};
    struct store_index_reached note = {.account = ACCOUNT, .modseq = 5, .rows = {&row, 1}};

    say(setup, store_index_put_reached(&setup->note, &setup->ledger, &note));
}

/* Up to which change all was fed. */
static uint64_t
ask(struct setup *setup)
{
    struct store_index_ask ask = {.id = setup->id++, .account = ACCOUNT};

    say(setup, store_index_put_ask(&setup->note, &setup->ledger, &ask));
    struct store_index_note note = hear(setup);
    if (note.kind == STORE_INDEX_POSITIONS)
        note = hear(setup);
    assert_int_equal(note.kind, STORE_INDEX_STATE);
    return note.as.state.modseq;
}

/* Looks for what the first text begins with; returns the position. */
static uint32_t
find(struct setup *setup, enum store_index_result wanted, size_t *ret_count)
{
    static char text[TEXT_LEN];
    struct store_index_find find = {.id = setup->id++,
                                    .account = ACCOUNT,
                                    .mailbox = MAILBOX,
                                    .scope = STORE_INDEX_SCOPE_BODY};

    make_text(1, text);
    find.text = slice_of(text, SOUGHT_LEN);
    *ret_count = 0;
    say(setup, store_index_put_find(&setup->note, &setup->ledger, &find));
    struct store_index_note note = hear(setup);
    while (note.kind != STORE_INDEX_FIND_DONE) {
        if (note.kind == STORE_INDEX_FOUND)
            *ret_count += note.as.found.bodies.count;
        else
            assert_int_equal(note.kind, STORE_INDEX_BEHIND);
        note = hear(setup);
    }
    assert_int_equal(note.as.find_done.result, wanted);
    return note.as.find_done.uid;
}

/* Where the first large segment would be there is a folder that is not empty. */
static void
block(struct setup *setup)
{
    char path[128];

    path_of(setup, "/1.segment", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(setup, "/1.segment/x", path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void
unblock(struct setup *setup)
{
    char path[128];

    path_of(setup, "/1.segment/x", path);
    assert_int_equal(rmdir(path), 0);
    path_of(setup, "/1.segment", path);
    assert_int_equal(rmdir(path), 0);
}

/* Nothing is said to be there; and when it is fed again, it is. */
static void
expect_to_be_fed_again(struct setup *setup)
{
    size_t count;

    unblock(setup);
    tell_reached(setup); /* the store has not heard yet */
    assert_int_equal(find(setup, STORE_INDEX_RESULT_OK, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(ask(setup), 0);
    put_texts(setup);
    tell_reached(setup);
    assert_int_equal(find(setup, STORE_INDEX_RESULT_OK, &count), TEXTS + 1);
    assert_int_equal(count, 1);
    assert_int_equal(ask(setup), 5);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void
what_could_not_be_written_is_not_reached(void **state)
{
    struct setup *setup = *state;

    block(setup);
    assert_int_equal(ask(setup), 0);
    put_texts(setup);
    world_run(&setup->world, 5000);
    assert_int_equal(hear(setup).kind, STORE_INDEX_BEHIND);
    expect_to_be_fed_again(setup);
}

static void
what_a_search_has_lost_is_not_reached(void **state)
{
    struct setup *setup = *state;
    size_t count;

    block(setup);
    assert_int_equal(ask(setup), 0);
    put_texts(setup);
    (void)find(setup, STORE_INDEX_RESULT_FAILED, &count);
    expect_to_be_fed_again(setup);
}

static void
what_is_gone_while_it_rests_is_not_reached(void **state)
{
    struct setup *setup = *state;
    char path[128];
    size_t count;

    assert_int_equal(ask(setup), 0);
    put_texts(setup);
    world_run(&setup->world, 10000);
    path_of(setup, "/index.db", path);
    assert_int_equal(remove(path), 0);
    tell_reached(setup);
    assert_int_equal(hear(setup).kind, STORE_INDEX_BEHIND);
    assert_int_equal(find(setup, STORE_INDEX_RESULT_OK, &count), 0);
    assert_int_equal(count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_could_not_be_written_is_not_reached, open_setup,
                                        close_setup),
        cmocka_unit_test_setup_teardown(what_a_search_has_lost_is_not_reached, open_setup,
                                        close_setup),
        cmocka_unit_test_setup_teardown(what_is_gone_while_it_rests_is_not_reached, open_setup,
                                        close_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
