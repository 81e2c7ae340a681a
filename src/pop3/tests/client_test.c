/* SPDX-License-Identifier: ISC */
/* The client engine: against written servers, fed whole, octet by octet and split at every
 * position; and against our own server engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/tests/client_scene.h"
#include "pop3/tests/lobby.h"

#include <stdio.h>

#define HELLO "+OK ready\r\n-ERR what?\r\n+OK\r\n+OK\r\n" /* banner, CAPA, USER, PASS */
#define LOGIN "CAPA\r\nUSER mrose\r\nPASS secret\r\n"

/* ---- logins -------------------------------------------------------------------------------- */

/* Case C5. */
static void
the_five_states_follow_each_other(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, &defaults, "");
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_OPENING);
    work(&scene);
    feed(&scene, SLICE("+OK ready\r\n"));
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_AUTHENTICATION);
    feed(&scene, SLICE("-ERR\r\n+OK\r\n+OK\r\n"));
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_TRANSACTION);
    assert_true(pop3_client_ask(scene.client, POP3_CLIENT_QUIT, 0, 0, scene.now));
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_UPDATE);
    assert_false(pop3_client_ask(scene.client, POP3_CLIENT_NOOP, 0, 0, scene.now));
    feed(&scene, SLICE("+OK bye\r\n"));
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_WAITING);
    expect_text(&scene.trace, "-- opening\nS: +OK ready\n-- authentication\nC: CAPA\nS: -ERR\n"
                              "C: USER mrose\nS: +OK\nC: PASS ****\nS: +OK\n-- transaction\n"
                              "C: QUIT\n-- update\nS: +OK bye\n-- waiting\n");
    /* And again, with the same engine. */
    buffer_clear(&scene.sent);
    pop3_client_begin(scene.client, scene.now);
    pop3_client_connected(scene.client, scene.now);
    feed(&scene, SLICE(HELLO));
    expect_text(&scene.sent, LOGIN);
    scene_close(&scene);
}

static void
a_server_without_capabilities_gets_user_and_pass(void **state)
{
    (void)state;
    expect(&defaults, "q", HELLO "+OK bye\r\n", LOGIN "QUIT\r\n", "logged in\nclose 0 [] bye\n");
}

static void
apop_is_used_in_the_clear(void **state)
{
    struct pop3_client_options options = defaults;

    (void)state;
    /* The example of RFC 1939 §7. */
    options.password = SLICE("tanstaaf");
    options.allows_clear_password = false;
    expect(&options, "",
           "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n-ERR\r\n+OK\r\n",
           "CAPA\r\nAPOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n", "logged in\n");
}

static void
the_password_passes_under_tls_where_apop_would_do(void **state)
{
    struct pop3_client_options options = defaults;

    (void)state;
    options.tls = POP3_CLIENT_TLS_OFFERED;
    expect(&options, "",
           "+OK <a@b>\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n+OK\r\nUSER\r\n.\r\n+OK\r\n+OK\r\n",
           "CAPA\r\nSTLS\r\nCAPA\r\nUSER mrose\r\nPASS secret\r\n", "starttls\nlogged in\n");
    expect(&defaults, "", "+OK <a@b>\r\n-ERR\r\n+OK\r\n",
           "CAPA\r\nAPOP mrose 5875219ef9d1e1ff4d24471ba0f0869c\r\n", "logged in\n");
}

/* RFC 2449 §6.3: USER says that USER and PASS may be said. */
static void
what_is_not_among_the_capabilities_is_not_tried(void **state)
{
    (void)state;
    expect(&defaults, "", "+OK\r\n+OK\r\nTOP\r\n.\r\n", "CAPA\r\nQUIT\r\n",
           "close 4 [] there is no way to log in\n");
}

static void
timestamps_that_are_no_message_ids_are_none(void **state)
{
    static const char *const banners[] = {"<a@b c>",  "<ab>", "<@b>",   "<a@>", "<a@b@c>",
                                          "<a@\x80>", "<a@b", "<a<@b>", "a@b>"};
    struct pop3_client_options options = defaults;

    (void)state;
    options.allows_clear_password = false;
    for (size_t i = 0; i < COUNT_OF(banners); i++) {
        char server[100];
        snprintf(server, sizeof(server), "+OK %s\r\n-ERR\r\n", banners[i]);
        expect(&options, "", server, "CAPA\r\nQUIT\r\n", "close 3 [] there is no way to log in\n");
    }
}

