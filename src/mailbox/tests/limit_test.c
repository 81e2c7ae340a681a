/* SPDX-License-Identifier: ISC */
/* Quotas, names, numbers and lists at their limits and one past them. */
#include "mailbox/account.h"
#include "mailbox/acl.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/sharing.h"
#include "mailbox/tests/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { OWNER = 7 };

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, folder_tear_down)

static int
set_up(void **state)
{
    int result = folder_set_up(state);

    folder_open_store(*state);
    return result;
}

static mailbox_id
make(struct folder *folder, const char *name)
{
    mailbox_id mailbox = 0;

    assert_int_equal(mailbox_open(folder->store, OWNER, slice_of_string(name), &mailbox), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    return mailbox;
}

static enum store_result
append(struct folder *folder, account_id account, mailbox_id mailbox, struct message_new message,
       uint32_t *ret_uid)
{
    assert_int_equal(mailbox_body_add(folder->store, SLICE("Subject: hi\r\n\r\n"), SLICE(""),
                                      SLICE(""), &message.body),
                     STORE_OK);
    enum store_result result =
        mailbox_message_append(folder->store, account, mailbox, &message, ret_uid);
    if (result == STORE_OK)
        assert_int_equal(folder_commit(folder), STORE_OK);
    else
        store_drop(folder->store);
    return result;
}

static void
each_quota_is_kept_as_it_was_set_last(void **state)
{
    static const uint64_t quotas[][2] = {{100, 5}, {100, 6}, {101, 6}, {0, 0}};
    struct folder *folder = *state;
    struct account_entry entry;

    for (size_t i = 0; i < COUNT_OF(quotas); i++) {
        for (unsigned again = 0; again < 2; again++) {
            assert_int_equal(
                mailbox_account_set_quota(folder->store, OWNER, quotas[i][0], quotas[i][1]),
                STORE_OK);
            assert_int_equal(folder_commit(folder), STORE_OK);
            assert_int_equal(mailbox_account_get(folder->store, OWNER, &entry), STORE_OK);
            assert_int_equal(entry.quota_bytes, quotas[i][0]);
            assert_int_equal(entry.quota_messages, quotas[i][1]);
        }
    }
    assert_int_equal(mailbox_account_set_quota(folder->store, 0, 1, 1), STORE_NOT_FOUND);
    assert_false(store_has_pending(folder->store));
}

static enum store_result
fits(struct folder *folder, uint64_t more, uint64_t gone)
{
    const struct account_growth growth = {.bytes = more, .bytes_gone = gone};

    return mailbox_account_has_room_for(folder->store, OWNER, &growth);
}

static void
a_quota_is_used_up_to_its_last_octet(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "INBOX");
    uint32_t uid;

    assert_int_equal(append(folder, OWNER, mailbox, (struct message_new){0}, &uid), STORE_OK);
    assert_int_equal(mailbox_account_set_quota(folder->store, OWNER, 20, 0), STORE_OK);
    assert_int_equal(fits(folder, 5, 0), STORE_OK); /* there are fifteen */
    assert_int_equal(fits(folder, 6, 0), STORE_QUOTA);
    assert_int_equal(fits(folder, 8, 3), STORE_OK);
    assert_int_equal(fits(folder, 8, 2), STORE_QUOTA);
    assert_int_equal(mailbox_account_set_quota(folder->store, OWNER, 15, 0), STORE_OK);
    assert_int_equal(fits(folder, 0, 0), STORE_OK);
    assert_int_equal(fits(folder, 1, 0), STORE_QUOTA);
    assert_int_equal(mailbox_account_set_quota(folder->store, OWNER, 10, 0), STORE_OK);
    assert_int_equal(fits(folder, 4, 4), STORE_OK); /* over it nothing more, but no less either */
    assert_int_equal(fits(folder, 5, 4), STORE_QUOTA);
    assert_int_equal(mailbox_account_set_quota(folder->store, OWNER, 0, 0), STORE_OK);
    assert_int_equal(fits(folder, UINT64_MAX, 0), STORE_OK);
}

