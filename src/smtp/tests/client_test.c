/* SPDX-License-Identifier: ISC */
/* A client's transactions with hosts whose words are written down here (client_play.h). */
#include "smtp/tests/client_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct smtp_client_recipient jones = {.address = SLICE("Jones@foo.com")};
static const struct smtp_client_recipient three[] = {
    {.address = SLICE("Jones@foo.com")},
    {.address = SLICE("Green@foo.com")},
    {.address = SLICE("Brown@foo.com")},
};

static struct smtp_client_message
message_of(const char *content)
{
    return (struct smtp_client_message){
        .reverse_path = SLICE("Smith@bar.com"),
        .recipients = &jones,
        .recipients_count = 1,
        .content = slice_of_string(content),
    };
}

/* ---- the courses' cases -------------------------------------------------------------------- */

/* RFC 5321 §3.2: a host that does not know EHLO is greeted again. */
static void
a_host_without_extensions_is_served_step_by_step(void **state)
{
    struct smtp_client_message message = message_of("Subject: hi\r\n\r\nText\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com Simple Mail Transfer Service Ready\n"
                         "C: EHLO bar.com\n"
                         "S: 500 What?\n"
                         "C: HELO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 250 OK\n"
                         "C: DATA\n"
                         "S: 354 Start mail input; end with <CRLF>.<CRLF>\n"
                         "C: Subject: hi\n"
                         "C: \n"
                         "C: Text\n"
                         "C: .\n"
                         "S: 250 OK\n"
                         "C: QUIT\n"
                         "S: 221 foo.com Service closing transmission channel\n",
                         "READY\n"
                         "RESULT 0 delivered 250 OK\n"
                         "DONE\n"
                         "CLOSE quit 221 foo.com Service closing transmission channel\n");
}

/* Its words go into logs, notifications and lists that are read on terminals. */
static void
what_a_host_says_commands_no_terminal(void **state)
{
    struct smtp_client_message message = message_of("x\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 550 d\xC3\xA9j\xC3\xA0 \x1B[2J\x7F\xC2\x9B"
                         "2J\xE2\x80\xAE\xE2\x80\xA8.\n"
                         "C: RSET\n"
                         "S: 250 OK\n"
                         "C: QUIT\n"
                         "S: 221 \xC3\xA9\x9B"
                         "2J\n",
                         "READY\n"
                         "RESULT 0 permanent 550 d\xC3\xA9j\xC3\xA0 ?[2J?\?2J?\?.\n"
                         "DONE\n"
                         "CLOSE quit 221 ?\?\?2J\n");
}

/* A3, A14: one transmission for all; the unknown one is told apart. */
static void
pipelined_recipients_have_results_of_their_own(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    message.recipients = three;
    message.recipients_count = 3;
    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com greets bar.com\n"
                         "S: 250-PIPELINING\n"
                         "S: 250-8BITMIME\n"
                         "S: 250 SIZE 10000\n"
                         "C: MAIL FROM:<Smith@bar.com> SIZE=6\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "C: RCPT TO:<Green@foo.com>\n"
                         "C: RCPT TO:<Brown@foo.com>\n"
                         "C: DATA\n"
                         "S: 250 OK\n"
                         "S: 250 OK\n"
                         "S: 550-5.1.1 No such user\n"
                         "S: 550 5.1.1 here\n"
                         "S: 251 forwarded\n"
                         "S: 354 Go on\n"
                         "C: Blah\n"
                         "C: .\n"
                         "S: 250 2.0.0 OK\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\n"
                         "RESULT 1 permanent 550 5.1.1 No such user here\n"
                         "RESULT 0 delivered 250 2.0.0 OK\n"
                         "RESULT 2 delivered 250 2.0.0 OK\n"
                         "DONE\n"
                         "CLOSE quit 221 Bye\n");
}

