/* SPDX-License-Identifier: ISC */
/* Conversations with the engine, each held whole and octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <zlib.h>

#include "imap/context.h"
#include "imap/tests/lobby.h"
#include "imap/tests/said.h"

static const char letter[] = "From: Ann <ann@example.test>\r\nTo: bob@example.test\r\n"
                             "Subject: =?utf-8?q?caf=C3=A9?=\r\n"
                             "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
                             "Message-ID: <1@example.test>\r\n\r\nHello, world\r\n";
static const char two_parts[] =
    "From: ann@example.test\r\nSubject: two\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nfirst\r\n--x\r\n"
    "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "AGFiYw==\r\n--x--\r\n";

static void
begin(struct lobby *lobby, const char *commands)
{
    lobby_init(lobby);
    lobby_deliver(lobby, 0, letter);
    lobby_deliver(lobby, 0, two_parts);
    (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n", SIZE_MAX);
    (void)lobby_ask(lobby, commands, SIZE_MAX);
}

/* Asks whole and octet by octet, from the same start; both say the same. */
static void
ask(const char *before, const char *text, const char *const *wanted)
{
    for (size_t step = SIZE_MAX; step > 0; step = step == 1 ? 0 : 1) {
        struct lobby lobby;
        begin(&lobby, before);
        struct slice said = lobby_ask(&lobby, text, step);
        for (size_t i = 0; wanted[i]; i++)
            expect_in(said, wanted[i] + (*wanted[i] == '!'), *wanted[i] != '!');
        lobby_finish(&lobby);
    }
}
#define ASK(before, text, ...) ask(before, text, (const char *const[]){__VA_ARGS__, NULL})

#define SELECT "2 SELECT INBOX\r\n"

static void
a_list_of_envelopes_is_searched_without_the_store(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, SELECT);
    (void)lobby_ask(&lobby, "3 FETCH 1:* (FLAGS BODYSTRUCTURE)\r\n", SIZE_MAX);
    assert_true(list_is_empty(&lobby.mailboxes.headlined)); /* nobody looks at subjects */
    (void)lobby_ask(&lobby, "4 FETCH 1:* (FLAGS ENVELOPE)\r\n", SIZE_MAX);
    assert_false(list_is_empty(&lobby.mailboxes.headlined));
    size_t octets = lobby.mailboxes.headline_bytes;
    unsigned asked = lobby.asked;
    expect_in(lobby_ask(&lobby, "5 SEARCH SUBJECT caf\xC3\xA9\r\n", SIZE_MAX),
              "* SEARCH 1\r\n5 OK", true);
    expect_in(lobby_ask(&lobby, "6 SEARCH SUBJECT two SENTBEFORE 1-Jan-2000\r\n", SIZE_MAX),
              "* SEARCH\r\n6 OK", true);
    assert_int_equal(lobby.asked, asked);
    (void)lobby_ask(&lobby, "7 FETCH 1:* ENVELOPE\r\n", SIZE_MAX);
    assert_int_equal(lobby.mailboxes.headline_bytes, octets);
    lobby_finish(&lobby);
}

static void
passwords_open_the_door(void **state)
{
    struct lobby lobby;

    (void)state;
    lobby_init(&lobby);
    expect_in(buffer_slice(&lobby.said), "* OK [CAPABILITY IMAP4rev1 IMAP4rev2", true);
    expect_in(lobby_ask(&lobby, "1 LIST \"\" *\r\n", 1), "1 BAD log in first", true);
    expect_in(lobby_ask(&lobby, "2 LOGIN ann wrong\r\n", 1), "2 NO [AUTHENTICATIONFAILED]", true);
    expect_in(lobby_ask(&lobby, "3 AUTHENTICATE PLAIN\r\n", 1), "+ \r\n", true);
    expect_in(lobby_ask(&lobby, "*\r\n", 1), "3 BAD", true);
    expect_in(lobby_ask(&lobby, "4 AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n", 1), "4 OK [CAPABIL",
              true);
    expect_in(lobby_ask(&lobby, "5 LOGIN ann secret\r\n", 1), "5 BAD", true);
    expect_in(lobby_ask(&lobby, "6 UNAUTHENTICATE\r\n", 1), "6 OK", true);
    expect_in(lobby_ask(&lobby, "7 LOGIN {3}\r\nann {6+}\r\nsecret\r\n", 1), "7 OK", true);
    expect_in(lobby_ask(&lobby, "8 LOGOUT\r\n", 1), "* BYE until next time\r\n8 OK", true);
    assert_true(lobby.is_closed);
    lobby_finish(&lobby);
}

