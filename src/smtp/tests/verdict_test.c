/* SPDX-License-Identifier: ISC */
/* What the caller's answers do to a session; words where nothing special is the matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/tests/conversation.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, conversation_setup, conversation_teardown)
#define HELLO "EHLO bar.com\r\n"
#define LOGIN "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k\r\n"
#define ENVELOPE HELLO "MAIL FROM:<paul@uvsq.fr>\r\nRCPT TO:<jones@foo.com>\r\n"

static void
a_greeting_that_is_not_wanted_does_not_count(void **state)
{
    struct conversation *talk = *state;

    talk->hello = (struct smtp_verdict){.code = 550};
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 550 503");
    talk->hello = (struct smtp_verdict){.code = 250};
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 250");
}

static void
a_body_can_be_refused_before_it_comes(void **state)
{
    struct conversation *talk = *state;

    talk->body_begin = (struct smtp_verdict){.code = 451};
    conversation_run(talk, SLICE(ENVELOPE "DATA\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 451 250");
    conversation_expect_told(talk, "BODY_BEGIN\nABORT\n");
    conversation_run(talk, SLICE(ENVELOPE "BDAT 6\r\nQUIT\r\nNOOP\r\nBDAT 1 LAST\r\nx"));
    conversation_expect_codes(talk, "220 250 250 250 451 250 503");
    conversation_expect_untold(talk, "CLOSE");
    talk->body_begin = (struct smtp_verdict){.code = 354};
    conversation_run(talk, SLICE(ENVELOPE "DATA\r\nx\r\n.\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 250");
}

/* RFC 5321 §3.8: 421 is the end; a chunk that is under way is read to its own. */
static void
a_refused_chunk_can_be_the_last_thing_that_is_read(void **state)
{
    struct conversation *talk = *state;

    talk->body_begin = (struct smtp_verdict){.code = 421};
    conversation_run(talk, SLICE(ENVELOPE "BDAT 6\r\nQUIT\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 421");
    conversation_expect_told(talk, "CLOSE 2\n");
    talk->body_begin = (struct smtp_verdict){.code = 554, .closes = true};
    conversation_run(talk, SLICE(ENVELOPE "BDAT 6\r\nQUIT\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 554");
    conversation_expect_told(talk, "CLOSE 2\n");
}

static void
a_session_can_end_with_the_answer_to_a_message(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "DATA\r\nX-Office: gone\r\n.\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 421");
    conversation_expect_told(talk, "CLOSE 2\n");
    conversation_run(talk, SLICE(ENVELOPE "DATA\r\nX-Office: last\r\n.\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 250");
    conversation_expect_told(talk, "CLOSE 2\n");
}

/* With LMTP several answers may wait at once: for the longest of them, whichever comes first. */
static void
answers_wait_for_the_longest_delay(void **state)
{
    struct conversation *talk = *state;

    talk->options.service = SMTP_SERVICE_LMTP;
    conversation_run(talk, SLICE("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<held-200@foo.com>\r\n"
                                 "RCPT TO:<held-500@foo.com>\r\nDATA\r\nx\r\n.\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 250 354 250 250");
    assert_int_equal(talk->held_ms, 500);
    conversation_run(talk, SLICE("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<held-500@foo.com>\r\n"
                                 "RCPT TO:<held-200@foo.com>\r\nDATA\r\nx\r\n.\r\n"));
    assert_int_equal(talk->held_ms, 500);
}

static void
hosts_of_the_house_do_not_pay_for_errors(void **state)
{
    struct conversation *talk = *state;

    talk->options.service = SMTP_SERVICE_LMTP;
    talk->options.errors_max = 2;
    talk->options.errors_free = 1;
    talk->options.tarpit_ms = 700;
    conversation_run(talk, SLICE("FROB\r\nFROB\r\nFROB\r\n"));
    conversation_expect_codes(talk, "220 500 500 500");
    assert_int_equal(talk->held_ms, 0);
}

static void
words_for_codes_without_words_are_found(void **state)
{
    struct conversation *talk = *state;

    talk->hello = (struct smtp_verdict){.code = 299};
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_said(talk, "299 2.0.0 Ok\r\n");
    talk->hello = (struct smtp_verdict){.code = 400};
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_said(talk, "400 4.0.0 Refused\r\n");
    talk->hello = (struct smtp_verdict){.code = 550, .text = SLICE("\xC3\x80.")};
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_said(talk, "550 5.7.1 ??.\r\n");
}

/* RFC 6531 §3.7.4.2: characters, to who asked for them; never octets that are none. */
static void
replies_are_ascii_or_whole_characters(void **state)
{
    struct conversation *talk = *state;

    talk->body_begin =
        (struct smtp_verdict){.code = 554, .text = SLICE("\xC3\xA9 \xFF\xC3.\xC2\x9B\xED\xA0\x80")};
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<jones@foo.com>\r\nDATA\r\n"));
    conversation_expect_said(talk, "554 5.0.0 ?? ??.?????\r\n");
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<jones@foo.com>\r\n"
                                       "DATA\r\n"));
    conversation_expect_said(talk, "554 5.0.0 \xC3\xA9 ??.?????\r\n");
    talk->options.offers_turn = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(talk, SLICE(HELLO "HELP ATRN\r\n"));
    conversation_expect_said(talk, "ATRN [domain,...]\r\n");
}

/* RFC 6531 §3.4, §3.5. */
static void
addresses_in_utf8_need_the_transaction_to_be_so(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "MAIL FROM:<ren\xC3\xA9@b>\r\nMAIL FROM:<a@b>\r\n"
                                       "RCPT TO:<ren\xC3\xA9@foo.com>\r\n"));
    conversation_expect_codes(talk, "220 250 553 250 553");
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<ren\xC3\xA9@foo.com>"
                                       "\r\nRCPT TO:<ren\xC3@foo.com>\r\nRCPT TO:<a\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 553 501");
    conversation_expect_said(talk, "553 5.1.3 ");
    conversation_expect_said(talk, "501 5.1.3 ");
}

