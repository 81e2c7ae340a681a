/* SPDX-License-Identifier: ISC */
#include "routing/srs.h"

#include "base/cursor.h"
#include "base/filled.h"

#include <sodium.h>

enum { HASH_LETTERS = 8, DAY_LETTERS = 2, DAYS_ROUND = 1024 /* two letters of five bits */ };

static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

static void
compute_proof(struct slice key, struct slice text, uint8_t *ret_digest)
{
    /* Of libsodium, as this is all the cryptography that the role `route` needs: libcrypto would
     * cost its process half a MiB. */
    crypto_auth_hmacsha256_state state;

    (void)crypto_auth_hmacsha256_init(&state, key.at, key.len);
    (void)crypto_auth_hmacsha256_update(&state, text.at, text.len);
    (void)crypto_auth_hmacsha256_final(&state, ret_digest);
    sodium_memzero(&state, sizeof(state));
}

/* The proof over the kind and everything that follows it, so that no proof of one kind holds for
 * the other; without regard to case: local parts lose it on the way at some hosts. */
static void
put_hash(struct slice key, bool is_second, struct slice text, struct buffer *out)
{
    uint8_t digest[crypto_auth_hmacsha256_BYTES], lower[1024];
    size_t len = text.len < sizeof(lower) - 1 ? text.len : sizeof(lower) - 1;
    uint64_t bits = 0;

    lower[0] = is_second ? '1' : '0';
    for (size_t i = 0; i < len; i++)
        lower[i + 1] = byte_to_lower(text.at[i]);
    compute_proof(key, slice_of(lower, len + 1), digest);
    memory_is_filled(digest, sizeof(digest));
    for (size_t i = 0; i < 5; i++)
        bits = bits << 8 | digest[i];
    for (unsigned i = HASH_LETTERS; i-- > 0;)
        buffer_put_byte(out, (uint8_t)base32[bits >> (5 * i) & 31]);
}

static void
put_day(uint32_t days, struct buffer *out)
{
    buffer_put_byte(out, (uint8_t)base32[days % DAYS_ROUND >> 5]);
    buffer_put_byte(out, (uint8_t)base32[days % DAYS_ROUND & 31]);
}

/* "SRS0=" or "SRS1=", with any of the separators that are in use behind the digit. */
static bool
take_prefix(struct cursor *cursor, uint8_t digit)
{
    struct slice prefix;

    return cursor_take_bytes(cursor, 5, &prefix) &&
           slice_equal_nocase(slice_first(prefix, 3), SLICE("SRS")) && prefix.at[3] == digit &&
           (prefix.at[4] == '=' || prefix.at[4] == '+' || prefix.at[4] == '-');
}

/* What stands behind the proof: for a first rewriting day, domain and local part; for the second
 * the first one's host and what it made. */
static bool
put_payload(uint32_t days, struct slice local, struct slice domain, struct buffer *out)
{
    struct cursor cursor = cursor_of(local);
    struct slice hash;

    if (take_prefix(&cursor, '0')) {
        buffer_put(out, domain);
        buffer_put_byte(out, '=');
        buffer_put(out, slice_skip(local, 4));
        return true;
    }
    cursor = cursor_of(local);
    if (take_prefix(&cursor, '1')) {
        /* The first host and its part stay; only the proof is ours from here on. */
        bool is_good = cursor_take_until(&cursor, '=', &hash) && cursor_take_byte(&cursor, '=');
        buffer_put(out, cursor_rest(&cursor));
        return is_good;
    }
    put_day(days, out);
    buffer_put_byte(out, '=');
    buffer_put(out, domain);
    buffer_put_byte(out, '=');
    buffer_put(out, local);
    return true;
}

bool
routing_srs_forward(struct slice key, uint32_t days, struct slice srs_domain, struct slice sender,
                    struct buffer *out)
{
    size_t at = slice_find_last_byte(sender, '@');
    struct slice local = slice_first(sender, at), domain = slice_skip(sender, at + 1);
    struct cursor cursor = cursor_of(local);
    bool is_second = take_prefix(&cursor, '0');
    struct buffer payload;