/* A15, RFC 5321 §4.5.2; and what has lone CR or LF arrives with lines that end in CRLF. */
static void
dots_are_stuffed_and_line_ends_mended(void **state)
{
    struct smtp_client_message message = message_of(".\r\n..two\r\nlone\n.lf\rcr\r.dot\r\nno end");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 CHUNKING\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 250 OK\n"
                         "C: DATA\n"
                         "S: 354 Go on\n"
                         "C: ..\n"
                         "C: ...two\n"
                         "C: lone\n"
                         "C: ..lf\n"
                         "C: cr\n"
                         "C: ..dot\n"
                         "C: no end\n"
                         "C: .\n"
                         "S: 250 OK\n"
                         "C: QUIT\n"
                         "E:\n",
                         "READY\n"
                         "RESULT 0 delivered 250 OK\n"
                         "DONE\n"
                         "CLOSE quit 0 4.4.2 Closed\n");
}

static void
chunks_need_one_round_trip(void **state)
{
    struct smtp_client_message message = message_of(".dot\r\nno end");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250-PIPELINING\n"
                         "S: 250 CHUNKING\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "C: BDAT 14 LAST\n"
                         "C: .dot\n"
                         "C: no end\n"
                         "S: 250 OK\n"
                         "S: 250 OK\n"
                         "S: 250 OK 14 octets\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\n"
                         "RESULT 0 delivered 250 OK 14 octets\n"
                         "DONE\n"
                         "CLOSE quit 221 Bye\n");
}

/* RFC 2920 §3.1 and RFC 5321 §4.1.1.5: DATA that is taken for nobody is ended at once. */
static void
a_transaction_without_recipients_is_taken_back(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");
    struct smtp_client_message again = message_of("Again\r\n");
    struct client_play *play = *state;

    play->messages[0] = &message;
    play->messages[1] = &again;
    play->message_count = 2;
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 PIPELINING\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "C: DATA\n"
                         "S: 250 OK\n"
                         "S: 450 4.2.1 Later\n"
                         "S: 354 Go on\n"
                         "C: .\n"
                         "S: 554 Nobody\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "C: DATA\n"
                         "S: 250 OK\n"
                         "S: 450 4.2.1 Later\n"
                         "S: 503 Nobody\n"
                         "C: RSET\n"
                         "S: 250 OK\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\n"
                         "RESULT 0 temporary 450 4.2.1 Later\n"
                         "DONE\n"
                         "RESULT 0 temporary 450 4.2.1 Later\n"
                         "DONE\n"
                         "CLOSE quit 221 Bye\n");
}

/* RFC 5321 §4.5.3.1.10 */
static void
too_many_recipients_are_told_apart_from_a_full_mailbox(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    message.recipients = three;
    message.recipients_count = 3;
    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 552 Full\n"
                         "C: RCPT TO:<Green@foo.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Brown@foo.com>\n"
                         "S: 552 Too many recipients\n"
                         "C: DATA\n"
                         "S: 354 Go on\n"
                         "C: Blah\n"
                         "C: .\n"
                         "S: 250 OK\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\n"
                         "RESULT 0 permanent 552 Full\n"
                         "RESULT 2 temporary 552 Too many recipients too-many\n"
                         "RESULT 1 delivered 250 OK\n"
                         "DONE\n"
                         "CLOSE quit 221 Bye\n");
}

/* RFC 2033 §4.2 */
static void
lmtp_has_an_answer_for_each_accepted_recipient(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of("Blah\r\n");

    message.recipients = three;
    message.recipients_count = 3;
    play->options.is_lmtp = true;
    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         "S: 220 foo.com LMTP\n"
                         "C: LHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 PIPELINING\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "C: RCPT TO:<Green@foo.com>\n"
                         "C: RCPT TO:<Brown@foo.com>\n"
                         "C: DATA\n"
                         "S: 250 OK\n"
                         "S: 250 OK\n"
                         "S: 550 Unknown\n"
                         "S: 250 OK\n"
                         "S: 354 Go on\n"
                         "C: Blah\n"
                         "C: .\n"
                         "S: 250 2.1.5 Filed\n"
                         "S: 452 4.2.2 Full\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\n"
                         "RESULT 1 permanent 550 Unknown\n"
                         "RESULT 0 delivered 250 2.1.5 Filed\n"
                         "RESULT 2 temporary 452 4.2.2 Full\n"
                         "DONE\n"
                         "CLOSE quit 221 Bye\n");
}

static void
put_lines(struct buffer *text, const char *line, size_t count)
{
    while (count-- > 0)
        buffer_put_text(text, line);
}

