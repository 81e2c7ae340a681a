/* SPDX-License-Identifier: ISC */
/* What writing and reading segments share. Private to the room. */
#ifndef SEARCH_SEGMENT_PRIVATE_H
#define SEARCH_SEGMENT_PRIVATE_H

#include "search/segment.h"

#define SEGMENT_MAGIC UINT64_C(0x3130474553434146) /* FACSEG01 */
enum { SEGMENT_HASH_OCTETS = 8, VARINT_MAX = 10, SEGMENT_SEED = 7 };

/* Places of an entry: the first as a varint, then, if there are more, an octet `low` and of each
 * the distance from the one before, less one, in Rice's code: from the lowest bit on, as many zeros
 * as the distance shifted by `low` has, a one, the `low` bits below. Distances that would have
 * RICE_ZEROS_MAX zeros or more have so many, the one, and 32 bits. Zeros fill the last octet. Text
 * takes 11 to 12 bits for each place: what the best code would need, and half a bit. */
enum {
    RICE_ZEROS_MAX = 24,
    RICE_ESCAPE_BITS = RICE_ZEROS_MAX + 1 + 32,
    RICE_LOW_MAX = 31,
    RICE_LOAD_OCTETS = 8, /* that reading touches behind the last one */
};

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
