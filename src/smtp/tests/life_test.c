/* SPDX-License-Identifier: ISC */
/* What time and callers do to a session: timers, held answers, shutdown, TLS, the cost of idling.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/tests/office.h"

/* A session of which each step is made by hand. */
struct life {
    struct smtp_server_options options;
    struct smtp_server_peer peer;
    struct office office;
    struct office_desk desk;
    struct instant now;
    struct buffer said;
};

static struct life life;

static void
begin(void)
{
    life.now = (struct instant){INT64_C(1000000000)};
    buffer_init(&life.said, 1 << 20);
    office_desk_init(&life.desk, &life.office,
                     smtp_server_open(&life.options, &life.peer, life.now));
    office_desk_work(&life.desk, life.now);
}

static int
setup(void **state)
{
    (void)state;
    life = (struct life){.options = {.hostname = SLICE("foo.com")}};
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    office_desk_finish(&life.desk);
    office_finish(&life.office);
    buffer_finish(&life.said);
    return 0;
}

static void
collect(void)
{
    struct slice output = smtp_server_output(life.desk.server);

    buffer_put(&life.said, output);
    smtp_server_sent(life.desk.server, output.len, life.now);
    office_desk_work(&life.desk, life.now);
}

/* Returns how much was taken. */
static size_t
say(const char *text)
{
    struct slice rest = slice_of_string(text);
    size_t taken;

    do {
        taken = smtp_server_feed(life.desk.server, rest, life.now);
        rest = slice_skip(rest, taken);
        office_desk_work(&life.desk, life.now);
        collect();
    } while (taken > 0 && rest.len > 0);
    return strlen(text) - rest.len;
}

static void
pass(int64_t ms)
{
    life.now = instant_after(life.now, duration_ms(ms));
    smtp_server_expire(life.desk.server, life.now);
    office_desk_work(&life.desk, life.now);
    collect();
}

static bool
was_said(const char *text)
{
    struct slice said = buffer_slice(&life.said);

    return slice_find(said, slice_of_string(text)) < said.len;
}

static int64_t
due_ms(void)
{
    return instant_since(smtp_server_deadline(life.desk.server), life.now).ns / 1000000;
}

static void
each_command_has_its_time(void **state)
{
    (void)state;
    begin();
    assert_int_equal(due_ms(), 300000);
    pass(299000);
    say("EHLO bar.com\r\n");
    assert_int_equal(due_ms(), 300000);
    /* Half a command does not buy more time. */
    pass(200000);
    say("NO");
    assert_int_equal(due_ms(), 100000);
    pass(99999);
    assert_false(life.desk.is_closed);
    pass(1);
    assert_true(life.desk.is_closed);
    assert_true(was_said("421 4.4.2 Timeout"));
}

static void
a_body_has_its_time_between_pieces(void **state)
{
    (void)state;
    begin();
    say("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<jones@foo.com>\r\nDATA\r\n");
    assert_int_equal(due_ms(), 180000);
    pass(179000);
    say("x");
    assert_int_equal(due_ms(), 180000);
    pass(180000);
    assert_true(life.desk.is_closed);
    assert_int_equal(life.office.message_count, 0);
}

static void
stress_shortens_the_times(void **state)
{
    (void)state;
    life.options.stress_timeout_s = 7;
    begin();
    smtp_server_set_stress(life.desk.server, true);
    say("EHLO x\r\n");
    assert_int_equal(due_ms(), 7000);
    smtp_server_set_stress(life.desk.server, false);
    say("NOOP\r\n");
    assert_int_equal(due_ms(), 300000);
}

static void
a_session_has_an_end_and_a_transaction_as_long_again(void **state)
{
    (void)state;
    life.options.session_max_s = 400;
    begin();
    say("EHLO x\r\nMAIL FROM:<a@b>\r\n");
    pass(250000);
    say("NOOP\r\n");
    pass(250000);
    assert_false(life.desk.is_closed);
    say("RSET\r\n");
    assert_true(due_ms() < 0);
    pass(0);
    assert_true(was_said("421 4.4.2 Session too long"));
}