static void
control_characters_are_nobodys_name(void **state)
{
    struct conversation *talk = *state;

    talk->options.verify = SMTP_VERIFY_EVERYBODY;
    conversation_run(talk,
                     SLICE(HELLO "VRFY a\x01z\r\nVRFY a\x1Fz\r\nVRFY a\x7Fz\r\nVRFY a z\r\n"));
    conversation_expect_codes(talk, "220 250 501 501 501 250");
    conversation_expect_told(talk, "VERIFY a z\n");
}

static void
help_names_what_can_be_had(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE("HELP\r\n"));
    conversation_expect_said(talk,
                             "214-2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT BURL RSET NOOP "
                             "QUIT HELP VRFY EXPN STARTTLS AUTH SEND SOML SAML ETRN\r\n");
    talk->options.offers_turn = talk->offers_names = talk->peer.is_secure = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(talk, SLICE(HELLO LOGIN "HELP\r\nHELP TURN\r\nHELP GET\r\n"));
    conversation_expect_said(talk, " SAML XNAMES ETRN ATRN\r\n");
    conversation_expect_codes(talk, "220 250 235 214 214 504");
    talk->options.service = SMTP_SERVICE_LMTP;
    conversation_run(talk, SLICE("HELP\r\n"));
    conversation_expect_said(talk, "Commands: LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP VRFY "
                                   "EXPN STARTTLS AUTH\r\n");
}

static void
the_first_line_says_who_answers(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(""));
    conversation_expect_said(talk, "220 foo.com ESMTP Facteur\r\n");
}

/* RFC 2645 §5.2: without a list, all that the customer may have. */
static void
a_turn_may_be_for_all_domains(void **state)
{
    struct conversation *talk = *state;

    talk->options.offers_turn = talk->peer.is_secure = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(talk, SLICE(HELLO LOGIN "ATRN\r\n"));
    conversation_expect_told(talk, "TURN \n");
}

static void
the_status_tells_who_is_there(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "HELP STATUS\r\n"));
    conversation_expect_said(talk, ": no TLS, not authenticated\r\n");
    talk->peer.is_secure = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(talk, SLICE(HELLO LOGIN "HELP STATUS\r\n"));
    conversation_expect_said(talk, ": connection secured by TLS, authenticated\r\n");
}

static void
obsolete_verbs_are_offered_where_they_are_taken(void **state)
{
    struct conversation *talk = *state;

    talk->options.is_obsolete_on = true;
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_said(talk, "250-SEND\r\n250-SOML\r\n250-SAML\r\n250 HELP\r\n");
    talk->options.service = SMTP_SERVICE_LMTP;
    conversation_run(talk, SLICE("LHLO bar.com\r\nSEND FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 500");
    conversation_expect_said(talk, "RCPTMAX=1000\r\n250 HELP\r\n");
}

static void
a_chunk_for_nobody_says_why(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\nBDAT 1 LAST\r\nx"));
    conversation_expect_said(talk, "503 5.5.1 Need RCPT first\r\n");
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<unknown@foo.com>\r\n"
                                       "BDAT 1 LAST\r\nx"));
    conversation_expect_said(talk, "No valid recipients\r\n");
    conversation_expect_codes(talk, "220 250 250 550 554");
}

/* What has ended is not taken back when the session ends. */
static void
an_exchange_that_is_over_is_not_given_up(void **state)
{
    struct conversation *talk = *state;

    talk->peer.is_secure = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    conversation_run(talk, SLICE(HELLO LOGIN "QUIT\r\n"));
    conversation_expect_codes(talk, "220 250 235 221");
    conversation_expect_untold(talk, "AUTH_ABORT");
    conversation_run(talk, SLICE(HELLO "AUTH PLAIN AGFsaWNlAHdyb25n\r\nQUIT\r\n"));
    conversation_expect_codes(talk, "220 250 535 221");
    conversation_expect_untold(talk, "AUTH_ABORT");
}

static const struct CMUnitTest tests[] = {
    CASE(a_greeting_that_is_not_wanted_does_not_count),
    CASE(a_body_can_be_refused_before_it_comes),
    CASE(a_refused_chunk_can_be_the_last_thing_that_is_read),
    CASE(a_session_can_end_with_the_answer_to_a_message),
    CASE(answers_wait_for_the_longest_delay),
    CASE(hosts_of_the_house_do_not_pay_for_errors),
    CASE(words_for_codes_without_words_are_found),
    CASE(replies_are_ascii_or_whole_characters),
    CASE(addresses_in_utf8_need_the_transaction_to_be_so),
    CASE(control_characters_are_nobodys_name),
    CASE(help_names_what_can_be_had),
    CASE(the_first_line_says_who_answers),
    CASE(a_turn_may_be_for_all_domains),
    CASE(the_status_tells_who_is_there),
    CASE(obsolete_verbs_are_offered_where_they_are_taken),
    CASE(a_chunk_for_nobody_says_why),
    CASE(an_exchange_that_is_over_is_not_given_up),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
