/* SPDX-License-Identifier: ISC */
/* The program facteur-openpgp, run by who asks; it lies beside this test. */
#include "client/openpgp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The status of a command line. */
static int
shell(const char *line)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void
the_program_answers(void **state)
{
    char folder[] = "/tmp/openpgp-XXXXXX";
    const struct slice nobody = SLICE("nobody@example.org");
    const struct openpgp_question question = {
        .verb = OPENPGP_FIND, .recipients = &nobody, .recipients_count = 1};
    struct client_problem problem = {0};
    struct openpgp_answer answer;
    struct arena arena;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("GNUPGHOME", folder, 1), 0);
    arena_init(&arena, 1 << 20);
    assert_true(client_openpgp_ask(&question, &arena, &answer, &problem));
    assert_true(answer.is_done);
    assert_int_equal(answer.missing_count, 1);
    assert_true(slice_equal(answer.missing[0], nobody));
    arena_finish(&arena);
    assert_int_equal(shell("rm -rf \"$GNUPGHOME\""), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_program_answers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
