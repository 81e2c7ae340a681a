/* SPDX-License-Identifier: ISC */
/* The authorization state of the server engine: RFC 1939 §4 and §7, RFC 2595, RFC 5034. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/tests/conversation.h"

#include <stdio.h>

static void
the_banner_has_the_timestamp_when_apop_is_offered(void **state)
{
    conversation_say(*state, "QUIT\r\n");
    conversation_expect_said(*state, "+OK pop.example.test POP3 ready "
                                     "<1896.697170952@dbc.mtview.ca.us>\r\n"
                                     "+OK pop.example.test signing off\r\n");
    conversation_expect_told(*state, "CLOSE 0\n");
    ((struct conversation *)*state)->options.timestamp = SLICE("");
    conversation_say(*state, "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    conversation_expect_said(*state, "+OK pop.example.test POP3 ready\r\n"
                                     "-ERR APOP is not offered\r\n");
}

static void
user_and_pass_log_in(void **state)
{
    conversation_say(*state, "user mrose\r\npass secret\r\n");
    conversation_expect_last(*state, "+OK now the password\r\n"
                                     "+OK maildrop has 2 messages (320 octets)\r\n");
    conversation_expect_told(*state, "AUTH PLAIN /mrose/secret\nOPEN\n");
}

static void
an_unknown_user_hears_what_a_wrong_password_hears(void **state)
{
    struct conversation *conversation = *state;
    struct buffer kept;

    conversation->delay_ms = 250;
    conversation_say(*state, "USER mrose\r\nPASS wrong\r\n");
    assert_int_equal(conversation->held_ms, 250);
    conversation_expect_last(*state, "-ERR [AUTH] name or password is wrong\r\n");
    buffer_init(&kept, 1000);
    buffer_put(&kept, buffer_slice(&conversation->output));
    conversation_say(*state, "USER nobody\r\nPASS secret\r\n");
    assert_int_equal(conversation->held_ms, 250);
    assert_true(slice_equal(buffer_slice(&kept), buffer_slice(&conversation->output)));
    buffer_finish(&kept);
}

static void
after_a_wrong_password_the_right_one_is_taken(void **state)
{
    conversation_say(*state, "USER mrose\r\nPASS wrong\r\nUSER mrose\r\nPASS secret\r\nSTAT\r\n");
    conversation_expect_last(*state, "+OK 2 320\r\n");
}

static void
pass_without_user_is_refused(void **state)
{
    conversation_say(*state, "PASS secret\r\nUSER mrose\r\nPASS wrong\r\nPASS secret\r\n");
    conversation_expect_said(*state, "-ERR USER comes first\r\n+OK now the password\r\n"
                                     "-ERR [AUTH] name or password is wrong\r\n"
                                     "-ERR USER comes first\r\n");
}

static void
a_password_may_have_spaces(void **state)
{
    conversation_say(*state, "USER mrose\r\nPASS  two  spaces \r\n");
    conversation_expect_told(*state, "AUTH PLAIN /mrose/ two  spaces \n");
}

static void
names_and_passwords_have_limits(void **state)
{
    struct buffer text;

    for (unsigned over = 0; over < 2; over++) {
        buffer_init(&text, 10000);
        buffer_put_text(&text, "USER ");
        for (unsigned i = 0; i < POP3_NAME_MAX + over; i++)
            buffer_put_byte(&text, 'n');
        buffer_put_text(&text, "\r\nUSER mrose\r\nPASS ");
        for (unsigned i = 0; i < POP3_PASSWORD_MAX + over; i++)
            buffer_put_byte(&text, 'p');
        buffer_put_text(&text, "\r\n");
        conversation_run(*state, buffer_slice(&text));
        if (over) {
            conversation_expect_said(*state, "-ERR USER wants a name\r\n");
            conversation_expect_last(*state, "-ERR PASS wants a password\r\n");
        } else {
            conversation_expect_unsaid(*state, "wants");
            conversation_expect_last(*state, "-ERR [AUTH] name or password is wrong\r\n");
        }
        buffer_finish(&text);
    }
    conversation_say(*state, "USER\r\nUSER \r\nUSER mrose\r\nPASS\r\n");
    conversation_expect_said(*state, "-ERR USER wants a name\r\n-ERR USER wants a name\r\n"
                                     "+OK now the password\r\n-ERR PASS wants a password\r\n");
}

static void
a_nul_never_reaches_the_mechanism(void **state)
{
    conversation_run(*state, SLICE("USER mrose\0x\r\nUSER mrose\r\nPASS a\0secret\r\n"));
    conversation_expect_said(*state, "-ERR NUL in a command\r\n+OK now the password\r\n"
                                     "-ERR NUL in a command\r\n");
    conversation_expect_untold(*state, "AUTH");
}

static void
apop_proves_the_secret(void **state)
{
    struct conversation *conversation = *state;

    /* The MD5 of the timestamp and "secret". */
    conversation_say(conversation, "APOP mrose 5d2bdd56a0b52f1b2ea4fc0ba2e4f1b3\r\n"
                                   "APOP mrose APOP_DIGEST\r\nAPOP mrose\r\nAPOP\r\n"
                                   "APOP mrose 5d2bdd56a0b52f1b2ea4fc0ba2e4f1bg\r\n");
    conversation_expect_said(conversation, "-ERR [AUTH] name or password is wrong\r\n"
                                           "-ERR APOP wants a name and a digest\r\n"
                                           "-ERR APOP wants a name and a digest\r\n"
                                           "-ERR APOP wants a name and a digest\r\n"
                                           "-ERR APOP wants a name and a digest\r\n");
    conversation_expect_told(conversation, "APOP mrose\n");
    conversation_say(conversation, "APOP mrose 3f18b52881e44c0cc6067f46e0ced7bc\r\nSTAT\r\n");
    conversation_expect_last(conversation, "+OK 2 320\r\n");
}

