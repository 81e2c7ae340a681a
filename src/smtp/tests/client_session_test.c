/* SPDX-License-Identifier: ISC */
/* How a client's session begins: TLS (RFC 3207), logging in (RFC 4954), refusals. */
#include "smtp/tests/client_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

static void
tls_is_begun_where_it_is_offered(void **state)
{
    struct client_play *play = *state;

    play->options.tls = SMTP_CLIENT_TLS_OFFERED;
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 STARTTLS\n"
                         "C: STARTTLS\n"
                         "S: 220 Go\n"
                         "T:\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "STARTTLS\nREADY\nCLOSE quit 221 Bye\n");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\nCLOSE quit 221 Bye\n");
}

static void
a_refused_starttls_ends_the_session_only_where_tls_is_required(void **state)
{
    struct client_play *play = *state;

    play->options.tls = SMTP_CLIENT_TLS_OFFERED;
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 STARTTLS\n"
                         "C: STARTTLS\n"
                         "S: 454 4.7.0 Not now\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\nCLOSE quit 221 Bye\n");
    play->options.tls = SMTP_CLIENT_TLS_REQUIRED;
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 STARTTLS\n"
                         "C: STARTTLS\n"
                         "S: 454 4.7.0 Not now\n",
                         "CLOSE insecure 454 4.7.0 Not now\n");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n",
                         "CLOSE insecure 0 4.7.0 TLS is required, and the host offers none\n");
}

static void
words_in_the_clear_behind_starttls_are_an_attack(void **state)
{
    struct client_play *play = *state;

    play->options.tls = SMTP_CLIENT_TLS_OFFERED;
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 STARTTLS\n"
                         "C: STARTTLS\n"
                         "S: 220 Go\n"
                         "S: 250 foo.com\n",
                         "STARTTLS\nCLOSE protocol 0 4.4.2 Something stood in the clear behind "
                         "the answer to STARTTLS\n");
}

static void
the_password_does_not_travel_in_the_clear(void **state)
{
    struct client_play *play = *state;

    play->options.name = SLICE("alice@example.test");
    play->options.password = SLICE("wonderland");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 AUTH PLAIN LOGIN\n",
                         "CLOSE login 0 4.7.0 The host offers no way to log in that may be used "
                         "here\n");
}

static void
plain_and_login_are_spoken_under_tls(void **state)
{
    struct client_play *play = *state;

    play->options.is_secure = true;
    play->options.name = SLICE("tim");
    play->options.password = SLICE("tanstaaftanstaaf");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 AUTH LOGIN PLAIN\n"
                         "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\n"
                         "S: 235 2.7.0 Welcome\n"
                         "C: QUIT\n"
                         "S: 221 Bye\n",
                         "READY\nCLOSE quit 221 Bye\n");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 AUTH=LOGIN\n"
                         "C: AUTH LOGIN\n"
                         "S: 334 VXNlcm5hbWU6\n"
                         "C: dGlt\n"
                         "S: 334 UGFzc3dvcmQ6\n"
                         "C: dGFuc3RhYWZ0YW5zdGFhZg==\n"
                         "S: 535 5.7.8 No\n",
                         "CLOSE login 535 5.7.8 No\n");
}

/* RFC 7677 §3: the exchange itself is tested in sasl; here a host that cannot prove itself. */
static void
a_host_that_skips_its_proof_is_not_believed(void **state)
{
    struct client_play *play = *state;

    play->options.name = SLICE("user");
    play->options.password = SLICE("pencil");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 AUTH PLAIN SCRAM-SHA-256\n"
                         "C: AUTH SCRAM-SHA-256 "
                         "biwsbj11c2VyLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4\n"
                         "S: 235 2.7.0 Welcome\n",
                         "CLOSE login 0 4.7.0 The host let us in without having proven itself\n");
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250-foo.com\n"
                         "S: 250 AUTH PLAIN SCRAM-SHA-256\n"
                         "C: AUTH SCRAM-SHA-256 "
                         "biwsbj11c2VyLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4\n"
                         "S: 334 bm9uc2Vuc2U=\n"
                         "C: *\n"
                         "S: 501 As you like\n",
                         "CLOSE login 0 4.7.0 The host could not prove that it knows our "
                         "password\n");
}

