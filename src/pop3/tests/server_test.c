/* SPDX-License-Identifier: ISC */
/* The transaction and update states of the server engine, its limits and timers: RFC 1939 §3, §5,
 * §6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/tests/conversation.h"

static void
the_session_of_the_rfc_goes_as_written(void **state)
{
    conversation_log_in_and_say(*state, "STAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nDELE 2\r\n"
                                        "QUIT\r\n");
    conversation_expect_said(*state, "+OK maildrop has 2 messages (320 octets)\r\n"
                                     "+OK 2 320\r\n+OK 2 messages (320 octets)\r\n"
                                     "1 120\r\n2 200\r\n.\r\n+OK 120 octets\r\n");
    conversation_expect_said(*state, "One line.\r\n..\r\n...two dots\r\nThe end");
    conversation_expect_said(*state, "here.\r\n.\r\n+OK message 1 deleted\r\n+OK 200 octets\r\n");
    conversation_expect_last(*state, "+OK message 2 deleted\r\n"
                                     "+OK pop.example.test signing off (2 messages deleted)\r\n");
    conversation_expect_told(*state, "READ 1\nREAD 2\nUPDATE\nCLOSE 0\n");
    assert_int_equal(((struct conversation *)*state)->left_count, 0);
}

static void
without_quit_nothing_is_deleted(void **state)
{
    conversation_log_in_and_say(*state, "DELE 1\r\nDELE 2\r\n");
    conversation_expect_untold(*state, "UPDATE");
    assert_int_equal(((struct conversation *)*state)->left_count, 2);
}

static void
commands_out_of_their_state_are_refused(void **state)
{
    conversation_say(*state, "STAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nNOOP\r\nRSET\r\nLAST\r\n"
                             "TOP 1 1\r\nUIDL\r\n");
    conversation_expect_last(*state, "-ERR log in first\r\n-ERR log in first\r\n"
                                     "-ERR log in first\r\n-ERR log in first\r\n"
                                     "-ERR log in first\r\n-ERR log in first\r\n"
                                     "-ERR log in first\r\n-ERR log in first\r\n"
                                     "-ERR log in first\r\n");
    conversation_log_in_and_say(*state, "USER a\r\nPASS b\r\nAUTH PLAIN\r\nSTLS\r\nAPOP a b\r\n");
    conversation_expect_last(*state, "-ERR you are logged in already\r\n"
                                     "-ERR you are logged in already\r\n"
                                     "-ERR you are logged in already\r\n"
                                     "-ERR you are logged in already\r\n"
                                     "-ERR you are logged in already\r\n");
}

static void
numbers_do_not_shift_when_messages_are_deleted(void **state)
{
    conversation_log_in_and_say(*state, "DELE 1\r\nSTAT\r\nLIST\r\nUIDL\r\nLIST 2\r\nUIDL 2\r\n"
                                        "RETR 1\r\nLIST 1\r\nDELE 1\r\nTOP 1 0\r\nUIDL 1\r\n"
                                        "RSET\r\nLIST 1\r\n");
    conversation_expect_said(*state, "+OK 1 200\r\n+OK 1 messages (200 octets)\r\n2 200\r\n.\r\n"
                                     "+OK unique ids follow\r\n2 1234.2\r\n.\r\n+OK 2 200\r\n"
                                     "+OK 2 1234.2\r\n-ERR that message is deleted\r\n"
                                     "-ERR that message is deleted\r\n"
                                     "-ERR that message is deleted\r\n"
                                     "-ERR that message is deleted\r\n"
                                     "-ERR that message is deleted\r\n"
                                     "+OK maildrop has 2 messages (320 octets)\r\n+OK 1 120\r\n");
}

static void
message_numbers_are_checked(void **state)
{
    conversation_log_in_and_say(*state, "RETR\r\nRETR 0\r\nRETR 3\r\nRETR x\r\nRETR 1 2\r\n"
                                        "RETR 4294967297\r\nRETR -1\r\nDELE 3\r\nLIST 3\r\n"
                                        "UIDL 99999999999999999999\r\n");
    conversation_expect_last(*state,
                             "-ERR that is not a message number\r\n-ERR no such message\r\n"
                             "-ERR no such message\r\n-ERR that is not a message number\r\n"
                             "-ERR too many arguments\r\n-ERR that is not a message number\r\n"
                             "-ERR that is not a message number\r\n-ERR no such message\r\n"
                             "-ERR no such message\r\n-ERR that is not a message number\r\n");
    conversation_expect_untold(*state, "READ");
}

static void
top_gives_the_header_and_so_many_lines(void **state)
{
    conversation_log_in_and_say(*state, "TOP 2 0\r\nTOP 2 2\r\nNOOP\r\n");
    conversation_expect_said(*state, "+OK 200 octets\r\nFrom: Marshall Rose <mrose@example.test>"
                                     "\r\nSubject: two\r\n\r\n.\r\n+OK 200 octets\r\n");
    conversation_expect_said(*state, "Line 1\r\nLine 2\r\n.\r\n+OK nothing done\r\n");
    conversation_log_in_and_say(*state, "TOP 2\r\nTOP 2 x\r\nTOP 2 -1\r\nTOP 2 1 1\r\nTOP\r\n"
                                        "TOP 2 4294967295\r\n");
    conversation_expect_said(*state, "-ERR TOP wants a message and a number of lines\r\n"
                                     "-ERR TOP wants a message and a number of lines\r\n"
                                     "-ERR TOP wants a message and a number of lines\r\n"
                                     "-ERR TOP wants a message and a number of lines\r\n"
                                     "-ERR that is not a message number\r\n+OK 200 octets\r\n");
    conversation_expect_last(*state, "..Line 5 has a dot\r\n.\r\n");
}

/* What TOP does not show is not fetched. */
static void
top_asks_for_no_more_than_it_gives(void **state)
{
    static struct lobby lobby;
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct lobby_desk desk;
    struct buffer large;

    buffer_init(&large, 1 << 20);
    buffer_put_text(&large, "A: b\r\n\r\n");
    for (size_t i = 0; i < 4 * POP3_OUTPUT_MAX / 10; i++)
        buffer_put_text(&large, "12345678\r\n");
    lobby_add_message(&lobby, lobby_add_user(&lobby, "mrose", "secret"), buffer_slice(&large));
    lobby_desk_init(&desk, &lobby, pop3_server_open(&conversation->options, now), SLICE(""));
    for (struct slice rest = SLICE("USER mrose\r\nPASS secret\r\nTOP 1 1\r\n"); rest.len > 0;) {
        rest = slice_skip(rest, pop3_server_feed(desk.server, rest, now));
        lobby_desk_work(&desk, now);
        pop3_server_sent(desk.server, pop3_server_output(desk.server).len, now);
    }
    assert_false(pop3_server_is_busy(desk.server));
    assert_false(pop3_server_has_enough(desk.server));
    assert_in_range(desk.read_offset, 1, POP3_OUTPUT_MAX);
    lobby_desk_finish(&desk);
    lobby_finish(&lobby);
    lobby = (struct lobby){0};
    buffer_finish(&large);
}

