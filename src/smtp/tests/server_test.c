/* SPDX-License-Identifier: ISC */
/* Sessions as RFC 5321 and its extensions have them; limits, floods and times. */
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
a_plain_session_delivers(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk,
                     SLICE("HELO soleil.uvsq.fr\r\nMAIL FROM: <paul@uvsq.fr>\r\n"
                           "RCPT TO:<jean@jussieu.fr>\r\nDATA\r\nSubject: x\r\n\r\n..\r\nhello\r\n"
                           ".\r\nQUIT\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 250 221");
    conversation_expect_told(talk, "CONNECT\nHELLO soleil.uvsq.fr\nMAIL <paul@uvsq.fr>\n"
                                   "RCPT <jean@jussieu.fr>\nBODY_BEGIN\n"
                                   "BODY_END 24 [Subject: x\r\n\r\n.\r\nhello\r\n]\nCLOSE 0\n");
    assert_int_equal(talk->office.message_count, 1);
}

static void
ehlo_lists_what_is_offered(void **state)
{
    struct conversation *talk = *state;

    talk->options.has_tls = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(talk, SLICE("ehlo [IPv6:2001:db8::1]\r\n"));
    conversation_expect_said(talk,
                             "250-foo.com greets [IPv6:2001:db8::1]\r\n250-PIPELINING\r\n"
                             "250-SIZE 52428800\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
                             "250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
                             "250-STARTTLS\r\n250-LIMITS MAILMAX=1000 RCPTMAX=1000\r\n"
                             "250 HELP\r\n");
}

static void
what_is_switched_off_is_neither_offered_nor_taken(void **state)
{
    struct conversation *talk = *state;

    talk->options.is_chunking_off = talk->options.is_utf8_off = true;
    talk->options.is_dsn_off = talk->options.is_pipelining_off = true;
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> SMTPUTF8\r\nMAIL FROM:<a@b> RET=FULL\r\n"
                                       "MAIL FROM:<a@b> BODY=BINARYMIME\r\nMAIL FROM:<a@b>\r\n"
                                       "RCPT TO:<jones@foo.com>\r\nBDAT 3 LAST\r\nabcNOOP\r\n"));
    conversation_expect_said(talk,
                             "greets bar.com\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
                             "250-ENHANCEDSTATUSCODES\r\n250-LIMITS MAILMAX=1000 RCPTMAX=1000\r\n"
                             "250 HELP\r\n");
    conversation_expect_codes(talk, "220 250 555 555 501 250 250 502 250");
}

static void
parameters_after_helo_are_unknown(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE("HELO bar.com\r\nMAIL FROM:<a@b> SIZE=1\r\nMAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 555 250");
}

static void
parameters_reach_the_office(void **state)
{
    struct conversation *talk = *state;

    talk->peer.is_secure = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(
        talk, SLICE(HELLO "MAIL FROM:<ren\xC3\xA9@b> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=FULL "
                          "ENVID=a+2Bb AUTH=<> REQUIRETLS\r\n"
                          "RCPT TO:<jones@foo.com> NOTIFY=FAILURE ORCPT=rfc822;x@y\r\n"));
    conversation_expect_told(talk, "MAIL <ren\xC3\xA9@b> size=10 body=1 ret=1 envid=a+b auth= utf8 "
                                   "requiretls\nRCPT <jones@foo.com> notify=4 orcpt=rfc822;x@y\n");
}

static void
requiretls_is_for_tls_only(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> REQUIRETLS\r\n"));
    conversation_expect_codes(talk, "220 250 555");
    talk->peer.is_secure = true;
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> REQUIRETLS\r\n"));
    conversation_expect_codes(talk, "220 250 250");
    conversation_expect_said(talk, "250-REQUIRETLS\r\n");
}

static void
time_and_priority_are_for_callers_who_can_honour_them(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> BY=5;N\r\nMAIL FROM:<a@b> MT-PRIORITY=1\r\n"
                                       "MAIL FROM:<a@b> HOLDFOR=5\r\n"));
    conversation_expect_codes(talk, "220 250 555 555 555");
    talk->options.offers_deliver_by = talk->options.offers_priority = true;
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> BY=0;R\r\nMAIL FROM:<a@b> BY=5;N "
                                       "MT-PRIORITY=1\r\n"));
    conversation_expect_codes(talk, "220 250 501 250");
    conversation_expect_said(talk, "250-DELIVERBY\r\n");
    conversation_expect_said(talk, "250-MT-PRIORITY\r\n");
}