/* TLS from the first octet on is TLS, whatever else the host offers. */
static void
tls_is_not_begun_within_tls(void **state)
{
    struct client_play *play = *state;

    play->options.is_secure = true;
    for (int tls = SMTP_CLIENT_TLS_NEVER; tls <= SMTP_CLIENT_TLS_REQUIRED; tls++) {
        play->options.tls = (enum smtp_client_tls)tls;
        client_play_dialogue(play,
                             "S: 220 foo.com\nC: EHLO bar.com\nS: 250-foo.com\nS: 250 STARTTLS\n"
                             "C: QUIT\nS: 221 Bye\n",
                             "READY\nCLOSE quit 221 Bye\n");
    }
}

/* Three digits of which the first is 2 to 5, and a blank or a line behind them (RFC 5321 §4.2). */
static void
what_has_another_form_is_no_reply(void **state)
{
    static const char *const lines[] = {"120 x", "620 x", "920 x", "020 x", "2a0 x", "22a x", "22",
                                        "2",     "",      "220x",  "220_x", "/20 x", ":20 x"};
    char dialogue[100];

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        snprintf(dialogue, sizeof(dialogue), "S: %s\n", lines[i]);
        client_play_dialogue(*state, dialogue,
                             "CLOSE protocol 0 4.4.2 What the host said is no SMTP reply\n");
    }
    client_play_dialogue(*state, "S: 220\nC: EHLO bar.com\nS: 250\nC: QUIT\nS: 221\n",
                         "READY\nCLOSE quit 221 \n");
}

/* The lines of a reply are one, printable, with the status of the first. */
static void
replies_of_many_lines_have_one_text(void **state)
{
    client_play_dialogue(*state,
                         "S: 554-\nS: 554-5.7.1 a\nS: 554-\nS: 554-5.7.1b\nS: 554-2.7.1 c\n"
                         "S: 554 5.7.9 d\x01\n",
                         "CLOSE refused 554 a 5.7.1b 2.7.1 c d?\n");
    client_play_dialogue(*state, "S: 554-5.7.1 a\nS: 554-\nS: 554 5.7.9 b\n",
                         "CLOSE refused 554 5.7.1 a b\n");
}

static void
a_command_of_the_callers_own_has_its_answer(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_event event;
    char line[60];

    play->stays = true;
    client_play_begin(play);
    static const struct slice opening[] = {SLICE("220 foo.com\r\n"), SLICE("250 foo.com\r\n")};
    for (size_t i = 0; i < COUNT_OF(opening); i++) {
        assert_int_equal(smtp_client_feed(play->client, opening[i], play->now), opening[i].len);
        smtp_client_sent(play->client, smtp_client_output(play->client).len, play->now);
    }
    assert_true(smtp_client_next(play->client, &event) && event.kind == SMTP_CLIENT_EVENT_READY);
    for (size_t lines = 1; lines <= 3; lines += 2) {
        smtp_client_ask(play->client, SLICE("XNAMES foo.com 0 0"), play->now);
        struct slice said = smtp_client_output(play->client);
        assert_true(slice_equal(said, SLICE("XNAMES foo.com 0 0\r\n")));
        smtp_client_sent(play->client, said.len, play->now);
        for (size_t i = 1; i <= lines; i++) {
            char mark = i < lines ? '-' : ' ';
            int len = snprintf(line, sizeof(line), "250%c2.0.0 line %zu\r\n", mark, i);
            size_t taken = smtp_client_feed(
                play->client, slice_of((const uint8_t *)line, (size_t)len), play->now);
            assert_int_equal(taken, len);
        }
        assert_true(smtp_client_next(play->client, &event));
        assert_int_equal(event.kind, SMTP_CLIENT_EVENT_ANSWER);
        assert_int_equal(event.reply.code, 250);
        assert_true(slice_equal(event.answer, lines == 1 ? SLICE("line 1")
                                                         : SLICE("line 1\nline 2\nline 3")));
        assert_false(smtp_client_next(play->client, &event));
    }
    smtp_client_close(&play->client);
}

