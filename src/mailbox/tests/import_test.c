/* SPDX-License-Identifier: ISC */
/* What comes from elsewhere: once, with the numbers that it had there. */
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/tests/folder.h"

#include <setjmp.h>
#include <stdarg.h>

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

static struct mailbox_entry
get_mailbox(struct folder *folder, const char *name)
{
    struct mailbox_entry entry = {0};
    mailbox_id mailbox;

    assert_int_equal(mailbox_find(folder->store, 7, slice_of_string(name), &mailbox), STORE_OK);
    assert_int_equal(mailbox_get(folder->store, 7, mailbox, &entry), STORE_OK);
    return entry;
}

static void
an_import_with_a_known_key_changes_nothing(void **state)
{
    struct folder *folder = *state;
    uint32_t uid;
    bool was_there;
    mailbox_id inbox;

    for (int i = 0; i < 2; i++) {
        struct message_new message = {.is_over_quota_allowed = true};
        assert_int_equal(mailbox_open(folder->store, 7, SLICE("INBOX"), &inbox), STORE_OK);
        assert_int_equal(mailbox_body_add(folder->store, SLICE("text"), slice_of("", 0),
                                          slice_of("", 0), &message.body),
                         STORE_OK);
        assert_int_equal(mailbox_message_import(folder->store, 7, inbox, SLICE("key"), &message,
                                                &uid, &was_there),
                         STORE_OK);
        assert_int_equal(uid, 1);
        assert_int_equal(was_there, i == 1);
        assert_int_equal(folder_commit(folder), STORE_OK);
    }
    assert_int_equal(get_mailbox(folder, "INBOX").messages, 1);
}

static enum store_result
import_with_uid(struct folder *folder, const char *key, uint32_t wanted, uint32_t *ret_uid)
{
    struct message_new message = {.uid = wanted};
    mailbox_id inbox;
    bool was_there;
    enum store_result result = mailbox_open(folder->store, 7, SLICE("INBOX"), &inbox);

    if (result == STORE_OK)
        result =
            mailbox_body_add(folder->store, SLICE("text"), SLICE(""), SLICE(""), &message.body);
    if (result == STORE_OK)
        result = mailbox_message_import(folder->store, 7, inbox, slice_of_string(key), &message,
                                        ret_uid, &was_there);
    return result == STORE_OK ? folder_commit(folder) : result;
}

static void
imports_keep_their_uids_where_they_can(void **state)
{
    struct folder *folder = *state;
    static const struct {
        const char *key;
        uint32_t wanted, given;
    } cases[] = {{"a", 5, 5}, {"b", 0, 6}, {"c", 6, 7}, {"d", 100, 100}, {"e", UINT32_MAX, 101}};
    uint32_t uid;
    bool was_there = true;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(import_with_uid(folder, cases[i].key, cases[i].wanted, &uid), STORE_OK);
        assert_int_equal(uid, cases[i].given);
    }
    assert_int_equal(get_mailbox(folder, "INBOX").messages, COUNT_OF(cases));
    assert_int_equal(get_mailbox(folder, "INBOX").uid_next, 102);
    assert_int_equal(mailbox_import_find(folder->store, 7, SLICE("d"), &was_there), STORE_OK);
    assert_true(was_there);
    assert_int_equal(mailbox_import_find(folder->store, 7, SLICE("f"), &was_there), STORE_OK);
    assert_false(was_there);
    assert_int_equal(mailbox_import_find(folder->store, 7, SLICE(""), &was_there), STORE_LIMIT);
}

static void
only_a_mailbox_that_was_never_used_adopts_a_uid_validity(void **state)
{
    struct folder *folder = *state;
    struct store *store = folder->store;
    mailbox_id mailbox;
    uint32_t uid;

    assert_int_equal(mailbox_open(store, 7, SLICE("INBOX"), &mailbox), STORE_OK);
    assert_int_equal(mailbox_adopt(store, 7, mailbox, UINT32_MAX), STORE_LIMIT);
    assert_int_equal(mailbox_adopt(store, 7, mailbox, 0), STORE_LIMIT);
    assert_int_equal(mailbox_adopt(store, 7, mailbox, 3857529045), STORE_OK);
    assert_int_equal(import_with_uid(folder, "a", 9, &uid), STORE_OK);
    assert_int_equal(get_mailbox(folder, "INBOX").uid_validity, 3857529045);
    assert_int_equal(mailbox_adopt(store, 7, mailbox, 3857529045), STORE_OK);
    assert_int_equal(mailbox_adopt(store, 7, mailbox, 4), STORE_EXISTS);
    /* Whoever takes its place must be told from it. */
    assert_int_equal(mailbox_create(store, 7, SLICE("next"), &mailbox), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_true(get_mailbox(folder, "next").uid_validity > 3857529045);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(an_import_with_a_known_key_changes_nothing),
        IN_FOLDER(imports_keep_their_uids_where_they_can),
        IN_FOLDER(only_a_mailbox_that_was_never_used_adopts_a_uid_validity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