static void
mailboxes_are_listed_and_selected(void **state)
{
    (void)state;
    ASK("", "a LIST \"\" *\r\n", "* LIST (\\HasNoChildren) \"/\" INBOX\r\n", "a OK");
    ASK("", "a LIST \"\" \"\"\r\n", "* LIST (\\Noselect) \"/\" \"\"\r\n");
    ASK("", "a LSUB \"\" *\r\n", "INBOX", "!Other");
    ASK("", "a LIST \"\" % RETURN (STATUS (MESSAGES UIDNEXT))\r\n",
        "* STATUS INBOX (MESSAGES 2 UIDNEXT 3)");
    ASK("", "a SELECT inbox\r\n", "* 2 EXISTS", "* OK [UIDVALIDITY 10]", "* OK [UNSEEN 1]",
        "a OK [READ-WRITE]");
    ASK("", "a EXAMINE None\r\n", "a NO [NONEXISTENT]");
    ASK(SELECT, "a UNSELECT\r\nb FETCH 1 UID\r\n", "a OK", "b BAD select a mailbox first");
}

static void
messages_are_fetched_in_every_part(void **state)
{
    (void)state;
    ASK(SELECT, "a FETCH 1 ENVELOPE\r\n",
        "(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"=?utf-8?q?caf=C3=A9?=\" ((\"Ann\" NIL \"ann\" "
        "\"example.test\"))",
        "NIL NIL NIL \"<1@example.test>\")");
}

static void
structures_are_exact(void **state)
{
    (void)state;
    ASK(SELECT, "a FETCH 2 (BODY UID)\r\n",
        "* 2 FETCH (BODY ((\"text\" \"plain\" NIL NIL NIL \"7BIT\" 5 0)"
        "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 8) \"mixed\") UID 2)");
}

static void
sections_are_cut_out(void **state)
{
    (void)state;
    ASK(SELECT, "a FETCH 1 BODY.PEEK[TEXT]\r\n", "BODY[TEXT] {14}\r\nHello, world\r\n)", "!Seen");
    ASK(SELECT, "a FETCH 1 BODY[TEXT]<7.3>\r\n", "BODY[TEXT]<7> {3}\r\nwor)", "(FLAGS (\\Seen))");
    ASK(SELECT, "a FETCH 2 BODY[1]\r\n", "BODY[1] {5}\r\nfirst)");
    ASK(SELECT, "a FETCH 2 BINARY[2]\r\n", "BINARY[2] ~{4}");
    ASK(SELECT, "a FETCH 2 (BINARY.SIZE[2] BODY.PEEK[2.MIME])\r\n", "BINARY.SIZE[2] 4",
        "Content-Transfer-Encoding: base64\r\n\r\n)");
    ASK(SELECT, "a FETCH 2 BODY[3]\r\n", "BODY[3] NIL");
    ASK(SELECT, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (subject)]\r\n",
        "{34}\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\n)");
    ASK(SELECT, "a FETCH 3 UID\r\n", "a BAD");
    ASK(SELECT, "a UID FETCH 3 UID\r\n", "a OK");
}

static void
flags_are_stored(void **state)
{
    (void)state;
    ASK(SELECT, "a STORE 1:2 +FLAGS (\\Flagged $Junk)\r\n",
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk)",
        "* 1 FETCH (FLAGS (\\Flagged $Junk))", "* 2 FETCH (FLAGS (\\Flagged $Junk))", "a OK");
    ASK(SELECT, "a STORE 1 FLAGS.SILENT \\Seen\r\n", "!FETCH", "a OK");
    ASK(SELECT "3 ENABLE CONDSTORE\r\n", "a STORE 1 FLAGS.SILENT \\Seen\r\n",
        "* 1 FETCH (MODSEQ (4))");
    ASK("2 EXAMINE INBOX\r\n", "a STORE 1 +FLAGS \\Seen\r\n", "a NO [READ-ONLY]");
    ASK(SELECT "3 STORE 1 +FLAGS \\Deleted\r\n", "a EXPUNGE\r\n", "* 1 EXPUNGE", "a OK");
    ASK(SELECT "3 ENABLE QRESYNC\r\n4 STORE 2 +FLAGS \\Deleted\r\n", "a EXPUNGE\r\n",
        "* VANISHED 2", "!EXPUNGE\r\n");
}

static void
messages_are_copied_moved_and_appended(void **state)
{
    (void)state;
    ASK(SELECT, "a COPY 1:2 Other\r\n", "a OK [COPYUID 11 1:2 1:2]");
    ASK(SELECT, "a COPY 1 None\r\n", "a NO [TRYCREATE]");
    ASK(SELECT, "a MOVE 1 Other\r\n", "* OK [COPYUID 11 1 1]", "* 1 EXPUNGE", "a OK");
    ASK(SELECT, "a APPEND INBOX (\\Seen) {5}\r\na: b\n\r\n", "+ go ahead", "* 3 EXISTS",
        "a OK [APPENDUID 10 3]");
    ASK(SELECT, "a APPEND INBOX {5+}\r\na: b\n {5+}\r\nc: d\n\r\n", "a OK [APPENDUID 10 3:4]");
    ASK(SELECT, "a APPEND INBOX {9000}\r\n", "a NO [TOOBIG]", "!go ahead");
    ASK(SELECT, "a REPLACE 1 INBOX {5+}\r\na: b\n\r\n", "[APPENDUID 10 3]", "* 1 EXPUNGE", "a OK");
}

