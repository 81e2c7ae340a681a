/* SPDX-License-Identifier: ISC */
#include "tls/signer.h"

#include "base/cursor.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct tls_signer {
    EVP_PKEY *key;
    uint8_t id[TLS_KEY_ID_SIZE];
    uint8_t seed[TLS_TICKET_SECRET_SIZE]; /* of the tickets' secrets */
};

/* A key with a password cannot be read; the default would ask the terminal. */
static int
no_password(char *at, int size, int is_writing, void *context)
{
    (void)at, (void)size, (void)is_writing, (void)context;
    return -1;
}

static BIO *
open_text(struct slice text)
{
    BIO *bio = text.len <= INT32_MAX ? BIO_new_mem_buf(text.at, (int)text.len) : NULL;

    if (!bio)
        abort();
    return bio;
}

/* The identity is the public key's; the seed is of the private one. */
static bool
name_key(struct tls_signer *signer)
{
    unsigned char *public = NULL, *private = NULL;
    int public_len = i2d_PUBKEY(signer->key, &public);
    int private_len = i2d_PrivateKey(signer->key, &private);
    bool is_good =
        public_len > 0 && private_len > 0 &&
        EVP_Digest(public, (size_t)public_len, signer->id, NULL, EVP_sha256(), NULL) == 1 &&
        EVP_Digest(private, (size_t)private_len, signer->seed, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(public);
    if (private_len > 0)
        OPENSSL_clear_free(private, (size_t)private_len);
    return is_good;
}

struct tls_signer *
tls_signer_open_bare(struct slice key, struct buffer *problem)
{
    struct tls_signer *signer = calloc(1, sizeof(*signer));
    BIO *bio = open_text(key);

    if (!signer)
        abort();
    signer->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!signer->key)
        buffer_put_text(problem, "the key is not PEM, or it has a password");
    else if (!name_key(signer))
        buffer_put_text(problem, "the key is of a kind that cannot be used");
    ERR_clear_error();
    if (buffer_len(problem) > 0)
        tls_signer_close(&signer);
    return signer;
}

