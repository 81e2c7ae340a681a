/* SPDX-License-Identifier: ISC */
/* Headlines follow their messages, within their bound; and what has changed is found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "imap/headline.h"

enum { MESSAGES = 100, ROUNDS = 2000 };

struct world {
    struct imap_mailboxes all;
    struct imap_view views[2];
};

static void
ignore_watch(void *context, uint64_t watch)
{
    (void)context;
    (void)watch;
}

static void
ignore_change(void *context)
{
    (void)context;
}

static void
load(struct world *world, struct imap_view *view, uint32_t count)
{
    struct access_store_column *rows = calloc(count, sizeof(*rows));
    struct access_store_note note = {.kind = ACCESS_STORE_COLUMNS};

    assert_non_null(rows);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (struct access_store_column){.uid = i + 1, .modseq = i + 1};
    view->mailbox->is_loading = true;
    note.as.columns = (struct access_store_columns){.watch = view->mailbox->watch,
                                                    .is_last = true,
                                                    .uid_validity = 3,
                                                    .uid_next = count + 1,
                                                    .modseq = count,
                                                    .rows = {rows, count}};
    imap_mailboxes_on_note(&world->all, &note);
    imap_view_begin(view);
    free(rows);
}

static void
open_world(struct world *world, uint32_t first, uint32_t second)
{
    *world = (struct world){0};
    imap_mailboxes_init(&world->all, 1, ignore_watch, NULL);
    imap_view_open(&world->views[0], &world->all, 7, 1, ignore_change, NULL);
    imap_view_open(&world->views[1], &world->all, 7, 2, ignore_change, NULL);
    load(world, &world->views[0], first);
    load(world, &world->views[1], second);
}

static void
close_world(struct world *world)
{
    imap_view_close(&world->views[0]);
    imap_view_close(&world->views[1]);
    assert_int_equal(world->all.headline_bytes, 0);
    assert_true(list_is_empty(&world->all.headlined));
    imap_mailboxes_finish(&world->all);
}

static void
keep(struct imap_mailbox *mailbox, uint32_t place, const char *subject, const char *base)
{
    struct access_store_message message = {
        .uid = mailbox->uids[place], .len = 1000 + place, .internal_ns = place};
    struct mime_record_message summary = {
        .has_wall = true,
        .wall = {5000},
        .zone_s = 3600,
        .subject_text = slice_of_string(subject),
        .base_subject = slice_of_string(base),
    };

    imap_headline_keep(mailbox, place, &message, &summary);
}

static const struct imap_headline *
get(const struct imap_mailbox *mailbox, uint32_t place)
{
    const struct imap_headline *headline = imap_headline_find(mailbox, place);

    if (!headline)
        abort();
    return headline;
}

static void
a_headline_has_what_was_told(void **state)
{
    struct access_store_message bare = {.uid = 2, .len = 9, .internal_ns = 4};
    struct world world;

    (void)state;
    open_world(&world, MESSAGES, MESSAGES);
    struct imap_mailbox *mailbox = world.views[0].mailbox;
    assert_null(imap_headline_find(mailbox, 0));
    keep(mailbox, 0, "Re: the mill", "the mill");
    keep(mailbox, 2, "[list] hello (fwd)", "hello");
    keep(mailbox, 3, "", "");
    imap_headline_keep(mailbox, 1, &bare, NULL);
    const struct imap_headline *headline = get(mailbox, 0);
    assert_true(slice_equal(imap_headline_subject(headline), SLICE("Re: the mill")));
    assert_true(slice_equal(imap_headline_base(headline), SLICE("the mill")));
    assert_true(headline->has_date && headline->date_ns == 5000 && headline->zone_s == 3600);
    assert_true(headline->message_len == 1000 && headline->arrival_ns == 0);
    assert_true(slice_equal(imap_headline_base(get(mailbox, 2)), SLICE("hello")));
    assert_int_equal(imap_headline_base(get(mailbox, 3)).len, 0);
    assert_non_null(imap_headline_subject(get(mailbox, 3)).at);
    assert_null(imap_headline_subject(get(mailbox, 1)).at);
    assert_false(get(mailbox, 1)->has_date);
    bare.uid = 77; /* of another message than the one in that place */
    imap_headline_keep(mailbox, 5, &bare, NULL);
    assert_null(imap_headline_find(mailbox, 5));
    close_world(&world);
}

static void
expunge(struct world *world, struct imap_view *view, uint32_t first, uint32_t last)
{
    struct access_store_uid_range range = {first, last};
    struct access_store_note note = {.kind = ACCESS_STORE_CHANGES};

    note.as.changes = (struct access_store_changes){
        .watch = view->mailbox->watch, .modseq = 5000, .vanished = {&range, 1}};
    imap_mailboxes_on_note(&world->all, &note);
    view->serial = view->mailbox->serial;
    imap_mailbox_compact(view->mailbox);
}

