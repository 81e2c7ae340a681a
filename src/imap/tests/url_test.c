/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/url.h"
#include "imap/url_part.h"

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

#define HALF "0123456789abcdef012345678900000"
#define TOKEN "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

static bool
parse_authorized(const char *text, bool has_token, struct arena *arena, struct imap_url *ret_url)
{
    return imap_url_parse_authorized(slice_of_string(text), has_token, arena, ret_url);
}

static void
urls_may_carry_a_permission(void **state)
{
    struct arena arena;
    struct imap_url url;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_true(
        parse_authorized("imap://joe%40example.com;AUTH=*@mail.example.com:143/a%20b/;uid=20"
                         "/;section=1.2;expire=2001-09-09T01:46:40Z;urlauth=submit+fred"
                         ":internal:" TOKEN,
                         true, &arena, &url));
    assert_true(url.is_authorized);
    assert_true(slice_equal(url.owner, SLICE("joe@example.com")));
    assert_true(slice_equal(url.mailbox, SLICE("a b")));
    assert_true(slice_equal(url.section, SLICE("1.2")));
    assert_int_equal(url.uid, 20);
    assert_int_equal(url.expires_s, 1000000000);
    assert_int_equal(url.access, IMAP_URL_SUBMIT);
    assert_true(slice_equal(url.user, SLICE("fred")));
    assert_true(slice_ends_with(url.rump, SLICE(";urlauth=submit+fred")));
    assert_int_equal(url.token.len, IMAP_URL_TOKEN);
    assert_int_equal(url.token.at[15], 0xEF);
    assert_true(parse_authorized("imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:internal:" HALF
                                 "00" HALF,
                                 true, &arena, &url));
    assert_int_equal(url.token.at[14], 0);
    assert_true(parse_authorized("imap://joe@h/INBOX/;UID=1/;PARTIAL=0.5;URLAUTH=anonymous", false,
                                 &arena, &url));
    assert_int_equal(url.access, IMAP_URL_ANONYMOUS);
    assert_int_equal(url.expires_s, 0);
    assert_int_equal(url.partial_len, 5);
    assert_true(slice_ends_with(url.rump, SLICE("=anonymous")));
    assert_true(parse_authorized("imap://joe@h/INBOX/;UID=1;EXPIRE=1970-01-01T00:00:01.25-01:30"
                                 ";URLAUTH=authuser",
                                 false, &arena, &url));
    assert_int_equal(url.expires_s, 5401);
    assert_int_equal(url.access, IMAP_URL_AUTHUSER);
    arena_finish(&arena);
}

static void
other_permissions_are_none(void **state)
{
    static const char *const rumps[] = {
        "imap://h/INBOX/;UID=1;URLAUTH=anonymous",
        "imap://@h/INBOX/;UID=1;URLAUTH=anonymous",
        "imap://joe@/INBOX/;UID=1;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1",
        "imap://joe@h/INBOX;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1;URLAUTH=",
        "imap://joe@h/INBOX/;UID=1;URLAUTH=user+",
        "imap://joe@h/INBOX/;UID=1;URLAUTH=nobody",
        "imap://joe@h/INBOX/;UID=1;EXPIRE=2030-13-01T00:00:00Z;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1;EXPIRE=2030-01-01T00:00:00;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1;EXPIRE=2030-01-01;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1;EXPIRE=2030-0:-01T00:00:00Z;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1;EXPIRE=2030-1/-01T00:00:00Z;URLAUTH=anonymous",
        "http://joe@h/INBOX/;UID=1;URLAUTH=anonymous",
    };
    static const char *const tokens[] = {
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous",
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:internal:00",
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:other:" TOKEN,
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:internal:" TOKEN "00",
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:internal:g" TOKEN,
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:internal:gg" HALF HALF,
        "imap://joe@h/INBOX/;UID=1;URLAUTH=anonymous:internal:" HALF HALF "gg",
    };
    struct arena arena;
    struct imap_url url;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(rumps); i++)
        assert_false(parse_authorized(rumps[i], false, &arena, &url));
    for (size_t i = 0; i < COUNT_OF(tokens); i++)
        assert_false(parse_authorized(tokens[i], true, &arena, &url));
    arena_finish(&arena);
}

