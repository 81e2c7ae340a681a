/* SPDX-License-Identifier: ISC */
/* APPEND and REPLACE: what they are written like, what they may be made of (CATENATE, RFC 4469),
 * and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "imap/tests/lobby.h"
#include "imap/tests/said.h"

static const char letter[] = "Subject: a\r\nTo: bob@example.test\r\n\r\nHello, world\r\n";

static void
begin(struct lobby *lobby)
{
    lobby_init(lobby);
    lobby_deliver(lobby, 0, letter);
    (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n2 SELECT INBOX\r\n", SIZE_MAX);
}

/* Asks whole and octet by octet, from the same start: the answer, and how many messages there are
 * then. */
static void
ask(const char *text, const char *wanted, size_t count)
{
    for (size_t step = SIZE_MAX; step > 0; step = step == 1 ? 0 : 1) {
        struct lobby lobby;
        begin(&lobby);
        must_have(lobby_ask(&lobby, text, step), wanted);
        assert_int_equal(lobby.boxes[0].count, count);
        lobby_finish(&lobby);
    }
}

static void
expect_octets(const char *text, const char *octets)
{
    struct lobby lobby;

    begin(&lobby);
    must_have(lobby_ask(&lobby, text, SIZE_MAX), "3 OK [APPENDUID 10 2] kept\r\n");
    const struct lobby_message *message = lobby.boxes[0].messages[1];
    assert_int_equal(message->len, strlen(octets));
    assert_memory_equal(message->text, octets, message->len);
    lobby_finish(&lobby);
}

static void
messages_come_with_flags_and_dates_or_without(void **state)
{
    (void)state;
    ask("3 APPEND INBOX {2+}\r\nab\r\n", "3 OK [APPENDUID 10 2] kept\r\n", 2);
    ask("3 APPEND INBOX (\\Seen \\Draft) {2+}\r\nab\r\n4 FETCH 2 FLAGS\r\n",
        "* 2 FETCH (FLAGS (\\Seen \\Draft))\r\n4 OK", 2);
    ask("3 APPEND INBOX () {2+}\r\nab\r\n", "3 OK", 2);
    ask("3 APPEND INBOX \"17-Jul-1996 02:44:25 -0700\" {2+}\r\nab\r\n", "3 OK", 2);
    ask("3 APPEND INBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\" ~{2+}\r\nab\r\n", "3 OK", 2);
    ask("3 ENABLE UTF8=ACCEPT\r\n4 APPEND INBOX UTF8 (~{2+}\r\nab)\r\n", "4 OK", 2);
    ask("3 APPEND INBOX {2+}\r\nab (\\Seen) {2+}\r\ncd {2+}\r\nef\r\n",
        "3 OK [APPENDUID 10 2:4]", 4);
    ask("3 APPEND Nothing {2+}\r\nab\r\n", "3 NO [TRYCREATE] ", 1);
    /* RFC 3502: a client that has thought better sends nothing, and nothing of all is kept. */
    /* A literal that ends in CR, and a line of LF alone: the CR is none of the line. */
    ask("3 APPEND INBOX {1+}\r\n\r\n", "3 OK", 2);
    ask("3 APPEND INBOX {2+}\r\nab {0+}\r\n\r\n", "3 NO an empty message", 1);
}

static void
keywords_come_with_the_message(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby);
    must_have(lobby_ask(&lobby, "3 APPEND INBOX ($x \\Seen y) {2+}\r\nab\r\n", SIZE_MAX), "3 OK ");
    assert_int_equal(lobby.boxes[0].messages[1]->keywords, 3);
    assert_int_equal(lobby.keyword_count, 2);
    assert_true(slice_equal(lobby.keywords[0], SLICE("$x")));
    assert_true(slice_equal(lobby.keywords[1], SLICE("y")));
    lobby_finish(&lobby);
}

