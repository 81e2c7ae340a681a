/* SPDX-License-Identifier: ISC */
/* The client engine from the greeting to the login, its end, and servers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/tests/client_scene.h"

#include <stdio.h>

#define HELLO "* OK [CAPABILITY IMAP4rev1] hi\r\n"
#define LOGIN "A1 LOGIN \"mrose\" \"secret\"\r\n"

static struct scene
plain_scene(void)
{
    return (struct scene){.options = scene_defaults};
}

static void
the_states_follow_each_other(void **state)
{
    const struct imap_client_question logout = {.command = IMAP_CLIENT_LOGOUT_NOW};
    struct scene like = plain_scene(), scene;

    (void)state;
    scene_open(&scene, &like);
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_OPENING);
    assert_false(imap_client_can_ask(scene.client));
    scene_feed(&scene, SLICE("* OK hi\r\n"));
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_AUTHENTICATION);
    scene_feed(&scene, SLICE("* CAPABILITY IMAP4rev1\r\nA1 OK\r\nA2 OK\r\n"));
    scene_feed(&scene, SLICE("* CAPABILITY IMAP4rev1 IDLE\r\nA3 OK\r\n"));
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_AUTHENTICATED);
    assert_true(imap_client_facts(scene.client).has_idle);
    assert_true(imap_client_ask(scene.client, &logout, scene.now));
    assert_false(imap_client_ask(scene.client, &logout, scene.now));
    scene_feed(&scene, SLICE("* BYE bye\r\nA4 OK done\r\n"));
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_WAITING);
    scene_expect_text(&scene.trace,
                      "-- opening\nS: * OK hi\n-- authentication\nC: A1 CAPABILITY\n"
                      "S: * CAPABILITY IMAP4rev1\nS: A1 OK\nC: LOGIN ****\nS: A2 OK\n"
                      "C: A3 CAPABILITY\nS: * CAPABILITY IMAP4rev1 IDLE\nS: A3 OK\n"
                      "-- authenticated\n-- logout\nC: A4 LOGOUT\nS: * BYE bye\nS: A4 OK done\n"
                      "-- waiting\n");
    /* And again, with the same engine. */
    buffer_clear(&scene.sent);
    imap_client_begin(scene.client, scene.now);
    imap_client_connected(scene.client, scene.now);
    scene_feed(&scene, SLICE(HELLO));
    scene_expect_text(&scene.sent, LOGIN);
    scene_close(&scene);
}

static void
tls_is_begun_when_it_is_offered(void **state)
{
    struct scene like = plain_scene(), scene;

    (void)state;
    like.options.tls = IMAP_CLIENT_TLS_REQUIRED;
    like.options.allows_clear_password = false;
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED IDLE] hi\r\n"));
    scene_feed(&scene, SLICE("A1 OK begin\r\n"));
    scene_feed(&scene, SLICE("* CAPABILITY IMAP4rev1\r\nA2 OK\r\n"));
    scene_feed(&scene, SLICE("A3 OK [CAPABILITY IMAP4rev1 MOVE] in\r\n"));
    scene_expect_text(&scene.sent,
                      "A1 STARTTLS\r\nA2 CAPABILITY\r\nA3 LOGIN \"mrose\" \"secret\"\r\n");
    scene_expect_text(&scene.told, "starttls\nlogged in\n");
    assert_true(imap_client_facts(scene.client).has_move);
    assert_false(imap_client_facts(scene.client).has_idle);
    scene_close(&scene);
}

static void
what_stands_before_tls_ends_the_session(void **state)
{
    struct imap_client_options options = scene_defaults;
    struct imap_client_event event;
    struct instant now = {1};

    (void)state;
    options.tls = IMAP_CLIENT_TLS_OFFERED;
    struct imap_client *client = imap_client_open(&options);
    imap_client_begin(client, now);
    imap_client_connected(client, now);
    struct slice input = SLICE("* OK [CAPABILITY STARTTLS] hi\r\nA1 OK begin\r\n");
    for (size_t taken; input.len > 0; input = slice_skip(input, taken)) {
        taken = imap_client_feed(client, input, now);
        assert_true(taken > 0);
    }
    assert_true(imap_client_next(client, &event));
    assert_int_equal(event.kind, IMAP_CLIENT_EVENT_STARTTLS);
    assert_int_equal(imap_client_feed(client, SLICE("A1 OK injected\r\n"), now), 16);
    assert_true(imap_client_next(client, &event));
    assert_int_equal(event.close, IMAP_CLIENT_CLOSE_PROTOCOL);
    imap_client_close(&client);
}