static void
plain_comes_with_or_without_its_initial_response(void **state)
{
    conversation_say(*state, "AUTH PLAIN AG1yb3NlAHNlY3JldA==\r\nSTAT\r\n");
    conversation_expect_told(*state, "AUTH PLAIN /mrose/secret\nOPEN\n");
    conversation_expect_last(*state, "+OK 2 320\r\n");
    conversation_say(*state, "auth plain\r\nAG1yb3NlAHNlY3JldA==\r\nSTAT\r\n");
    conversation_expect_said(*state, "\r\n+ \r\n+OK maildrop");
    conversation_expect_last(*state, "+OK 2 320\r\n");
}

static void
login_asks_twice(void **state)
{
    conversation_say(*state, "AUTH LOGIN\r\nbXJvc2U=\r\nc2VjcmV0\r\nSTAT\r\n");
    conversation_expect_said(*state, "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK maildrop");
}

static void
the_last_words_of_scram_want_an_empty_answer(void **state)
{
    static const char start[] = "AUTH SCRAM-SHA-256 biwsbj1hLHI9Yg==\r\nYz1iaXdzLHA9cHJvb2Y=\r\n";
    char text[200];

    snprintf(text, sizeof(text), "%s\r\nSTAT\r\n", start);
    conversation_say(*state, text);
    conversation_expect_said(*state, "+ dj1zaWduYXR1cmU=\r\n+OK maildrop");
    conversation_expect_last(*state, "+OK 2 320\r\n");
    snprintf(text, sizeof(text), "%s*\r\nSTAT\r\n", start);
    conversation_say(*state, text);
    conversation_expect_last(*state, "-ERR authentication cancelled\r\n");
    conversation_expect_untold(*state, "OPEN");
    conversation_expect_told(*state, "CLOSE");
}

static void
an_exchange_can_be_given_up(void **state)
{
    conversation_say(*state, "AUTH LOGIN\r\n*\r\nAUTH LOGIN\r\nnot base64!\r\nUSER mrose\r\n");
    conversation_expect_said(*state, "-ERR authentication cancelled\r\n+ VXNlcm5hbWU6\r\n"
                                     "-ERR authentication cancelled\r\n+OK now");
    conversation_expect_told(*state, "ABORT\nAUTH LOGIN\nABORT\n");
}

