/* SPDX-License-Identifier: ISC */
/* What comes behind a URL with a token (RFC 4467, RFC 5524), and what when it cannot come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "imap/tests/lobby.h"
#include "imap/tests/said.h"

static const char letter[] = "Subject: a\r\nTo: bob@example.test\r\n\r\nHello, world\r\n";
static const char image[] = "MIME-Version: 1.0\r\nContent-Type: image/png\r\n"
                            "Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n";

static void
begin(struct lobby *lobby)
{
    lobby_init(lobby);
    lobby_deliver(lobby, 0, letter);
    lobby_deliver(lobby, 0, image);
    (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n", SIZE_MAX);
}

/* "3 URLFETCH" of what lies there in INBOX, with its token. */
static const char *
command(const char *place, const char *parameters)
{
    static const char token[] = LOBBY_TOKEN;
    static char text[500];
    char hex[2 * sizeof(token)];

    for (size_t i = 0; i < sizeof(token) - 1; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)token[i]);
    snprintf(text, sizeof(text),
             "3 URLFETCH (\"imap://ann@h/INBOX/;UID=%s;URLAUTH=anonymous:INTERNAL:%s\"%s)\r\n",
             place, hex, parameters);
    return text;
}

static void
expect(const char *place, const char *parameters, const char *wanted)
{
    for (size_t step = SIZE_MAX; step > 0; step = step == 1 ? 0 : 1) {
        struct lobby lobby;
        begin(&lobby);
        struct slice said = lobby_ask(&lobby, command(place, parameters), step);
        must_have(said, wanted);
        must_have(said, "\r\n3 OK done\r\n");
        lobby_finish(&lobby);
    }
}

static void
parts_come_as_they_are(void **state)
{
    (void)state;
    expect("1", "", "\" {50}\r\nSubject: a\r\nTo: bob@example.test\r\n\r\nHello, world\r\n\r\n");
    expect("1/;SECTION=TEXT/;PARTIAL=7.5", "", "\" {5}\r\nworld\r\n");
    expect("1/;SECTION=TEXT", " BODY", "\" (BODY {14}\r\nHello, world\r\n)\r\n");
    expect("1/;SECTION=HEADER.FIELDS%20(Subject)", "", "\" {14}\r\nSubject: a\r\n\r\n\r\n");
    expect("1/;PARTIAL=999", "", "\" {0}\r\n\r\n");
    expect("1/;SECTION=2", "", "\" NIL\r\n");
    expect("9", "", "\" NIL\r\n");
}

static void
parts_come_without_their_encoding(void **state)
{
    (void)state;
    expect("2/;SECTION=1", " BINARY", "\" (BINARY ~{4}\r\n");
    expect("2/;SECTION=1", " BINARY", "\1\2\3)\r\n");
    expect("2/;SECTION=1/;PARTIAL=1.2", " BINARY", "{2}\r\n\1\2)\r\n");
    expect("1/;SECTION=HEADER.FIELDS%20(Subject)", " BINARY",
           "\" (BINARY {14}\r\nSubject: a\r\n\r\n)\r\n");
}

static void
parts_come_with_their_structure_and_what_is_none_as_octets(void **state)
{
    (void)state;
    expect("2/;SECTION=1", " BODYPARTSTRUCTURE",
           "\" (BODYPARTSTRUCTURE (\"image\" \"png\" NIL NIL NIL \"base64\" 10 ");
    expect("2/;SECTION=1", " BODYPARTSTRUCTURE BINARY",
           "(\"image\" \"png\" NIL NIL NIL \"BINARY\" 4 ");
    expect("1/;SECTION=TEXT", " BODYPARTSTRUCTURE BODY",
           "(\"application\" \"octet-stream\" NIL NIL NIL \"BINARY\" 14 NIL NIL NIL NIL)) "
           "(BODY {14}\r\nHello, world\r\n)\r\n");
}