static void
other_forms_are_bad(void **state)
{
    static const char *const forms[] = {
        "INBOX",
        "INBOX\r\n4 NOOP",
        "INBOX(\\Seen) {2+}\r\nab",
        "INBOX (\\Seen){2+}\r\nab",
        "INBOX (\\Seen {2+}\r\nab",
        "INBOX (\\Seen)",
        "INBOX \"17-Jul-1996 02:44:25 -0700\"",
        "INBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\"",
        "INBOX \"17-Jul-1996 02:44:25 -0700\"{2+}\r\nab",
        "INBOX \"17-Jul-1996\" {2+}\r\nab",
        "INBOX {2+}\r\nab{2+}\r\nab",
        "INBOX {2+}\r\nab ",
        "INBOX UTF8 {2+}\r\nab",
        "INBOX UTF8(~{2+}\r\nab)",
        "INBOX UTF8 (~{2+}\r\nab",
        "INBOX UTF8 (ab)",
        "INBOX CATENATE",
        "INBOX CATENATE ()",
        "INBOX CATENATE(TEXT {2+}\r\nab)",
        "INBOX CATENATE (TEXT{2+}\r\nab)",
        "INBOX CATENATE (TEXT {2+}\r\nab",
        "INBOX CATENATE TEXT {2+}\r\nab",
        "INBOX CATENATE ({2+}\r\nab)",
        "INBOX CATENATE (WORD {2+}\r\nab)",
        "INBOX CATENATE (URL)",
        "INBOX CATENATE (URL\"/INBOX/;UID=1\")",
        "INBOX CATENATE (TEXT {2+}\r\nab  TEXT {2+}\r\ncd)",
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        int len = snprintf(text, sizeof(text), "3 APPEND %s\r\n", forms[i]);
        assert_in_range(len, 1, sizeof(text) - 1);
        ask(text, "3 BAD expected: APPEND ", 1);
    }
}

#define HEADER "Subject: a\r\nTo: bob@example.test\r\n\r\n"

static void
messages_are_put_together_of_text_and_parts(void **state)
{
    (void)state;
    expect_octets("3 APPEND INBOX CATENATE (TEXT {2+}\r\nab TEXT {3+}\r\ncde)\r\n", "abcde");
    expect_octets("3 APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\" TEXT {2+}\r\nab)\r\n",
                  HEADER "Hello, world\r\nab");
    expect_octets("3 APPEND INBOX CATENATE (URL \"/INBOX;UIDVALIDITY=10/;UID=1/;SECTION=HEADER\" "
                  "TEXT {2+}\r\nab URL \";UID=1/;SECTION=TEXT/;PARTIAL=7.5\")\r\n",
                  HEADER "abworld");
    expect_octets("3 APPEND INBOX CATENATE (URL "
                  "\"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)\" TEXT {1+}\r\nx)\r\n",
                  "Subject: a\r\n\r\nx");
    expect_octets("3 APPEND INBOX CATENATE (URL "
                  "\"/INBOX/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(Subject)\")\r\n",
                  "To: bob@example.test\r\n\r\n");
    expect_octets("3 APPEND INBOX CATENATE (TEXT {1+}\r\nx URL \"/INBOX/;UID=1/;PARTIAL=999\")\r\n",
                  "x");
}

static void
what_is_no_part_of_a_message_is_named(void **state)
{
    static const char *const urls[] = {
        "/INBOX/;UID=2",          "/INBOX;UIDVALIDITY=9/;UID=1", "/Nothing/;UID=1",
        "/INBOX/;UID=1/;SECTION=2", "/INBOX",                      "http://a/b",
    };
    char text[200], wanted[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        snprintf(text, sizeof(text), "3 APPEND INBOX CATENATE (TEXT {1+}\r\nx URL \"%s\")\r\n",
                 urls[i]);
        snprintf(wanted, sizeof(wanted), "3 NO [BADURL %s] that is no part", urls[i]);
        ask(text, wanted, 1);
    }
    /* Nothing that would end the code, or the line. */
    ask("3 APPEND INBOX CATENATE (URL {9+}\r\na ]\\\x01\x7F\xC3\xA9~)\r\n",
        "3 NO [BADURL a???????~] that", 1);
    /* Without a mailbox that is open there is none to mean. */
    ask("3 UNSELECT\r\n4 APPEND INBOX CATENATE (URL \";UID=1\")\r\n", "4 NO [BADURL ;UID=1] ", 1);
    ask("3 APPEND INBOX CATENATE (URL \";UID=1\")\r\n", "3 OK ", 2);
}

