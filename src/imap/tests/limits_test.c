/* SPDX-License-Identifier: ISC */
/* How long commands may be, and how long a session may be silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "imap/tests/lobby.h"
#include "imap/tests/said.h"

/* Says one octet; how long the server then waits, seen from its start. */
static int64_t
waits_until_s(struct lobby *lobby, const char *text, int64_t now_s)
{
    struct slice rest = slice_of(text, strlen(text));
    struct instant now = {duration_s(now_s).ns};

    while (rest.len > 0)
        rest = slice_skip(rest, imap_server_feed(lobby->server, rest, now));
    imap_server_sent(lobby->server, imap_server_output(lobby->server).len, now);
    return imap_server_deadline(lobby->server).ns / duration_s(1).ns;
}

/* A command with a literal so long that it has so many octets with it. */
static struct slice
say_long(struct lobby *lobby, size_t octets, bool is_sent)
{
    char line[40];
    struct buffer text;

    int len = snprintf(line, sizeof(line), "a LOGIN ann {%zu%s}\r\n", octets, is_sent ? "+" : "");
    (void)snprintf(line, sizeof(line), "a LOGIN ann {%zu%s}\r\n", octets - (size_t)len,
                   is_sent ? "+" : "");
    buffer_init(&text, 1 << 20);
    buffer_put_text(&text, line);
    while (is_sent && buffer_len(&text) < octets)
        buffer_put_byte(&text, 'x');
    if (is_sent)
        buffer_put_text(&text, "\r\nb NOOP\r\n");
    buffer_clear(&lobby->said);
    lobby_say(lobby, buffer_slice(&text));
    buffer_finish(&text);
    return buffer_slice(&lobby->said);
}

static void
commands_have_their_lengths_before_and_after_login(void **state)
{
    static const size_t limits[] = {IMAP_COMMAND_MAX_EARLY, IMAP_COMMAND_MAX};
    struct lobby lobby;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        for (size_t over = 0; over < 2; over++) {
            lobby_init(&lobby);
            if (i == 1)
                (void)lobby_ask(&lobby, "1 LOGIN ann secret\r\n", SIZE_MAX);
            expect_in(say_long(&lobby, limits[i] + over, false), "a BAD [TOOBIG] ", over);
            expect_in(buffer_slice(&lobby.said), "+ go ahead\r\n", !over);
            lobby_finish(&lobby);
        }
        /* What is sent without waiting is passed over, and the next command is heard. */
        lobby_init(&lobby);
        if (i == 1)
            (void)lobby_ask(&lobby, "1 LOGIN ann secret\r\n", SIZE_MAX);
        expect_in(say_long(&lobby, limits[i] + 1, true), "a BAD [TOOBIG] ", true);
        expect_in(buffer_slice(&lobby.said), "b OK", true);
        expect_in(buffer_slice(&lobby.said), "BAD expected", false);
        lobby_finish(&lobby);
    }
}

/* A line too long that ends in a literal: what is in that is no command, however it is cut. */
static void
octets_of_a_literal_behind_an_overlong_line_are_no_commands(void **state)
{
    static const size_t limits[] = {IMAP_COMMAND_MAX_EARLY, IMAP_COMMAND_MAX};
    static const size_t pieces[] = {1, 7, 1000, IMAP_COMMAND_MAX, SIZE_MAX};
    struct lobby lobby;
    struct buffer text;

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(pieces); i++) {
        bool is_in = i % 2;
        lobby_init(&lobby);
        if (is_in)
            (void)lobby_ask(&lobby, "1 LOGIN ann secret\r\n", SIZE_MAX);
        buffer_init(&text, 1 << 20);
        buffer_put_text(&text, "a SEARCH TEXT {1+}\r\nx TEXT ");
        while (buffer_len(&text) < limits[is_in])
            buffer_put_byte(&text, 'x');
        buffer_put_text(&text, " {12+}\r\nz LOGOUT\r\nzz {9+}\r\ny NOOP\r\n \r\nb NOOP\r\n");
        buffer_put_byte(&text, 0);
        struct slice said =
            lobby_ask(&lobby, (const char *)buffer_slice(&text).at, pieces[i / 2]);
        expect_in(said, "a BAD [TOOBIG] ", true);
        expect_in(said, "z ", false);
        expect_in(said, "y ", false);
        expect_in(said, "b OK", true);
        buffer_finish(&text);
        lobby_finish(&lobby);
    }
}