static void
without_tls_that_is_required_nothing_is_told(void **state)
{
    struct scene like = plain_scene();

    (void)state;
    like.options.tls = IMAP_CLIENT_TLS_REQUIRED;
    scene_expect(&like, HELLO, "A1 LOGOUT\r\n", "close 2 [] the server does not offer TLS\n");
    scene_expect(&like, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n", "A1 LOGOUT\r\n",
                 "close 2 [] the server skips the login before TLS\n");
    scene_expect(&like, "* OK [CAPABILITY STARTTLS] hi\r\nA1 NO no\r\n",
                 "A1 STARTTLS\r\nA2 LOGOUT\r\n", "close 1 [] no\n");
    like.options.tls = IMAP_CLIENT_TLS_OFFERED;
    like.options.allows_clear_password = false;
    scene_expect(&like, HELLO, "A1 LOGOUT\r\n", "close 2 [] there is no way to log in\n");
    like.options.allows_clear_password = true;
    scene_expect(&like, "* OK [CAPABILITY LOGINDISABLED] hi\r\n", "A1 LOGOUT\r\n",
                 "close 3 [] there is no way to log in\n");
    scene_expect(&like, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n", "", "logged in\n");
}

static void
the_best_mechanism_of_both_is_spoken(void **state)
{
    struct scene like = plain_scene();

    (void)state;
    like.options.mechanisms[0] = SLICE("SCRAM-SHA-256-PLUS");
    like.options.mechanisms[1] = SLICE("PLAIN");
    like.options.mechanisms[2] = SLICE("EXTERNAL");
    like.options.mechanisms_count = 3;
    scene_expect(&like,
                 "* OK [CAPABILITY SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256-PLUS] hi\r\n"
                 "A1 OK [CAPABILITY IMAP4rev1] in\r\n",
                 "A1 AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n", "auth PLAIN\nlogged in\n");
    scene_expect(&like,
                 "* OK [CAPABILITY AUTH=plain] hi\r\n+ \r\n+ Y2hhbGxlbmdl\r\n"
                 "A1 NO [AUTHENTICATIONFAILED] wrong\r\n",
                 "A1 AUTHENTICATE PLAIN\r\nAGFubgBzZWNyZXQ=\r\ncHJvb2Y=\r\nA2 LOGOUT\r\n",
                 "auth PLAIN\nauth challenge challenge\nclose 1 [AUTHENTICATIONFAILED] wrong\n");
    scene_expect(&like, "* OK [CAPABILITY SASL-IR AUTH=EXTERNAL] hi\r\nA1 OK [CAPABILITY X] in\r\n",
                 "A1 AUTHENTICATE EXTERNAL =\r\n", "auth EXTERNAL\nlogged in\n");
    scene_expect(&like, "* OK [CAPABILITY AUTH=PLAIN] hi\r\nA1 OK [CAPABILITY X] in\r\n",
                 "A1 AUTHENTICATE PLAIN\r\n",
                 "auth PLAIN\nclose 4 [] the server agrees to what it has not heard\n");
    like.gives_up = true;
    scene_expect(&like, "* OK [CAPABILITY AUTH=PLAIN] hi\r\n", "A1 LOGOUT\r\n",
                 "auth PLAIN\nclose 3 [] the login was given up\n");
}

static void
refusals_say_why(void **state)
{
    struct scene like = plain_scene();

    (void)state;
    scene_expect(&like, "* BYE [UNAVAILABLE] too many\r\n", "", "close 1 [UNAVAILABLE] too many\n");
    scene_expect(&like, "* NO what\r\n", "", "close 1 [] what\n");
    scene_expect(&like, HELLO "A1 NO [AUTHENTICATIONFAILED] wrong\r\n", LOGIN "A2 LOGOUT\r\n",
                 "close 1 [AUTHENTICATIONFAILED] wrong\n");
    scene_expect(&like, HELLO "A1 OK [CAPABILITY X] in\r\n* BYE going down\r\n", LOGIN,
                 "logged in\nclose 1 [] going down\n");
}

static void
servers_that_break_the_rules_are_left(void **state)
{
    static const struct {
        const char *server, *sent, *told;
    } cases[] = {
        {"+OK ready\r\n", "", "close 4 [] the server waits for what nobody announced\n"},
        {"A1 OK\r\n", "", "close 4 [] the server answers what nobody asked\n"},
        {HELLO "A2 OK\r\n", LOGIN, "close 4 [] the server answers what nobody asked\n"},
        {HELLO "A1 PREAUTH\r\n", LOGIN, "close 4 [] an answer is neither OK nor NO nor BAD\n"},
        {HELLO "+ more\r\n", LOGIN, "close 4 [] the server waits for what nobody announced\n"},
    };
    static const char *const later[] = {
        "A1 OK again\r\n",
        "* PREAUTH\r\n",
        "* 0 FETCH (UID 1)\r\n",
        "* 1 FETCH (UID 0)\r\n",
        "* 1 FETCH (UID 1\r\n",
        "* 1 FETCH (FLAGS (\\Seen)\r\n",
        "* 1 FETCH UID 1\r\n",
        "* 1 FETCH (BODY[1 \"x\")\r\n",
        "* 1 FETCH (BODY[] {268435457}\r\n",
        "* 1 FETCH (X {9223372036854775807}\r\n",
        "* 1 EXPUNGE\r\n",
        "* 4294967296 EXISTS\r\n",
        "* SEARCH 0\r\n",
        "* SEARCH 4294967296\r\n",
        "* SEARCH 1 -2\r\n",
        "* ESEARCH UID ALL 1,*\r\n",
        "* VANISHED 0\r\n",
        "* LIST (\\Noselect \"/\" x\r\n",
        "* LIST () \"//\" x\r\n",
        "* STATUS x (MESSAGES)\r\n",
        "* NAMESPACE ((\r\n",
    };
    struct scene like = plain_scene();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        scene_expect(&like, cases[i].server, cases[i].sent, cases[i].told);
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        struct scene scene;
        struct slice ending = SLICE("logged in\nclose 4 [] ");
        scene_open(&scene, &like);
        scene_feed(&scene, SLICE(HELLO "A1 OK [CAPABILITY X] in\r\n"));
        scene_feed(&scene, slice_of_string(later[i]));
        struct slice told = buffer_slice(&scene.told);
        if (slice_find(told, SLICE("close 4 [] ")) == told.len)
            fail_msg("was taken: %s (told: %.*s)", later[i], (int)told.len, (const char *)told.at);
        assert_true(slice_starts_with(told, slice_first(ending, 10)));
        scene_close(&scene);
    }
}