static void
last_is_the_highest_that_was_read(void **state)
{
    conversation_log_in_and_say(*state, "LAST\r\nRETR 2\r\nRETR 1\r\nLAST\r\nRSET\r\nLAST\r\n");
    conversation_expect_said(*state, "+OK 0\r\n+OK 200");
    conversation_expect_last(*state, ".\r\n+OK 2\r\n+OK maildrop has 2 messages (320 octets)\r\n"
                                     "+OK 0\r\n");
}

static void
an_empty_maildrop_is_fine(void **state)
{
    ((struct conversation *)*state)->message_count = 0;
    conversation_log_in_and_say(*state, "STAT\r\nLIST\r\nUIDL\r\nRSET\r\nQUIT\r\n");
    conversation_expect_said(*state, "+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n"
                                     "+OK unique ids follow\r\n.\r\n");
    conversation_expect_last(*state, "signing off\r\n");
}

static void
an_update_that_fails_is_admitted(void **state)
{
    ((struct conversation *)*state)->update_answer = POP3_ANSWER_TEMPORARY;
    conversation_log_in_and_say(*state, "DELE 1\r\nQUIT\r\n");
    conversation_expect_last(*state, "-ERR [SYS/TEMP] some deleted messages were not removed\r\n");
    assert_int_equal(((struct conversation *)*state)->left_count, 2);
}

