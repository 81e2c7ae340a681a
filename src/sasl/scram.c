/* SPDX-License-Identifier: ISC */
/* Keys of SCRAM: RFC 5802 §3. */
#include "sasl/scram.h"

#include "base/cursor.h"
#include "text/base64.h"

struct slice
sasl_nonce_format(const uint8_t *random, uint8_t room[SASL_NONCE_LEN])
{
    struct buffer text;

    buffer_init(&text, SASL_NONCE_LEN);
    base64_format(slice_of(random, SASL_NONCE_RANDOM_LEN), &text);
    memcpy(room, buffer_slice(&text).at, SASL_NONCE_LEN);
    buffer_finish(&text);
    return slice_of(room, SASL_NONCE_LEN);
}

void
sasl_scram_derive(enum sasl_hash hash, struct slice prepared, struct slice salt,
                  unsigned iterations, struct sasl_scram_keys *ret_keys)
{
    uint8_t salted[SASL_DIGEST_MAX], client[SASL_DIGEST_MAX];
    size_t len = sasl_hash_len(hash);

    assert(salt.len <= SASL_SALT_MAX);
    *ret_keys =
        (struct sasl_scram_keys){.hash = hash, .iterations = iterations, .salt_len = salt.len};
    if (salt.len > 0)
        memcpy(ret_keys->salt, salt.at, salt.len);
    sasl_pbkdf2(hash, prepared, salt, iterations, salted);
    sasl_hmac(hash, slice_of(salted, len), SLICE("Client Key"), client);
    sasl_digest(hash, slice_of(client, len), ret_keys->stored);
    sasl_hmac(hash, slice_of(salted, len), SLICE("Server Key"), ret_keys->server);
    sasl_wipe(salted, sizeof(salted));
    sasl_wipe(client, sizeof(client));
}

void
sasl_scram_format(struct buffer *buffer, const struct sasl_scram_keys *keys)
{
    size_t len = sasl_hash_len(keys->hash);

    buffer_put_decimal(buffer, keys->iterations);
    buffer_put_byte(buffer, ',');
    base64_format(slice_of(keys->salt, keys->salt_len), buffer);
    buffer_put_byte(buffer, ',');
    base64_format(slice_of(keys->stored, len), buffer);
    buffer_put_byte(buffer, ',');
    base64_format(slice_of(keys->server, len), buffer);
}

/* One base64 field of min to max octets, up to a comma or the end. */
static bool
take_octets(struct cursor *cursor, size_t min, size_t max, uint8_t *ret_octets, size_t *ret_len)
{
    struct slice text;
    struct buffer octets;
    bool is_good = false;

    if (!cursor_take_until(cursor, ',', &text) &&
        !cursor_take_bytes(cursor, cursor_left(cursor), &text))
        return false;
    buffer_init(&octets, max + 3); /* decoding counts in groups of three */
    if (base64_parse(text, &octets) && buffer_len(&octets) >= min && buffer_len(&octets) <= max) {
        memcpy(ret_octets, buffer_slice(&octets).at, buffer_len(&octets));
        *ret_len = buffer_len(&octets);
        is_good = true;
    }
    buffer_finish(&octets);
    return is_good;
}

bool
sasl_scram_parse(enum sasl_hash hash, struct slice text, struct sasl_scram_keys *ret_keys)
{
    struct sasl_scram_keys keys = {.hash = hash};
    struct cursor cursor = cursor_of(text);
    size_t len = sasl_hash_len(hash), got;
    uint32_t iterations;

    if (!cursor_take_u32(&cursor, SASL_ITERATIONS_MIN, SASL_ITERATIONS_MAX, &iterations) ||
        !cursor_take_byte(&cursor, ',') ||
        !take_octets(&cursor, 1, SASL_SALT_MAX, keys.salt, &keys.salt_len) ||
        !cursor_take_byte(&cursor, ',') || !take_octets(&cursor, len, len, keys.stored, &got) ||
        !cursor_take_byte(&cursor, ',') || !take_octets(&cursor, len, len, keys.server, &got) ||
        !cursor_is_done(&cursor))
        return false;
    keys.iterations = iterations;
    *ret_keys = keys;
    return true;
}

void
sasl_scram_fake(enum sasl_hash hash, struct slice seed, struct slice name,
                struct sasl_scram_keys *ret_keys)
{
    uint8_t digest[SASL_DIGEST_MAX];

    *ret_keys = (struct sasl_scram_keys){
        .hash = hash, .iterations = SASL_ITERATIONS_DEFAULT, .salt_len = SASL_SALT_LEN};
    sasl_hmac(SASL_HASH_SHA_256, seed, name, digest);
    /* The two hashes of one real user have salts that differ. */
    memcpy(ret_keys->salt, digest + (hash == SASL_HASH_SHA_1 ? SASL_DIGEST_MAX - SASL_SALT_LEN : 0),
           SASL_SALT_LEN);
    sasl_hmac(SASL_HASH_SHA_256, slice_of(digest, sizeof(digest)), seed, ret_keys->stored);
    sasl_hmac(SASL_HASH_SHA_256, slice_of(ret_keys->stored, SASL_DIGEST_MAX), seed,
              ret_keys->server);
}
