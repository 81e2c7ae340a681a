/* SPDX-License-Identifier: ISC */
/* The client engine's questions and the server's data: against written servers, and against our
 * own server engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/grammar.h"
#include "imap/tests/client_scene.h"
#include "imap/tests/lobby.h"

#include <stdio.h>
#include <stdlib.h>

#define HELLO                                                                                      \
    "* OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS MOVE IDLE ENABLE QRESYNC NAMESPACE] hi\r\n"
#define FACTS "IMAP4rev1 LITERAL+ UIDPLUS MOVE IDLE ENABLE QRESYNC NAMESPACE UNSELECT LIST-EXTENDED"
#define GRANTED "A1 OK [CAPABILITY " FACTS "] in\r\n"
#define LOGIN "A1 LOGIN \"mrose\" \"secret\"\r\n"

static struct scene
scene_of(const struct imap_client_question *questions, size_t count)
{
    struct scene scene = {.options = scene_defaults, .questions_count = count};

    memcpy(scene.questions, questions, count * sizeof(*questions));
    return scene;
}

static void
expect(struct imap_client_question question, const char *server, const char *sent, const char *told)
{
    struct scene scene = scene_of(&question, 1);
    char said[4000], wrote[4000], heard[4000];

    snprintf(said, sizeof(said), HELLO GRANTED "%s", server);
    snprintf(wrote, sizeof(wrote), LOGIN "%s", sent);
    snprintf(heard, sizeof(heard), "logged in\n%s", told);
    scene_expect(&scene, said, wrote, heard);
}

/* The same in a selected mailbox of three messages. */
static void
expect_selected(struct imap_client_question question, const char *server, const char *sent,
                const char *told)
{
    const struct imap_client_question questions[] = {
        {.command = IMAP_CLIENT_SELECT, .mailbox = SLICE("INBOX")}, question};
    struct scene scene = scene_of(questions, 2);
    char said[4000], wrote[4000], heard[4000];

    snprintf(said, sizeof(said), HELLO GRANTED "* 3 EXISTS\r\nA2 OK [READ-WRITE] done\r\n%s",
             server);
    snprintf(wrote, sizeof(wrote), LOGIN "A2 SELECT \"INBOX\"\r\n%s", sent);
    snprintf(heard, sizeof(heard), "logged in\nexists 3\nreply 5 ok [READ-WRITE] done\n%s", told);
    scene_expect(&scene, said, wrote, heard);
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

static void
mailboxes_are_listed_with_their_uses_and_names(void **state)
{
    (void)state;
    expect((struct imap_client_question){.command = IMAP_CLIENT_LIST, .other = SLICE("*")},
           "* LIST (\\HasChildren) \"/\" inbox\r\n"
           "* LIST (\\Sent \\Subscribed) \".\" \"Envoy&AOk-s\"\r\n"
           "* LIST (\\Noselect) NIL {7}\r\na\"\\ {3}\r\n"
           "* LIST () \"/\" &wrong\r\n"
           "A2 OK done\r\n",
           "A2 LIST \"\" \"*\"\r\n",
           "list INBOX inbox / 4\n"
           "list Envoy\303\251s Envoy&AOk-s . 520\n"
           "list a\"\\ {3} a\"\\ {3}  1\n"
           "list &wrong &wrong / 0\n"
           "reply 2 ok [] done\n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_LIST,
                                         .other = SLICE("*"),
                                         .text = SLICE("SPECIAL-USE")},
           "* LIST (\\Trash) \"/\" x (CHILDINFO (\"SUBSCRIBED\"))\r\nA2 OK done\r\n",
           "A2 LIST \"\" \"*\" RETURN (SPECIAL-USE)\r\n", "list x x / 1024\nreply 2 ok [] done\n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_LSUB, .other = SLICE("%")},
           "* LSUB () \"/\" x\r\nA2 OK done\r\n", "A2 LSUB \"\" \"%\"\r\n",
           "list x x / 8\nreply 3 ok [] done\n");
}

