/* SPDX-License-Identifier: ISC */
/* Secrets of URLs: made once, replaced, dropped, and gone with the account. */
#include "mailbox/url_key.h"

#include "mailbox/account.h"
#include "mailbox/mailbox.h"
#include "mailbox/purge.h"
#include "mailbox/tests/folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { USER = 7, OWNER = 9 };

static int
open_folder(void **state)
{
    static struct folder folder;
    mailbox_id mailbox;

    folder_open(&folder);
    folder_open_store(&folder);
    assert_int_equal(mailbox_open(folder.store, USER, SLICE("INBOX"), &mailbox), STORE_OK);
    assert_int_equal(folder_commit(&folder), STORE_OK);
    *state = &folder;
    return 0;
}

static int
close_folder(void **state)
{
    folder_close(*state);
    return 0;
}

static enum store_result
get(struct folder *folder, mailbox_id mailbox, uint8_t key[URL_KEY_LEN])
{
    return mailbox_url_key_get(folder->store, USER, OWNER, mailbox, key);
}

static void
a_key_stays_until_another_is_made(void **state)
{
    struct folder *folder = *state;
    uint8_t first[URL_KEY_LEN], second[URL_KEY_LEN], got[URL_KEY_LEN];

    assert_int_equal(get(folder, 1, got), STORE_NOT_FOUND);
    mailbox_url_key_make(folder->store, USER, OWNER, 1, first);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(get(folder, 1, got), STORE_OK);
    assert_memory_equal(got, first, URL_KEY_LEN);
    mailbox_url_key_make(folder->store, USER, OWNER, 1, second);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(get(folder, 1, got), STORE_OK);
    assert_memory_equal(got, second, URL_KEY_LEN);
    assert_memory_not_equal(first, second, URL_KEY_LEN);
}

static void
all_keys_go_at_once(void **state)
{
    struct folder *folder = *state;
    uint8_t key[URL_KEY_LEN];

    for (mailbox_id i = 1; i <= 3; i++)
        mailbox_url_key_make(folder->store, USER, OWNER, i, key);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_url_key_drop(folder->store, USER), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    for (mailbox_id i = 1; i <= 3; i++)
        assert_int_equal(get(folder, i, key), STORE_NOT_FOUND);
}

static void
keys_go_with_the_account(void **state)
{
    struct folder *folder = *state;
    uint8_t key[URL_KEY_LEN];
    size_t count;

    mailbox_url_key_make(folder->store, USER, OWNER, 1, key);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_account_remove(folder->store, USER), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    do {
        assert_int_equal(store_purge(folder->store, &count), STORE_OK);
        assert_int_equal(folder_commit(folder), STORE_OK);
    } while (count > 0);
    assert_int_equal(get(folder, 1, key), STORE_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_stays_until_another_is_made),
        TEST(all_keys_go_at_once),
        TEST(keys_go_with_the_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