static void
tls_is_begun_when_it_is_offered(void **state)
{
    struct pop3_client_options options = defaults;

    (void)state;
    options.tls = POP3_CLIENT_TLS_REQUIRED;
    options.allows_clear_password = false;
    struct scene scene;
    scene_open(&scene, &options, "");
    work(&scene);
    feed(&scene, SLICE("+OK\r\n+OK\r\nSTLS\r\nUSER\r\n.\r\n+OK begin\r\n"));
    feed(&scene, SLICE("+OK\r\nUSER\r\nPIPELINING\r\n.\r\n+OK\r\n+OK\r\n"));
    expect_text(&scene.sent, "CAPA\r\nSTLS\r\nCAPA\r\nUSER mrose\r\nPASS secret\r\n");
    expect_text(&scene.told, "starttls\nlogged in\n");
    assert_true(pop3_client_facts(scene.client).has_pipelining);
    assert_false(pop3_client_facts(scene.client).has_stls);
    scene_close(&scene);
}

static void
what_stands_before_tls_ends_the_session(void **state)
{
    struct pop3_client_options options = defaults;
    struct pop3_client_event event;
    struct instant now = {1};

    (void)state;
    options.tls = POP3_CLIENT_TLS_OFFERED;
    struct pop3_client *client = pop3_client_open(&options);
    pop3_client_begin(client, now);
    pop3_client_connected(client, now);
    struct slice input = SLICE("+OK\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n");
    for (size_t taken; input.len > 0; input = slice_skip(input, taken)) {
        taken = pop3_client_feed(client, input, now);
        assert_true(taken > 0);
    }
    assert_true(pop3_client_next(client, &event));
    assert_int_equal(event.kind, POP3_CLIENT_EVENT_STARTTLS);
    assert_int_equal(pop3_client_feed(client, SLICE("+OK injected\r\n"), now), 14);
    assert_true(pop3_client_next(client, &event));
    assert_int_equal(event.close, POP3_CLIENT_CLOSE_PROTOCOL);
    pop3_client_close(&client);
}

static void
without_tls_that_is_required_nothing_is_told(void **state)
{
    struct pop3_client_options options = defaults;

    (void)state;
    options.tls = POP3_CLIENT_TLS_REQUIRED;
    expect(&options, "", "+OK\r\n+OK\r\nUSER\r\n.\r\n", "CAPA\r\nQUIT\r\n",
           "close 3 [] the server does not offer TLS\n");
    expect(&options, "", "+OK\r\n-ERR\r\n", "CAPA\r\nQUIT\r\n",
           "close 3 [] the server does not offer TLS\n");
    options.tls = POP3_CLIENT_TLS_OFFERED;
    options.allows_clear_password = false;
    expect(&options, "", "+OK\r\n+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n", "CAPA\r\nQUIT\r\n",
           "close 3 [] there is no way to log in\n");
    expect(&options, "", "+OK\r\n+OK\r\nSTLS\r\n.\r\n-ERR no\r\n", "CAPA\r\nSTLS\r\nQUIT\r\n",
           "close 2 [] no\n");
}

static void
the_best_mechanism_of_both_is_spoken(void **state)
{
    struct pop3_client_options options = defaults;

    (void)state;
    options.mechanisms[0] = SLICE("SCRAM-SHA-256-PLUS");
    options.mechanisms[1] = SLICE("SCRAM-SHA-256");
    options.mechanisms[2] = SLICE("PLAIN");
    options.mechanisms_count = 3;
    expect(&options, "",
           "+OK\r\n+OK\r\nSASL login plain scram-sha-256 SCRAM-SHA-256-PLUS\r\n.\r\n"
           "+ cj1ub25jZQ==\r\n+ dj1zaWduYXR1cmU=\r\n+OK\r\n",
           "CAPA\r\nAUTH SCRAM-SHA-256 biwsbj1tcm9zZSxyPWI=\r\nYz1iaXdzLHA9cHJvb2Y=\r\n\r\n",
           "auth SCRAM-SHA-256\nchallenge r=nonce\nchallenge v=signature\nlogged in\n");
    expect(&options, "", "+OK\r\n+OK\r\nSASL PLAIN\r\n.\r\n-ERR [AUTH] wrong\r\n",
           "CAPA\r\nAUTH PLAIN AG1yb3NlAHNlY3JldA==\r\nQUIT\r\n",
           "auth PLAIN\nclose 2 [AUTH] wrong\n");
    options.mechanisms[0] = SLICE("EXTERNAL");
    expect(&options, "", "+OK\r\n+OK\r\nSASL EXTERNAL\r\n.\r\n+OK\r\n",
           "CAPA\r\nAUTH EXTERNAL =\r\n", "auth EXTERNAL\nlogged in\n");
}

