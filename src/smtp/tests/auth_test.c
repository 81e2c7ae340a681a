/* SPDX-License-Identifier: ISC */
/* AUTH (RFC 4954) and STARTTLS (RFC 3207). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/tests/conversation.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, conversation_setup, conversation_teardown)
#define HELLO "EHLO bar.com\r\n"
#define ENVELOPE HELLO "MAIL FROM:<paul@uvsq.fr>\r\nRCPT TO:<jones@foo.com>\r\n"

/* base64 of NUL alice@example.test NUL wonderland */
#define RIGHT "AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k"
#define WRONG "AGFsaWNlQGV4YW1wbGUudGVzdAB3cm9uZw=="

static void
offer_all(struct conversation *talk)
{
    talk->options.has_tls = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN | SMTP_AUTH_SCRAM_SHA_256 |
                               SMTP_AUTH_SCRAM_SHA_256_PLUS | SMTP_AUTH_SCRAM_SHA_1 |
                               SMTP_AUTH_SCRAM_SHA_1_PLUS | SMTP_AUTH_EXTERNAL;
    talk->peer.is_secure = true;
}

static void
mechanisms_are_offered_where_they_are_safe(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_said(talk, "250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN\r\n");
    talk->peer.has_channel_binding = talk->peer.has_certificate = true;
    conversation_run(talk, SLICE(HELLO));
    conversation_expect_said(talk,
                             "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS "
                             "SCRAM-SHA-1 PLAIN LOGIN EXTERNAL\r\n");
    talk->peer = (struct smtp_server_peer){.is_loopback = true};
    conversation_run(talk, SLICE(HELLO "AUTH PLAIN " RIGHT "\r\n"));
    conversation_expect_codes(talk, "220 250 538");
    talk->options.allows_auth_on_loopback = true;
    conversation_run(talk, SLICE(HELLO "AUTH EXTERNAL =\r\nAUTH PLAIN " RIGHT "\r\n"));
    conversation_expect_said(talk, "250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN\r\n");
    conversation_expect_codes(talk, "220 250 504 235");
    talk->options.mechanisms = 0;
    conversation_run(talk, SLICE(HELLO "AUTH PLAIN " RIGHT "\r\n"));
    conversation_expect_codes(talk, "220 250 502");
}

static void
plain_is_taken_in_one_step_or_two(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    conversation_run(talk, SLICE(HELLO "auth plain " WRONG "\r\nAUTH PLAIN\r\n" RIGHT "\r\n"
                                       "AUTH PLAIN " RIGHT "\r\n"));
    conversation_expect_codes(talk, "220 250 535 334 235 503");
    conversation_expect_said(talk, "334 \r\n235 2.7.0 ");
    conversation_expect_told(talk, "AUTH PLAIN\nSTEP /alice@example.test/wonderland\n");
}

static void
login_has_two_prompts(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    conversation_run(talk, SLICE(HELLO "AUTH LOGIN\r\nYWxpY2U=\r\nd29uZGVybGFuZA==\r\n"));
    conversation_expect_codes(talk, "220 250 334 334 235");
    conversation_expect_said(talk, "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 ");
}

