/* SPDX-License-Identifier: ISC */
/* With a GnuPG of its own, in a folder that goes with the test. */
#include "openpgp/gnupg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARENA_MAX = 64 << 20 };

static const struct slice alice = {(const uint8_t *)"alice@example.org", 17};
static const struct slice nobody = {(const uint8_t *)"nobody@example.org", 18};

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

static int
make_key(void **state)
{
    static char folder[] = "/tmp/gnupg-XXXXXX";

    (void)state;
    if (!mkdtemp(folder) || setenv("GNUPGHOME", folder, 1) != 0)
        return -1;
    return shell("gpg --batch --quiet --pinentry-mode loopback --passphrase '' "
                 "--quick-gen-key 'Alice <alice@example.org>' future-default default 2d "
                 "2>/dev/null");
}

static int
drop_key(void **state)
{
    (void)state;
    return shell("gpgconf --kill all; rm -rf \"$GNUPGHOME\"");
}

static struct openpgp_answer
ask(struct arena *arena, enum openpgp_verb verb, struct slice content, struct slice signature)
{
    const struct openpgp_question question = {.verb = verb,
                                              .signer = alice,
                                              .recipients = &alice,
                                              .recipients_count = 1,
                                              .content = content,
                                              .signature = signature};

    return gnupg_answer(&question, arena);
}

static void
what_is_signed_is_good_until_it_changes(void **state)
{
    struct openpgp_answer signature, verdict;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    signature = ask(&arena, OPENPGP_SIGN, SLICE("ten\r\n"), SLICE(""));
    assert_true(signature.is_done);
    assert_true(slice_starts_with(signature.digest, SLICE("sha")));
    verdict = ask(&arena, OPENPGP_VERIFY, SLICE("ten\r\n"), signature.content);
    assert_int_equal(verdict.verdict, OPENPGP_GOOD);
    assert_int_equal(verdict.addresses_count, 1);
    assert_true(slice_equal(verdict.addresses[0], alice));
    assert_true(slice_equal(verdict.name, SLICE("Alice")));
    assert_int_equal(verdict.fingerprint.len, 40);
    verdict = ask(&arena, OPENPGP_VERIFY, SLICE("six\r\n"), signature.content);
    assert_int_equal(verdict.verdict, OPENPGP_CHANGED);
    verdict = ask(&arena, OPENPGP_VERIFY, SLICE("ten\r\n"), SLICE("no signature"));
    assert_int_equal(verdict.verdict, OPENPGP_BROKEN);
    arena_finish(&arena);
}

static void
what_is_encrypted_opens_and_damage_is_told(void **state)
{
    struct openpgp_answer sealed, open;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    sealed = ask(&arena, OPENPGP_SIGN_ENCRYPT, SLICE("xyzzy"), SLICE(""));
    assert_true(sealed.is_done);
    assert_int_equal(slice_find(sealed.content, SLICE("xyzzy")), sealed.content.len);
    open = ask(&arena, OPENPGP_OPEN, sealed.content, SLICE(""));
    assert_true(open.is_done && open.is_encrypted);
    assert_int_equal(open.verdict, OPENPGP_GOOD);
    assert_true(slice_equal(open.content, SLICE("xyzzy")));
    sealed = ask(&arena, OPENPGP_ENCRYPT, SLICE("xyzzy"), SLICE(""));
    open = ask(&arena, OPENPGP_OPEN, sealed.content, SLICE(""));
    assert_int_equal(open.verdict, OPENPGP_UNSIGNED);
    open =
        ask(&arena, OPENPGP_OPEN, slice_first(sealed.content, sealed.content.len / 2), SLICE(""));
    assert_false(open.is_done);
    assert_int_equal(open.content.len, 0);
    arena_finish(&arena);
}

static void
who_has_no_key_is_named(void **state)
{
    const struct slice people[] = {alice, nobody};
    struct openpgp_question question = {.verb = OPENPGP_FIND,
                                        .signer = alice,
                                        .recipients = people,
                                        .recipients_count = COUNT_OF(people)};
    struct openpgp_answer answer;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    answer = gnupg_answer(&question, &arena);
    assert_true(answer.is_done);
    assert_int_equal(answer.missing_count, 1);
    assert_true(slice_equal(answer.missing[0], nobody));
    question.verb = OPENPGP_ENCRYPT;
    question.content = SLICE("x");
    answer = gnupg_answer(&question, &arena);
    assert_false(answer.is_done);
    assert_int_equal(answer.content.len, 0);
    arena_finish(&arena);
}

/* Zeros: a thousand octets out of one. */
static void
what_comes_out_has_an_end(void **state)
{
    uint8_t *zeros = calloc(1, OPENPGP_OPENED_MAX + 1);

    (void)state;
    assert_non_null(zeros);
    for (size_t more = 0; more < 2; more++) {
        struct arena arena;
        arena_init(&arena, (size_t)2 * OPENPGP_OPENED_MAX);
        struct slice content = slice_of(zeros, OPENPGP_OPENED_MAX + more);
        struct openpgp_answer sealed = ask(&arena, OPENPGP_ENCRYPT, content, SLICE(""));
        assert_true(sealed.is_done);
        assert_true(sealed.content.len < OPENPGP_OPENED_MAX / 100);
        struct openpgp_answer open = ask(&arena, OPENPGP_OPEN, sealed.content, SLICE(""));
        assert_int_equal(open.is_done, more == 0);
        assert_int_equal(open.content.len, more == 0 ? content.len : 0);
        assert_int_equal(open.why.len > 0, more);
        arena_finish(&arena);
    }
    free(zeros);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_good_until_it_changes),
        cmocka_unit_test(what_is_encrypted_opens_and_damage_is_told),
        cmocka_unit_test(who_has_no_key_is_named),
        cmocka_unit_test(what_comes_out_has_an_end),
    };

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
