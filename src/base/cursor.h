/* SPDX-License-Identifier: ISC */
/* A cursor reads a slice from front to back. It only moves forward, and a taker that fails leaves
 * it and its out-parameters untouched. All grammars of the project are written on it. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/slice.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* A set of octets: set[octet] is true for members. */
typedef const bool byte_set[256];

static inline struct cursor
cursor_of(struct slice s)
{
    return (struct cursor){s.at, s.at + s.len};
}

static inline size_t
cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline bool
cursor_is_done(const struct cursor *cursor)
{
    return cursor->at == cursor->end;
}

/* What has not been read yet. */
static inline struct slice
cursor_rest(const struct cursor *cursor)
{
    return slice_of(cursor->at, cursor_left(cursor));
}

/* The next octet without taking it, or -1 at the end. */
static inline int
cursor_peek(const struct cursor *cursor)
{
    return cursor_is_done(cursor) ? -1 : *cursor->at;
}

/* Takes exactly this octet. */
MUST_USE static inline bool
cursor_take_byte(struct cursor *cursor, uint8_t byte)
{
    if (cursor_peek(cursor) != byte)
        return false;
    cursor->at++;
    return true;
}

/* Takes whatever octet comes next. */
MUST_USE static inline bool
cursor_take_any(struct cursor *cursor, uint8_t *ret_byte)
{
    if (cursor_is_done(cursor))
        return false;
    *ret_byte = *cursor->at++;
    return true;
}

/* Takes exactly `len` octets. */
MUST_USE static inline bool
cursor_take_bytes(struct cursor *cursor, size_t len, struct slice *ret_bytes)
{
    if (cursor_left(cursor) < len)
        return false;
    *ret_bytes = slice_of(cursor->at, len);
    cursor->at += len;
    return true;
}

/* Takes this text; ASCII case does not matter in the second form. */
MUST_USE bool cursor_take_text(struct cursor *cursor, struct slice text);
MUST_USE bool cursor_take_text_nocase(struct cursor *cursor, struct slice text);

/* Takes 1 to `max` octets of `set`; more than `max` in a row is a failure, not a cut. */
MUST_USE bool cursor_take_set(struct cursor *cursor, byte_set set, size_t max,
                              struct slice *ret_bytes);

/* Passes over octets of `set`, also none; returns how many. */
size_t cursor_skip_set(struct cursor *cursor, byte_set set);

/* Passes over spaces and tabs, also none; returns how many. */
size_t cursor_skip_blanks(struct cursor *cursor);

/* Takes everything up to, not including, `byte`; fails when `byte` does not come. */
MUST_USE bool cursor_take_until(struct cursor *cursor, uint8_t byte, struct slice *ret_bytes);

/* Takes a decimal number (one digit or more, no sign) and requires min <= number <= max. */
MUST_USE bool cursor_take_u64(struct cursor *cursor, uint64_t min, uint64_t max,
                              uint64_t *ret_number);
MUST_USE bool cursor_take_u32(struct cursor *cursor, uint32_t min, uint32_t max,
                              uint32_t *ret_number);

/* Little-endian binary integers, as our own notes and files have them: here, as their counterparts
 * in buffer.h, because each note and each record of the store is read through them. */
MUST_USE static inline bool
cursor_take_le(struct cursor *cursor, size_t width, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (cursor_left(cursor) < width)
        return false;
    for (size_t i = 0; i < width; i++)
        number |= (uint64_t)cursor->at[i] << (8 * i);
    cursor->at += width;
    *ret_number = number;
    return true;
}

MUST_USE static inline bool
cursor_take_le8(struct cursor *cursor, uint8_t *ret_number)
{
    return cursor_take_any(cursor, ret_number);
}

MUST_USE static inline bool
cursor_take_le16(struct cursor *cursor, uint16_t *ret_number)
{
    uint64_t number;

    if (!cursor_take_le(cursor, sizeof(*ret_number), &number))
        return false;
    *ret_number = (uint16_t)number;
    return true;
}

MUST_USE static inline bool
cursor_take_le32(struct cursor *cursor, uint32_t *ret_number)
{
    uint64_t number;

    if (!cursor_take_le(cursor, sizeof(*ret_number), &number))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

MUST_USE static inline bool
cursor_take_le64(struct cursor *cursor, uint64_t *ret_number)
{
    return cursor_take_le(cursor, sizeof(*ret_number), ret_number);
}

#endif
