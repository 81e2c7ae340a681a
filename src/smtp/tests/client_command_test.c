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
        .parameters = {.ret = ENVELOPE_RET_HDRS, .envid = SLICE("QQ 314"), .priority = -3},
        .recipients = &jones,
        .recipients_count = 1,
        .content = content,
    };
}

static void
set_message(struct client_play *play, const struct smtp_client_message *message)
{
    play->messages[0] = message;
    play->message_count = 1;
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

    set_message(*state, &message);
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

    set_message(play, &message);
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
    set_message(play, &message);
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

/* RFC 6531 §3.2 */
static void
international_addresses_are_not_downgraded(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_message message = message_of(SLICE("Subject: x\r\n\r\ny\r\n"));
    static const struct smtp_client_recipient zoe = {.address = SLICE("zo\xC3\xA9@foo.com")};

    message.parameters = (struct envelope_mail_parameters){.is_utf8 = true};
    message.recipients = &zoe;
    set_message(play, &message);
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

    set_message(play, &message);
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
    set_message(play, &message);
    client_play_dialogue(play,
                         OPENING "S: 250 REQUIRETLS\n"
                                 "C: QUIT\n"
                                 "S: 221 Bye\n",
                         "READY\nRESULT 0 permanent 0 5.7.30 The host cannot promise TLS on the "
                         "rest of the way (REQUIRETLS) session\nDONE\nCLOSE quit 221 Bye\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_play_setup, client_play_teardown)
        TEST(parameters_travel_where_the_host_knows_them),
        TEST(eight_bit_content_is_converted_or_returned),
        TEST(binary_content_travels_in_a_chunk),
        TEST(international_addresses_are_not_downgraded),
        TEST(what_is_too_large_is_not_tried),
        TEST(requiretls_is_honoured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