    cursor = cursor_of(local);
    is_second = is_second || take_prefix(&cursor, '1');
    if (local.len == 0 || domain.len == 0 || local.at[0] == '"' || domain.at[0] == '[' ||
        local.len + domain.len + 5 + HASH_LETTERS + DAY_LETTERS + 3 > ROUTING_SRS_LOCAL_MAX ||
        slice_equal_nocase(domain, srs_domain))
        return false;
    buffer_init(&payload, 2 * ROUTING_SRS_LOCAL_MAX);
    bool is_good = put_payload(days, local, domain, &payload);
    if (is_good) {
        buffer_put_text(out, is_second ? "SRS1=" : "SRS0=");
        put_hash(key, is_second, buffer_slice(&payload), out);
        buffer_put_byte(out, '=');
        buffer_put(out, buffer_slice(&payload));
        buffer_put_byte(out, '@');
        buffer_put(out, srs_domain);
    }
    buffer_finish(&payload);
    return is_good;
}

static int
value_of(uint8_t letter)
{
    const char *found = letter ? strchr(base32, byte_to_lower(letter)) : NULL;

    return found ? (int)(found - base32) : -1;
}

/* True when the day of the letters is at most ROUTING_SRS_DAYS ago (or tomorrow: clocks differ). */
static bool
is_recent(struct slice day, uint32_t days)
{
    int high = value_of(day.at[0]), low = value_of(day.at[1]);

    if (high < 0 || low < 0)
        return false;
    uint32_t age = (days + 1 + DAYS_ROUND - (uint32_t)(high << 5 | low)) % DAYS_ROUND;
    return age <= ROUTING_SRS_DAYS + 1;
}

static enum routing_srs_verdict
reverse_first(struct cursor *cursor, uint32_t days, struct buffer *out)
{
    struct slice day, domain;

    if (!cursor_take_until(cursor, '=', &day) || day.len != DAY_LETTERS ||
        !cursor_take_byte(cursor, '=') || !cursor_take_until(cursor, '=', &domain) ||
        !cursor_take_byte(cursor, '=') || domain.len == 0 || cursor_is_done(cursor))
        return ROUTING_SRS_FORGED;
    if (!is_recent(day, days))
        return ROUTING_SRS_OLD;
    buffer_put(out, cursor_rest(cursor));
    buffer_put_byte(out, '@');
    buffer_put(out, domain);
    return ROUTING_SRS_GOOD;
}

static enum routing_srs_verdict
reverse_second(struct cursor *cursor, struct buffer *out)
{
    struct slice host;

    if (!cursor_take_until(cursor, '=', &host) || !cursor_take_byte(cursor, '=') || host.len == 0 ||
        cursor_is_done(cursor))
        return ROUTING_SRS_FORGED;
    buffer_put_text(out, "SRS0");
    buffer_put(out, cursor_rest(cursor));
    buffer_put_byte(out, '@');
    buffer_put(out, host);
    return ROUTING_SRS_GOOD;
}

enum routing_srs_verdict
routing_srs_reverse(struct slice key, uint32_t days, struct slice local, struct buffer *out)
{
    struct cursor cursor = cursor_of(local);
    bool is_second = false;
    struct slice hash;
    struct buffer wanted;

    if (!take_prefix(&cursor, '0')) {
        cursor = cursor_of(local);
        is_second = take_prefix(&cursor, '1');
        if (!is_second)
            return ROUTING_SRS_NONE;
    }
    if (!cursor_take_until(&cursor, '=', &hash) || !cursor_take_byte(&cursor, '='))
        return ROUTING_SRS_FORGED;
    buffer_init(&wanted, HASH_LETTERS);
    put_hash(key, is_second, cursor_rest(&cursor), &wanted);
    uint8_t lower[HASH_LETTERS];
    bool is_ours = hash.len == HASH_LETTERS;
    for (size_t i = 0; i < HASH_LETTERS && is_ours; i++)
        lower[i] = byte_to_lower(hash.at[i]);
    is_ours = is_ours && sodium_memcmp(lower, buffer_slice(&wanted).at, HASH_LETTERS) == 0;
    buffer_finish(&wanted);
    if (!is_ours)
        return ROUTING_SRS_FORGED;
    return is_second ? reverse_second(&cursor, out) : reverse_first(&cursor, days, out);
}
