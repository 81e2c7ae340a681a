/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/digest.h"
#include "tls/signer.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct made {
    struct buffer chain, key, problem;
};

static void
made_init(struct made *made)
{
    buffer_init(&made->chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&made->key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&made->problem, 1000);
}

static void
made_finish(struct made *made)
{
    buffer_finish(&made->chain);
    buffer_finish(&made->key);
    buffer_finish(&made->problem);
}

static X509 *
read_certificate(struct slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static void
assert_is_time(const ASN1_TIME *time, int64_t seconds)
{
    assert_int_equal(ASN1_TIME_cmp_time_t(time, (time_t)seconds), 0);
}

static void
a_certificate_says_again_what_was_asked(void **state)
{
    const struct slice names[] = {SLICE("mail.example.test"), SLICE("localhost"),
                                  SLICE("127.0.0.1"), SLICE("::1")};
    struct tls_certificate_request request = {
        .names = names,
        .names_count = COUNT_OF(names),
        .now = {1800000000LL * 1000000000},
        .days = 3650,
    };
    struct made made;

    (void)state;
    made_init(&made);
    assert_true(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    assert_true(slice_starts_with(buffer_slice(&made.key), SLICE("-----BEGIN PRIVATE KEY-----")));
    X509 *certificate = read_certificate(buffer_slice(&made.chain));
    assert_int_equal(X509_check_host(certificate, "mail.example.test", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "::1", 0), 1);
    assert_int_equal(X509_check_host(certificate, "example.test", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.2", 0), 0);
    assert_is_time(X509_get0_notBefore(certificate), 1800000000LL - 86400);
    assert_is_time(X509_get0_notAfter(certificate), 1800000000LL + 3650LL * 86400);
    X509_free(certificate);
    made_finish(&made);
}

static void
a_certificate_tells_its_time_and_whose_it_is(void **state)
{
    const struct slice names[] = {SLICE("mail.example.test"), SLICE("*.example.org")};
    struct tls_certificate_request request = {
        .names = names,
        .names_count = COUNT_OF(names),
        .now = {1800000000LL * 1000000000},
        .days = 3650,
    };
    struct tls_certificate_facts facts;
    struct made made;

    (void)state;
    made_init(&made);
    assert_true(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    struct slice chain = buffer_slice(&made.chain);
    assert_true(tls_certificate_look(chain, SLICE("mail.example.test"), &facts));
    assert_true(facts.is_name_in_it);
    struct tls_signer *signer = tls_signer_open_bare(buffer_slice(&made.key), &made.problem);
    assert_non_null(signer);
    assert_memory_equal(facts.key_id, tls_signer_id(signer), TLS_KEY_ID_SIZE);
    tls_signer_close(&signer);
    assert_int_equal(facts.from_s, 1800000000LL - 86400);
    assert_int_equal(facts.until_s, 1800000000LL + 3650LL * 86400);
    assert_true(tls_certificate_look(chain, SLICE("a.example.org"), &facts));
    assert_true(facts.is_name_in_it);
    assert_true(tls_certificate_look(chain, SLICE("example.test"), &facts));
    assert_false(facts.is_name_in_it);
    assert_false(tls_certificate_look(buffer_slice(&made.key), SLICE("a"), &facts));
    assert_false(tls_certificate_look(SLICE(""), SLICE("a"), &facts));
    made_finish(&made);
}

static void
names_that_could_break_out_and_too_many_are_refused(void **state)
{
    static const char *const bad[] = {"", "a,DNS:b", "a b", "a\nb", "a;b", "a/CN=b", "m\xc3\xa9l"};
    struct slice many[TLS_CERTIFICATE_NAMES_MAX + 1];
    struct tls_certificate_request request = {.names = many, .names_count = 1, .days = 1};
    struct made made;

    (void)state;
    made_init(&made);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        many[0] = slice_of_string(bad[i]);
        assert_false(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    }
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = SLICE("a.test");
    request.names_count = COUNT_OF(many);
    assert_false(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    assert_int_equal(buffer_len(&made.chain) + buffer_len(&made.key), 0);
    request.names_count--;
    assert_true(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    made_finish(&made);
}

static void
names_are_taken_up_to_their_length(void **state)
{
    char text[TLS_NAME_MAX + 2];
    struct slice name = slice_of(text, TLS_NAME_MAX);
    struct tls_certificate_request request = {.names = &name, .names_count = 1, .days = 1};
    struct tls_certificate_facts facts;
    struct made made;

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 60; i < TLS_NAME_MAX; i += 60)
        text[i] = i % 120 ? '.' : '-';
    made_init(&made);
    assert_true(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    assert_true(tls_certificate_look(buffer_slice(&made.chain), name, &facts));
    assert_true(facts.is_name_in_it);
    name = slice_of(text, TLS_NAME_MAX + 1);
    assert_false(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
    made_finish(&made);
}

static void
each_certificate_has_a_number_of_its_own(void **state)
{
    const struct slice name = SLICE("mail.example.test");
    struct tls_certificate_request request = {.names = &name, .names_count = 1, .days = 1};
    X509 *certificates[2];
    struct made made;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        made_init(&made);
        assert_true(tls_certificate_make(&request, &made.chain, &made.key, &made.problem));
        certificates[i] = read_certificate(buffer_slice(&made.chain));
        BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificates[i]), NULL);
        assert_int_equal(BN_num_bits(number), 127); /* positive, 16 octets */
        BN_free(number);
        made_finish(&made);
    }
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(certificates[0]),
                                          X509_get0_serialNumber(certificates[1])),
                         0);
    X509_free(certificates[0]);
    X509_free(certificates[1]);
}

/* RFC 1939 §7 and RFC 1321 appendix A.5. */
static void
md5_is_the_one_of_the_rfc(void **state)
{
    const struct slice apop[] = {SLICE("<1896.697170952@dbc.mtview.ca.us>"), SLICE("tanstaaf")};
    uint8_t digest[TLS_MD5_SIZE];
    struct buffer hex;

    (void)state;
    buffer_init(&hex, 64);
    tls_md5(apop, COUNT_OF(apop), digest);
    buffer_put_hex(&hex, slice_of(digest, sizeof(digest)));
    assert_true(slice_equal(buffer_slice(&hex), SLICE("c4c9334bac560ecc979e58001b3e22fb")));
    buffer_clear(&hex);
    tls_md5(NULL, 0, digest);
    buffer_put_hex(&hex, slice_of(digest, sizeof(digest)));
    assert_true(slice_equal(buffer_slice(&hex), SLICE("d41d8cd98f00b204e9800998ecf8427e")));
    buffer_finish(&hex);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_again_what_was_asked),
        cmocka_unit_test(a_certificate_tells_its_time_and_whose_it_is),
        cmocka_unit_test(names_that_could_break_out_and_too_many_are_refused),
        cmocka_unit_test(names_are_taken_up_to_their_length),
        cmocka_unit_test(each_certificate_has_a_number_of_its_own),
        cmocka_unit_test(md5_is_the_one_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
