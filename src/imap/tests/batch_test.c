/* SPDX-License-Identifier: ISC */
/* Messages that the store tells of in batches (scan.c): none is left out, however many or large
 * they are, and what goes wrong between is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "imap/notify.h"
#include "imap/tests/lobby.h"
#include "imap/tests/said.h"

static const char letter[] = "Subject: a\r\n\r\nHello, world\r\n";

static void
begin(struct lobby *lobby, size_t count)
{
    lobby_init(lobby);
    lobby->messages_max = LOBBY_MESSAGES_MAX;
    for (size_t i = 0; i < count; i++)
        lobby_deliver(lobby, 0, letter);
    (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n2 SELECT INBOX\r\n", SIZE_MAX);
}

static size_t
count_in(struct slice said, const char *text)
{
    struct slice wanted = slice_of_string(text);
    size_t count = 0;

    for (size_t at; (at = slice_find(said, wanted)) < said.len; count++)
        said = slice_skip(said, at + wanted.len);
    return count;
}

static void
batches_grow_to_their_limit_and_leave_nothing_out(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 1050);
    struct slice said = lobby_ask(&lobby, "3 FETCH 1:* ENVELOPE\r\n", SIZE_MAX);
    assert_int_equal(count_in(said, " FETCH (ENVELOPE "), 1050);
    must_have(said, "\r\n3 OK done\r\n");
    /* 32, 64, 128, 256, 256, 256 and the rest; neighbours are one range. */
    assert_int_equal(lobby.message_asks, 7);
    assert_int_equal(lobby.ranges_asked, 1);
    (void)lobby_ask(&lobby, "4 FETCH 1:3,5,7:9 ENVELOPE\r\n", SIZE_MAX);
    assert_int_equal(lobby.ranges_asked, 3);
    lobby_finish(&lobby);
}

/* A message whose record is longer than a batch should be. */
static char *
many_parts(size_t count)
{
    static const char head[] = "MIME-Version: 1.0\r\n"
                               "Content-Type: multipart/mixed; boundary=x\r\n\r\n",
                      part[] = "--x\r\nContent-Type: application/x-a-type-that-has-a-long-name; "
                               "name=\"and-its-name-is-not-short\"\r\n\r\na\r\n";
    size_t size = sizeof(head) + count * (sizeof(part) - 1) + 10, len = sizeof(head) - 1;
    char *text = malloc(size);

    assert_non_null(text);
    memcpy(text, head, sizeof(head));
    for (size_t i = 0; i < count; i++, len += sizeof(part) - 1)
        memcpy(text + len, part, sizeof(part));
    return text;
}

static void
batches_shrink_to_one_message_and_leave_nothing_out(void **state)
{
    enum { LARGE = 66 };
    struct lobby lobby;
    char *text = many_parts(2000);

    (void)state;
    begin(&lobby, 1);
    lobby.text_max = 1 << 20;
    for (size_t i = 0; i < LARGE; i++)
        lobby_deliver(&lobby, 0, text);
    (void)lobby_ask(&lobby, "3 NOOP\r\n", SIZE_MAX);
    struct slice said = lobby_ask(&lobby, "4 FETCH 1:* BODY.PEEK[2]\r\n", SIZE_MAX);
    assert_int_equal(count_in(said, " FETCH (BODY[2] {1}\r\na)"), LARGE);
    must_have(said, "\r\n4 OK done\r\n");
    /* 32, 16, 8, 4, 2, 1, and one at a time from there on. */
    assert_int_equal(lobby.message_asks, 6 + LARGE + 1 - 63);
    lobby_finish(&lobby);
    free(text);
}

/* Somebody sends messages of thousands of parts, behind many small ones: they all come, though the
 * batch that they are in is far larger than a session keeps. */