/* Five messages: parts of two, two and one. */
static void
begin_long(struct lobby *lobby, const char *commands)
{
    lobby_init(lobby);
    for (size_t i = 0; i < 5; i++)
        lobby_deliver(lobby, 0, letter);
    (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n", SIZE_MAX);
    (void)lobby_ask(lobby, commands, SIZE_MAX);
}

static void
a_store_in_parts_has_one_answer(void **state)
{
    struct lobby lobby;

    (void)state;
    begin_long(&lobby, SELECT);
    expect_in(lobby_ask(&lobby, "a STORE 1:* +FLAGS.SILENT \\Seen\r\n", SIZE_MAX), "FETCH", false);
    expect_in(buffer_slice(&lobby.said), "a OK done", true);
    expect_in(lobby_ask(&lobby, "b STORE 1:* +FLAGS \\Flagged\r\n", SIZE_MAX),
              "* 5 FETCH (FLAGS (\\Flagged \\Seen))\r\nb OK done", true);
    /* The last STORE gave the modseqs 12 to 16. */
    (void)lobby_ask(&lobby, "c STORE 1,3 +FLAGS \\Answered\r\n", SIZE_MAX);
    expect_in(lobby_ask(&lobby, "d STORE 1:* (UNCHANGEDSINCE 16) +FLAGS \\Draft\r\n", SIZE_MAX),
              "d OK [MODIFIED 1,3] done", true);
    lobby_finish(&lobby);
}

static void
changes_between_the_parts_of_a_store_are_told(void **state)
{
    struct lobby lobby;

    (void)state;
    begin_long(&lobby, SELECT);
    lobby.is_raced = true;
    struct slice said = lobby_ask(&lobby, "a STORE 1:* +FLAGS.SILENT \\Seen\r\n", SIZE_MAX);
    expect_in(said, "* 1 FETCH (FLAGS (\\Seen \\Draft))\r\na OK", true);
    expect_in(said, "* 2 FETCH", false);
    expect_in(said, "* 5 FETCH", false);
    lobby_finish(&lobby);
}

static void
what_a_long_command_has_done_when_it_fails_is_told(void **state)
{
    struct lobby lobby;

    (void)state;
    begin_long(&lobby, SELECT);
    lobby.is_cut = true;
    struct slice said = lobby_ask(&lobby, "a STORE 1:* +FLAGS.SILENT \\Deleted\r\n", SIZE_MAX);
    expect_in(said, "* 2 FETCH (FLAGS (\\Deleted))\r\na NO [UNAVAILABLE]", true);
    expect_in(said, "* 3 FETCH", false);
    said = lobby_ask(&lobby, "b MOVE 1:* Other\r\n", SIZE_MAX);
    expect_in(said, "* OK [COPYUID 11 1:2 1:2] moved\r\n", true);
    expect_in(said, "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\nb NO [OVERQUOTA]", true);
    lobby.is_cut = false;
    said = lobby_ask(&lobby, "c MOVE 1:* Other\r\n", SIZE_MAX);
    expect_in(said, "* OK [COPYUID 11 3:5 3:5] moved\r\n* 1 EXPUNGE\r\n", true);
    lobby_finish(&lobby);
}

static void
an_expunge_in_parts_has_one_answer(void **state)
{
    struct lobby lobby;

    (void)state;
    begin_long(&lobby, SELECT "3 STORE 1:* +FLAGS.SILENT \\Deleted\r\n");
    lobby.is_cut = true;
    expect_in(lobby_ask(&lobby, "a EXPUNGE\r\n", SIZE_MAX),
              "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\na NO", true);
    lobby.is_cut = false;
    expect_in(lobby_ask(&lobby, "b EXPUNGE\r\n", SIZE_MAX),
              "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\nb OK", true);
    lobby_finish(&lobby);
    begin_long(&lobby, SELECT "3 STORE 1:* +FLAGS.SILENT \\Deleted\r\n");
    expect_in(lobby_ask(&lobby, "a CLOSE\r\n", SIZE_MAX), "a OK closed", true);
    expect_in(lobby_ask(&lobby, "b SELECT INBOX\r\n", SIZE_MAX), "* 0 EXISTS", true);
    lobby_finish(&lobby);
}

static void
searches_find(void **state)
{
    (void)state;
    ASK(SELECT, "a SEARCH ALL\r\n", "* SEARCH 1 2\r\n");
    ASK(SELECT, "a SEARCH SUBJECT CAF\xC3\x89\r\n", "* SEARCH 1\r\n");
    ASK(SELECT, "a SEARCH NOT FROM ann\r\n", "* SEARCH\r\n");
    ASK(SELECT, "a SEARCH OR BODY FIRST TEXT world\r\n", "* SEARCH 1 2\r\n");
    ASK(SELECT, "a SEARCH SENTON 7-Feb-1994 (UNSEEN NOT (DELETED))\r\n", "* SEARCH 1\r\n");
    ASK(SELECT, "a SEARCH HEADER message-id 1@ex\r\n", "* SEARCH 1\r\n");
    ASK(SELECT, "a SEARCH RETURN (MIN MAX COUNT) LARGER 10\r\n",
        "* ESEARCH (TAG \"a\") MIN 1 MAX 2 COUNT 2\r\n");
    ASK(SELECT, "a UID SEARCH RETURN (PARTIAL -1:-1) ALL\r\n",
        "* ESEARCH (TAG \"a\") UID PARTIAL (-1:-1 2)\r\n");
    ASK(SELECT "3 SEARCH RETURN (SAVE) SUBJECT two\r\n", "a FETCH $ UID\r\n", "* 2 FETCH (UID 2)");
    ASK(SELECT, "a SEARCH CHARSET koi9 ALL\r\n", "a NO [BADCHARSET (UTF-8 US-ASCII)]");
    ASK(SELECT, "a SEARCH OR ALL\r\n", "a BAD");
    ASK(SELECT, "a SEARCH (ALL\r\n", "a BAD");
    ASK(SELECT, "a SEARCH YOUNGER 3600\r\nb SEARCH OLDER 3600\r\n", "* SEARCH\r\n",
        "* SEARCH 1 2\r\n");
}

static void
messages_are_put_in_order(void **state)
{
    (void)state;
    ASK(SELECT, "a SORT (SUBJECT) UTF-8 ALL\r\n", "* SORT 1 2\r\n", "a OK");
    ASK(SELECT, "a UID SORT (REVERSE SUBJECT DATE) UTF-8 ALL\r\n", "* SORT 2 1\r\n");
    /* from what the first search has left behind */
    ASK(SELECT "1 SEARCH SUBJECT x\r\n",
        "a SEARCH SUBJECT CAF\xC3\x89 SENTON 7-Feb-1994 LARGER 10 SINCE 1-Jan-1990\r\n",
        "* SEARCH 1\r\n", "a OK");
    ASK(SELECT "1 SORT (DATE) UTF-8 ALL\r\n", "a UID SORT (REVERSE SUBJECT DATE) UTF-8 ALL\r\n",
        "* SORT 2 1\r\n");
    ASK(SELECT, "a SORT (NONSENSE) UTF-8 ALL\r\n", "a BAD");
    ASK(SELECT, "a SORT (DATE) koi9 ALL\r\n", "a NO [BADCHARSET");
    ASK(SELECT, "a THREAD REFERENCES UTF-8 SUBJECT two\r\n", "* THREAD (2)\r\n");
    ASK(SELECT, "a THREAD ORDEREDSUBJECT UTF-8 DELETED\r\n", "* THREAD\r\n");
}

static void
idle_hears_of_deliveries(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, SELECT);
    expect_in(lobby_ask(&lobby, "a IDLE\r\n", 1), "+ idling", true);
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 0, letter);
    expect_in(buffer_slice(&lobby.said), "* 3 EXISTS", true);
    expect_in(lobby_ask(&lobby, "DONE\r\n", 1), "a OK", true);
    lobby_finish(&lobby);
}

