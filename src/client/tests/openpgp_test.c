/* SPDX-License-Identifier: ISC */
/* What the program for OpenPGP is told of the terminal (openpgp_stub.c says it again). */
#include "client/openpgp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

enum { ARENA_MAX = 1 << 20 };

/* Asks, and fails the test unless it was told of that terminal. */
static void
assert_told_of(const char *terminal)
{
    struct openpgp_question question = {.verb = OPENPGP_SIGN, .content = SLICE("What is signed")};
    struct client_problem problem = {0};
    struct openpgp_answer answer;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    bool is_answered = client_openpgp_ask(&question, &arena, &answer, &problem);
    assert_string_equal(problem.text, "");
    assert_true(is_answered && answer.is_done);
    assert_true(slice_equal(answer.content, question.content));
    assert_true(slice_equal(answer.name, slice_of_string(terminal)));
    arena_finish(&arena);
}

/* The environment of this process stays as it is: other threads read it. */
static void
it_is_told_which_terminal_we_have(void **state)
{
    int errors = dup(STDERR_FILENO), master = posix_openpt(O_RDWR | O_NOCTTY);
    char terminal[100];

    (void)state;
    assert_true(errors >= 0);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    assert_int_equal(ptsname_r(master, terminal, sizeof(terminal)), 0);
    int slave = open(terminal, O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    unsetenv("GPG_TTY");
    dup2(slave, STDERR_FILENO);
    char **before = environ;
    assert_told_of(terminal);
    assert_ptr_equal(environ, before);
    assert_null(getenv("GPG_TTY"));
    /* What a person has said counts more; and where there is no terminal, there is none. */
    setenv("GPG_TTY", "/dev/tty9", 1);
    assert_told_of("/dev/tty9");
    unsetenv("GPG_TTY");
    close(slave);
    slave = open("/dev/null", O_RDWR);
    dup2(slave, STDERR_FILENO);
    assert_told_of("");
    dup2(errors, STDERR_FILENO);
    close(errors);
    close(slave);
    close(master);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_which_terminal_we_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
