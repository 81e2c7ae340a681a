/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/chain.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static const struct wall now = {1800000000LL * 1000000000};

/* What a certificate says, but for its key. */
struct wish {
    const char *common_name, *alternatives, *usage;
    int begins_s, ends_s; /* from now */
    bool is_authority;
};

struct made {
    X509 *certificate;
    EVP_PKEY *key;
};

static void
add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static struct made
make(const struct wish *wish, const struct made *by)
{
    struct made made = {X509_new(), EVP_EC_gen("P-256")};
    X509_NAME *subject = X509_get_subject_name(made.certificate);
    time_t moment = (time_t)(now.ns / 1000000000);

    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), 7);
    X509_time_adj_ex(X509_getm_notBefore(made.certificate), 0, wish->begins_s, &moment);
    X509_time_adj_ex(X509_getm_notAfter(made.certificate), 0, wish->ends_s, &moment);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)wish->common_name, -1,
                               -1, 0);
    X509_NAME_add_entry_by_txt(subject, "UID", MBSTRING_UTF8, (const uint8_t *)"u7", -1, -1, 0);
    X509_set_issuer_name(made.certificate, by ? X509_get_subject_name(by->certificate) : subject);
    X509_set_pubkey(made.certificate, made.key);
    add_extension(made.certificate, NID_basic_constraints,
                  wish->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->alternatives)
        add_extension(made.certificate, NID_subject_alt_name, wish->alternatives);
    if (wish->usage)
        add_extension(made.certificate, NID_ext_key_usage, wish->usage);
    assert_true(X509_sign(made.certificate, by ? by->key : made.key, EVP_sha256()) > 0);
    return made;
}

static void
finish(struct made *made)
{
    X509_free(made->certificate);
    EVP_PKEY_free(made->key);
}

static void
put_der(const struct made *made, struct buffer *out)
{
    unsigned char *der = NULL;
    int len = i2d_X509(made->certificate, &der);

    buffer_put(out, slice_of(der, (size_t)len));
    OPENSSL_free(der);
}

static void
put_pem(BIO *bio, struct buffer *out)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);

    buffer_put(out, slice_of(text, (size_t)len));
    BIO_free(bio);
}

static void
trust(const struct made *made, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_X509(bio, made->certificate);
    put_pem(bio, out);
}

/* A list by the authority in which `number` stands. */
static void
revoke(const struct made *by, long number, struct buffer *out)
{
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *one = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *begins = ASN1_TIME_set(NULL, (time_t)(now.ns / 1000000000) - 100);
    ASN1_TIME *ends = ASN1_TIME_set(NULL, (time_t)(now.ns / 1000000000) + 100);
    BIO *bio = BIO_new(BIO_s_mem());

    ASN1_INTEGER_set(serial, number);
    X509_REVOKED_set_serialNumber(one, serial);
    X509_REVOKED_set_revocationDate(one, begins);
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(by->certificate));
    X509_CRL_set1_lastUpdate(list, begins);
    X509_CRL_set1_nextUpdate(list, ends);
    X509_CRL_add0_revoked(list, one);
    assert_true(X509_CRL_sign(list, by->key, EVP_sha256()) > 0);
    PEM_write_bio_X509_CRL(bio, list);
    put_pem(bio, out);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(begins);
    ASN1_TIME_free(ends);
    X509_CRL_free(list);
}

struct scene {
    struct made authority, stranger;
    struct buffer trust, chain, names;
};

static int
set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    const struct wish authority = {
        .common_name = "Authority", .begins_s = -1000, .ends_s = 1000000, .is_authority = true};

    scene->authority = make(&authority, NULL);
    scene->stranger = make(&authority, NULL);
    buffer_init(&scene->trust, 64 * 1024);
    buffer_init(&scene->chain, 64 * 1024);
    buffer_init(&scene->names, TLS_CHAIN_NAMES_MAX * (TLS_CHAIN_NAME_MAX + 1));
    trust(&scene->authority, &scene->trust);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;

    finish(&scene->authority);
    finish(&scene->stranger);
    buffer_finish(&scene->trust);
    buffer_finish(&scene->chain);
    buffer_finish(&scene->names);
    free(scene);
    return 0;
}

static enum tls_chain_result
verify(struct scene *scene, enum tls_chain_name name)
{
    struct tls_chain_policy policy = {buffer_slice(&scene->trust), name, now};

    buffer_clear(&scene->names);
    return tls_chain_verify(buffer_slice(&scene->chain), &policy, &scene->names);
}