/* How often `piece` is in the text. */
static size_t
times_in(struct slice text, struct slice piece)
{
    size_t count = 0;

    for (size_t i = 0; i + piece.len <= text.len; i++)
        count += slice_equal(slice_first(slice_skip(text, i), piece.len), piece);
    return count;
}

static void
what_came_aside_is_heard_once_more_in_idle(void **state)
{
    static const struct {
        const char *words;
        size_t times;
    } ways[] = {
        {"b STORE 1 +FLAGS (\\Seen)\r\n", 1}, {"b FETCH 1 UID\r\n", 1}, {"b NOOP\r\n", 0}};
    struct lobby lobby;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        begin(&lobby, SELECT);
        lobby_deliver(&lobby, 0, letter);
        expect_in(lobby_ask(&lobby, ways[i].words, 1), "* 3 EXISTS", true);
        struct slice said = lobby_ask(&lobby, "c IDLE\r\n", 1);
        assert_int_equal(times_in(said, SLICE("* 3 EXISTS\r\n")), ways[i].times);
        expect_in(lobby_ask(&lobby, "DONE\r\nd IDLE\r\n", 1), "EXISTS", false);
        expect_in(lobby_ask(&lobby, "DONE\r\n", 1), "d OK", true);
        lobby_finish(&lobby);
    }
    /* what came besides is told in the same number */
    begin(&lobby, SELECT);
    lobby_deliver(&lobby, 0, letter);
    expect_in(lobby_ask(&lobby, "b FETCH 1 UID\r\n", 1), "* 3 EXISTS", true);
    lobby_deliver(&lobby, 0, letter);
    struct slice said = lobby_ask(&lobby, "c IDLE\r\n", 1);
    assert_int_equal(times_in(said, SLICE("EXISTS")), 1);
    expect_in(said, "* 4 EXISTS", true);
    lobby_finish(&lobby);
    /* another mailbox knows nothing of it */
    begin(&lobby, SELECT);
    lobby_deliver(&lobby, 0, letter);
    expect_in(lobby_ask(&lobby, "b FETCH 1 UID\r\n", 1), "* 3 EXISTS", true);
    (void)lobby_ask(&lobby, "c SELECT Other\r\n", 1);
    expect_in(lobby_ask(&lobby, "d IDLE\r\n", 1), "EXISTS", false);
    lobby_finish(&lobby);
}

