/* SPDX-License-Identifier: ISC */
/* Files of a Maildir and what is decided without a server. With servers: tests/interop/sync.py. */
#include "sync/sync.h"

#include "client/keep.h"
#include "sync/copy.h"
#include "sync/run.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/facteur-sync-XXXXXX";
static struct client_problem problem;

static int
make_root(void **state)
{
    (void)state;
    memcpy(strrchr(root, '-') + 1, "XXXXXX", 6);
    return mkdtemp(root) ? 0 : -1;
}

static int
remove_root(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    return client_keep_pipe(command, SLICE(""), &problem) ? 0 : -1;
}

static void
a_name_gets_flags_and_keeps_the_letters_of_others(void **state)
{
    struct buffer name;

    (void)state;
    buffer_init(&name, 256);
    scan_put_name(&name, SLICE("u"), CLIENT_SEEN | CLIENT_FLAGGED | STATE_PASSED,
                  SLICE("u:2,DRTbaX"));
    assert_true(slice_equal(buffer_slice(&name), SLICE("u:2,FPSXab")));
    buffer_finish(&name);
}

static void
a_message_is_known_by_its_size_and_header(void **state)
{
    struct scan_mark mark = scan_mark(SLICE("A: b\r\nC: d\r\n\r\nbody\r\n"));

    (void)state;
    assert_int_equal(mark.size, 20);
    assert_int_equal(mark.header, scan_header_mark(SLICE("A: b\r\nC: d\r\n\r\n")));
    assert_int_equal(mark.header, scan_header_mark(SLICE("A: b\r\nC: d\r\n")));
    assert_int_not_equal(mark.header, scan_header_mark(SLICE("A: b\r\n")));
    assert_int_equal(scan_mark(SLICE("A: b")).header, scan_header_mark(SLICE("A: b\r\n\r\n")));
    assert_int_equal(scan_mark(SLICE("\r\nbody: 1\r\n")).header, scan_header_mark(SLICE("\r\n")));
}

static void
files_are_listed_read_marked_and_removed(void **state)
{
    struct scan scan;
    struct buffer out;
    struct wall received;
    const char *path;
    struct arena arena;
    bool is_done, is_gone;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_true(copy_make_folder(&arena, root, "INBOX", &path, &problem));
    assert_true(client_keep(path, CLIENT_KEEP_MAILDIR, SLICE("A: b\r\n\r\nx\r\n"), 0, &problem));
    assert_true(scan_open(&scan, path, &problem));
    assert_int_equal(scan.count, 1);
    assert_true(scan.files[0]->is_new);
    assert_ptr_equal(scan_find(&scan, scan.files[0]->unique), scan.files[0]);
    buffer_init(&out, 1000);
    assert_true(scan_read(&scan, scan.files[0], &out, &received, &is_gone, &problem));
    assert_true(slice_equal(buffer_slice(&out), SLICE("A: b\r\n\r\nx\r\n")));
    assert_true(wall_seconds(received) > 1700000000);
    assert_true(scan_set_flags(&scan, scan.files[0], CLIENT_SEEN, &is_done, &problem) && is_done);
    scan_sync(&scan);
    assert_true(scan_again(&scan, &problem)); /* the same, under a new name */
    assert_int_equal(scan.count, 1);
    assert_true(scan_remove(&scan, scan.files[0], &is_done, &problem));
    assert_false(is_done); /* not under its old one */
    scan_finish(&scan);
    assert_true(scan_open(&scan, path, &problem));
    assert_int_equal(scan.files[0]->flags, CLIENT_SEEN);
    assert_true(scan_remove(&scan, scan.files[0], &is_done, &problem) && is_done);
    assert_false(scan_read(&scan, scan.files[0], &out, &received, &is_gone, &problem));
    assert_true(is_gone);
    scan_finish(&scan);
    buffer_finish(&out);
    arena_finish(&arena);
    problem = (struct client_problem){0};
}

static void
flags_have_the_names_of_the_server(void **state)
{
    struct imap_client_message message = {.flag_bits = CLIENT_SEEN,
                                          .flags = SLICE("\\Seen $forwarded other")};
    struct buffer names;

    (void)state;
    assert_int_equal(run_flags(&message), CLIENT_SEEN | STATE_PASSED);
    buffer_init(&names, 100);
    run_put_flags(&names, CLIENT_DELETED | STATE_PASSED);
    assert_true(slice_equal(buffer_slice(&names), SLICE("\\Deleted $Forwarded")));
    buffer_finish(&names);
}

static void
what_keeps_a_deleted_message(void **state)
{
    (void)state;
    assert_true(work_is_rescued(CLIENT_FLAGGED, 0));
    assert_true(work_is_rescued(CLIENT_ANSWERED | CLIENT_SEEN, CLIENT_SEEN));
    assert_false(work_is_rescued(CLIENT_FLAGGED, CLIENT_FLAGGED));
    assert_false(work_is_rescued(CLIENT_SEEN, 0));
    assert_false(work_is_rescued(0, CLIENT_FLAGGED));
}

static const struct client_account account = {
    .name = "a",
    .login = "a",
    .incoming = {.protocol = CLIENT_IMAP, .is_secure = true, .port = 1, .host = "127.0.0.1"}};