static void
a_batch_that_is_too_large_is_asked_for_again(void **state)
{
    enum { SMALL = 480, LARGE = 150 }; /* 32, 64, 128, 256; then 256 at once, of 690 KiB each */
    struct lobby lobby;
    char *text = many_parts(4000);

    (void)state;
    begin(&lobby, SMALL);
    lobby.text_max = 1 << 20;
    for (size_t i = 0; i < LARGE; i++)
        lobby_deliver(&lobby, 0, text);
    (void)lobby_ask(&lobby, "3 NOOP\r\n", SIZE_MAX);
    struct slice said = lobby_ask(&lobby, "4 FETCH 1:* (UID BODY.PEEK[2])\r\n", SIZE_MAX);
    for (unsigned i = 1; i <= SMALL + LARGE; i++) { /* each once, in order */
        char wanted[60];
        snprintf(wanted, sizeof(wanted), "* %u FETCH (UID %u BODY[2] %s", i, i,
                 i > SMALL ? "{1}\r\na)" : "NIL)");
        size_t at = slice_find(said, slice_of_string(wanted));
        if (at == said.len)
            fail_msg("missing: %s", wanted);
        said = slice_skip(said, at + 1);
    }
    assert_int_equal(count_in(said, " FETCH ("), 1);
    must_have(said, "\r\n4 OK done\r\n");
    lobby_finish(&lobby);
    free(text);
}

static void
what_the_store_cannot_tell_is_said(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 3);
    lobby.hidden_uid = 2;
    struct slice said = lobby_ask(&lobby, "3 FETCH 1:3 ENVELOPE\r\n", SIZE_MAX);
    assert_int_equal(count_in(said, " FETCH (ENVELOPE "), 2);
    must_have(said, "3 OK [EXPUNGEISSUED] done; some are gone\r\n");
    lobby.hidden_uid = 3;
    must_have(lobby_ask(&lobby, "4 FETCH 1:3 ENVELOPE\r\n", SIZE_MAX), "4 OK [EXPUNGEISSUED] ");
    must_have(lobby_ask(&lobby, "5 FETCH 1:2 ENVELOPE\r\n", SIZE_MAX), "\r\n5 OK done\r\n");
    lobby.is_down = true;
    must_have(lobby_ask(&lobby, "6 FETCH 1 ENVELOPE\r\n", SIZE_MAX), "6 NO [UNAVAILABLE] ");
    must_have(lobby_ask(&lobby, "7 SEARCH TEXT hello\r\n", SIZE_MAX), "7 NO [UNAVAILABLE] ");
    lobby.is_down = false;
    must_have(lobby_ask(&lobby, "8 SEARCH TEXT world\r\n", SIZE_MAX), "8 OK");
    lobby_finish(&lobby);
}

static void
what_was_not_asked_for_is_passed_over(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 5);
    lobby.is_chatty = true;
    struct slice said = lobby_ask(&lobby, "3 FETCH 2,4 BODY[]\r\n", SIZE_MAX);
    assert_int_equal(count_in(said, " FETCH (BODY[] {"), 2);
    must_have(said, "* 2 FETCH (BODY[] {");
    must_have(said, "* 4 FETCH (BODY[] {");
    must_have(said, "\r\n3 OK done\r\n");
    lobby_finish(&lobby);
}

/* Who has asked to hear of it hears of it behind the response. */
static void
nothing_is_told_within_a_response(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 1);
    (void)lobby_ask(&lobby, "3 NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))\r\n",
                    SIZE_MAX);
    lobby.is_apart = lobby.is_busy = true;
    struct slice said = lobby_ask(&lobby, "4 FETCH 1 (UID BODY[] UID)\r\n", SIZE_MAX);
    must_have(said, "* 1 FETCH (UID 1 BODY[] {28}\r\nSubject: a\r\n\r\nHello, world\r\n UID 1");
    must_have(said, "* 2 EXISTS\r\n");
    lobby_finish(&lobby);
}

