/* SPDX-License-Identifier: ISC */
#include "smime/smime.h"

#include "smime/tests/ann.h"
#include "smime/tests/people.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define CONTENT SLICE("Content-Type: text/plain\r\n\r\nSee you at eight.\r\n")

struct scene {
    struct people_authority *authority;
    struct buffer trust, alice, alice_card, bob, bob_card, out, inside, problem;
    struct arena arena;
};

static int
set_up(void **state)
{
    static struct scene scene;

    for (struct buffer *b = &scene.trust; b <= &scene.problem; b++)
        buffer_init(b, 1 << 20);
    arena_init(&scene.arena, 1 << 20);
    scene.authority = people_authority_open("Example Authority");
    people_put_authority(scene.authority, &scene.trust);
    people_put(scene.authority, "alice@example.test", 100, &scene.alice, &scene.alice_card);
    people_put(scene.authority, "bob@example.test", 100, &scene.bob, &scene.bob_card);
    *state = &scene;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;

    for (struct buffer *b = &scene->trust; b <= &scene->problem; b++)
        buffer_finish(b);
    arena_finish(&scene->arena);
    people_authority_close(&scene->authority);
    return 0;
}

static struct wall
days_from_now(int64_t days)
{
    return (struct wall){((int64_t)time(NULL) + days * 24 * 3600) * 1000000000};
}

static void
sign(struct scene *scene, const struct buffer *person)
{
    struct smime_identity *identity = smime_identity_open(buffer_slice(person), &scene->problem);

    assert_non_null(identity);
    buffer_clear(&scene->out);
    assert_true(smime_sign(identity, CONTENT, &scene->out, &scene->problem));
    smime_identity_close(&identity);
    assert_null(identity);
}

static struct smime_verdict
verify(struct scene *scene, struct slice content, struct slice trust, int64_t days)
{
    buffer_clear(&scene->inside);
    return smime_verify(buffer_slice(&scene->out), content, trust, days_from_now(days),
                        &scene->arena, &scene->inside);
}

static void
test_a_good_signature_names_who_signed_and_who_vouches(void **state)
{
    struct scene *scene = *state;

    sign(scene, &scene->alice);
    struct smime_verdict verdict = verify(scene, CONTENT, buffer_slice(&scene->trust), 0);
    assert_int_equal(verdict.kind, SMIME_GOOD);
    assert_int_equal(verdict.addresses_count, 1);
    assert_true(slice_equal(verdict.addresses[0], SLICE("alice@example.test")));
    assert_true(slice_equal(verdict.issuer, SLICE("Example Authority")));
    assert_true(slice_equal(verdict.certificate, buffer_slice(&scene->alice_card)));
}

static void
test_what_is_not_good_is_told_apart(void **state)
{
    struct scene *scene = *state;
    struct slice trust = buffer_slice(&scene->trust);

    sign(scene, &scene->alice);
    assert_int_equal(
        verify(scene, SLICE("Content-Type: text/plain\r\n\r\nAt nine.\r\n"), trust, 0).kind,
        SMIME_CHANGED);
    assert_int_equal(verify(scene, CONTENT, SLICE(""), 0).kind, SMIME_UNTRUSTED);
    assert_int_equal(verify(scene, CONTENT, trust, 200).kind, SMIME_EXPIRED);
    assert_int_equal(verify(scene, CONTENT, trust, -10).kind, SMIME_EXPIRED);
    /* Another authority of the same name. */
    struct people_authority *other = people_authority_open("Example Authority");
    struct buffer pem;
    buffer_init(&pem, 1 << 16);
    people_put_authority(other, &pem);
    assert_int_equal(verify(scene, CONTENT, buffer_slice(&pem), 0).kind, SMIME_UNTRUSTED);
    buffer_finish(&pem);
    people_authority_close(&other);
    /* A detached signature without what it is about. */
    assert_int_equal(verify(scene, SLICE(""), trust, 0).kind, SMIME_BROKEN);
    buffer_clear(&scene->out);
    buffer_put_text(&scene->out, "no signature");
    assert_int_equal(verify(scene, CONTENT, trust, 0).kind, SMIME_BROKEN);
}