static void
no_time_runs_while_a_question_is_open(void **state)
{
    struct smtp_event event;

    (void)state;
    begin();
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("EHLO x\r\nNOOP\r\n"), life.now), 8);
    assert_true(smtp_server_next(life.desk.server, &event));
    assert_int_equal(event.kind, SMTP_EVENT_HELLO);
    assert_true(instant_is_never(smtp_server_deadline(life.desk.server)));
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("NOOP\r\n"), life.now), 0);
    assert_false(smtp_server_next(life.desk.server, &event));
    smtp_server_answer(life.desk.server, &(struct smtp_verdict){0}, life.now);
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("NOOP\r\n"), life.now), 6);
}

static void
a_held_answer_stops_everything_until_it_is_due(void **state)
{
    struct smtp_event event;

    (void)state;
    begin();
    collect();
    buffer_clear(&life.said);
    say("EHLO x\r\nMAIL FROM:<a@b>\r\n");
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("RCPT TO:<x@foo.com>\r\n"), life.now),
                     21);
    assert_true(smtp_server_next(life.desk.server, &event));
    smtp_server_answer(
        life.desk.server,
        &(struct smtp_verdict){.code = 550, .delay = duration_ms(500), .closes = true}, life.now);
    assert_int_equal(smtp_server_output(life.desk.server).len, 0);
    /* The last words come before the news of the end. */
    office_desk_work(&life.desk, life.now);
    assert_false(life.desk.is_closed);
    assert_int_equal(due_ms(), 500);
    assert_false(smtp_server_is_asking(life.desk.server));
    pass(499);
    assert_false(was_said("550"));
    assert_true(smtp_server_is_busy(life.desk.server));
    pass(1);
    assert_false(smtp_server_is_busy(life.desk.server));
    assert_true(was_said("550 5.1.1"));
    assert_true(life.desk.is_closed);
}

static void
a_reply_cannot_be_broken_by_its_text(void **state)
{
    struct smtp_event event;

    (void)state;
    begin();
    say("EHLO x\r\nMAIL FROM:<a@b>\r\n");
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("RCPT TO:<x@foo.com>\r\n"), life.now),
                     21);
    assert_true(smtp_server_next(life.desk.server, &event));
    smtp_server_answer(
        life.desk.server,
        &(struct smtp_verdict){.code = 550, .text = SLICE("a\r250 ok\nren\xC3\xA9\x7F\n")},
        life.now);
    collect();
    assert_true(was_said("550-5.1.1 a?250 ok\r\n550-5.1.1 ren???\r\n550 5.1.1 \r\n"));
}

static void
a_stop_is_said_at_once_or_after_the_open_answer(void **state)
{
    struct smtp_event event;

    (void)state;
    begin();
    say("EHLO x\r\nMAIL FROM:<a@b>\r\n");
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("RCPT TO:<x@foo.com>\r\n"), life.now),
                     21);
    assert_true(smtp_server_next(life.desk.server, &event));
    smtp_server_stop(life.desk.server, life.now);
    assert_true(smtp_server_is_asking(life.desk.server));
    smtp_server_answer(life.desk.server, &(struct smtp_verdict){0}, life.now);
    collect();
    assert_true(was_said("250 2.1.5 Recipient ok\r\n421 4.3.2 "));
    assert_true(life.desk.is_closed);
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("QUIT\r\n"), life.now), 6);
}

static void
the_end_of_input_ends_transaction_and_exchange(void **state)
{
    (void)state;
    life.peer.is_secure = true;
    life.options.mechanisms = SMTP_AUTH_LOGIN;
    begin();
    say("EHLO x\r\nAUTH LOGIN\r\n");
    assert_true(smtp_server_facts(life.desk.server).is_secret);
    smtp_server_input_ended(life.desk.server);
    office_desk_work(&life.desk, life.now);
    struct slice told = buffer_slice(&life.desk.journal);
    assert_true(slice_ends_with(told, SLICE("AUTH_ABORT\nCLOSE 1\n")));
}