/* The first certificate; NULL after a sentence in `problem`. */
static X509 *
read_first(struct slice chain, struct buffer *problem)
{
    BIO *bio = open_text(chain);
    X509 *first = PEM_read_bio_X509(bio, NULL, no_password, NULL), *other;
    size_t count = 1;

    if (!first)
        buffer_put_text(problem, "the certificate chain is not PEM");
    while (first && (other = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        X509_free(other);
        if (++count <= TLS_SERVER_CHAIN_MAX)
            continue;
        buffer_put_text(problem, "the certificate chain is too long");
        X509_free(first);
        first = NULL;
    }
    BIO_free(bio);
    return first;
}

/* Of the kinds that processes without keys can have signed elsewhere (remote_key.c). */
static bool
is_kind_of_tls(const EVP_PKEY *key)
{
    static const char *const kinds[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (EVP_PKEY_is_a(key, kinds[i]))
            return true;
    }
    return false;
}

struct tls_signer *
tls_signer_open(struct slice chain, struct slice key, struct buffer *problem)
{
    X509 *certificate = read_first(chain, problem);
    struct tls_signer *signer = certificate ? tls_signer_open_bare(key, problem) : NULL;

    const char *wrong = NULL;

    if (signer && X509_check_private_key(certificate, signer->key) != 1)
        wrong = "the key does not belong to the first certificate";
    else if (signer && !is_kind_of_tls(signer->key))
        wrong = "the certificate is for a kind of key that is not used";
    if (wrong) {
        buffer_put_text(problem, wrong);
        tls_signer_close(&signer);
    }
    X509_free(certificate);
    ERR_clear_error();
    return signer;
}

void
tls_signer_close(struct tls_signer **signer)
{
    if (!*signer)
        return;
    EVP_PKEY_free((*signer)->key); /* wipes it */
    OPENSSL_cleanse((*signer)->seed, sizeof((*signer)->seed));
    free(*signer);
    *signer = NULL;
}

const uint8_t *
tls_signer_id(const struct tls_signer *signer)
{
    return signer->id;
}

/* ---- signing ------------------------------------------------------------------------------- */

static const EVP_MD *
digest_of(enum tls_signature_digest digest)
{
    switch (digest) {
    case TLS_SIGNATURE_SHA256:
        return EVP_sha256();
    case TLS_SIGNATURE_SHA384:
        return EVP_sha384();
    case TLS_SIGNATURE_SHA512:
        return EVP_sha512();
    case TLS_SIGNATURE_NO_DIGEST:
        break;
    }
    return NULL;
}

static bool
set_form(EVP_PKEY_CTX *context, enum tls_signature_form form)
{
    if (form == TLS_SIGNATURE_PSS)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    return form != TLS_SIGNATURE_PKCS1 ||
           EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
}

static bool
fits(const EVP_PKEY *key, const struct tls_signature_question *question)
{
    bool is_eddsa = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");

    switch (question->form) {
    case TLS_SIGNATURE_PKCS1:
        return EVP_PKEY_is_a(key, "RSA") && digest_of(question->digest);
    case TLS_SIGNATURE_PSS:
        return (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) &&
               digest_of(question->digest);
    case TLS_SIGNATURE_ECDSA:
        return EVP_PKEY_is_a(key, "EC") && digest_of(question->digest);
    case TLS_SIGNATURE_EDDSA:
        return is_eddsa && question->digest == TLS_SIGNATURE_NO_DIGEST;
    }
    return false;
}

bool
tls_signer_sign(const struct tls_signer *signer, const struct tls_signature_question *question,
                struct buffer *ret_signature)
{
    EVP_PKEY_CTX *key_context = NULL; /* the digest context's */
    uint8_t signature[TLS_SIGNATURE_MAX];
    size_t len = sizeof(signature);

    if (!fits(signer->key, question))
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context)
        abort();
    bool is_good =
        EVP_DigestSignInit(context, &key_context, digest_of(question->digest), NULL, signer->key) ==
            1 &&
        set_form(key_context, question->form) &&
        EVP_DigestSign(context, signature, &len, question->text.at, question->text.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (is_good)
        buffer_put(ret_signature, slice_of(signature, len));
    return is_good;
}

enum tls_signature_form
tls_signer_form(const struct tls_signer *signer)
{
    if (EVP_PKEY_is_a(signer->key, "RSA"))
        return TLS_SIGNATURE_PKCS1;
    if (EVP_PKEY_is_a(signer->key, "RSA-PSS"))
        return TLS_SIGNATURE_PSS;
    return EVP_PKEY_is_a(signer->key, "EC") ? TLS_SIGNATURE_ECDSA : TLS_SIGNATURE_EDDSA;
}

bool
tls_signer_put_public(const struct tls_signer *signer, struct buffer *ret_public)
{
    unsigned char *der = NULL, raw[32];
    size_t raw_len = sizeof(raw);

    if (EVP_PKEY_is_a(signer->key, "ED25519")) {
        bool is_got = EVP_PKEY_get_raw_public_key(signer->key, raw, &raw_len) == 1;
        buffer_put(ret_public, slice_of(raw, is_got ? raw_len : 0));
        return is_got;
    }
    int len = EVP_PKEY_is_a(signer->key, "RSA") ? i2d_PUBKEY(signer->key, &der) : 0;
    if (len > 0)
        buffer_put(ret_public, slice_of(der, (size_t)len));
    OPENSSL_free(der);
    return len > 0;
}

void
tls_signer_make_key(bool is_rsa, struct buffer *ret_key)
{
    EVP_PKEY *key = is_rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                           : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text;

    if (!key || !bio || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    long len = BIO_get_mem_data(bio, &text);
    buffer_put(ret_key, slice_of(text, len > 0 ? (size_t)len : 0));
    BIO_free(bio);
    EVP_PKEY_free(key);
}

bool
tls_text_is_of_handshake(struct slice text)
{
    enum { SPACES = 64, RANDOMS = 64, NAMED_CURVE = 3, DIGEST_MIN = 32, DIGEST_MAX = 64 };
    const struct slice words = SLICE("TLS 1.3, server CertificateVerify\0");
    struct cursor cursor = cursor_of(text);
    struct slice part;
    uint8_t kind, len;

    if (!cursor_take_bytes(&cursor, SPACES, &part))
        return false;
    size_t spaces = 0;
    while (spaces < part.len && part.at[spaces] == ' ')
        spaces++;
    if (spaces == SPACES)
        return cursor_take_text(&cursor, words) && cursor_left(&cursor) >= DIGEST_MIN &&
               cursor_left(&cursor) <= DIGEST_MAX;
    /* client_random and server_random; curve_type, the curve's number, the point and its length */
    _Static_assert(SPACES == RANDOMS, "both begin with 64 octets");
    return cursor_take_any(&cursor, &kind) && kind == NAMED_CURVE &&
           cursor_take_bytes(&cursor, 2, &part) && cursor_take_any(&cursor, &len) && len > 0 &&
           cursor_left(&cursor) == len;
}

int64_t
tls_ticket_epoch(struct wall now)
{
    return wall_seconds(now) / TLS_TICKET_EPOCH_S;
}

void
tls_signer_ticket_secret(const struct tls_signer *signer, int64_t epoch,
                         uint8_t ret_secret[TLS_TICKET_SECRET_SIZE])
{
    uint8_t info[16] = "tickets:";
    unsigned len = TLS_TICKET_SECRET_SIZE;

    for (size_t i = 0; i < 8; i++)
        info[8 + i] = (uint8_t)((uint64_t)epoch >> (8 * i));
    if (!HMAC(EVP_sha256(), signer->seed, sizeof(signer->seed), info, sizeof(info), ret_secret,
              &len))
        abort();
}