static void
sasl_has_its_errors(void **state)
{
    conversation_say(*state, "AUTH NTLM\r\nAUTH PLAIN ===\r\nAUTH PLAIN bm9udWw=\r\n"
                             "AUTH AN-OVERLY-LONG-MECHANISM\r\nAUTH SCRAM-SHA-256-PLUS eQ==\r\n");
    conversation_expect_said(*state, "-ERR unknown mechanism\r\n"
                                     "-ERR the initial response is not base64\r\n"
                                     "-ERR that is not what the mechanism says\r\n"
                                     "-ERR unknown mechanism\r\n-ERR unknown mechanism\r\n");
    conversation_say(*state, "AUTH\r\n");
    conversation_expect_last(*state, "SCRAM-SHA-256\r\nPLAIN\r\nLOGIN\r\n.\r\n");
}

static void
sasl_lines_may_be_long_and_others_not(void **state)
{
    struct buffer text;

    for (unsigned over = 0; over < 2; over++) {
        buffer_init(&text, 100000);
        buffer_put_text(&text, "NOOP ");
        while (buffer_len(&text) < POP3_LINE_MAX + over - 2)
            buffer_put_byte(&text, 'A');
        buffer_put_text(&text, "\r\nAUTH LOGIN\r\n");
        size_t start = buffer_len(&text);
        while (buffer_len(&text) < start + POP3_SASL_LINE_MAX + over * 4 - 4)
            buffer_put_byte(&text, 'A');
        buffer_put_text(&text, "\r\n*\r\n");
        conversation_run(*state, buffer_slice(&text));
        conversation_expect_said(*state, over ? "-ERR line is too long\r\n" : "-ERR log in first");
        conversation_expect_said(*state, over ? "-ERR authentication cancelled\r\n-ERR unknown"
                                              : "+ UGFzc3dvcmQ6\r\n-ERR authentication");
        buffer_finish(&text);
    }
}

static void
names_of_apop_and_of_mechanisms_have_limits(void **state)
{
    struct conversation *conversation = *state;
    struct buffer text;

    conversation->options.mechanisms[0] = SLICE("TWENTY-LETTERS-LONG1");
    for (unsigned over = 0; over < 2; over++) {
        buffer_init(&text, 10000);
        buffer_put_text(&text, "APOP ");
        for (unsigned i = 0; i < POP3_NAME_MAX + over; i++)
            buffer_put_byte(&text, 'n');
        buffer_put_text(&text, " 5d2bdd56a0b52f1b2ea4fc0ba2e4f1b3\r\nAUTH ");
        buffer_put_text(&text,
                        over ? "TWENTY-LETTERS-LONG12\r\n" : "TWENTY-LETTERS-LONG1\r\n*\r\n");
        conversation_run(conversation, buffer_slice(&text));
        conversation_expect_said(conversation, over ? "-ERR APOP wants a name and a digest\r\n"
                                                      "-ERR unknown mechanism\r\n"
                                                    : "-ERR [AUTH] name or password is wrong\r\n"
                                                      "+ ");
        buffer_finish(&text);
    }
}

/* RFC 4422 appendix A: who one is must be known from elsewhere. */
static void
external_is_for_who_has_shown_a_certificate(void **state)
{
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct pop3_event event;

    conversation->options.mechanisms[0] = SLICE("EXTERNAL");
    conversation_say(conversation, "AUTH EXTERNAL =\r\nAUTH\r\n");
    conversation_expect_last(conversation, "-ERR unknown mechanism\r\n+OK mechanisms follow\r\n"
                                           "SCRAM-SHA-256\r\nPLAIN\r\nLOGIN\r\n.\r\n");
    struct pop3_server *server = pop3_server_open(&conversation->options, now);
    pop3_server_has_certificate(server);
    size_t taken = pop3_server_feed(server, SLICE("AUTH EXTERNAL =\r\n"), now);
    assert_int_equal(taken, 17);
    assert_true(pop3_server_next(server, &event));
    assert_int_equal(event.kind, POP3_EVENT_AUTH_BEGIN);
    assert_true(event.has_initial && event.response.len == 0);
    pop3_server_close(&server);
}