/* The client's DONE may be on its way while the number is pushed. */
static void
what_came_while_idle_ended_is_heard_once_more(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, SELECT);
    (void)lobby_ask(&lobby, "a IDLE\r\n", 1);
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 0, letter);
    assert_int_equal(times_in(buffer_slice(&lobby.said), SLICE("* 3 EXISTS\r\n")), 1);
    expect_in(lobby_ask(&lobby, "DONE\r\nb STORE 1 +FLAGS (\\Seen)\r\n", 1), "EXISTS", false);
    struct slice said = lobby_ask(&lobby, "c IDLE\r\n", 1);
    assert_int_equal(times_in(said, SLICE("* 3 EXISTS\r\n")), 1);
    /* and that was all, until there is more */
    expect_in(lobby_ask(&lobby, "DONE\r\nd IDLE\r\n", 1), "EXISTS", false);
    lobby_deliver(&lobby, 0, letter);
    said = lobby_ask(&lobby, "DONE\r\ne IDLE\r\n", 1);
    assert_int_equal(times_in(said, SLICE("EXISTS")), 1);
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 0, letter);
    assert_int_equal(times_in(buffer_slice(&lobby.said), SLICE("EXISTS")), 1);
    expect_in(buffer_slice(&lobby.said), "* 5 EXISTS", true);
    expect_in(lobby_ask(&lobby, "DONE\r\nf IDLE\r\n", 1), "* 5 EXISTS", true);
    expect_in(lobby_ask(&lobby, "DONE\r\ng IDLE\r\n", 1), "EXISTS", false);
    /* what NOOP has told is known, whatever was pushed before */
    lobby_deliver(&lobby, 0, letter);
    (void)lobby_ask(&lobby, "DONE\r\n", 1);
    lobby_deliver(&lobby, 0, letter);
    expect_in(lobby_ask(&lobby, "h NOOP\r\n", 1), "* 7 EXISTS", true);
    expect_in(lobby_ask(&lobby, "i IDLE\r\n", 1), "EXISTS", false);
    lobby_finish(&lobby);
}

/* The store removes it between the row and the octets: a literal that was begun could not be ended,
 * and the session would be. */
static void
what_goes_before_it_is_read_is_nil(void **state)
{
    struct lobby lobby;

    (void)state;
    for (int is_late = 0; is_late < 2; is_late++) {
        begin(&lobby, SELECT);
        lobby.is_apart = true;
        lobby.is_late = is_late;
        struct slice said = lobby_ask(&lobby, "b FETCH 1 (BODY[] UID)\r\n", 1);
        expect_in(said, "* 1 FETCH (BODY[] NIL UID 1", is_late);
        expect_in(said, "* 1 FETCH (BODY[] {", !is_late);
        expect_in(said, "b OK", true);
        expect_in(said, "b OK [EXPUNGEISSUED]", is_late);
        said = lobby_ask(&lobby, "c FETCH 1 (BODY.PEEK[]<3.5> BODY.PEEK[]<9000.5>)\r\n", 1);
        expect_in(said, "(BODY[]<3> NIL BODY[]<9000> {0}\r\n)", is_late);
        expect_in(said, "(BODY[]<3> {5}\r\n", !is_late);
        expect_in(lobby_ask(&lobby, "d NOOP\r\n", 1), "d OK", true);
        lobby_finish(&lobby);
    }
}

static void
without_a_limit_there_is_no_quota_root(void **state)
{
    struct lobby lobby;

    (void)state;
    /* What is too large comes nevertheless, or does not: who waits is told no. */
    ASK("", "a SELECT {262145}\r\nb NOOP\r\n", "a BAD [TOOBIG]", "b OK");
    ASK("", "a GETQUOTAROOT INBOX\r\n",
        "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 2 10)\r\n");
    begin(&lobby, "");
    lobby.is_unlimited = true;
    struct slice said = lobby_ask(&lobby, "a GETQUOTAROOT INBOX\r\n", 1);
    assert_true(slice_equal(said, SLICE("* QUOTAROOT INBOX\r\na OK done\r\n")));
    said = lobby_ask(&lobby, "b GETQUOTA \"\"\r\n", 1);
    assert_true(slice_equal(said, SLICE("b NO [NONEXISTENT] nothing limits it\r\n")));
    lobby_finish(&lobby);
}

