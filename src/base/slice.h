/* SPDX-License-Identifier: ISC */
/* A slice borrows bytes: it never owns them, never ends in NUL, and must not outlive its owner.
 * Pass it by value. Bytes are octets as they came; no locale, no character set. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include "base/compiler.h"

#include <string.h>

struct slice {
    const uint8_t *at;
    size_t len;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct slice
slice_of(const void *at, size_t len)
{
    return (struct slice){at, len};
}

/* The bytes of a NUL-terminated string, without the NUL. For program arguments and the like. */
static inline struct slice
slice_of_string(const char *string)
{
    return slice_of(string, strlen(string));
}

static inline bool
slice_is_empty(struct slice s)
{
    return s.len == 0;
}

/* The part behind the first `count` bytes; empty when there are no more. */
static inline struct slice
slice_skip(struct slice s, size_t count)
{
    return count >= s.len ? slice_of(s.at + s.len, 0) : slice_of(s.at + count, s.len - count);
}

/* The first `count` bytes, or all when there are fewer. */
static inline struct slice
slice_first(struct slice s, size_t count)
{
    return slice_of(s.at, count < s.len ? count : s.len);
}

/* The part [start, end) of s; both are clamped to its length. */
static inline struct slice
slice_between(struct slice s, size_t start, size_t end)
{
    return slice_skip(slice_first(s, end < start ? start : end), start);
}

MUST_USE static inline bool
slice_equal(struct slice left, struct slice right)
{
    return left.len == right.len && (left.len == 0 || memcmp(left.at, right.at, left.len) == 0);
}

/* ASCII letters compare equal in either case (RFC 5234 §2.3); other octets only to themselves. */
MUST_USE bool slice_equal_nocase(struct slice left, struct slice right);

/* Octet by octet, or with ASCII case folded. */
MUST_USE bool slice_starts_with(struct slice s, struct slice prefix);
MUST_USE bool slice_starts_with_nocase(struct slice s, struct slice prefix);
MUST_USE bool slice_ends_with(struct slice s, struct slice suffix);
MUST_USE bool slice_ends_with_nocase(struct slice s, struct slice suffix);

/* Orders by octets, shorter first among equals: <0, 0, >0. */
int slice_compare(struct slice left, struct slice right);

/* Index of the first (or last) occurrence, or s.len when there is none. */
size_t slice_find_byte(struct slice s, uint8_t byte);
size_t slice_find_last_byte(struct slice s, uint8_t byte);
size_t slice_find(struct slice s, struct slice needle);

/* Without spaces, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice s);

/* The ASCII lower-case form of one octet. */
static inline uint8_t
byte_to_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static inline bool
byte_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool
byte_is_alpha(uint8_t byte)
{
    return byte_to_lower(byte) >= 'a' && byte_to_lower(byte) <= 'z';
}

#endif
