/* SPDX-License-Identifier: ISC */
#include "smime/card.h"

#include "smime/openssl_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <stdlib.h>

#define TOO_OFTEN "it wants its passphrase to be hashed more often than anybody needs"

enum { NAME_MAX_LEN = 1024, PEM_MAX = 64 * 1024, ADDRESSES_MAX = 1000 };

/* Common name, or organization, of a subject or issuer. */
static struct slice
name_of(X509_NAME *name, struct arena *arena)
{
    static const int kinds[] = {NID_commonName, NID_organizationName, NID_organizationalUnitName};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int place = X509_NAME_get_index_by_NID(name, kinds[i], -1);
        unsigned char *text = NULL;
        if (place < 0)
            continue;
        int len =
            ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place)));
        if (len < 0)
            continue;
        struct slice copy =
            arena_copy(arena, slice_first(slice_of(text, (size_t)len), NAME_MAX_LEN));
        OPENSSL_free(text);
        return copy;
    }
    ERR_clear_error();
    return SLICE("");
}

static struct wall
until_of(X509 *certificate)
{
    struct tm utc;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) != 1)
        return (struct wall){0};
    time_t seconds = timegm(&utc);
    return seconds > 0 && seconds < INT32_MAX * (time_t)4 ? wall_of_seconds(seconds)
                                                          : (struct wall){0};
}

struct smime_card
smime_card_of(X509 *certificate, struct arena *arena)
{
    STACK_OF(OPENSSL_STRING) *emails = X509_get1_email(certificate);
    int count = sk_OPENSSL_STRING_num(emails);
    struct smime_card card = {0};
    struct slice *addresses =
        ARENA_ARRAY(arena, struct slice, count > 0 && count < ADDRESSES_MAX ? (size_t)count : 1);
    BIO *bio = BIO_new(BIO_s_mem());
    char *at = NULL;

    for (int i = 0; addresses && i < count && count < ADDRESSES_MAX; i++)
        addresses[card.addresses_count++] =
            arena_copy(arena, slice_of_string(sk_OPENSSL_STRING_value(emails, i)));
    card.addresses = addresses;
    X509_email_free(emails);
    card.name = name_of(X509_get_subject_name(certificate), arena);
    card.issuer = name_of(X509_get_issuer_name(certificate), arena);
    card.until = until_of(certificate);
    if (bio && PEM_write_bio_X509(bio, certificate) == 1) {
        long len = BIO_get_mem_data(bio, &at);
        if (len > 0 && len <= PEM_MAX)
            card.certificate = arena_copy(arena, slice_of(at, (size_t)len));
    }
    BIO_free(bio);
    return card;
}

bool
smime_card_read(struct slice bytes, struct arena *arena, struct smime_card *ret_card)
{
    BIO *pem = smime_bio(bytes), *der = smime_bio(bytes);
    X509 *certificate = PEM_read_bio_X509(pem, NULL, smime_no_passphrase, NULL);

    if (!certificate)
        certificate = d2i_X509_bio(der, NULL);
    if (certificate)
        *ret_card = smime_card_of(certificate, arena);
    bool is_read = certificate != NULL;
    X509_free(certificate);
    BIO_free(pem);
    BIO_free(der);
    ERR_clear_error();
    return is_read;
}

/* ---- PKCS #12 ------------------------------------------------------------------------------ */

static bool
put_identity(EVP_PKEY *key, X509 *certificate, STACK_OF(X509) * others, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool is_put = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                  PEM_write_bio_X509(bio, certificate) == 1;

    for (int i = 0; is_put && i < sk_X509_num(others); i++)
        is_put = PEM_write_bio_X509(bio, sk_X509_value(others, i)) == 1;
    if (is_put)
        smime_put_bio(bio, out);
    BIO_free(bio);
    return is_put;
}

bool
smime_pkcs12_read(struct slice bytes, const char *passphrase, struct buffer *out,
                  bool *ret_is_passphrase, struct buffer *problem)
{
    BIO *bio = smime_bio(bytes);
    PKCS12 *bag = d2i_PKCS12_bio(bio, NULL);
    STACK_OF(X509) *others = NULL;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    bool is_read = false;

    *ret_is_passphrase = false;
    if (!bag) {
        buffer_put_text(problem, "it is neither PEM nor PKCS #12");
    } else if (!smime_pkcs12_is_mac_bounded(bag)) {
        buffer_put_text(problem, TOO_OFTEN);
    } else if (PKCS12_verify_mac(bag, passphrase, -1) != 1) {
        *ret_is_passphrase = true;
        buffer_put_text(problem, "the passphrase is wrong");
    } else if (!smime_pkcs12_are_safes_bounded(bag, passphrase)) {
        buffer_put_text(problem, TOO_OFTEN);
    } else {
        /* Files of older programs have ciphers that the library keeps apart. */
        OSSL_PROVIDER *legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
        is_read = PKCS12_parse(bag, passphrase, &key, &certificate, &others) == 1 && key &&
                  certificate && put_identity(key, certificate, others, out);
        if (!is_read)
            buffer_put_text(problem, "it has no certificate with its key that can be read");
        if (legacy)
            OSSL_PROVIDER_unload(legacy);
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    sk_X509_pop_free(others, X509_free);
    PKCS12_free(bag);
    BIO_free(bio);
    ERR_clear_error();
    return is_read;
}