static enum tls_chain_result
verify_one(struct scene *scene, const struct wish *wish, const struct made *by)
{
    struct made made = make(wish, by);

    buffer_clear(&scene->chain);
    put_der(&made, &scene->chain);
    finish(&made);
    return verify(scene, TLS_CHAIN_EMAIL);
}

static const struct wish good = {.common_name = "Alice",
                                 .alternatives = "email:a@x.test,DNS:x.test,"
                                                 "email:b@x.test",
                                 .begins_s = -100,
                                 .ends_s = 100};

static void
assert_names(const struct scene *scene, struct slice names)
{
    assert_true(slice_equal(buffer_slice(&scene->names), names));
}

static void
who_is_vouched_for_has_the_names_that_are_asked_for(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(verify_one(scene, &good, &scene->authority), TLS_CHAIN_OK);
    assert_names(scene, SLICE("a@x.test\nb@x.test\n"));
    assert_int_equal(verify(scene, TLS_CHAIN_COMMON_NAME), TLS_CHAIN_OK);
    assert_names(scene, SLICE("Alice\n"));
    assert_int_equal(verify(scene, TLS_CHAIN_USER_ID), TLS_CHAIN_OK);
    assert_names(scene, SLICE("u7\n"));
}

static void
nobody_else_is_believed(void **state)
{
    struct scene *scene = *state;
    struct wish wish = good;

    assert_int_equal(verify_one(scene, &good, &scene->stranger), TLS_CHAIN_NOT_TRUSTED);
    assert_int_equal(verify_one(scene, &good, NULL), TLS_CHAIN_NOT_TRUSTED);
    wish.ends_s = -1;
    assert_int_equal(verify_one(scene, &wish, &scene->authority), TLS_CHAIN_EXPIRED);
    wish = good;
    wish.begins_s = 50;
    assert_int_equal(verify_one(scene, &wish, &scene->authority), TLS_CHAIN_EXPIRED);
    wish = good;
    wish.usage = "serverAuth";
    assert_int_equal(verify_one(scene, &wish, &scene->authority), TLS_CHAIN_PURPOSE);
    wish.usage = "clientAuth";
    assert_int_equal(verify_one(scene, &wish, &scene->authority), TLS_CHAIN_OK);
    wish.alternatives = NULL;
    assert_int_equal(verify_one(scene, &wish, &scene->authority), TLS_CHAIN_NAMELESS);
    wish.common_name = "Alice\nBob";
    assert_int_equal(verify_one(scene, &wish, &scene->authority), TLS_CHAIN_NAMELESS);
    assert_int_equal(verify(scene, TLS_CHAIN_COMMON_NAME), TLS_CHAIN_NAMELESS);
    buffer_clear(&scene->trust);
    assert_int_equal(verify_one(scene, &good, &scene->authority), TLS_CHAIN_NOT_TRUSTED);
}

static void
what_is_revoked_is_not_good(void **state)
{
    struct scene *scene = *state;

    revoke(&scene->authority, 8, &scene->trust);
    assert_int_equal(verify_one(scene, &good, &scene->authority), TLS_CHAIN_OK);
    buffer_clear(&scene->trust);
    trust(&scene->authority, &scene->trust);
    revoke(&scene->authority, 7, &scene->trust);
    assert_int_equal(verify_one(scene, &good, &scene->authority), TLS_CHAIN_REVOKED);
}

static void
lists_that_cannot_be_read_leave_nobody_good(void **state)
{
    struct scene *scene = *state;
    struct buffer list;

    buffer_init(&list, 64 * 1024);
    revoke(&scene->authority, 7, &list);
    struct slice text = buffer_slice(&list);
    buffer_put(&scene->trust, slice_first(text, text.len / 2)); /* the disk was full */
    assert_int_equal(verify_one(scene, &good, &scene->authority), TLS_CHAIN_REVOKED);
    buffer_finish(&list);
}