static void
what_is_not_known_is_passed_over(void **state)
{
    static const char *const unknown =
        HELLO "A1 OK [CAPABILITY X] in\r\n* 5 RECENT\r\n* FLAGS (\\Seen)\r\n* ENABLED X\r\n"
              "* ID (\"name\" {3}\r\nx\r\n)\r\n* SEARCH\r\n* XFUTURE 1 (2 3) {2}\r\n{1}\r\n"
              "* ESEARCH (TAG \"x\") COUNT 3\r\n* 7 XFUTURE a\r\n* OK braces {5}\r\n* \r\n";
    struct scene like = plain_scene();

    (void)state;
    like.questions_count = 0;
    /* The last line, with no word at all, is none that a server may say. */
    scene_expect(&like, unknown, LOGIN,
                 "logged in\nnotice ok [] braces {5}\n"
                 "close 4 [] what the server tells makes no sense\n");
}

static void
responses_have_a_bound(void **state)
{
    enum { LEN = IMAP_CLIENT_RESPONSE_MAX };
    static char line[LEN + 1];
    struct scene like = plain_scene(), scene;

    (void)state;
    memset(line, 'x', LEN);
    memcpy(line, "* XFUTURE ", 10);
    /* Before the login, less is believed. */
    scene_open(&scene, &like);
    scene_feed(&scene, slice_of(line, IMAP_CLIENT_LOGIN_LINE_MAX));
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_OPENING);
    scene_feed(&scene, SLICE("x"));
    scene_expect_text(&scene.told, "close 4 [] a response is too long\n");
    scene_close(&scene);
    for (unsigned more = 0; more < 2; more++) {
        scene_open(&scene, &like);
        scene_feed(&scene, SLICE(HELLO "A1 OK [CAPABILITY X] in\r\n"));
        scene_feed(&scene, slice_of(line, LEN - 2 + more));
        scene_feed(&scene, SLICE("\r\n"));
        scene_expect_text(&scene.told,
                          more ? "logged in\nclose 4 [] a response is too long\n" : "logged in\n");
        scene_close(&scene);
    }
}

