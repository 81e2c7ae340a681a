/* SPDX-License-Identifier: ISC */
/* Sessions as RFC 5321 and its extensions have them, each replayed in all ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/tests/conversation.h"

#include <stdlib.h>

static int
setup(void **state)
{
    struct conversation *talk = malloc(sizeof(*talk));

    assert_non_null(talk);
    conversation_init(talk);
    *state = talk;
    return 0;
}

static int
teardown(void **state)
{
    conversation_finish(*state);
    free(*state);
    return 0;
}

#define HELLO "EHLO bar.com\r\n"
#define ENVELOPE "MAIL FROM:<paul@uvsq.fr>\r\nRCPT TO:<jean@jussieu.fr>\r\n"

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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_plain_session_delivers, setup, teardown),
    cmocka_unit_test_setup_teardown(ehlo_lists_what_is_offered, setup, teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
