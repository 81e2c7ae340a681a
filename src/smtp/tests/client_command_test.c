/* SPDX-License-Identifier: ISC */
/* What MAIL and RCPT carry, as the host can take it; and what is not sent at all. */
#include "smtp/tests/client_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct smtp_client_recipient jones = {
    .address = SLICE("Jones@foo.com"),
    .parameters = {.notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY,
                   .orcpt_type = SLICE("rfc822"),
                   .orcpt = SLICE("Jones+a@foo.com")},
};

static struct smtp_client_message
message_of(struct slice content)
{
    return (struct smtp_client_message){
        .reverse_path = SLICE(""),
        .parameters = {.ret = ENVELOPE_RET_HDRS,
                       .envid = SLICE("QQ 314"),
                       .has_priority = true,
                       .priority = -3},
        .recipients = &jones,
        .recipients_count = 1,
        .content = content,
    };
}

#define OPENING                                                                                    \
    "S: 220 foo.com\n"                                                                             \
    "C: EHLO bar.com\n"                                                                            \
    "S: 250-foo.com\n"

/* RFC 3461 §4, RFC 1870, RFC 6152, RFC 6710 */
static void
parameters_travel_where_the_host_knows_them(void **state)
{
    struct smtp_client_message message = message_of(SLICE("Subject: x\r\n\r\n\xC3\xA9\r\n"));

    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         OPENING "S: 250-DSN\n"
                                 "S: 250-SIZE\n"
                                 "S: 250-MT-PRIORITY MIXER\n"
                                 "S: 250 8BITMIME\n"
                                 "C: MAIL FROM:<> SIZE=18 BODY=8BITMIME RET=HDRS "
                                 "ENVID=QQ+20314 MT-PRIORITY=-3\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<Jones@foo.com> NOTIFY=SUCCESS,DELAY "
                                 "ORCPT=rfc822;Jones+2Ba@foo.com\n"
                                 "S: 550 5.1.1 Unknown\n"
                                 "C: RSET\n"
                                 "S: 250 OK\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 550 5.1.1 Unknown\nDONE\n"
                         "CLOSE quit 221 Bye\n");
}

/* RFC 6152 §3 */
static void
eight_bit_content_is_converted_or_returned(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of(SLICE("Subject: x\r\n\r\n\xC3\xA9\r\n"));

    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250 HELP\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nCONVERT 7bit\n"
                         "RESULT 0 permanent 0 5.6.3 The host takes no 8-bit content, and this "
                         "one cannot be converted\nDONE\nCLOSE quit 221 Bye\n");
    /* What was made of it is no better. */
    play->converted = "Subject: x\r\n\r\n\xC3\xA9\r\n";
    client_play_dialogue(play,
                         OPENING "S: 250 HELP\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nCONVERT 7bit\n"
                         "RESULT 0 permanent 0 5.6.3 The host takes no 8-bit content, and this "
                         "one cannot be converted\nDONE\nCLOSE quit 221 Bye\n");
    play->converted = "Subject: x\r\n\r\n=C3=A9\r\n";
    client_play_dialogue(play,
                         OPENING "S: 250 HELP\n"
                                 "C: MAIL FROM:<>\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<Jones@foo.com>\n"
                                 "S: 250 OK\n"
                                 "C: DATA\n"
                                 "S: 354 Go on\n"
                                 "C: Subject: x\n"
                                 "C: \n"
                                 "C: =C3=A9\n"
                                 "C: .\n"
                                 "S: 250 OK\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nCONVERT 7bit\nRESULT 0 delivered 250 OK\nDONE\n"
                         "CLOSE quit 221 Bye\n");
}

/* RFC 3030 §3: as it is, without so much as a line end more. */
static void
binary_content_travels_in_a_chunk(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of(SLICE("a\n\r\nb"));

    message.is_binary = true;
    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250-BINARYMIME\n"
                                 "S: 250 CHUNKING\n"
                                 "C: MAIL FROM:<> BODY=BINARYMIME\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<Jones@foo.com>\n"
                                 "S: 250 OK\n"
                                 "C: BDAT 5 LAST\n"
                                 "E:\n",
                         "READY\nRESULT 0 temporary 0 4.4.2 The connection was lost session\n"
                         "DONE\nCLOSE lost 0 4.4.2 The connection was lost\n");
}