/* A literal that was begun cannot be ended: the session does. What is only looked at is NIL. */
static void
what_goes_while_it_is_sent_is_not_made_up(void **state)
{
    static const struct {
        const char *place, *parameters, *wanted;
        bool is_end;
    } rows[] = {
        {"1", "", "\" {50}\r\n", true},
        {"1/;SECTION=TEXT", " BODY", "(BODY {14}\r\n", true},
        {"2/;SECTION=1", " BINARY", "\" NIL\r\n", false},
        {"1/;SECTION=HEADER.FIELDS%20(Subject)", "", "\" NIL\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        struct lobby lobby;
        begin(&lobby);
        lobby.is_late = i % 2 == 0;
        lobby.is_short = i % 2 == 1;
        struct slice said =
            lobby_ask(&lobby, command(rows[i / 2].place, rows[i / 2].parameters), SIZE_MAX);
        must_have(said, rows[i / 2].wanted);
        must_have(said, rows[i / 2].is_end ? "* BYE [EXPUNGEISSUED] " : "\r\n3 OK done\r\n");
        assert_int_equal(lobby.is_closed, rows[i / 2].is_end);
        lobby_finish(&lobby);
    }
}

/* NIL says that there is no such part; where the store failed the end says so (RFC 4467 §7). */
static void
what_cannot_be_read_now_is_not_said_to_be_nothing(void **state)
{
    static const char *const rows[][2] = {{"2/;SECTION=1", " BINARY"},
                                          {"1/;SECTION=HEADER.FIELDS%20(Subject)", ""}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct lobby lobby;
        begin(&lobby);
        lobby.is_damaged = true;
        struct slice said = lobby_ask(&lobby, command(rows[i][0], rows[i][1]), SIZE_MAX);
        must_have(said, "\" NIL\r\n3 NO [CORRUPTION] ");
        assert_false(lobby.is_closed);
        lobby_finish(&lobby);
    }
}

static void
parts_of_any_size_are_streamed(void **state)
{
    enum { LARGE = 9 << 20 }; /* more than is gathered of anything */
    char *text = malloc(LARGE + 1);
    struct lobby lobby;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', LARGE);
    memcpy(text, "A: b\r\n\r\n", 8);
    text[LARGE] = 0;
    begin(&lobby);
    lobby.text_max = LARGE;
    lobby_deliver(&lobby, 0, text);
    struct slice said = lobby_ask(&lobby, command("3", ""), SIZE_MAX);
    must_have(said, "\" {9437184}\r\nA: b\r\n\r\nxxx");
    must_have(said, "xxx\r\n3 OK done\r\n");
    assert_in_range(said.len, LARGE, LARGE + 300);
    lobby_finish(&lobby);
    free(text);
}

/* The store goes away between: BINARY has looked, and said nothing yet. */
static void
what_was_begun_when_the_store_goes_away_ends_with_the_session(void **state)
{
    (void)state;
    for (int is_binary = 0; is_binary < 2; is_binary++) {
        struct lobby lobby;
        begin(&lobby);
        lobby.is_lost = true;
        struct slice said = lobby_ask(
            &lobby, command("2/;SECTION=1", is_binary ? " BINARY" : " BODY"), SIZE_MAX);
        if (is_binary)
            must_have(said, "3 NO [UNAVAILABLE] ");
        else
            assert_int_equal(slice_find(said, SLICE("3 NO")), said.len);
        assert_int_equal(lobby.is_closed, !is_binary);
        lobby_finish(&lobby);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_as_they_are),
        cmocka_unit_test(parts_come_without_their_encoding),
        cmocka_unit_test(parts_come_with_their_structure_and_what_is_none_as_octets),
        cmocka_unit_test(what_cannot_be_read_now_is_not_said_to_be_nothing),
        cmocka_unit_test(parts_of_any_size_are_streamed),
        cmocka_unit_test(what_goes_while_it_is_sent_is_not_made_up),
        cmocka_unit_test(what_was_begun_when_the_store_goes_away_ends_with_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
