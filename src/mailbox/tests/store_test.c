/* SPDX-License-Identifier: ISC */
#include "mailbox/annotation.h"
#include "mailbox/tests/folder.h"
#include "mailbox/account.h"
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/purge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static int
open_folder(void **state)
{
    static struct folder folder;

    folder_open(&folder);
    folder_open_store(&folder);
    *state = &folder;
    return 0;
}

static int
close_folder(void **state)
{
    folder_close(*state);
    return 0;
}

static void
assert_reads(struct folder *folder, account_id account, uint32_t uid, const char *text)
{
    struct buffer got;

    buffer_init(&got, 1 << 20);
    assert_int_equal(folder_read(folder, account, "INBOX", uid, &got), STORE_OK);
    assert_true(slice_equal(buffer_slice(&got), slice_of_string(text)));
    buffer_finish(&got);
}

static void
a_delivered_message_can_be_read(void **state)
{
    struct folder *folder = *state;

    assert_int_equal(folder_deliver(folder, 7, "one"), 1);
    assert_int_equal(folder_deliver(folder, 7, "two"), 2);
    assert_reads(folder, 7, 1, "one");
    assert_reads(folder, 7, 2, "two");
}

static void
a_kill_loses_nothing_that_was_committed(void **state)
{
    struct folder *folder = *state;

    folder_deliver(folder, 7, "one");
    store_sync_view(folder->store);
    folder_deliver(folder, 7, "two");
    folder_deliver(folder, 8, "three");
    folder_kill_store(folder);
    folder_open_store(folder);
    assert_reads(folder, 7, 1, "one");
    assert_reads(folder, 7, 2, "two");
    assert_reads(folder, 8, 1, "three");
    assert_int_equal(folder_deliver(folder, 7, "four"), 3);
}

static mailbox_id
find_mailbox(struct folder *folder, account_id account, const char *name)
{
    mailbox_id id = 0;

    return mailbox_find(folder->store, account, slice_of_string(name), &id) == STORE_OK ? id : 0;
}

static struct mailbox_entry
get_mailbox(struct folder *folder, account_id account, const char *name)
{
    struct mailbox_entry entry = {0};

    assert_int_equal(
        mailbox_get(folder->store, account, find_mailbox(folder, account, name), &entry), STORE_OK);
    return entry;
}

