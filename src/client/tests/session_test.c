/* SPDX-License-Identifier: ISC */
/* Sessions over a real socket, against a server that says what its script says. Against real
 * servers, with TLS: tests/interop/desk.py. */
#include "client/folder.h"
#include "client/imap.h"
#include "client/pop.h"
#include "client/submit.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* "C: text" is what the client must say (a line that begins so), "S: text" what it is told. */
struct server {
    pid_t child;
    uint16_t port;
};

static bool
read_line(int stream, char *line, size_t room)
{
    size_t len = 0;

    while (len + 1 < room && read(stream, line + len, 1) == 1) {
        if (line[len++] != '\n')
            continue;
        line[len] = '\0';
        return true;
    }
    return false;
}

static int
serve(int listener, const char *const *script)
{
    char line[4096];
    int stream = accept(listener, NULL, NULL);

    for (; *script; script++) {
        const char *text = *script + 3;
        if ((*script)[0] == 'S') {
            if (write(stream, text, strlen(text)) < 0 || write(stream, "\r\n", 2) < 0)
                return 2;
            continue;
        }
        if (!read_line(stream, line, sizeof(line)) || strncmp(line, text, strlen(text)) != 0) {
            (void)fprintf(stderr, "expected %s, got %s\n", text, line);
            return 1;
        }
    }
    close(stream);
    return 0;
}

static struct server
start(const char *const *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)(void *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&address, &len), 0);
    struct server server = {.port = ntohs(address.sin_port), .child = fork()};
    if (server.child == 0)
        _exit(serve(listener, script));
    close(listener);
    return server;
}

/* The script must have been gone through. */
static void
finish(struct server server)
{
    int status;

    assert_int_equal(waitpid(server.child, &status, 0), server.child);
    assert_int_equal(status, 0);
}

static struct client_account
account_at(enum client_protocol protocol, uint16_t port)
{
    struct client_account account = {
        .name = "test", .address = "alice@example.test", .login = "alice", .tls = CLIENT_TLS_NEVER};
    struct client_server server = {.protocol = protocol, .port = port, .host = "127.0.0.1"};

    if (protocol == CLIENT_SMTP)
        account.outgoing = server;
    else
        account.incoming = server;
    return account;
}

#define LOGIN(account)                                                                             \
    {                                                                                              \
        .account = &(account), .password = SLICE("secret")                                         \
    }