static void
tls_makes_the_session_new(void **state)
{
    (void)state;
    life.options.has_tls = true;
    begin();
    say("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@foo.com>\r\nSTARTTLS\r\n");
    assert_true(was_said("220 2.0.0 Ready to start TLS\r\n"));
    assert_true(life.desk.is_tls_due);
    smtp_server_tls_started(life.desk.server, true, life.now);
    struct smtp_server_facts facts = smtp_server_facts(life.desk.server);
    assert_true(facts.is_secure && facts.helo.len == 0 && facts.recipients == 0);
    say("DATA\r\nEHLO y\r\n");
    assert_true(was_said("503 5.5.1 Say EHLO"));
    buffer_clear(&life.said);
    say("EHLO y\r\n");
    assert_false(was_said("STARTTLS"));
}

static void
tls_from_the_first_byte_changes_nothing(void **state)
{
    (void)state;
    life.options.mechanisms = SMTP_AUTH_SCRAM_SHA_256_PLUS;
    life.peer.is_secure = true;
    begin();
    smtp_server_tls_started(life.desk.server, true, life.now);
    say("EHLO x\r\n");
    assert_true(was_said("220 foo.com"));
    assert_true(was_said("250-AUTH SCRAM-SHA-256-PLUS\r\n"));
}

static void
a_stop_while_tls_begins_waits_for_it(void **state)
{
    (void)state;
    life.options.has_tls = true;
    begin();
    say("EHLO x\r\nSTARTTLS\r\n");
    buffer_clear(&life.said);
    smtp_server_stop(life.desk.server, life.now);
    collect();
    assert_int_equal(buffer_len(&life.said), 0);
    smtp_server_tls_started(life.desk.server, false, life.now);
    collect();
    assert_true(was_said("421 4.3.2 "));
}

static void
no_input_is_taken_while_output_waits(void **state)
{
    struct slice many = SLICE("HELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\n");
    size_t taken = 0;

    (void)state;
    life.options.commands_idle_max = 100000;
    begin();
    for (int i = 0; i < 1000; i++)
        taken += smtp_server_feed(life.desk.server, many, life.now);
    assert_true(taken > 0 && taken < 1000 * many.len);
    assert_true(smtp_server_output(life.desk.server).len < SMTP_OUTPUT_SOFT + 1024);
    collect();
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("NOOP\r\n"), life.now), 6);
}

static void
who_brings_no_mail_is_shown_out(void **state)
{
    static const char *const talk[] = {"NOOP\r\n", "BDAT 0\r\n", "BDAT 0\r\nHELP\r\n"};

    for (size_t i = 0; i < COUNT_OF(talk); i++) {
        life.options.commands_idle_max = 10;
        begin();
        say("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<jones@foo.com>\r\n");
        for (int n = 0; n < 5; n++)
            say("BDAT 1\r\nx"); /* brings something */
        for (int n = 0; n < (i == 2 ? 5 : 10); n++)
            say(talk[i]);
        assert_false(was_said("421 "));
        say(talk[i]);
        assert_true(was_said("421 4.7.0 Too many commands without mail\r\n"));
        (void)teardown(state);
        (void)setup(state);
    }
    begin();
}

