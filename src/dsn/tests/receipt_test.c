/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dsn/receipt.h"
#include "dsn/report.h"
#include "mime/part.h"

#define ASKS "Disposition-Notification-To: Zo <zoe@example.org>\r\n"
#define CAME "Return-Path: <zoe@example.org>\r\n"

struct setup {
    struct arena arena;
    struct buffer text;
    struct header header;
    struct dsn_request_facts facts;
};

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){0};
    arena_init(&setup->arena, 64 << 20);
    buffer_init(&setup->text, DSN_REPORT_EXTRA);
}

static void
close_setup(struct setup *setup)
{
    buffer_finish(&setup->text);
    arena_finish(&setup->arena);
}

static enum dsn_request
request_of(struct setup *setup, const char *header)
{
    arena_reset(&setup->arena);
    header_parse(&setup->arena, slice_of_string(header), &setup->header);
    dsn_request_read(&setup->header, &setup->arena, &setup->facts);
    assert_int_equal(setup->facts.reason != NULL, setup->facts.request == DSN_REQUEST_FORBIDDEN ||
                                                      setup->facts.request == DSN_REQUEST_DOUBTFUL);
    return setup->facts.request;
}

static void
what_does_not_ask_gets_none(void **state)
{
    static const char *const headers[] = {"", CAME "Subject: x\r\n\r\n",
                                          CAME "Disposition-Notification-To: \r\n\r\n",
                                          CAME "Disposition-Notification-To: nobody\r\n\r\n",
                                          CAME ASKS "Content-Type: message/partial\r\n\r\n"};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        assert_int_equal(request_of(&setup, headers[i]), DSN_REQUEST_NONE);
    close_setup(&setup);
}

static void
what_asks_from_where_it_came_is_plain(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(request_of(&setup, CAME ASKS "\r\n"), DSN_REQUEST_PLAIN);
    assert_int_equal(setup.facts.to.count, 1);
    assert_int_equal(
        request_of(&setup, "Return-Path: <zoe@EXAMPLE.org>\r\n" ASKS "Auto-Submitted: no\r\n\r\n"),
        DSN_REQUEST_PLAIN);
    assert_int_equal(request_of(&setup, CAME "Disposition-Notification-To: zoe@example.org,\r\n"
                                             " \"zoe\"@example.org\r\n\r\n"),
                     DSN_REQUEST_PLAIN); /* one address, said twice */
    assert_int_equal(request_of(&setup, CAME ASKS "Disposition-Notification-Options: "
                                                  "x=optional,1\r\n\r\n"),
                     DSN_REQUEST_PLAIN);
    close_setup(&setup);
}

static void
only_a_person_says_yes_to_what_goes_elsewhere(void **state)
{
    static const char *const headers[] = {
        ASKS "\r\n",
        "Return-Path: <>\r\n" ASKS "\r\n",
        "Return-Path: <Zoe@example.org>\r\n" ASKS "\r\n",
        "Return-Path: <victim@example.net>\r\n" ASKS "\r\n",
        CAME ASKS ASKS "\r\n",
        CAME "Disposition-Notification-To: zoe@example.org, a@example.org\r\n\r\n"};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        assert_int_equal(request_of(&setup, headers[i]), DSN_REQUEST_DOUBTFUL);
    close_setup(&setup);
}

static void
lists_and_programs_get_none(void **state)
{
    static const char *const headers[] = {
        CAME ASKS "List-Id: <l.example.org>\r\n\r\n",
        CAME ASKS "List-Unsubscribe: <mailto:x@example.org>\r\n\r\n",
        CAME ASKS "Mailing-List: x\r\n\r\n",
        CAME ASKS "Precedence: list\r\n\r\n",
        CAME ASKS "Precedence: Bulk\r\n\r\n",
        CAME ASKS "Newsgroups: fr.test\r\n\r\n",
        CAME ASKS "Auto-Submitted: auto-replied; x=1\r\n\r\n",
        CAME ASKS "Content-Type: multipart/report; report-type=disposition-notification\r\n\r\n",
        CAME ASKS "Disposition-Notification-Options: a=optional,1; b = Required , 2\r\n\r\n"};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        assert_int_equal(request_of(&setup, headers[i]), DSN_REQUEST_FORBIDDEN);
    close_setup(&setup);
}