static void
literals_have_a_bound(void **state)
{
    struct scene like = plain_scene(), scene;

    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        scene_open(&scene, &like);
        scene_feed(&scene, SLICE(HELLO "A1 OK [CAPABILITY X] in\r\n* XFUTURE"));
        for (unsigned i = 0; i < IMAP_CLIENT_LITERALS_MAX + more; i++)
            scene_feed(&scene, SLICE(" {0}\r\n"));
        scene_feed(&scene, SLICE("\r\n"));
        scene_expect_text(&scene.told,
                          more ? "logged in\nclose 4 [] a response is too long\n" : "logged in\n");
        scene_close(&scene);
    }
}

static void
a_message_has_the_bound_of_the_options(void **state)
{
    struct scene like = plain_scene();

    (void)state;
    like.options.message_bytes_max = 5;
    scene_expect(&like, HELLO "A1 OK [CAPABILITY X] in\r\n* 1 FETCH (BODY[] {5}\r\n12345)\r\n",
                 LOGIN, "logged in\nbody [] of 0 octets 5: 12345\nfetch 1\n");
    scene_expect(&like, HELLO "A1 OK [CAPABILITY X] in\r\n* 1 FETCH (BODY[] {6}\r\n123456)\r\n",
                 LOGIN, "logged in\nclose 4 [] a message is too long\n");
}

static void
silence_ends_the_session(void **state)
{
    const struct imap_client_question noop = {.command = IMAP_CLIENT_NOOP};
    struct scene like = plain_scene(), scene;

    (void)state;
    like.options.reply_ms = 1000;
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE(HELLO "A1 OK [CAPABILITY X] in\r\n"));
    assert_true(instant_is_never(imap_client_deadline(scene.client)));
    assert_true(imap_client_ask(scene.client, &noop, scene.now));
    struct instant due = imap_client_deadline(scene.client);
    assert_int_equal(due.ns, scene.now.ns + INT64_C(1000000000));
    imap_client_expire(scene.client, (struct instant){due.ns - 1});
    scene_feed(&scene, SLICE(""));
    scene_expect_text(&scene.told, "logged in\n");
    buffer_clear(&scene.told);
    imap_client_expire(scene.client, due);
    scene_feed(&scene, SLICE(""));
    scene_expect_text(&scene.told, "close 5 [] the server says nothing\n");
    scene_close(&scene);
}

static void
a_lost_connection_is_told(void **state)
{
    const struct imap_client_question logout = {.command = IMAP_CLIENT_LOGOUT_NOW};
    struct scene like = plain_scene(), scene;

    (void)state;
    for (unsigned has_bye = 0; has_bye < 2; has_bye++) {
        scene_open(&scene, &like);
        scene_feed(&scene, SLICE(HELLO "A1 OK [CAPABILITY X] in\r\n"));
        assert_true(imap_client_ask(scene.client, &logout, scene.now));
        scene_feed(&scene, has_bye ? SLICE("* BYE\r\n") : SLICE(""));
        imap_client_input_ended(scene.client);
        scene_feed(&scene, SLICE(""));
        scene_expect_text(&scene.told, has_bye
                                           ? "logged in\nclose 0 [] the connection has ended\n"
                                           : "logged in\nclose 6 [] the connection has ended\n");
        scene_close(&scene);
    }
}

static void
secrets_that_end_a_line_are_not_sent(void **state)
{
    static const char *const secrets[] = {"", "a\r", "a\nb"};
    struct imap_client_options options = scene_defaults;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        options.password = slice_of_string(secrets[i]);
        assert_null(imap_client_open(&options));
    }
    options.password = SLICE("a\0b");
    assert_null(imap_client_open(&options));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_states_follow_each_other),
        cmocka_unit_test(tls_is_begun_when_it_is_offered),
        cmocka_unit_test(what_stands_before_tls_ends_the_session),
        cmocka_unit_test(without_tls_that_is_required_nothing_is_told),
        cmocka_unit_test(the_best_mechanism_of_both_is_spoken),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(servers_that_break_the_rules_are_left),
        cmocka_unit_test(what_is_not_known_is_passed_over),
        cmocka_unit_test(responses_have_a_bound),
        cmocka_unit_test(literals_have_a_bound),
        cmocka_unit_test(a_message_has_the_bound_of_the_options),
        cmocka_unit_test(silence_ends_the_session),
        cmocka_unit_test(a_lost_connection_is_told),
        cmocka_unit_test(secrets_that_end_a_line_are_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
