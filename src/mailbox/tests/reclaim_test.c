/* SPDX-License-Identifier: ISC */
/* Segments that take more than one step to be written again: nothing of them may be left behind. */
#include "mailbox/reclaim.h"

#include "mailbox/account.h"
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/store_private.h"
#include "mailbox/tests/folder.h"
#include "mailbox/tests/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ACCOUNT = 7, MESSAGES = 6000, IN_TURN = 100, KEPT = 3, TEXT_LEN = 1400 };

static void
text_of(uint32_t uid, char text[TEXT_LEN + 1])
{
    memset(text, 'a' + (int)(uid % 26), TEXT_LEN);
    text[TEXT_LEN] = '\0';
    snprintf(text, 40, "Subject: %010u\r\n\r\n", uid);
    text[strlen(text)] = '-';
}

static mailbox_id
fill(struct folder *folder)
{
    char *texts = malloc((size_t)MESSAGES * (TEXT_LEN + 1)); /* until their turn is written */
    mailbox_id inbox = 0;

    if (!texts)
        abort();
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        struct message_new message = {0};
        char *text = texts + (size_t)(uid - 1) * (TEXT_LEN + 1);
        uint32_t got;
        text_of(uid, text);
        assert_int_equal(mailbox_open(folder->store, ACCOUNT, SLICE("INBOX"), &inbox), STORE_OK);
        assert_int_equal(mailbox_body_add(folder->store, slice_of_string(text), SLICE(""),
                                          SLICE("parsed"), &message.body),
                         STORE_OK);
        assert_int_equal(mailbox_message_append(folder->store, ACCOUNT, inbox, &message, &got),
                         STORE_OK);
        assert_int_equal(got, uid);
        if (uid % IN_TURN == 0)
            assert_int_equal(folder_commit(folder), STORE_OK);
    }
    free(texts);
    return inbox;
}

static void
expunge_most(struct folder *folder, mailbox_id inbox)
{
    uint32_t *uids = calloc(MESSAGES, sizeof(*uids));
    size_t count = 0, gone;

    assert_non_null(uids);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        if (uid % KEPT != 0)
            uids[count++] = uid;
    }
    assert_int_equal(mailbox_message_expunge(folder->store, ACCOUNT, inbox, uids, count, &gone),
                     STORE_OK);
    assert_int_equal(gone, count);
    assert_int_equal(folder_commit(folder), STORE_OK);
    free(uids);
}

static void
keep_idle(void *context, enum store_result result, bool is_idle)
{
    assert_int_equal(result, STORE_OK);
    *(bool *)context = is_idle;
}

/* How many turns it took. */
static unsigned
reclaim_all(struct folder *folder)
{
    struct reclaim *reclaim = reclaim_open(folder->store);
    bool is_idle = false;
    unsigned steps = 0;

    store_sync_view(folder->store);
    for (; steps < 1000 && !is_idle; steps++) {
        reclaim_step(reclaim, keep_idle, &is_idle);
        store_sync_view(folder->store);
    }
    assert_true(is_idle);
    reclaim_close(&reclaim);
    return steps;
}

static void
say_finding(void *context, struct slice text)
{
    print_message("%.*s\n", (int)text.len, text.at);
    ++*(unsigned *)context;
}

static void
assert_whole(struct folder *folder)
{
    struct check *check;
    char text[TEXT_LEN + 1];
    struct buffer found;
    unsigned findings = 0;

    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        buffer_init(&found, 1 << 20);
        text_of(uid, text);
        enum store_result result = folder_read(folder, ACCOUNT, "INBOX", uid, &found);
        assert_int_equal(result, uid % KEPT == 0 ? STORE_OK : STORE_NOT_FOUND);
        if (result == STORE_OK)
            assert_true(slice_equal(buffer_slice(&found), slice_of_string(text)));
        buffer_finish(&found);
    }
    check = check_open(folder->store, say_finding, &findings);
    assert_non_null(check);
    while (check_step(check))
        ;
    check_close(&check);
    assert_int_equal(findings, 0);
}

static void
a_segment_that_takes_many_steps_loses_nothing(void **state)
{
    struct folder *folder = *state;
    struct store_stats before, after;
    char path[300];

    folder->options.segment_bytes = 8 << 20;
    folder_open_store(folder);
    mailbox_id inbox = fill(folder);
    expunge_most(folder, inbox);
    folder_deliver(folder, ACCOUNT + 1, "so that the last segment is another");
    store_stats_get(folder->store, &before);
    assert_in_range(reclaim_all(folder), 3, 900);
    store_stats_get(folder->store, &after);
    assert_true(after.log_bytes < before.log_bytes * 3 / 4);
    assert_whole(folder);
    store_close(&folder->store);
    snprintf(path, sizeof(path), "%s/view", folder->path);
    tree_remove(path); /* the log alone has all of it */
    folder_open_store(folder);
    assert_whole(folder);
    /* A second round finds nothing more to do, and no number is given out again. */
    (void)reclaim_all(folder);
    assert_int_equal(folder_deliver(folder, ACCOUNT, "one more"), MESSAGES + 1);
    assert_whole(folder);
}

/* Changes an octet in the header of the turn in which the message came. */
static void
damage_turn_of(struct folder *folder, mailbox_id inbox, uint32_t uid)
{
    struct turn_log *log = folder->store->engine->ops->log(folder->store->engine);
    struct message_entry message;
    struct body_entry body;
    struct slice value;
    struct log_walk walk;
    struct log_found found = {0};
    char path[300];

    assert_int_equal(mailbox_message_get(folder->store, ACCOUNT, inbox, uid, &message), STORE_OK);
    assert_int_equal(store_view_get(folder->store, key_body(message.body), &value), 0);
    assert_true(body_entry_take(value, &body));
    log_walk_open(&walk, log, (struct place){0, 0}, false);
    do {
        assert_int_equal(log_walk_next(&walk, &found), 1);
        assert_int_equal(found.event, LOG_TURN);
    } while (found.place.segment != body.place.segment ||
             found.place.offset + found.len <= body.place.offset);
    log_walk_close(&walk);
    snprintf(path, sizeof(path), "%s/log/%08u.seg", folder->path, found.place.segment);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)found.place.offset + 9, SEEK_SET), 0);
    int octet = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    assert_int_not_equal(fputc(octet ^ 0x55, file), EOF);
    assert_int_equal(fclose(file), 0);
}

/* Its bodies are whole, and there are more of others than are looked at in a step. */
static void
the_bodies_of_a_damaged_turn_are_moved_too(void **state)
{
    struct folder *folder = *state;
    struct store_stats before, after;

    assert_true(MESSAGES / KEPT > RECLAIM_STEP_BODIES);
    folder->options.segment_bytes = 8 << 20;
    folder_open_store(folder);
    mailbox_id inbox = fill(folder);
    expunge_most(folder, inbox);
    folder_deliver(folder, ACCOUNT + 1, "so that the last segment is another");
    damage_turn_of(folder, inbox, 300);
    store_stats_get(folder->store, &before);
    (void)reclaim_all(folder);
    store_stats_get(folder->store, &after);
    assert_true(after.log_bytes < before.log_bytes * 3 / 4);
    assert_non_null(strstr(folder->reports, "the log is damaged"));
    assert_whole(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_segment_that_takes_many_steps_loses_nothing,
                                        folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(the_bodies_of_a_damaged_turn_are_moved_too, folder_set_up,
                                        folder_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