static void
as_many_mechanisms_as_there_is_room_for_are_spoken(void **state)
{
    static const char *const names[POP3_CLIENT_MECHANISMS_MAX] = {"M1", "M2", "M3", "M4",
                                                                  "M5", "M6", "M7", "EXTERNAL"};
    struct pop3_client_options options = defaults;

    (void)state;
    for (size_t i = 0; i < POP3_CLIENT_MECHANISMS_MAX; i++)
        options.mechanisms[i] = slice_of_string(names[i]);
    options.mechanisms_count = POP3_CLIENT_MECHANISMS_MAX;
    expect(&options, "", "+OK\r\n+OK\r\nSASL M10 EXTERNAL\r\n.\r\n+OK\r\n",
           "CAPA\r\nAUTH EXTERNAL =\r\n", "auth EXTERNAL\nlogged in\n");
    expect(&options, "", "+OK\r\n+OK\r\nSASL M10\r\n.\r\n", "CAPA\r\nQUIT\r\n",
           "close 4 [] there is no way to log in\n");
}

static void
a_long_initial_response_waits_for_its_challenge(void **state)
{
    struct pop3_client_options options = defaults;
    struct pop3_client_event event;
    struct instant now = {1};
    uint8_t response[POP3_CLIENT_RESPONSE_MAX];

    (void)state;
    memset(response, 'r', sizeof(response));
    options.mechanisms[0] = SLICE("PLAIN");
    options.mechanisms_count = 1;
    struct pop3_client *client = pop3_client_open(&options);
    pop3_client_begin(client, now);
    pop3_client_connected(client, now);
    struct slice input = SLICE("+OK\r\n+OK\r\nSASL PLAIN\r\n.\r\n");
    for (size_t taken; input.len > 0; input = slice_skip(input, taken))
        taken = pop3_client_feed(client, input, now);
    assert_true(pop3_client_next(client, &event));
    assert_int_equal(pop3_client_feed(client, SLICE("+OK\r\n"), now), 0);
    pop3_client_sent(client, pop3_client_output(client).len);
    pop3_client_respond(client, slice_of(response, sizeof(response)), now);
    assert_true(slice_equal(pop3_client_output(client), SLICE("AUTH PLAIN\r\n")));
    pop3_client_sent(client, pop3_client_output(client).len);
    assert_int_equal(pop3_client_feed(client, SLICE("+\r\n"), now), 3);
    assert_int_equal(pop3_client_output(client).len, (sizeof(response) + 2) / 3 * 4 + 2);
    assert_false(pop3_client_next(client, &event));
    pop3_client_close(&client);
}

static void
an_initial_response_fills_a_command_to_its_last_octet(void **state)
{
    struct pop3_client_options options = defaults;
    struct pop3_client_event event;
    struct instant now = {1};
    uint8_t response[183];

    (void)state;
    memset(response, 'r', sizeof(response));
    options.mechanisms[0] = SLICE("XOAUTH2");
    options.mechanisms_count = 1;
    for (size_t over = 0; over < 2; over++) {
        struct pop3_client *client = pop3_client_open(&options);
        pop3_client_begin(client, now);
        pop3_client_connected(client, now);
        struct slice input = SLICE("+OK\r\n+OK\r\nSASL XOAUTH2\r\n.\r\n");
        for (size_t taken; input.len > 0; input = slice_skip(input, taken))
            taken = pop3_client_feed(client, input, now);
        assert_true(pop3_client_next(client, &event));
        pop3_client_sent(client, pop3_client_output(client).len);
        pop3_client_respond(client, slice_of(response, over ? 181 : 180), now);
        assert_int_equal(pop3_client_output(client).len, over ? 14 : 255);
        pop3_client_close(&client);
    }
}

/* A challenge can hold what is secret. */
static void
challenges_do_not_stand_in_the_trace(void **state)
{
    struct pop3_client_options options = defaults;
    struct scene scene;

    (void)state;
    options.mechanisms[0] = SLICE("SCRAM-SHA-256");
    options.mechanisms_count = 1;
    play(&scene, &options, "",
         SLICE("+OK + hello\r\n+OK\r\nSASL SCRAM-SHA-256\r\n.\r\n+ cj1ub25jZQ==\r\n+OK\r\n"),
         false);
    struct slice trace = buffer_slice(&scene.trace);
    assert_int_equal(slice_find(trace, SLICE("cj1ub25jZQ==")), trace.len);
    assert_true(slice_find(trace, SLICE("S: + ****")) < trace.len);
    assert_true(slice_find(trace, SLICE("S: +OK + hello")) < trace.len);
    scene_close(&scene);
}