/* So many are dear to look at: what changes behind a look is told together, a while later. */
static void
looks_at_many_mailboxes_have_rests_between(void **state)
{
    struct lobby lobby;

    (void)state;
    for (size_t past = 0; past < 2; past++) {
        begin(&lobby, 1);
        lobby.more_boxes = IMAP_NOTIFY_FREE_ROWS - lobby.box_count + past;
        must_have(lobby_ask(&lobby, "1 NOTIFY SET (PERSONAL (MessageNew MessageExpunge))\r\n", 1),
                  "1 OK");
        lobby.lists = 0; /* it has looked when it began to hear */
        for (unsigned i = 1; i <= 3; i++) {
            lobby_deliver(&lobby, 1, "A: b\r\n\r\n");
            assert_int_equal(lobby.lists, past ? 0 : i);
        }
        for (int i = 0; i < 2 && past; i++) { /* the rest begins, and ends */
            assert_int_equal(lobby.lists, 0);
            struct instant due = imap_server_deadline(lobby.server);
            assert_true(instant_since(due, lobby.now).ns <=
                        duration_ms(IMAP_NOTIFY_FREE_ROWS * IMAP_NOTIFY_REST_US / 1000 + 2).ns);
            lobby.now = due;
            buffer_clear(&lobby.said);
            imap_server_expire(lobby.server, due);
            lobby_work(&lobby);
        }
        assert_int_equal(lobby.lists, past ? 1 : 3);
        must_have(buffer_slice(&lobby.said), "* STATUS Other (MESSAGES 3 ");
        lobby_finish(&lobby);
    }
}

/* NIL alone would be taken for a message without octets; and nobody has seen it. */
static void
what_cannot_be_read_is_not_passed_on_as_an_empty_message(void **state)
{
    static const char *const sections[] = {"BODY[]", "BODY[TEXT]", "BODY[]<1.2>", "RFC822.HEADER",
                                           "BINARY[1]", "BODY[HEADER.FIELDS (SUBJECT)]"};
    struct lobby lobby;
    char command[80];

    (void)state;
    begin(&lobby, 2);
    lobby.is_apart = lobby.is_damaged = true;
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        (void)snprintf(command, sizeof(command), "%zu FETCH 1:2 (%s)\r\n", i, sections[i]);
        struct slice said = lobby_ask(&lobby, command, SIZE_MAX);
        must_have(said, " NIL");
        (void)snprintf(command, sizeof(command), "%zu NO [CORRUPTION] ", i);
        must_have(said, command);
    }
    must_have(lobby_ask(&lobby, "a SEARCH SEEN\r\n", SIZE_MAX), "* SEARCH\r\n");
    must_have(lobby_ask(&lobby, "b FETCH 1 (BODYSTRUCTURE UID)\r\n", SIZE_MAX), "b OK done");
    lobby.is_damaged = false;
    must_have(lobby_ask(&lobby, "c FETCH 1 BODY[]\r\n", SIZE_MAX), "c OK done");
    must_have(lobby_ask(&lobby, "d SEARCH SEEN\r\n", SIZE_MAX), "* SEARCH 1\r\n");
    lobby_finish(&lobby);
}

/* Whether it matches nobody knows: neither a word nor its contrary finds it, which the end says. */
static void
what_cannot_be_read_is_not_passed_over_in_a_search(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 2);
    lobby.is_apart = lobby.is_damaged = true;
    struct slice said = lobby_ask(&lobby, "3 SEARCH BODY world\r\n", SIZE_MAX);
    must_have(said, "* SEARCH\r\n3 NO [CORRUPTION] ");
    said = lobby_ask(&lobby, "4 SEARCH RETURN (ALL) OR SUBJECT b NOT BODY x\r\n", SIZE_MAX);
    must_have(said, "* ESEARCH (TAG \"4\")\r\n4 NO [CORRUPTION] ");
    said = lobby_ask(&lobby, "5 SORT (SUBJECT) UTF-8 NOT BODY x\r\n", SIZE_MAX);
    must_have(said, "5 NO [CORRUPTION] ");
    must_have(lobby_ask(&lobby, "6 ESEARCH IN (selected) BODY world\r\n", SIZE_MAX),
              "6 NO [CORRUPTION] ");
    /* One that has gone is no damage. */
    lobby.is_damaged = false;
    lobby.is_late = true;
    must_have(lobby_ask(&lobby, "7 SEARCH BODY world\r\n", SIZE_MAX), "* SEARCH\r\n7 OK done");
    lobby.is_late = false;
    must_have(lobby_ask(&lobby, "8 SEARCH BODY world\r\n", SIZE_MAX), "* SEARCH 1 2\r\n8 OK");
    lobby_finish(&lobby);
}