/* Some hosts throw NUL away, and would see the end of the message here. */
static void
a_nul_does_not_travel_as_text(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message =
        message_of(SLICE("Subject: x\r\n\r\n\0.\r\nMAIL FROM:<>\r\n"));

    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250-8BITMIME\n"
                                 "S: 250 CHUNKING\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nCONVERT text\n"
                         "RESULT 0 permanent 0 5.6.3 The host takes no NUL, and "
                         "this content cannot be converted\nDONE\n"
                         "CLOSE quit 221 Bye\n");
    client_play_dialogue(play,
                         OPENING "S: 250-BINARYMIME\n"
                                 "S: 250 CHUNKING\n"
                                 "C: MAIL FROM:<> BODY=BINARYMIME\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<Jones@foo.com>\n"
                                 "S: 250 OK\n"
                                 "C: BDAT 32 LAST\n"
                                 "E:\n",
                         "READY\nRESULT 0 temporary 0 4.4.2 The connection was lost session\n"
                         "DONE\nCLOSE lost 0 4.4.2 The connection was lost\n");
}

/* RFC 6531 §3.2 */
static void
international_addresses_are_not_downgraded(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of(SLICE("Subject: x\r\n\r\ny\r\n"));
    static const struct smtp_client_recipient zoe = {.address = SLICE("zo\xC3\xA9@foo.com")};

    message.parameters = (struct envelope_mail_parameters){.is_utf8 = true};
    message.recipients = &zoe;
    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250 8BITMIME\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 0 5.6.7 The host does not take "
                         "internationalised addresses (SMTPUTF8) session\nDONE\n"
                         "CLOSE quit 221 Bye\n");
    client_play_dialogue(play,
                         OPENING "S: 250 SMTPUTF8\n"
                                 "C: MAIL FROM:<> SMTPUTF8\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<zo\xC3\xA9@foo.com>\n"
                                 "S: 421 Bye\n",
                         "READY\nRESULT 0 temporary 421 Bye session\nDONE\n"
                         "CLOSE refused 421 Bye\n");
}

static void
what_is_too_large_is_not_tried(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of(SLICE("1234567890"));

    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250 SIZE 11\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 0 5.3.4 The message is larger than the host "
                         "takes\nDONE\nCLOSE quit 221 Bye\n");
    client_play_dialogue(play,
                         OPENING "S: 250 SIZE 12\n"
                                 "C: MAIL FROM:<> SIZE=12\n"
                                 "S: 421 Bye\n",
                         "READY\nRESULT 0 temporary 421 Bye session\nDONE\nCLOSE refused 421 "
                         "Bye\n");
}

/* RFC 8689 §4.2.1 */
static void
requiretls_is_honoured(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of(SLICE("x\r\n"));

    message.parameters = (struct envelope_mail_parameters){.requires_tls = true};
    client_play_set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250 REQUIRETLS\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 0 5.7.30 The host cannot promise TLS on the "
                         "rest of the way (REQUIRETLS) session\nDONE\nCLOSE quit 221 Bye\n");
}

/* RFC 2852 §4.1.4 */
static void
a_time_is_passed_on_to_who_promises_it(void **state)
{
    struct smtp_client_message message = message_of(SLICE("x\r\n"));

    message.parameters = (struct envelope_mail_parameters){.has_deliver_by = true,
                                                           .deliver_by_s = 120,
                                                           .deliver_by_returns = true,
                                                           .deliver_by_traces = true,
                                                           .has_priority = true};
    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         OPENING "S: 250-MT-PRIORITY\n"
                                 "S: 250 DELIVERBY 120\n"
                                 "C: MAIL FROM:<> MT-PRIORITY=0 BY=120;RT\n"
                                 "S: 501 5.5.4 No\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 501 5.5.4 No\nDONE\nCLOSE quit 221 Bye\n");
}

