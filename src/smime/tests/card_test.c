/* SPDX-License-Identifier: ISC */
#include "smime/card.h"
#include "smime/openssl_private.h"

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

static ASN1_INTEGER *
seal_counter(const PKCS12 *bag)
{
    const ASN1_INTEGER *count = NULL;

    PKCS12_get0_mac(NULL, NULL, NULL, &count, bag);
    assert_non_null(count);
    return (ASN1_INTEGER *)(uintptr_t)count;
}

enum { CHEAP = 0x010000 }; /* a count of as many octets as the limit */

/* Writes the count after the limit where CHEAP stands, so that it has not to be hashed so often to
 * make the file. */
static PKCS12 *
with_count_past_limit(PKCS12 *bag)
{
    static const uint8_t cheap[] = {2, 3, CHEAP >> 16, 0, 0};
    const uint32_t past = SMIME_ITERATIONS_MAX + 1;
    const uint8_t dear[] = {2, 3, (uint8_t)(past >> 16), (uint8_t)(past >> 8), (uint8_t)past};
    unsigned char *der = NULL;
    size_t len = (size_t)i2d_PKCS12(bag, &der), found = 0;

    PKCS12_free(bag);
    for (size_t i = 0; i + sizeof(cheap) <= len; i++) {
        if (memcmp(der + i, cheap, sizeof(cheap)) == 0) {
            memcpy(der + i, dear, sizeof(dear));
            found++;
        }
    }
    assert_true(found > 0);
    const unsigned char *at = der;
    PKCS12 *patched = d2i_PKCS12(NULL, &at, (long)len);
    assert_non_null(patched);
    OPENSSL_free(der);
    return patched;
}

/* Of a file with these counts, the passphrase "x" and its key encrypted so. */
static bool
is_read(struct scene *scene, int key_count, int seal_count, int key_kind)
{
    struct slice pem = buffer_slice(&scene->identity);
    X509 *certificate = certificate_of(scene);
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    bool is_past = key_count > SMIME_ITERATIONS_MAX;
    PKCS12 *bag = PKCS12_create("x", "alice", key, certificate, NULL, key_kind, -1,
                                is_past ? CHEAP : key_count, -1, 0);
    unsigned char *der = NULL;
    bool is_passphrase;

    bag = is_past ? with_count_past_limit(bag) : bag;
    assert_int_equal(PKCS12_set_mac(bag, "x", -1, NULL, 0, seal_count > 1 ? 2 : 1, EVP_sha256()),
                     1);
    if (seal_count > 1) /* what it then is does not matter: the passphrase will not fit */
        assert_int_equal(ASN1_INTEGER_set(seal_counter(bag), seal_count), 1);
    int len = i2d_PKCS12(bag, &der);
    buffer_clear(&scene->problem);
    bool is_read = smime_pkcs12_read(slice_of(der, (size_t)len), "x", &scene->out, &is_passphrase,
                                     &scene->problem);
    if (!is_read)
        assert_int_equal(is_passphrase, seal_count > 1 && seal_count <= SMIME_ITERATIONS_MAX);
    OPENSSL_free(der);
    PKCS12_free(bag);
    EVP_PKEY_free(key);
    X509_free(certificate);
    BIO_free(bio);
    return is_read;
}

static void
a_pkcs12_file_is_not_hashed_for_ever(void **state)
{
    struct scene *scene = *state;

    assert_true(is_read(scene, SMIME_ITERATIONS_MAX, 1, NID_aes_256_cbc));
    assert_false(is_read(scene, SMIME_ITERATIONS_MAX + 1, 1, NID_aes_256_cbc));
    assert_false(
        is_read(scene, SMIME_ITERATIONS_MAX + 1, 1, NID_pbe_WithSHA1And3_Key_TripleDES_CBC));
    /* Of the seal: at the limit it is looked at, and does not fit. */
    assert_false(is_read(scene, 1, SMIME_ITERATIONS_MAX, NID_aes_256_cbc));
    assert_false(is_read(scene, 1, SMIME_ITERATIONS_MAX + 1, NID_aes_256_cbc));
    assert_false(is_read(scene, 1, INT32_MAX, NID_aes_256_cbc));
}

/* A key in a safe, whose passphrase is to be hashed so often. */
static void
add_key(STACK_OF(PKCS12_SAFEBAG) * *bags, EVP_PKEY *key, uint64_t count)
{
    PKCS12_SAFEBAG *bag =
        PKCS12_add_key(bags, key, 0, 1, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, "x");
    PBEPARAM *scheme = PBEPARAM_new();
    ASN1_STRING *packed = NULL;
    const X509_ALGOR *algorithm;

    assert_non_null(bag);
    assert_int_equal(ASN1_STRING_set(scheme->salt, "12345678", 8), 1);
    assert_int_equal(ASN1_INTEGER_set_uint64(scheme->iter, count), 1);
    assert_non_null(ASN1_item_pack(scheme, ASN1_ITEM_rptr(PBEPARAM), &packed));
    PBEPARAM_free(scheme);
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
    assert_int_equal(X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)algorithm,
                                     OBJ_nid2obj(NID_pbe_WithSHA1And3_Key_TripleDES_CBC),
                                     V_ASN1_SEQUENCE, packed),
                     1);
}

/* Together they are 2 to the 64 and 1. */
static void
counts_do_not_become_little_by_their_sum(void **state)
{
    struct scene *scene = *state;
    struct slice pem = buffer_slice(&scene->identity);
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    const uint64_t dear = (UINT64_C(1) << 62) + INT32_MAX;
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    STACK_OF(PKCS7) *safes = NULL;

    add_key(&bags, key, dear);
    add_key(&bags, key, UINT64_MAX - dear + 2);
    assert_int_equal(PKCS12_add_safe(&safes, bags, -1, 0, NULL), 1);
    PKCS12 *file = PKCS12_add_safes(safes, 0);
    assert_non_null(file);
    assert_false(smime_pkcs12_are_safes_bounded(file, "x"));
    PKCS12_free(file);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_certificate_says_whose_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pkcs12_file_opens_with_its_passphrase, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pkcs12_file_is_not_hashed_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_do_not_become_little_by_their_sum, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
