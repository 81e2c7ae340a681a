/* SPDX-License-Identifier: ISC */
/* Rights of others, and what is shared with whom. */
#include "mailbox/acl.h"

#include "mailbox/account.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/purge.h"
#include "mailbox/sharing.h"
#include "mailbox/tests/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { OWNER = 7, FRIEND = 9 };

#define BOB SLICE("bob@example.test")

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

static mailbox_id
make(struct folder *folder, const char *name)
{
    mailbox_id mailbox = 0;

    assert_int_equal(mailbox_open(folder->store, OWNER, slice_of_string(name), &mailbox), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    return mailbox;
}

static void
set(struct folder *folder, mailbox_id mailbox, const char *identifier, unsigned rights)
{
    assert_int_equal(
        mailbox_acl_set(folder->store, OWNER, mailbox, slice_of_string(identifier), rights),
        STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
}

static unsigned
rights_of_bob(struct folder *folder, mailbox_id mailbox)
{
    return mailbox_rights(folder->store, OWNER, mailbox, BOB);
}

static void
what_is_given_counts_less_what_is_taken_away(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "Work");

    assert_int_equal(rights_of_bob(folder, mailbox), 0);
    set(folder, mailbox, "anyone", RIGHT_LOOKUP | RIGHT_READ);
    assert_int_equal(rights_of_bob(folder, mailbox), RIGHT_LOOKUP | RIGHT_READ);
    set(folder, mailbox, "bob@example.test", RIGHT_INSERT);
    assert_int_equal(rights_of_bob(folder, mailbox), RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT);
    set(folder, mailbox, "-bob@example.test", RIGHT_READ);
    assert_int_equal(rights_of_bob(folder, mailbox), RIGHT_LOOKUP | RIGHT_INSERT);
    assert_int_equal(mailbox_rights(folder->store, OWNER, mailbox, SLICE("-bob@example.test")),
                     RIGHT_LOOKUP | RIGHT_READ);
    assert_int_equal(mailbox_rights(folder->store, OWNER, mailbox, SLICE("eve@example.test")),
                     RIGHT_LOOKUP | RIGHT_READ);
    set(folder, mailbox, "-anyone", RIGHT_LOOKUP);
    assert_int_equal(rights_of_bob(folder, mailbox), RIGHT_INSERT);
    set(folder, mailbox, "bob@example.test", 0);
    assert_int_equal(rights_of_bob(folder, mailbox), 0);
}

/* Changes the octet behind `pattern` wherever it stands in LMDB's file. */
static void
damage_behind(const struct folder *folder, const char *pattern)
{
    char path[300];
    size_t len = strlen(pattern), seen = 0;
    unsigned count = 0;

    snprintf(path, sizeof(path), "%s/view/data.mdb", folder->path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (int octet; (octet = fgetc(file)) != EOF;) {
        if (seen == len) {
            assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
            assert_int_equal(fputc(octet ^ 0x55, file), octet ^ 0x55);
            assert_int_equal(fseek(file, 0, SEEK_CUR), 0);
            count++;
        }
        seen = seen < len && octet == pattern[seen] ? seen + 1 : octet == pattern[0];
    }
    assert_int_equal(fclose(file), 0);
    assert_in_range(count, 1, 20);
}

static void
nobody_has_a_right_because_what_takes_it_away_cannot_be_read(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "Work");

    set(folder, mailbox, "anyone", RIGHT_LOOKUP | RIGHT_READ);
    set(folder, mailbox, "-bob@example.test", RIGHT_READ);
    store_sync_view(folder->store);
    assert_int_equal(rights_of_bob(folder, mailbox), RIGHT_LOOKUP);
    damage_behind(folder, "-bob@example.test");
    assert_int_equal(rights_of_bob(folder, mailbox), 0);
    store_sync_view(folder->store); /* the log has it */
    assert_int_equal(rights_of_bob(folder, mailbox), RIGHT_LOOKUP);
}

static void
an_identifier_has_a_form(void **state)
{
    uint8_t long_name[IDENTIFIER_MAX + 1];

    (void)state;
    memset(long_name, 'a', sizeof(long_name));
    assert_true(mailbox_identifier_is_valid(slice_of(long_name, IDENTIFIER_MAX)));
    assert_false(mailbox_identifier_is_valid(slice_of(long_name, IDENTIFIER_MAX + 1)));
    assert_false(mailbox_identifier_is_valid(SLICE("")));
    assert_false(mailbox_identifier_is_valid(SLICE("-")));
    assert_false(mailbox_identifier_is_valid(SLICE("a/b")));
    assert_false(mailbox_identifier_is_valid(SLICE("a b")));
}

static void
a_list_holds_a_hundred_and_no_more(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "Work");
    char name[32];

    for (int i = 0; i < ACL_ENTRIES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "user%d", i);
        set(folder, mailbox, name, RIGHT_LOOKUP);
    }
    assert_int_equal(
        mailbox_acl_set(folder->store, OWNER, mailbox, SLICE("one.more"), RIGHT_LOOKUP),
        STORE_LIMIT);
    set(folder, mailbox, "user1", RIGHT_LOOKUP | RIGHT_READ);
}

