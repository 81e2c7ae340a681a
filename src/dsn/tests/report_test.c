/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dsn/report.h"
#include "dsn/words.h"
#include "mime/decode.h"
#include "mime/part.h"
#include "text/utf8.h"

static const char sent[] = "Message-ID: <m1@bar.com>\r\n"
                           "Subject: =?iso-8859-1?Q?=C9t=E9?=\r\n"
                           "\r\n"
                           "Bonjour.\r\n";

struct setup {
    struct arena arena;
    struct buffer text;
    struct dsn_recipient recipient;
    struct dsn_report report;
    struct mime_tree tree;
};

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){
        .recipient = {.address = SLICE("nobody@foo.com"),
                      .action = DSN_FAILED,
                      .status = ENVELOPE_STATUS(5, 1, 1),
                      .host = SLICE("mail.foo.com"),
                      .code = 550,
                      .text = SLICE("no such user")},
        .report = {.facts = {.hostname = SLICE("mail.bar.com")},
                   .count = 1,
                   .sender = SLICE("fred@bar.com"),
                   .domain = SLICE("bar.com"),
                   .id = SLICE("Q2"),
                   .date = {INT64_C(880102506) * 1000000000},
                   .message = slice_of_string(sent),
                   .returns_message = true},
    };
    setup->report.recipients = &setup->recipient;
    arena_init(&setup->arena, 64 << 20);
    buffer_init(&setup->text, 32 << 20);
}

static void
close_setup(struct setup *setup)
{
    buffer_finish(&setup->text);
    arena_finish(&setup->arena);
}

static struct slice
make(struct setup *setup)
{
    buffer_clear(&setup->text);
    arena_reset(&setup->arena);
    assert_true(dsn_report_put(&setup->text, &setup->arena, &setup->report));
    mime_tree_parse(buffer_slice(&setup->text), &setup->arena, &setup->tree);
    return buffer_slice(&setup->text);
}

static bool
holds(struct slice text, const char *what)
{
    return slice_find(text, slice_of_string(what)) < text.len;
}

static void
a_report_has_three_parts(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    struct slice text = make(&setup);
    assert_int_equal(setup.tree.count, 5); /* with the message and its text */
    static const char *const lines[] = {
        "From: Mail Delivery System <MAILER-DAEMON@bar.com>\r\n",
        "To: <fred@bar.com>\r\n",
        "Subject: Undelivered: =?iso-8859-1?B?yXTp?=\r\n",
        "Message-ID: <Q2@bar.com>\r\n",
        "In-Reply-To: <m1@bar.com>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "report-type=delivery-status",
        "Content-Type: message/delivery-status\r\n",
        "Final-Recipient: rfc822; nobody@foo.com\r\n",
        "Content-Type: message/rfc822\r\n",
        "  <nobody@foo.com>\r\n",
        "    said the server mail.foo.com:\r\n    550 no such user\r\n",
        "there is no such mailbox",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        if (!holds(text, lines[i]))
            fail_msg("%s is not in:\n%.*s", lines[i], (int)text.len, (const char *)text.at);
    }
    assert_true(holds(text, sent));
    close_setup(&setup);
}

static void
only_the_header_comes_back_where_that_is_asked_or_the_message_is_large(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.report.returns_message = false;
    struct slice text = make(&setup);
    assert_true(holds(text, "Content-Type: text/rfc822-headers\r\n"));
    assert_false(holds(text, "Bonjour."));
    setup.report.returns_message = true;
    uint8_t *large = calloc(1, DSN_RETURNED_MAX + 1);
    memset(large, 'x', DSN_RETURNED_MAX + 1);
    memcpy(large, sent, sizeof(sent) - 1);
    setup.report.message = slice_of(large, DSN_RETURNED_MAX);
    text = make(&setup);
    assert_true(holds(text, "Content-Type: message/rfc822\r\n"));
    assert_true(holds(text, "Your message is attached."));
    setup.report.message.len++;
    text = make(&setup);
    assert_true(holds(text, "The header of your message is attached."));
    assert_false(holds(text, "Your message is attached."));
    assert_true(holds(text, "Content-Type: text/rfc822-headers\r\n") && text.len < 10000);
    free(large);
    close_setup(&setup);
}