static void
names_leave_in_modified_utf7_or_as_they_came(void **state)
{
    (void)state;
    expect((struct imap_client_question){.command = IMAP_CLIENT_RENAME,
                                         .mailbox = SLICE("\303\251t\303\251"),
                                         .other = SLICE("say \"&\"")},
           "A2 NO [NONEXISTENT] no\r\n", "A2 RENAME \"&AOk-t&AOk-\" \"say \\\"&-\\\"\"\r\n",
           "reply 9 no [NONEXISTENT] no\n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_DELETE,
                                         .mailbox = SLICE("&x\351"),
                                         .is_wire = true},
           "A2 OK\r\n", "A2 DELETE {3+}\r\n&x\351\r\n", "reply 8 ok [] \n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_DELETE, .mailbox = SLICE("\351")},
           "", "", "not asked\n");
}

static void
a_status_is_read(void **state)
{
    (void)state;
    expect((struct imap_client_question){.command = IMAP_CLIENT_STATUS,
                                         .mailbox = SLICE("x"),
                                         .text = SLICE("MESSAGES SIZE")},
           "* STATUS x (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 7 UNSEEN 4 HIGHESTMODSEQ "
           "7011231777 SIZE 5000000000 MAILBOXID (F2) )\r\nA2 OK done\r\n",
           "A2 STATUS \"x\" (MESSAGES SIZE)\r\n",
           "status x messages 231 unseen 4 next 44292 validity 7 modseq 7011231777 size "
           "5000000000\nreply 4 ok [] done\n");
}

static void
a_personal_namespace_is_told(void **state)
{
    (void)state;
    expect((struct imap_client_question){.command = IMAP_CLIENT_NAMESPACE},
           "* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"shared.\" \".\"))\r\nA2 OK done\r\n",
           "A2 NAMESPACE\r\n", "namespace INBOX. INBOX. . 0\nreply 1 ok [] done\n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_NAMESPACE},
           "* NAMESPACE NIL NIL NIL\r\nA2 OK done\r\n", "A2 NAMESPACE\r\n", "reply 1 ok [] done\n");
}

static void
what_the_server_cannot_do_is_not_asked(void **state)
{
    (void)state;
    expect((struct imap_client_question){.command = IMAP_CLIENT_CREATE,
                                         .mailbox = SLICE("x"),
                                         .text = SLICE("\\Sent")},
           "", "", "not asked\n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_CLOSE}, "", "", "not asked\n");
    expect((struct imap_client_question){.command = IMAP_CLIENT_ENABLE, .text = SLICE("a\r\nb")},
           "", "", "not asked\n");
    expect_selected(
        (struct imap_client_question){.command = IMAP_CLIENT_FETCH, .uids = SLICE("1 2")}, "", "",
        "not asked\n");
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_FETCH,
                                                  .uids = SLICE("1"),
                                                  .text = SLICE("{3+}")},
                    "", "", "not asked\n");
}

static void
a_selected_mailbox_is_known(void **state)
{
    const struct imap_client_question select = {.command = IMAP_CLIENT_SELECT,
                                                .mailbox = SLICE("INBOX")};
    struct scene like = scene_of(&select, 1), scene;

    (void)state;
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE(HELLO GRANTED));
    scene_feed(&scene, SLICE("* FLAGS (\\Seen)\r\n* 172 EXISTS\r\n* 1 RECENT\r\n"
                             "* OK [UNSEEN 12] first unseen\r\n* OK [UIDVALIDITY 3857529045] ok\r\n"
                             "* OK [UIDNEXT 4392] ok\r\n* OK [HIGHESTMODSEQ 715194045007] ok\r\n"
                             "* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] ok\r\n"
                             "A2 OK [READ-ONLY] done\r\n"));
    struct imap_client_mailbox mailbox = imap_client_mailbox(scene.client);
    assert_int_equal(mailbox.status.messages, 172);
    assert_int_equal(mailbox.status.uid_validity, 3857529045);
    assert_int_equal(mailbox.status.uid_next, 4392);
    assert_int_equal(mailbox.status.highest_modseq, INT64_C(715194045007));
    assert_true(mailbox.is_read_only && mailbox.allows_keywords);
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_SELECTED);
    scene_feed(&scene, SLICE("* 172 EXPUNGE\r\n* VANISHED 1:2,9\r\n* VANISHED (EARLIER) 4\r\n"));
    assert_int_equal(imap_client_mailbox(scene.client).status.messages, 168);
    scene_close(&scene);
}