static void
headlines_move_with_their_messages(void **state)
{
    struct world world;
    char text[40];

    (void)state;
    open_world(&world, MESSAGES, MESSAGES);
    struct imap_mailbox *mailbox = world.views[0].mailbox;
    for (uint32_t i = 0; i < MESSAGES; i += 2) {
        snprintf(text, sizeof(text), "number %u", mailbox->uids[i]);
        keep(mailbox, i, text, text);
    }
    expunge(&world, &world.views[0], 11, 50);
    assert_int_equal(mailbox->count, MESSAGES - 40);
    for (uint32_t i = 0; i < mailbox->count; i++) {
        const struct imap_headline *headline = imap_headline_find(mailbox, i);
        assert_int_equal(headline != NULL, mailbox->uids[i] % 2);
        snprintf(text, sizeof(text), "number %u", mailbox->uids[i]);
        if (headline)
            assert_true(slice_equal(imap_headline_subject(headline), slice_of_string(text)));
    }
    close_world(&world);
}

static void
fill(struct imap_mailbox *mailbox, const char *text)
{
    for (uint32_t i = 0; i < mailbox->count; i++)
        keep(mailbox, i, text, text);
}

static void
the_longest_unused_go_at_the_bound(void **state)
{
    enum { LONG = 16000, FITS = IMAP_HEADLINES_BYTES_MAX / (LONG + 100), MANY = FITS * 2 / 3 };
    static char text[LONG + 1];
    struct world world;

    (void)state;
    open_world(&world, MANY, MANY);
    struct imap_mailbox *first = world.views[0].mailbox, *second = world.views[1].mailbox;
    memset(text, 'x', LONG);
    fill(first, text);
    assert_non_null(imap_headline_find(first, MANY - 1));
    fill(second, text);
    assert_null(imap_headline_find(first, 0));
    assert_non_null(imap_headline_find(second, MANY - 1));
    imap_headlines_touch(first);
    fill(first, text);
    assert_null(imap_headline_find(second, 0));
    assert_true(world.all.headline_bytes <= IMAP_HEADLINES_BYTES_MAX);
    close_world(&world);
    open_world(&world, 2 * FITS, 1);
    fill(world.views[0].mailbox, text); /* what is too much for all is kept in part */
    assert_non_null(imap_headline_find(world.views[0].mailbox, FITS - 1));
    assert_null(imap_headline_find(world.views[0].mailbox, 2 * FITS - 1));
    close_world(&world);
}

/* ---- changes --------------------------------------------------------------------------------- */

static void
change(struct world *world, struct imap_view *view, uint32_t uid, uint64_t modseq)
{
    struct access_store_column row = {.uid = uid, .flags = 1, .modseq = modseq};
    struct access_store_note note = {.kind = ACCESS_STORE_CHANGES};

    note.as.changes = (struct access_store_changes){
        .watch = view->mailbox->watch, .modseq = modseq, .uid_next = uid + 1, .rows = {&row, 1}};
    imap_mailboxes_on_note(&world->all, &note);
}

static void
all_changes_lie_in_the_range_that_is_told(void **state)
{
    struct world world;
    uint64_t modseq = MESSAGES;
    uint32_t chance = 1, last = MESSAGES;
    unsigned narrow = 0;

    (void)state;
    open_world(&world, MESSAGES, 1);
    struct imap_view *view = &world.views[0];
    for (unsigned round = 0; round < ROUNDS; round++) {
        chance = chance * 1103515245 + 12345;
        unsigned dice = chance >> 16;
        if (dice % 50 == 0)
            last++;
        change(&world, view, dice % 50 == 0 ? last : 1 + dice % last, ++modseq);
        view->known = view->mailbox->count;
        struct imap_range range = imap_view_changed(view);
        for (uint32_t i = 0; i < view->known; i++)
            assert_true(view->mailbox->modseqs[i] <= view->modseq ||
                        (i >= range.first && i <= range.last));
        narrow += range.last < UINT32_MAX;
        if (dice % 11 == 0)
            view->modseq = view->mailbox->modseq;
    }
    assert_in_range(narrow, 1, ROUNDS - 1); /* both kinds of answers were looked at */
    view->modseq = modseq;
    struct imap_range none = imap_view_changed(view);
    assert_true(none.first > none.last);
    close_world(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_headline_has_what_was_told),
        cmocka_unit_test(headlines_move_with_their_messages),
        cmocka_unit_test(the_longest_unused_go_at_the_bound),
        cmocka_unit_test(all_changes_lie_in_the_range_that_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