/* A client that sends STORE $ behind its SEARCH must not reach what an earlier one had found, nor
 * messages of another mailbox. */
static void
what_fails_saves_nothing(void **state)
{
    static const char *const failing[] = {
        "4 SEARCH RETURN (SAVE) LARGER 5\r\n",
        "4 SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL\r\n",
        "4 ESEARCH RETURN (SAVE) LARGER 5\r\n",
        "4 SEARCH RETURN (SAVE) CHARSET koi9 ALL\r\n",
    };
    struct lobby lobby;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(failing); i++) {
        begin(&lobby, 3);
        (void)lobby_ask(&lobby, "3 SEARCH RETURN (SAVE) ALL\r\n", SIZE_MAX);
        lobby.is_down = true;
        must_have(lobby_ask(&lobby, failing[i], SIZE_MAX), "4 NO ");
        lobby.is_down = false;
        struct slice said = lobby_ask(&lobby, "5 UID STORE $ +FLAGS \\Deleted\r\n", SIZE_MAX);
        assert_int_equal(count_in(said, "FETCH"), 0);
        must_have(said, "5 OK");
        lobby_finish(&lobby);
    }
    /* What is no command leaves it as it was, and so does what saves nothing. */
    begin(&lobby, 3);
    (void)lobby_ask(&lobby, "3 SEARCH RETURN (SAVE) 1:2\r\n4 SEARCH RETURN (SAVE) NONSENSE\r\n",
                    SIZE_MAX);
    lobby.is_down = true;
    must_have(lobby_ask(&lobby, "5 SEARCH LARGER 5\r\n", SIZE_MAX), "5 NO ");
    must_have(lobby_ask(&lobby, "6 FETCH $ UID\r\n", SIZE_MAX),
              "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n6 OK");
    /* A new search may be among what the one before had found. */
    (void)lobby_ask(&lobby, "7 SEARCH RETURN (SAVE) $ 2:3\r\n", SIZE_MAX);
    must_have(lobby_ask(&lobby, "8 FETCH $ UID\r\n", SIZE_MAX), "* 2 FETCH (UID 2)\r\n8 OK");
    lobby_deliver(&lobby, 1, letter);
    lobby_deliver(&lobby, 1, letter);
    struct slice said = lobby_ask(&lobby, "9 SELECT Other\r\na UID FETCH $ UID\r\n", SIZE_MAX);
    must_have(said, "* 2 EXISTS");
    assert_int_equal(count_in(said, "FETCH ("), 0);
    lobby_finish(&lobby);
}

/* RFC 7162 §3.2.6: of the UIDs that were named, and all that are not there where the store does not
 * know so far back. */
static void
what_vanished_is_told_of_the_uids_that_are_named(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 6);
    lobby_remove(&lobby, 0);
    lobby_remove(&lobby, 0);
    (void)lobby_ask(&lobby, "3 NOOP\r\n4 ENABLE QRESYNC\r\n", SIZE_MAX);
    lobby.vanished = (struct access_store_uid_range){1, 2};
#define ASK_VANISHED(set) "5 UID FETCH " set " (FLAGS) (CHANGEDSINCE 1 VANISHED)\r\n"
    struct slice said = lobby_ask(&lobby, ASK_VANISHED("2:4"), SIZE_MAX);
    must_have(said, "* VANISHED (EARLIER) 2\r\n* 1 FETCH (FLAGS () UID 3 ");
    said = lobby_ask(&lobby, ASK_VANISHED("4,6,3:5"), SIZE_MAX);
    assert_int_equal(count_in(said, "VANISHED"), 0);
    must_have(lobby_ask(&lobby, "6 SELECT INBOX (QRESYNC (10 1 2:4))\r\n", SIZE_MAX),
              "* VANISHED (EARLIER) 2\r\n");
    lobby.vanished.first = 0;
    lobby.is_forgetful = true;
    must_have(lobby_ask(&lobby, ASK_VANISHED("1,3:4"), SIZE_MAX),
              "* VANISHED (EARLIER) 1\r\n* 1 FETCH (FLAGS () UID 3 ");
    must_have(lobby_ask(&lobby, "6 SELECT INBOX (QRESYNC (10 1 2:4))\r\n", SIZE_MAX),
              "* VANISHED (EARLIER) 2\r\n");
    /* Also behind the last that is there. */
    for (size_t i = 0; i < 4; i++)
        lobby_remove(&lobby, 0);
    said = lobby_ask(&lobby, "7 NOOP\r\n" ASK_VANISHED("1:*"), SIZE_MAX);
    must_have(said, "* VANISHED (EARLIER) 1:6\r\n5 OK");
    lobby_finish(&lobby);
}