/* The names that are found when it has so many addresses, each of so many octets. */
static size_t
count_names(struct scene *scene, unsigned count, size_t len)
{
    struct buffer text;
    struct wish wish = good;

    buffer_init(&text, 64 * 1024);
    for (unsigned i = 0; i < count; i++) {
        buffer_put_text(&text, i ? ",email:" : "email:");
        for (size_t at = 0; at + 2 < len; at++)
            buffer_put_byte(&text, (uint8_t)('a' + i));
        buffer_put_text(&text, "@x");
    }
    buffer_put_byte(&text, 0);
    wish.alternatives = (const char *)buffer_slice(&text).at;
    enum tls_chain_result result = verify_one(scene, &wish, &scene->authority);
    struct slice names = buffer_slice(&scene->names);
    size_t found = 0;
    for (size_t i = 0; i < names.len; i++)
        found += names.at[i] == '\n';
    assert_int_equal(result, found > 0 ? TLS_CHAIN_OK : TLS_CHAIN_NAMELESS);
    buffer_finish(&text);
    return found;
}

static void
names_are_so_many_and_so_long_at_most(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(count_names(scene, TLS_CHAIN_NAMES_MAX, 10), TLS_CHAIN_NAMES_MAX);
    assert_int_equal(count_names(scene, TLS_CHAIN_NAMES_MAX + 1, 10), TLS_CHAIN_NAMES_MAX);
    assert_int_equal(count_names(scene, 1, TLS_CHAIN_NAME_MAX), 1);
    assert_int_equal(count_names(scene, 1, TLS_CHAIN_NAME_MAX + 1), 0);
    assert_int_equal(count_names(scene, 2, TLS_CHAIN_NAME_MAX), 2);
}

/* A chain of exactly that many octets: a long name of its host fills it up. Its signature has now
 * one octet more and now one less. */
static enum tls_chain_result
verify_long(struct scene *scene, size_t len)
{
    static char filling[2 * TLS_CHAIN_MAX];
    enum tls_chain_result result = TLS_CHAIN_MALFORMED;
    struct wish wish = good;
    size_t more = len - 1000;

    buffer_clear(&scene->chain);
    wish.alternatives = filling;
    for (int i = 0; i < 1000 && buffer_len(&scene->chain) != len; i++) {
        memset(filling, 0, sizeof(filling));
        memcpy(filling, "email:a@x,DNS:", 14);
        memset(filling + 14, 'd', more);
        result = verify_one(scene, &wish, &scene->authority);
        more += len - buffer_len(&scene->chain);
    }
    assert_int_equal(buffer_len(&scene->chain), len);
    return result;
}

static void
a_chain_has_at_most_so_many_octets(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(verify_long(scene, TLS_CHAIN_MAX), TLS_CHAIN_OK);
    assert_int_equal(verify_long(scene, TLS_CHAIN_MAX + 1), TLS_CHAIN_MALFORMED);
}

static void
a_chain_has_at_most_so_many_certificates_and_nothing_behind_them(void **state)
{
    struct scene *scene = *state;
    struct wish wish = good;

    wish.common_name = "Office";
    wish.is_authority = true;
    struct made between = make(&wish, &scene->authority);
    assert_int_equal(verify_one(scene, &good, &between), TLS_CHAIN_NOT_TRUSTED);
    for (int i = 1; i < TLS_CHAIN_CERTIFICATES_MAX; i++)
        put_der(&between, &scene->chain);
    assert_int_equal(verify(scene, TLS_CHAIN_EMAIL), TLS_CHAIN_OK);
    put_der(&between, &scene->chain);
    assert_int_equal(verify(scene, TLS_CHAIN_EMAIL), TLS_CHAIN_MALFORMED);
    (void)verify_one(scene, &good, &scene->authority);
    buffer_put_byte(&scene->chain, 0);
    assert_int_equal(verify(scene, TLS_CHAIN_EMAIL), TLS_CHAIN_MALFORMED);
    buffer_clear(&scene->chain);
    assert_int_equal(verify(scene, TLS_CHAIN_EMAIL), TLS_CHAIN_MALFORMED);
    finish(&between);
}

static void
every_result_has_words(void **state)
{
    (void)state;
    for (int i = 0; i < TLS_CHAIN_RESULTS; i++)
        assert_non_null(tls_chain_result_name((enum tls_chain_result)i));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_vouched_for_has_the_names_that_are_asked_for),
        TEST(nobody_else_is_believed),
        TEST(what_is_revoked_is_not_good),
        TEST(lists_that_cannot_be_read_leave_nobody_good),
        TEST(a_chain_has_at_most_so_many_certificates_and_nothing_behind_them),
        TEST(names_are_so_many_and_so_long_at_most),
        TEST(a_chain_has_at_most_so_many_octets),
        TEST(every_result_has_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