static void
an_exchange_is_given_up_with_a_star(void **state)
{
    struct pop3_client_options options = defaults;
    struct scene scene;

    (void)state;
    options.mechanisms[0] = SLICE("SCRAM-SHA-256");
    options.mechanisms_count = 1;
    play(&scene, &options, "", SLICE("+OK\r\n+OK\r\nSASL SCRAM-SHA-256\r\n.\r\n+ \r\n-ERR\r\n"),
         true);
    expect_text(&scene.sent, "CAPA\r\nAUTH SCRAM-SHA-256 biwsbj1tcm9zZSxyPWI=\r\n*\r\nQUIT\r\n");
    expect_text(&scene.told, "auth SCRAM-SHA-256\nchallenge \nclose 4 [] the login was given up\n");
    scene_close(&scene);
    play(&scene, &options, "", SLICE("+OK\r\n+OK\r\nSASL SCRAM-SHA-256\r\n.\r\n+ \r\n+OK\r\n"),
         true);
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_WAITING);
    scene_close(&scene);
}

static void
refusals_come_with_their_codes(void **state)
{
    (void)state;
    expect(&defaults, "", "-ERR [SYS/TEMP] go away\r\n", "", "close 2 [SYS/TEMP] go away\n");
    expect(&defaults, "", "+OK\r\n-ERR\r\n+OK\r\n-ERR [IN-USE] busy\r\n", LOGIN "QUIT\r\n",
           "close 2 [IN-USE] busy\n");
    expect(&defaults, "", "+OK\r\n-ERR\r\n-ERR nobody\r\n", "CAPA\r\nUSER mrose\r\nQUIT\r\n",
           "close 2 [] nobody\n");
    /* What only looks like one. */
    expect(&defaults, "", "-ERR [SYS/TEMP go away\r\n", "", "close 2 [] [SYS/TEMP go away\n");
    expect(&defaults, "", "-ERR go] away\r\n", "", "close 2 [] go] away\n");
}

static void
secrets_that_cannot_be_sent_are_refused(void **state)
{
    static const struct slice bad[] = {{(const uint8_t *)"", 0},
                                       {(const uint8_t *)"a\rb", 3},
                                       {(const uint8_t *)"a\nDELE 1", 8},
                                       {(const uint8_t *)"a\0b", 3}};
    uint8_t text[POP3_CLIENT_SECRET_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct pop3_client_options options = defaults;
        options.password = bad[i];
        assert_null(pop3_client_open(&options));
        options = defaults;
        options.name = bad[i];
        assert_null(pop3_client_open(&options));
    }
    struct pop3_client_options options = defaults;
    options.password = slice_of(text, POP3_CLIENT_SECRET_MAX + 1);
    assert_null(pop3_client_open(&options));
    options.password = slice_of(text, POP3_CLIENT_SECRET_MAX);
    struct pop3_client *client = pop3_client_open(&options);
    assert_non_null(client);
    pop3_client_close(&client);
}

/* ---- the transaction ----------------------------------------------------------------------- */

static void
every_question_has_its_answer(void **state)
{
    (void)state;
    expect(&defaults, "slLuURTDnzq",
           HELLO "+OK 2 320\r\n+OK\r\n1 120\r\n2 200 more\r\n.\r\n+OK 1 120\r\n"
                 "+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n.\r\n+OK 1 a.1\r\n"
                 "+OK\r\nA: b\r\n\r\n..dot\r\n...\r\n.\r\n+OK\r\nA: b\r\n\r\n.\r\n"
                 "+OK\r\n+OK\r\n+OK\r\n+OK bye\r\n",
           LOGIN "STAT\r\nLIST\r\nLIST 1\r\nUIDL\r\nUIDL 1\r\nRETR 1\r\nTOP 1 2\r\nDELE 1\r\n"
                 "NOOP\r\nRSET\r\nQUIT\r\n",
           "logged in\nok stat 2 320 \nok list 0 0 \nitem list 1 120 \nitem list 2 200 \n"
           "end list 0 2 \nok list 1 120 \nok uidl 0 0 \n"
           "item uidl 1 0 whqtswO00WBw418f9t5JxYwZ\nend uidl 0 1 \nok uidl 1 0 a.1\n"
           "ok retr 1 0 \nA: b\r\n\r\n.dot\r\n..\r\nend retr 1 18 \n"
           "ok top 1 0 \nA: b\r\n\r\nend top 1 8 \nok dele 1 0 \nok noop 0 0 \nok rset 0 0 \n"
           "close 0 [] bye\n");
}

static void
errors_are_told_and_the_session_goes_on(void **state)
{
    (void)state;
    expect(&defaults, "RLq", HELLO "-ERR [SYS/PERM] no\r\n-ERR\r\n-ERR some remain\r\n",
           LOGIN "RETR 1\r\nLIST 1\r\nQUIT\r\n",
           "logged in\nerr retr 1 0 \nerr list 1 0 \nclose 1 [] some remain\n");
}