static void
quit_waits_for_the_lock_also_when_nothing_is_to_go(void **state)
{
    ((struct conversation *)*state)->update_answer = POP3_ANSWER_TEMPORARY;
    conversation_log_in_and_say(*state, "DELE 1\r\nRSET\r\nQUIT\r\n");
    conversation_expect_told(*state, "UPDATE\nCLOSE 0\n");
    conversation_expect_last(*state, "signing off\r\n");
    assert_int_equal(((struct conversation *)*state)->left_count, 2);
}

static void
a_body_that_breaks_off_never_looks_whole(void **state)
{
    struct conversation *conversation = *state;

    conversation->read_answer = POP3_ANSWER_EXPUNGED;
    conversation_log_in_and_say(conversation, "RETR 1\r\nNOOP\r\n");
    conversation_expect_said(conversation, "+OK 120 octets\r\n");
    conversation_expect_unsaid(conversation, "\r\n.\r\n");
    conversation_expect_told(conversation, "READ 1\nCLOSE 3\n");
    /* Before the first octet there is a way to say so. */
    conversation->messages[0] = SLICE("");
    conversation_log_in_and_say(conversation, "RETR 1\r\nNOOP\r\n");
    conversation_expect_last(conversation, "-ERR that message is gone\r\n+OK nothing done\r\n");
    conversation->read_answer = POP3_ANSWER_DAMAGED;
    conversation_log_in_and_say(conversation, "RETR 1\r\nNOOP\r\n");
    conversation_expect_last(conversation, "-ERR [SYS/PERM] that message is damaged\r\n"
                                           "+OK nothing done\r\n");
}

static void
bare_line_feeds_and_any_case_are_understood(void **state)
{
    conversation_say(*state, "user mrose\npass secret\nStAt\nlist 1\nquit\n");
    conversation_expect_said(*state, "+OK 2 320\r\n+OK 1 120\r\n+OK pop");
}

static void
too_many_errors_end_the_session(void **state)
{
    struct buffer text;

    for (unsigned count = POP3_ERRORS_MAX - 1; count <= POP3_ERRORS_MAX; count++) {
        buffer_init(&text, 10000);
        for (unsigned i = 0; i < count; i++)
            buffer_put_text(&text, i % 2 ? "GET / HTTP-1.1\r\n" : "\r\n");
        buffer_put_text(&text, "CAPA\r\n");
        conversation_run(*state, buffer_slice(&text));
        conversation_expect_last(*state, count < POP3_ERRORS_MAX ? "\r\n.\r\n"
                                                                 : "-ERR too many errors\r\n");
        buffer_finish(&text);
    }
    conversation_expect_told(*state, "CLOSE 2\n");
}

static void
a_line_without_end_takes_no_memory(void **state)
{
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct pop3_server *server = pop3_server_open(&conversation->options, now);
    static uint8_t garbage[65536];

    memset(garbage, 'x', sizeof(garbage));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pop3_server_feed(server, slice_of(garbage, sizeof(garbage)), now),
                         sizeof(garbage));
    pop3_server_sent(server, pop3_server_output(server).len, now);
    assert_int_equal(pop3_server_feed(server, SLICE("\nCAPA\n"), now), 6);
    assert_true(
        slice_starts_with(pop3_server_output(server), SLICE("-ERR line is too long\r\n+OK")));
    pop3_server_close(&server);
}