static void
as_many_recipients_as_there_may_be_have_their_answers(void **state)
{
    static struct smtp_client_recipient all[SMTP_CLIENT_RECIPIENTS_MAX];
    struct client_play *play = *state;
    struct smtp_client_message message = message_of("Blah\r\n");
    struct buffer dialogue, journal;

    for (size_t i = 0; i < COUNT_OF(all); i++)
        all[i].address = jones.address;
    message.recipients = all;
    message.recipients_count = COUNT_OF(all);
    play->options.is_lmtp = true;
    client_play_set_message(play, &message);
    buffer_init(&dialogue, 65536);
    buffer_init(&journal, 65536);
    buffer_put_text(&dialogue, "S: 220 foo.com LMTP\nC: LHLO bar.com\nS: 250-foo.com\n"
                               "S: 250 PIPELINING\nC: MAIL FROM:<Smith@bar.com>\n");
    put_lines(&dialogue, "C: RCPT TO:<Jones@foo.com>\n", COUNT_OF(all));
    buffer_put_text(&dialogue, "C: DATA\nS: 250 OK\n");
    put_lines(&dialogue, "S: 250 OK\n", COUNT_OF(all));
    buffer_put_text(&dialogue, "S: 354 Go on\nC: Blah\nC: .\n");
    put_lines(&dialogue, "S: 250 OK\n", COUNT_OF(all));
    buffer_put_text(&dialogue, "C: QUIT\nS: 221 Bye\n");
    buffer_put_text(&journal, "READY\n");
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        buffer_put_text(&journal, "RESULT ");
        buffer_put_decimal(&journal, i);
        buffer_put_text(&journal, " delivered 250 OK\n");
    }
    buffer_put_text(&journal, "DONE\nCLOSE quit 221 Bye\n");
    buffer_put_byte(&dialogue, 0);
    buffer_put_byte(&journal, 0);
    client_play_dialogue(play, (const char *)buffer_slice(&dialogue).at,
                         (const char *)buffer_slice(&journal).at);
    /* And a refusal that is for all of them. */
    buffer_clear(&journal);
    buffer_put_text(&journal, "READY\n");
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        buffer_put_text(&journal, "RESULT ");
        buffer_put_decimal(&journal, i);
        buffer_put_text(&journal, " permanent 550 5.7.1 No\n");
    }
    buffer_put_text(&journal, "DONE\nCLOSE quit 221 Bye\n");
    buffer_put_byte(&journal, 0);
    client_play_dialogue(play,
                         "S: 220 foo.com LMTP\nC: LHLO bar.com\nS: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\nS: 550 5.7.1 No\nC: QUIT\nS: 221 Bye\n",
                         (const char *)buffer_slice(&journal).at);
    buffer_finish(&dialogue);
    buffer_finish(&journal);
}

/* ---- what goes wrong ----------------------------------------------------------------------- */

static void
a_lost_answer_to_the_end_is_unknown(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 250 OK\n"
                         "C: DATA\n"
                         "S: 354 Go on\n"
                         "C: Blah\n"
                         "C: .\n"
                         "E:\n",
                         "READY\n"
                         "RESULT 0 unknown 0 4.4.2 The connection was lost\n"
                         "DONE\n"
                         "CLOSE lost 0 4.4.2 The connection was lost\n");
}

static void
a_connection_lost_earlier_leaves_the_message_to_other_hosts(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 250 OK\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 250 OK\n"
                         "C: DATA\n"
                         "E:\n",
                         "READY\n"
                         "RESULT 0 temporary 0 4.4.2 The connection was lost session\n"
                         "DONE\n"
                         "CLOSE lost 0 4.4.2 The connection was lost\n");
}

static void
silence_ends_the_session(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(
        *state,
        "S: 220 foo.com\n"
        "C: EHLO bar.com\n"
        "S: 250 foo.com\n"
        "C: MAIL FROM:<Smith@bar.com>\n"
        "W:\n",
        "READY\n"
        "RESULT 0 temporary 0 4.4.2 The host has been silent for too long session\n"
        "DONE\n"
        "CLOSE silence 0 4.4.2 The host has been silent for too long\n");
}