static void
questions_are_sent_together_only_with_pipelining(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, &defaults, "snq");
    work(&scene);
    feed(&scene, SLICE(HELLO));
    expect_text(&scene.sent, LOGIN "STAT\r\n");
    scene_close(&scene);
    scene_open(&scene, &defaults, "snq");
    work(&scene);
    feed(&scene, SLICE("+OK\r\n+OK\r\nUSER\r\nPIPELINING\r\n.\r\n+OK\r\n+OK\r\n"));
    expect_text(&scene.sent, LOGIN "STAT\r\nNOOP\r\nQUIT\r\n");
    scene_close(&scene);
}

/* With pipelining, also what is asked within an answer. */
static void
questions_within_an_answer_leave_it_whole(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, &defaults, "RL");
    work(&scene);
    feed(&scene, SLICE("+OK\r\n+OK\r\nUSER\r\nPIPELINING\r\n.\r\n+OK\r\n+OK\r\n"));
    feed(&scene, SLICE("+OK\r\nA: b\r\n\r\n"));
    assert_true(pop3_client_ask(scene.client, POP3_CLIENT_LIST, 0, 0, scene.now));
    feed(&scene, SLICE("+OK not an answer\r\n.\r\n+OK 1 120\r\n+OK\r\n1 120\r\n"));
    assert_true(pop3_client_ask(scene.client, POP3_CLIENT_NOOP, 0, 0, scene.now));
    feed(&scene, SLICE("2 200\r\n.\r\n+OK\r\n"));
    expect_text(&scene.told, "logged in\nok retr 1 0 \nA: b\r\n\r\n+OK not an answer\r\n"
                             "end retr 1 27 \nok list 1 120 \nok list 0 0 \nitem list 1 120 \n"
                             "item list 2 200 \nend list 0 2 \nok noop 0 0 \n");
    assert_true(instant_is_never(pop3_client_deadline(scene.client)));
    scene_close(&scene);
}

static void
nothing_is_read_while_an_event_waits(void **state)
{
    struct pop3_client_event event;
    struct scene scene;

    (void)state;
    scene_open(&scene, &defaults, "");
    work(&scene);
    feed(&scene, SLICE("+OK ready\r\n-ERR what?\r\n+OK\r\n"));
    size_t taken = pop3_client_feed(scene.client, SLICE("+OK in\r\n-ERR bye\r\n"), scene.now);
    assert_int_equal(taken, 8);
    assert_int_equal(pop3_client_feed(scene.client, SLICE("-ERR bye\r\n"), scene.now), 0);
    assert_true(pop3_client_next(scene.client, &event));
    assert_int_equal(event.kind, POP3_CLIENT_EVENT_LOGGED_IN);
    assert_int_equal(pop3_client_feed(scene.client, SLICE("-ERR bye\r\n"), scene.now), 10);
    scene_close(&scene);
}

static void
the_queue_has_a_limit(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, &defaults, "");
    work(&scene);
    assert_false(pop3_client_ask(scene.client, POP3_CLIENT_NOOP, 0, 0, scene.now));
    feed(&scene, SLICE(HELLO));
    for (int i = 0; i < POP3_CLIENT_QUEUE_MAX; i++)
        assert_true(pop3_client_ask(scene.client, POP3_CLIENT_NOOP, 0, 0, scene.now));
    assert_false(pop3_client_ask(scene.client, POP3_CLIENT_NOOP, 0, 0, scene.now));
    feed(&scene, SLICE("+OK\r\n"));
    assert_true(pop3_client_ask(scene.client, POP3_CLIENT_QUIT, 0, 0, scene.now));
    scene_close(&scene);
}

/* ---- servers that are wrong ---------------------------------------------------------------- */

