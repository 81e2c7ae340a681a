/* SPDX-License-Identifier: ISC */
#include "smime/card.h"

#include "smime/smime.h"
#include "smime/tests/people.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <cmocka.h>

enum { OCTETS_MAX = 1 << 20, DAYS = 100, DAY_S = 24 * 3600 };

struct scene {
    struct people_authority *authority;
    struct buffer identity, certificate, out, problem;
    struct arena arena;
};

static int
set_up(void **state)
{
    static struct scene scene;

    for (struct buffer *b = &scene.identity; b <= &scene.problem; b++)
        buffer_init(b, OCTETS_MAX);
    arena_init(&scene.arena, OCTETS_MAX);
    scene.authority = people_authority_open("Example Authority");
    people_put(scene.authority, "alice@example.test", DAYS, &scene.identity, &scene.certificate);
    *state = &scene;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;

    for (struct buffer *b = &scene->identity; b <= &scene->problem; b++)
        buffer_finish(b);
    arena_finish(&scene->arena);
    people_authority_close(&scene->authority);
    return 0;
}

static X509 *
certificate_of(const struct scene *scene)
{
    struct slice pem = buffer_slice(&scene->certificate);
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static void
assert_alice(const struct smime_card *card)
{
    int64_t end = (int64_t)time(NULL) + (int64_t)DAYS * DAY_S;

    assert_int_equal(card->addresses_count, 1);
    assert_true(slice_equal(card->addresses[0], SLICE("alice@example.test")));
    assert_true(slice_equal(card->name, SLICE("alice@example.test")));
    assert_true(slice_equal(card->issuer, SLICE("Example Authority")));
    assert_in_range(wall_seconds(card->until), end - DAY_S, end + DAY_S);
}

static void
a_certificate_says_whose_it_is(void **state)
{
    struct scene *scene = *state;
    struct smime_card card;
    unsigned char *der = NULL;
    X509 *certificate = certificate_of(scene);

    assert_true(smime_card_read(buffer_slice(&scene->certificate), &scene->arena, &card));
    assert_alice(&card);
    assert_true(slice_equal(card.certificate, buffer_slice(&scene->certificate)));
    int len = i2d_X509(certificate, &der);
    assert_true(smime_card_read(slice_of(der, (size_t)len), &scene->arena, &card));
    assert_alice(&card);
    assert_false(smime_card_read(slice_of(der, (size_t)len - 1), &scene->arena, &card));
    assert_false(smime_card_read(SLICE(""), &scene->arena, &card));
    OPENSSL_free(der);
    X509_free(certificate);
}

static void
a_pkcs12_file_opens_with_its_passphrase(void **state)
{
    struct scene *scene = *state;
    struct slice pem = buffer_slice(&scene->identity), bytes;
    X509 *certificate = certificate_of(scene);
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    PKCS12 *bag = PKCS12_create("open sesame", "alice", key, certificate, NULL, 0, 0, 0, 0, 0);
    unsigned char *der = NULL;
    bool is_passphrase;

    int len = i2d_PKCS12(bag, &der);
    bytes = slice_of(der, (size_t)len);
    assert_false(smime_pkcs12_read(bytes, "", &scene->out, &is_passphrase, &scene->problem));
    assert_true(is_passphrase);
    assert_int_equal(buffer_len(&scene->out), 0);
    assert_true(
        smime_pkcs12_read(bytes, "open sesame", &scene->out, &is_passphrase, &scene->problem));
    struct smime_identity *identity =
        smime_identity_open(buffer_slice(&scene->out), &scene->problem);
    assert_non_null(identity);
    smime_identity_close(&identity);
    assert_false(smime_pkcs12_read(SLICE("x"), "", &scene->out, &is_passphrase, &scene->problem));
    assert_false(is_passphrase);
    OPENSSL_free(der);
    PKCS12_free(bag);
    EVP_PKEY_free(key);
    X509_free(certificate);
    BIO_free(bio);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_certificate_says_whose_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pkcs12_file_opens_with_its_passphrase, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
