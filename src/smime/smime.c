/* SPDX-License-Identifier: ISC */
#include "smime/smime.h"

#include "smime/openssl_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

enum { CERTIFICATES_MAX = 100 };

struct smime_identity {
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * others;
};

/* ---- for both files ------------------------------------------------------------------------ */

BIO *
smime_bio(struct slice bytes)
{
    BIO *bio = bytes.len <= INT32_MAX ? BIO_new_mem_buf(bytes.at, (int)bytes.len) : NULL;

    if (!bio)
        abort();
    return bio;
}

void
smime_put_bio(BIO *bio, struct buffer *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);

    if (len > 0)
        buffer_put(out, slice_of(at, (size_t)len));
}

/* The library's words for the last error; the queue is emptied. */
static bool
fail(struct buffer *problem, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    buffer_put_text(problem, what);
    if (why) {
        buffer_put_text(problem, ": ");
        buffer_put_text(problem, why);
    }
    return false;
}

int
smime_no_passphrase(char *at, int room, int is_writing, void *context)
{
    (void)at;
    (void)room;
    (void)is_writing;
    (void)context;
    return 0;
}

/* ---- identities ---------------------------------------------------------------------------- */

/* The certificate that is the key's becomes the identity's, the others its chain. */
static bool
take_certificates(struct smime_identity *identity, BIO *pem)
{
    X509 *certificate;

    while (sk_X509_num(identity->others) < CERTIFICATES_MAX &&
           (certificate = PEM_read_bio_X509(pem, NULL, smime_no_passphrase, NULL))) {
        bool is_own =
            !identity->certificate && X509_check_private_key(certificate, identity->key) == 1;
        if (is_own)
            identity->certificate = certificate;
        else if (!sk_X509_push(identity->others, certificate))
            abort();
    }
    ERR_clear_error();
    return identity->certificate != NULL;
}

/* A certificate is the key's when their public halves are one; that the private half belongs to it
 * nobody looks at. With one that does not, all signatures would be worthless. */
static bool
is_whole(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

    if (!context)
        abort();
    bool is_pair = EVP_PKEY_pairwise_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return is_pair;
}

struct smime_identity *
smime_identity_open(struct slice pem, struct buffer *problem)
{
    struct smime_identity *identity = calloc(1, sizeof(*identity));
    BIO *bio = smime_bio(pem);

    if (!identity || !(identity->others = sk_X509_new_null()))
        abort();
    identity->key = PEM_read_bio_PrivateKey(bio, NULL, smime_no_passphrase, NULL);
    if (!identity->key)
        fail(problem, "no private key without a passphrase is in it");
    BIO_free(bio);
    bio = smime_bio(pem);
    bool is_damaged = identity->key && !is_whole(identity->key);
    bool is_good = identity->key && !is_damaged && take_certificates(identity, bio);
    BIO_free(bio);
    if (is_damaged)
        fail(problem, "the private key in it is damaged");
    else if (identity->key && !is_good)
        fail(problem, "no certificate in it is the key's");
    if (!is_good)
        smime_identity_close(&identity);
    return identity;
}

void
smime_identity_close(struct smime_identity **identity)
{
    struct smime_identity *i = *identity;

    if (!i)
        return;
    X509_free(i->certificate);
    EVP_PKEY_free(i->key);
    sk_X509_pop_free(i->others, X509_free);
    free(i);
    *identity = NULL;
}

/* ---- making -------------------------------------------------------------------------------- */

/* Puts it as DER; false when there is none. */
static bool
put_der(CMS_ContentInfo *cms, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        abort();
    bool is_done = cms && i2d_CMS_bio(bio, cms) == 1;
    if (is_done)
        smime_put_bio(bio, out);
    BIO_free(bio);
    return is_done && !buffer_overflowed(out);
}

bool
smime_sign(const struct smime_identity *identity, struct slice content, struct buffer *out,
           struct buffer *problem)
{
    unsigned flags = CMS_DETACHED | CMS_BINARY | CMS_PARTIAL;
    BIO *bio = smime_bio(content);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, identity->others, bio, flags);
    bool is_done =
        cms && CMS_add1_signer(cms, identity->certificate, identity->key, EVP_sha256(), flags) &&
        CMS_final(cms, bio, NULL, flags) == 1 && put_der(cms, out);

    CMS_ContentInfo_free(cms);
    BIO_free(bio);
    return is_done || fail(problem, "cannot sign");
}

static STACK_OF(X509) * read_recipients(const struct slice *certificates, size_t count)
{
    STACK_OF(X509) *stack = sk_X509_new_null();

    for (size_t i = 0; stack && i < count; i++) {
        BIO *bio = smime_bio(certificates[i]);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, smime_no_passphrase, NULL);
        BIO_free(bio);
        if (certificate && sk_X509_push(stack, certificate))
            continue;
        sk_X509_pop_free(stack, X509_free);
        return NULL;
    }
    return stack;
}

bool
smime_encrypt(const struct slice *certificates, size_t count, struct slice content,
              struct buffer *out, struct buffer *problem)
{
    STACK_OF(X509) *recipients = read_recipients(certificates, count);
    BIO *bio = smime_bio(content);
    CMS_ContentInfo *cms = NULL;

    if (recipients && count > 0)
        cms = CMS_encrypt(recipients, bio, EVP_aes_256_cbc(), CMS_BINARY);
    bool is_done = put_der(cms, out);
    CMS_ContentInfo_free(cms);
    sk_X509_pop_free(recipients, X509_free);
    BIO_free(bio);
    return is_done || fail(problem, "cannot encrypt");
}

bool
smime_decrypt(const struct smime_identity *identity, struct slice envelope, struct buffer *out,
              struct buffer *problem)
{
    BIO *bio = smime_bio(envelope), *inside = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = d2i_CMS_bio(bio, NULL);

    if (!inside)
        abort();
    bool is_done = cms && CMS_decrypt(cms, identity->key, identity->certificate, NULL, inside,
                                      CMS_BINARY) == 1;
    if (is_done)
        smime_put_bio(inside, out);
    CMS_ContentInfo_free(cms);
    BIO_free(bio);
    BIO_free(inside);
    return (is_done && !buffer_overflowed(out)) ||
           fail(problem, "cannot decrypt; it is for somebody else, or damaged");
}
