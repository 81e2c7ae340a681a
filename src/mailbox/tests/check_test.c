/* SPDX-License-Identifier: ISC */
/* A view that says what is not so: check names each lie. The records are sound, and the view's own
 * checks are right, as a mistake of ours would leave them. */
#include "mailbox/check.h"
#include "mailbox/account.h"
#include "mailbox/entry.h"
#include "mailbox/key.h"
#include "mailbox/message.h"
#include "mailbox/queue.h"
#include "mailbox/store_private.h"
#include "mailbox/tests/folder.h"
#include "mailbox/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ACCOUNT = 7, INBOX = 1, QUEUED = 32, FINDINGS_MAX = 8192 };

static const char first[] = "one", second[] = "the second";

/* ---- the world: two messages in INBOX (bodies 1 and 2), one in the queue (body 3) --------------
 */

static int
open_world(void **state)
{
    static struct folder folder;
    body_id body;

    folder_open(&folder);
    folder_open_store(&folder);
    assert_int_equal(folder_deliver(&folder, ACCOUNT, first), 1);
    assert_int_equal(folder_deliver(&folder, ACCOUNT, second), 2);
    assert_int_equal(mailbox_body_add(folder.store, SLICE("queued"), SLICE(""), SLICE(""), &body),
                     STORE_OK);
    assert_int_equal(body, 3);
    assert_int_equal(mailbox_queue_add(folder.store, QUEUED, body, SLICE("facts")), STORE_OK);
    assert_int_equal(folder_commit(&folder), STORE_OK);
    *state = &folder;
    return 0;
}

static int
close_world(void **state)
{
    folder_close(*state);
    return 0;
}

static struct slice
get(struct folder *folder, struct key key)
{
    struct slice value;

    assert_int_equal(view_get(folder->store->view, key_slice(&key), &value), 0);
    return value;
}

static void
put(struct folder *folder, struct key key, struct slice value)
{
    assert_int_equal(view_put(folder->store->view, key_slice(&key), value), 0);
}

static void
del(struct folder *folder, struct key key)
{
    assert_int_equal(view_del(folder->store->view, key_slice(&key)), 0);
}

