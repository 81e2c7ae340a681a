/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/openssl_private.h"
#include "tls/signer.h"
#include "tls/tests/pair.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

/* A server whose keys are with somebody else: here, in another variable. */
struct scene {
    struct pair pair;
    struct tls_signer *signer;
    struct buffer plaintext;
    size_t asked;
    bool is_deaf; /* does not answer */
    struct tls_signature_question last;
};

static EVP_PKEY *
make_key(const char *kind)
{
    if (strcmp(kind, "RSA") == 0)
        return EVP_RSA_gen(2048);
    if (strcmp(kind, "P-256") == 0 || strcmp(kind, "P-384") == 0)
        return EVP_EC_gen(kind);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;
    assert_true(EVP_PKEY_keygen_init(maker) == 1 && EVP_PKEY_generate(maker, &key) == 1);
    EVP_PKEY_CTX_free(maker);
    return key;
}

static void
put_pem(struct buffer *out, EVP_PKEY *key, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    if (certificate)
        assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    else
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    buffer_clear(out);
    long len = BIO_get_mem_data(bio, &text);
    buffer_put(out, slice_of(text, (size_t)len));
    BIO_free(bio);
}

/* A certificate of mail.example.test for a key of this kind. */
static void
make_pair_of(const char *kind, struct buffer *chain, struct buffer *key_text)
{
    EVP_PKEY *key = make_key(kind);
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    bool is_eddsa = strncmp(kind, "ED", 2) == 0;

    assert_non_null(key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"mail.example.test", -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, is_eddsa ? NULL : EVP_sha256()) > 0);
    put_pem(chain, NULL, certificate);
    put_pem(key_text, key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static bool
sign(void *context, const struct tls_signature_question *question, struct buffer *ret_signature)
{
    struct scene *scene = context;

    scene->asked++;
    scene->last = *question;
    assert_true(tls_text_is_of_handshake(question->text));
    assert_memory_equal(question->key_id, tls_signer_id(scene->signer), TLS_KEY_ID_SIZE);
    return !scene->is_deaf && tls_signer_sign(scene->signer, question, ret_signature);
}

static void
open_scene(struct scene *scene, const char *kind)
{
    *scene = (struct scene){.asked = 0};
    buffer_init(&scene->plaintext, 4096);
    buffer_init(&scene->pair.chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&scene->pair.key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&scene->pair.problem, 1024);
    make_pair_of(kind, &scene->pair.chain, &scene->pair.key);
    scene->signer = tls_signer_open(buffer_slice(&scene->pair.chain),
                                    buffer_slice(&scene->pair.key), &scene->pair.problem);
    assert_non_null(scene->signer);
    scene->pair.server_context = tls_context_open_server();
    tls_context_set_signer(scene->pair.server_context, sign, scene);
    assert_true(tls_context_set(scene->pair.server_context, SLICE(""),
                                buffer_slice(&scene->pair.chain), SLICE(""), &scene->pair.problem));
    scene->pair.client_context = tls_context_open_client(false, SLICE(""), &scene->pair.problem);
}

static void
close_scene(struct scene *scene)
{
    pair_finish(&scene->pair);
    tls_signer_close(&scene->signer);
    buffer_finish(&scene->plaintext);
}

static void
meet(struct scene *scene)
{
    pair_connect(&scene->pair, SLICE("mail.example.test"));
    pair_talk(&scene->pair, 0, SIZE_MAX, &scene->plaintext);
}

static void
handshakes_are_signed_elsewhere_with_keys_of_all_kinds(void **state)
{
    static const struct {
        const char *kind;
        int version;
        enum tls_signature_form form;
    } cases[] = {
        {"P-256", TLS1_3_VERSION, TLS_SIGNATURE_ECDSA},
        {"P-256", TLS1_2_VERSION, TLS_SIGNATURE_ECDSA},
        {"P-384", TLS1_3_VERSION, TLS_SIGNATURE_ECDSA},
        {"RSA", TLS1_3_VERSION, TLS_SIGNATURE_PSS},
        {"RSA", TLS1_2_VERSION, TLS_SIGNATURE_PSS},
        {"RSA-PSS", TLS1_3_VERSION, TLS_SIGNATURE_PSS},
        {"ED25519", TLS1_3_VERSION, TLS_SIGNATURE_EDDSA},
        {"ED25519", TLS1_2_VERSION, TLS_SIGNATURE_EDDSA},
        {"ED448", TLS1_3_VERSION, TLS_SIGNATURE_EDDSA},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_scene(&scene, cases[i].kind);
        SSL_CTX_set_max_proto_version(scene.pair.client_context->ssl_context, cases[i].version);
        meet(&scene);
        assert_int_equal(tls_engine_state(scene.pair.client), TLS_OPEN);
        assert_int_equal(tls_engine_state(scene.pair.server), TLS_OPEN);
        assert_int_equal(scene.asked, 1);
        assert_int_equal(scene.last.form, cases[i].form);
        close_scene(&scene);
    }
}

static void
a_client_that_knows_only_pkcs1_is_served(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "RSA");
    SSL_CTX *client = scene.pair.client_context->ssl_context;
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    char algorithms[] = "RSA+SHA384";
    assert_int_equal(SSL_CTX_set1_sigalgs_list(client, algorithms), 1);
    meet(&scene);
    assert_int_equal(tls_engine_state(scene.pair.client), TLS_OPEN);
    assert_int_equal(scene.last.form, TLS_SIGNATURE_PKCS1);
    assert_int_equal(scene.last.digest, TLS_SIGNATURE_SHA384);
    close_scene(&scene);
}

