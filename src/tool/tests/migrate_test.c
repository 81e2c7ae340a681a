/* SPDX-License-Identifier: ISC */
/* Names that mailboxes of other servers get here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tool/migrate.h"

static void
names_become_ours(void **state)
{
    static const struct {
        const char *name;
        char delimiter;
        const char *prefix, *wanted;
    } cases[] = {
        {"INBOX", '.', "INBOX.", "INBOX"},
        {"inbox", '/', "", "INBOX"},
        {"INBOX.Sent", '.', "INBOX.", "Sent"},
        {"INBOX.Work.2026", '.', "INBOX.", "Work/2026"},
        {"INBOX.INBOX", '.', "INBOX.", "INBOX"},
        {"Inbox/Old", '/', "", "INBOX/Old"},
        {"Inboxes", '/', "", "Inboxes"},
        {"Work/2026", '/', "", "Work/2026"},
        {"In/Out", '.', "", "In-Out"},
        {"a//b/", '/', "", "a/b"},
        {"flat.name/x", 0, "", "flat.name-x"},
        {"tab\tbed", '/', "", "tab?bed"},
        {"\302\205\342\200\250\342\200\256x", '/', "", "?\?\?x"},
        {"\303\211t\303\251", '/', "", "\303\211t\303\251"},
        {"\351", '/', "", "\357\277\275"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out;
        buffer_init(&out, 2000);
        assert_true(migrate_put_name(slice_of_string(cases[i].name), (uint8_t)cases[i].delimiter,
                                     slice_of_string(cases[i].prefix), &out));
        buffer_put_byte(&out, 0);
        assert_string_equal((const char *)buffer_slice(&out).at, cases[i].wanted);
        buffer_finish(&out);
    }
}

static void
what_leaves_no_name_is_refused(void **state)
{
    uint8_t name[MIGRATE_NAME_MAX + 1];
    struct buffer out;

    (void)state;
    memset(name, 'a', sizeof(name));
    buffer_init(&out, 2000);
    assert_false(migrate_put_name(SLICE(""), '/', SLICE(""), &out));
    assert_false(migrate_put_name(SLICE("//"), '/', SLICE(""), &out));
    assert_false(migrate_put_name(SLICE("INBOX.."), '.', SLICE("INBOX."), &out));
    name[10] = '/';
    assert_true(migrate_put_name(slice_of(name, MIGRATE_NAME_MAX), '/', SLICE(""), &out));
    buffer_clear(&out);
    assert_false(migrate_put_name(slice_of(name, MIGRATE_NAME_MAX + 1), '/', SLICE(""), &out));
    assert_int_equal(buffer_len(&out), 0);
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_ours),
        cmocka_unit_test(what_leaves_no_name_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
