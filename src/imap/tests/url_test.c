/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/url.h"

static bool
parse(const char *text, struct arena *arena, struct imap_url *ret_url)
{
    return imap_url_parse(slice_of_string(text), arena, ret_url);
}

static void
urls_of_messages_are_understood(void **state)
{
    struct arena arena;
    struct imap_url url;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_true(parse("/a%20b/c;UIDVALIDITY=7/;UID=20/;SECTION=1.2/;PARTIAL=5.9", &arena, &url));
    assert_true(slice_equal(url.mailbox, SLICE("a b/c")));
    assert_int_equal(url.uid_validity, 7);
    assert_int_equal(url.uid, 20);
    assert_true(slice_equal(url.section, SLICE("1.2")));
    assert_true(url.is_partial);
    assert_int_equal(url.partial_start, 5);
    assert_int_equal(url.partial_len, 9);
    assert_true(parse("INBOX/;uid=1/;partial=0", &arena, &url));
    assert_true(slice_equal(url.mailbox, SLICE("INBOX")));
    assert_int_equal(url.section.len, 0);
    assert_int_equal(url.partial_len, 0);
    assert_true(parse(";UID=4294967295/;SECTION=HEADER.FIELDS%20(To)", &arena, &url));
    assert_int_equal(url.mailbox.len, 0);
    assert_true(slice_equal(url.section, SLICE("HEADER.FIELDS (To)")));
    arena_finish(&arena);
}

static void
other_urls_are_not(void **state)
{
    static const char *const urls[] = {"",
                                       "/",
                                       "/INBOX",
                                       "/;UID=1",
                                       "imap://server/INBOX/;UID=1",
                                       "//server/INBOX/;UID=1",
                                       "/INBOX/;UID=0",
                                       "/INBOX/;UID=4294967296",
                                       "/INBOX/;UID=1/",
                                       "/INBOX/;UID=1/;SECTION=",
                                       "/INBOX/;UID=1/;PARTIAL=",
                                       "/INBOX/;UID=1/;PARTIAL=1.0",
                                       "/INBOX/;UID=1/;PARTIAL=1.2x",
                                       "/INBOX;UIDVALIDITY=x/;UID=1",
                                       "/INBOX;UIDVALIDITY=1x/;UID=1",
                                       "/IN%0/;UID=1",
                                       "/IN%zz/;UID=1",
                                       "/IN%00/;UID=1",
                                       "/INBOX/;UID=1;URLAUTH=anonymous"};
    struct arena arena;
    struct imap_url url;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        if (parse(urls[i], &arena, &url))
            fail_msg("taken: %s", urls[i]);
    }
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_of_messages_are_understood),
        cmocka_unit_test(other_urls_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