/* An event is dealt with before more is heard. */
static void
nothing_is_heard_while_an_event_waits(void **state)
{
    struct client_play *play = *state;
    struct smtp_client_event event;

    client_play_begin(play);
    assert_int_equal(smtp_client_feed(play->client, SLICE("220 foo.com\r\n"), play->now), 13);
    assert_int_equal(smtp_client_feed(play->client, SLICE("250 foo.com\r\n"), play->now), 13);
    assert_int_equal(smtp_client_feed(play->client, SLICE("421 foo.com\r\n"), play->now), 0);
    assert_true(smtp_client_next(play->client, &event));
    assert_int_equal(smtp_client_feed(play->client, SLICE("421 foo.com\r\n"), play->now), 13);
    smtp_client_close(&play->client);
}

/* RFC 5802 §6: who could bind says so where the host seems not to, so that a list of mechanisms
 * that was shortened on its way is found out. */
static void
the_login_is_bound_to_its_connection(void **state)
{
    static const struct {
        const char *binding, *offered, *said;
    } rows[] = {
        {NULL, "SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
         "SCRAM-SHA-256 biwsbj11c2VyLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"},
        {"what both sides know", "SCRAM-SHA-256",
         "SCRAM-SHA-256 eSwsbj11c2VyLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"},
        {"what both sides know", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
         "SCRAM-SHA-256-PLUS "
         "cD10bHMtZXhwb3J0ZXIsLG49dXNlcixyPWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eA=="},
        /* It offers binding, but not with what we prefer. */
        {"what both sides know", "SCRAM-SHA-256 SCRAM-SHA-1-PLUS",
         "SCRAM-SHA-256 biwsbj11c2VyLHI9YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"},
    };
    struct client_play *play = *state;
    char dialogue[400];

    play->options.is_secure = true;
    play->options.name = SLICE("user");
    play->options.password = SLICE("pencil");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        play->binding = rows[i].binding;
        snprintf(dialogue, sizeof(dialogue),
                 "S: 220 foo.com\nC: EHLO bar.com\nS: 250-foo.com\nS: 250 AUTH %s\nC: AUTH %s\n"
                 "S: 535 5.7.8 No\n",
                 rows[i].offered, rows[i].said);
        client_play_dialogue(play, dialogue, "CLOSE login 535 5.7.8 No\n");
    }
}

static void
an_idle_session_hears_its_end(void **state)
{
    struct client_play *play = *state;

    play->stays = true;
    client_play_dialogue(play,
                         "S: 220 foo.com\n"
                         "C: EHLO bar.com\n"
                         "S: 250 foo.com\n"
                         "S: 421 4.4.2 foo.com Error: timeout exceeded\n",
                         "READY\nCLOSE refused 421 4.4.2 foo.com Error: timeout exceeded\n");
}

/* Every silence has its time (RFC 5321 §4.5.3.2). */
static void
each_command_has_its_timer(void **state)
{
    struct client_play *play = *state;
    struct instant start = play->now;

    client_play_dialogue(play, "W:\n",
                         "CLOSE silence 0 4.4.2 The host has been silent for too long\n");
    assert_int_equal(instant_since(play->now, start).ns, 3 * duration_s(300).ns);
    play->options.times.greeting_s = 7;
    start = play->now;
    client_play_dialogue(play, "W:\n",
                         "CLOSE silence 0 4.4.2 The host has been silent for too long\n");
    assert_int_equal(instant_since(play->now, start).ns, 3 * duration_s(7).ns);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_play_setup, client_play_teardown)
        TEST(tls_is_begun_where_it_is_offered),
        TEST(a_refused_starttls_ends_the_session_only_where_tls_is_required),
        TEST(words_in_the_clear_behind_starttls_are_an_attack),
        TEST(the_password_does_not_travel_in_the_clear),
        TEST(plain_and_login_are_spoken_under_tls),
        TEST(a_host_that_skips_its_proof_is_not_believed),
        TEST(tls_is_not_begun_within_tls),
        TEST(what_has_another_form_is_no_reply),
        TEST(replies_of_many_lines_have_one_text),
        TEST(a_command_of_the_callers_own_has_its_answer),
        TEST(nothing_is_heard_while_an_event_waits),
        TEST(the_login_is_bound_to_its_connection),
        TEST(an_idle_session_hears_its_end),
        TEST(each_command_has_its_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
