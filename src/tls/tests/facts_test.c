/* SPDX-License-Identifier: ISC */
/* What the sides of a connection know of each other, where it takes more than our own certificates
 * and newest protocol: OpenSSL is told to behave as others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <time.h>

#include "tls/tests/pair.h"

#include "tls/chain.h"
#include "tls/openssl_private.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

static void
talk(struct pair *pair)
{
    struct buffer plaintext;

    buffer_init(&plaintext, 65536);
    pair_talk(pair, 0, SIZE_MAX, &plaintext);
    buffer_finish(&plaintext);
}

/* ---- certificates of clients ----------------------------------------------------------------- */

static X509 *
read_certificate(struct slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(certificate);
    BIO_free(bio);
    return certificate;
}

/* The client shows the pair's last certificate, and it `more` times again as its chain; returns how
 * many octets one has. */
static size_t
show_certificate(struct pair *pair, unsigned more)
{
    X509 *certificate = read_certificate(buffer_slice(&pair->chain));
    struct slice pem = buffer_slice(&pair->key);
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    assert_int_equal(SSL_use_certificate(pair->client->ssl, certificate), 1);
    assert_int_equal(SSL_use_PrivateKey(pair->client->ssl, key), 1);
    for (unsigned i = 0; i < more; i++)
        assert_int_equal(SSL_add1_chain_cert(pair->client->ssl, certificate), 1);
    size_t len = (size_t)i2d_X509(certificate, NULL);
    EVP_PKEY_free(key);
    BIO_free(bio);
    X509_free(certificate);
    return len;
}

static void
a_client_that_is_asked_shows_its_certificates(void **state)
{
    struct buffer seen;
    struct pair pair;

    (void)state;
    buffer_init(&seen, TLS_CHAIN_MAX);
    pair_init(&pair, false);
    pair_make_certificate(&pair, SLICE("client.example.test"));
    for (unsigned more = 0; more < 3; more++) {
        pair_connect(&pair, SLICE("mail.example.test"));
        size_t len = show_certificate(&pair, more);
        tls_engine_ask_certificate(pair.server);
        talk(&pair);
        assert_int_equal(tls_engine_state(pair.server), TLS_OPEN);
        assert_true(tls_engine_has_peer_certificate(pair.server));
        assert_true(tls_engine_put_peer_chain(pair.server, &seen));
        assert_int_equal(buffer_len(&seen), (more + 1) * len);
        buffer_clear(&seen);
        assert_true(tls_engine_put_peer_subject(pair.server, &seen));
        assert_true(slice_equal(buffer_slice(&seen), SLICE("CN=client.example.test")));
        buffer_clear(&seen);
    }
    pair_finish(&pair);
    buffer_finish(&seen);
}

static void
a_client_that_has_none_or_is_not_asked_shows_none(void **state)
{
    struct buffer seen;
    struct pair pair;

    (void)state;
    buffer_init(&seen, TLS_CHAIN_MAX);
    pair_init(&pair, false);
    for (unsigned is_asked = 0; is_asked < 2; is_asked++) {
        pair_connect(&pair, SLICE("mail.example.test"));
        if (is_asked)
            tls_engine_ask_certificate(pair.server);
        else
            (void)show_certificate(&pair, 0);
        talk(&pair);
        assert_int_equal(tls_engine_state(pair.server), TLS_OPEN);
        assert_false(tls_engine_has_peer_certificate(pair.server));
        assert_false(tls_engine_put_peer_chain(pair.server, &seen));
        assert_false(tls_engine_put_peer_subject(pair.server, &seen));
        assert_int_equal(buffer_len(&seen), 0);
    }
    pair_finish(&pair);
    buffer_finish(&seen);
}

