/* SPDX-License-Identifier: ISC */
/* Wraps OpenSSL's digests for this room and those above. */
#include "sasl/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdlib.h>

static const EVP_MD *
algorithm(enum sasl_hash hash)
{
    switch (hash) {
    case SASL_HASH_MD5:
        return EVP_md5();
    case SASL_HASH_SHA_1:
        return EVP_sha1();
    case SASL_HASH_SHA_256:
        return EVP_sha256();
    }
    abort();
}

size_t
sasl_hash_len(enum sasl_hash hash)
{
    return hash == SASL_HASH_MD5 ? 16 : hash == SASL_HASH_SHA_1 ? 20 : 32;
}

void
sasl_digest(enum sasl_hash hash, struct slice bytes, uint8_t *ret_digest)
{
    if (EVP_Digest(bytes.at, bytes.len, ret_digest, NULL, algorithm(hash), NULL) != 1)
        abort();
}

void
sasl_hmac(enum sasl_hash hash, struct slice key, struct slice bytes, uint8_t *ret_digest)
{
    assert(key.len <= INT32_MAX);
    /* OpenSSL takes a NULL key for "the one of last time". */
    const void *at = key.at ? (const void *)key.at : "";
    if (!HMAC(algorithm(hash), at, (int)key.len, bytes.at, bytes.len, ret_digest, NULL))
        abort();
}

void
sasl_pbkdf2(enum sasl_hash hash, struct slice password, struct slice salt, unsigned iterations,
            uint8_t *ret_digest)
{
    assert(iterations >= 1 && iterations <= SASL_ITERATIONS_MAX);
    assert(password.len <= INT32_MAX && salt.len <= INT32_MAX);
    if (PKCS5_PBKDF2_HMAC((const char *)password.at, (int)password.len, salt.at, (int)salt.len,
                          (int)iterations, algorithm(hash), (int)sasl_hash_len(hash),
                          ret_digest) != 1)
        abort();
}