static void
what_is_wrong_is_answered_and_the_session_goes_on(void **state)
{
    (void)state;
    ASK("", "\r\n", "* BAD");
    ASK("", "a\r\n", "BAD");
    ASK("", "a NONSENSE\r\nb NOOP\r\n", "a BAD", "b OK");
    ASK("", "a NOOP x\r\nb NOOP\r\n", "a BAD", "b OK");
    ASK(SELECT, "a FETCH 1 (BODY[1\r\nb NOOP\r\n", "a BAD", "b OK");
    ASK("", "a SELECT {300000+}\r\n", "a BAD [TOOBIG]");
    ASK("", "a GETQUOTAROOT INBOX\r\n", "* QUOTA \"\" (STORAGE 2 10)");
    ASK("", "a ID NIL\r\nb NAMESPACE\r\nc CAPABILITY\r\n", "* ID (\"name\"", "* NAMESPACE",
        "UIDPLUS");
}

static void
who_waits_long_hears_how_far_it_is(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, SELECT);
    for (size_t i = 0; i < 40; i++)
        lobby_deliver(&lobby, 0, letter);
    expect_in(lobby_ask(&lobby, "a SEARCH BODY world\r\n", SIZE_MAX), "INPROGRESS", false);
    lobby.tick_s = 60;
    struct slice said = lobby_ask(&lobby, "b SEARCH BODY world\r\n", SIZE_MAX);
    expect_in(said, "* OK [INPROGRESS (\"b\" 32 42)]", true);
    expect_in(said, "* SEARCH 1 3 4", true);
    expect_in(said, "INPROGRESS (\"b\" 42 42)", false); /* that is the end */
    lobby.tick_s = 0;
    expect_in(lobby_ask(&lobby, "c SEARCH BODY world\r\n", SIZE_MAX), "INPROGRESS", false);
    lobby.tick_s = 60;
    expect_in(lobby_ask(&lobby, "b] SEARCH BODY world\r\n", 1), "INPROGRESS (NIL 32 42)", true);
    lobby_finish(&lobby);
}

