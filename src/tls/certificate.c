/* SPDX-License-Identifier: ISC */
#include "tls/certificate.h"

#include "base/cursor.h"
#include "tls/openssl_private.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum {
    DAY_S = 24 * 3600,
    SERIAL_SIZE = 16, /* RFC 5280 §4.1.2.2: at most 20 */
    COMMON_NAME_MAX = 64 /* RFC 5280 appendix A.1, ub-common-name */
};

static byte_set name_marks = {['-'] = true, ['.'] = true, ['_'] = true, ['*'] = true, [':'] = true};

static bool
is_name(struct slice name)
{
    if (name.len == 0 || name.len > TLS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (!byte_is_alpha(byte) && !byte_is_digit(byte) && !name_marks[byte])
            return false;
    }
    return true;
}

static bool
is_address(struct slice name)
{
    char text[TLS_NAME_MAX + 1] = {0};

    memcpy(text, name.at, name.len);
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

static bool
add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool is_added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

/* "DNS:a,IP:b" and its end, as OpenSSL wants to read it. The names were checked by is_name. */
static bool
add_names(X509 *certificate, const struct tls_certificate_request *request)
{
    struct buffer text;

    buffer_init(&text, TLS_CERTIFICATE_NAMES_MAX * (TLS_NAME_MAX + 8));
    for (size_t i = 0; i < request->names_count; i++) {
        buffer_put_text(&text, i > 0 ? "," : "");
        buffer_put_text(&text, is_address(request->names[i]) ? "IP:" : "DNS:");
        buffer_put(&text, request->names[i]);
    }
    buffer_put_byte(&text, 0);
    bool is_added = add_extension(certificate, NID_subject_alt_name,
                                  (const char *)buffer_slice(&text).at);
    buffer_finish(&text);
    return is_added;
}

static bool
fill(X509 *certificate, EVP_PKEY *key, const struct tls_certificate_request *request)
{
    uint8_t serial[SERIAL_SIZE];
    struct slice first = slice_first(request->names[0], COMMON_NAME_MAX);
    int64_t now = wall_seconds(request->now);

    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return false;
    serial[0] = (serial[0] & 0x7F) | 0x40; /* positive, and never shorter than it looks */
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    bool is_set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    X509_NAME *name = X509_get_subject_name(certificate);
    return is_set && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), now - DAY_S) &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), now + (int64_t)request->days * DAY_S) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, first.at, (int)first.len, -1, 0) ==
            1 &&
        X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
        add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
        add_extension(certificate, NID_subject_key_identifier, "hash") &&
        add_names(certificate, request) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

static void
put_pem(BIO *bio, struct buffer *ret_pem)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);

    buffer_put(ret_pem, slice_of(text, (size_t)len));
}

bool
tls_certificate_make(const struct tls_certificate_request *request, struct buffer *ret_chain,
                     struct buffer *ret_key, struct buffer *problem)
{
    bool is_good = request->names_count > 0 && request->names_count <= TLS_CERTIFICATE_NAMES_MAX;

    for (size_t i = 0; is_good && i < request->names_count; i++)
        is_good = is_name(request->names[i]);
    if (!is_good) {
        buffer_put_text(problem,
                        "a certificate needs 1 to 100 names of letters, digits, '-' and '.'");
        return false;
    }
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    BIO *chain_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    if (!key || !certificate || !chain_bio || !key_bio)
        abort();
    is_good = fill(certificate, key, request) && PEM_write_bio_X509(chain_bio, certificate) == 1 &&
        PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (is_good) {
        put_pem(chain_bio, ret_chain);
        put_pem(key_bio, ret_key);
    } else {
        tls_problem_put(problem, "the certificate could not be made");
    }
    BIO_free(chain_bio);
    BIO_free(key_bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_good;
}

/* ---- looking ------------------------------------------------------------------------------- */

static int64_t
seconds_of(const ASN1_TIME *when)
{
    int days, seconds;
    ASN1_TIME *start = ASN1_TIME_set(NULL, 0);

    if (!start)
        abort();
    bool is_good = ASN1_TIME_diff(&days, &seconds, start, when) == 1;
    ASN1_TIME_free(start);
    return is_good ? (int64_t)days * DAY_S + seconds : 0;
}

static void
hash_public_key(const X509 *certificate, uint8_t ret_id[TLS_SHA256_SIZE])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

    if (len <= 0)
        abort();
    struct tls_sha256 *hash = tls_sha256_begin();
    tls_sha256_add(hash, slice_of(der, (size_t)len));
    tls_sha256_end(&hash, ret_id);
    OPENSSL_free(der);
}

bool
tls_certificate_look(struct slice chain, struct slice name, struct tls_certificate_facts *ret_facts)
{
    BIO *bio = tls_pem_open(chain);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, tls_pem_no_password, NULL) : NULL;

    if (certificate) {
        *ret_facts = (struct tls_certificate_facts){
            .from_s = seconds_of(X509_get0_notBefore(certificate)),
            .until_s = seconds_of(X509_get0_notAfter(certificate)),
            .is_name_in_it =
                X509_check_host(certificate, (const char *)name.at, name.len, 0, NULL) == 1,
        };
        hash_public_key(certificate, ret_facts->key_id);
    }
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    return certificate != NULL;
}