static void
last_words_come_as_a_challenge_that_wants_an_empty_response(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    conversation_run(
        talk, SLICE(HELLO "AUTH SCRAM-SHA-256 biws\r\nYz1iaXdzLHA9cHJvb2Y=\r\n\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 334 334 235 250");
    conversation_expect_said(talk, "334 dj1zaWduYXR1cmU=\r\n235 ");
    conversation_run(talk,
                     SLICE(HELLO "AUTH SCRAM-SHA-256 biws\r\nYz1iaXdzLHA9cHJvb2Y=\r\nbW9yZQ==\r\n"
                                 "AUTH PLAIN " RIGHT "\r\n"));
    conversation_expect_codes(talk, "220 250 334 334 501 235");
    conversation_expect_told(talk, "AUTH_ABORT\nAUTH PLAIN");
}

static void
an_exchange_can_end_in_many_ways(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    conversation_run(
        talk,
        SLICE(HELLO "AUTH PLAIN\r\n*\r\nAUTH PLAIN ===\r\nNOOP\r\nAUTH LOGIN\r\n?\r\nQUIT\r\n"));
    conversation_expect_codes(talk, "220 250 334 501 501 250 334 501 221");
    conversation_expect_told(talk, "AUTH PLAIN\nAUTH_ABORT\nAUTH LOGIN\nAUTH_ABORT\nCLOSE 0\n");
}

static void
auth_has_its_place(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    talk->options.is_auth_required = true;
    conversation_run(talk, SLICE("AUTH PLAIN " RIGHT "\r\n" HELLO "MAIL FROM:<a@b>\r\nAUTH\r\n"
                                 "AUTH FROB\r\nAUTH PLAIN " RIGHT "\r\nMAIL FROM:<a@b>\r\n"
                                 "AUTH PLAIN " RIGHT "\r\nRCPT TO:<x@elsewhere.test>\r\n"));
    conversation_expect_codes(talk, "220 503 250 530 501 504 235 250 503 250");
    talk->peer.is_trusted = true;
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 530");
    talk->peer.may_relay = true;
    conversation_run(talk, SLICE(HELLO "MAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 250");
}

static void
failures_are_counted(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    talk->options.auth_failures_max = 2;
    conversation_run(talk, SLICE(HELLO "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " RIGHT "\r\n"));
    conversation_expect_codes(talk, "220 250 535 235");
    conversation_run(talk, SLICE(HELLO "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG "\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 535 535 421");
    conversation_expect_told(talk, "CLOSE 4");
}

static void
the_identity_outlives_a_new_greeting(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    talk->options.is_auth_required = true;
    conversation_run(talk,
                     SLICE(HELLO "AUTH PLAIN " RIGHT "\r\n" HELLO HELLO "MAIL FROM:<a@b>\r\n"));
    conversation_expect_codes(talk, "220 250 235 250 250 250");
}

static void
plaintext_behind_starttls_ends_the_session(void **state)
{
    struct conversation *talk = *state;

    talk->options.has_tls = true;
    conversation_run(talk, SLICE(HELLO "STARTTLS\r\nEHLO evil.example\r\n"));
    conversation_expect_codes(talk, "220 250 220 554");
    conversation_expect_told(talk, "STARTTLS\nCLOSE 6\n");
    conversation_expect_untold(talk, "evil");
}

static void
starttls_has_its_place(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(HELLO "STARTTLS\r\n"));
    conversation_expect_codes(talk, "220 250 502");
    talk->options.has_tls = true;
    conversation_run(talk, SLICE("STARTTLS\r\n" HELLO "STARTTLS now\r\n"));
    conversation_expect_codes(talk, "220 503 250 501");
    talk->tls_code = 454;
    conversation_run(talk, SLICE(HELLO "STARTTLS\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 250 454 250");
    talk->peer.is_secure = true;
    conversation_run(talk, SLICE(HELLO "STARTTLS\r\n"));
    conversation_expect_codes(talk, "220 250 503");
}

#define NAMES_SESSION                                                                              \
    HELLO "AUTH PLAIN " RIGHT "\r\n" HELLO                                                         \
          "XNAMES foo.com 0 0\r\nXNAMES foo.com 17 1\r\nXNAMES foo.com 0\r\n"                      \
          "XNAMES [192.0.2.1] 0 0\r\nXNAMES foo.com 111111111111111111111 0\r\n"                   \
          "XNAMES foo.com 0 4294967296\r\nXNAMES foo.com 0 0 0\r\n"                                \
          "MAIL FROM:<>\r\nXNAMES foo.com 0 0\r\n"

static void
names_are_told_to_whom_they_are_offered(void **state)
{
    struct conversation *talk = *state;
    offer_all(talk);
    conversation_run(talk, SLICE(NAMES_SESSION));
    conversation_expect_codes(talk, "220 250 235 250 502 502 502 502 502 502 502 250 503");
    talk->offers_names = true;
    conversation_run(talk, SLICE(NAMES_SESSION));
    conversation_expect_codes(talk, "220 250 235 250 250 450 501 501 501 501 501 250 503");
    conversation_expect_said(talk, "250-XNAMES\r\n");
    conversation_expect_said(talk, "250-2.0.0 170 end\r\n250 2.0.0 alice bob\r\n");
    /* Nobody logs in; the line is in the clear, and leads far away. */
    conversation_run(talk, SLICE(HELLO "XNAMES foo.com 0 0\r\n"));
    conversation_expect_codes(talk, "220 250 502");
}

static void
a_connection_is_turned_for_who_has_logged_in(void **state)
{
    struct conversation *talk = *state;

    offer_all(talk);
    conversation_run(talk, SLICE(HELLO "ATRN\r\nAUTH PLAIN " RIGHT "\r\nATRN foo.com\r\n"));
    conversation_expect_codes(talk, "220 250 502 235 502");
    talk->options.offers_turn = true;
    conversation_run(talk, SLICE("ATRN\r\n" HELLO "ATRN\r\nAUTH PLAIN " RIGHT "\r\nATRN a b\r\n"
                                 "ATRN foo.com,\r\nATRN [192.0.2.1]\r\nATRN idle.test\r\n"
                                 "MAIL FROM:<>\r\nATRN foo.com\r\nRSET\r\n"
                                 "ATRN foo.com,bar.com\r\n"));
    conversation_expect_said(talk, "250-ATRN\r\n");
    conversation_expect_codes(talk, "220 503 250 530 235 501 501 501 453 250 503 250 250");
    conversation_expect_said(talk, "250 2.0.0 OK now reversing the connection\r\n");
}

static const struct CMUnitTest tests[] = {
    CASE(mechanisms_are_offered_where_they_are_safe),
    CASE(plain_is_taken_in_one_step_or_two),
    CASE(login_has_two_prompts),
    CASE(last_words_come_as_a_challenge_that_wants_an_empty_response),
    CASE(an_exchange_can_end_in_many_ways),
    CASE(auth_has_its_place),
    CASE(failures_are_counted),
    CASE(the_identity_outlives_a_new_greeting),
    CASE(plaintext_behind_starttls_ends_the_session),
    CASE(starttls_has_its_place),
    CASE(names_are_told_to_whom_they_are_offered),
    CASE(a_connection_is_turned_for_who_has_logged_in),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