/* Keys of our provider have the names of the library's own kinds: it must not be asked for the keys
 * of an exchange, nor to read what the peer shows. */
static void
exchanges_have_the_librarys_own_keys(void **state)
{
    int groups[] = {NID_X9_62_prime256v1, NID_X25519, NID_secp384r1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        struct scene scene;
        open_scene(&scene, i == 0 ? "P-256" : "RSA"); /* TLS 1.2 wants the key of that group, too */
        assert_int_equal(
            SSL_CTX_set1_groups(scene.pair.client_context->ssl_context, &groups[i], 1), 1);
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            SSL_CTX_set_max_proto_version(scene.pair.client_context->ssl_context, version);
            for (int round = 0; round < 20; round++) {
                meet(&scene);
                assert_int_equal(tls_engine_state(scene.pair.client), TLS_OPEN);
                assert_int_equal(tls_engine_state(scene.pair.server), TLS_OPEN);
            }
        }
        close_scene(&scene);
    }
}

static void
without_an_answer_the_handshake_fails_and_the_next_can_succeed(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "P-256");
    scene.is_deaf = true;
    meet(&scene);
    assert_int_equal(tls_engine_state(scene.pair.server), TLS_FAILED);
    assert_int_equal(tls_engine_state(scene.pair.client), TLS_FAILED);
    scene.is_deaf = false;
    meet(&scene);
    assert_int_equal(tls_engine_state(scene.pair.client), TLS_OPEN);
    close_scene(&scene);
}

static void
the_server_has_no_private_half(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "P-256");
    meet(&scene);
    const struct tls_credential *credential =
        tls_credential_find(scene.pair.server_context, SLICE(""));
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_not_equal(PEM_write_bio_PrivateKey(bio, credential->key, NULL, NULL, 0, NULL, NULL),
                         1);
    BIO_free(bio);
    close_scene(&scene);
}

/* Keys of our own programs go on to be the library's, though there are two with one name now. */
static void
other_keys_are_not_ours(void **state)
{
    struct scene scene;
    struct buffer signature;

    (void)state;
    open_scene(&scene, "RSA");
    buffer_init(&signature, TLS_SIGNATURE_MAX);
    struct tls_signature_question question = {.key_id = tls_signer_id(scene.signer),
                                              .form = TLS_SIGNATURE_PKCS1,
                                              .digest = TLS_SIGNATURE_SHA256,
                                              .text = SLICE("text")};
    assert_true(tls_signer_sign(scene.signer, &question, &signature));
    assert_int_equal(buffer_len(&signature), 256);
    assert_int_equal(scene.asked, 0);
    question.form = TLS_SIGNATURE_ECDSA;
    assert_false(tls_signer_sign(scene.signer, &question, &signature));
    buffer_finish(&signature);
    close_scene(&scene);
}

static void
only_what_a_handshake_signs_is_of_one(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text, TLS_SIGNED_TEXT_MAX);
    for (size_t i = 0; i < 64; i++)
        buffer_put_byte(&text, ' ');
    buffer_put(&text, SLICE("TLS 1.3, server CertificateVerify\0"));
    size_t len = buffer_len(&text);
    assert_false(tls_text_is_of_handshake(buffer_slice(&text)));
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(tls_text_is_of_handshake(buffer_slice(&text)), i >= 32);
        buffer_put_byte(&text, 7);
    }
    assert_true(tls_text_is_of_handshake(buffer_slice(&text)));
    buffer_put_byte(&text, 7);
    assert_false(tls_text_is_of_handshake(buffer_slice(&text)));
    buffer_truncate(&text, len);
    assert_false(tls_text_is_of_handshake(slice_skip(buffer_slice(&text), 1)));
    buffer_clear(&text);
    for (size_t i = 0; i < 64; i++)
        buffer_put_byte(&text, (uint8_t)i);
    buffer_put(&text, SLICE("\3\0\x1d\4abcd"));
    assert_true(tls_text_is_of_handshake(buffer_slice(&text)));
    buffer_put_byte(&text, 'e');
    assert_false(tls_text_is_of_handshake(buffer_slice(&text)));
    assert_false(tls_text_is_of_handshake(SLICE("from:a@example.test\r\ndkim-signature:v=1")));
    assert_false(tls_text_is_of_handshake(SLICE("")));
    buffer_finish(&text);
}

