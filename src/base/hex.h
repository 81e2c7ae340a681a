/* SPDX-License-Identifier: ISC */
/* Hexadecimal digits, as escapes in mail have them. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/slice.h"

/* What a digit stands for, in either case; -1 for any other octet. */
static inline int
byte_hex_value(uint8_t byte)
{
    uint8_t lower = byte_to_lower(byte);

    return byte_is_digit(byte) ? byte - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The octet that the first two digits of s stand for; -1 when s does not begin with two. */
static inline int
slice_hex_byte(struct slice s)
{
    int high = s.len > 1 ? byte_hex_value(s.at[0]) : -1;
    int low = s.len > 1 ? byte_hex_value(s.at[1]) : -1;

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

#endif