/* It may have what is sought: the search is not done without it. */
static void
a_mailbox_that_cannot_be_read_is_not_passed_over(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 1);
    lobby_deliver(&lobby, 1, letter);
    lobby.watched = ACCESS_STORE_RESULT_TEMPORARY;
    must_have(lobby_ask(&lobby, "3 ESEARCH IN (personal) ALL\r\n", SIZE_MAX),
              "3 NO [UNAVAILABLE] ");
    lobby.watched = ACCESS_STORE_RESULT_NOT_FOUND; /* it went meanwhile */
    must_have(lobby_ask(&lobby, "4 ESEARCH IN (personal) ALL\r\n", SIZE_MAX), "4 OK done");
    lobby_finish(&lobby);
}

static void
the_index_is_asked_about_each_mailbox(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 30);
    for (size_t i = 0; i < 30; i++)
        lobby_deliver(&lobby, 1, letter);
    lobby.indexed_below = 1000;
    lobby.indexed_uid = 7;
    struct slice said = lobby_ask(&lobby, "3 ESEARCH IN (personal) BODY world\r\n", SIZE_MAX);
    assert_int_equal(count_in(said, " UID ALL 7\r\n"), 2);
    assert_int_equal(lobby.searches, 2);
    assert_int_equal(lobby.message_asks, 0);
    lobby_finish(&lobby);
}

/* Who hears of changes hears of them a while later, when the look at them failed. */
static void
a_look_that_failed_is_done_again(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 1);
    must_have(lobby_ask(&lobby, "3 NOTIFY SET (PERSONAL (MessageNew MessageExpunge))\r\n", 1),
              "3 OK");
    lobby.is_blind = true;
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 1, letter);
    assert_int_equal(buffer_len(&lobby.said), 0);
    lobby.is_blind = false;
    for (int i = 0; i < 2; i++) { /* the rest begins, and ends */
        lobby_work(&lobby);
        assert_int_equal(buffer_len(&lobby.said), 0);
        lobby.now = imap_server_deadline(lobby.server);
        imap_server_expire(lobby.server, lobby.now);
    }
    assert_int_equal(lobby.now.ns, duration_ms(IMAP_NOTIFY_AGAIN_MS).ns);
    lobby_work(&lobby);
    must_have(buffer_slice(&lobby.said), "* STATUS Other (MESSAGES 1 ");
    lobby_finish(&lobby);
}

/* The store says that all is well, and gives too little: that is no message. */
static void
octets_that_are_missing_are_not_made_up(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 1);
    lobby.is_apart = true;
    must_have(lobby_ask(&lobby, "3 FETCH 1 BODY[]\r\n", SIZE_MAX), "* 1 FETCH (BODY[] {28}\r\n");
    must_have(lobby_ask(&lobby, "4 FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]\r\n", SIZE_MAX),
              "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: a\r\n\r\n)");
    lobby.is_short = true;
    must_have(lobby_ask(&lobby, "5 FETCH 1 BODY[]\r\n", SIZE_MAX), "* 1 FETCH (BODY[] NIL)");
    must_have(lobby_ask(&lobby, "6 FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]\r\n", SIZE_MAX),
              "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] NIL)");
    lobby.is_short = false;
    must_have(lobby_ask(&lobby, "7 FETCH 1 BODY[]\r\n", SIZE_MAX), "* 1 FETCH (BODY[] {28}\r\n");
    lobby_finish(&lobby);
}