static void
what_cannot_be_appended_is_refused_with_its_reason(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "INBOX");
    uint32_t uid;

    assert_int_equal(append(folder, OWNER, mailbox + 1, (struct message_new){0}, &uid),
                     STORE_NOT_FOUND);
    assert_int_equal(append(folder, OWNER + 1, mailbox, (struct message_new){0}, &uid),
                     STORE_NOT_FOUND);
    assert_int_equal(
        append(folder, OWNER, mailbox, (struct message_new){.uid = UINT32_MAX - 1}, &uid),
        STORE_OK);
    assert_int_equal(uid, UINT32_MAX - 1);
    assert_int_equal(append(folder, OWNER, mailbox, (struct message_new){0}, &uid), STORE_LIMIT);
}

static void
bodies_and_records_have_their_longest_length(void **state)
{
    struct folder *folder = *state;
    const uint8_t *nowhere = (const uint8_t *)""; /* lengths are looked at first */
    struct slice none = SLICE("");
    body_id body;

    assert_int_equal(
        mailbox_body_add(folder->store, slice_of(nowhere, BODY_LEN_MAX + 1), none, none, &body),
        STORE_LIMIT);
    assert_int_equal(
        mailbox_body_add(folder->store, none, slice_of(nowhere, BODY_LEN_MAX + 1), none, &body),
        STORE_LIMIT);
    assert_int_equal(mailbox_body_add(folder->store, slice_of(nowhere, SIZE_MAX),
                                      slice_of(nowhere, 2), none, &body),
                     STORE_LIMIT);
    assert_int_equal(mailbox_body_add(folder->store, slice_of(nowhere, BODY_LEN_MAX),
                                      slice_of(nowhere, 1), none, &body),
                     STORE_LIMIT);
    assert_int_equal(
        mailbox_body_add(folder->store, none, none, slice_of(nowhere, BODY_RECORD_MAX + 1), &body),
        STORE_LIMIT);
    assert_false(store_has_pending(folder->store));
}

static void
keywords_are_atoms(void **state)
{
    static const char *const bad[] = {"",    "a b", "a(", "a)",    "a{",   "a%",       "a*",
                                      "a\"", "a\\", "a]", "a\x7f", "\x1f", "a\xc3\xa9"};
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "INBOX");
    uint8_t name[KEYWORD_LEN_MAX + 1];
    uint64_t bit, other;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(
            mailbox_keyword(folder->store, OWNER, mailbox, slice_of_string(bad[i]), &bit),
            STORE_LIMIT);
    }
    memset(name, '!', sizeof(name));
    assert_int_equal(
        mailbox_keyword(folder->store, OWNER, mailbox, slice_of(name, KEYWORD_LEN_MAX + 1), &bit),
        STORE_LIMIT);
    assert_int_equal(
        mailbox_keyword(folder->store, OWNER, mailbox, slice_of(name, KEYWORD_LEN_MAX), &bit),
        STORE_OK);
    assert_int_equal(bit, 1);
    assert_int_equal(mailbox_keyword(folder->store, OWNER, mailbox, SLICE("~"), &bit), STORE_OK);
    assert_int_equal(mailbox_keyword(folder->store, OWNER, mailbox, SLICE("Work"), &bit), STORE_OK);
    assert_int_equal(mailbox_keyword(folder->store, OWNER, mailbox, SLICE("wORK"), &other),
                     STORE_OK);
    assert_int_equal(bit, other);
}

static void
a_mailbox_is_named_anew_but_not_below_itself(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "a b"), below = make(folder, "a b/c"), found;

    assert_int_equal(mailbox_rename(folder->store, OWNER, SLICE("a b"), SLICE("a b/d")),
                     STORE_INVALID);
    assert_int_equal(mailbox_rename(folder->store, OWNER, SLICE("a b"), SLICE("a b\x7f")),
                     STORE_INVALID);
    assert_int_equal(mailbox_rename(folder->store, OWNER, SLICE("a b"), SLICE("a bc")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_find(folder->store, OWNER, SLICE("a bc"), &found), STORE_OK);
    assert_int_equal(found, mailbox);
    assert_int_equal(mailbox_find(folder->store, OWNER, SLICE("a bc/c"), &found), STORE_OK);
    assert_int_equal(found, below);
    assert_int_equal(mailbox_find(folder->store, OWNER, SLICE("a b/c"), &found), STORE_NOT_FOUND);
    assert_int_equal(mailbox_create(folder->store, 0, SLICE("x"), &found), STORE_INVALID);
    assert_int_equal(mailbox_create(folder->store, OWNER, SLICE("x//y"), &found), STORE_INVALID);
}