/* A client that sends commands for ever and reads nothing. */
static void
commands_wait_while_nobody_reads(void **state)
{
    struct conversation *conversation = *state;
    struct instant now = {1};
    static struct lobby lobby;
    struct lobby_desk desk;
    size_t fed = 0, taken;

    lobby_add_message(&lobby, lobby_add_user(&lobby, "mrose", "secret"), SLICE("a\r\n"));
    lobby_desk_init(&desk, &lobby, pop3_server_open(&conversation->options, now), SLICE(""));
    assert_int_equal(pop3_server_feed(desk.server, SLICE("USER mrose\r\n"), now), 12);
    assert_int_equal(pop3_server_feed(desk.server, SLICE("PASS secret\r\n"), now), 13);
    lobby_desk_work(&desk, now);
    do {
        taken = pop3_server_feed(desk.server, SLICE("UIDL\r\nNOOP\r\nRETR 1\r\n"), now);
        lobby_desk_work(&desk, now);
        assert_true(pop3_server_output(desk.server).len <= POP3_OUTPUT_MAX);
        fed += taken;
    } while (taken > 0);
    assert_true(fed > 1000 && fed < POP3_OUTPUT_MAX);
    pop3_server_sent(desk.server, pop3_server_output(desk.server).len, now);
    assert_true(pop3_server_feed(desk.server, SLICE("NOOP\r\n"), now) > 0);
    lobby_desk_finish(&desk);
    lobby_finish(&lobby);
}

static void
silence_ends_the_session_after_ten_minutes(void **state)
{
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct pop3_event event;

    conversation->options.idle_ms = 1000; /* less than the RFC's minimum */
    struct pop3_server *server = pop3_server_open(&conversation->options, now);
    pop3_server_sent(server, pop3_server_output(server).len, now);
    struct instant due = pop3_server_deadline(server);
    assert_int_equal(instant_since(due, now).ns, duration_ms(POP3_IDLE_MS_MIN).ns);
    pop3_server_expire(server, (struct instant){due.ns - 1});
    assert_false(pop3_server_next(server, &event));
    /* Nothing was sent: that is no sign of life. */
    pop3_server_sent(server, 0, (struct instant){due.ns - 1});
    assert_int_equal(pop3_server_deadline(server).ns, due.ns);
    /* A command that is complete puts it off; a part of one does not. */
    struct instant later = instant_after(now, duration_ms(60000));
    assert_int_equal(pop3_server_feed(server, SLICE("NO"), later), 2);
    assert_int_equal(pop3_server_deadline(server).ns, due.ns);
    assert_int_equal(pop3_server_feed(server, SLICE("OP\r\n"), later), 4);
    assert_int_equal(pop3_server_deadline(server).ns, due.ns + duration_ms(60000).ns);
    pop3_server_sent(server, pop3_server_output(server).len, later);
    pop3_server_expire(server, pop3_server_deadline(server));
    assert_true(pop3_server_next(server, &event));
    assert_int_equal(event.kind, POP3_EVENT_CLOSE);
    assert_int_equal(event.close, POP3_CLOSE_IDLE);
    assert_int_equal(pop3_server_output(server).len, 0);
    assert_true(instant_is_never(pop3_server_deadline(server)));
    pop3_server_close(&server);
}

static void
small_talk_keeps_a_user_but_no_stranger(void **state)
{
    struct conversation *conversation = *state;
    struct instant now = {1};
    static struct lobby lobby;
    struct lobby_desk desk;

    conversation->options.idle_ms = POP3_IDLE_MS_MIN;
    lobby_add_user(&lobby, "mrose", "secret");
    lobby_desk_init(&desk, &lobby, pop3_server_open(&conversation->options, now), SLICE(""));
    struct slice whole = SLICE("USER mrose\r\n");
    now = instant_after(now, duration_ms(29 * 60000));
    pop3_server_sent(desk.server, pop3_server_output(desk.server).len, now);
    assert_int_equal(pop3_server_feed(desk.server, whole, now), whole.len);
    assert_int_equal(pop3_server_deadline(desk.server).ns, 1 + duration_ms(POP3_STRANGER_MS).ns);
    assert_int_equal(pop3_server_feed(desk.server, SLICE("PASS secret\r\n"), now), 13);
    lobby_desk_work(&desk, now);
    /* A minute before the end it has logged in, and has the time of a user. */
    pop3_server_sent(desk.server, pop3_server_output(desk.server).len, now);
    for (unsigned minute = 30; minute <= 60; minute++) {
        now = instant_after((struct instant){1}, duration_ms(60000 * minute));
        pop3_server_expire(desk.server, now);
        assert_int_equal(pop3_server_feed(desk.server, SLICE("NOOP\r\n"), now), 6);
        assert_true(slice_equal(pop3_server_output(desk.server), SLICE("+OK nothing done\r\n")));
        pop3_server_sent(desk.server, pop3_server_output(desk.server).len, now);
        assert_int_equal(pop3_server_deadline(desk.server).ns,
                         now.ns + duration_ms(POP3_IDLE_MS_MIN).ns);
    }
    lobby_desk_finish(&desk);
    lobby_finish(&lobby);
}