static void
a_mailbox_that_cannot_be_selected_leaves_none(void **state)
{
    const struct imap_client_question questions[] = {
        {.command = IMAP_CLIENT_SELECT, .mailbox = SLICE("a")},
        {.command = IMAP_CLIENT_EXAMINE, .mailbox = SLICE("b"), .text = SLICE("CONDSTORE")}};
    struct scene like = scene_of(questions, 2), scene;

    (void)state;
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE(HELLO GRANTED "* 4 EXISTS\r\nA2 OK\r\n* OK [CLOSED] old\r\n"));
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_SELECTED);
    scene_feed(&scene, SLICE("A3 NO [NONEXISTENT] no\r\n"));
    assert_int_equal(imap_client_state(scene.client), IMAP_CLIENT_AUTHENTICATED);
    assert_int_equal(imap_client_mailbox(scene.client).status.messages, 0);
    scene_expect_text(&scene.sent, LOGIN "A2 SELECT \"a\"\r\nA3 EXAMINE \"b\" (CONDSTORE)\r\n");
    scene_close(&scene);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void
attributes_of_messages_are_read(void **state)
{
    (void)state;
    expect_selected(
        (struct imap_client_question){.command = IMAP_CLIENT_FETCH,
                                      .uids = SLICE("1:*"),
                                      .text = SLICE("FLAGS INTERNALDATE RFC822.SIZE")},
        "* 1 FETCH (UID 4 FLAGS (\\Seen $Forwarded) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" "
        "RFC822.SIZE 44827 MODSEQ (65402))\r\n"
        "* 2 FETCH (ENVELOPE (NIL {3}\r\n\")(((\"a\" NIL \"b\" \"c\")) \"\\\"\") X-GM-LABELS "
        "(\\Inbox) UID 7)\r\n"
        "* 3 FETCH (FLAGS ())\r\n"
        "A3 OK done\r\n",
        "A3 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\r\n",
        "fetch 1 uid 4 flags \\Seen $Forwarded=1 date 837596665 size 44827 modseq 65402\n"
        "fetch 2 uid 7\n"
        "fetch 3 flags =0\n"
        "reply 14 ok [] done\n");
}

static void
bodies_come_as_literals_strings_and_nil(void **state)
{
    (void)state;
    expect_selected(
        (struct imap_client_question){
            .command = IMAP_CLIENT_FETCH, .uids = SLICE("4,7"), .text = SLICE("BODY.PEEK[]")},
        "* 1 FETCH (UID 4 FLAGS (\\Seen) BODY[] {12}\r\nSubject: )\r\n FLAGS () "
        "BODY[HEADER.FIELDS (TO)]<0> {0}\r\n BODY[1] \"a\\\"b\" BODY[2] NIL)\r\n"
        "* 2 FETCH (BINARY[1.2] ~{3}\r\n\001\002\n UID 7)\r\n"
        "* 2 FETCH (UID 7 BODYSTRUCTURE (\"text\" {5}\r\nplain) RFC822.HEADER {2}\r\n\r\n)\r\n"
        "A3 OK done\r\n",
        "A3 UID FETCH 4,7 (UID BODY.PEEK[])\r\n",
        "body [] of 4 octets 12: Subject: )\r\n\n"
        "body [HEADER.FIELDS (TO)] of 4 octets 0: \n"
        "body [1] of 4 octets 3: a\"b\n"
        "body [2] of 4 octets 0: \n"
        "fetch 1 uid 4 flags =0\n"
        "body [1.2] of 0 octets 3: \001\002\n\n"
        "fetch 2 uid 7\n"
        "fetch 2 uid 7\n"
        "reply 14 ok [] done\n");
}

/* A literal that is no body, then one that is: the octets of the first are no attributes. */
static void
bodies_come_behind_literals_of_other_kinds(void **state)
{
    (void)state;
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_FETCH,
                                                  .uids = SLICE("4"),
                                                  .text = SLICE("BODY.PEEK[]")},
                    "* 1 FETCH (UID 4 PREVIEW {4}\r\na b) BODY[] {2}\r\n\r\n)\r\n"
                    "* 1 FETCH (BODY[1] {1}\r\nx PREVIEW ~{2}\r\n)( BODY[2] {1}\r\ny UID 4)\r\n"
                    "A3 OK done\r\n",
                    "A3 UID FETCH 4 (UID BODY.PEEK[])\r\n",
                    "body [] of 4 octets 2: \r\n\n"
                    "fetch 1 uid 4\n"
                    "body [1] of 0 octets 1: x\n"
                    "body [2] of 0 octets 1: y\n"
                    "fetch 1 uid 4\n"
                    "reply 14 ok [] done\n");
}

