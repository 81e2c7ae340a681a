/* SPDX-License-Identifier: ISC */
/* Content: BDAT (RFC 3030), limits of size, LMTP (RFC 2033). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/tests/conversation.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, conversation_setup, conversation_teardown)
#define HELLO "EHLO bar.com\r\n"
#define ENVELOPE HELLO "MAIL FROM:<paul@uvsq.fr>\r\nRCPT TO:<jones@foo.com>\r\n"

static void
chunks_may_carry_anything(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk,
                     SLICE(HELLO "MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<jones@foo.com>\r\n"
                                 "DATA\r\nBDAT 7\r\na\n\r.\r\n\0BDAT 0\r\n"
                                 "BDAT 5 last\r\n.\r\n.\rNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 503 250 250 250 250");
    assert_int_equal(talk->office.message_count, 1);
    assert_true(slice_equal(talk->office.messages[0].bytes, SLICE("a\n\r.\r\n\0.\r\n.\r")));
}

static void
an_empty_last_chunk_ends_a_message(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "BDAT 3\r\nabcBDAT 0 LAST\r\nMAIL FROM:<a@b>\r\n"
                                          "RCPT TO:<jones@foo.com>\r\nBDAT 0 LAST\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 250 250 250 250");
    conversation_expect_told(talk, "BODY_BEGIN\nBODY_END 3 [abc]\nMAIL");
    conversation_expect_told(talk, "BODY_BEGIN\nBODY_END 0 []\n");
}

static void
chunks_without_a_transaction_are_passed_over(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk,
                     SLICE("BDAT 6 LAST\r\nQUIT\r\n" HELLO "BDAT 6\r\nQUIT\r\n"
                           "MAIL FROM:<a@b>\r\nRCPT TO:<unknown@foo.com>\r\nBDAT 6\r\nQUIT\r\n"
                           "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 503 250 503 250 550 554 503 250");
    conversation_expect_untold(talk, "BODY");
}

static void
a_chunk_without_a_length_ends_the_session(void **state)
{
    static const struct slice inputs[] = {
        SLICE(ENVELOPE "BDAT\r\nNOOP\r\n"),
        SLICE(ENVELOPE "BDAT x\r\nNOOP\r\n"),
        SLICE(ENVELOPE "BDAT -1\r\nNOOP\r\n"),
        SLICE(ENVELOPE "BDAT 1 FIRST\r\nNOOP\r\n"),
        SLICE(ENVELOPE "BDAT 1LAST\r\nNOOP\r\n"),
        SLICE(ENVELOPE "BDAT 99999999999999999999\r\nNOOP\r\n"),
    };
    struct conversation *talk = *state;

    for (size_t i = 0; i < COUNT_OF(inputs); i++) {
        conversation_run(talk, inputs[i]);
        conversation_expect_codes(talk, "220 250 250 250 501");
        conversation_expect_told(talk, "ABORT\nCLOSE");
    }
}

static void
no_recipient_can_be_added_between_chunks(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "BDAT 3\r\nabcRCPT TO:<x@foo.com>\r\nDATA\r\n"
                                          "MAIL FROM:<a@b>\r\nRSET\r\nBDAT 0 LAST\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 503 503 503 250 503");
    conversation_expect_told(talk, "ABORT");
}

static void
size_holds_at_its_limit_and_not_beyond(void **state)
{
    struct conversation *talk = *state;

    talk->options.message_bytes_max = 8;
    conversation_run(talk, SLICE(ENVELOPE "DATA\r\n123456\r\n.\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 250 250");
    conversation_run(talk, SLICE(ENVELOPE "DATA\r\n1234567\r\n.\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 552 250");
    conversation_expect_said(talk, "552 5.3.4 ");
    conversation_expect_told(talk, "BODY_BEGIN\nABORT\n");
    conversation_run(talk, SLICE(ENVELOPE "BDAT 4\r\n1234BDAT 4 LAST\r\n5678NOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 250 250");
    conversation_run(talk, SLICE(ENVELOPE "BDAT 4\r\n1234BDAT 5\r\n56789BDAT 1 LAST\r\n0NOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 552 503 250");
    conversation_run(talk,
                     SLICE(HELLO "MAIL FROM:<a@b> SIZE=8\r\nRSET\r\nMAIL FROM:<a@b> SIZE=9\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 552");
}

static void
a_body_without_an_end_is_not_read_for_ever(void **state)
{
    struct conversation *talk = *state;
    struct smtp_server *server;
    struct office_desk desk;
    struct instant now = {0};
    uint8_t line[1000];
    uint64_t fed = 0;

    memset(line, 'x', sizeof(line));
    line[998] = '\r';
    line[999] = '\n';
    talk->options.message_bytes_max = 1000;
    server = smtp_server_open(&talk->options, &talk->peer, now);
    office_desk_init(&desk, &talk->office, server);
    office_desk_work(&desk, now);
    for (struct slice rest = SLICE(ENVELOPE "DATA\r\n"); rest.len > 0;) {
        rest = slice_skip(rest, smtp_server_feed(server, rest, now));
        office_desk_work(&desk, now);
    }
    while (!desk.is_closed && fed < 100 * 1024 * 1024) {
        fed += smtp_server_feed(server, slice_of(line, sizeof(line)), now);
        office_desk_work(&desk, now);
        smtp_server_sent(server, smtp_server_output(server).len, now);
    }
    assert_true(desk.is_closed && fed < 2 * 1024 * 1024);
    office_desk_finish(&desk);
}

static void
lmtp_answers_for_each_recipient(void **state)
{
    struct conversation *talk = *state;

    talk->options.service = SMTP_SERVICE_LMTP;
    conversation_run(talk,
                     SLICE("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<jones@foo.com>\r\n"
                           "RCPT TO:<late@foo.com>\r\nRCPT TO:<brown@foo.com>\r\nDATA\r\nx\r\n.\r\n"
                           "QUIT\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 250 354 250 552 250 221");
    assert_int_equal(talk->office.message_count, 2);
    talk->options.message_bytes_max = 2;
    conversation_run(talk,
                     SLICE("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<jones@foo.com>\r\n"
                           "RCPT TO:<brown@foo.com>\r\nDATA\r\nx\r\n.\r\nBDAT 1\r\nxQUIT\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 354 552 552 503 221");
}

static void
temporary_trouble_at_the_end_is_said(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "DATA\r\nX-Office: full\r\n.\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 452 250");
    conversation_expect_untold(talk, "ABORT");
}

/* ---- BURL (RFC 4468) ----------------------------------------------------------------------- */

