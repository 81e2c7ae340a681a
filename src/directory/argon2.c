/* SPDX-License-Identifier: ISC */
/* Wraps argon2id of libsodium. */
#include "directory/password.h"

#include "sasl/digest.h"
#include "text/base64.h"

#include <errno.h>
#include <sodium.h>

/* OWASP's second choice of 2023, a little above: 64 MiB, 2 passes, 1 lane. */
enum { ARGON2_KIB = 65536, ARGON2_PASSES = 2, ARGON2_HASH_LEN = 32 };

enum directory_password
directory_argon2_verify(struct slice crypt, struct slice password)
{
    char text[crypto_pwhash_STRBYTES] = {0};

    /* Chooses the code for this processor; does nothing the second time. */
    if (crypt.len >= sizeof(text) || sodium_init() < 0)
        return DIRECTORY_PASSWORD_UNKNOWN;
    memcpy(text, crypt.at, crypt.len);
    errno = 0;
    if (crypto_pwhash_str_verify(text, (const char *)password.at, password.len) == 0)
        return DIRECTORY_PASSWORD_RIGHT;
    /* So the library says that it is another one, or that it got no memory; else the hash is no
     * hash. */
    return errno == EINVAL ? DIRECTORY_PASSWORD_WRONG : DIRECTORY_PASSWORD_UNKNOWN;
}

static void
put_unpadded(struct buffer *buffer, struct slice bytes)
{
    struct buffer text;

    buffer_init(&text, 128);
    base64_format(bytes, &text);
    buffer_put(buffer, slice_first(buffer_slice(&text), slice_find_byte(buffer_slice(&text), '=')));
    buffer_finish(&text);
}

bool
directory_argon2_make(struct buffer *buffer, struct slice password, struct slice salt)
{
    uint8_t hash[ARGON2_HASH_LEN];

    assert(salt.len == crypto_pwhash_SALTBYTES);
    /* Fails only when there is no memory for it. */
    if (sodium_init() < 0 ||
        crypto_pwhash(hash, sizeof(hash), (const char *)password.at, password.len, salt.at,
                      ARGON2_PASSES, (size_t)ARGON2_KIB * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return false;
    buffer_put_text(buffer, "$argon2id$v=19$m=");
    buffer_put_decimal(buffer, ARGON2_KIB);
    buffer_put_text(buffer, ",t=");
    buffer_put_decimal(buffer, ARGON2_PASSES);
    buffer_put_text(buffer, ",p=1$");
    put_unpadded(buffer, salt);
    buffer_put_byte(buffer, '$');
    put_unpadded(buffer, slice_of(hash, sizeof(hash)));
    sasl_wipe(hash, sizeof(hash));
    return true;
}