static void
a_message_that_is_gone_is_not_put_in(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby);
    lobby.is_late = true;
    must_have(lobby_ask(&lobby, "3 APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\")\r\n", SIZE_MAX),
              "3 NO [BADURL /INBOX/;UID=1] ");
    assert_int_equal(lobby.boxes[0].count, 1);
    lobby_finish(&lobby);
}

static void
what_is_put_together_has_its_limits(void **state)
{
    struct buffer text;
    struct lobby lobby;

    (void)state;
    buffer_init(&text, 1 << 20);
    for (unsigned over = 0; over < 2; over++) {
        buffer_clear(&text);
        buffer_put_text(&text, "3 APPEND INBOX CATENATE (TEXT {1+}\r\nx");
        for (unsigned i = 1; i < 1000 + over; i++)
            buffer_put_text(&text, " TEXT {1+}\r\nx");
        buffer_put_text(&text, ")\r\n");
        buffer_put_byte(&text, 0);
        begin(&lobby);
        must_have(lobby_ask(&lobby, (const char *)buffer_slice(&text).at, SIZE_MAX),
                  over ? "3 NO [LIMIT] too many pieces" : "3 OK [APPENDUID 10 2]");
        lobby_finish(&lobby);
        /* Each piece is small enough, all of them are not. */
        buffer_clear(&text);
        buffer_put_text(&text, "3 APPEND INBOX CATENATE (");
        for (unsigned i = 0; i < 2; i++) {
            unsigned len = LOBBY_TEXT_MAX / 2 + (i == 1 ? over : 0);
            buffer_put_text(&text, i ? " TEXT {" : "TEXT {");
            buffer_put_decimal(&text, len);
            buffer_put_text(&text, "+}\r\n");
            for (unsigned n = 0; n < len; n++)
                buffer_put_byte(&text, 'y');
        }
        buffer_put_text(&text, ")\r\n");
        buffer_put_byte(&text, 0);
        begin(&lobby);
        must_have(lobby_ask(&lobby, (const char *)buffer_slice(&text).at, SIZE_MAX),
                  over ? "3 NO [TOOBIG] " : "3 OK [APPENDUID 10 2]");
        lobby_finish(&lobby);
    }
    buffer_finish(&text);
}

/* A short command can name much: what it makes waits in memory, all of it. */
static void
messages_put_together_are_no_more_than_one_may_be(void **state)
{
    static char text[LOBBY_TEXT_MAX / 2 + 1];
    struct lobby lobby;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (unsigned over = 0; over < 2; over++) {
        begin(&lobby);
        lobby_deliver(&lobby, 0, text);
        struct slice said = lobby_ask(
            &lobby,
            over ? "3 APPEND INBOX CATENATE (URL \"/INBOX/;UID=2\") CATENATE (URL "
                   "\"/INBOX/;UID=2\" TEXT {1+}\r\nx)\r\n"
                 : "3 APPEND INBOX CATENATE (URL \"/INBOX/;UID=2\") CATENATE (URL "
                   "\"/INBOX/;UID=2\")\r\n",
            SIZE_MAX);
        must_have(said, over ? "3 NO [TOOBIG] " : "3 OK [APPENDUID 10 3:4]");
        said = lobby_ask(&lobby,
                         over ? "4 APPEND INBOX CATENATE (URL \"/INBOX/;UID=2\") CATENATE (URL "
                                "\"/INBOX/;UID=2\") CATENATE (URL \"/INBOX/;UID=1\")\r\n"
                              : "4 NOOP\r\n",
                         SIZE_MAX);
        must_have(said, over ? "4 NO [TOOBIG] " : "4 OK");
        assert_int_equal(lobby.boxes[0].count, over ? 2 : 4);
        lobby_finish(&lobby);
    }
}