static void
so_many_can_be_expunged_at_once_and_no_more(void **state)
{
    struct folder *folder = *state;
    mailbox_id mailbox = make(folder, "INBOX");
    uint32_t *uids = calloc(EXPUNGE_UIDS_MAX + 1, sizeof(*uids)), uid;
    size_t gone;

    assert_non_null(uids);
    assert_int_equal(append(folder, OWNER, mailbox, (struct message_new){0}, &uid), STORE_OK);
    for (uint32_t i = 0; i <= EXPUNGE_UIDS_MAX; i++)
        uids[i] = i + 1;
    assert_int_equal(
        mailbox_message_expunge(folder->store, OWNER, mailbox, uids, EXPUNGE_UIDS_MAX + 1, &gone),
        STORE_LIMIT);
    assert_int_equal(
        mailbox_message_expunge(folder->store, OWNER, mailbox, uids, EXPUNGE_UIDS_MAX, &gone),
        STORE_OK);
    assert_int_equal(gone, 1);
    free(uids);
}

static bool
count_share(void *context, account_id owner, mailbox_id mailbox)
{
    unsigned *left = context;

    assert_int_equal(owner, OWNER);
    assert_int_not_equal(mailbox, 0);
    return --*left > 0;
}

static void
shares_and_owners_are_what_was_said_last(void **state)
{
    struct folder *folder = *state;
    struct slice name;
    account_id account;
    unsigned left = 2;

    for (unsigned i = 0; i < 3; i++) {
        char text[2] = {(char)('x' + i), '\0'};
        assert_int_equal(
            mailbox_acl_set(folder->store, OWNER, make(folder, text), SLICE("bob"), RIGHT_READ),
            STORE_OK);
        assert_int_equal(folder_commit(folder), STORE_OK);
    }
    assert_int_equal(mailbox_share_list(folder->store, SLICE("bob"), count_share, &left), STORE_OK);
    assert_int_equal(left, 0); /* two of three: then it was told to stop */
    assert_int_equal(mailbox_owner_set(folder->store, OWNER, SLICE("a")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_owner_name(folder->store, OWNER, &name), STORE_OK);
    assert_true(slice_equal(name, SLICE("a"))); /* as short as a name can be */
    assert_int_equal(mailbox_owner_set(folder->store, OWNER, SLICE("a")), STORE_OK);
    assert_false(store_has_pending(folder->store));
    assert_int_equal(mailbox_owner_set(folder->store, OWNER, SLICE("b")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_owner_find(folder->store, SLICE("b"), &account), STORE_OK);
    assert_int_equal(account, OWNER);
    assert_int_equal(mailbox_owner_find(folder->store, SLICE("a"), &account), STORE_NOT_FOUND);
}

static void
a_list_of_rights_is_copied_to_its_end(void **state)
{
    struct folder *folder = *state;
    mailbox_id from = make(folder, "x"), to = make(folder, "y");

    assert_int_equal(mailbox_acl_set(folder->store, OWNER, from, SLICE("ann"), RIGHT_READ),
                     STORE_OK);
    assert_int_equal(mailbox_acl_set(folder->store, OWNER, from, SLICE("bob"), RIGHT_INSERT),
                     STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_acl_copy(folder->store, OWNER, from, to), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_acl_get(folder->store, OWNER, to, SLICE("ann")), RIGHT_READ);
    assert_int_equal(mailbox_acl_get(folder->store, OWNER, to, SLICE("bob")), RIGHT_INSERT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_quota_is_kept_as_it_was_set_last),
        STORE_TEST(a_quota_is_used_up_to_its_last_octet),
        STORE_TEST(what_cannot_be_appended_is_refused_with_its_reason),
        STORE_TEST(bodies_and_records_have_their_longest_length),
        STORE_TEST(keywords_are_atoms),
        STORE_TEST(a_mailbox_is_named_anew_but_not_below_itself),
        STORE_TEST(so_many_can_be_expunged_at_once_and_no_more),
        STORE_TEST(shares_and_owners_are_what_was_said_last),
        STORE_TEST(a_list_of_rights_is_copied_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