static void
everything_pipelined_at_once_is_answered_in_order(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk,
                     SLICE(ENVELOPE "RCPT TO:<unknown@foo.com>\r\nDATA\r\none\r\n.\r\n"
                                    "MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\ntwo\r\n.\r\n"
                                    "RSET\r\nNOOP\r\nQUIT\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 550 354 250 250 250 354 250 250 250 221");
    assert_int_equal(talk->office.message_count, 2);
}

static void
commands_out_of_order_are_503(void **state)
{
    struct conversation *talk = *state;

    conversation_run(
        talk, SLICE("MAIL FROM:<a@b>\r\nEHLO x\r\nRCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\n"
                    "MAIL FROM:<a@b>\r\nDATA\r\nRCPT TO:<unknown@foo.com>\r\nDATA\r\n"));
    conversation_expect_codes(talk, "220 503 250 503 503 250 503 503 550 554");
}

static void
a_refused_greeting_changes_nothing(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "EHLO a b\r\nDATA\r\nx\r\n.\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 501 354 250");
    conversation_expect_untold(talk, "ABORT");
}

static void
a_refused_client_is_told_and_closed(void **state)
{
    struct conversation *talk = *state;

    talk->greeting = 421;
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_codes(talk, "421");
    conversation_expect_told(talk, "CONNECT\nCLOSE 2\n");
}

static void
web_browsers_are_sent_away(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk,
                     SLICE("POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 421");
}

/* `count` times a line. */
static void
run_many(struct conversation *talk, const char *first, const char *line, int count)
{
    struct buffer input;

    buffer_init(&input, 1 << 20);
    buffer_put_text(&input, first);
    while (count-- > 0)
        buffer_put_text(&input, line);
    conversation_run(talk, buffer_slice(&input));
    buffer_finish(&input);
}

static void
recipients_are_bounded(void **state)
{
    struct conversation *talk = *state;

    talk->options.recipients_max = 3;
    run_many(talk, ENVELOPE, "RCPT TO:<x@foo.com>\r\n", 3);
    conversation_expect_codes(talk, "220 250 250 250 250 250 452");
    conversation_expect_said(talk, "452 4.5.3 ");
    run_many(talk, ENVELOPE, "RCPT TO:<x@foo.com>\r\n", 2 + 30);
    conversation_expect_untold(talk, "CLOSE");
    run_many(talk, ENVELOPE, "RCPT TO:<x@foo.com>\r\n", 2 + 31);
    conversation_expect_told(talk, "ABORT\nCLOSE 4\n");
}

static void
transactions_are_bounded(void **state)
{
    struct conversation *talk = *state;

    talk->options.transactions_max = 2;
    run_many(talk, HELLO, "MAIL FROM:<a@b>\r\nRSET\r\n", 2);
    conversation_expect_codes(talk, "220 250 250 250 250 250");
    run_many(talk, HELLO, "MAIL FROM:<a@b>\r\nRSET\r\n", 3);
    conversation_expect_codes(talk, "220 250 250 250 250 250 421");
    conversation_expect_told(talk, "CLOSE 7");
    talk->peer.is_trusted = true;
    run_many(talk, HELLO, "MAIL FROM:<a@b>\r\nRSET\r\n", 3);
    conversation_expect_codes(talk, "220 250 250 250 250 250 250 250");
}

static void
commands_without_mail_are_bounded(void **state)
{
    struct conversation *talk = *state;

    talk->options.commands_idle_max = 5;
    run_many(talk, "", "NOOP\r\n", 5);
    conversation_expect_codes(talk, "220 250 250 250 250 250");
    run_many(talk, "", "RSET\r\n", 6);
    conversation_expect_codes(talk, "220 250 250 250 250 250 421");
    talk->peer.is_trusted = true;
    run_many(talk, "", "NOOP\r\n", 7);
    conversation_expect_codes(talk, "220 250 250 250 250 250 250 250");
}

static void
errors_are_held_back_and_then_end_the_session(void **state)
{
    struct conversation *talk = *state;

    talk->options.errors_max = 5;
    talk->options.errors_free = 2;
    talk->options.tarpit_ms = 700;
    run_many(talk, "", "FROB\r\n", 2);
    assert_int_equal(talk->held_ms, 0);
    run_many(talk, "", "FROB\r\n", 4);
    conversation_expect_codes(talk, "220 500 500 500 500");
    assert_int_equal(talk->held_ms, 2 * 700);
    run_many(talk, "", "FROB\r\n", 6);
    conversation_expect_codes(talk, "220 500 500 500 500 500 421");
    conversation_expect_told(talk, "CLOSE 4");
    talk->peer.is_trusted = true;
    run_many(talk, "", "FROB\r\n", 6);
    conversation_expect_codes(talk, "220 500 500 500 500 500 500");
    assert_int_equal(talk->held_ms, 0);
}

