/* SPDX-License-Identifier: ISC */
#include "token/tests/signer.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "text/base64.h"

struct signer {
    EVP_PKEY *keys[SIGNER_KINDS];
};

struct signer *
signer_open(bool has_rsa)
{
    static const uint8_t seed[32] = {1, 2, 3};
    struct signer *signer = calloc(1, sizeof(*signer));

    if (!signer)
        abort();
    if (has_rsa)
        signer->keys[SIGNER_RSA] = EVP_RSA_gen(2048);
    signer->keys[SIGNER_P256] = EVP_EC_gen("P-256");
    signer->keys[SIGNER_ED25519] =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
    return signer;
}

void
signer_close(struct signer **signer)
{
    for (int i = 0; i < SIGNER_KINDS; i++)
        EVP_PKEY_free((*signer)->keys[i]);
    free(*signer);
    *signer = NULL;
}

void
signer_put_base64(struct buffer *out, struct slice octets)
{
    struct buffer plain;

    buffer_init(&plain, octets.len * 2 + 8);
    base64_format(octets, &plain);
    struct slice text = buffer_slice(&plain);
    for (size_t i = 0; i < text.len && text.at[i] != '='; i++)
        buffer_put_byte(out, text.at[i] == '+' ? '-' : text.at[i] == '/' ? '_' : text.at[i]);
    buffer_finish(&plain);
}

static void
put_number(struct buffer *out, const EVP_PKEY *key, const char *name, const char *param)
{
    uint8_t octets[1024];
    BIGNUM *number = NULL;

    if (EVP_PKEY_get_bn_param(key, param, &number) != 1)
        abort();
    int len = BN_bn2bin(number, octets);
    /* Coordinates have their full length (RFC 7518 §6.2.1.2). */
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        len = BN_bn2binpad(number, octets, 32);
    BN_free(number);
    buffer_put_text(out, ",\"");
    buffer_put_text(out, name);
    buffer_put_text(out, "\":\"");
    signer_put_base64(out, slice_of(octets, (size_t)len));
    buffer_put_text(out, "\"");
}

void
signer_put_keys(const struct signer *signer, struct buffer *out)
{
    uint8_t raw[32];
    size_t len = sizeof(raw);

    buffer_put_text(out, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"oct\"},7,");
    if (signer->keys[SIGNER_RSA]) {
        buffer_put_text(out, "{\"kty\":\"RSA\",\"kid\":\"rsa\",\"use\":\"sig\"");
        put_number(out, signer->keys[SIGNER_RSA], "n", OSSL_PKEY_PARAM_RSA_N);
        put_number(out, signer->keys[SIGNER_RSA], "e", OSSL_PKEY_PARAM_RSA_E);
        buffer_put_text(out, "},");
    }
    buffer_put_text(out, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"p256\",\"alg\":\"ES256\"");
    put_number(out, signer->keys[SIGNER_P256], "x", OSSL_PKEY_PARAM_EC_PUB_X);
    put_number(out, signer->keys[SIGNER_P256], "y", OSSL_PKEY_PARAM_EC_PUB_Y);
    buffer_put_text(out, "},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":\"");
    if (EVP_PKEY_get_raw_public_key(signer->keys[SIGNER_ED25519], raw, &len) != 1)
        abort();
    signer_put_base64(out, slice_of(raw, len));
    buffer_put_text(out, "\"}]}");
}

/* The two numbers side by side. */
static size_t
flatten(uint8_t *signature, size_t len)
{
    const unsigned char *at = signature;
    ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &at, (long)len);

    if (!both)
        abort();
    BN_bn2binpad(ECDSA_SIG_get0_r(both), signature, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(both), signature + 32, 32);
    ECDSA_SIG_free(both);
    return 64;
}

void
signer_put_token(const struct signer *signer, enum signer_kind kind, struct slice header,
                 struct slice payload, struct buffer *out)
{
    const EVP_MD *digest = kind == SIGNER_ED25519 ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[1024];
    size_t len = sizeof(signature), before = buffer_len(out);

    signer_put_base64(out, header);
    buffer_put_byte(out, '.');
    signer_put_base64(out, payload);
    struct slice text = slice_skip(buffer_slice(out), before);
    if (EVP_DigestSignInit(context, NULL, digest, NULL, signer->keys[kind]) != 1 ||
        EVP_DigestSign(context, signature, &len, text.at, text.len) != 1)
        abort();
    EVP_MD_CTX_free(context);
    if (kind == SIGNER_P256)
        len = flatten(signature, len);
    buffer_put_byte(out, '.');
    signer_put_base64(out, slice_of(signature, len));
}
