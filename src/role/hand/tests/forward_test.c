/* SPDX-License-Identifier: ISC */
/* .forward files and the commands of aliases, on real files; who the users are says the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "directory/unix_aliases.h"
#include "role/hand/forward_file.h"
#include "role/hand/hand_role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT_MAX = 64 * 1024, ORDINARY_USER = 1000 };

/* What the host says of every user. */
static int find_error, assume_error;
static char home[HOST_HOME_MAX];

int
host_user_find(struct host *host, const char *user, struct host_user *ret_user)
{
    (void)host, (void)user;
    if (find_error < 0)
        return find_error;
    ret_user->number = geteuid() ? geteuid() : ORDINARY_USER;
    snprintf(ret_user->home, sizeof(ret_user->home), "%s", home);
    return 0;
}

int
host_user_assume(struct host *host, const char *user)
{
    (void)host, (void)user;
    return assume_error;
}

void
host_user_leave(struct host *host)
{
    (void)host;
}

static void
path_of(const char *name, char *ret_path)
{
    snprintf(ret_path, 2 * HOST_HOME_MAX, "%s/%s", home, name);
}

static void
write_file(const char *name, const char *text)
{
    char path[2 * HOST_HOME_MAX];

    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int
open_home(void **state)
{
    (void)state;
    find_error = assume_error = 0;
    snprintf(home, sizeof(home), "/tmp/forward_test.XXXXXX");
    assert_non_null(mkdtemp(home));
    write_file(".forward", "a@b.test\n");
    return 0;
}

static int
close_home(void **state)
{
    char path[2 * HOST_HOME_MAX];

    (void)state;
    path_of(".forward", path);
    (void)unlink(path);
    path_of("aliases", path);
    (void)unlink(path);
    return rmdir(home);
}

static const char *
read_it(void)
{
    struct buffer out;

    buffer_init(&out, TEXT_MAX);
    const char *why = forward_file_read(NULL, "alice", &out);
    if (!why)
        assert_true(slice_equal(buffer_slice(&out), SLICE("a@b.test\n")));
    buffer_finish(&out);
    return why;
}

/* Who has no .forward, or none that counts, gets mail here; for that it must be known. */
static void
what_may_pass_makes_mail_wait(void **state)
{
    static const int passing[] = {EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM, ETIMEDOUT};

    (void)state;
    assert_null(read_it());
    for (size_t i = 0; i < COUNT_OF(passing); i++) {
        find_error = -passing[i];
        assert_true(forward_file_is_temporary(read_it()));
        find_error = 0;
        assume_error = -passing[i];
        assert_true(forward_file_is_temporary(read_it()));
        assume_error = 0;
    }
    find_error = -ENOENT;
    assert_string_equal(read_it(), "");
    find_error = 0;
    assume_error = -EPERM;
    assert_string_equal(read_it(), "this server may not become its user");
}

static void
what_stays_does_not(void **state)
{
    size_t len = strlen(home);

    (void)state;
    snprintf(home + len, sizeof(home) - len, "/.forward"); /* a home that is no folder */
    assert_string_equal(read_it(), "it is no regular file");
    snprintf(home + len, sizeof(home) - len, "/gone");
    assert_string_equal(read_it(), "");
    home[len] = 0;
}

/* As a server of files holds one while somebody edits it: who opens it must come again. */
static void
a_forward_that_another_program_holds_makes_mail_wait(void **state)
{
    char path[2 * HOST_HOME_MAX];

    (void)state;
    path_of(".forward", path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    signal(SIGIO, SIG_IGN);
    bool is_held = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
    const char *why = is_held ? read_it() : NULL;
    close(fd);
    if (!is_held)
        skip(); /* this file system has no leases */
    assert_true(forward_file_is_temporary(why));
    assert_null(read_it());
}

/* A reload frees what the configuration said, and a task may wait for its turn meanwhile. */
static void
a_program_owes_nothing_to_the_configuration(void **state)
{
    static const char text[] = "robot: \"|/usr/bin/robot -v\"\n";
    static struct hand hand;
    struct directory_unix machine = {.domain = SLICE("b.test"), .may_run = true};
    char user[] = "runner", path[2 * HOST_HOME_MAX];
    struct config config = {.alias_programs_user = slice_of_string(user)};
    struct program program;
    struct arena arena;
    struct buffer lines;

    (void)state;
    write_file("aliases", text);
    path_of("aliases", path);
    config.aliases_file = slice_of_string(path);
    hand.start.config = &config;
    arena_init(&hand.arena, TEXT_MAX);
    arena_init(&arena, TEXT_MAX);
    buffer_init(&lines, TEXT_MAX);
    assert_int_equal(directory_unix_aliases(slice_of_string(text), &machine, &lines), 0);
    struct slice key = buffer_slice(&lines);
    key = slice_first(slice_skip(key, slice_find_byte(key, '|')), DIRECTORY_PROGRAM_KEY_LEN);
    assert_null(forward_find_program(&hand, key, &arena, &program));
    memset(user, 'x', strlen(user));
    assert_true(slice_equal(program.user, SLICE("runner")));
    assert_int_equal(program.count, 2);
    assert_true(slice_equal(program.words[0], SLICE("/usr/bin/robot")));
    buffer_finish(&lines);
    arena_finish(&arena);
    arena_finish(&hand.arena);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_home, close_home)
    const struct CMUnitTest tests[] = {
        CASE(what_may_pass_makes_mail_wait),
        CASE(what_stays_does_not),
        CASE(a_forward_that_another_program_holds_makes_mail_wait),
        CASE(a_program_owes_nothing_to_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