static void
a_server_that_stops_says_so_between_answers(void **state)
{
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct pop3_event event;
    struct pop3_server *server = pop3_server_open(&conversation->options, now);

    pop3_server_stop(server, now);
    assert_true(slice_ends_with(pop3_server_output(server),
                                SLICE("-ERR [SYS/TEMP] the server is going down\r\n")));
    assert_true(pop3_server_next(server, &event));
    assert_int_equal(event.close, POP3_CLOSE_SERVER);
    /* What comes now is taken and forgotten. */
    assert_int_equal(pop3_server_feed(server, SLICE("NOOP\r\n"), now), 6);
    assert_false(pop3_server_next(server, &event));
    pop3_server_close(&server);
}

static void
the_last_answer_goes_out_before_the_end(void **state)
{
    struct conversation *conversation = *state;
    struct pop3_answer answer = {.kind = POP3_ANSWER_CREDENTIALS};
    struct instant now = {1};
    struct pop3_event event;
    struct pop3_server *server = pop3_server_open(&conversation->options, now);

    for (unsigned i = 1; i <= POP3_FAILURES_MAX; i++) {
        struct slice login = SLICE("AUTH PLAIN AG1yb3NlAHdyb25n\r\n");
        assert_int_equal(pop3_server_feed(server, login, now), login.len);
        assert_true(pop3_server_next(server, &event));
        pop3_server_sent(server, pop3_server_output(server).len, now);
        answer.delay_ms = i == POP3_FAILURES_MAX ? 250 : 0;
        pop3_server_answer(server, &answer, now);
    }
    assert_int_equal(pop3_server_output(server).len, 0);
    assert_false(pop3_server_next(server, &event));
    pop3_server_expire(server, pop3_server_deadline(server));
    assert_true(slice_starts_with(pop3_server_output(server), SLICE("-ERR [AUTH]")));
    assert_true(pop3_server_next(server, &event));
    assert_int_equal(event.kind, POP3_EVENT_CLOSE);
    pop3_server_close(&server);
}

static bool
says_that_it_stops(const struct pop3_server *server)
{
    struct slice output = pop3_server_output(server);

    return slice_find(output, SLICE("going down")) < output.len;
}

/* Within a body or a listing it would be taken for a part of it. */
static void
a_server_that_stops_says_nothing_within_an_answer(void **state)
{
    static const char *const commands[] = {"RETR 1\r\n", "LIST\r\nLIST\r\n"};
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct buffer large;

    buffer_init(&large, 1 << 20);
    for (size_t i = 0; i < 2 * POP3_OUTPUT_MAX / 10; i++)
        buffer_put_text(&large, "12345678\r\n");
    for (size_t i = 0; i < 2 * COUNT_OF(commands); i++) {
        static struct lobby lobby;
        struct lobby_desk desk;
        bool is_within = i % 2 == 0;
        size_t user = lobby_add_user(&lobby, "mrose", "secret");
        lobby_add_message(&lobby, user, is_within ? buffer_slice(&large) : SLICE("a\r\n"));
        for (unsigned n = 0; n < (is_within ? 4000 : 1); n++)
            lobby_add_message(&lobby, user, SLICE("0123456789\r\n"));
        lobby_desk_init(&desk, &lobby, pop3_server_open(&conversation->options, now), SLICE(""));
        struct slice login = SLICE("USER mrose\r\nPASS secret\r\n");
        while (login.len > 0) {
            login = slice_skip(login, pop3_server_feed(desk.server, login, now));
            lobby_desk_work(&desk, now);
        }
        struct slice command = slice_of_string(commands[i / 2]);
        pop3_server_sent(desk.server, pop3_server_output(desk.server).len, now);
        for (size_t taken; (taken = pop3_server_feed(desk.server, command, now)) > 0;) {
            command = slice_skip(command, taken);
            lobby_desk_work(&desk, now);
        }
        pop3_server_stop(desk.server, now);
        assert_int_equal(says_that_it_stops(desk.server), !is_within);
        lobby_desk_finish(&desk);
        lobby_finish(&lobby);
        lobby = (struct lobby){0};
    }
    buffer_finish(&large);
}

