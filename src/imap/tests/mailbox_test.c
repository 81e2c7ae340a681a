/* SPDX-License-Identifier: ISC */
/* Views of shared columns: numbers stay what their client was told, whatever others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/mailbox.h"

enum { MESSAGES = 1000 };

struct world {
    struct imap_mailboxes all;
    struct imap_view views[2];
    unsigned unwatched, woken;
};

static void
on_unwatch(void *context, uint64_t watch)
{
    struct world *world = context;

    (void)watch;
    world->unwatched++;
}

static void
on_change(void *context)
{
    struct world *world = context;

    world->woken++;
}

/* UIDs 2, 4, 6 …: place + 1 twice. */
static void
load(struct world *world)
{
    struct access_store_column rows[MESSAGES];
    struct access_store_note note = {.kind = ACCESS_STORE_COLUMNS};

    for (uint32_t i = 0; i < MESSAGES; i++)
        rows[i] = (struct access_store_column){.uid = 2 * (i + 1), .modseq = i + 1};
    note.as.columns = (struct access_store_columns){.watch = world->views[0].mailbox->watch,
                                                    .is_last = true,
                                                    .uid_validity = 3,
                                                    .uid_next = 2 * MESSAGES + 1,
                                                    .modseq = MESSAGES,
                                                    .rows = {rows, MESSAGES}};
    imap_mailboxes_on_note(&world->all, &note);
}

static void
expunge(struct world *world, uint32_t first, uint32_t last)
{
    struct access_store_uid_range range = {first, last};
    struct access_store_note note = {.kind = ACCESS_STORE_CHANGES};

    note.as.changes = (struct access_store_changes){
        .watch = world->views[0].mailbox->watch, .modseq = 5000, .vanished = {&range, 1}};
    imap_mailboxes_on_note(&world->all, &note);
}

static void
open_both(struct world *world)
{
    *world = (struct world){0};
    imap_mailboxes_init(&world->all, 1, on_unwatch, world);
    for (size_t i = 0; i < 2; i++)
        imap_view_open(&world->views[i], &world->all, 7, 1, on_change, world);
    world->views[0].mailbox->is_loading = true;
    load(world);
    imap_view_begin(&world->views[0]);
    imap_view_begin(&world->views[1]);
}

static void
close_both(struct world *world)
{
    imap_view_close(&world->views[0]);
    assert_int_equal(world->unwatched, 0);
    imap_view_close(&world->views[1]);
    assert_int_equal(world->unwatched, 1);
    imap_mailboxes_finish(&world->all);
}

static void
tell_all(struct imap_view *view)
{
    view->serial = view->mailbox->serial;
    imap_mailbox_compact(view->mailbox);
}

static void
numbers_stay_until_the_client_is_told(void **state)
{
    struct world world;
    struct imap_view *first = &world.views[0], *second = &world.views[1];

    (void)state;
    open_both(&world);
    assert_ptr_equal(first->mailbox, second->mailbox);
    expunge(&world, 4, 8); /* places 1 to 3 */
    assert_int_equal(imap_view_count(first), MESSAGES);
    assert_int_equal(imap_view_place_of_number(first, 5), 4);
    tell_all(first);
    assert_int_equal(imap_view_count(first), MESSAGES - 3);
    assert_int_equal(imap_view_place_of_number(first, 2), 4);
    assert_int_equal(imap_view_number_of_place(first, 4), 2);
    assert_int_equal(imap_view_place_of_uid(first, 6), IMAP_NO_PLACE);
    assert_int_equal(imap_view_place_of_number(second, 5), 4);
    assert_true(imap_view_has(second, 2));
    assert_false(imap_view_has(first, 2));
    close_both(&world);
}

static void
columns_shrink_when_all_were_told(void **state)
{
    struct world world;

    (void)state;
    open_both(&world);
    expunge(&world, 1, 200); /* a hundred */
    tell_all(&world.views[0]);
    assert_int_equal(world.views[0].mailbox->count, MESSAGES);
    world.views[0].is_pinned = true;
    tell_all(&world.views[1]);
    assert_int_equal(world.views[0].mailbox->count, MESSAGES);
    world.views[0].is_pinned = false;
    tell_all(&world.views[1]);
    assert_int_equal(world.views[0].mailbox->count, MESSAGES - 100);
    assert_int_equal(world.views[0].known, MESSAGES - 100);
    assert_int_equal(imap_view_place_of_uid(&world.views[0], 202), 0);
    assert_int_equal(imap_mailbox_place_from(world.views[0].mailbox, 203), 1);
    close_both(&world);
}

static void
sets_become_places_and_walks_skip_what_went(void **state)
{
    struct imap_range ranges[] = {{2, 4}, {9, 9}};
    struct imap_set set = {ranges, 2}, places;
    struct imap_walk walk;
    struct world world;
    struct arena arena;
    uint32_t place, number, count = 0;
    bool is_outside = false;

    (void)state;
    arena_init(&arena, 1 << 16);
    open_both(&world);
    expunge(&world, 6, 6);
    tell_all(&world.views[0]);
    assert_true(imap_view_places(&world.views[0], &set, false, &arena, &places, &is_outside));
    imap_walk_init(&walk, &world.views[0], &places);
    while (imap_walk_next(&walk, &place, &number)) {
        assert_int_equal(number, count == 3 ? 9 : count + 2);
        assert_int_equal(imap_view_number_of_place(&world.views[0], place), number);
        count++;
    }
    assert_int_equal(count, 4);
    assert_false(is_outside);
    ranges[1].last = MESSAGES;
    assert_true(imap_view_places(&world.views[0], &set, false, &arena, &places, &is_outside));
    assert_true(is_outside);
    close_both(&world);
    arena_finish(&arena);
}

static void
a_store_that_went_fails_who_waits(void **state)
{
    struct world world = {0};

    (void)state;
    imap_mailboxes_init(&world.all, 1, on_unwatch, &world);
    imap_view_open(&world.views[0], &world.all, 7, 1, on_change, &world);
    world.views[0].mailbox->is_loading = true;
    imap_mailboxes_detach(&world.all);
    assert_int_equal(world.woken, 1);
    assert_int_equal(world.views[0].mailbox->result, ACCESS_STORE_RESULT_TEMPORARY);
    assert_int_equal(imap_mailbox_keyword(world.views[0].mailbox, SLICE("x")), 0);
    imap_view_close(&world.views[0]);
    assert_int_equal(world.unwatched, 0);
    imap_mailboxes_finish(&world.all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stay_until_the_client_is_told),
        cmocka_unit_test(columns_shrink_when_all_were_told),
        cmocka_unit_test(sets_become_places_and_walks_skip_what_went),
        cmocka_unit_test(a_store_that_went_fails_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
