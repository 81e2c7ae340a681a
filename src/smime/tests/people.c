/* SPDX-License-Identifier: ISC */
#include "smime/tests/people.h"

#include "smime/openssl_private.h"

#include <openssl/pem.h>
#include <stdlib.h>

enum { DAY_S = 24 * 3600 };

struct people_authority {
    EVP_PKEY *key;
    X509 *certificate;
    long serial;
};

static void
add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);

    if (!extension || X509_add_ext(certificate, extension, -1) != 1)
        abort();
    X509_EXTENSION_free(extension);
}

static X509 *
new_certificate(EVP_PKEY *key, const char *name, long serial, int days)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    return certificate;
}

struct people_authority *
people_authority_open(const char *name)
{
    struct people_authority *authority = calloc(1, sizeof(*authority));

    if (!authority)
        abort();
    authority->key = EVP_RSA_gen(2048);
    authority->certificate = new_certificate(authority->key, name, 1, 1000);
    X509 *certificate = authority->certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, certificate, NID_key_usage, "keyCertSign,cRLSign");
    if (!X509_sign(certificate, authority->key, EVP_sha256()))
        abort();
    authority->serial = 2;
    return authority;
}

void
people_authority_close(struct people_authority **authority)
{
    EVP_PKEY_free((*authority)->key);
    X509_free((*authority)->certificate);
    free(*authority);
    *authority = NULL;
}

static void
put_certificate(X509 *certificate, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (PEM_write_bio_X509(bio, certificate) != 1)
        abort();
    smime_put_bio(bio, out);
    BIO_free(bio);
}

void
people_put_authority(const struct people_authority *authority, struct buffer *out)
{
    put_certificate(authority->certificate, out);
}

void
people_put(struct people_authority *authority, const char *address, int days,
           struct buffer *identity, struct buffer *certificate)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *own = new_certificate(key, address, authority->serial++, days);
    BIO *bio = BIO_new(BIO_s_mem());
    char name[128];

    (void)snprintf(name, sizeof(name), "email:%s", address);
    X509_set_issuer_name(own, X509_get_subject_name(authority->certificate));
    add_extension(own, authority->certificate, NID_key_usage, "digitalSignature,keyEncipherment");
    add_extension(own, authority->certificate, NID_ext_key_usage, "emailProtection");
    add_extension(own, authority->certificate, NID_subject_alt_name, name);
    if (!X509_sign(own, authority->key, EVP_sha256()) ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    smime_put_bio(bio, identity);
    put_certificate(own, identity);
    put_certificate(own, certificate);
    BIO_free(bio);
    X509_free(own);
    EVP_PKEY_free(key);
}