static void
listings_of_a_hundred_thousand_are_made_while_they_are_sent(void **state)
{
    enum { MANY = 100000 };
    struct conversation *conversation = *state;
    struct instant now = {1};
    struct pop3_event event;
    size_t lines = 0;

    struct pop3_server *server = pop3_server_open(&conversation->options, now);
    size_t taken = pop3_server_feed(server, SLICE("AUTH PLAIN AG1yb3NlAHNlY3JldA==\r\n"), now);
    assert_int_equal(taken, 33);
    assert_true(pop3_server_next(server, &event) && event.kind == POP3_EVENT_AUTH_BEGIN);
    assert_true(pop3_server_is_busy(server));
    pop3_server_answer(server, &(struct pop3_answer){.kind = POP3_ANSWER_OK}, now);
    assert_true(pop3_server_next(server, &event) && event.kind == POP3_EVENT_OPEN);
    for (uint32_t i = 1; i <= MANY; i++)
        pop3_server_add_message(server, i, 4096);
    pop3_server_answer(server, &(struct pop3_answer){.kind = POP3_ANSWER_OK, .uid_validity = 9},
                       now);
    pop3_server_sent(server, pop3_server_output(server).len, now);
    assert_false(pop3_server_is_busy(server));
    assert_int_equal(pop3_server_feed(server, SLICE("LIST\r\nQUIT\r\n"), now), 6);
    assert_true(pop3_server_is_busy(server));
    for (struct slice out; (out = pop3_server_output(server)).len > 0;) {
        assert_true(out.len <= POP3_OUTPUT_MAX);
        for (size_t i = 0; i < out.len; i++)
            lines += out.at[i] == '\n';
        pop3_server_sent(server, out.len, now);
    }
    assert_int_equal(lines, MANY + 2);
    assert_false(pop3_server_is_busy(server));
    assert_int_equal(pop3_server_counts(server).messages, MANY);
    pop3_server_close(&server);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, conversation_setup, conversation_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_session_of_the_rfc_goes_as_written),
        TEST(without_quit_nothing_is_deleted),
        TEST(commands_out_of_their_state_are_refused),
        TEST(numbers_do_not_shift_when_messages_are_deleted),
        TEST(message_numbers_are_checked),
        TEST(top_gives_the_header_and_so_many_lines),
        TEST(top_asks_for_no_more_than_it_gives),
        TEST(last_is_the_highest_that_was_read),
        TEST(an_empty_maildrop_is_fine),
        TEST(an_update_that_fails_is_admitted),
        TEST(quit_waits_for_the_lock_also_when_nothing_is_to_go),
        TEST(a_body_that_breaks_off_never_looks_whole),
        TEST(bare_line_feeds_and_any_case_are_understood),
        TEST(too_many_errors_end_the_session),
        TEST(a_line_without_end_takes_no_memory),
        TEST(commands_wait_while_nobody_reads),
        TEST(silence_ends_the_session_after_ten_minutes),
        TEST(small_talk_keeps_a_user_but_no_stranger),
        TEST(a_server_that_stops_says_so_between_answers),
        TEST(the_last_answer_goes_out_before_the_end),
        TEST(a_server_that_stops_says_nothing_within_an_answer),
        TEST(listings_of_a_hundred_thousand_are_made_while_they_are_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
