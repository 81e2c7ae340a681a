/* SPDX-License-Identifier: ISC */
/* One load for the line ends, two for the dashes behind them and one for the CR before: all from
 * the first-level cache, so that a block of 64 octets costs about a dozen cycles. Line ends are
 * counted with a sum of absolute differences; no branch depends on the text but the rare hit. */
#include "mime/scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline void
tally_lf(struct mime_tally *tally, struct slice bytes, size_t at)
{
    tally->lines++;
    if (tally->bare_lf == SIZE_MAX && (at == 0 || bytes.at[at - 1] != '\r'))
        tally->bare_lf = at;
}

size_t
mime_scan_line(struct slice bytes, size_t from, struct mime_tally *tally)
{
    const uint8_t *lf;

    if (from >= bytes.len || !(lf = memchr(bytes.at + from, '\n', bytes.len - from)))
        return bytes.len;
    size_t at = (size_t)(lf - bytes.at);
    tally_lf(tally, bytes, at);
    return at + 1;
}

/* The same as mime_scan_dashes, line by line, for LFs before `until`; *from becomes the place
 * behind the hit, or `until`. */
static bool
scan_dashes_slowly(struct slice bytes, size_t *from, size_t until, struct mime_tally *tally)
{
    for (size_t at = *from; at < until; at++) {
        const uint8_t *lf = memchr(bytes.at + at, '\n', until - at);
        if (!lf)
            break;
        at = (size_t)(lf - bytes.at);
        tally_lf(tally, bytes, at);
        if (bytes.len - at > 2 && lf[1] == '-' && lf[2] == '-') {
            *from = at + 1;
            return true;
        }
    }
    *from = until;
    return false;
}

#ifdef __SSE2__

enum { BLOCK = 64, STEP = 16 };

static inline __m128i
load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Passes over whole blocks that have no hit (and, while none is known, no bare LF); returns where
 * the first block begins that must be looked at closely, or where fewer than a block are left. */
static size_t
skip_blocks(struct slice bytes, size_t at, struct mime_tally *tally)
{
    const __m128i lf = _mm_set1_epi8('\n'), dash = _mm_set1_epi8('-'), cr = _mm_set1_epi8('\r');
    const __m128i zero = _mm_setzero_si128();
    const __m128i wants_bare = _mm_set1_epi8(tally->bare_lf == SIZE_MAX ? -1 : 0);
    __m128i lines = zero;
    uint64_t sums[2];

    for (; bytes.len - at >= BLOCK + 2; at += BLOCK) {
        __m128i count = zero, stop = zero;
        for (size_t i = 0; i < BLOCK; i += STEP) {
            const uint8_t *p = bytes.at + at + i;
            __m128i ends = _mm_cmpeq_epi8(load(p), lf);
            __m128i dashes = _mm_and_si128(_mm_cmpeq_epi8(load(p + 1), dash),
                                           _mm_cmpeq_epi8(load(p + 2), dash));
            __m128i bare = _mm_andnot_si128(_mm_cmpeq_epi8(load(p - 1), cr), wants_bare);
            count = _mm_sub_epi8(count, ends);
            stop = _mm_or_si128(stop, _mm_and_si128(ends, _mm_or_si128(dashes, bare)));
        }
        if (UNLIKELY(_mm_movemask_epi8(stop) != 0))
            break;
        lines = _mm_add_epi64(lines, _mm_sad_epu8(count, zero));
    }
    _mm_storeu_si128((__m128i *)(void *)sums, lines);
    tally->lines += sums[0] + sums[1];
    return at;
}

size_t
mime_scan_dashes(struct slice bytes, size_t from, struct mime_tally *tally)
{
    size_t at = from;

    /* The blocks look one octet back. */
    if (at == 0 && bytes.len > 0 && scan_dashes_slowly(bytes, &at, 1, tally))
        return at;
    while (at < bytes.len && bytes.len - at >= BLOCK + 2) {
        at = skip_blocks(bytes, at, tally);
        if (bytes.len - at >= BLOCK + 2 && scan_dashes_slowly(bytes, &at, at + BLOCK, tally))
            return at;
    }
    if (at < bytes.len && scan_dashes_slowly(bytes, &at, bytes.len, tally))
        return at;
    return bytes.len;
}

#else

size_t
mime_scan_dashes(struct slice bytes, size_t from, struct mime_tally *tally)
{
    size_t at = from;

    if (at < bytes.len && scan_dashes_slowly(bytes, &at, bytes.len, tally))
        return at;
    return bytes.len;
}

#endif