static void
servers_that_break_the_rules_are_left(void **state)
{
    static const struct {
        const char *asks, *server, *why;
    } cases[] = {
        {"", "220 smtp\r\n", "an answer is neither +OK nor -ERR"},
        {"", "+OKAY\r\n", "an answer is neither +OK nor -ERR"},
        {"", "+OK\r\n+ challenge\r\n", "an answer is neither +OK nor -ERR"},
        {"", HELLO "+OK surprise\r\n", "the server answers what nobody asked"},
        {"n", HELLO "+OK\r\n+OK surprise\r\n", "the server answers what nobody asked"},
        {"s", HELLO "+OK many\r\n", "an answer has no numbers that make sense"},
        {"s", HELLO "+OK 1 -5\r\n", "an answer has no numbers that make sense"},
        {"s", HELLO "+OK 2000001 5\r\n", "an answer has no numbers that make sense"},
        {"l", HELLO "+OK\r\n0 5\r\n", "a line of a listing makes no sense"},
        {"l", HELLO "+OK\r\n1 99999999999999999999\r\n", "a line of a listing makes no sense"},
        {"u", HELLO "+OK\r\n1 a b\r\n", "a line of a listing makes no sense"},
        {"u", HELLO "+OK\r\n1 \x80\r\n", "a line of a listing makes no sense"},
        {"u", HELLO "+OK\r\n1\r\n", "a line of a listing makes no sense"},
        {"L", HELLO "+OK 2 5\r\n", "an answer is about another message"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        char wanted[100];
        play(&scene, &defaults, cases[i].asks, slice_of_string(cases[i].server), false);
        snprintf(wanted, sizeof(wanted), "close 5 [] %s\n", cases[i].why);
        assert_true(slice_ends_with(buffer_slice(&scene.told), slice_of_string(wanted)));
        scene_close(&scene);
    }
}

static void
put_many(struct buffer *text, char byte, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_put_byte(text, (uint8_t)byte);
}

/* One server for each limit: at it, and one past it. */
static void
expect_limit(const struct pop3_client_options *options, const char *asks, struct buffer *server,
             bool is_over)
{
    struct scene scene;

    play(&scene, options, asks, buffer_slice(server), false);
    struct slice told = buffer_slice(&scene.told);
    assert_int_equal(slice_find(told, SLICE("close 5 ")) < told.len, is_over);
    scene_close(&scene);
    buffer_clear(server);
}

static void
what_servers_send_has_limits(void **state)
{
    struct pop3_client_options options = defaults;
    struct buffer server;

    (void)state;
    options.message_bytes_max = 100;
    buffer_init(&server, TOLD_MAX);
    for (size_t over = 0; over < 2; over++) {
        buffer_put_text(&server, "+OK ");
        put_many(&server, 'x', POP3_CLIENT_LINE_MAX - 6 + over);
        buffer_put_text(&server, "\r\n");
        expect_limit(&options, "", &server, over);
        buffer_put_text(&server, "+OK\r\n+OK\r\n");
        for (size_t i = 0; i < POP3_CLIENT_CAPABILITIES_MAX + over; i++)
            buffer_put_text(&server, "X-THING\r\n");
        buffer_put_text(&server, ".\r\n");
        expect_limit(&options, "", &server, over);
        buffer_put_text(&server, HELLO "+OK\r\n1 ");
        put_many(&server, 'u', POP3_CLIENT_UID_MAX + over);
        buffer_put_text(&server, "\r\n");
        expect_limit(&options, "u", &server, over);
        buffer_put_text(&server, HELLO "+OK\r\n");
        put_many(&server, 'b', 98 + over);
        buffer_put_text(&server, "\r\n.\r\n");
        expect_limit(&options, "R", &server, over);
    }
    buffer_finish(&server);
}

/* All of a listing of so many lines, or what is taken of it. */
static void
feed_listing(struct scene *scene, size_t lines)
{
    uint8_t text[1000 * 5];
    size_t fed = 0;

    for (size_t at = 0; at < sizeof(text); at += 5)
        memcpy(text + at, "1 1\r\n", 5);
    for (; fed < lines * 5 && pop3_client_state(scene->client) != POP3_CLIENT_WAITING;) {
        size_t left = lines * 5 - fed;
        struct slice rest = slice_of(text, left < sizeof(text) ? left : sizeof(text));
        fed += rest.len;
        for (struct pop3_client_event event; rest.len > 0;) {
            rest = slice_skip(rest, pop3_client_feed(scene->client, rest, scene->now));
            while (pop3_client_next(scene->client, &event)) {
                if (event.kind != POP3_CLIENT_EVENT_ITEM)
                    handle(scene, &event);
            }
        }
    }
}

static void
a_listing_has_a_limit(void **state)
{
    struct scene scene;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        scene_open(&scene, &defaults, "l");
        work(&scene);
        feed(&scene, SLICE(HELLO "+OK\r\n"));
        feed_listing(&scene, POP3_CLIENT_LIST_MAX + over);
        feed(&scene, SLICE(".\r\n"));
        expect_text(&scene.told, over ? "logged in\nok list 0 0 \nclose 5 [] a listing is too "
                                        "long\n"
                                      : "logged in\nok list 0 0 \nend list 0 2000000 \n");
        scene_close(&scene);
    }
    expect(&defaults, "l", HELLO "+OK\r\n2000000 1\r\n2000001 1\r\n", LOGIN "LIST\r\n",
           "logged in\nok list 0 0 \nitem list 2000000 1 \n"
           "close 5 [] a line of a listing makes no sense\n");
}