static void
tickets_of_given_secrets_resume(void **state)
{
    struct scene scene;
    uint8_t secrets[2 * TLS_TICKET_SECRET_SIZE], other[2 * TLS_TICKET_SECRET_SIZE];

    (void)state;
    open_scene(&scene, "P-256");
    tls_signer_ticket_secret(scene.signer, 100, secrets);
    tls_signer_ticket_secret(scene.signer, 99, secrets + TLS_TICKET_SECRET_SIZE);
    tls_signer_ticket_secret(scene.signer, 101, other);
    memcpy(other + TLS_TICKET_SECRET_SIZE, secrets, TLS_TICKET_SECRET_SIZE);
    assert_memory_not_equal(secrets, other, TLS_TICKET_SECRET_SIZE);
    tls_context_set_tickets(scene.pair.server_context, 100, secrets);
    meet(&scene);
    assert_int_equal(scene.asked, 1);
    tls_context_set_tickets(scene.pair.server_context, 101, other); /* the next epoch */
    meet(&scene);
    assert_true(tls_engine_is_resumed(scene.pair.server));
    assert_int_equal(scene.asked, 1);
    tls_signer_ticket_secret(scene.signer, 103, other);
    tls_signer_ticket_secret(scene.signer, 102, other + TLS_TICKET_SECRET_SIZE);
    tls_context_set_tickets(scene.pair.server_context, 103, other);
    meet(&scene);
    assert_false(tls_engine_is_resumed(scene.pair.server));
    close_scene(&scene);
}

static void
a_key_and_its_certificate_belong_together(void **state)
{
    struct scene scene;
    struct buffer chain, key;

    (void)state;
    open_scene(&scene, "P-256");
    buffer_init(&chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&key, TLS_CERTIFICATE_PEM_MAX);
    make_pair_of("P-256", &chain, &key);
    assert_null(
        tls_signer_open(buffer_slice(&chain), buffer_slice(&scene.pair.key), &scene.pair.problem));
    assert_true(buffer_len(&scene.pair.problem) > 0);
    buffer_clear(&scene.pair.problem);
    assert_null(tls_signer_open_bare(SLICE("no key"), &scene.pair.problem));
    assert_true(buffer_len(&scene.pair.problem) > 0);
    buffer_finish(&chain);
    buffer_finish(&key);
    close_scene(&scene);
}

/* Processes without the key show the chain: what they would refuse is told where the key is. */
static void
a_chain_has_at_most_sixteen_certificates(void **state)
{
    struct scene scene;
    struct buffer chain;

    (void)state;
    open_scene(&scene, "P-256");
    struct slice key = buffer_slice(&scene.pair.key);
    buffer_init(&chain, SIZE_MAX);
    for (size_t i = 0; i < TLS_SERVER_CHAIN_MAX; i++)
        buffer_put(&chain, buffer_slice(&scene.pair.chain));
    struct tls_signer *signer = tls_signer_open(buffer_slice(&chain), key, &scene.pair.problem);
    assert_non_null(signer);
    tls_signer_close(&signer);
    assert_true(tls_context_set(scene.pair.server_context, SLICE(""), buffer_slice(&chain),
                                SLICE(""), &scene.pair.problem));
    assert_int_equal(buffer_len(&scene.pair.problem), 0);
    buffer_put(&chain, buffer_slice(&scene.pair.chain));
    assert_null(tls_signer_open(buffer_slice(&chain), key, &scene.pair.problem));
    assert_true(buffer_len(&scene.pair.problem) > 0);
    assert_false(tls_context_set(scene.pair.server_context, SLICE(""), buffer_slice(&chain),
                                 SLICE(""), &scene.pair.problem));
    buffer_finish(&chain);
    close_scene(&scene);
}

/* A key that only agrees on secrets cannot sign its own certificate: somebody else has. */
static void
a_key_that_cannot_sign_is_refused(void **state)
{
    EVP_PKEY *key = make_key("X25519"), *other = make_key("P-256");
    X509 *certificate = X509_new();
    struct buffer chain, key_text, problem;

    (void)state;
    buffer_init(&chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&key_text, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&problem, 1024);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, other, EVP_sha256()) > 0);
    put_pem(&chain, NULL, certificate);
    put_pem(&key_text, key, NULL);
    assert_null(tls_signer_open(buffer_slice(&chain), buffer_slice(&key_text), &problem));
    assert_true(buffer_len(&problem) > 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    buffer_finish(&chain);
    buffer_finish(&key_text);
    buffer_finish(&problem);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_has_at_most_sixteen_certificates),
        cmocka_unit_test(a_key_that_cannot_sign_is_refused),
        cmocka_unit_test(handshakes_are_signed_elsewhere_with_keys_of_all_kinds),
        cmocka_unit_test(a_client_that_knows_only_pkcs1_is_served),
        cmocka_unit_test(exchanges_have_the_librarys_own_keys),
        cmocka_unit_test(without_an_answer_the_handshake_fails_and_the_next_can_succeed),
        cmocka_unit_test(the_server_has_no_private_half),
        cmocka_unit_test(other_keys_are_not_ours),
        cmocka_unit_test(only_what_a_handshake_signs_is_of_one),
        cmocka_unit_test(tickets_of_given_secrets_resume),
        cmocka_unit_test(a_key_and_its_certificate_belong_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
