/* SPDX-License-Identifier: ISC */
/* What writing and reading segments share. Private to the room. */
#ifndef SEARCH_SEGMENT_PRIVATE_H
#define SEARCH_SEGMENT_PRIVATE_H

#include "search/segment.h"

#define SEGMENT_MAGIC UINT64_C(0x3130474553434146) /* FACSEG01 */
enum { SEGMENT_HASH_OCTETS = 8, VARINT_MAX = 10, SEGMENT_SEED = 7 };

/* Little-endian base 128, as many octets as needed. */
static inline size_t
varint_put(uint8_t *to, uint64_t number)
{
    size_t len = 0;

    while (number >= 0x80) {
        to[len++] = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    to[len++] = (uint8_t)number;
    return len;
}

/* Moves *at; false at the end and beyond 64 bits. */
MUST_USE static inline bool
varint_take(const uint8_t **at, const uint8_t *end, uint64_t *ret_number)
{
    const uint8_t *from = *at;
    uint64_t number = 0;

    for (unsigned shift = 0; from < end && shift < 64; shift += 7) {
        uint8_t octet = *from++;
        number |= (uint64_t)(octet & 0x7F) << shift;
        if (octet < 0x80) {
            *ret_number = number;
            *at = from;
            return true;
        }
    }
    return false;
}

#endif