/* Neither the first line of the answer to EHLO nor any of another answer tells of an extension. */
static void
extensions_are_told_behind_ehlo_alone(void **state)
{
    struct smtp_client_message message = message_of(SLICE("x\r\n"));

    message.parameters = (struct envelope_mail_parameters){.ret = ENVELOPE_RET_NONE};
    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         "S: 220-foo.com\n"
                         "S: 220 DSN\n"
                         "C: EHLO bar.com\n"
                         "S: 250-DSN\n"
                         "S: 250 SIZE 2x\n"
                         "C: MAIL FROM:<> SIZE=3\n"
                         "S: 250-OK\n"
                         "S: 250 DSN\n"
                         "C: RCPT TO:<Jones@foo.com>\n"
                         "S: 550 5.1.1 No\n"
                         "C: RSET\n"
                         "S: 250 OK\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 550 5.1.1 No\nDONE\nCLOSE quit 221 Bye\n");
}

/* RFC 3461 §5.2.2, RFC 2852 §4.1.4: who has passed on what was asked for is not asked again. */
static void
what_was_passed_on_is_told_of_what_was_delivered(void **state)
{
    static const struct {
        const char *keywords, *parameters, *passed;
    } rows[] = {
        {"S: 250-DSN\nS: 250 DELIVERBY\n", " BY=120;N", " dsn-passed by-passed"},
        {"S: 250 DSN\n", "", " dsn-passed"},
        {"S: 250 DELIVERBY\n", " BY=120;N", " by-passed"},
        {"S: 250 HELP\n", "", ""},
    };
    static const struct smtp_client_recipient two[] = {{.address = SLICE("a@foo.com")},
                                                       {.address = SLICE("b@foo.com")}};
    struct smtp_client_message message = message_of(SLICE("x\r\n"));
    char dialogue[600], events[400];

    message.parameters =
        (struct envelope_mail_parameters){.has_deliver_by = true, .deliver_by_s = 120};
    message.recipients = two;
    message.recipients_count = 2;
    client_play_set_message(*state, &message);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool has_dsn = strstr(rows[i].keywords, "DSN");
        bool has_by = strstr(rows[i].keywords, "BY");
        const char *notify = has_dsn && !has_by ? " NOTIFY=FAILURE,DELAY" : "";
        snprintf(dialogue, sizeof(dialogue),
                 OPENING "%sC: MAIL FROM:<>%s\nS: 250 OK\nC: RCPT TO:<a@foo.com>%s\n"
                         "S: 550 5.1.1 No\nC: RCPT TO:<b@foo.com>%s\nS: 250 OK\nC: DATA\n"
                         "S: 354 Go on\nC: x\nC: .\nS: 250 OK\nC: QUIT\nS: 221 Bye\n",
                 rows[i].keywords, rows[i].parameters, notify, notify);
        snprintf(events, sizeof(events),
                 "READY\nRESULT 0 permanent 550 5.1.1 No\nRESULT 1 delivered 250 OK%s\nDONE\n"
                 "CLOSE quit 221 Bye\n",
                 rows[i].passed);
        client_play_dialogue(*state, dialogue, events);
    }
}

/* Our own parser lets none in, and here none leaves. */
static void
no_address_ends_the_command(void **state)
{
    static const struct smtp_client_recipient odd = {
        .address = SLICE("\"a b\"\r\nDATA\x1F\x7F@foo.com"),
        .parameters = {.orcpt_type = SLICE("rfc822"), .orcpt = SLICE("")}};
    struct smtp_client_message message = message_of(SLICE("x\r\n"));

    message.parameters = (struct envelope_mail_parameters){.ret = ENVELOPE_RET_NONE};
    message.reverse_path = SLICE("c\n\"\t d\"@foo.com");
    message.recipients = &odd;
    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         OPENING "S: 250 DSN\n"
                                 "C: MAIL FROM:<c?\"? d\"@foo.com>\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<\"a b\"??DATA??@foo.com>\n"
                                 "S: 550 5.1.1 No\n"
                                 "C: RSET\n"
                                 "S: 250 OK\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 550 5.1.1 No\nDONE\nCLOSE quit 221 Bye\n");
}

