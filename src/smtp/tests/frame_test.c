/* SPDX-License-Identifier: ISC */
/* Line ends, dots and lengths: what the framer lets pass and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/tests/conversation.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, conversation_setup, conversation_teardown)
#define HELLO "EHLO bar.com\r\n"
#define ENVELOPE HELLO "MAIL FROM:<paul@uvsq.fr>\r\nRCPT TO:<jones@foo.com>\r\n"

/* Puts `count` times `octet`. */
static void
put_many(struct buffer *buffer, uint8_t octet, size_t count)
{
    while (count-- > 0)
        buffer_put_byte(buffer, octet);
}

/* What attackers have tried as the end of DATA where the next server would see one. */
static const struct slice smuggled[] = {
    SLICE("\n.\n"),        SLICE("\n.\r\n"),   SLICE("\r\n.\n"),     SLICE("\r.\r"),
    SLICE("\r.\r\n"),      SLICE("\r\n.\r"),   SLICE("\r\n.\r\r\n"), SLICE("\r\r\n.\r\n"),
    SLICE("\n\n.\r\n"),    SLICE("\r\n\0.\n"), SLICE("a\nb\r\n"),    SLICE("a\rb\r\n"),
    SLICE("\r\n.\ra\r\n"), SLICE("\r\n..\n"),  SLICE("\r\n\n"),      SLICE("\r"),
};

static void
no_bare_cr_or_lf_passes_within_a_message(void **state)
{
    struct conversation *talk = *state;
    struct buffer input;

    for (size_t i = 0; i < COUNT_OF(smuggled); i++) {
        buffer_init(&input, 4096);
        buffer_put_text(&input, ENVELOPE "DATA\r\nSubject: x\r\n\r\nfirst");
        buffer_put(&input, smuggled[i]);
        buffer_put_text(&input,
                        "MAIL FROM:<evil@example.org>\r\nRCPT TO:<jones@foo.com>\r\nDATA\r\n"
                        "second\r\n.\r\nQUIT\r\n");
        conversation_run(talk, buffer_slice(&input));
        conversation_expect_codes(talk, "220 250 250 250 354 554");
        conversation_expect_said(talk, "554 5.5.2 ");
        conversation_expect_told(talk, "ABORT\nCLOSE 5\n");
        conversation_expect_untold(talk, "evil");
        assert_int_equal(talk->office.message_count, 0);
        buffer_finish(&input);
    }
}

static void
no_bare_cr_or_lf_passes_within_commands(void **state)
{
    static const struct slice inputs[] = {
        SLICE("NOOP\nQUIT\r\n"),     SLICE("\nQUIT\r\n"),         SLICE("NOOP\rQUIT\r\n"),
        SLICE("NO\rOP\r\nQUIT\r\n"), SLICE("NOOP\r\r\nQUIT\r\n"),
    };
    struct conversation *talk = *state;

    for (size_t i = 0; i < COUNT_OF(inputs); i++) {
        conversation_run(talk, inputs[i]);
        conversation_expect_codes(talk, "220 500");
        conversation_expect_told(talk, "CONNECT\nCLOSE 5\n");
    }
}

static void
dots_are_unstuffed(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "DATA\r\n..\r\n...\r\n.a\r\n..b.\r\n \r\n\r\n..\r\n.\r\n"
                                          "QUIT\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 250 221");
    conversation_expect_told(talk, "BODY_END 23 [.\r\n..\r\na\r\n.b.\r\n \r\n\r\n.\r\n]");
}

static void
an_empty_message_has_no_octets(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE(ENVELOPE "DATA\r\n.\r\nQUIT\r\n"));
    conversation_expect_codes(talk, "220 250 250 250 354 250 221");
    conversation_expect_told(talk, "BODY_END 0 []");
}

static void
octets_of_every_value_pass_within_lines(void **state)
{
    struct conversation *talk = *state;
    struct buffer input;

    buffer_init(&input, 4096);
    buffer_put_text(&input, ENVELOPE "DATA\r\n");
    for (int octet = 0; octet < 256; octet++) {
        if (octet != '\r' && octet != '\n')
            buffer_put_byte(&input, (uint8_t)octet);
    }
    buffer_put_text(&input, "\r\n.\r\n");
    conversation_run(talk, buffer_slice(&input));
    assert_int_equal(talk->office.message_count, 1);
    assert_int_equal(talk->office.messages[0].bytes.len, 256);
    buffer_finish(&input);
}

/* A message with a line of so many octets, its CRLF included. */
static void
run_text_line(struct conversation *talk, size_t len, bool is_stuffed)
{
    struct buffer input;

    buffer_init(&input, 200000);
    buffer_put_text(&input, ENVELOPE "DATA\r\n");
    if (is_stuffed)
        buffer_put_text(&input, ".");
    put_many(&input, is_stuffed ? '.' : 'x', len - 2);
    buffer_put_text(&input, "\r\nshort\r\n.\r\nNOOP\r\n");
    conversation_run(talk, buffer_slice(&input));
    buffer_finish(&input);
}

