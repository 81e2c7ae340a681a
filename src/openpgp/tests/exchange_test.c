/* SPDX-License-Identifier: ISC */
#include "openpgp/exchange.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ARENA_MAX = 1 << 20, OCTETS_MAX = 1 << 20 };

static void
assert_slice(struct slice is, const char *wanted)
{
    assert_int_equal(is.len, strlen(wanted));
    assert_memory_equal(is.at, wanted, is.len);
}

static void
a_question_arrives_as_it_was_put(void **state)
{
    const struct slice people[] = {SLICE("bob@example.org"), SLICE("eve@example.org")};
    const struct openpgp_question question = {.verb = OPENPGP_SIGN_ENCRYPT,
                                              .signer = SLICE("alice@example.org"),
                                              .recipients = people,
                                              .recipients_count = COUNT_OF(people),
                                              .content = SLICE("a\r\n\0b"),
                                              .signature = SLICE("")};
    struct openpgp_question read;
    struct buffer octets;
    struct arena arena;

    (void)state;
    buffer_init(&octets, OCTETS_MAX);
    arena_init(&arena, ARENA_MAX);
    openpgp_question_put(&question, &octets);
    assert_true(openpgp_question_parse(buffer_slice(&octets), &arena, &read));
    assert_int_equal(read.verb, OPENPGP_SIGN_ENCRYPT);
    assert_slice(read.signer, "alice@example.org");
    assert_int_equal(read.recipients_count, 2);
    assert_slice(read.recipients[1], "eve@example.org");
    assert_true(slice_equal(read.content, question.content));
    assert_int_equal(read.signature.len, 0);
    for (size_t len = 0; len < buffer_len(&octets); len++) {
        struct slice cut = slice_first(buffer_slice(&octets), len);
        struct openpgp_question part;
        if (openpgp_question_parse(cut, &arena, &part))
            assert_true(part.recipients_count < 2 || part.content.len == 0 ||
                        part.content.len == question.content.len);
        arena_reset(&arena);
    }
    arena_finish(&arena);
    buffer_finish(&octets);
}

static void
an_answer_arrives_as_it_was_put(void **state)
{
    const struct slice addresses[] = {SLICE("alice@example.org")};
    const struct openpgp_answer answer = {.is_done = true,
                                          .is_encrypted = true,
                                          .verdict = OPENPGP_UNTRUSTED,
                                          .why = SLICE("because"),
                                          .content = SLICE("inside"),
                                          .digest = SLICE("sha256"),
                                          .missing = addresses,
                                          .missing_count = 1,
                                          .name = SLICE("Alice"),
                                          .addresses = addresses,
                                          .addresses_count = 1,
                                          .fingerprint = SLICE("ABCD")};
    struct openpgp_answer read;
    struct buffer octets;
    struct arena arena;

    (void)state;
    buffer_init(&octets, OCTETS_MAX);
    arena_init(&arena, ARENA_MAX);
    openpgp_answer_put(&answer, &octets);
    assert_true(openpgp_answer_parse(buffer_slice(&octets), &arena, &read));
    assert_true(read.is_done && read.is_encrypted);
    assert_int_equal(read.verdict, OPENPGP_UNTRUSTED);
    assert_slice(read.why, "because");
    assert_slice(read.content, "inside");
    assert_slice(read.digest, "sha256");
    assert_slice(read.name, "Alice");
    assert_slice(read.fingerprint, "ABCD");
    assert_int_equal(read.missing_count, 1);
    assert_int_equal(read.addresses_count, 1);
    assert_slice(read.addresses[0], "alice@example.org");
    arena_finish(&arena);
    buffer_finish(&octets);
}

static void
what_is_something_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",                                  /* no verb */
        "\1\2\0\0\0\2\1",                    /* another version */
        "\1\2\0\0\0\1\11",                   /* a verb that is none */
        "\1\2\0\0\0\1\1\25\0\0\0\0",         /* a record that is none */
        "\1\2\0\0\0\1\1\5\377\377\377\377x", /* longer than there is */
    };
    static const size_t lens[] = {0, 7, 7, 12, 13};
    struct openpgp_question question;
    struct openpgp_answer answer;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(openpgp_question_parse(slice_of(wrong[i], lens[i]), &arena, &question));
        assert_false(openpgp_answer_parse(slice_of(wrong[i], lens[i]), &arena, &answer));
    }
    arena_finish(&arena);
}

static void
put_recipients(size_t count, struct buffer *octets)
{
    static struct slice people[OPENPGP_ADDRESSES_MAX + 1];
    struct openpgp_question question = {
        .verb = OPENPGP_ENCRYPT, .recipients = people, .recipients_count = count};

    buffer_clear(octets);
    openpgp_question_put(&question, octets);
}

static void
recipients_have_a_limit(void **state)
{
    struct openpgp_question question;
    struct buffer octets;
    struct arena arena;

    (void)state;
    buffer_init(&octets, OCTETS_MAX);
    arena_init(&arena, ARENA_MAX);
    put_recipients(OPENPGP_ADDRESSES_MAX, &octets);
    assert_true(openpgp_question_parse(buffer_slice(&octets), &arena, &question));
    assert_int_equal(question.recipients_count, OPENPGP_ADDRESSES_MAX);
    put_recipients(OPENPGP_ADDRESSES_MAX + 1, &octets);
    assert_false(openpgp_question_parse(buffer_slice(&octets), &arena, &question));
    arena_finish(&arena);
    buffer_finish(&octets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_arrives_as_it_was_put),
        cmocka_unit_test(an_answer_arrives_as_it_was_put),
        cmocka_unit_test(what_is_something_else_is_refused),
        cmocka_unit_test(recipients_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