/* The URL may be right: its client need not look for another. */
static void
a_part_that_cannot_be_read_is_not_called_wrong(void **state)
{
    static const char *const urls[] = {"/INBOX/;UID=1", "/INBOX/;UID=1/;SECTION=HEADER",
                                       ";UID=1/;SECTION=HEADER.FIELDS%20(SUBJECT)"};
    struct lobby lobby;
    char text[200];

    (void)state;
    for (size_t i = 0; i < 3 * COUNT_OF(urls); i++) {
        begin(&lobby);
        lobby.is_damaged = i % 3 == 0;
        lobby.is_down = i % 3 == 1;
        lobby.is_blind = i % 3 == 2;
        bool is_unknown = lobby.is_blind && urls[i / 3][0] == ';'; /* no mailbox is looked for */
        snprintf(text, sizeof(text), "3 APPEND INBOX CATENATE (URL \"%s\")\r\n", urls[i / 3]);
        must_have(lobby_ask(&lobby, text, SIZE_MAX), lobby.is_damaged ? "3 NO [CORRUPTION] "
                                                     : is_unknown     ? "3 OK "
                                                                      : "3 NO [UNAVAILABLE] ");
        assert_int_equal(lobby.boxes[0].count, is_unknown ? 2 : 1);
        lobby_finish(&lobby);
    }
}

static void
a_command_has_only_so_many_messages_and_keywords(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text, 1 << 20);
    for (unsigned over = 0; over < 2; over++) {
        buffer_clear(&text);
        buffer_put_text(&text, "3 APPEND Nothing");
        for (unsigned i = 0; i < 1000 + over; i++)
            buffer_put_text(&text, " {1+}\r\nx");
        buffer_put_text(&text, "\r\n");
        buffer_put_byte(&text, 0);
        ask((const char *)buffer_slice(&text).at,
            over ? "3 NO [LIMIT] too many messages at once" : "3 NO [TRYCREATE] ", 1);
        buffer_clear(&text);
        buffer_put_text(&text, "3 APPEND INBOX (\\Seen");
        for (unsigned i = 0; i < 64 + over; i++) {
            buffer_put_text(&text, " k");
            buffer_put_decimal(&text, i);
        }
        buffer_put_text(&text, ") {1+}\r\nx\r\n");
        buffer_put_byte(&text, 0);
        ask((const char *)buffer_slice(&text).at,
            over ? "3 NO [LIMIT] " : "3 OK [APPENDUID 10 2]", over ? 1 : 2);
    }
    buffer_finish(&text);
}

/* How many questions the store is asked, from login on, and what is answered. */
static unsigned
questions(const char *text, const char *wanted)
{
    struct lobby lobby;

    begin(&lobby);
    lobby.asked = 0;
    must_have(lobby_ask(&lobby, text, SIZE_MAX), wanted);
    unsigned asked = lobby.asked;
    lobby_finish(&lobby);
    return asked;
}