static void
text_lines_are_bounded_without_the_stuffed_dot(void **state)
{
    struct conversation *talk = *state;

    talk->options.text_line_max = 10; /* the least that RFC 5321 allows holds all the same */
    run_text_line(talk, SMTP_TEXT_LINE_MIN, false);
    conversation_expect_codes(talk, "220 250 250 250 354 250 250");
    run_text_line(talk, SMTP_TEXT_LINE_MIN, true);
    conversation_expect_codes(talk, "220 250 250 250 354 250 250");
    run_text_line(talk, SMTP_TEXT_LINE_MIN + 1, false);
    conversation_expect_codes(talk, "220 250 250 250 354 500 250");
    conversation_expect_told(talk, "ABORT");
    run_text_line(talk, SMTP_TEXT_LINE_MIN + 1, true);
    conversation_expect_codes(talk, "220 250 250 250 354 500 250");
    talk->options.text_line_max = 0;
    run_text_line(talk, 65536, false);
    conversation_expect_codes(talk, "220 250 250 250 354 250 250");
    run_text_line(talk, 65537, false);
    conversation_expect_codes(talk, "220 250 250 250 354 500 250");
}

static void
run_command(struct conversation *talk, const char *verb, size_t len, const char *end)
{
    struct buffer input;

    buffer_init(&input, 200000);
    buffer_put_text(&input, verb);
    put_many(&input, 'A', len - strlen(verb) - strlen(end));
    buffer_put_text(&input, end);
    buffer_put_text(&input, "NOOP\r\n");
    conversation_run(talk, buffer_slice(&input));
    buffer_finish(&input);
}

static void
command_lines_are_bounded(void **state)
{
    struct conversation *talk = *state;

    run_command(talk, "NOOP ", SMTP_COMMAND_LINE_MAX, "\r\n");
    conversation_expect_codes(talk, "220 250 250");
    run_command(talk, "NOOP ", SMTP_COMMAND_LINE_MAX + 1, "\r\n");
    conversation_expect_codes(talk, "220 500 250");
    run_command(talk, "NOOP ", 50000, "\r\n");
    conversation_expect_codes(talk, "220 500 250");
    run_command(talk, "NOOP ", 50000, "\n");
    conversation_expect_codes(talk, "220 500");
    run_command(talk, "NOOP ", SMTP_COMMAND_LINE_MAX + 1, "\n");
    conversation_expect_codes(talk, "220 500");
    conversation_expect_told(talk, "CLOSE 5");
}

static void
lines_of_auth_are_bounded(void **state)
{
    struct conversation *talk = *state;

    talk->peer.is_secure = true;
    talk->options.mechanisms = SMTP_AUTH_PLAIN;
    /* So many letters are not base64, which shows that the whole line was read. */
    run_command(talk, HELLO "AUTH PLAIN ", strlen(HELLO) + SMTP_SASL_LINE_MAX, "\r\n");
    conversation_expect_codes(talk, "220 250 501 250");
    run_command(talk, HELLO "AUTH PLAIN ", strlen(HELLO) + SMTP_SASL_LINE_MAX + 1, "\r\n");
    conversation_expect_codes(talk, "220 250 500 250");
    run_command(talk, HELLO "AUTH PLAIN\r\n", strlen(HELLO) + 12 + SMTP_SASL_LINE_MAX, "\r\n");
    conversation_expect_codes(talk, "220 250 334 501 250");
    run_command(talk, HELLO "AUTH PLAIN\r\n", strlen(HELLO) + 12 + SMTP_SASL_LINE_MAX + 1, "\r\n");
    conversation_expect_codes(talk, "220 250 334 500 250");
    conversation_expect_said(talk, "500 5.5.6 ");
    conversation_expect_told(talk, "AUTH_ABORT");
}

static void
nul_in_a_command_is_refused(void **state)
{
    struct conversation *talk = *state;

    conversation_run(talk, SLICE("NOOP \0\r\nNOOP\r\n"));
    conversation_expect_codes(talk, "220 500 250");
}

static const struct CMUnitTest tests[] = {
    CASE(no_bare_cr_or_lf_passes_within_a_message),
    CASE(no_bare_cr_or_lf_passes_within_commands),
    CASE(dots_are_unstuffed),
    CASE(an_empty_message_has_no_octets),
    CASE(octets_of_every_value_pass_within_lines),
    CASE(text_lines_are_bounded_without_the_stuffed_dot),
    CASE(command_lines_are_bounded),
    CASE(lines_of_auth_are_bounded),
    CASE(nul_in_a_command_is_refused),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