/* RFC 2852 §4.1.4.1: by-mode R goes to nobody else. */
static void
what_must_arrive_in_time_goes_to_nobody_who_does_not_promise_it(void **state)
{
    static const struct {
        const char *keyword, *words;
        int32_t seconds;
    } rows[] = {
        {"HELP", "5.3.3 The host does not promise delivery in that time (DELIVERBY)", 120},
        {"DELIVERBY 121", "5.3.3 The host does not promise delivery in that time (DELIVERBY)", 120},
        {"DELIVERBY", "5.4.7 The time in which it was to be delivered is over", 0},
    };
    struct smtp_client_message message = message_of(SLICE("x\r\n"));

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char dialogue[400], events[400];
        message.parameters = (struct envelope_mail_parameters){
            .has_deliver_by = true, .deliver_by_s = rows[i].seconds, .deliver_by_returns = true};
        if (i > 0) {
            client_play_teardown(state);
            client_play_setup(state);
        }
        client_play_set_message(*state, &message);
        snprintf(dialogue, sizeof(dialogue), OPENING "S: 250 %s\nC: QUIT\nS: 221 Bye\n",
                 rows[i].keyword);
        snprintf(events, sizeof(events),
                 "READY\nRESULT 0 permanent 0 %s\nDONE\nCLOSE quit 221 Bye\n", rows[i].words);
        client_play_dialogue(*state, dialogue, events);
    }
}

/* RFC 2852 §4.1.4.2: by-mode N goes to all, and those without the extension tell of delay. */
static void
what_should_arrive_in_time_asks_for_notices_of_delay(void **state)
{
    struct smtp_client_message message = message_of(SLICE("x\r\n"));
    struct smtp_client_recipient three[] = {
        {.address = SLICE("a@foo.com")},
        {.address = SLICE("b@foo.com"), .parameters = {.notify = ENVELOPE_NOTIFY_SUCCESS}},
        {.address = SLICE("c@foo.com"), .parameters = {.notify = ENVELOPE_NOTIFY_NEVER}},
    };

    /* What is late already was told of. */
    for (int32_t late = 0; late >= -5; late -= 5) {
        message.parameters =
            (struct envelope_mail_parameters){.has_deliver_by = true, .deliver_by_s = late};
        message.recipients = three;
        message.recipients_count = 1;
        client_play_set_message(*state, &message);
        client_play_dialogue(*state,
                             OPENING "S: 250 DSN\n"
                                     "C: MAIL FROM:<>\n"
                                     "S: 250 OK\n"
                                     "C: RCPT TO:<a@foo.com>\n"
                                     "S: 550 5.1.1 No\n"
                                     "C: RSET\n"
                                     "S: 250 OK\n"
                                     "C: QUIT\n"
                                     "S: 221 Bye\n",
                             "READY\nRESULT 0 permanent 550 5.1.1 No\nDONE\nCLOSE quit 221 Bye\n");
    }
    message.parameters =
        (struct envelope_mail_parameters){.has_deliver_by = true, .deliver_by_s = 5};
    message.recipients = three;
    message.recipients_count = COUNT_OF(three);
    client_play_set_message(*state, &message);
    client_play_dialogue(*state,
                         OPENING "S: 250 DSN\n"
                                 "C: MAIL FROM:<>\n"
                                 "S: 250 OK\n"
                                 "C: RCPT TO:<a@foo.com> NOTIFY=FAILURE,DELAY\n"
                                 "S: 550 5.1.1 No\n"
                                 "C: RCPT TO:<b@foo.com> NOTIFY=SUCCESS,DELAY\n"
                                 "S: 550 5.1.1 No\n"
                                 "C: RCPT TO:<c@foo.com> NOTIFY=NEVER\n"
                                 "S: 550 5.1.1 No\n"
                                 "C: RSET\n"
                                 "S: 250 OK\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 550 5.1.1 No\nRESULT 1 permanent 550 5.1.1 No\n"
                         "RESULT 2 permanent 550 5.1.1 No\nDONE\nCLOSE quit 221 Bye\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_play_setup, client_play_teardown)
        TEST(parameters_travel_where_the_host_knows_them),
        TEST(eight_bit_content_is_converted_or_returned),
        TEST(binary_content_travels_in_a_chunk),
        TEST(a_nul_does_not_travel_as_text),
        TEST(international_addresses_are_not_downgraded),
        TEST(what_is_too_large_is_not_tried),
        TEST(requiretls_is_honoured),
        TEST(a_time_is_passed_on_to_who_promises_it),
        TEST(extensions_are_told_behind_ehlo_alone),
        TEST(what_was_passed_on_is_told_of_what_was_delivered),
        TEST(no_address_ends_the_command),
        TEST(what_must_arrive_in_time_goes_to_nobody_who_does_not_promise_it),
        TEST(what_should_arrive_in_time_asks_for_notices_of_delay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