/* As many as fit, and one more. */
static void
a_chain_that_is_too_long_is_not_told(void **state)
{
    struct buffer seen;
    struct pair pair;

    (void)state;
    buffer_init(&seen, TLS_CHAIN_MAX);
    pair_init(&pair, false);
    for (unsigned is_past = 0; is_past < 2; is_past++) {
        pair_connect(&pair, SLICE("mail.example.test"));
        size_t len = show_certificate(&pair, 0);
        unsigned most = (unsigned)(TLS_CHAIN_MAX / len);
        (void)show_certificate(&pair, most - 1 + is_past);
        tls_engine_ask_certificate(pair.server);
        talk(&pair);
        assert_int_equal(tls_engine_state(pair.server), TLS_OPEN);
        assert_int_equal(tls_engine_put_peer_chain(pair.server, &seen), !is_past);
        assert_int_equal(buffer_len(&seen), is_past ? 0 : most * len);
        buffer_clear(&seen);
    }
    pair_finish(&pair);
    buffer_finish(&seen);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void
the_fault_of_a_certificate_has_a_name(void **state)
{
    static const struct {
        const char *asked;
        int64_t now_s; /* of when it was made, for ten days */
        enum tls_fault fault;
    } cases[] = {
        {"mail.example.test", 0, TLS_FAULT_OTHER},
        {"other.example.test", 0, TLS_FAULT_HOST_MISMATCH},
        {"127.0.0.1", 0, TLS_FAULT_HOST_MISMATCH},
        {"mail.example.test", -1000000, TLS_FAULT_EXPIRED},
        {"mail.example.test", 1000000, TLS_FAULT_EXPIRED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice name = SLICE("mail.example.test");
        const struct tls_certificate_request request = {
            .names = &name,
            .names_count = 1,
            .now = {((int64_t)time(NULL) + cases[i].now_s) * 1000000000},
            .days = 10,
        };
        struct pair pair;
        pair_init(&pair, false);
        buffer_clear(&pair.chain);
        buffer_clear(&pair.key);
        assert_true(tls_certificate_make(&request, &pair.chain, &pair.key, &pair.problem));
        assert_true(tls_context_set(pair.server_context, SLICE(""), buffer_slice(&pair.chain),
                                    buffer_slice(&pair.key), &pair.problem));
        tls_context_close(&pair.client_context);
        pair.client_context =
            tls_context_open_client(true, buffer_slice(&pair.chain), &pair.problem);
        pair_connect(&pair, slice_of_string(cases[i].asked));
        talk(&pair);
        bool is_good = cases[i].fault == TLS_FAULT_OTHER;
        assert_int_equal(tls_engine_state(pair.client), is_good ? TLS_OPEN : TLS_FAILED);
        assert_int_equal(tls_engine_is_verified(pair.client), is_good);
        assert_int_equal(tls_engine_fault(pair.client), cases[i].fault);
        pair_finish(&pair);
    }
}

static void
who_is_not_in_the_trusted_list_is_not_trusted(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, true);
    pair_add(&pair, SLICE(""), SLICE("mail.example.test")); /* another of that name */
    pair_connect(&pair, SLICE("mail.example.test"));
    talk(&pair);
    assert_int_equal(tls_engine_fault(pair.client), TLS_FAULT_NOT_TRUSTED);
    assert_false(tls_engine_is_verified(pair.client));
    assert_int_equal(tls_engine_fault(pair.server), TLS_FAULT_OTHER);
    pair_finish(&pair);
}

/* Who does not ask for a certificate that is good does not blame it either. */
static void
a_fault_of_another_kind_is_not_the_certificates(void **state)
{
    struct slice garbage = SLICE("no record of TLS at all");
    struct pair pair;
    uint8_t plain[16];

    (void)state;
    pair_init(&pair, false);
    pair_connect(&pair, SLICE("other.example.test"));
    talk(&pair);
    assert_int_equal(tls_engine_state(pair.client), TLS_OPEN);
    assert_int_equal(tls_engine_fault(pair.client), TLS_FAULT_OTHER);
    (void)tls_engine_take(pair.client, &garbage, plain, sizeof(plain));
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    assert_int_equal(tls_engine_fault(pair.client), TLS_FAULT_OTHER);
    pair_finish(&pair);
}

/* ---- channel bindings ------------------------------------------------------------------------ */

/* RFC 9266 §4.2: the label has 24 octets, the context none, and is there. */
static void
expect_exporter(const struct tls_engine *engine, struct slice binding)
{
    uint8_t bytes[32];

    assert_int_equal(SSL_export_keying_material(engine->ssl, bytes, sizeof(bytes),
                                                "EXPORTER-Channel-Binding", 24,
                                                (const uint8_t *)"", 0, 1),
                     1);
    assert_true(slice_equal(binding, slice_of(bytes, sizeof(bytes))));
}

/* RFC 9266 §2 */
static void
tls_1_2_binds_with_an_extended_master_secret_only(void **state)
{
    struct buffer seen;
    struct pair pair;

    (void)state;
    buffer_init(&seen, TLS_BINDING_MAX);
    pair_init(&pair, false);
    for (unsigned is_extended = 0; is_extended < 2; is_extended++) {
        pair_connect(&pair, SLICE("mail.example.test"));
        SSL_set_max_proto_version(pair.server->ssl, TLS1_2_VERSION);
        if (!is_extended)
            SSL_set_options(pair.server->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
        talk(&pair);
        assert_int_equal(tls_engine_state(pair.client), TLS_OPEN);
        assert_true(slice_equal(tls_engine_version(pair.server), SLICE("TLSv1.2")));
        assert_int_equal(tls_engine_put_binding(pair.server, TLS_BINDING_EXPORTER, &seen),
                         is_extended);
        assert_int_equal(buffer_len(&seen), is_extended ? 32 : 0);
        if (is_extended)
            expect_exporter(pair.client, buffer_slice(&seen));
    }
    buffer_clear(&seen);
    pair_connect(&pair, SLICE("mail.example.test"));
    talk(&pair);
    assert_true(tls_engine_put_binding(pair.server, TLS_BINDING_EXPORTER, &seen));
    expect_exporter(pair.client, buffer_slice(&seen));
    pair_finish(&pair);
    buffer_finish(&seen);
}

/* Signs itself with that key and digest; the server has it from now on. */
static void
use_certificate(struct pair *pair, EVP_PKEY *key, const EVP_MD *digest)
{
    X509 *certificate = X509_new();
    BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    char *chain_at, *secret_at;

    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -1000);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 100000);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, digest) > 0);
    PEM_write_bio_X509(chain, certificate);
    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    long chain_len = BIO_get_mem_data(chain, &chain_at);
    long secret_len = BIO_get_mem_data(secret, &secret_at);
    assert_true(tls_context_set(pair->server_context, SLICE(""),
                                slice_of(chain_at, (size_t)chain_len),
                                slice_of(secret_at, (size_t)secret_len), &pair->problem));
    BIO_free(chain);
    BIO_free(secret);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* RFC 5929 §4.1: the digest is that of the signature; one that has none binds not at all. */