static void
what_cannot_be_a_part_is_not_asked_for(void **state)
{
    static const char digits[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char text[800], name[500];

    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        size_t len = ACCESS_STORE_MAILBOX_LIST_NAME_MAX + over;
        memset(name, 'x', len);
        name[len] = 0;
        snprintf(text, sizeof(text), "3 APPEND INBOX CATENATE (URL \"/%s/;UID=1\")\r\n", name);
        assert_int_equal(questions(text, "3 NO [BADURL "), 1 - over);
        len = ACCESS_STORE_URL_ASK_OWNER_MAX + over;
        memset(name, 'x', len);
        name[len] = 0;
        snprintf(text, sizeof(text),
                 "3 APPEND INBOX CATENATE (URL \"imap://%s@h/INBOX/;UID=1;URLAUTH=anonymous"
                 ":internal:%.64s\")\r\n",
                 name, digits);
        assert_int_equal(questions(text, "3 NO [BADURL "), 1 - over);
    }
    assert_int_equal(questions("3 APPEND INBOX CATENATE (URL \"http://a/b\")\r\n", "3 NO"), 0);
    /* Of nothing no octets are asked for: its mailbox, its record, and what is appended. */
    assert_int_equal(questions("3 APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;PARTIAL=999\" "
                               "TEXT {1+}\r\nx)\r\n",
                               "3 OK"),
                     3);
}

static void
parts_are_put_in_up_to_the_size_of_a_message(void **state)
{
    static char large[LOBBY_TEXT_MAX + 1];
    struct lobby lobby;

    (void)state;
    memset(large, 'y', LOBBY_TEXT_MAX);
    memcpy(large, "A: b\r\n\r\n", 8);
    for (unsigned over = 0; over < 2; over++) {
        begin(&lobby);
        lobby_deliver(&lobby, 0, large);
        const char *text =
            over ? "3 APPEND INBOX CATENATE (TEXT {1+}\r\nx URL \"/INBOX/;UID=2\")\r\n"
                 : "3 APPEND INBOX CATENATE (URL \"/INBOX/;UID=2\")\r\n";
        must_have(lobby_ask(&lobby, text, SIZE_MAX),
                  over ? "3 NO [TOOBIG] " : "3 OK [APPENDUID 10 3]");
        assert_int_equal(lobby.boxes[0].count, over ? 2 : 3);
        lobby_finish(&lobby);
    }
}

static void
a_message_is_replaced_by_one_alone(void **state)
{
    (void)state;
    ask("3 REPLACE 1 INBOX {2+}\r\nab\r\n", "* OK [APPENDUID 10 2] kept\r\n", 1);
    ask("3 UID REPLACE 1 INBOX {2+}\r\nab\r\n", "3 OK replaced", 1);
    ask("3 REPLACE 2 INBOX {2+}\r\nab\r\n", "3 NO there is no such message", 1);
    ask("3 UID REPLACE 2 INBOX {2+}\r\nab\r\n", "3 NO there is no such message", 1);
    ask("3 REPLACE 1 INBOX {2+}\r\nab {2+}\r\ncd\r\n", "3 BAD expected: REPLACE", 1);
    ask("3 REPLACE 1 INBOX CATENATE (URL \";UID=1/;SECTION=HEADER\" TEXT {1+}\r\nx)\r\n",
        "3 OK replaced", 1);
    ask("3 EXAMINE INBOX\r\n4 REPLACE 1 INBOX {2+}\r\nab\r\n", "4 NO [READ-ONLY] ", 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_with_flags_and_dates_or_without),
        cmocka_unit_test(keywords_come_with_the_message),
        cmocka_unit_test(other_forms_are_bad),
        cmocka_unit_test(messages_are_put_together_of_text_and_parts),
        cmocka_unit_test(what_is_no_part_of_a_message_is_named),
        cmocka_unit_test(a_message_that_is_gone_is_not_put_in),
        cmocka_unit_test(what_is_put_together_has_its_limits),
        cmocka_unit_test(messages_put_together_are_no_more_than_one_may_be),
        cmocka_unit_test(a_part_that_cannot_be_read_is_not_called_wrong),
        cmocka_unit_test(a_command_has_only_so_many_messages_and_keywords),
        cmocka_unit_test(what_cannot_be_a_part_is_not_asked_for),
        cmocka_unit_test(parts_are_put_in_up_to_the_size_of_a_message),
        cmocka_unit_test(a_message_is_replaced_by_one_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