static void
changes_since_are_asked_for(void **state)
{
    (void)state;
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_FETCH,
                                                  .uids = SLICE("1:*"),
                                                  .text = SLICE("FLAGS"),
                                                  .changed_since = 12345,
                                                  .wants_vanished = true},
                    "* VANISHED (EARLIER) 41,43:116,211\r\n"
                    "* 1 FETCH (UID 1 MODSEQ (12346) FLAGS (\\Seen))\r\nA3 OK done\r\n",
                    "A3 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 12345 VANISHED)\r\n",
                    "vanished 41:41\nvanished 43:116\nvanished 211:211\n"
                    "fetch 1 uid 1 flags \\Seen=1 modseq 12346\nreply 14 ok [] done\n");
}

static void
flags_are_stored_and_messages_moved(void **state)
{
    (void)state;
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_STORE,
                                                  .uids = SLICE("2:4"),
                                                  .text = SLICE("+"),
                                                  .flags = SLICE("\\Deleted $Junk")},
                    "A3 OK done\r\n", "A3 UID STORE 2:4 +FLAGS.SILENT (\\Deleted $Junk)\r\n",
                    "reply 15 ok [] done\n");
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_MOVE,
                                                  .uids = SLICE("2"),
                                                  .mailbox = SLICE("Trash")},
                    "* OK [COPYUID 432 2 9] moved\r\n* 1 EXPUNGE\r\nA3 OK done\r\n",
                    "A3 UID MOVE 2 \"Trash\"\r\n",
                    "notice ok [COPYUID 432 2 9] moved\nexpunge 1\nreply 18 ok [] done\n");
    expect_selected(
        (struct imap_client_question){.command = IMAP_CLIENT_EXPUNGE, .uids = SLICE("2")},
        "* 1 EXPUNGE\r\nA3 OK done\r\n", "A3 UID EXPUNGE 2\r\n",
        "expunge 1\nreply 19 ok [] done\n");
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_EXPUNGE}, "A3 OK done\r\n",
                    "A3 EXPUNGE\r\n", "reply 19 ok [] done\n");
}

/* ---- search ---------------------------------------------------------------------------------- */

static void
searches_have_strings_in_any_alphabet(void **state)
{
    const struct imap_client_term terms[] = {
        {.key = SLICE("UNSEEN")},
        {.key = SLICE("FROM"), .has_text = true, .text = SLICE("a \"b\"")},
        {.key = SLICE("SUBJECT"), .has_text = true, .text = SLICE("\303\251t\303\251\r\n")},
    };

    (void)state;
    expect_selected(
        (struct imap_client_question){
            .command = IMAP_CLIENT_SEARCH, .terms = terms, .terms_count = 2},
        "* SEARCH 2 84 882\r\nA3 OK done\r\n", "A3 UID SEARCH UNSEEN FROM \"a \\\"b\\\"\"\r\n",
        "numbers 2:2\nnumbers 84:84\nnumbers 882:882\nreply 16 ok [] done\n");
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_SEARCH,
                                                  .terms = terms,
                                                  .terms_count = 3},
                    "* search\r\nA3 OK done\r\n",
                    "A3 UID SEARCH CHARSET UTF-8 UNSEEN FROM \"a \\\"b\\\"\" SUBJECT "
                    "{7+}\r\n\303\251t\303\251\r\n\r\n",
                    "reply 16 ok [] done\n");
    expect_selected(
        (struct imap_client_question){
            .command = IMAP_CLIENT_SEARCH, .terms = terms, .terms_count = 1},
        "* SEARCH 4294967295 1 (MODSEQ 917162500)\r\nA3 OK done\r\n", "A3 UID SEARCH UNSEEN\r\n",
        "numbers 4294967295:4294967295\nnumbers 1:1\nreply 16 ok [] done\n");
    expect_selected((struct imap_client_question){.command = IMAP_CLIENT_SEARCH,
                                                  .terms = terms,
                                                  .terms_count = 1},
                    "* ESEARCH (TAG \"A3\") UID COUNT 17 ALL 4:18,21,9:7\r\nA3 OK done\r\n",
                    "A3 UID SEARCH UNSEEN\r\n",
                    "numbers 4:18\nnumbers 21:21\nnumbers 7:9\nreply 16 ok [] done\n");
}