static const struct client_login login = {.account = &account,
                                          .password = {(const uint8_t *)"x", 1}};

static void
without_a_server_nothing_is_changed(void **state)
{
    struct sync_options options = {.login = &login, .root = root};
    struct client_problem found = {0};
    struct sync_tally tally;

    (void)state;
    assert_false(sync_run(&options, &tally, &found));
    assert_int_equal(found.kind, CLIENT_PROBLEM_UNREACHABLE);
    for (enum sync_deed deed = 0; deed < SYNC_DEEDS_COUNT; deed++) {
        assert_int_equal(tally.deeds[deed], 0);
        assert_non_null(sync_deed_name(deed));
    }
    assert_true(copy_is_there(root));
}

/* A server that says its answers one after another, for each line that it gets. */
static pid_t
start_server(const char *const *answers, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)(void *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    pid_t child = fork();
    if (child == 0) {
        int stream = accept(listener, NULL, NULL);
        char byte = '\0';
        for (; *answers; answers++) {
            if (write(stream, *answers, strlen(*answers)) < 0)
                _exit(1);
            while (read(stream, &byte, 1) == 1 && byte != '\n') {
            }
        }
        _exit(0);
    }
    close(listener);
    return child;
}

/* A folder "Archive" with one message that both sides have had. */
static void
make_archive(char path[96])
{
    static const char *const folders[] = {".facteur/state", "Archive/cur", "Archive/new",
                                          "Archive/tmp"};
    struct client_problem found = {0};

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        (void)snprintf(path, 96, "%s/%s", root, folders[i]);
        assert_true(copy_make_path(path, &found));
    }
    (void)snprintf(path, 96, "%s/.facteur/state/Archive", root);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("facteur-sync 1 Archive\nv 7\n+ 5 0 1.same\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(path, 96, "%s/Archive/new/1.same", root);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("Subject: kept\n\nfor long\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
what_the_server_cannot_find_just_now_stays_here(void **state)
{
    static const struct {
        const char *answer;
        bool is_gone;
    } cases[] = {{"A3 NO [SERVERBUG] the list is damaged\r\n", false},
                 {"A3 NO [CORRUPTION] of the mailbox\r\n", false},
                 {"A3 NO [UNAVAILABLE] later\r\n", false},
                 {"A3 NO [NONEXISTENT] there is none\r\n", true},
                 {"A3 NO there is none\r\n", true}};
    static const char *const chosen[] = {"Archive"};
    char path[96];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const answers[] = {"* OK [CAPABILITY IMAP4rev1 UIDPLUS] hello\r\n",
                                       "A1 OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n",
                                       "* LIST () \"/\" \"INBOX\"\r\nA2 OK done\r\n",
                                       cases[i].answer, "* BYE see you\r\nA4 OK bye\r\n", NULL};
        struct client_account there = account;
        struct client_login in = {.account = &there, .password = SLICE("x")};
        struct sync_options options = {
            .login = &in, .root = root, .folders = chosen, .folders_count = 1};
        struct client_problem found = {0};
        struct sync_tally tally;

        there.tls = CLIENT_TLS_NEVER;
        there.incoming.is_secure = false;
        make_archive(path);
        pid_t server = start_server(answers, &there.incoming.port);
        assert_true(sync_run(&options, &tally, &found));
        assert_int_equal(waitpid(server, NULL, 0), server);
        assert_int_equal(access(path, F_OK) != 0, cases[i].is_gone);
        assert_int_equal(tally.deeds[SYNC_PASSED_OVER], !cases[i].is_gone);
        assert_int_equal(tally.deeds[SYNC_FOLDER_GONE_HERE], cases[i].is_gone);
    }
}

static void
changes_of_the_copy_end_a_wait_before_a_server_is_asked(void **state)
{
    struct sync_options options = {.login = &login, .root = root};
    struct client_problem found = {0};
    struct sync_watch *watch;
    struct arena arena;
    const char *path;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_true(copy_make_folder(&arena, root, "INBOX", &path, &found));
    watch = sync_watch_open(root, &found);
    assert_non_null(watch);
    assert_false(sync_watch_wait(watch, &options, 60, &found));
    assert_int_equal(found.kind, CLIENT_PROBLEM_UNREACHABLE);
    found = (struct client_problem){0};
    assert_true(client_keep(path, CLIENT_KEEP_MAILDIR, SLICE("A: b\r\n\r\n"), 0, &found));
    assert_true(sync_watch_wait(watch, &options, 60, &found));
    sync_watch_close(&watch);
    assert_null(watch);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_gets_flags_and_keeps_the_letters_of_others),
        cmocka_unit_test(a_message_is_known_by_its_size_and_header),
        cmocka_unit_test_setup_teardown(files_are_listed_read_marked_and_removed, make_root,
                                        remove_root),
        cmocka_unit_test(flags_have_the_names_of_the_server),
        cmocka_unit_test(what_keeps_a_deleted_message),
        cmocka_unit_test_setup_teardown(changes_of_the_copy_end_a_wait_before_a_server_is_asked,
                                        make_root, remove_root),
        cmocka_unit_test_setup_teardown(without_a_server_nothing_is_changed, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(what_the_server_cannot_find_just_now_stays_here, make_root,
                                        remove_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