/* It is no command of its own that is refused then. */
static void
a_line_without_end_in_idle_ends_that(void **state)
{
    struct lobby lobby;

    (void)state;
    lobby_init(&lobby);
    (void)lobby_ask(&lobby, "1 LOGIN ann secret\r\n2 SELECT INBOX\r\na IDLE\r\n", SIZE_MAX);
    buffer_clear(&lobby.said);
    for (size_t i = 0; i <= IMAP_COMMAND_MAX; i += 32)
        lobby_say(&lobby, SLICE("DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"));
    lobby_say(&lobby, SLICE("\r\n"));
    expect_in(buffer_slice(&lobby.said), "a BAD [TOOBIG] ", true);
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 0, "A: b\r\n\r\n");
    assert_int_equal(buffer_len(&lobby.said), 0);
    expect_in(lobby_ask(&lobby, "b NOOP\r\n", SIZE_MAX), "EXISTS", true);
    lobby_finish(&lobby);
}

/* Who reads what it is told is there. */
static void
reading_buys_time_in_idle(void **state)
{
    struct lobby lobby;

    (void)state;
    lobby_init(&lobby);
    (void)lobby_ask(&lobby, "1 LOGIN ann secret\r\n2 SELECT INBOX\r\n", SIZE_MAX);
    int64_t until_s = waits_until_s(&lobby, "a IDLE\r\n", 100);
    assert_int_equal(waits_until_s(&lobby, "", 500), until_s + 400);
    lobby_finish(&lobby);
}

static void
strangers_buy_no_time(void **state)
{
    struct lobby lobby;

    (void)state;
    lobby_init(&lobby);
    assert_int_equal(waits_until_s(&lobby, "", 0), 60);
    assert_int_equal(waits_until_s(&lobby, "a LOG", 30), 60);
    assert_int_equal(waits_until_s(&lobby, "IN {20+}\r\n", 40), 100);
    /* A literal that comes octet by octet is a line that does not end. */
    assert_int_equal(waits_until_s(&lobby, "x", 99), 100);
    assert_int_equal(waits_until_s(&lobby, "0123456789012345678", 99), 100);
    lobby_finish(&lobby);

    /* Nor does small talk help for ever. */
    lobby_init(&lobby);
    assert_int_equal(waits_until_s(&lobby, "b NOOP\r\n", 59), 119);
    assert_int_equal(waits_until_s(&lobby, "c NOOP\r\n", 560), 600);
    imap_server_expire(lobby.server, (struct instant){duration_s(600).ns});
    assert_true(slice_equal(slice_first(imap_server_output(lobby.server), 5), SLICE("* BYE")));
    lobby_finish(&lobby);
}

/* Nor is who has logged in a stranger for what is left of a stranger's minute; and who logs out
 * without going has the times of a new one. */
static void
who_logs_in_has_the_time_of_a_user(void **state)
{
    struct lobby lobby;

    (void)state;
    lobby_init(&lobby);
    lobby.now.ns = duration_s(10).ns;
    (void)lobby_ask(&lobby, "a LOGIN ann secret\r\n", SIZE_MAX);
    assert_int_equal(imap_server_deadline(lobby.server).ns, duration_s(10 + 30 * 60).ns);
    lobby.now.ns = duration_s(1800).ns;
    must_have(lobby_ask(&lobby, "b UNAUTHENTICATE\r\n", SIZE_MAX), "b OK");
    assert_int_equal(imap_server_deadline(lobby.server).ns, duration_s(1800 + 60).ns);
    lobby.now.ns = duration_s(1859).ns;
    (void)lobby_ask(&lobby, "c NOOP\r\n", SIZE_MAX);
    assert_int_equal(imap_server_deadline(lobby.server).ns, duration_s(1859 + 60).ns);
    imap_server_expire(lobby.server, lobby.now);
    must_have(lobby_ask(&lobby, "d LOGIN ann secret\r\n", SIZE_MAX), "d OK");
    assert_int_equal(imap_server_deadline(lobby.server).ns, duration_s(1859 + 30 * 60).ns);
    lobby_finish(&lobby);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_buy_no_time),
        cmocka_unit_test(who_logs_in_has_the_time_of_a_user),
        cmocka_unit_test(reading_buys_time_in_idle),
        cmocka_unit_test(a_line_without_end_in_idle_ends_that),
        cmocka_unit_test(octets_of_a_literal_behind_an_overlong_line_are_no_commands),
        cmocka_unit_test(commands_have_their_lengths_before_and_after_login),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
