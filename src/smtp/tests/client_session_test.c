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
        TEST(the_login_is_bound_to_its_connection),
        TEST(an_idle_session_hears_its_end),
        TEST(each_command_has_its_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