static void
silence_and_lost_connections_end_the_session(void **state)
{
    struct pop3_client_options options = defaults;
    struct scene scene;

    (void)state;
    options.reply_ms = 1000;
    scene_open(&scene, &options, "");
    struct instant due = pop3_client_deadline(scene.client);
    assert_int_equal(instant_since(due, scene.now).ns, duration_ms(1000).ns);
    pop3_client_expire(scene.client, (struct instant){due.ns - 1});
    work(&scene);
    assert_int_equal(buffer_len(&scene.told), 0);
    pop3_client_expire(scene.client, due);
    work(&scene);
    expect_text(&scene.told, "close 6 [] the server says nothing\n");
    assert_true(instant_is_never(pop3_client_deadline(scene.client)));
    scene_close(&scene);

    scene_open(&scene, &options, "q");
    work(&scene);
    feed(&scene, SLICE(HELLO));
    assert_int_equal(pop3_client_state(scene.client), POP3_CLIENT_UPDATE);
    pop3_client_input_ended(scene.client);
    work(&scene);
    expect_text(&scene.told, "logged in\nclose 7 [] the connection has ended\n");
    scene_close(&scene);

    /* Nothing is waited for while nothing is asked. */
    scene_open(&scene, &options, "");
    work(&scene);
    feed(&scene, SLICE(HELLO));
    assert_true(instant_is_never(pop3_client_deadline(scene.client)));
    feed(&scene, SLICE("-ERR [SYS/TEMP] going down\r\n"));
    expect_text(&scene.told, "logged in\nclose 2 [SYS/TEMP] going down\n");
    scene_close(&scene);
}

/* ---- against our own server ---------------------------------------------------------------- */

static struct lobby lobby;

/* Lets both engines talk until neither has anything to say. */
static void
converse(struct scene *scene, struct lobby_desk *desk)
{
    struct pop3_client_event event;
    size_t taken, heard;

    do {
        taken = pop3_client_feed(scene->client, pop3_server_output(desk->server), scene->now);
        pop3_server_sent(desk->server, taken, scene->now);
        while (pop3_client_next(scene->client, &event))
            handle(scene, &event);
        heard = pop3_server_feed(desk->server, pop3_client_output(scene->client), scene->now);
        pop3_client_sent(scene->client, heard);
        lobby_desk_work(desk, scene->now);
    } while (taken > 0 || heard > 0 || pop3_server_output(desk->server).len > 0);
}

static void
run_against_server(const struct pop3_client_options *options, struct pop3_server_options server,
                   const char *asks, const char *told)
{
    struct scene scene;
    struct lobby_desk desk;

    server.hostname = SLICE("pop.example.test");
    server.expire_days = POP3_EXPIRE_NEVER;
    scene_open(&scene, options, asks);
    lobby_desk_init(&desk, &lobby, pop3_server_open(&server, scene.now), server.timestamp);
    desk.starts_tls = true;
    converse(&scene, &desk);
    expect_text(&scene.told, told);
    lobby_desk_finish(&desk);
    scene_close(&scene);
}

static void
it_reads_its_mail_from_our_own_server(void **state)
{
    struct pop3_client_options options = defaults;
    struct pop3_server_options server = {.allows_clear_password = true,
                                         .timestamp = SLICE("<1@pop.example.test>")};

    (void)state;
    lobby = (struct lobby){0};
    size_t user = lobby_add_user(&lobby, "mrose", "secret");
    (void)lobby_add_message(&lobby, user, SLICE("A: b\r\n\r\n.\r\n..\r\nno end"));
    (void)lobby_add_message(&lobby, user, SLICE("C: d\r\n\r\n"));
    run_against_server(&options, server, "sluRTq", /* APOP */
                       "logged in\nok stat 2 29 \nok list 0 0 \nitem list 1 21 \n"
                       "item list 2 8 \nend list 0 2 \nok uidl 0 0 \nitem uidl 1 0 1234.1\n"
                       "item uidl 2 0 1234.2\nend uidl 0 2 \nok retr 1 0 \n"
                       "A: b\r\n\r\n.\r\n..\r\nno end\r\nend retr 1 23 \nok top 1 0 \n"
                       "A: b\r\n\r\n.\r\n..\r\nend top 1 15 \n"
                       "close 0 [] pop.example.test signing off\n");
    options.tls = POP3_CLIENT_TLS_REQUIRED;
    options.mechanisms[0] = SLICE("PLAIN");
    options.mechanisms_count = 1;
    server = (struct pop3_server_options){.is_tls_available = true,
                                          .mechanisms = {SLICE("SCRAM-SHA-256"), SLICE("PLAIN")},
                                          .mechanisms_count = 2};
    run_against_server(&options, server, "Dsq",
                       "starttls\nauth PLAIN\nlogged in\nok dele 1 0 \nok stat 1 8 \n"
                       "close 0 [] pop.example.test signing off (1 messages deleted)\n");
    options.mechanisms[0] = SLICE("SCRAM-SHA-256");
    run_against_server(&options, server, "uq",
                       "starttls\nauth SCRAM-SHA-256\nchallenge r=nonce,s=c2FsdA==,i=4096\n"
                       "challenge v=signature\nlogged in\nok uidl 0 0 \nitem uidl 1 0 1234.2\n"
                       "end uidl 0 1 \nclose 0 [] pop.example.test signing off\n");
    options.password = SLICE("wrong");
    options.mechanisms_count = 0;
    run_against_server(&options, server, "",
                       "starttls\nclose 2 [AUTH] name or password is wrong\n");
    lobby_finish(&lobby);
}