/* "imap://joe@h/" is 13 octets, "/;UID=1;URLAUTH=anonymous" 25. */
static void
a_url_may_have_four_thousand_octets(void **state)
{
    struct arena arena;
    struct imap_url url;
    char text[IMAP_URL_RUMP_MAX + 2];

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t over = 0; over < 2; over++) {
        size_t name = IMAP_URL_RUMP_MAX - 38 + over;
        memcpy(text, "imap://joe@h/", 13);
        memset(text + 13, 'a', name);
        memcpy(text + 13 + name, "/;UID=1;URLAUTH=anonymous", 26);
        assert_int_equal(parse_authorized(text, false, &arena, &url), over == 0);
    }
    arena_finish(&arena);
}

static bool
cut(const char *url, struct arena *arena, const char *octets)
{
    static const char message[] = "Subject: a\r\nTo: b\r\n\r\none\r\ntwo\r\n";
    struct imap_url_part part;
    struct buffer made;
    struct slice found;

    if (!imap_url_part_parse(slice_of_string(url), arena, &part))
        return false;
    buffer_init(&made, 1000);
    bool is_found =
        imap_url_part_cut(&part, slice_of_string(message), slice_of("", 0), &made, &found);
    if (is_found)
        assert_true(slice_equal(found, slice_of_string(octets)));
    buffer_finish(&made);
    return is_found;
}

static void
a_url_means_a_part_of_a_message(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_true(cut("/x/;UID=1", &arena, "Subject: a\r\nTo: b\r\n\r\none\r\ntwo\r\n"));
    assert_true(cut("/x/;UID=1/;PARTIAL=9.1", &arena, "a"));
    assert_true(cut("/x/;UID=1/;PARTIAL=26", &arena, "two\r\n"));
    assert_true(cut("/x/;UID=1/;SECTION=1/;PARTIAL=99.5", &arena, ""));
    /* Without a parse record there is no header. */
    assert_true(cut("/x/;UID=1/;SECTION=HEADER.FIELDS%20(subject)", &arena, "\r\n"));
    assert_false(cut("/x/;UID=1/;SECTION=2", &arena, NULL));
    assert_false(cut("/x/;UID=1/;SECTION=NONSENSE", &arena, NULL));
    assert_false(cut("/x/;UID=1/;SECTION=1]%20BODY[2", &arena, NULL));
    assert_false(cut("imap://joe@h/x/;UID=1;URLAUTH=anonymous", &arena, NULL));
    arena_finish(&arena);
}

/* Fields that are named, or all but them, and of these the octets that are asked for. */
static void
a_url_means_fields_of_a_header(void **state)
{
    static const struct {
        const char *url, *fields;
    } rows[] = {
        {"/x/;UID=1/;SECTION=HEADER.FIELDS%20(subject)", "Subject: a\r\n\r\n"},
        {"/x/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(subject)", "To: b\r\n\r\n"},
        {"/x/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(subject)/;PARTIAL=4.3", "b\r\n"},
    };
    struct imap_url_part part;
    struct arena arena;
    struct buffer into;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&into, 1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buffer_clear(&into);
        assert_true(imap_url_part_parse(slice_of_string(rows[i].url), &arena, &part));
        assert_true(imap_url_part_is_made(&part));
        imap_url_part_put_fields(&part, SLICE("Subject: a\r\nTo: b\r\n\r\n"), &into);
        assert_true(slice_equal(buffer_slice(&into), slice_of_string(rows[i].fields)));
    }
    buffer_finish(&into);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_of_messages_are_understood),
        cmocka_unit_test(other_urls_are_not),
        cmocka_unit_test(urls_may_carry_a_permission),
        cmocka_unit_test(other_permissions_are_none),
        cmocka_unit_test(a_url_may_have_four_thousand_octets),
        cmocka_unit_test(a_url_means_a_part_of_a_message),
        cmocka_unit_test(a_url_means_fields_of_a_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
