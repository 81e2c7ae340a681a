/* SPDX-License-Identifier: ISC */
/* JWK: RFC 7517; RSA and EC: RFC 7518 §6; Ed25519: RFC 8037. Signatures: RFC 7518 §3. */
#include "token/keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "token/json.h"

enum {
    RSA_BITS_MIN = 2048, /* RFC 7518 §3.3 */
    RSA_BITS_MAX = 8192,
    P256_LEN = 32,
    ED25519_LEN = 32,
    NUMBER_MAX = RSA_BITS_MAX / 8 + 1,
};

/* A member in base64url. */
static bool
take_octets(const json_t *jwk, const char *name, struct buffer *ret)
{
    struct slice text = json_text(jwk, name);

    buffer_init(ret, NUMBER_MAX);
    return text.at && json_base64_parse(text, ret) && buffer_len(ret) > 0;
}

static EVP_PKEY *
from_params(const char *kind, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *
rsa_key(const json_t *jwk)
{
    struct buffer n, e;
    bool is_taken = take_octets(jwk, "n", &n);

    is_taken = take_octets(jwk, "e", &e) && is_taken;
    struct slice modulus = buffer_slice(&n), exponent = buffer_slice(&e);
    BIGNUM *big_n = BN_bin2bn(modulus.at, (int)modulus.len, NULL);
    BIGNUM *big_e = BN_bin2bn(exponent.at, (int)exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (is_taken && big_n && big_e && build && BN_num_bits(big_n) >= RSA_BITS_MIN &&
        BN_num_bits(big_n) <= RSA_BITS_MAX &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, big_n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, big_e) == 1)
        key = from_params("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(big_n);
    BN_free(big_e);
    buffer_finish(&n);
    buffer_finish(&e);
    return key;
}

static EVP_PKEY *
p256_key(const json_t *jwk)
{
    uint8_t point[1 + 2 * P256_LEN] = {4}; /* not compressed */
    struct buffer x, y;
    bool is_taken = take_octets(jwk, "x", &x);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    is_taken = take_octets(jwk, "y", &y) && is_taken;
    if (is_taken && build && buffer_len(&x) == P256_LEN && buffer_len(&y) == P256_LEN) {
        memcpy(point + 1, buffer_slice(&x).at, P256_LEN);
        memcpy(point + 1 + P256_LEN, buffer_slice(&y).at, P256_LEN);
        if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                             sizeof(point)) == 1)
            key = from_params("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    buffer_finish(&x);
    buffer_finish(&y);
    return key;
}

static EVP_PKEY *
ed25519_key(const json_t *jwk)
{
    struct buffer x;
    EVP_PKEY *key = NULL;

    if (take_octets(jwk, "x", &x) && buffer_len(&x) == ED25519_LEN)
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, buffer_slice(&x).at, ED25519_LEN);
    buffer_finish(&x);
    return key;
}

/* Algorithms, and the keys that they go with. */
static const struct algorithm {
    struct slice name, kind, curve;
    bool has_digest;
    EVP_PKEY *(*make)(const json_t *jwk);
} algorithms[] = {
    {{(const uint8_t *)"RS256", 5}, {(const uint8_t *)"RSA", 3}, {NULL, 0}, true, rsa_key},
    {{(const uint8_t *)"ES256", 5},
     {(const uint8_t *)"EC", 2},
     {(const uint8_t *)"P-256", 5},
     true,
     p256_key},
    {{(const uint8_t *)"EdDSA", 5},
     {(const uint8_t *)"OKP", 3},
     {(const uint8_t *)"Ed25519", 7},
     false,
     ed25519_key},
};

static bool
is_text(const json_t *jwk, const char *name, struct slice wanted, bool may_miss)
{
    struct slice text = json_text(jwk, name);

    if (!text.at)
        return may_miss && !json_object_get(jwk, name);
    return slice_equal(text, wanted);
}

static bool
fits(const json_t *jwk, const struct algorithm *algorithm, struct slice key_id)
{
    return is_text(jwk, "kty", algorithm->kind, false) && is_text(jwk, "use", SLICE("sig"), true) &&
           is_text(jwk, "alg", algorithm->name, true) &&
           (!algorithm->curve.at || is_text(jwk, "crv", algorithm->curve, false)) &&
           (!key_id.at || is_text(jwk, "kid", key_id, false));
}

/* ES256 has two numbers side by side (RFC 7518 §3.4); OpenSSL wants them in DER. */
static unsigned char *
ecdsa_der(struct slice signature, size_t *ret_len)
{
    unsigned char *der = NULL;
    ECDSA_SIG *both = ECDSA_SIG_new();

    if (signature.len != (size_t)2 * P256_LEN || !both) {
        ECDSA_SIG_free(both);
        return NULL;
    }
    BIGNUM *r = BN_bin2bn(signature.at, P256_LEN, NULL);
    BIGNUM *s = BN_bin2bn(signature.at + P256_LEN, P256_LEN, NULL);
    if (!r || !s || ECDSA_SIG_set0(both, r, s) != 1)
        abort();
    int len = i2d_ECDSA_SIG(both, &der);
    ECDSA_SIG_free(both);
    *ret_len = len > 0 ? (size_t)len : 0;
    return len > 0 ? der : NULL;
}

static bool
is_signed(EVP_PKEY *key, const struct algorithm *algorithm, struct slice text,
          struct slice signature)
{
    bool is_ecdsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    unsigned char *der = NULL;
    size_t len = signature.len;

    if (is_ecdsa && !(der = ecdsa_der(signature, &len)))
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context &&
                   EVP_DigestVerifyInit(context, NULL, algorithm->has_digest ? EVP_sha256() : NULL,
                                        NULL, key) == 1 &&
                   EVP_DigestVerify(context, der ? der : signature.at, len, text.at, text.len) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return is_good;
}

enum keys_result
keys_verify(const json_t *set, struct slice name, struct slice key_id, struct slice text,
            struct slice signature)
{
    const json_t *keys = json_object_get(set, "keys");
    enum keys_result result = KEYS_NONE;
    const struct algorithm *algorithm = NULL;

    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        if (slice_equal(name, algorithms[i].name))
            algorithm = &algorithms[i];
    }
    for (size_t i = 0; algorithm && result != KEYS_GOOD && i < json_array_size(keys); i++) {
        const json_t *jwk = json_array_get(keys, i);
        EVP_PKEY *key = fits(jwk, algorithm, key_id) ? algorithm->make(jwk) : NULL;
        if (!key)
            continue;
        result = is_signed(key, algorithm, text, signature) ? KEYS_GOOD : KEYS_BAD;
        EVP_PKEY_free(key);
    }
    return result;
}