/* Packs as a client does, or unpacks what the server has said. */
static struct slice
through_zlib(z_stream *stream, int (*run)(z_stream *stream, int flush), struct slice input,
             uint8_t *room, size_t size)
{
    stream->next_in = (uint8_t *)(uintptr_t)input.at;
    stream->avail_in = (uInt)input.len;
    stream->next_out = room;
    stream->avail_out = (uInt)size;
    assert_int_equal(run(stream, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(stream->avail_in, 0);
    return slice_of(room, size - stream->avail_out);
}

static void
both_sides_pack(void **state)
{
    static uint8_t packed[1 << 16], plain[1 << 20];
    z_stream pack = {0}, unpack = {0};
    struct lobby lobby;

    (void)state;
    for (size_t step = SIZE_MAX; step > 0; step = step == 1 ? 0 : 1) {
        begin(&lobby, SELECT);
        assert_int_equal(deflateInit2(&pack, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(inflateInit2(&unpack, -15), Z_OK);
        expect_in(lobby_ask(&lobby, "a COMPRESS LZW\r\n", step), "a BAD", true);
        expect_in(lobby_ask(&lobby, "b COMPRESS DEFLATE\r\n", step), "b OK", true);
        struct slice commands =
            through_zlib(&pack, deflate, SLICE("c COMPRESS DEFLATE\r\nd FETCH 1:2 BODY[]\r\n"),
                         packed, sizeof(packed));
        buffer_clear(&lobby.said);
        for (; commands.len > 0; commands = slice_skip(commands, step))
            lobby_say(&lobby, slice_first(commands, step));
        struct slice said =
            through_zlib(&unpack, inflate, buffer_slice(&lobby.said), plain, sizeof(plain));
        expect_in(said, "c NO [COMPRESSIONACTIVE]", true);
        expect_in(said, "BODY[] {", true);
        expect_in(said, "\r\nd OK", true);
        buffer_clear(&lobby.said);
        lobby_say(&lobby, SLICE("\7\7\7 no deflate"));
        said = through_zlib(&unpack, inflate, buffer_slice(&lobby.said), plain, sizeof(plain));
        expect_in(said, "* BYE that cannot be unpacked", true);
        assert_true(lobby.is_closed);
        (void)deflateEnd(&pack);
        (void)inflateEnd(&unpack);
        lobby_finish(&lobby);
    }
}

/* For clients that take as many octets as came packed, and look for no line among the rest. */
static void
what_is_said_in_idle_is_not_shorter_packed(void **state)
{
    static uint8_t packed[1 << 16], plain[1 << 16];
    z_stream pack = {0}, unpack = {0};
    struct lobby lobby;

    (void)state;
    begin(&lobby, SELECT "b COMPRESS DEFLATE\r\n");
    assert_int_equal(deflateInit2(&pack, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(inflateInit2(&unpack, -15), Z_OK);
    for (int round = 0; round < 3; round++) {
        const char *const idles[] = {"c IDLE\r\n", "DONE\r\nd FETCH 1 UID\r\n"};
        lobby_deliver(&lobby, 0, letter);
        for (size_t i = 0; i < COUNT_OF(idles); i++) {
            buffer_clear(&lobby.said);
            lobby_say(&lobby, through_zlib(&pack, deflate, slice_of_string(idles[i]), packed,
                                           sizeof(packed)));
            size_t came = buffer_len(&lobby.said);
            struct slice said =
                through_zlib(&unpack, inflate, buffer_slice(&lobby.said), plain, sizeof(plain));
            expect_in(said, i == 0 ? "+ idling" : "d OK", true);
            expect_in(said, "EXISTS", i == 0);
            assert_true(i == 0 ? came >= said.len : round == 0 || came < said.len);
        }
    }
    (void)deflateEnd(&pack);
    (void)inflateEnd(&unpack);
    lobby_finish(&lobby);
}

/* 20 MiB of blanks in 20 KiB are a line that is too long, not a full memory. */
static void
little_does_not_become_much(void **state)
{
    static uint8_t packed[1 << 20], plain[1 << 20], blanks[1 << 20];
    z_stream pack = {0}, unpack = {0};
    struct lobby lobby;

    (void)state;
    begin(&lobby, "b COMPRESS DEFLATE\r\n");
    assert_int_equal(deflateInit2(&pack, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(inflateInit2(&unpack, -15), Z_OK);
    buffer_clear(&lobby.said);
    for (size_t i = 0; i < sizeof(blanks); i++)
        blanks[i] = ' ';
    for (size_t i = 0; i < 20; i++)
        lobby_say(&lobby, through_zlib(&pack, deflate, slice_of(blanks, sizeof(blanks)), packed,
                                       sizeof(packed)));
    lobby_say(&lobby,
              through_zlib(&pack, deflate, SLICE("\r\nd NOOP\r\n"), packed, sizeof(packed)));
    struct slice said =
        through_zlib(&unpack, inflate, buffer_slice(&lobby.said), plain, sizeof(plain));
    expect_in(said, "BAD [TOOBIG]", true);
    expect_in(said, "d OK", true);
    (void)deflateEnd(&pack);
    (void)inflateEnd(&unpack);
    lobby_finish(&lobby);
}

/* A search whose keys have this many octets, with their CRLF. */
static bool
is_kept_up_to_date(size_t keys)
{
    static const char head[] = "c UID SEARCH RETURN (UPDATE COUNT) ";
    struct lobby lobby;
    struct buffer line;

    begin(&lobby, SELECT);
    buffer_init(&line, IMAP_COMMAND_MAX);
    buffer_put_text(&line, head);
    /* Two, for one text may have 4,096 octets. */
    buffer_put_text(&line, "SUBJECT \"");
    for (size_t i = 0; i < 4090; i++)
        buffer_put_byte(&line, 'x');
    buffer_put_text(&line, "\" SUBJECT \"");
    while (buffer_len(&line) < sizeof(head) - 1 + keys - 3)
        buffer_put_byte(&line, 'x');
    buffer_put_text(&line, "\"\r\n");
    buffer_clear(&lobby.said);
    lobby_say(&lobby, buffer_slice(&line));
    expect_in(buffer_slice(&lobby.said), "c OK", true);
    struct slice said = buffer_slice(&lobby.said);
    bool is_refused = slice_find(said, SLICE("[NOUPDATE \"c\"]")) < said.len;
    buffer_finish(&line);
    lobby_finish(&lobby);
    return !is_refused;
}

static void
a_search_of_any_length_is_not_kept(void **state)
{
    (void)state;
    assert_true(is_kept_up_to_date(IMAP_CONTEXT_PROGRAM_MAX));
    assert_false(is_kept_up_to_date(IMAP_CONTEXT_PROGRAM_MAX + 1));
}

/* RFC 3501 §6.3.9: also when the level above is no mailbox itself. */
static void
the_level_above_stands_for_what_is_subscribed_below(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, "");
    lobby.boxes[0].name = SLICE("Lists/a/b");
    struct slice said = lobby_ask(&lobby, "a LSUB \"\" %\r\n", SIZE_MAX);
    expect_in(said, "* LSUB (\\Noselect) \"/\" Lists\r\na OK", true);
    said = lobby_ask(&lobby, "b LSUB \"\" Lists/%\r\n", SIZE_MAX);
    expect_in(said, "* LSUB (\\Noselect) \"/\" Lists/a\r\nb OK", true);
    said = lobby_ask(&lobby, "c LSUB \"\" *\r\n", SIZE_MAX);
    expect_in(said, "* LSUB () \"/\" Lists/a/b\r\nc OK", true);
    expect_in(said, "Noselect", false);
    lobby_finish(&lobby);
}

static void
a_client_hears_between_its_commands(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, SELECT);
    expect_in(lobby_ask(&lobby,
                        "a NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge))"
                        " (personal (MessageNew MessageExpunge FlagChange))\r\n",
                        1),
              "a OK", true);
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 1, letter);
    expect_in(buffer_slice(&lobby.said), "* STATUS Other (MESSAGES 1 UIDNEXT 2", true);
    /* A line that has begun waits for nothing, and loses nothing. */
    lobby_say(&lobby, SLICE("b NO"));
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 1, letter);
    lobby_deliver(&lobby, 0, letter);
    expect_in(buffer_slice(&lobby.said), "STATUS", false);
    expect_in(buffer_slice(&lobby.said), "* 3 EXISTS", true);
    lobby_say(&lobby, SLICE("OP\r\n"));
    struct slice said = buffer_slice(&lobby.said);
    expect_in(said, "b OK", true);
    expect_in(said, "* STATUS Other (MESSAGES 2", true);
    expect_in(said, "* 3 FETCH (UID 3 FLAGS ())", true);
    assert_true(lobby_ask(&lobby, "c NOTIFY NONE\r\n", 1).len > 0);
    buffer_clear(&lobby.said);
    lobby_deliver(&lobby, 0, letter);
    lobby_deliver(&lobby, 1, letter);
    assert_int_equal(buffer_len(&lobby.said), 0);
    lobby_finish(&lobby);
}

/* What the index says is believed below its position (here it lies, to be told from reading); what
 * lies behind is read. */
static void
searches_ask_the_index(void **state)
{
    struct lobby lobby;

    (void)state;
    begin(&lobby, "");
    for (unsigned i = 3; i <= 30; i++)
        lobby_deliver(&lobby, 0,
                      i % 10 ? "Subject: s\r\n\r\nblue\r\n" : "Subject: s\r\n\r\nred\r\n");
    lobby.indexed_below = 20;
    lobby.indexed_uid = 7;
    lobby_ask(&lobby, SELECT, 1);
    expect_in(lobby_ask(&lobby, "a SEARCH BODY red\r\n", 1), "* SEARCH 7 20 30\r\n", true);
    expect_in(lobby_ask(&lobby, "b SEARCH NOT BODY red 1:22\r\n", 1),
              "* SEARCH 1 2 3 4 5 6 8 9 10 11 12 13 14 15 16 17 18 19 21 22\r\n", true);
    expect_in(lobby_ask(&lobby, "c SEARCH OR BODY red TEXT none\r\n", 1), "* SEARCH 7 20 30\r\n",
              true);
    assert_int_equal(lobby.searches, 4);
    /* A few messages are read sooner than asked about. */
    expect_in(lobby_ask(&lobby, "d SEARCH BODY red 5:12\r\n", 1), "* SEARCH 10\r\n", true);
    assert_int_equal(lobby.searches, 4);
    /* Without an index all are read. */
    lobby.indexed_below = 0;
    expect_in(lobby_ask(&lobby, "e SEARCH BODY red\r\n", 1), "* SEARCH 10 20 30\r\n", true);
    assert_int_equal(lobby.searches, 5);
    lobby_finish(&lobby);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_envelopes_is_searched_without_the_store),
        cmocka_unit_test(passwords_open_the_door),
        cmocka_unit_test(mailboxes_are_listed_and_selected),
        cmocka_unit_test(messages_are_fetched_in_every_part),
        cmocka_unit_test(structures_are_exact),
        cmocka_unit_test(sections_are_cut_out),
        cmocka_unit_test(flags_are_stored),
        cmocka_unit_test(messages_are_copied_moved_and_appended),
        cmocka_unit_test(a_store_in_parts_has_one_answer),
        cmocka_unit_test(changes_between_the_parts_of_a_store_are_told),
        cmocka_unit_test(what_a_long_command_has_done_when_it_fails_is_told),
        cmocka_unit_test(an_expunge_in_parts_has_one_answer),
        cmocka_unit_test(searches_find),
        cmocka_unit_test(searches_ask_the_index),
        cmocka_unit_test(messages_are_put_in_order),
        cmocka_unit_test(idle_hears_of_deliveries),
        cmocka_unit_test(what_came_aside_is_heard_once_more_in_idle),
        cmocka_unit_test(what_came_while_idle_ended_is_heard_once_more),
        cmocka_unit_test(what_goes_before_it_is_read_is_nil),
        cmocka_unit_test(without_a_limit_there_is_no_quota_root),
        cmocka_unit_test(what_is_wrong_is_answered_and_the_session_goes_on),
        cmocka_unit_test(who_waits_long_hears_how_far_it_is),
        cmocka_unit_test(both_sides_pack),
        cmocka_unit_test(what_is_said_in_idle_is_not_shorter_packed),
        cmocka_unit_test(little_does_not_become_much),
        cmocka_unit_test(a_search_of_any_length_is_not_kept),
        cmocka_unit_test(a_client_hears_between_its_commands),
        cmocka_unit_test(the_level_above_stands_for_what_is_subscribed_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