static void
a_million_numbers_need_no_memory(void **state)
{
    const struct imap_client_term all = {.key = SLICE("ALL")};
    const struct imap_client_question questions[] = {
        {.command = IMAP_CLIENT_SELECT, .mailbox = SLICE("INBOX")},
        {.command = IMAP_CLIENT_SEARCH, .terms = &all, .terms_count = 1}};
    struct scene like = scene_of(questions, 2), scene;

    (void)state;
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE(HELLO GRANTED "A2 OK\r\n* SEARCH"));
    for (unsigned i = 1; i <= 1000000; i++) {
        char number[20];
        int len = snprintf(number, sizeof(number), " %u", i);
        scene_feed(&scene, slice_of(number, (size_t)len));
        buffer_clear(&scene.told);
    }
    scene_feed(&scene, SLICE("\r\nA3 OK done\r\n"));
    scene_expect_text(&scene.told, "numbers 1000000:1000000\nreply 16 ok [] done\n");
    scene_close(&scene);
}

static void
who_does_not_come_to_an_end_is_left(void **state)
{
    static const struct {
        const char *before, *one, *behind; /* with one response at the end */
    } talks[] = {
        {"", "* OK still here\r\n", "A3 OK done\r\n"},
        {"", "* 3 EXISTS\r\n", "A3 OK done\r\n"},
        {"", "* XYZZY 1\r\n", "A3 OK done\r\n"},
        {"* SEARCH", " 7", "\r\nA3 OK done\r\n"}, /* each number counts */
    };
    const uint32_t most = 20;
    const struct imap_client_question questions[] = {
        {.command = IMAP_CLIENT_SELECT, .mailbox = SLICE("INBOX")},
        {.command = IMAP_CLIENT_SEARCH,
         .terms = (struct imap_client_term[]){{.key = SLICE("ALL")}},
         .terms_count = 1}};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(talks); i++) {
        struct scene like = scene_of(questions, 2), scene;
        bool is_over = i % 2;
        like.options.responses_max = most;
        scene_open(&scene, &like);
        scene_feed(&scene, SLICE(HELLO GRANTED "* 3 EXISTS\r\nA2 OK done\r\n"));
        scene_feed(&scene, slice_of_string(talks[i / 2].before));
        for (uint32_t k = 1; k < most + is_over; k++)
            scene_feed(&scene, slice_of_string(talks[i / 2].one));
        scene_feed(&scene, slice_of_string(talks[i / 2].behind));
        struct slice told = buffer_slice(&scene.told);
        size_t at = slice_find(told, SLICE("the server does not come to an end"));
        assert_int_equal(at < told.len, is_over);
        scene_close(&scene);
    }
}

static void
who_greets_for_ever_is_left(void **state)
{
    struct scene like = {.options = scene_defaults}, scene;

    (void)state;
    like.options.responses_max = 20;
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE("* OK [CAPABILITY IMAP4rev1] hello\r\n"));
    for (unsigned i = 0; i < 21; i++) {
        assert_int_equal(slice_find(buffer_slice(&scene.told), SLICE("does not come to an end")),
                         buffer_len(&scene.told));
        scene_feed(&scene, SLICE("* OK hello\r\n"));
    }
    assert_true(slice_find(buffer_slice(&scene.told), SLICE("does not come to an end")) <
                buffer_len(&scene.told));
    scene_close(&scene);
}

/* ---- literals of ours ------------------------------------------------------------------------ */