static void
a_quota_takes_what_fits_and_no_octet_more(void **state)
{
    struct folder *folder = *state;
    struct account_entry entry;

    assert_int_equal(mailbox_account_set_quota(folder->store, 7, 10, 2), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(folder_deliver(folder, 7, "12345678901"), 0);
    store_drop(folder->store);
    assert_int_equal(folder_deliver(folder, 7, "1234567890"), 1);
    assert_int_equal(folder_deliver(folder, 7, "1"), 0);
    store_drop(folder->store);
    assert_int_equal(mailbox_account_get(folder->store, 7, &entry), STORE_OK);
    assert_int_equal(entry.bytes, 10);
    assert_int_equal(entry.messages, 1);
}

static void
a_quota_of_messages_counts_them(void **state)
{
    struct folder *folder = *state;

    assert_int_equal(mailbox_account_set_quota(folder->store, 7, 0, 2), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(folder_deliver(folder, 7, "a"), 1);
    assert_int_equal(folder_deliver(folder, 7, "b"), 2);
    assert_int_equal(mailbox_account_has_room(folder->store, 7, 1), STORE_QUOTA);
    assert_int_equal(mailbox_account_has_room(folder->store, 8, 1), STORE_OK);
    assert_int_equal(folder_deliver(folder, 7, "c"), 0);
    store_drop(folder->store);
    const struct account_growth exchange = {.messages = 2, .messages_gone = 2, .bytes = 9},
                                too_many = {.messages = 3, .messages_gone = 2};
    assert_int_equal(mailbox_account_has_room_for(folder->store, 7, &exchange), STORE_OK);
    assert_int_equal(mailbox_account_has_room_for(folder->store, 7, &too_many), STORE_QUOTA);
}

static void
one_body_serves_all_recipients_until_the_last_lets_go(void **state)
{
    struct folder *folder = *state;
    struct message_new message = {0};
    struct store_stats stats;
    uint32_t uid;
    size_t gone;

    assert_int_equal(mailbox_body_add(folder->store, SLICE("0123456789"), SLICE("tail"),
                                      slice_of("", 0), &message.body),
                     STORE_OK);
    for (account_id account = 1; account <= 3; account++) {
        mailbox_id inbox;
        assert_int_equal(mailbox_open(folder->store, account, SLICE("inbox"), &inbox), STORE_OK);
        assert_int_equal(mailbox_message_append(folder->store, account, inbox, &message, &uid),
                         STORE_OK);
    }
    assert_int_equal(folder_commit(folder), STORE_OK);
    store_stats_get(folder->store, &stats);
    assert_int_equal(stats.live_bytes, 14);
    for (account_id account = 1; account <= 3; account++) {
        assert_reads(folder, account, 1, "0123456789tail");
        uid = 1;
        assert_int_equal(mailbox_message_expunge(folder->store, account,
                                                 find_mailbox(folder, account, "INBOX"), &uid, 1,
                                                 &gone),
                         STORE_OK);
        assert_int_equal(gone, 1);
        assert_int_equal(folder_commit(folder), STORE_OK);
        store_stats_get(folder->store, &stats);
        assert_int_equal(stats.live_bytes, account < 3 ? 14 : 0);
    }
}

static void
a_body_that_nobody_names_is_not_written(void **state)
{
    struct folder *folder = *state;
    struct store_stats stats;
    body_id body;

    assert_int_equal(
        mailbox_body_add(folder->store, SLICE("octets"), slice_of("", 0), slice_of("", 0), &body),
        STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    store_stats_get(folder->store, &stats);
    assert_int_equal(stats.turns, 0);
}

static void
names_have_limits(void **state)
{
    char name[MAILBOX_NAME_MAX + 2], deep[2 * MAILBOX_LEVELS_MAX + 2];
    (void)state;

    memset(name, 'a', sizeof(name));
    assert_true(mailbox_name_is_valid(slice_of(name, MAILBOX_NAME_MAX)));
    assert_false(mailbox_name_is_valid(slice_of(name, MAILBOX_NAME_MAX + 1)));
    for (size_t i = 0; i < sizeof(deep); i++)
        deep[i] = i % 2 ? '/' : 'a';
    assert_true(mailbox_name_is_valid(slice_of(deep, 2 * MAILBOX_LEVELS_MAX - 1)));
    assert_false(mailbox_name_is_valid(slice_of(deep, 2 * MAILBOX_LEVELS_MAX + 1)));
    assert_true(mailbox_name_is_free_of_controls(SLICE("\xC2\xA0\xC3\x9B\xE2\x80\xA7\xE2\x80")));
    assert_false(mailbox_name_is_free_of_controls(SLICE("a\xC2\x9F")));
    assert_false(mailbox_name_is_free_of_controls(SLICE("\xE2\x80\xA8")));
    assert_false(mailbox_name_is_free_of_controls(SLICE("a/\xE2\x80\xA9")));
    assert_false(mailbox_name_is_valid(SLICE("")));
    assert_false(mailbox_name_is_valid(SLICE("/a")));
    assert_false(mailbox_name_is_valid(SLICE("a/")));
    assert_false(mailbox_name_is_valid(SLICE("a//b")));
    assert_false(mailbox_name_is_valid(SLICE("a\nb")));
}

static bool
join_name(void *context, mailbox_id mailbox, const struct mailbox_entry *entry)
{
    (void)mailbox;
    buffer_put(context, entry->name);
    buffer_put_byte(context, ' ');
    return true;
}

static void
assert_mailboxes(struct folder *folder, account_id account, const char *names)
{
    struct buffer list;

    buffer_init(&list, 4096);
    assert_int_equal(mailbox_list(folder->store, account, join_name, &list), STORE_OK);
    buffer_put_byte(&list, 0);
    assert_string_equal((const char *)buffer_slice(&list).at, names);
    buffer_finish(&list);
}

static enum store_result
create_number(struct folder *folder, unsigned number)
{
    char name[16];
    mailbox_id id;

    snprintf(name, sizeof(name), "m%u", number);
    return mailbox_create(folder->store, 7, slice_of_string(name), &id);
}

static void
an_account_has_so_many_mailboxes_and_no_more(void **state)
{
    struct folder *folder = *state;
    mailbox_id id;

    for (unsigned i = 1; i < ACCOUNT_MAILBOXES_MAX; i++)
        assert_int_equal(create_number(folder, i), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(create_number(folder, ACCOUNT_MAILBOXES_MAX), STORE_OK);
    /* In the same turn, and in the next. */
    assert_int_equal(create_number(folder, ACCOUNT_MAILBOXES_MAX + 1), STORE_LIMIT);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(create_number(folder, ACCOUNT_MAILBOXES_MAX + 1), STORE_LIMIT);
    assert_int_equal(mailbox_create(folder->store, 8, SLICE("m1"), &id), STORE_OK);
    assert_int_equal(mailbox_open(folder->store, 7, SLICE("inbox"), &id), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    for (unsigned i = 1; i <= 2; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%u", i);
        assert_int_equal(mailbox_remove(folder->store, 7, slice_of_string(name)), STORE_OK);
        assert_int_equal(folder_commit(folder), STORE_OK);
    }
    assert_int_equal(create_number(folder, ACCOUNT_MAILBOXES_MAX + 1), STORE_OK);
    assert_int_equal(create_number(folder, ACCOUNT_MAILBOXES_MAX + 2), STORE_LIMIT);
}

static void
a_rename_takes_the_inferiors_along(void **state)
{
    struct folder *folder = *state;
    const char *const names[] = {"work", "work/old", "work/old/more", "workshop"};
    mailbox_id id;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(mailbox_create(folder->store, 7, slice_of_string(names[i]), &id),
                         STORE_OK);
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("work"), SLICE("job")), STORE_BUSY);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("work"), SLICE("workshop")),
                     STORE_EXISTS);
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("work"), SLICE("work/x")),
                     STORE_INVALID);
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("none"), SLICE("x")), STORE_NOT_FOUND);
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("work"), SLICE("job")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_mailboxes(folder, 7, "job job/old job/old/more workshop ");
}

