/* SPDX-License-Identifier: ISC */
#include "tls/facts.h"

#include "tls/chain.h"

#include "tls/openssl_private.h"

#include <openssl/err.h>
#include <openssl/x509.h>

enum { EXPORTER_SIZE = 32 };

struct slice
tls_engine_version(const struct tls_engine *engine)
{
    return slice_of_string(SSL_get_version(engine->ssl));
}

struct slice
tls_engine_cipher(const struct tls_engine *engine)
{
    return slice_of_string(SSL_get_cipher_name(engine->ssl));
}

bool
tls_engine_is_resumed(const struct tls_engine *engine)
{
    return SSL_session_reused(engine->ssl) == 1;
}

struct slice
tls_binding_name(enum tls_binding binding)
{
    return binding == TLS_BINDING_EXPORTER ? SLICE("tls-exporter") : SLICE("tls-server-end-point");
}

/* RFC 9266 §2: TLS 1.2 connections without extended master secret (RFC 7627) do not bind. */
static bool
put_exporter(const struct tls_engine *engine, struct buffer *ret_binding)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    uint8_t bytes[EXPORTER_SIZE];

    if (SSL_version(engine->ssl) < TLS1_3_VERSION && SSL_get_extms_support(engine->ssl) != 1)
        return false;
    if (SSL_export_keying_material(engine->ssl, bytes, sizeof(bytes), label, sizeof(label) - 1,
                                   (const uint8_t *)"", 0, 1) != 1) {
        ERR_clear_error();
        return false;
    }
    buffer_put(ret_binding, slice_of(bytes, sizeof(bytes)));
    return true;
}

/* RFC 5929 §4.1: the digest of the signature, SHA-256 in place of MD5 and SHA-1. */
static bool
put_end_point(X509 *certificate, struct buffer *ret_binding)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned len;
    int digest;

    if (!certificate || X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) != 1)
        return false;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    const EVP_MD *method = EVP_get_digestbynid(digest);
    if (!method || X509_digest(certificate, method, bytes, &len) != 1)
        return false;
    buffer_put(ret_binding, slice_of(bytes, len));
    return true;
}

bool
tls_engine_put_binding(const struct tls_engine *engine, enum tls_binding binding,
                       struct buffer *ret_binding)
{
    if (engine->state != TLS_OPEN)
        return false;
    if (binding == TLS_BINDING_EXPORTER)
        return put_exporter(engine, ret_binding);
    return put_end_point(engine->context->is_server ? SSL_get_certificate(engine->ssl)
                                                    : SSL_get0_peer_certificate(engine->ssl),
                         ret_binding);
}

bool
tls_engine_has_peer_certificate(const struct tls_engine *engine)
{
    return SSL_get0_peer_certificate(engine->ssl) != NULL;
}

static bool
put_der(const X509 *certificate, struct buffer *ret_chain)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    bool fits = len > 0 && (size_t)len <= TLS_CHAIN_MAX - buffer_len(ret_chain);

    if (fits)
        buffer_put(ret_chain, slice_of(der, (size_t)len));
    OPENSSL_free(der);
    return fits;
}

/* OpenSSL keeps the first apart on a server's side. */
bool
tls_engine_put_peer_chain(const struct tls_engine *engine, struct buffer *ret_chain)
{
    const X509 *first = SSL_get0_peer_certificate(engine->ssl);
    const STACK_OF(X509) *rest = SSL_get_peer_cert_chain(engine->ssl);
    bool is_put = first && put_der(first, ret_chain);

    for (int i = 0; is_put && i < sk_X509_num(rest); i++)
        is_put = put_der(sk_X509_value(rest, i), ret_chain);
    if (!is_put)
        buffer_clear(ret_chain);
    return is_put;
}

bool
tls_engine_put_peer_subject(const struct tls_engine *engine, struct buffer *ret_subject)
{
    const X509 *certificate = SSL_get0_peer_certificate(engine->ssl);
    char *text;

    if (!certificate)
        return false;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        abort();
    bool is_put = X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
                                     XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0;
    long len = BIO_get_mem_data(bio, &text);
    if (is_put)
        buffer_put(ret_subject, slice_of(text, (size_t)len));
    BIO_free(bio);
    return is_put;
}

bool
tls_engine_is_verified(const struct tls_engine *engine)
{
    return engine->is_verified && engine->state == TLS_OPEN &&
           SSL_get_verify_result(engine->ssl) == X509_V_OK;
}

enum tls_fault
tls_engine_fault(const struct tls_engine *engine)
{
    if (engine->state != TLS_FAILED || !engine->is_verified)
        return TLS_FAULT_OTHER;
    switch (SSL_get_verify_result(engine->ssl)) {
    case X509_V_OK:
        return TLS_FAULT_OTHER;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAULT_HOST_MISMATCH;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_FAULT_EXPIRED;
    case X509_V_ERR_DANE_NO_MATCH:
        return TLS_FAULT_TLSA;
    default:
        return TLS_FAULT_NOT_TRUSTED;
    }
}
