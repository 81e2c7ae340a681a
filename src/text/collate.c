/* SPDX-License-Identifier: ISC */
#include "text/collate.h"
#include "text/unicode.h"
#include "text/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- keys ------------------------------------------------------------------------------------ */

static inline uint8_t
to_upper(uint8_t octet)
{
    return octet >= 'a' && octet <= 'z' ? (uint8_t)(octet ^ 0x20) : octet;
}

/* Eight octets at once; those above 127 stay. Sums do not run over: each octet has seven bits. */
static inline uint64_t
word_to_upper(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 255, low = word & (ones * 0x7F);
    uint64_t from_a = low + ones * (0x80 - 'a');
    uint64_t above_z = low + ones * (0x7F - 'z');

    return word - ((from_a & ~above_z & ~word & (ones * 0x80)) >> 2);
}

static void
put_ascii_upper(struct buffer *buffer, struct slice text)
{
    uint8_t *to = buffer_reserve(buffer, text.len);
    size_t at = 0;

    if (!to)
        return;
    for (; text.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text.at + at, sizeof(word));
        word = word_to_upper(word);
        memcpy(to + at, &word, sizeof(word));
    }
    for (; at < text.len; at++)
        to[at] = to_upper(text.at[at]);
    buffer_commit(buffer, text.len);
}

void
collate_put_key(struct buffer *buffer, enum collation collation, struct slice text)
{
    size_t ascii_len;

    if (collation == COLLATION_OCTET) {
        buffer_put(buffer, text);
    } else if (collation == COLLATION_ASCII_CASEMAP ||
               (ascii_len = utf8_ascii_len(text)) == text.len) {
        put_ascii_upper(buffer, text);
    } else if (utf8_is_valid(slice_skip(text, ascii_len))) {
        put_ascii_upper(buffer, slice_first(text, ascii_len));
        unicode_put_title_decomposed(buffer, slice_skip(text, ascii_len));
    } else {
        buffer_put(buffer, text);
    }
}

/* ASCII texts need no keys made. Orders by what differs first; shorter first. */
static int
compare_ascii(struct slice left, struct slice right)
{
    size_t len = left.len < right.len ? left.len : right.len;

    for (size_t i = 0; i < len; i++) {
        int difference = to_upper(left.at[i]) - to_upper(right.at[i]);
        if (difference)
            return difference;
    }
    return (left.len > right.len) - (left.len < right.len);
}

int
collate_compare(enum collation collation, struct slice left, struct slice right)
{
    if (collation == COLLATION_OCTET)
        return slice_compare(left, right);
    if (collation == COLLATION_ASCII_CASEMAP || (utf8_is_ascii(left) && utf8_is_ascii(right)))
        return compare_ascii(left, right);
    struct buffer left_key, right_key;
    buffer_init(&left_key, SIZE_MAX / 4);
    buffer_init(&right_key, SIZE_MAX / 4);
    collate_put_key(&left_key, collation, left);
    collate_put_key(&right_key, collation, right);
    int order = slice_compare(buffer_slice(&left_key), buffer_slice(&right_key));
    buffer_finish(&left_key);
    buffer_finish(&right_key);
    return order;
}

/* ---- substrings ------------------------------------------------------------------------------ */

bool
collate_pattern_init(struct collate_pattern *pattern, enum collation collation, struct slice text)
{
    struct buffer key;

    buffer_init(&key, COLLATE_PATTERN_MAX);
    collate_put_key(&key, collation, text);
    if (buffer_overflowed(&key)) {
        buffer_finish(&key);
        return false;
    }
    *pattern = (struct collate_pattern){
        .collation = collation,
        .key = key,
        .is_ascii = utf8_is_ascii(buffer_slice(&key)),
    };
    buffer_init(&pattern->scratch, SIZE_MAX / 4);
    return true;
}

void
collate_pattern_finish(struct collate_pattern *pattern)
{
    buffer_finish(&pattern->key);
    buffer_finish(&pattern->scratch);
}

static bool
is_upper_equal(const uint8_t *text, struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (to_upper(text[i]) != key.at[i])
            return false;
    }
    return true;
}

/* Looks for `key`, which is in upper case, from `at` on. */
static bool
is_upper_in_slowly(struct slice key, struct slice text, size_t at)
{
    for (; text.len >= key.len && at <= text.len - key.len; at++) {
        if (is_upper_equal(text.at + at, key))
            return true;
    }
    return false;
}

#ifdef __SSE2__

enum { BLOCK = 16 };

/* Bit i: the octet at text[i] is, but for case, `octet`; it may be another one that differs from it
 * in bit 5. */
static inline unsigned
alike(const uint8_t *text, __m128i octet, __m128i bit)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);

    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(block, bit), octet));
}

/* The first and last octet of the key are looked for at 16 places at once; where both are alike
 * the whole is compared. */
static bool
is_upper_in(struct slice key, struct slice text)
{
    const __m128i bit = _mm_set1_epi8(0x20);
    const __m128i first = _mm_set1_epi8((char)(key.at[0] | 0x20));
    const __m128i last = _mm_set1_epi8((char)(key.at[key.len - 1] | 0x20));
    size_t at = 0;

    for (; text.len >= key.len - 1 + BLOCK && at <= text.len - (key.len - 1) - BLOCK; at += BLOCK) {
        unsigned hits =
            alike(text.at + at, first, bit) & alike(text.at + at + key.len - 1, last, bit);
        for (; hits; hits &= hits - 1) {
            if (is_upper_equal(text.at + at + (unsigned)__builtin_ctz(hits), key))
                return true;
        }
    }
    return is_upper_in_slowly(key, text, at);
}

#else

static bool
is_upper_in(struct slice key, struct slice text)
{
    return is_upper_in_slowly(key, text, 0);
}

#endif

bool
collate_pattern_is_in_key(const struct collate_pattern *pattern, struct slice key)
{
    struct slice sought = buffer_slice(&pattern->key);

    return sought.len == 0 || slice_find(key, sought) < key.len;
}

bool
collate_pattern_is_in(struct collate_pattern *pattern, struct slice text)
{
    struct slice sought = buffer_slice(&pattern->key);

    if (sought.len == 0)
        return true;
    if (pattern->collation == COLLATION_OCTET)
        return slice_find(text, sought) < text.len;
    if (pattern->collation == COLLATION_ASCII_CASEMAP)
        return is_upper_in(sought, text);
    if (utf8_is_ascii(text))
        return pattern->is_ascii && is_upper_in(sought, text);
    buffer_clear(&pattern->scratch);
    collate_put_key(&pattern->scratch, pattern->collation, text);
    bool is_in = collate_pattern_is_in_key(pattern, buffer_slice(&pattern->scratch));
    if (pattern->scratch.size > COLLATE_SCRATCH_MAX)
        buffer_finish(&pattern->scratch);
    return is_in;
}