static void
a_message_is_appended(void **state)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_APPEND,
                                            .mailbox = SLICE("Sent"),
                                            .flags = SLICE("\\Seen"),
                                            .has_date = true,
                                            .date = {INT64_C(837596665) * 1000000000},
                                            .octets = 7};
    struct scene scene = scene_of(&question, 1);

    (void)state;
    scene.message = SLICE("a: b\r\n\n");
    scene_expect(&scene, HELLO GRANTED "A2 OK [APPENDUID 1 2] done\r\n",
                 LOGIN "A2 APPEND \"Sent\" (\\Seen) \"17-Jul-1996 09:44:25 +0000\" {7+}\r\n"
                       "a: b\r\n\n\r\n",
                 "logged in\nreply 13 ok [APPENDUID 1 2] done\n");
    question.octets = 0;
    scene = scene_of(&question, 1);
    scene_expect(&scene, HELLO GRANTED, LOGIN, "logged in\nnot asked\n");
}

static void
without_literal_plus_the_server_agrees_first(void **state)
{
    struct imap_client_question questions[] = {
        {.command = IMAP_CLIENT_APPEND, .mailbox = SLICE("Sent"), .octets = 3},
        {.command = IMAP_CLIENT_APPEND, .mailbox = SLICE("Sent"), .octets = 3},
        {.command = IMAP_CLIENT_RENAME,
         .mailbox = SLICE("\351"),
         .other = SLICE("\352"),
         .is_wire = true}};
    struct scene scene = scene_of(questions, 3);

    (void)state;
    scene.options.password = SLICE("\303\251");
    scene.message = SLICE("abc");
    scene_expect(&scene,
                 "* OK [CAPABILITY IMAP4rev1] hi\r\n+\r\n"
                 "A1 OK [CAPABILITY IMAP4rev1] in\r\n+ go on\r\n* 5 EXISTS\r\nA2 OK done\r\n"
                 "A3 NO [OVERQUOTA] full\r\n+ \r\n+\r\nA4 OK done\r\n",
                 "A1 LOGIN \"mrose\" {2}\r\n\303\251\r\n"
                 "A2 APPEND \"Sent\" {3}\r\nabc\r\n"
                 "A3 APPEND \"Sent\" {3}\r\n"
                 "A4 RENAME {1}\r\n\351 {1}\r\n\352\r\n",
                 "logged in\nexists 5\nreply 13 ok [] done\nreply 13 no [OVERQUOTA] full\n"
                 "reply 9 ok [] done\n");
}

static void
a_large_message_leaves_in_pieces(void **state)
{
    enum { LARGE = 1000000 };
    static char large[LARGE + 1], sent[LARGE + 200];
    struct imap_client_question question = {
        .command = IMAP_CLIENT_APPEND, .mailbox = SLICE("x"), .octets = LARGE};
    struct scene scene = scene_of(&question, 1);

    (void)state;
    memset(large, 'x', LARGE);
    snprintf(sent, sizeof(sent), LOGIN "A2 APPEND \"x\" {1000000+}\r\n%s\r\n", large);
    scene.message = slice_of(large, LARGE);
    scene_expect(&scene, HELLO GRANTED "A2 OK\r\n", sent, "logged in\nreply 13 ok [] \n");
}

static void
idle_ends_when_the_caller_wants_or_at_its_deadline(void **state)
{
    const struct imap_client_question idle = {.command = IMAP_CLIENT_IDLE};
    struct scene like = scene_of(&idle, 1), scene;

    (void)state;
    like.is_done_with_idle = true;
    scene_expect(&like, HELLO GRANTED "+ idling\r\n* OK still here\r\n* 4 EXISTS\r\nA2 OK done\r\n",
                 LOGIN "A2 IDLE\r\nDONE\r\n",
                 "logged in\nidling\nnotice ok [] still here\nexists 4\nreply 22 ok [] done\n");
    scene_open(&scene, &like);
    scene_feed(&scene, SLICE(HELLO GRANTED "+ idling\r\n"));
    assert_int_equal(imap_client_deadline(scene.client).ns,
                     scene.now.ns + (int64_t)IMAP_CLIENT_IDLE_MS * 1000000);
    imap_client_expire(scene.client, imap_client_deadline(scene.client));
    scene_feed(&scene, SLICE("A2 OK done\r\n"));
    scene_expect_text(&scene.sent, LOGIN "A2 IDLE\r\nDONE\r\n");
    scene_expect_text(&scene.told, "logged in\nidling\nreply 22 ok [] done\n");
    scene_close(&scene);
}

/* ---- our own server -------------------------------------------------------------------------- */