static void
test_an_envelope_is_opened_by_those_it_is_for(void **state)
{
    struct scene *scene = *state;
    struct slice cards[] = {buffer_slice(&scene->alice_card), buffer_slice(&scene->bob_card)};
    const struct buffer *people[] = {&scene->alice, &scene->bob};
    struct smime_identity *identity;

    buffer_clear(&scene->out);
    assert_true(smime_encrypt(cards, 2, CONTENT, &scene->out, &scene->problem));
    struct slice envelope = buffer_slice(&scene->out);
    assert_true(slice_find(envelope, SLICE("eight")) == envelope.len);
    for (size_t i = 0; i < 2; i++) {
        identity = smime_identity_open(buffer_slice(people[i]), &scene->problem);
        buffer_clear(&scene->inside);
        assert_true(smime_decrypt(identity, envelope, &scene->inside, &scene->problem));
        assert_true(slice_equal(buffer_slice(&scene->inside), CONTENT));
        smime_identity_close(&identity);
    }
    buffer_clear(&scene->out);
    assert_true(smime_encrypt(cards, 1, CONTENT, &scene->out, &scene->problem));
    identity = smime_identity_open(buffer_slice(&scene->bob), &scene->problem);
    buffer_clear(&scene->inside);
    buffer_clear(&scene->problem);
    assert_false(
        smime_decrypt(identity, buffer_slice(&scene->out), &scene->inside, &scene->problem));
    assert_true(buffer_len(&scene->problem) > 0);
    assert_int_equal(buffer_len(&scene->inside), 0);
    smime_identity_close(&identity);
    assert_false(smime_encrypt(cards, 0, CONTENT, &scene->out, &scene->problem));
}

static void
test_an_identity_needs_its_key(void **state)
{
    struct scene *scene = *state;
    struct buffer mixed;

    assert_null(smime_identity_open(buffer_slice(&scene->alice_card), &scene->problem));
    assert_null(smime_identity_open(SLICE(""), &scene->problem));
    struct slice key = buffer_slice(&scene->alice);
    key = slice_first(key, slice_find(key, SLICE("-----BEGIN CERT")));
    buffer_init(&mixed, 1 << 16);
    buffer_put(&mixed, key);
    buffer_put(&mixed, buffer_slice(&scene->bob_card));
    assert_null(smime_identity_open(buffer_slice(&mixed), &scene->problem));
    buffer_put(&mixed, buffer_slice(&scene->alice_card));
    struct smime_identity *identity = smime_identity_open(buffer_slice(&mixed), &scene->problem);
    assert_non_null(identity);
    smime_identity_close(&identity);
    buffer_finish(&mixed);
}

static void
test_a_private_key_that_is_damaged_is_refused(void **state)
{
    struct scene *scene = *state;
    char pem[] = ANN_KEY ANN_CERTIFICATE;
    struct smime_identity *identity = smime_identity_open(slice_of_string(pem), &scene->problem);

    assert_non_null(identity);
    smime_identity_close(&identity);
    char *middle = strstr(pem, "NuO1Q3oF"); /* of the private half */
    assert_non_null(middle);
    *middle = 'M';
    buffer_clear(&scene->problem);
    assert_null(smime_identity_open(slice_of_string(pem), &scene->problem));
    struct slice problem = buffer_slice(&scene->problem);
    assert_true(slice_starts_with(problem, SLICE("the private key in it is damaged")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_signature_names_who_signed_and_who_vouches),
        cmocka_unit_test(test_what_is_not_good_is_told_apart),
        cmocka_unit_test(test_an_envelope_is_opened_by_those_it_is_for),
        cmocka_unit_test(test_an_identity_needs_its_key),
        cmocka_unit_test(test_a_private_key_that_is_damaged_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