static void
passwords_do_not_pass_in_the_clear(void **state)
{
    struct conversation *conversation = *state;

    conversation->options.allows_clear_password = false;
    conversation_say(conversation, "USER mrose\r\nPASS secret\r\nAUTH PLAIN AG1y\r\nCAPA\r\n");
    conversation_expect_said(conversation, "-ERR [AUTH] begin TLS before you log in\r\n"
                                           "-ERR [AUTH] begin TLS before you log in\r\n"
                                           "-ERR [AUTH] begin TLS before you log in\r\n+OK");
    conversation_expect_unsaid(conversation, "\r\nUSER\r\n");
    conversation_expect_unsaid(conversation, "SASL");
    conversation_expect_untold(conversation, "AUTH");
}

static void
what_was_said_before_tls_is_forgotten(void **state)
{
    struct conversation *conversation = *state;

    conversation_say(conversation, "USER mrose\r\nSTLS\r\nPASS secret\r\nSTLS\r\nCAPA\r\n");
    conversation_expect_said(conversation, "+OK begin TLS now\r\n-ERR USER comes first\r\n"
                                           "-ERR TLS is active already\r\n");
    conversation_expect_said(conversation, "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n");
    conversation_expect_unsaid(conversation, "\r\nSTLS\r\n");
    conversation->options.is_tls_available = false;
    conversation_say(conversation, "STLS\r\n");
    conversation_expect_last(conversation, "-ERR TLS is not available\r\n");
}

static void
capabilities_are_those_of_the_state(void **state)
{
    struct conversation *conversation = *state;

    conversation->options.login_delay_s = 60;
    conversation->options.expire_days = 30;
    conversation_say(conversation, "CAPA\r\nUTF8\r\n");
    conversation_expect_said(conversation, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
                                           "AUTH-RESP-CODE\r\nUSER\r\n"
                                           "SASL SCRAM-SHA-256 PLAIN LOGIN\r\nSTLS\r\nUTF8 USER\r\n"
                                           "LOGIN-DELAY 60\r\nEXPIRE 30\r\n"
                                           "IMPLEMENTATION Test\r\n.\r\n+OK UTF-8 it is\r\n");
    conversation_log_in_and_say(conversation, "CAPA\r\nUTF8\r\n");
    conversation_expect_unsaid(conversation, "SASL");
    conversation_expect_unsaid(conversation, "STLS");
    conversation_expect_last(conversation, "IMPLEMENTATION Test\r\n.\r\n"
                                           "-ERR you are logged in already\r\n");
    conversation->options.expire_days = POP3_EXPIRE_NEVER;
    conversation_say(conversation, "CAPA\r\n");
    conversation_expect_said(conversation, "EXPIRE NEVER\r\n");
}

static void
what_is_not_set_is_no_capability(void **state)
{
    struct conversation *conversation = *state;

    conversation->options.login_delay_s = 0;
    conversation->options.implementation = SLICE("");
    conversation_say(conversation, "CAPA\r\n");
    conversation_expect_unsaid(conversation, "LOGIN-DELAY");
    conversation_expect_unsaid(conversation, "IMPLEMENTATION");
}

