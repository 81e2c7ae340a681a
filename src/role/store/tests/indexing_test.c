/* SPDX-License-Identifier: ISC */
/* What the store tells the text index, by its notes. */
#include "role/store/tests/queue_world.h"

#include "mailbox/key.h"
#include "note/store_index.h"

enum { ACCOUNT = 7 };

struct index {
    struct world_peer peer;
    struct note_ledger ledger;
    unsigned asked, offered, reached; /* reached: all that the account has */
};

static void
submit(struct queue_world *world)
{
    struct smtp_store_recipient recipient = {
        .box = SMTP_STORE_BOX_STORE, .account = ACCOUNT, .address = SLICE("fred@a.test")};
    struct smtp_store_submit note = {.id = world->id++,
                                     .queue_id = SLICE("Q1"),
                                     .reverse_path = SLICE("eve@b.test"),
                                     .prefix = SLICE("Return-Path: <eve@b.test>\r\n"),
                                     .prefix_return_path_len = 27,
                                     .body = SLICE("Subject: hi\r\n\r\nText\r\n"),
                                     .recipients = {&recipient, 1}};

    assert_true(smtp_store_put_submit(&world->note, &world->smtp_ledger, &note));
    host_channel_send(world->smtp.channel, buffer_slice(&world->note), HOST_HANDLE_NONE);
    buffer_clear(&world->note);
}

/* As an index that was there before, and has nothing of the account. */
static void
answer(struct queue_world *world, struct index *index)
{
    struct store_index_note note;

    while (index->peer.taken < index->peer.count) {
        assert_true(store_index_take(world_next(&index->peer), -1, 0, &index->ledger, &world->arena,
                                     &note));
        if (note.kind == STORE_INDEX_ASK && note.as.ask.account == ACCOUNT) {
            struct store_index_state state = {.id = note.as.ask.id, .modseq = 1};
            assert_true(store_index_put_state(&world->note, &index->ledger, &state));
            host_channel_send(index->peer.channel, buffer_slice(&world->note), HOST_HANDLE_NONE);
            buffer_clear(&world->note);
            index->asked++;
        } else if (note.kind == STORE_INDEX_OFFER) {
            index->offered += (unsigned)note.as.offer.bodies.count;
        } else if (note.kind == STORE_INDEX_REACHED) {
            index->reached += note.as.reached.modseq > 0;
        }
    }
}

static void
run(struct queue_world *world, struct index *index, unsigned ms)
{
    for (; ms > 0; ms -= 50) {
        queue_world_run(world, 50);
        answer(world, index);
    }
}

/* It would be believed to have all, and what a search does not find there would not be there. */
static void
the_index_is_not_told_that_it_has_what_the_view_did_not_give(void **state)
{
    struct queue_world *world = *state;
    struct key key = key_message(ACCOUNT, 1, 1);
    struct index index = {.asked = 0};

    submit(world);
    queue_world_run(world, 5000);
    assert_int_equal(world->filed, 1);
    queue_world_damage_view(world, key_slice(&key), key.len);
    world_attach(&world->world, &index.peer, ROLE_INDEX, 0);
    for (unsigned i = 0; i < 100 && index.asked == 0; i++)
        run(world, &index, 50);
    assert_int_equal(index.asked, 1);
    run(world, &index, 15000);
    assert_int_equal(index.reached, 0);
    assert_int_equal(index.offered, 1); /* when it was made anew */
    world_detach(&index.peer);
    note_ledger_finish(&index.ledger);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_index_is_not_told_that_it_has_what_the_view_did_not_give, queue_world_open,
            queue_world_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