static void
a_mail_bomb_is_none(void **state)
{
    struct setup setup;
    struct buffer text;

    (void)state;
    open_setup(&setup);
    buffer_init(&text, 64 * 1024);
    buffer_put_text(&text, CAME "Disposition-Notification-To: a0@example.org");
    for (int i = 1; i <= DSN_RECEIPT_TO_MAX; i++) {
        buffer_put_text(&text, ", a");
        buffer_put_decimal(&text, (uint64_t)i);
        buffer_put_text(&text, "@example.org");
        if (i == DSN_RECEIPT_TO_MAX - 1) {
            size_t at = buffer_len(&text);
            buffer_put_text(&text, "\r\n\r\n");
            buffer_put_byte(&text, '\0');
            assert_int_equal(request_of(&setup, (const char *)buffer_slice(&text).at),
                             DSN_REQUEST_DOUBTFUL);
            buffer_truncate(&text, at);
        }
    }
    buffer_put_text(&text, "\r\n\r\n");
    buffer_put_byte(&text, '\0');
    assert_int_equal(request_of(&setup, (const char *)buffer_slice(&text).at),
                     DSN_REQUEST_FORBIDDEN);
    buffer_finish(&text);
    close_setup(&setup);
}

/* ---- the receipt --------------------------------------------------------------------------- */

static struct slice
make(struct setup *setup, const char *message, const char *recipient, bool is_automatic)
{
    assert_int_equal(request_of(setup, message), DSN_REQUEST_PLAIN);
    struct dsn_receipt receipt = {.message = slice_of_string(message),
                                  .to = &setup->facts.to,
                                  .from = SLICE("Bob \xc3\x89 <bob@example.org>"),
                                  .recipient = slice_of_string(recipient),
                                  .domain = SLICE("example.org"),
                                  .agent = SLICE("facteur 1"),
                                  .is_automatic = is_automatic,
                                  .id = SLICE("R1"),
                                  .date = {INT64_C(880102506) * 1000000000}};

    buffer_clear(&setup->text);
    assert_true(dsn_receipt_put(&setup->text, &setup->arena, &receipt));
    return buffer_slice(&setup->text);
}

static void
assert_holds(struct slice text, const char *what)
{
    if (slice_find(text, slice_of_string(what)) == text.len)
        fail_msg("no '%s' in:\n%.*s", what, (int)text.len, (const char *)text.at);
}

static void
a_receipt_says_what_rfc_8098_wants(void **state)
{
    struct mime_tree tree;
    struct setup setup;

    (void)state;
    open_setup(&setup);
    struct slice text =
        make(&setup,
             CAME ASKS "Message-ID: <m1@example.org>\r\nSubject: =?utf-8?Q?D=C3=AEner?=\r\n"
                       "Original-Recipient: rfc822;b@example.org\r\n\r\nHi.\r\n",
             "bob@example.org", false);
    assert_holds(text, "To: zoe@example.org\r\n");
    assert_holds(text, "In-Reply-To: <m1@example.org>\r\n");
    assert_holds(text, "Auto-Submitted: auto-replied\r\n");
    assert_holds(text, "report-type=disposition-notification");
    assert_holds(text, "\r\nReporting-UA: facteur 1\r\n"
                       "Original-Recipient: rfc822; b@example.org\r\n"
                       "Final-Recipient: rfc822; bob@example.org\r\n"
                       "Original-Message-ID: <m1@example.org>\r\n"
                       "Disposition: manual-action/MDN-sent-manually; displayed\r\n");
    assert_true(slice_find(text, SLICE("Hi.")) == text.len);
    mime_tree_parse(text, &setup.arena, &tree);
    assert_int_equal(tree.count, 4);
    assert_true(mime_content_type_is(&tree.parts[0].content_type, "multipart", "report"));
    assert_true(
        mime_content_type_is(&tree.parts[2].content_type, "message", "disposition-notification"));
    assert_true(mime_content_type_is(&tree.parts[3].content_type, "text", "rfc822-headers"));
    close_setup(&setup);
}

static void
what_nobody_was_asked_for_says_so(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_holds(make(&setup, CAME ASKS "\r\n", "bob@example.org", true),
                 "Disposition: automatic-action/MDN-sent-automatically; displayed\r\n");
    close_setup(&setup);
}

static void
a_global_address_goes_as_it_is(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    struct slice text = make(&setup, CAME ASKS "\r\n", "zo\xc3\xa9@example.org", false);
    assert_holds(text, "Content-Type: message/global-disposition-notification\r\n");
    assert_holds(text, "Final-Recipient: utf-8; zo\xc3\xa9@example.org\r\n");
    close_setup(&setup);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_ask_gets_none),
        cmocka_unit_test(what_asks_from_where_it_came_is_plain),
        cmocka_unit_test(only_a_person_says_yes_to_what_goes_elsewhere),
        cmocka_unit_test(lists_and_programs_get_none),
        cmocka_unit_test(a_mail_bomb_is_none),
        cmocka_unit_test(a_receipt_says_what_rfc_8098_wants),
        cmocka_unit_test(what_nobody_was_asked_for_says_so),
        cmocka_unit_test(a_global_address_goes_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