static void
as_many_mechanisms_as_there_is_room_for_are_offered(void **state)
{
    static const char *const names[POP3_MECHANISMS_MAX] = {"M1", "M2", "M3", "M4", "M5",
                                                           "M6", "M7", "M8", "PLAIN"};
    struct conversation *conversation = *state;

    for (size_t i = 0; i < POP3_MECHANISMS_MAX; i++)
        conversation->options.mechanisms[i] = slice_of_string(names[i]);
    conversation->options.mechanisms_count = POP3_MECHANISMS_MAX;
    conversation_say(conversation, "CAPA\r\nAUTH\r\nAUTH M10\r\n"
                                   "AUTH PLAIN AG1yb3NlAHNlY3JldA==\r\n");
    conversation_expect_said(conversation, "SASL M1 M2 M3 M4 M5 M6 M7 M8 PLAIN\r\n");
    conversation_expect_said(conversation, "M7\r\nM8\r\nPLAIN\r\n.\r\n-ERR unknown mechanism\r\n");
    conversation_expect_last(conversation, "(320 octets)\r\n");
}

static void
refused_logins_end_the_session_at_their_limit(void **state)
{
    struct buffer text;

    for (unsigned count = POP3_FAILURES_MAX - 1; count <= POP3_FAILURES_MAX; count++) {
        buffer_init(&text, 10000);
        for (unsigned i = 0; i < count; i++)
            buffer_put_text(&text, "USER mrose\r\nPASS wrong\r\n");
        buffer_put_text(&text, "USER mrose\r\nPASS secret\r\n");
        conversation_run(*state, buffer_slice(&text));
        conversation_expect_last(*state, count < POP3_FAILURES_MAX
                                             ? "(320 octets)\r\n"
                                             : "-ERR [AUTH] name or password is wrong\r\n");
        buffer_finish(&text);
    }
    conversation_expect_told(*state, "CLOSE 2\n");
}

static void
a_maildrop_that_cannot_be_opened_says_why(void **state)
{
    static const struct {
        enum pop3_answer_kind kind;
        const char *text;
    } cases[] = {
        {POP3_ANSWER_IN_USE, "-ERR [IN-USE] another session holds the maildrop\r\n"},
        {POP3_ANSWER_LOGIN_DELAY, "-ERR [LOGIN-DELAY] too soon after the last login\r\n"},
        {POP3_ANSWER_NOT_PERMITTED, "-ERR [SYS/PERM] this maildrop cannot be opened\r\n"},
        {POP3_ANSWER_LIMIT, "-ERR [SYS/TEMP] too many sessions of this account\r\n"},
        {POP3_ANSWER_TEMPORARY, "-ERR [SYS/TEMP] not now, try again later\r\n"},
    };
    struct conversation *conversation = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        conversation->open_answer = cases[i].kind;
        conversation_log_in_and_say(conversation, "STAT\r\n");
        conversation_expect_last(conversation, cases[i].text);
        conversation_expect_told(conversation, "CLOSE 3\n");
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, conversation_setup, conversation_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_banner_has_the_timestamp_when_apop_is_offered),
        TEST(user_and_pass_log_in),
        TEST(an_unknown_user_hears_what_a_wrong_password_hears),
        TEST(after_a_wrong_password_the_right_one_is_taken),
        TEST(pass_without_user_is_refused),
        TEST(a_password_may_have_spaces),
        TEST(names_and_passwords_have_limits),
        TEST(a_nul_never_reaches_the_mechanism),
        TEST(apop_proves_the_secret),
        TEST(plain_comes_with_or_without_its_initial_response),
        TEST(login_asks_twice),
        TEST(the_last_words_of_scram_want_an_empty_answer),
        TEST(an_exchange_can_be_given_up),
        TEST(sasl_has_its_errors),
        TEST(sasl_lines_may_be_long_and_others_not),
        TEST(names_of_apop_and_of_mechanisms_have_limits),
        TEST(external_is_for_who_has_shown_a_certificate),
        TEST(passwords_do_not_pass_in_the_clear),
        TEST(what_was_said_before_tls_is_forgotten),
        TEST(capabilities_are_those_of_the_state),
        TEST(what_is_not_set_is_no_capability),
        TEST(as_many_mechanisms_as_there_is_room_for_are_offered),
        TEST(refused_logins_end_the_session_at_their_limit),
        TEST(a_maildrop_that_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
