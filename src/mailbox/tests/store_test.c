/* SPDX-License-Identifier: ISC */
#include "folder.h"
#include "mailbox/account.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/purge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_delivered_message_can_be_read, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_kill_loses_nothing_that_was_committed, open_folder,
                                        close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