static void
the_end_point_is_bound_by_the_digest_of_its_signature(void **state)
{
    static const struct {
        const char *digest; /* NULL: Ed25519 */
        size_t len;
    } cases[] = {{"SHA256", 32}, {"SHA384", 48}, {"SHA512", 64}, {"SHA1", 32}, {NULL, 0}};
    struct buffer seen[2];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        buffer_init(&seen[i], TLS_BINDING_MAX);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pair pair;
        pair_init(&pair, false);
        if (cases[i].digest)
            use_certificate(&pair, EVP_EC_gen("P-256"), EVP_get_digestbyname(cases[i].digest));
        else
            use_certificate(&pair, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
        pair_connect(&pair, SLICE("mail.example.test"));
        talk(&pair);
        assert_int_equal(tls_engine_state(pair.client), TLS_OPEN);
        bool is_bound = cases[i].len > 0;
        assert_int_equal(tls_engine_put_binding(pair.server, TLS_BINDING_END_POINT, &seen[0]),
                         is_bound);
        assert_int_equal(tls_engine_put_binding(pair.client, TLS_BINDING_END_POINT, &seen[1]),
                         is_bound);
        assert_int_equal(buffer_len(&seen[0]), cases[i].len);
        /* It names nobody, and that is what is told. */
        struct buffer subject;
        buffer_init(&subject, 100);
        assert_true(tls_engine_put_peer_subject(pair.client, &subject));
        assert_int_equal(buffer_len(&subject), 0);
        buffer_finish(&subject);
        assert_true(slice_equal(buffer_slice(&seen[0]), buffer_slice(&seen[1])));
        buffer_clear(&seen[0]);
        buffer_clear(&seen[1]);
        pair_finish(&pair);
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        buffer_finish(&seen[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_is_asked_shows_its_certificates),
        cmocka_unit_test(a_client_that_has_none_or_is_not_asked_shows_none),
        cmocka_unit_test(a_chain_that_is_too_long_is_not_told),
        cmocka_unit_test(the_fault_of_a_certificate_has_a_name),
        cmocka_unit_test(a_fault_of_another_kind_is_not_the_certificates),
        cmocka_unit_test(who_is_not_in_the_trusted_list_is_not_trusted),
        cmocka_unit_test(tls_1_2_binds_with_an_extended_master_secret_only),
        cmocka_unit_test(the_end_point_is_bound_by_the_digest_of_its_signature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