static void
renaming_inbox_leaves_an_empty_one(void **state)
{
    struct folder *folder = *state;
    struct buffer text;

    folder_deliver(folder, 7, "one");
    uint32_t validity = get_mailbox(folder, 7, "INBOX").uid_validity;
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("Inbox"), SLICE("old")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_mailboxes(folder, 7, "INBOX old ");
    assert_int_equal(get_mailbox(folder, 7, "INBOX").messages, 0);
    assert_true(get_mailbox(folder, 7, "INBOX").uid_validity > validity);
    buffer_init(&text, 100);
    assert_int_equal(folder_read(folder, 7, "old", 1, &text), STORE_OK);
    assert_true(slice_equal(buffer_slice(&text), SLICE("one")));
    buffer_finish(&text);
}

static void
a_mailbox_made_again_has_another_uidvalidity(void **state)
{
    struct folder *folder = *state;
    mailbox_id id;

    assert_int_equal(mailbox_create(folder->store, 7, SLICE("x"), &id), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    uint32_t first = get_mailbox(folder, 7, "x").uid_validity;
    assert_int_equal(mailbox_remove(folder->store, 7, SLICE("x")), STORE_OK);
    assert_int_equal(mailbox_create(folder->store, 7, SLICE("x"), &id), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_true(get_mailbox(folder, 7, "x").uid_validity > first);
    assert_int_equal(mailbox_remove(folder->store, 7, SLICE("INBOX")), STORE_INVALID);
}

static void
keywords_are_named_up_to_their_limit(void **state)
{
    struct folder *folder = *state;
    uint64_t bit, again;
    mailbox_id id;
    char name[32];
    struct slice known;

    assert_int_equal(mailbox_create(folder->store, 7, SLICE("x"), &id), STORE_OK);
    for (int i = 0; i < KEYWORDS_MAX; i++) {
        snprintf(name, sizeof(name), "$Key%d", i);
        assert_int_equal(mailbox_keyword(folder->store, 7, id, slice_of_string(name), &bit),
                         STORE_OK);
        assert_int_equal(bit, UINT64_C(1) << i);
    }
    assert_int_equal(mailbox_keyword(folder->store, 7, id, SLICE("one-more"), &bit), STORE_LIMIT);
    assert_int_equal(mailbox_keyword(folder->store, 7, id, SLICE("$KEY5"), &again), STORE_OK);
    assert_int_equal(again, 1 << 5);
    assert_int_equal(mailbox_keyword_find(folder->store, 7, id, SLICE("$KEY6"), &again), STORE_OK);
    assert_int_equal(again, 1 << 6);
    assert_int_equal(mailbox_keyword_find(folder->store, 7, id, SLICE("one-more"), &again),
                     STORE_OK);
    assert_int_equal(again, 0);
    assert_int_equal(mailbox_keyword(folder->store, 7, id, SLICE("bad name"), &bit), STORE_LIMIT);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_keyword_name(folder->store, 7, id, 63, &known), STORE_OK);
    assert_true(slice_equal(known, SLICE("$Key63")));
    assert_int_equal(mailbox_set_subscribed(folder->store, 7, id, true), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_true(get_mailbox(folder, 7, "x").is_subscribed);
}

struct expunged {
    uint32_t uids[16];
    size_t count;
};

static bool
add_range(void *context, uint64_t modseq, struct uid_range range)
{
    struct expunged *expunged = context;

    (void)modseq;
    for (uint32_t uid = range.first; uid <= range.last; uid++)
        expunged->uids[expunged->count++] = uid;
    return true;
}

static void
expunges_are_told_since_a_modseq(void **state)
{
    struct folder *folder = *state;
    const uint32_t first[] = {1, 2, 4}, second[] = {3, 99};
    struct expunged expunged = {0};
    size_t gone;

    for (int i = 0; i < 5; i++)
        folder_deliver(folder, 7, "text");
    mailbox_id inbox = find_mailbox(folder, 7, "INBOX");
    assert_int_equal(mailbox_message_expunge(folder->store, 7, inbox, first, 3, &gone), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    uint64_t modseq = get_mailbox(folder, 7, "INBOX").modseq;
    assert_int_equal(mailbox_message_expunge(folder->store, 7, inbox, second, 2, &gone), STORE_OK);
    assert_int_equal(gone, 1);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_expunge_list(folder->store, 7, inbox, modseq, add_range, &expunged),
                     STORE_OK);
    assert_int_equal(expunged.count, 1);
    assert_int_equal(expunged.uids[0], 3);
    expunged.count = 0;
    assert_int_equal(
        mailbox_expunge_list(folder->store, 7, inbox, modseq - 1, add_range, &expunged), STORE_OK);
    assert_int_equal(expunged.count, 4);
    assert_int_equal(mailbox_expunge_list(folder->store, 7, inbox, 0, add_range, &expunged),
                     STORE_LIMIT);
}

static void
an_expunge_log_forgets_its_oldest(void **state)
{
    struct folder *folder = *state;
    struct expunged expunged = {0};
    size_t gone;

    struct message_new message = {0};
    mailbox_id inbox;
    uint32_t uid;

    assert_int_equal(mailbox_open(folder->store, 7, SLICE("INBOX"), &inbox), STORE_OK);
    assert_int_equal(mailbox_body_add(folder->store, SLICE("x"), slice_of("", 0), slice_of("", 0),
                                      &message.body),
                     STORE_OK);
    for (int i = 0; i < EXPUNGE_LOG_MAX + 1; i++)
        assert_int_equal(mailbox_message_append(folder->store, 7, inbox, &message, &uid), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    uint64_t before = get_mailbox(folder, 7, "INBOX").modseq;
    for (uid = 1; uid <= EXPUNGE_LOG_MAX; uid++)
        assert_int_equal(mailbox_message_expunge(folder->store, 7, inbox, &uid, 1, &gone),
                         STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_true(get_mailbox(folder, 7, "INBOX").expunge_floor <= before);
    assert_int_equal(mailbox_message_expunge(folder->store, 7, inbox, &uid, 1, &gone), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_true(get_mailbox(folder, 7, "INBOX").expunge_floor > before);
    assert_int_equal(mailbox_expunge_list(folder->store, 7, inbox, before, add_range, &expunged),
                     STORE_LIMIT);
}

static void
flags_change_and_modseq_grows(void **state)
{
    struct folder *folder = *state;
    struct message_change change = {.flags_set = MESSAGE_SEEN | MESSAGE_FLAGGED};
    struct message_entry entry;
    uint64_t modseq, again;

    folder_deliver(folder, 7, "text");
    mailbox_id inbox = find_mailbox(folder, 7, "INBOX");
    uint64_t before = get_mailbox(folder, 7, "INBOX").modseq;
    assert_int_equal(mailbox_message_change(folder->store, 7, inbox, 1, &change, &modseq),
                     STORE_OK);
    assert_true(modseq > before);
    assert_int_equal(mailbox_message_change(folder->store, 7, inbox, 1, &change, &again), STORE_OK);
    assert_int_equal(again, modseq);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(get_mailbox(folder, 7, "INBOX").unseen, 0);
    assert_int_equal(mailbox_message_get(folder->store, 7, inbox, 1, &entry), STORE_OK);
    assert_int_equal(entry.flags, MESSAGE_SEEN | MESSAGE_FLAGGED);
}

static bool
count_account(void *context, account_id account, const struct account_entry *entry)
{
    (void)account, (void)entry;
    ++*(size_t *)context;
    return true;
}

static void
a_removed_account_is_purged(void **state)
{
    struct folder *folder = *state;
    size_t count = 1, accounts = 0;
    struct store_stats stats;
    struct account_entry entry;

    folder_deliver(folder, 7, "one");
    folder_deliver(folder, 7, "two");
    folder_deliver(folder, 9, "three");
    assert_int_equal(mailbox_account_remove(folder->store, 7), STORE_OK);
    assert_int_equal(mailbox_account_remove(folder->store, 7), STORE_BUSY);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_mailboxes(folder, 7, "");
    while (count > 0) {
        assert_int_equal(store_purge(folder->store, &count), STORE_OK);
        assert_int_equal(folder_commit(folder), STORE_OK);
    }
    store_stats_get(folder->store, &stats);
    assert_int_equal(stats.live_bytes, 5 + sizeof("a parse record") - 1);
    assert_int_equal(mailbox_account_get(folder->store, 7, &entry), STORE_OK);
    assert_int_equal(entry.messages, 0);
    assert_int_equal(mailbox_account_list(folder->store, 0, count_account, &accounts), STORE_OK);
    assert_int_equal(accounts, 2);
    assert_reads(folder, 9, 1, "three");
}

/* ---- files ----------------------------------------------------------------------------------- */

static void
path_in(const struct folder *folder, const char *name, char ret_path[400])
{
    snprintf(ret_path, 400, "%s/%s", folder->path, name);
}

static void
change_octet(const struct folder *folder, const char *name, long offset)
{
    char path[400];

    path_in(folder, name, path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, offset, SEEK_SET);
    int octet = fgetc(file);
    fseek(file, offset, SEEK_SET);
    fputc(octet ^ 1, file);
    fclose(file);
}

static void
a_lost_view_is_rebuilt_from_the_log(void **state)
{
    struct folder *folder = *state;
    char path[400], aside[400];

    folder_deliver(folder, 7, "one");
    folder_deliver(folder, 7, "two");
    store_close(&folder->store);
    path_in(folder, "view", path);
    path_in(folder, "view.lost", aside);
    assert_int_equal(rename(path, aside), 0);
    folder_open_store(folder);
    assert_reads(folder, 7, 1, "one");
    assert_reads(folder, 7, 2, "two");
}

static void
note_finding(void *context, struct slice text)
{
    char *findings = context;
    size_t len = strlen(findings);

    snprintf(findings + len, 4096 - len, "%.*s\n", (int)text.len, (const char *)text.at);
}

static uint64_t
run_check(struct folder *folder, char findings[4096])
{
    struct check_progress progress;
    struct check *check = check_open(folder->store, note_finding, findings);

    assert_non_null(check);
    while (check_step(check))
        ;
    check_progress_get(check, &progress);
    assert_true(progress.is_finished && progress.done == progress.parts);
    check_close(&check);
    assert_int_equal(folder_commit(folder), STORE_OK);
    return progress.findings;
}

static void
check_names_and_marks_a_damaged_body(void **state)
{
    struct folder *folder = *state;
    char findings[4096] = "";
    struct buffer text;

    folder_deliver(folder, 7, "the first message");
    folder_deliver(folder, 7, "the second message");
    assert_int_equal(run_check(folder, findings), 0);
    /* The last octets of the log are the second turn's: body, record, padding. */
    struct store_stats stats;
    store_stats_get(folder->store, &stats);
    change_octet(folder, "log/00000001.seg", (long)stats.log_bytes - 26);
    assert_true(run_check(folder, findings) >= 1);
    assert_non_null(strstr(findings, "body 2 is damaged"));
    assert_reads(folder, 7, 1, "the first message");
    buffer_init(&text, 100);
    assert_int_equal(folder_read(folder, 7, "INBOX", 2, &text), STORE_DAMAGED);
    buffer_finish(&text);
    findings[0] = 0;
    run_check(folder, findings);
    assert_non_null(strstr(findings, "account 7, mailbox 1, uid 2: its body is damaged"));
    /* Life goes on, also after a start. */
    store_close(&folder->store);
    folder_open_store(folder);
    assert_int_equal(folder_deliver(folder, 7, "the third message"), 3);
}

static void
a_newer_format_is_refused_and_not_touched(void **state)
{
    struct folder *folder = *state;
    struct buffer why, header;
    char path[400];

    folder_deliver(folder, 7, "one");
    store_close(&folder->store);
    buffer_init(&header, 100);
    segment_header_put(&header, &(struct segment_header){
                                    .version = SEGMENT_VERSION + 1, .number = 1, .first_turn = 1});
    path_in(folder, "log/00000001.seg", path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(buffer_slice(&header).at, 1, SEGMENT_HEADER_LEN, file),
                     SEGMENT_HEADER_LEN);
    fclose(file);
    buffer_finish(&header);
    buffer_init(&why, 1024);
    assert_int_equal(store_open(&folder->options, &why, &folder->store), -EPROTONOSUPPORT);
    assert_true(slice_find(buffer_slice(&why), SLICE("newer release")) < buffer_len(&why));
    buffer_finish(&why);
}

static void
two_stores_cannot_have_the_same_folder(void **state)
{
    struct folder *folder = *state;
    struct store *second = NULL;
    struct buffer why;

    buffer_init(&why, 1024);
    assert_int_equal(store_open(&folder->options, &why, &second), -EWOULDBLOCK);
    assert_null(second);
    buffer_finish(&why);
}

static void
a_view_ahead_of_its_log_is_refused_with_the_remedy(void **state)
{
    struct folder *folder = *state;
    struct buffer why;
    char path[400];

    folder_deliver(folder, 7, "one");
    store_close(&folder->store);
    path_in(folder, "log/00000001.seg", path);
    assert_int_equal(remove(path), 0);
    buffer_init(&why, 1024);
    assert_int_equal(store_open(&folder->options, &why, &folder->store), -EBADMSG);
    assert_true(slice_find(buffer_slice(&why), SLICE("backup")) < buffer_len(&why));
    buffer_finish(&why);
}

static void
a_suspect_view_is_put_aside(void **state)
{
    struct folder *folder = *state;
    char path[400];

    folder_deliver(folder, 7, "one");
    for (int i = 0; i < 2; i++) { /* the one that was put aside before gives way */
        store_close(&folder->store);
        folder->options.is_view_suspect = true;
        folder_open_store(folder);
        assert_reads(folder, 7, 1, "one");
        path_in(folder, "view.damaged/data.mdb", path);
        assert_int_equal(access(path, F_OK), 0);
    }
    folder->options.is_view_suspect = false;
    assert_non_null(strstr(folder->reports, "the store fell again and again"));
}

static void
a_damaged_turn_is_set_aside_and_gone_on_from(void **state)
{
    struct folder *folder = *state;
    char path[400];

    folder_deliver(folder, 7, "one");
    folder_deliver(folder, 8, "two");
    folder_deliver(folder, 9, "three");
    store_close(&folder->store);
    path_in(folder, "view", path);
    char aside[400];
    path_in(folder, "view.lost", aside);
    assert_int_equal(rename(path, aside), 0);
    change_octet(folder, "log/00000001.seg", SEGMENT_HEADER_LEN + 30); /* the first turn's header */
    folder_open_store(folder);
    assert_non_null(strstr(folder->reports, "the log is damaged: segment 1, octets 64"));
    assert_int_equal(find_mailbox(folder, 7, "INBOX"), 0);
    assert_reads(folder, 8, 1, "two");
    assert_reads(folder, 9, 1, "three");
}

static bool
add_annotation(void *context, mailbox_id mailbox, struct slice name, struct slice value)
{
    char *seen = context;
    size_t len = strlen(seen);

    snprintf(seen + len, 200 - len, "%u:%.*s=%.*s ", mailbox, (int)name.len, (const char *)name.at,
             (int)value.len, (const char *)value.at);
    return true;
}

static void
assert_annotations(struct folder *folder, mailbox_id mailbox, bool is_all, const char *wanted)
{
    char seen[200] = "";

    assert_int_equal(
        mailbox_annotation_list(folder->store, 7, mailbox, is_all, add_annotation, seen), STORE_OK);
    assert_string_equal(seen, wanted);
}

static void
annotations_follow_their_mailbox(void **state)
{
    struct folder *folder = *state;
    struct annotation two[] = {{SLICE("/a"), SLICE("one")}, {SLICE("/b"), SLICE("two")}};
    struct annotation change[] = {{SLICE("/a"), slice_of(NULL, 0)}, {SLICE("/b"), SLICE("")}};
    struct annotation many[ANNOTATIONS_MAX];
    char names[ANNOTATIONS_MAX][8];
    mailbox_id inbox, other;
    size_t count;

    assert_int_equal(mailbox_open(folder->store, 7, SLICE("INBOX"), &inbox), STORE_OK);
    assert_int_equal(mailbox_open(folder->store, 7, SLICE("other"), &other), STORE_OK);
    assert_int_equal(mailbox_annotations_set(folder->store, 7, inbox, two, 2), STORE_OK);
    assert_int_equal(mailbox_annotations_set(folder->store, 7, 0, two, 1), STORE_OK);
    assert_int_equal(mailbox_annotations_set(folder->store, 7, other, two, 2), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_annotations(folder, inbox, false, "1:/a=one 1:/b=two ");
    assert_annotations(folder, 0, true, "0:/a=one 1:/a=one 1:/b=two 2:/a=one 2:/b=two ");
    assert_int_equal(mailbox_annotations_set(folder->store, 7, other, change, 2), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_annotations(folder, other, false, "2:/b= ");
    /* INBOX keeps a copy. */
    assert_int_equal(mailbox_rename(folder->store, 7, SLICE("INBOX"), SLICE("old")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_annotations(folder, 3, false, "3:/a=one 3:/b=two ");
    assert_annotations(folder, inbox, false, "1:/a=one 1:/b=two ");
    assert_int_equal(mailbox_remove(folder->store, 7, SLICE("other")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    while (store_purge(folder->store, &count) == STORE_OK && count > 0)
        assert_int_equal(folder_commit(folder), STORE_OK);
    assert_annotations(folder, other, false, "");
    /* All or nothing. */
    for (size_t i = 0; i < ANNOTATIONS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "/%zu", i);
        many[i] = (struct annotation){slice_of_string(names[i]), SLICE("x")};
    }
    assert_int_equal(mailbox_annotations_set(folder->store, 7, inbox, many, ANNOTATIONS_MAX),
                     STORE_LIMIT);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_annotations(folder, inbox, false, "1:/a=one 1:/b=two ");
}

/* In the order of the log, where one read of the disk serves many: nothing is torn, stale or mixed
 * up, also where more is written meanwhile. */
static void
what_is_read_in_order_is_what_was_written(void **state)
{
    struct folder *folder = *state;
    char text[400];

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 40; i++) {
            snprintf(text, sizeof(text), "%u.%u %.*u", round, i, 300, i);
            assert_int_equal(folder_deliver(folder, 7, text), round * 40 + i + 1);
        }
        for (unsigned i = 0; i < (round + 1) * 40; i++) {
            snprintf(text, sizeof(text), "%u.%u %.*u", i / 40, i % 40, 300, i % 40);
            assert_reads(folder, 7, i + 1, text);
        }
    }
    snprintf(text, sizeof(text), "%u.%u %.*u", 0, 7, 300, 7);
    assert_reads(folder, 7, 8, text);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_delivered_message_can_be_read),
        IN_FOLDER(a_kill_loses_nothing_that_was_committed),
        IN_FOLDER(a_quota_takes_what_fits_and_no_octet_more),
        IN_FOLDER(a_quota_of_messages_counts_them),
        IN_FOLDER(one_body_serves_all_recipients_until_the_last_lets_go),
        IN_FOLDER(a_body_that_nobody_names_is_not_written),
        IN_FOLDER(names_have_limits),
        IN_FOLDER(an_account_has_so_many_mailboxes_and_no_more),
        IN_FOLDER(a_rename_takes_the_inferiors_along),
        IN_FOLDER(renaming_inbox_leaves_an_empty_one),
        IN_FOLDER(a_mailbox_made_again_has_another_uidvalidity),
        IN_FOLDER(keywords_are_named_up_to_their_limit),
        IN_FOLDER(expunges_are_told_since_a_modseq),
        IN_FOLDER(an_expunge_log_forgets_its_oldest),
        IN_FOLDER(flags_change_and_modseq_grows),
        IN_FOLDER(a_removed_account_is_purged),
        IN_FOLDER(a_lost_view_is_rebuilt_from_the_log),
        IN_FOLDER(check_names_and_marks_a_damaged_body),
        IN_FOLDER(a_newer_format_is_refused_and_not_touched),
        IN_FOLDER(two_stores_cannot_have_the_same_folder),
        IN_FOLDER(a_view_ahead_of_its_log_is_refused_with_the_remedy),
        IN_FOLDER(a_suspect_view_is_put_aside),
        IN_FOLDER(a_damaged_turn_is_set_aside_and_gone_on_from),
        IN_FOLDER(annotations_follow_their_mailbox),
        IN_FOLDER(what_is_read_in_order_is_what_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