static void
a_reply_is_cut_between_characters(void **state)
{
    struct buffer text;
    struct smtp_event event;

    (void)state;
    begin();
    say("EHLO x\r\nMAIL FROM:<a@b> SMTPUTF8\r\n");
    assert_int_equal(smtp_server_feed(life.desk.server, SLICE("RCPT TO:<x@foo.com>\r\n"), life.now),
                     21);
    assert_true(smtp_server_next(life.desk.server, &event));
    buffer_init(&text, 2000);
    for (int i = 0; i < SMTP_REPLY_TEXT_MAX - 1; i++)
        buffer_put_byte(&text, 'x');
    buffer_put_text(&text, "\xC3\xA9");
    buffer_clear(&life.said);
    smtp_server_answer(life.desk.server,
                       &(struct smtp_verdict){.code = 550, .text = buffer_slice(&text)}, life.now);
    collect();
    assert_true(was_said("xx\r\n"));
    assert_int_equal(buffer_len(&life.said), strlen("550 5.1.1 \r\n") + SMTP_REPLY_TEXT_MAX - 1);
    buffer_finish(&text);
}

static void
facts_tell_what_is_known(void **state)
{
    (void)state;
    begin();
    say("EHLO bar.com\r\nMAIL FROM:<a@b> SMTPUTF8\r\nRCPT "
        "TO:<x@foo.com>\r\nFROB\r\nDATA\r\n123\r\n");
    struct smtp_server_facts facts = smtp_server_facts(life.desk.server);
    assert_true(slice_equal(facts.helo, SLICE("bar.com")));
    assert_true(facts.is_extended && facts.is_utf8 && !facts.is_secure && !facts.is_closing);
    assert_int_equal(facts.recipients, 1);
    assert_int_equal(facts.body_bytes, 5);
    assert_int_equal(facts.errors, 1);
    assert_int_equal(facts.transactions, 1);
    assert_true(smtp_line_is_secret(SLICE("auth plain x")));
    assert_false(smtp_line_is_secret(SLICE("AUTHX")));
}

/* mallinfo2 counts nothing where the sanitizers replace malloc; then there is nothing to measure.
 */
static void
an_idle_session_costs_less_than_4_kib(void **state)
{
    enum { SESSIONS = 100, COST_MAX = 4096 };
    struct smtp_server *servers[SESSIONS];
    struct smtp_event event;

    (void)state;
    begin();
    say("EHLO warm.up\r\n");
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < SESSIONS; i++) {
        servers[i] = smtp_server_open(&life.options, &life.peer, life.now);
        struct slice rest = SLICE("EHLO client.example.org\r\nMAIL FROM:<a@b>\r\n"
                                  "RCPT TO:<jones@foo.com>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n");
        while (rest.len > 0) {
            while (smtp_server_next(servers[i], &event)) {
                if (smtp_server_is_asking(servers[i]))
                    smtp_server_answer(servers[i], &(struct smtp_verdict){0}, life.now);
            }
            rest = slice_skip(rest, smtp_server_feed(servers[i], rest, life.now));
        }
        smtp_server_sent(servers[i], smtp_server_output(servers[i]).len, life.now);
    }
    size_t after = mallinfo2().uordblks;
    print_message("an idle session: %zu octets\n", (after - before) / SESSIONS);
    assert_true((after - before) / SESSIONS <= COST_MAX);
    for (int i = 0; i < SESSIONS; i++)
        smtp_server_close(&servers[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
    CASE(each_command_has_its_time),
    CASE(a_body_has_its_time_between_pieces),
    CASE(stress_shortens_the_times),
    CASE(a_session_has_an_end_and_a_transaction_as_long_again),
    CASE(no_time_runs_while_a_question_is_open),
    CASE(a_held_answer_stops_everything_until_it_is_due),
    CASE(a_reply_cannot_be_broken_by_its_text),
    CASE(a_stop_is_said_at_once_or_after_the_open_answer),
    CASE(the_end_of_input_ends_transaction_and_exchange),
    CASE(tls_makes_the_session_new),
    CASE(tls_from_the_first_byte_changes_nothing),
    CASE(a_stop_while_tls_begins_waits_for_it),
    CASE(no_input_is_taken_while_output_waits),
    CASE(who_brings_no_mail_is_shown_out),
    CASE(a_reply_is_cut_between_characters),
    CASE(facts_tell_what_is_known),
    CASE(an_idle_session_costs_less_than_4_kib),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