static void
obsolete_verbs_begin_a_transaction_when_they_are_on(void **state)
{
    struct conversation *talk = *state;

    talk->options.is_obsolete_on = true;
    conversation_run(talk, SLICE(HELLO "SEND FROM:<a@b>\r\nRSET\r\nSOML FROM:<a@b>\r\nRSET\r\n"
                                       "SAML FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 250 250");
    conversation_expect_told(talk, "SEND <a@b>\nABORT\nSOML <a@b>\nABORT\nSAML <a@b>\n");
}

static void
lmtp_knows_lhlo_only(void **state)
{
    struct conversation *talk = *state;

    talk->options.service = SMTP_SERVICE_LMTP;
    conversation_run(talk, SLICE("HELO x\r\nEHLO x\r\nTURN\r\nLHLO x\r\nHELP\r\nHELP EHLO\r\n"));
    conversation_expect_codes(talk, "220 500 500 500 250 214 504");
    talk->options.service = SMTP_SERVICE_SMTP;
    conversation_run(talk, SLICE("LHLO x\r\n"));
    conversation_expect_codes(talk, "220 500");
}

static void
verification_is_for_those_whom_the_policy_lets(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "VRFY crispin\r\nEXPN exemple-email-list\r\n"));
    conversation_expect_codes(talk, "220 250 252 502");
    talk->options.verify = talk->options.expand = SMTP_VERIFY_AUTHENTICATED;
    conversation_run(talk, SLICE(HELLO "VRFY crispin\r\nEXPN exemple-email-list\r\n"));
    conversation_expect_codes(talk, "220 250 252 502");
    talk->peer.may_relay = true;
    conversation_run(talk, SLICE(HELLO "VRFY crispin\r\nEXPN exemple-email-list\r\n"
                                       "VRFY \xC3\xA9\r\nVRFY \xC3\xA9 SMTPUTF8\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 501 250");
}

static void
waiting_mail_is_tried_for_those_whom_the_policy_lets(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "ETRN foo.com\r\n"));
    conversation_expect_codes(talk, "220 250 502");
    talk->options.retry = SMTP_VERIFY_AUTHENTICATED;
    conversation_run(talk, SLICE(HELLO "ETRN foo.com\r\n"));
    conversation_expect_codes(talk, "220 250 502");
    talk->peer.may_relay = true;
    conversation_run(talk, SLICE("ETRN foo.com\r\n" HELLO
                                 "ETRN foo.com\r\netrn idle.test\r\nETRN @foo.com\r\n"
                                 "ETRN #1\r\nETRN [127.0.0.1]\r\nETRN a b\r\nETRN\r\n"
                                 "MAIL FROM:<a@b>\r\nETRN foo.com\r\n"));
    conversation_expect_codes(talk, "220 503 250 250 251 458 458 501 501 501 250 503");
}

static void
tls_first_where_it_is_required(void **state)
{
    struct conversation *talk = *state;

    talk->options.has_tls = talk->options.is_tls_required = true;
    conversation_run(talk, SLICE("HELO x\r\nEHLO x\r\nNOOP\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n"
                                 "BDAT 6\r\nQUIT\r\nVRFY x\r\nRSET\r\nQUIT\r\n"));
    conversation_expect_codes(talk, "220 530 250 250 530 530 530 530 530 221");
}

static const struct CMUnitTest tests[] = {
    CASE(a_plain_session_delivers),
    CASE(ehlo_lists_what_is_offered),
    CASE(what_is_switched_off_is_neither_offered_nor_taken),
    CASE(parameters_after_helo_are_unknown),
    CASE(parameters_reach_the_office),
    CASE(requiretls_is_for_tls_only),
    CASE(time_and_priority_are_for_callers_who_can_honour_them),
    CASE(everything_pipelined_at_once_is_answered_in_order),
    CASE(commands_out_of_order_are_503),
    CASE(a_refused_greeting_changes_nothing),
    CASE(a_refused_client_is_told_and_closed),
    CASE(web_browsers_are_sent_away),
    CASE(recipients_are_bounded),
    CASE(transactions_are_bounded),
    CASE(commands_without_mail_are_bounded),
    CASE(errors_are_held_back_and_then_end_the_session),
    CASE(obsolete_verbs_begin_a_transaction_when_they_are_on),
    CASE(lmtp_knows_lhlo_only),
    CASE(verification_is_for_those_whom_the_policy_lets),
    CASE(waiting_mail_is_tried_for_those_whom_the_policy_lets),
    CASE(tls_first_where_it_is_required),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
