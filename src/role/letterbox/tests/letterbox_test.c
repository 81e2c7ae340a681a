/* SPDX-License-Identifier: ISC */
/* The role letterbox in the simulator: the test is the store, and the program that has a lock. */
#include "role/tests/world.h"

#include "note/store_letterbox.h"

struct setup {
    struct world world;
    struct world_peer store;
    struct note_ledger ledger;
    struct arena arena;
    uint64_t id;
};

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){.id = 1};
    arena_init(&setup->arena, 1 << 20);
    world_open(&setup->world, &role_letterbox);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->store);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
}

static uint64_t
put(struct setup *setup, const char *path)
{
    struct store_letterbox_put put = {.id = setup->id++,
                                      .queue_id = SLICE("k3J9x"),
                                      .kind = STORE_LETTERBOX_BOX_KIND_MBOX,
                                      .path = slice_of_string(path),
                                      .user = SLICE(""),
                                      .reverse_path = SLICE("a@b.test"),
                                      .body = SLICE("Subject: x\r\n\r\nHello\r\n"),
                                      .body_blob = HOST_HANDLE_NONE};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_letterbox_put_put(&note, &setup->ledger, &put));
    host_channel_send(setup->store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    return put.id;
}

static struct store_letterbox_put_done
next(struct setup *setup)
{
    struct store_letterbox_note note;

    assert_true(store_letterbox_take(world_next(&setup->store), HOST_HANDLE_NONE, 1, &setup->ledger,
                                     &setup->arena, &note));
    assert_int_equal(note.kind, STORE_LETTERBOX_PUT_DONE);
    return note.as.put_done;
}

static void
unlock(struct setup *setup, const char *name)
{
    assert_int_equal(host_dir_remove(setup->world.directory, name), 0);
}

static void
a_letter_waits_for_a_lock_and_not_for_ever(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    world_write(&setup.world, "box.lock", SLICE("4711\n"), false);
    uint64_t id = put(&setup, "/data/directory/box");
    world_run(&setup.world, 3000);
    assert_int_equal(setup.store.count, 0);
    unlock(&setup, "box.lock");
    world_run(&setup.world, 600);
    struct store_letterbox_put_done done = next(&setup);
    assert_int_equal(done.id, id);
    assert_int_equal(done.result, STORE_LETTERBOX_PUT_RESULT_DONE);
    world_write(&setup.world, "box.lock", SLICE("4711\n"), false);
    put(&setup, "/data/directory/box");
    world_run(&setup.world, 29900);
    assert_int_equal(setup.store.count, 1);
    world_run(&setup.world, 1000);
    assert_int_equal(next(&setup).result, STORE_LETTERBOX_PUT_RESULT_TEMPORARY);
    close_setup(&setup);
}

/* One box is locked for a moment, and mail for another, which stays locked, comes all the time. */
static void
letters_for_a_locked_box_do_not_put_off_those_for_another(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    world_write(&setup.world, "box.lock", SLICE("4711\n"), false);
    world_write(&setup.world, "other.lock", SLICE("4711\n"), false);
    uint64_t id = put(&setup, "/data/directory/box");
    for (unsigned i = 0; i < 20; i++) {
        put(&setup, "/data/directory/other");
        world_run(&setup.world, 100);
        if (i == 5)
            unlock(&setup, "box.lock");
    }
    assert_int_equal(setup.store.count, 1);
    struct store_letterbox_put_done done = next(&setup);
    assert_int_equal(done.id, id);
    assert_int_equal(done.result, STORE_LETTERBOX_PUT_RESULT_DONE);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_waits_for_a_lock_and_not_for_ever),
        cmocka_unit_test(letters_for_a_locked_box_do_not_put_off_those_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