static void
words_are_english_french_or_both(void **state)
{
    struct setup setup;
    struct buffer words;

    (void)state;
    open_setup(&setup);
    setup.recipient.action = DSN_DELAYED;
    setup.recipient.retry_until = setup.report.date;
    buffer_init(&words, 65536);
    setup.report.language = DSN_FRENCH;
    dsn_words_put(&words, &setup.report, SLICE("x"));
    assert_true(holds(buffer_slice(&words), "n’a pas encore pu être remis à :"));
    assert_true(holds(buffer_slice(&words), "Vous n’avez rien à faire."));
    assert_false(holds(buffer_slice(&words), "Your message"));
    buffer_clear(&words);
    setup.report.language = DSN_BOTH;
    dsn_words_put(&words, &setup.report, SLICE("x"));
    assert_true(holds(buffer_slice(&words), "Objet : x\n"));
    assert_true(holds(buffer_slice(&words), "It will be tried again until Fri, 21 Nov 1997"));
    assert_false(holds(buffer_slice(&words), "\n-- \n"));
    buffer_finish(&words);
    assert_true(holds(make(&setup), "Subject: Delayed: "));
    close_setup(&setup);
}

static void
global_forms_are_for_those_who_take_them(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.recipient.address = SLICE("\xc3\xa9mile@foo.com");
    setup.report.message = SLICE("Subject: \xc3\x89t\xc3\xa9\r\n\r\nx\r\n");
    struct slice text = make(&setup);
    assert_true(holds(text, "Content-Type: message/delivery-status\r\n"));
    assert_true(holds(text, "Content-Type: message/rfc822\r\n"));
    setup.report.facts.is_utf8 = true;
    text = make(&setup);
    assert_true(holds(text, "Content-Type: message/global-delivery-status\r\n"));
    assert_true(holds(text, "Content-Type: message/global\r\n"));
    setup.report.returns_message = false;
    assert_true(holds(make(&setup), "Content-Type: message/global-headers\r\n"));
    close_setup(&setup);
}

static void
what_others_say_never_makes_a_report_that_is_no_text(void **state)
{
    char text[DSN_DIAGNOSTIC_MAX + 3];
    struct setup setup;
    struct buffer put;

    (void)state;
    open_setup(&setup);
    buffer_init(&put, 65536);
    setup.report.facts.is_utf8 = true;
    /* One octet of the last character is too many; the other way it is no character. */
    for (unsigned cut = 0; cut < 2; cut++) {
        memset(text, 'x', sizeof(text));
        memcpy(text + DSN_DIAGNOSTIC_MAX - 1, cut == 0 ? "\xc3\xa9" : "\xe9x", 2);
        setup.recipient.text = slice_of(text, sizeof(text));
        buffer_clear(&put);
        dsn_words_put(&put, &setup.report, SLICE("l'\xe9t\xe9"));
        assert_true(utf8_is_valid(buffer_slice(&put)));
        assert_true(buffer_len(&put) > DSN_DIAGNOSTIC_MAX);
        buffer_clear(&put);
        dsn_status_put(&put, &setup.report.facts, &setup.recipient, 1);
        assert_true(utf8_is_valid(buffer_slice(&put)));
        assert_true(buffer_len(&put) > DSN_DIAGNOSTIC_MAX);
    }
    buffer_finish(&put);
    close_setup(&setup);
}

static void
a_thousand_recipients_fit(void **state)
{
    static struct dsn_recipient recipients[DSN_RECIPIENTS_MAX];
    struct setup setup;
    char long_text[DSN_DIAGNOSTIC_MAX + 100];

    (void)state;
    open_setup(&setup);
    memset(long_text, 'w', sizeof(long_text));
    for (size_t i = 0; i < COUNT_OF(recipients); i++) {
        recipients[i] = setup.recipient;
        recipients[i].text = slice_of(long_text, i % 10 ? 50 : sizeof(long_text));
    }
    setup.report.recipients = recipients;
    setup.report.count = COUNT_OF(recipients);
    (void)make(&setup);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_has_three_parts),
        cmocka_unit_test(only_the_header_comes_back_where_that_is_asked_or_the_message_is_large),
        cmocka_unit_test(words_are_english_french_or_both),
        cmocka_unit_test(global_forms_are_for_those_who_take_them),
        cmocka_unit_test(what_others_say_never_makes_a_report_that_is_no_text),
        cmocka_unit_test(a_thousand_recipients_fit),
    };

    return cmocka_run_group_tests_name("dsn/report", tests, NULL, NULL);
}