/* Carries octets between them until both have said all. */
static void
converse(struct scene *scene, struct lobby *lobby)
{
    size_t before;

    do {
        before = buffer_len(&scene->sent) + buffer_len(&lobby->said);
        struct buffer said;
        buffer_init(&said, 1 << 20);
        buffer_put(&said, buffer_slice(&lobby->said));
        buffer_clear(&lobby->said);
        scene_feed(scene, buffer_slice(&said));
        buffer_finish(&said);
        lobby_say(lobby, buffer_slice(&scene->sent));
        buffer_clear(&scene->sent);
    } while (before > 0);
}

static void
our_own_server_is_understood(void **state)
{
    const struct imap_client_term term = {
        .key = SLICE("SUBJECT"), .has_text = true, .text = SLICE("one")};
    const struct imap_client_question questions[] = {
        {.command = IMAP_CLIENT_LIST, .other = SLICE("*")},
        {.command = IMAP_CLIENT_APPEND, .mailbox = SLICE("INBOX"), .octets = 20},
        {.command = IMAP_CLIENT_SELECT, .mailbox = SLICE("INBOX")},
        {.command = IMAP_CLIENT_SEARCH, .terms = &term, .terms_count = 1},
        {.command = IMAP_CLIENT_STORE,
         .uids = SLICE("1"),
         .text = SLICE("+"),
         .flags = SLICE("\\Seen")},
        {.command = IMAP_CLIENT_FETCH, .uids = SLICE("1:*"), .text = SLICE("FLAGS BODY.PEEK[]")},
        {.command = IMAP_CLIENT_LOGOUT_NOW},
    };
    struct scene like = scene_of(questions, COUNT_OF(questions)), scene;
    struct lobby *lobby = calloc(1, sizeof(*lobby));

    (void)state;
    like.options.name = SLICE("ann");
    like.options.mechanisms[0] = SLICE("PLAIN");
    like.options.mechanisms_count = 1;
    like.message = SLICE("Subject: one\r\n\r\nhi\r\n");
    lobby_init(lobby);
    scene_open(&scene, &like);
    converse(&scene, lobby);
    struct slice told = buffer_slice(&scene.told);
    static const char *const wanted[] = {
        "logged in\n",
        "list INBOX INBOX / ",
        "reply 13 ok [APPENDUID ",
        "numbers 1:1\n",
        "body [] of 1 octets 20: Subject: one\r\n\r\nhi\r\n\nfetch 1 uid 1 flags \\Seen=1\n",
        "close 0 [] ",
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (slice_find(told, slice_of_string(wanted[i])) == told.len)
            fail_msg("not told: %s in %.*s", wanted[i], (int)told.len, (const char *)told.at);
    }
    scene_close(&scene);
    lobby_finish(lobby);
    free(lobby);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_listed_with_their_uses_and_names),
        cmocka_unit_test(names_leave_in_modified_utf7_or_as_they_came),
        cmocka_unit_test(a_status_is_read),
        cmocka_unit_test(a_personal_namespace_is_told),
        cmocka_unit_test(what_the_server_cannot_do_is_not_asked),
        cmocka_unit_test(a_selected_mailbox_is_known),
        cmocka_unit_test(a_mailbox_that_cannot_be_selected_leaves_none),
        cmocka_unit_test(attributes_of_messages_are_read),
        cmocka_unit_test(bodies_come_as_literals_strings_and_nil),
        cmocka_unit_test(bodies_come_behind_literals_of_other_kinds),
        cmocka_unit_test(changes_since_are_asked_for),
        cmocka_unit_test(flags_are_stored_and_messages_moved),
        cmocka_unit_test(searches_have_strings_in_any_alphabet),
        cmocka_unit_test(a_million_numbers_need_no_memory),
        cmocka_unit_test(who_does_not_come_to_an_end_is_left),
        cmocka_unit_test(who_greets_for_ever_is_left),
        cmocka_unit_test(a_message_is_appended),
        cmocka_unit_test(without_literal_plus_the_server_agrees_first),
        cmocka_unit_test(a_large_message_leaves_in_pieces),
        cmocka_unit_test(idle_ends_when_the_caller_wants_or_at_its_deadline),
        cmocka_unit_test(our_own_server_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