static void
test_a_maildrop_is_counted_read_and_emptied(void **state)
{
    static const char *const script[] = {"S: +OK hello",
                                         "C: CAPA",
                                         "S: +OK\r\nUSER\r\nUIDL\r\nTOP\r\n.",
                                         "C: USER alice",
                                         "S: +OK",
                                         "C: PASS secret",
                                         "S: +OK",
                                         "C: STAT",
                                         "S: +OK 2 30",
                                         "C: LIST",
                                         "S: +OK\r\n1 10\r\n2 20\r\n.",
                                         "C: UIDL",
                                         "S: +OK\r\n1 aa\r\n2 bb\r\n.",
                                         "C: RETR 2",
                                         "S: +OK\r\nSubject: x\r\n\r\n..dot\r\n.",
                                         "C: TOP 1 0",
                                         "S: +OK\r\nSubject: y\r\n\r\n.",
                                         "C: DELE 2",
                                         "S: +OK",
                                         "C: RETR 1",
                                         "S: -ERR gone",
                                         "C: QUIT",
                                         "S: +OK bye",
                                         NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_POP3, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};
    struct buffer message, trace;

    (void)state;
    buffer_init(&trace, 1 << 16);
    buffer_init(&message, 1 << 16);
    login.trace = &trace;
    struct client_pop *pop = client_pop_open(&login, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(client_pop_count(pop), 2);
    assert_int_equal(client_pop_message(pop, 2).octets, 20);
    assert_string_equal(client_pop_message(pop, 2).uid, "bb");
    assert_true(client_pop_read(pop, 2, &message, &problem));
    assert_true(slice_equal(buffer_slice(&message), SLICE("Subject: x\r\n\r\n.dot\r\n")));
    buffer_clear(&message);
    assert_true(client_pop_top(pop, 1, 0, &message, &problem));
    assert_true(client_pop_delete(pop, 2, &problem));
    assert_false(client_pop_read(pop, 1, &message, &problem));
    assert_string_equal(problem.text, "127.0.0.1: gone");
    problem = (struct client_problem){0};
    assert_true(client_pop_quit(pop, &problem));
    client_pop_close(&pop);
    assert_null(pop);
    finish(server);
    struct slice said = buffer_slice(&trace);
    assert_true(slice_find(said, SLICE("transaction")) < said.len);
    assert_true(slice_find(said, SLICE("secret")) == said.len);
    buffer_finish(&message);
    buffer_finish(&trace);
}

static void
test_a_wrong_password_is_told(void **state)
{
    static const char *const script[] = {"S: +OK hello",  "C: CAPA", "S: -ERR",
                                         "C: USER alice", "S: +OK",  "C: PASS secret",
                                         "S: -ERR no",    NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_POP3, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};

    (void)state;
    assert_null(client_pop_open(&login, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_LOGIN);
    finish(server);
}

static void
test_without_tls_no_password_leaves(void **state)
{
    static const char *const script[] = {"S: +OK hello", "C: CAPA", "S: +OK\r\nUSER\r\n.",
                                         "C: QUIT", NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_POP3, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};

    (void)state;
    account.tls = CLIENT_TLS_REQUIRED;
    assert_null(client_pop_open(&login, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_INSECURE);
    finish(server);
}

static void
test_a_connection_that_breaks_is_told(void **state)
{
    static const char *const script[] = {"S: +OK hello", "C: CAPA", NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_POP3, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};

    (void)state;
    assert_null(client_pop_open(&login, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_UNREACHABLE);
    finish(server);
    /* Nobody listens there any more. */
    problem = (struct client_problem){0};
    assert_null(client_pop_open(&login, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_UNREACHABLE);
}

struct heard {
    size_t fetched;
    char body[64];
};

static void
note_event(void *context, const struct imap_client_event *event)
{
    struct heard *heard = context;

    if (event->kind == IMAP_CLIENT_EVENT_BODY)
        (void)snprintf(heard->body, sizeof(heard->body), "%.*s", CLIENT_TEXT(event->body.bytes));
    heard->fetched += event->kind == IMAP_CLIENT_EVENT_FETCH;
}

static void
test_a_mailbox_is_selected_read_and_added_to(void **state)
{
    static const char *const script[] = {
        "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] hello",
        "C: A1 LOGIN \"alice\" \"secret\"",
        "S: A1 OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] in",
        "C: A2 SELECT \"INBOX\"",
        "S: * 1 EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\nA2 OK [READ-WRITE] done",
        "C: A3 UID FETCH 4 ",
        "S: * 1 FETCH (UID 4 BODY[] {4}\r\nbody)\r\nA3 OK done",
        "C: A4 SELECT \"nowhere\"",
        "S: A4 NO [NONEXISTENT] there is none",
        "C: A5 APPEND \"Sent\" (\\Seen) {14+}",
        "C: Subject: x\r\n",
        "C: \r\n",
        "C: \r\n",
        "S: A5 OK [APPENDUID 9 77] done",
        "C: A6 LOGOUT",
        "S: * BYE see you\r\nA6 OK bye",
        NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_IMAP, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};
    struct heard heard = {0};
    struct imap_client_question inbox = {.command = IMAP_CLIENT_SELECT, .mailbox = SLICE("INBOX")};
    struct imap_client_question nowhere = {.command = IMAP_CLIENT_SELECT,
                                           .mailbox = SLICE("nowhere")};
    struct imap_client_question fetch = {
        .command = IMAP_CLIENT_FETCH, .uids = SLICE("4"), .text = SLICE("BODY.PEEK[]")};
    uint32_t uid = 0;

    (void)state;
    struct client_imap *imap = client_imap_open(&login, &problem);
    assert_string_equal(problem.text, "");
    assert_true(client_imap_ask(imap, &inbox, NULL, NULL, &problem));
    assert_int_equal(client_imap_mailbox(imap).status.uid_validity, 9);
    assert_true(client_imap_ask(imap, &fetch, note_event, &heard, &problem));
    assert_int_equal(heard.fetched, 1);
    assert_string_equal(heard.body, "body");
    assert_false(client_imap_ask(imap, &nowhere, NULL, NULL, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_MISSING);
    problem = (struct client_problem){0};
    assert_true(client_imap_append(imap, SLICE("Sent"), SLICE("\\Seen"),
                                   SLICE("Subject: x\r\n\r\n"), &uid, &problem));
    assert_int_equal(uid, 77);
    client_imap_close(&imap);
    assert_null(imap);
    finish(server);
}

struct refusals {
    size_t count;
    bool is_temporary;
    char recipient[64];
};

static void
note_refusal(void *context, const struct client_submit_refusal *refusal)
{
    struct refusals *refusals = context;

    refusals->count++;
    refusals->is_temporary = refusal->is_temporary;
    (void)snprintf(refusals->recipient, sizeof(refusals->recipient), "%.*s",
                   CLIENT_TEXT(refusal->recipient));
}

static void
test_a_message_is_submitted_and_refusals_are_named(void **state)
{
    static const char *const script[] = {"S: 220 hello",
                                         "C: EHLO ",
                                         "S: 250-mail\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                                         "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==",
                                         "S: 235 in",
                                         "C: MAIL FROM:<alice@example.test>",
                                         "S: 250 ok",
                                         "C: RCPT TO:<bob@example.test>",
                                         "S: 250 ok",
                                         "C: RCPT TO:<nobody@example.test>",
                                         "S: 550 5.1.1 nobody of that name",
                                         "C: DATA",
                                         "S: 354 go on",
                                         "C: Subject: x",
                                         "C: \r\n",
                                         "C: ..dot",
                                         "C: .\r\n",
                                         "S: 250 filed",
                                         "C: QUIT",
                                         "S: 221 bye",
                                         NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_SMTP, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};
    struct refusals refusals = {0};
    struct slice recipients[] = {SLICE("bob@example.test"), SLICE("nobody@example.test")};
    struct client_submission what = {.sender = SLICE("alice@example.test"),
                                     .recipients = recipients,
                                     .count = 2,
                                     .content = SLICE("Subject: x\r\n\r\n.dot\r\n"),
                                     .on_refusal = note_refusal,
                                     .context = &refusals};
    size_t accepted;

    (void)state;
    assert_false(client_submit(&login, &what, &accepted, &problem));
    assert_int_equal(accepted, 1);
    assert_int_equal(refusals.count, 1);
    assert_false(refusals.is_temporary);
    assert_string_equal(refusals.recipient, "nobody@example.test");
    assert_int_equal(problem.kind, CLIENT_PROBLEM_REFUSED);
    finish(server);
    /* Off-line: all of them may be tried again. */
    problem = (struct client_problem){0};
    refusals.count = 0;
    assert_false(client_submit(&login, &what, &accepted, &problem));
    assert_int_equal(accepted, 0);
    assert_int_equal(refusals.count, 2);
    assert_true(refusals.is_temporary);
    assert_int_equal(problem.kind, CLIENT_PROBLEM_UNREACHABLE);
}

static void
count_exists(void *context, const struct imap_client_event *event)
{
    if (event->kind == IMAP_CLIENT_EVENT_EXISTS)
        *(uint32_t *)context = event->number;
}

static void
test_a_mailbox_is_selected_and_appended_to(void **state)
{
    static const char *const script[] = {"S: * OK [CAPABILITY IMAP4rev1] hello",
                                         "C: A1 LOGIN \"alice\" \"secret\"",
                                         "S: A1 OK [CAPABILITY IMAP4rev1] in",
                                         "C: A2 SELECT \"INBOX\"",
                                         "S: * 7 EXISTS\r\nA2 OK done",
                                         "C: A3 APPEND \"Sent\" (\\Seen) {7}",
                                         "S: + go on",
                                         "C: a: b",
                                         "C: \r",
                                         "C: \r",
                                         "S: A3 OK [APPENDUID 1 44] done",
                                         "C: A4 EXAMINE \"None\"",
                                         "S: A4 NO [NONEXISTENT] no",
                                         "C: A5 LOGOUT",
                                         "S: * BYE\r\nA5 OK",
                                         NULL};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_IMAP, server.port);
    struct client_login login = LOGIN(account);
    struct client_problem problem = {0};
    struct imap_client_question question = {.command = IMAP_CLIENT_SELECT,
                                            .mailbox = SLICE("INBOX")};
    uint32_t exists = 0, uid = 0;

    (void)state;
    struct client_imap *imap = client_imap_open(&login, &problem);
    assert_string_equal(problem.text, "");
    assert_true(client_imap_ask(imap, &question, count_exists, &exists, &problem));
    assert_int_equal(exists, 7);
    assert_true(client_imap_append(imap, SLICE("Sent"), SLICE("\\Seen"), SLICE("a: b\n\r\n"), &uid,
                                   &problem));
    assert_int_equal(uid, 44);
    question =
        (struct imap_client_question){.command = IMAP_CLIENT_EXAMINE, .mailbox = SLICE("None")};
    assert_false(client_imap_ask(imap, &question, NULL, NULL, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_MISSING);
    client_imap_close(&imap);
    finish(server);
}

/* "NIL" and OK is no message: whoever takes it for one keeps nothing, and deletes the message. */
static void
test_a_message_that_the_server_cannot_read_is_not_empty(void **state)
{
    static const char *const script[] = {
        "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] hello",
        "C: A1 LOGIN \"alice\" \"secret\"",
        "S: A1 OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] in",
        "C: A2 SELECT \"INBOX\"",
        "S: * 4 EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\nA2 OK [READ-WRITE] done",
        "C: A3 UID FETCH 1:* ",
        "S: * 1 FETCH (UID 4 FLAGS () RFC822.SIZE 99)",
        "S: * 2 FETCH (UID 5 FLAGS () RFC822.SIZE 99)",
        "S: * 3 FETCH (UID 6 FLAGS () RFC822.SIZE 99)",
        "S: * 4 FETCH (UID 7 FLAGS () RFC822.SIZE 0)\r\nA3 OK done",
        "C: A4 UID FETCH 4 ",
        "S: * 1 FETCH (UID 4 BODY[] NIL)\r\nA4 OK done",
        "C: A5 UID FETCH 5 ",
        "S: * 2 FETCH (UID 5 BODY[] {0}\r\n)\r\nA5 OK done",
        "C: A6 UID FETCH 6 ",
        "S: A6 OK done",
        "C: A7 UID FETCH 7 ",
        "S: * 4 FETCH (UID 7 BODY[] \"\")\r\nA7 OK done",
        "C: A8 LOGOUT",
        "S: * BYE see you\r\nA8 OK bye",
        NULL};
    static const enum client_problem_kind kinds[] = {CLIENT_PROBLEM_REFUSED, CLIENT_PROBLEM_REFUSED,
                                                     CLIENT_PROBLEM_MISSING, CLIENT_PROBLEM_NONE};
    struct server server = start(script);
    struct client_account account = account_at(CLIENT_IMAP, server.port);
    struct client_login login = LOGIN(account);
    struct client_folder_place place = {.login = &login, .folder = "INBOX"};
    struct client_problem problem = {0};

    (void)state;
    struct client_folder *folder = client_folder_open(&place, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(client_folder_count(folder), COUNT_OF(kinds));
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct buffer message;
        buffer_init(&message, CLIENT_MESSAGE_MAX);
        problem = (struct client_problem){0};
        assert_int_equal(client_folder_read(folder, i, &message, &problem),
                         kinds[i] == CLIENT_PROBLEM_NONE);
        assert_int_equal(problem.kind, kinds[i]);
        buffer_finish(&message);
    }
    client_folder_close(&folder);
    finish(server);
}

static void
test_the_clock_goes_on_and_chance_is_chance(void **state)
{
    struct instant before = client_now();
    uint8_t one[16], other[16];

    (void)state;
    client_random(one, sizeof(one));
    client_random(other, sizeof(other));
    assert_memory_not_equal(one, other, sizeof(one));
    assert_false(instant_is_before(client_now(), before));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_maildrop_is_counted_read_and_emptied),
        cmocka_unit_test(test_a_wrong_password_is_told),
        cmocka_unit_test(test_without_tls_no_password_leaves),
        cmocka_unit_test(test_a_connection_that_breaks_is_told),
        cmocka_unit_test(test_a_message_is_submitted_and_refusals_are_named),
        cmocka_unit_test(test_a_mailbox_is_selected_and_appended_to),
        cmocka_unit_test(test_a_mailbox_is_selected_read_and_added_to),
        cmocka_unit_test(test_a_message_that_the_server_cannot_read_is_not_empty),
        cmocka_unit_test(test_the_clock_goes_on_and_chance_is_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