static void
it_reads_a_large_message_and_many_from_our_own_server(void **state)
{
    struct pop3_server_options server = {.allows_clear_password = true,
                                         .hostname = SLICE("pop.example.test"),
                                         .expire_days = POP3_EXPIRE_NEVER};
    struct scene scene;
    struct lobby_desk desk;
    struct buffer message;

    (void)state;
    lobby = (struct lobby){0};
    size_t user = lobby_add_user(&lobby, "mrose", "secret");
    buffer_init(&message, TOLD_MAX);
    for (int i = 0; i < 10000; i++)
        buffer_put_text(&message, i % 3 ? "some line\r\n" : ".a line with a dot\r\n");
    (void)lobby_add_message(&lobby, user, buffer_slice(&message));
    for (int i = 1; i < LOBBY_MESSAGES_MAX; i++)
        (void)lobby_add_message(&lobby, user, SLICE("x\r\n"));
    scene_open(&scene, &defaults, "uRq");
    lobby_desk_init(&desk, &lobby, pop3_server_open(&server, scene.now), SLICE(""));
    converse(&scene, &desk);
    struct slice told = buffer_slice(&scene.told);
    assert_true(slice_find(told, SLICE("item uidl 4096 0 1234.4096\nend uidl 0 4096 ")) < told.len);
    assert_true(slice_find(told, buffer_slice(&message)) < told.len);
    assert_true(slice_ends_with(told, SLICE("close 0 [] pop.example.test signing off\n")));
    lobby_desk_finish(&desk);
    scene_close(&scene);
    buffer_finish(&message);
    lobby_finish(&lobby);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_five_states_follow_each_other),
        cmocka_unit_test(a_server_without_capabilities_gets_user_and_pass),
        cmocka_unit_test(apop_is_used_in_the_clear),
        cmocka_unit_test(timestamps_that_are_no_message_ids_are_none),
        cmocka_unit_test(the_password_passes_under_tls_where_apop_would_do),
        cmocka_unit_test(what_is_not_among_the_capabilities_is_not_tried),
        cmocka_unit_test(tls_is_begun_when_it_is_offered),
        cmocka_unit_test(what_stands_before_tls_ends_the_session),
        cmocka_unit_test(without_tls_that_is_required_nothing_is_told),
        cmocka_unit_test(the_best_mechanism_of_both_is_spoken),
        cmocka_unit_test(as_many_mechanisms_as_there_is_room_for_are_spoken),
        cmocka_unit_test(a_long_initial_response_waits_for_its_challenge),
        cmocka_unit_test(an_initial_response_fills_a_command_to_its_last_octet),
        cmocka_unit_test(challenges_do_not_stand_in_the_trace),
        cmocka_unit_test(an_exchange_is_given_up_with_a_star),
        cmocka_unit_test(refusals_come_with_their_codes),
        cmocka_unit_test(secrets_that_cannot_be_sent_are_refused),
        cmocka_unit_test(every_question_has_its_answer),
        cmocka_unit_test(errors_are_told_and_the_session_goes_on),
        cmocka_unit_test(questions_are_sent_together_only_with_pipelining),
        cmocka_unit_test(questions_within_an_answer_leave_it_whole),
        cmocka_unit_test(nothing_is_read_while_an_event_waits),
        cmocka_unit_test(the_queue_has_a_limit),
        cmocka_unit_test(servers_that_break_the_rules_are_left),
        cmocka_unit_test(what_servers_send_has_limits),
        cmocka_unit_test(a_listing_has_a_limit),
        cmocka_unit_test(silence_and_lost_connections_end_the_session),
        cmocka_unit_test(it_reads_its_mail_from_our_own_server),
        cmocka_unit_test(it_reads_a_large_message_and_many_from_our_own_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