struct seen {
    size_t count;
    account_id owner;
    mailbox_id mailbox;
};

static bool
see(void *context, account_id owner, mailbox_id mailbox)
{
    struct seen *seen = context;

    seen->count++;
    seen->owner = owner;
    seen->mailbox = mailbox;
    return true;
}

static struct seen
shared_with(struct folder *folder, struct slice identifier)
{
    struct seen seen = {0};

    assert_int_equal(mailbox_share_list(folder->store, identifier, see, &seen), STORE_OK);
    return seen;
}

static void
purge_all(struct folder *folder)
{
    size_t count;

    do {
        assert_int_equal(store_purge(folder->store, &count), STORE_OK);
        assert_int_equal(folder_commit(folder), STORE_OK);
    } while (count > 0);
}

static void
a_list_goes_with_its_mailbox(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "Work");

    set(folder, mailbox, "bob@example.test", RIGHT_READ);
    struct seen seen = shared_with(folder, BOB);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.owner, OWNER);
    assert_int_equal(seen.mailbox, mailbox);
    assert_int_equal(shared_with(folder, SLICE("bob@example.tes")).count, 0);
    assert_int_equal(mailbox_remove(folder->store, OWNER, SLICE("Work")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    purge_all(folder);
    assert_int_equal(rights_of_bob(folder, mailbox), 0);
    assert_int_equal(shared_with(folder, BOB).count, 0);
}

static void
a_renamed_inbox_leaves_its_list_behind_and_takes_it_along(void **state)
{
    struct folder *folder = *state;
    mailbox_id inbox = make(folder, "INBOX"), fresh;

    set(folder, inbox, "bob@example.test", RIGHT_READ);
    assert_int_equal(mailbox_rename(folder->store, OWNER, SLICE("INBOX"), SLICE("Old")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_find(folder->store, OWNER, SLICE("INBOX"), &fresh), STORE_OK);
    assert_int_not_equal(inbox, fresh);
    assert_int_equal(rights_of_bob(folder, inbox), RIGHT_READ);
    assert_int_equal(rights_of_bob(folder, fresh), RIGHT_READ);
}

static void
an_owner_is_found_by_his_name_until_he_goes(void **state)
{
    struct folder *folder = *state;
    account_id found;
    struct slice name;

    (void)make(folder, "Work");
    assert_int_equal(mailbox_owner_set(folder->store, OWNER, BOB), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_owner_find(folder->store, BOB, &found), STORE_OK);
    assert_int_equal(found, OWNER);
    assert_int_equal(mailbox_owner_name(folder->store, OWNER, &name), STORE_OK);
    assert_true(slice_equal(name, BOB));
    /* another takes the name */
    assert_int_equal(mailbox_owner_set(folder->store, FRIEND, BOB), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_owner_name(folder->store, OWNER, &name), STORE_NOT_FOUND);
    assert_int_equal(mailbox_owner_set(folder->store, OWNER, SLICE("a/b")), STORE_LIMIT);
    assert_int_equal(mailbox_owner_set(folder->store, OWNER, SLICE("al")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_account_remove(folder->store, OWNER), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_owner_find(folder->store, SLICE("al"), &found), STORE_NOT_FOUND);
}

static void
a_thousand_mailboxes_of_others_can_be_subscribed_to(void **state)
{
    struct folder *folder = *state;

    for (mailbox_id i = 1; i <= FOLLOWED_MAX; i++)
        assert_int_equal(mailbox_follow(folder->store, FRIEND, OWNER, i, true), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_follow(folder->store, FRIEND, OWNER, FOLLOWED_MAX + 1, true),
                     STORE_LIMIT);
    assert_int_equal(mailbox_follow(folder->store, FRIEND, OWNER, 1, true), STORE_OK);
    assert_true(mailbox_is_followed(folder->store, FRIEND, OWNER, 1));
    assert_int_equal(mailbox_follow(folder->store, FRIEND, OWNER, 1, false), STORE_OK);
    assert_false(mailbox_is_followed(folder->store, FRIEND, OWNER, 1));
}

struct copies {
    uint32_t from[8], to[8];
    size_t count;
};

static void
note_copy(void *context, uint32_t uid, uint32_t copy_uid)
{
    struct copies *copies = context;

    copies->from[copies->count] = uid;
    copies->to[copies->count++] = copy_uid;
}

static void
a_copy_to_another_account_takes_the_flags_that_may_go(void **state)
{
    struct folder *folder = *state;
    struct message_entry entry;
    mailbox_id inbox, target;
    uint64_t bit, modseq;
    uint32_t uid = folder_deliver(folder, OWNER, "text");

    assert_int_equal(mailbox_find(folder->store, OWNER, SLICE("INBOX"), &inbox), STORE_OK);
    assert_int_equal(mailbox_keyword(folder->store, OWNER, inbox, SLICE("$one"), &bit), STORE_OK);
    struct message_change change = {.flags_set = MESSAGE_SEEN | MESSAGE_DELETED,
                                    .keywords_set = bit};
    assert_int_equal(mailbox_message_change(folder->store, OWNER, inbox, uid, &change, &modseq),
                     STORE_OK);
    assert_int_equal(mailbox_open(folder->store, FRIEND, SLICE("In"), &target), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    struct message_copy copy = {OWNER, FRIEND, inbox, target, MESSAGE_SEEN, true};
    struct copies copies = {0};
    assert_int_equal(mailbox_message_copy_all(folder->store, &copy, &uid, 1, note_copy, &copies),
                     STORE_OK);
    copy.has_keywords = false;
    assert_int_equal(mailbox_message_copy_all(folder->store, &copy, &uid, 1, note_copy, &copies),
                     STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_message_get(folder->store, FRIEND, target, 1, &entry), STORE_OK);
    assert_int_equal(entry.flags, MESSAGE_SEEN);
    assert_int_equal(entry.keywords, 1);
    assert_int_equal(mailbox_message_get(folder->store, FRIEND, target, 2, &entry), STORE_OK);
    assert_int_equal(entry.keywords, 0);
}

/* Keywords of the source are bits 0 and 1, of the target 1 and 2: "$other" was there before. */
static void
many_are_copied_in_order_each_with_its_keywords(void **state)
{
    static const uint64_t keywords[] = {0, 1, 1, 3, 0, 2}, wanted[] = {0, 2, 2, 6, 0, 4};
    struct folder *folder = *state;
    struct store *store = folder->store;
    struct mailbox_entry before, after;
    struct message_entry entry;
    struct copies copies = {0};
    mailbox_id inbox, target;
    uint32_t uids[7];
    uint64_t bit, modseq;

    assert_int_equal(mailbox_open(store, FRIEND, SLICE("In"), &target), STORE_OK);
    assert_int_equal(mailbox_keyword(store, FRIEND, target, SLICE("$other"), &bit), STORE_OK);
    for (size_t i = 0; i < 6; i++)
        uids[i] = folder_deliver(folder, OWNER, "text");
    assert_int_equal(mailbox_find(store, OWNER, SLICE("INBOX"), &inbox), STORE_OK);
    assert_int_equal(mailbox_keyword(store, OWNER, inbox, SLICE("$one"), &bit), STORE_OK);
    assert_int_equal(mailbox_keyword(store, OWNER, inbox, SLICE("$two"), &bit), STORE_OK);
    for (size_t i = 0; i < 6; i++) {
        struct message_change change = {.keywords_set = keywords[i]};
        assert_int_equal(mailbox_message_change(store, OWNER, inbox, uids[i], &change, &modseq),
                         STORE_OK);
    }
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_get(store, FRIEND, target, &before), STORE_OK);
    uids[6] = uids[5];
    uids[5] = 1000; /* there is none */
    struct message_copy copy = {OWNER, FRIEND, inbox, target, MESSAGE_FLAGS, true};
    assert_int_equal(mailbox_message_copy_all(store, &copy, uids, 7, note_copy, &copies), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(copies.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(copies.from[i], uids[i < 5 ? i : 6]);
        assert_int_equal(copies.to[i], before.uid_next + i);
        assert_int_equal(mailbox_message_get(store, FRIEND, target, copies.to[i], &entry),
                         STORE_OK);
        assert_int_equal(entry.keywords, wanted[i]);
    }
    assert_int_equal(mailbox_get(store, FRIEND, target, &after), STORE_OK);
    assert_int_equal(after.messages, before.messages + 6);
    assert_int_equal(after.uid_next, before.uid_next + 6);
    assert_int_equal(after.modseq, entry.modseq);
    assert_int_equal(after.keywords, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_given_counts_less_what_is_taken_away),
        TEST(nobody_has_a_right_because_what_takes_it_away_cannot_be_read),
        cmocka_unit_test(an_identifier_has_a_form),
        TEST(a_list_holds_a_hundred_and_no_more),
        TEST(a_list_goes_with_its_mailbox),
        TEST(a_renamed_inbox_leaves_its_list_behind_and_takes_it_along),
        TEST(an_owner_is_found_by_his_name_until_he_goes),
        TEST(a_thousand_mailboxes_of_others_can_be_subscribed_to),
        TEST(a_copy_to_another_account_takes_the_flags_that_may_go),
        TEST(many_are_copied_in_order_each_with_its_keywords),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
