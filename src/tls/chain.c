/* SPDX-License-Identifier: ISC */
#include "tls/chain.h"

#include "tls/openssl_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define LIST_BEGINS SLICE("-----BEGIN " PEM_STRING_X509_CRL "-----")

const char *
tls_chain_result_name(enum tls_chain_result result)
{
    static const char *const names[TLS_CHAIN_RESULTS] = {
        [TLS_CHAIN_OK] = "certificate is good",
        [TLS_CHAIN_MALFORMED] = "certificate is malformed",
        [TLS_CHAIN_NOT_TRUSTED] = "certificate is of nobody who is trusted",
        [TLS_CHAIN_EXPIRED] = "certificate has expired or is not valid yet",
        [TLS_CHAIN_REVOKED] = "certificate is revoked, or nobody says that it is not",
        [TLS_CHAIN_PURPOSE] = "certificate is not for clients",
        [TLS_CHAIN_NAMELESS] = "certificate names nobody",
    };

    return names[result];
}

/* ---- what is trusted ----------------------------------------------------------------------- */

static X509_STORE *
open_store(struct slice trust)
{
    X509_STORE *store = X509_STORE_new();
    BIO *certificates = tls_pem_open(trust), *lists = tls_pem_open(trust);
    size_t list_count = 0;

    if (!store || !certificates || !lists)
        abort();
    for (X509 *one; (one = PEM_read_bio_X509(certificates, NULL, tls_pem_no_password, NULL));) {
        X509_STORE_add_cert(store, one);
        X509_free(one);
    }
    for (X509_CRL *one; (one = PEM_read_bio_X509_CRL(lists, NULL, tls_pem_no_password, NULL));) {
        list_count += X509_STORE_add_crl(store, one) == 1;
        X509_CRL_free(one);
    }
    BIO_free(certificates);
    BIO_free(lists);
    /* Also where the lists cannot be read: then nobody says that a certificate is not revoked. */
    if (list_count > 0 || slice_find(trust, LIST_BEGINS) < trust.len)
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return store;
}

static enum tls_chain_result
result_of(int error)
{
    switch (error) {
    case X509_V_OK:
        return TLS_CHAIN_OK;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_CHAIN_EXPIRED;
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return TLS_CHAIN_REVOKED;
    case X509_V_ERR_INVALID_PURPOSE:
        return TLS_CHAIN_PURPOSE;
    default:
        return TLS_CHAIN_NOT_TRUSTED;
    }
}

static enum tls_chain_result
verify(STACK_OF(X509) * chain, const struct tls_chain_policy *policy)
{
    X509_STORE *store = open_store(policy->trust);
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    if (!context || X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) != 1 ||
        X509_STORE_CTX_set_default(context, "ssl_client") != 1)
        abort();
    X509_STORE_CTX_set_time(context, 0, (time_t)(policy->now.ns / 1000000000));
    bool is_good = X509_verify_cert(context) == 1;
    int error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return is_good ? TLS_CHAIN_OK : result_of(error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error);
}

/* ---- names --------------------------------------------------------------------------------- */

/* A name with control characters is nobody's. */
static size_t
put_name(struct slice name, struct buffer *ret_names)
{
    if (name.len == 0 || name.len > TLS_CHAIN_NAME_MAX)
        return 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < 0x20 || name.at[i] == 0x7F)
            return 0;
    }
    buffer_put(ret_names, name);
    buffer_put_byte(ret_names, '\n');
    return 1;
}

static size_t
put_emails(X509 *certificate, struct buffer *ret_names)
{
    STACK_OF(OPENSSL_STRING) *emails = X509_get1_email(certificate);
    size_t count = 0;

    for (int i = 0; i < sk_OPENSSL_STRING_num(emails) && count < TLS_CHAIN_NAMES_MAX; i++)
        count += put_name(slice_of_string(sk_OPENSSL_STRING_value(emails, i)), ret_names);
    X509_email_free(emails);
    return count;
}

static size_t
put_subject_part(X509 *certificate, int kind, struct buffer *ret_names)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    size_t count = 0;

    for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, kind, i)) >= 0;) {
        unsigned char *text = NULL;
        int len =
            ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
        if (len > 0 && count < TLS_CHAIN_NAMES_MAX)
            count += put_name(slice_of(text, (size_t)len), ret_names);
        OPENSSL_free(text);
    }
    return count;
}

static size_t
put_names(X509 *certificate, enum tls_chain_name name, struct buffer *ret_names)
{
    switch (name) {
    case TLS_CHAIN_COMMON_NAME:
        return put_subject_part(certificate, NID_commonName, ret_names);
    case TLS_CHAIN_USER_ID:
        return put_subject_part(certificate, NID_userId, ret_names);
    case TLS_CHAIN_EMAIL:
        break;
    }
    return put_emails(certificate, ret_names);
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* NULL when it is no chain. */
static STACK_OF(X509) * parse(struct slice chain)
{
    STACK_OF(X509) *parsed = sk_X509_new_null();
    const unsigned char *at = chain.at, *end = chain.at + chain.len;
    bool is_good = chain.len > 0 && chain.len <= TLS_CHAIN_MAX;

    if (!parsed)
        abort();
    while (is_good && at < end) {
        X509 *one =
            sk_X509_num(parsed) < TLS_CHAIN_CERTIFICATES_MAX ? d2i_X509(NULL, &at, end - at) : NULL;
        is_good = one != NULL;
        if (one && sk_X509_push(parsed, one) == 0)
            abort();
    }
    if (is_good)
        return parsed;
    sk_X509_pop_free(parsed, X509_free);
    return NULL;
}

enum tls_chain_result
tls_chain_verify(struct slice chain, const struct tls_chain_policy *policy,
                 struct buffer *ret_names)
{
    STACK_OF(X509) *parsed = parse(chain);
    enum tls_chain_result result = TLS_CHAIN_MALFORMED;

    if (parsed) {
        result = verify(parsed, policy);
        if (result == TLS_CHAIN_OK &&
            put_names(sk_X509_value(parsed, 0), policy->name, ret_names) == 0)
            result = TLS_CHAIN_NAMELESS;
        sk_X509_pop_free(parsed, X509_free);
    }
    ERR_clear_error();
    return result;
}
