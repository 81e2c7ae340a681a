/* SPDX-License-Identifier: ISC */
/* What of digest.h is needed by programs that hold no TLS: wraps libsodium, which is a tenth of
 * OpenSSL's libcrypto (docs/why/051). */
#include "sasl/digest.h"

#include <sodium.h>

static_assert((int)crypto_auth_hmacsha256_BYTES == 32, "a SHA-256 has 32 octets");

void
sasl_hmac_sha_256(struct slice key, struct slice bytes, uint8_t *ret_digest)
{
    static const uint8_t nothing[1];
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key.at ? key.at : nothing, key.len);
    crypto_auth_hmacsha256_update(&state, bytes.at ? bytes.at : nothing, bytes.len);
    crypto_auth_hmacsha256_final(&state, ret_digest);
    sodium_memzero(&state, sizeof(state));
}

bool
sasl_equal(struct slice left, struct slice right)
{
    return left.len == right.len &&
           (left.len == 0 || sodium_memcmp(left.at, right.at, left.len) == 0);
}

void
sasl_wipe(void *at, size_t len)
{
    if (len > 0)
        sodium_memzero(at, len);
}