/* change_KIND: reads a record, lets `fn` change it, writes it. */
#define DEFINE_CHANGE(kind)                                                                        \
    static void change_##kind(struct folder *folder, struct key key,                               \
                              void (*fn)(struct kind##_entry *))                                   \
    {                                                                                              \
        struct kind##_entry entry;                                                                 \
        struct buffer value;                                                                       \
        buffer_init(&value, ENTRY_LEN_MAX);                                                        \
        assert_true(kind##_entry_take(get(folder, key), &entry));                                  \
        fn(&entry);                                                                                \
        kind##_entry_put(&value, &entry);                                                          \
        put(folder, key, buffer_slice(&value));                                                    \
        buffer_finish(&value);                                                                     \
    }
DEFINE_CHANGE(account)
DEFINE_CHANGE(mailbox)
DEFINE_CHANGE(message)
DEFINE_CHANGE(body)
DEFINE_CHANGE(queued)

static void
note_finding(void *context, struct slice text)
{
    char *findings = context;
    size_t len = strlen(findings);

    snprintf(findings + len, FINDINGS_MAX - len, "%.*s\n", (int)text.len, (const char *)text.at);
}

/* Check finds exactly these lines. */
static void
assert_findings(struct folder *folder, const char *wanted)
{
    char findings[FINDINGS_MAX] = "";
    struct check_progress progress;
    struct check *check = check_open(folder->store, note_finding, findings);

    assert_non_null(check);
    while (check_step(check))
        ;
    check_progress_get(check, &progress);
    assert_true(progress.is_finished);
    check_close(&check);
    assert_string_equal(findings, wanted);
}

/* ---- lies ------------------------------------------------------------------------------------ */

static void
a_sound_store_has_no_findings(void **state)
{
    assert_findings(*state, "");
}

static void
count_more(struct mailbox_entry *entry)
{
    entry->messages++;
    entry->bytes += 10;
    entry->unseen--;
}

static void
count_more_in_account(struct account_entry *entry)
{
    entry->messages++;
    entry->bytes--;
}

static void
totals_that_do_not_add_up_are_named(void **state)
{
    change_mailbox(*state, key_mailbox(ACCOUNT, INBOX), count_more);
    change_account(*state, key_account(ACCOUNT), count_more_in_account);
    assert_findings(*state,
                    "account 7, mailbox 1: its record says 3 messages, 23 octets, 1 unseen; there "
                    "are 2, 13, 2\n"
                    "account 7: its record says 3 messages, 12 octets; there are 2, 13\n");
}

static void
lower_counters(struct mailbox_entry *entry)
{
    entry->uid_next = 2;
}

static void
lower_modseq(struct account_entry *entry)
{
    entry->modseq = 1;
}

static void
counters_that_were_passed_are_named(void **state)
{
    change_mailbox(*state, key_mailbox(ACCOUNT, INBOX), lower_counters);
    change_account(*state, key_account(ACCOUNT), lower_modseq);
    assert_findings(*state, "account 7, mailbox 1: beyond its account's counter\n"
                            "account 7, mailbox 1, uid 2: beyond its mailbox's counters\n");
}

static void
be_longer(struct message_entry *entry)
{
    entry->len++;
}

static void
name_another_body(struct message_entry *entry)
{
    entry->body = 99;
}

static void
messages_that_do_not_fit_their_bodies_are_named(void **state)
{
    change_message(*state, key_message(ACCOUNT, INBOX, 1), name_another_body);
    change_message(*state, key_message(ACCOUNT, INBOX, 2), be_longer);
    assert_findings(*state,
                    "account 7, mailbox 1, uid 1: its body 99 is missing\n"
                    "account 7, mailbox 1, uid 2: 11 octets, but its body has 10\n"
                    "account 7, mailbox 1: its record says 2 messages, 13 octets, 2 unseen; there "
                    "are 2, 14, 2\n"
                    "account 7: its record says 2 messages, 13 octets; there are 2, 14\n"
                    "body 1: its record says 1 messages name it, there are 0\n");
}

static void
count_more_references(struct body_entry *entry)
{
    entry->refs = 5;
}

static void
lie_elsewhere(struct body_entry *entry)
{
    entry->place.segment = 77;
}

static void
lie_beyond(struct body_entry *entry)
{
    entry->place.offset += 1000000;
}

static void
bodies_that_lie_nowhere_or_are_counted_wrong_are_named(void **state)
{
    change_body(*state, key_body(1), count_more_references);
    change_body(*state, key_body(2), lie_elsewhere);
    change_body(*state, key_body(3), lie_beyond);
    assert_findings(*state, "body 2: segment 77, where it should lie, is missing or too short\n"
                            "body 3: segment 1, where it should lie, is missing or too short\n"
                            "body 1: its record says 5 messages name it, there are 1\n");
}

static void
be_shorter(struct queued_entry *entry)
{
    entry->len = 2;
}

static void
a_queued_message_that_does_not_fit_its_body_is_named(void **state)
{
    change_queued(*state, key_queued(QUEUED), be_shorter);
    assert_findings(*state, "queued message 32: 2 octets, but its body has 6\n");
}

static void
a_queued_message_without_its_body_is_named(void **state)
{
    del(*state, key_body(3));
    assert_findings(*state, "queued message 32: its body 3 is missing\n");
}

static void
a_mailbox_without_its_name_is_named(void **state)
{
    del(*state, key_name(ACCOUNT, SLICE("INBOX")));
    assert_findings(*state, "account 7, mailbox 1: it has no name\n");
}

static void
messages_without_their_mailbox_are_named(void **state)
{
    del(*state, key_mailbox(ACCOUNT, INBOX));
    assert_findings(*state, "account 7: messages of mailbox 1, which is not there\n"
                            "account 7: its record says 2 messages, 13 octets; there are 0, 0\n");
}

static void
parse_records_that_are_not_of_their_body_are_named(void **state)
{
    put(*state, key_record(2), SLICE("another record"));
    put(*state, key_record(9), SLICE("a parse record"));
    assert_findings(*state, "body 2: the view has another parse record than the log\n"
                            "body 9 has a parse record, but is missing\n");
}

static void
records_that_cannot_be_read_are_named(void **state)
{
    const struct key keys[] = {key_account(ACCOUNT), key_mailbox(ACCOUNT, INBOX),
                               key_message(ACCOUNT, INBOX, 1), key_body(2), key_queued(QUEUED)};

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        put(*state, keys[i], SLICE("\377nonsense"));
    assert_int_equal(view_put(((struct folder *)*state)->store->view, SLICE("nonsense"), SLICE("")),
                     0);
    assert_findings(*state, "body 2: its record is damaged\n"
                            "queued message 32: its record is damaged\n"
                            "account 7: its record is damaged\n"
                            "account 7, mailbox 1: its record is damaged\n"
                            "account 7: messages of mailbox 1, which is not there\n"
                            "account 7, mailbox 1, uid 1: its record is damaged\n"
                            "account 7, mailbox 1, uid 2: its body 2 is missing\n"
                            "a key of 8 octets in the view is none of ours\n"
                            "body 1: its record says 1 messages name it, there are 0\n"
                            "body 3: its record says 1 messages name it, there are 0\n");
}

/* Bodies 1 and 2 are in INBOX, 3 is queued; then come the last of the first window and the first of
 * the second, which is counted in a pass of its own. */
static void
fill_two_windows(struct folder *folder)
{
    folder->store->next_body = CHECK_WINDOW;
    assert_int_equal(folder_deliver(folder, ACCOUNT, "the last of a window"), 3);
    assert_int_equal(folder_deliver(folder, ACCOUNT, "and the first"), 4);
    assert_int_equal(folder->store->next_body, CHECK_WINDOW + 2);
}

static void
references_to_more_bodies_than_one_pass_counts_are_counted(void **state)
{
    fill_two_windows(*state);
    assert_findings(*state, "");
}

static void
references_are_counted_up_to_the_last_body_of_each_pass(void **state)
{
    fill_two_windows(*state);
    change_body(*state, key_body(CHECK_WINDOW), count_more_references);
    change_body(*state, key_body(CHECK_WINDOW + 1), count_more_references);
    assert_findings(*state, "body 4194304: its record says 5 messages name it, there are 1\n"
                            "body 4194305: its record says 5 messages name it, there are 1\n");
}

static void
what_is_wrong_is_named_once_however_many_passes_there_are(void **state)
{
    fill_two_windows(*state);
    put(*state, key_message(ACCOUNT, INBOX, 1), SLICE("\377nonsense"));
    put(*state, key_queued(QUEUED), SLICE("\377nonsense"));
    assert_int_equal(view_put(((struct folder *)*state)->store->view, SLICE("nonsense"), SLICE("")),
                     0);
    assert_findings(*state, "queued message 32: its record is damaged\n"
                            "account 7, mailbox 1, uid 1: its record is damaged\n"
                            "a key of 8 octets in the view is none of ours\n"
                            "account 7, mailbox 1: its record says 4 messages, 46 octets, 4 "
                            "unseen; there are 3, 43, 3\n"
                            "account 7: its record says 4 messages, 46 octets; there are 3, 43\n"
                            "body 1: its record says 1 messages name it, there are 0\n"
                            "body 3: its record says 1 messages name it, there are 0\n");
}

static bool
count_account(void *context, account_id account, const struct account_entry *entry)
{
    (void)account, (void)entry;
    ++*(size_t *)context;
    return true;
}

static void
a_list_of_accounts_that_ends_too_early_says_so(void **state)
{
    struct folder *folder = *state;
    struct view_snapshot *snapshot;
    size_t accounts = 0;

    folder_deliver(folder, ACCOUNT + 1, second);
    store_sync_view(folder->store);
    assert_int_equal(view_snapshot_open(folder->store->view, &snapshot), 0);
    assert_false(view_snapshot_finds(snapshot, SLICE("a key that is lost")));
    view_snapshot_close(&snapshot);
    assert_int_equal(mailbox_account_list(folder->store, 0, count_account, &accounts),
                     STORE_DAMAGED);
    store_sync_view(folder->store); /* made anew */
    accounts = 0;
    assert_int_equal(mailbox_account_list(folder->store, 0, count_account, &accounts), STORE_OK);
    assert_int_equal(accounts, 2);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        CASE(a_sound_store_has_no_findings),
        CASE(totals_that_do_not_add_up_are_named),
        CASE(counters_that_were_passed_are_named),
        CASE(messages_that_do_not_fit_their_bodies_are_named),
        CASE(bodies_that_lie_nowhere_or_are_counted_wrong_are_named),
        CASE(a_queued_message_that_does_not_fit_its_body_is_named),
        CASE(a_queued_message_without_its_body_is_named),
        CASE(a_mailbox_without_its_name_is_named),
        CASE(messages_without_their_mailbox_are_named),
        CASE(parse_records_that_are_not_of_their_body_are_named),
        CASE(records_that_cannot_be_read_are_named),
        CASE(references_to_more_bodies_than_one_pass_counts_are_counted),
        CASE(references_are_counted_up_to_the_last_body_of_each_pass),
        CASE(a_list_of_accounts_that_ends_too_early_says_so),
        CASE(what_is_wrong_is_named_once_however_many_passes_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