#define LOGIN "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k\r\n"
#define KNOWN HELLO LOGIN "MAIL FROM:<alice@example.test>\r\nRCPT TO:<jones@foo.com>\r\n"

static void
offer_burl(struct conversation *talk)
{
    talk->options.service = SMTP_SERVICE_SUBMISSION;
    talk->options.offers_burl = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    talk->peer.is_secure = true;
}

static void
content_may_come_by_url(void **state)
{
    struct conversation *talk = *state;

    offer_burl(talk);
    conversation_run(talk, SLICE(KNOWN "burl imap://a/hello last\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 250 250");
    conversation_expect_told(talk, "BODY_BEGIN\nURL imap://a/hello\nBODY_END 5 [hello]\n");
    conversation_run(talk, SLICE(KNOWN "BURL imap://a/one,\r\nBDAT 4\r\ntwo,BURL imap://a/three\r\n"
                                       "BDAT 0 LAST\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 250 250 250 250");
    conversation_expect_told(talk, "BODY_BEGIN\nURL imap://a/one,\nURL imap://a/three\n"
                                   "BODY_END 13 [one,two,three]\n");
    /* The next message may come as text. */
    conversation_run(talk, SLICE(KNOWN "BURL imap://a/hello LAST\r\n"
                                       "MAIL FROM:<alice@example.test>\r\n"
                                       "RCPT TO:<jones@foo.com>\r\nDATA\r\nx\r\n.\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 250 250 250 354 250");
    talk->body_begin = (struct smtp_verdict){.code = 451, .text = SLICE("not this one")};
    conversation_run(talk, SLICE(KNOWN "BURL imap://a/hello LAST\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 451 250");
    conversation_expect_said(talk, "not this one\r\n");
}

static void
a_url_that_cannot_be_had_ends_the_transaction(void **state)
{
    struct conversation *talk = *state;

    offer_burl(talk);
    conversation_run(talk, SLICE(KNOWN "BURL imap://b/x LAST\r\nBURL imap://a/x LAST\r\nDATA\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 554 503 503");
    conversation_expect_told(talk, "URL imap://b/x\nABORT\n");
    conversation_expect_untold(talk, "BODY_END");
    conversation_run(talk,
                     SLICE(KNOWN "BDAT 3\r\nabcBURL imap://later LAST\r\nBDAT 3 LAST\r\nabc"));
    conversation_expect_codes(talk, "220 250 235 250 250 250 451 503");
    talk->options.message_bytes_max = 10;
    conversation_run(talk,
                     SLICE(KNOWN "BURL imap://a/0123456789\r\nBURL imap://a/x LAST\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 250 552 250");
    conversation_expect_untold(talk, "BODY_END");
}

static void
urls_are_for_who_has_logged_in(void **state)
{
    struct conversation *talk = *state;

    offer_burl(talk);
    conversation_run(talk, SLICE(HELLO "BURL imap://a/x LAST\r\n" LOGIN HELLO));
    conversation_expect_said(talk, "250-BURL\r\n");
    conversation_expect_said(talk, "250-BURL imap\r\n");
    conversation_expect_codes(talk, "220 250 530 235 250");
    conversation_run(talk, SLICE(HELLO LOGIN
                                 "BURL imap://a/x LAST\r\nMAIL FROM:<alice@example.test>\r\n"
                                 "BURL imap://a/x LAST\r\nRCPT TO:<unknown@foo.com>\r\n"
                                 "BURL imap://a/x LAST\r\nBURL\r\nBURL imap://a/x FIRST\r\n"));
    conversation_expect_codes(talk, "220 250 235 503 250 503 550 554 501 501");
    conversation_expect_untold(talk, "URL");
    talk->options.service = SMTP_SERVICE_SMTP;
    conversation_run(talk, SLICE(HELLO "BURL imap://a/x LAST\r\n"));
    conversation_expect_codes(talk, "220 250 502");
}

static const struct CMUnitTest tests[] = {
    CASE(chunks_may_carry_anything),
    CASE(an_empty_last_chunk_ends_a_message),
    CASE(chunks_without_a_transaction_are_passed_over),
    CASE(a_chunk_without_a_length_ends_the_session),
    CASE(no_recipient_can_be_added_between_chunks),
    CASE(size_holds_at_its_limit_and_not_beyond),
    CASE(a_body_without_an_end_is_not_read_for_ever),
    CASE(lmtp_answers_for_each_recipient),
    CASE(temporary_trouble_at_the_end_is_said),
    CASE(content_may_come_by_url),
    CASE(a_url_that_cannot_be_had_ends_the_transaction),
    CASE(urls_are_for_who_has_logged_in),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