static void
a_host_may_say_421_at_any_time(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(*state, "S: 554 No service here\n", "CLOSE refused 554 No service here\n");
    client_play_dialogue(*state,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: MAIL FROM:<Smith@bar.com>\n"
                         "S: 421 4.3.2 Going down\n",
                         "READY\n"
                         "RESULT 0 temporary 421 4.3.2 Going down session\n"
                         "DONE\n"
                         "CLOSE refused 421 4.3.2 Going down\n");
}

static void
what_is_no_reply_ends_the_session(void **state)
{
    struct client_play *play = *state;
    char dialogue[SMTP_CLIENT_LINE_MAX + 16];

    play->stays = true;
    client_play_dialogue(play, "S: HTTP/1.1 400 Bad Request\n",
                         "CLOSE protocol 0 4.4.2 What the host said is no SMTP reply\n");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "S: 250 again\n",
                         "READY\n"
                         "CLOSE protocol 0 4.4.2 The host spoke without being asked\n");
    memset(dialogue, 'x', sizeof(dialogue));
    memcpy(dialogue, "S: 220 ", 7);
    dialogue[sizeof(dialogue) - 1] = 0;
    client_play_dialogue(play, dialogue,
                         "CLOSE protocol 0 4.4.2 A line of the host's reply is too long\n");
}

static void
a_reply_has_a_bounded_number_of_lines(void **state)
{
    struct buffer dialogue;

    buffer_init(&dialogue, 65536);
    for (unsigned i = 0; i < SMTP_CLIENT_LINES_MAX - 1; i++)
        buffer_put_text(&dialogue, "S: 220-foo.com\n");
    buffer_put_text(&dialogue, "S: 220 foo.com\nC: EHLO bar.com\nE:\n");
    buffer_put_byte(&dialogue, 0);
    client_play_dialogue(*state, (const char *)buffer_slice(&dialogue).at,
                         "CLOSE lost 0 4.4.2 The connection was lost\n");
    buffer_clear(&dialogue);
    for (unsigned i = 0; i < SMTP_CLIENT_LINES_MAX + 1; i++)
        buffer_put_text(&dialogue, "S: 220-foo.com\n");
    buffer_put_byte(&dialogue, 0);
    client_play_dialogue(*state, (const char *)buffer_slice(&dialogue).at,
                         "CLOSE protocol 0 4.4.2 What the host said is no SMTP reply\n");
    buffer_finish(&dialogue);
}

static void
an_early_yes_is_not_believed(void **state)
{
    struct smtp_client_message message = message_of("Blah\r\n");

    client_play_set_message(*state, &message);
    client_play_dialogue(
        *state,
        "S: 220 foo.com\n"
        "C: EHLO bar.com\n"
        "S: 250 foo.com\n"
        "C: MAIL FROM:<Smith@bar.com>\n"
        "S: 250 OK\n"
        "C: RCPT TO:<Jones@foo.com>\n"
        "S: 250 OK\n"
        "C: DATA\n"
        "S: 354 Go on\n"
        "S: 250 OK\n",
        "READY\n"
        "RESULT 0 temporary 0 4.4.2 The host has answered before it had the message "
        "session\n"
        "DONE\n"
        "CLOSE protocol 0 4.4.2 The host has answered before it had the message\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_play_setup, client_play_teardown)
        TEST(a_host_without_extensions_is_served_step_by_step),
        TEST(what_a_host_says_commands_no_terminal),
        TEST(pipelined_recipients_have_results_of_their_own),
        TEST(dots_are_stuffed_and_line_ends_mended),
        TEST(chunks_need_one_round_trip),
        TEST(a_transaction_without_recipients_is_taken_back),
        TEST(too_many_recipients_are_told_apart_from_a_full_mailbox),
        TEST(lmtp_has_an_answer_for_each_accepted_recipient),
        TEST(as_many_recipients_as_there_may_be_have_their_answers),
        TEST(a_lost_answer_to_the_end_is_unknown),
        TEST(a_connection_lost_earlier_leaves_the_message_to_other_hosts),
        TEST(silence_ends_the_session),
        TEST(a_host_may_say_421_at_any_time),
        TEST(what_is_no_reply_ends_the_session),
        TEST(a_reply_has_a_bounded_number_of_lines),
        TEST(an_early_yes_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