/* The store goes away, for an update of Facteur say. What was begun cannot be ended, and a client
 * would take the answer for octets of the message. */
static void
a_response_that_was_begun_ends_with_the_session(void **state)
{
    static const char *const begun[] = {
        "3 FETCH 1 BODY[]\r\n",
        "3 FETCH 1 (UID BODY[HEADER.FIELDS (SUBJECT)])\r\n",
        "3 FETCH 1 BINARY[1]\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(begun); i++) {
        struct lobby lobby;
        begin(&lobby, 1);
        lobby.is_apart = lobby.is_lost = true;
        struct slice said = lobby_ask(&lobby, begun[i], SIZE_MAX);
        assert_int_equal(count_in(said, "3 NO"), 0);
        assert_true(lobby.is_closed);
        lobby_finish(&lobby);
    }
}

static void
a_command_of_which_nothing_was_said_is_answered(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, 1);
    lobby.is_apart = lobby.is_lost = true;
    struct slice said = lobby_ask(&lobby, "3 SEARCH BODY world\r\n", SIZE_MAX);
    must_have(said, "3 NO [UNAVAILABLE] the store is away, try again later\r\n");
    lobby.is_lost = false;
    must_have(lobby_ask(&lobby, "4 FETCH 1 BODY[]\r\n", SIZE_MAX), "* 1 FETCH (BODY[] {28}\r\n");
    lobby.is_lost = true;
    must_have(lobby_ask(&lobby, "5 APPEND INBOX CATENATE (URL \";UID=1\")\r\n", SIZE_MAX),
              "5 NO [UNAVAILABLE] ");
    assert_false(lobby.is_closed);
    lobby_finish(&lobby);
}

/* The rest of a batch waits until the client has read. */
static void
nothing_is_put_behind_an_output_that_is_full(void **state)
{
    static char text[LOBBY_TEXT_MAX];
    struct lobby lobby;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "A: b\r\n\r\n", 8);
    begin(&lobby, 0);
    for (size_t i = 0; i < 60; i++)
        lobby_deliver(&lobby, 0, text);
    (void)lobby_ask(&lobby, "3 NOOP\r\n", SIZE_MAX);
    struct slice said = lobby_ask(&lobby, "4 FETCH 1:* BODY[]\r\n", SIZE_MAX);
    assert_int_equal(count_in(said, " FETCH (BODY[] {8191}\r\n"), 60);
    assert_in_range(lobby.output_most, IMAP_OUTPUT_SOFT, IMAP_OUTPUT_SOFT + 2 * LOBBY_TEXT_MAX);
    lobby_finish(&lobby);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_grow_to_their_limit_and_leave_nothing_out),
        cmocka_unit_test(batches_shrink_to_one_message_and_leave_nothing_out),
        cmocka_unit_test(a_batch_that_is_too_large_is_asked_for_again),
        cmocka_unit_test(what_the_store_cannot_tell_is_said),
        cmocka_unit_test(what_was_not_asked_for_is_passed_over),
        cmocka_unit_test(nothing_is_told_within_a_response),
        cmocka_unit_test(octets_that_are_missing_are_not_made_up),
        cmocka_unit_test(looks_at_many_mailboxes_have_rests_between),
        cmocka_unit_test(what_cannot_be_read_is_not_passed_on_as_an_empty_message),
        cmocka_unit_test(what_cannot_be_read_is_not_passed_over_in_a_search),
        cmocka_unit_test(what_fails_saves_nothing),
        cmocka_unit_test(what_vanished_is_told_of_the_uids_that_are_named),
        cmocka_unit_test(a_mailbox_that_cannot_be_read_is_not_passed_over),
        cmocka_unit_test(the_index_is_asked_about_each_mailbox),
        cmocka_unit_test(a_look_that_failed_is_done_again),
        cmocka_unit_test(a_response_that_was_begun_ends_with_the_session),
        cmocka_unit_test(a_command_of_which_nothing_was_said_is_answered),
        cmocka_unit_test(nothing_is_put_behind_an_output_that_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
